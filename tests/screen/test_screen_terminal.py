# SPDX-License-Identifier: Apache-2.0
"""`sandyk browse` as it is installed, at a terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.agents import lock_quietly, runtime_folder
from tests.support.commands import LETTER, Desk, one
from tests.support.newsroom import files_below
from tests.support.telling_documents import picture
from tests.support.tools import need

__all__ = ["one"]

pexpect = pytest.importorskip("pexpect")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")

F9, F10, F12, CTRL_Q = "\x1b[20~", "\x1b[21~", "\x1b[24~", "\x11"
_SEQUENCES = re.compile(r"\x1b(\[[0-9;?<>=]*[a-zA-Z$]|\][^\a]*\a|[=>])")


@contextmanager
def at_the_screen(
    desk: Desk, *options: str, below: tuple[str, ...] = (), **environment: str
) -> Iterator[pexpect.spawn]:
    """The command at a terminal of 80 columns and 24 lines. ``below``: a program and its words that starts it."""
    words = [*below, *desk.words("browse", *options)]
    env = desk.environment() | {"TERM": "xterm-256color", **environment}
    child = pexpect.spawn(words[0], words[1:], env=env, cwd=str(desk.home), encoding="utf-8", dimensions=(24, 80))
    child.delaybeforesend = None
    try:
        yield child
    finally:
        child.close(force=True)


def opened(child: pexpect.spawn, desk: Desk) -> None:
    """Type the passphrase and wait for the case."""
    child.expect("The vault is locked")
    child.send(desk.passphrase.read_text().strip() + "\r")
    child.expect("Road works")


def ended(child: pexpect.spawn) -> tuple[str, int | None]:
    """What came after the last key, and the exit code."""
    child.expect(pexpect.EOF, timeout=30)
    child.close()
    return child.before, child.exitstatus


def test_the_wipe_key_leaves_no_keys_and_an_empty_terminal(one: Desk) -> None:
    with at_the_screen(one) as child:
        opened(child, one)
        child.send(F12)
        child.expect("within two seconds")
        child.send(F12)
        after, code = ended(child)
    assert code == 0
    assert not one.vault.exists() or not (one.vault / "keyring").exists()
    # The last thing is: back from the other screen, then everything erased, also what can be scrolled back to.
    left, erased = after.rindex("\x1b[?1049l"), after.rindex("\x1b[3J")
    assert left < erased
    assert _SEQUENCES.sub("", after[erased:]).strip() == ""
    one.run("status", code=10)


def test_it_is_wiped_without_a_passphrase(one: Desk) -> None:
    with at_the_screen(one) as child:
        child.expect("The vault is locked")
        child.send(F12 + F12)
        assert ended(child)[1] == 0
    assert not (one.vault / "keyring").exists()


def test_looking_leaves_no_file_anywhere(one: Desk) -> None:
    one.run("add", "Road works", one.write("letter.txt", LETTER))
    before = set(files_below(one.home))
    with at_the_screen(one, TEXTUAL_LOG=str(one.home / "log"), TEXTUAL="devtools", TEXTUAL_SCREENSHOT="0") as child:
        opened(child, one)
        child.expect(r"letter\.txt")
        child.send("\t\r")
        child.expect("SHA-256")
        child.send(CTRL_Q)
        assert ended(child)[1] == 0
    new = {name for name in set(files_below(one.home)) - before if not name.startswith("vault/cases/")}
    assert new == set()


_NAMING = (
    "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
)
_WRITING = "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice,memfd_create"
_READS = re.compile(r"open(at|at2)?\((?!.*(O_WRONLY|O_RDWR|O_CREAT))")
_NAMES = re.compile(r"\d+ +(?:" + _NAMING.replace(",", "|") + r')\([^"]*"([^"]*)"')
_WRITES = re.compile(r"\d+ +(?:" + _WRITING.replace(",", "|") + r")\((?:\d+<([^>]*)>)?")


@pytest.mark.skipif(sys.platform != "linux", reason="strace")
def test_a_look_into_a_letter_and_a_picture_writes_to_the_terminal_and_to_no_file(one: Desk, tmp_path: Path) -> None:
    """As the kernel sees it, of every process: SQLite's index of a log that is empty, and no file besides."""
    one.run("add", "Road works", one.write("1 letter.txt", LETTER), one.write("2 photo.png", picture("PNG")))
    before = {name: (one.home / name).read_bytes() for name in files_below(one.home)}
    log = tmp_path / "trace"
    strace = (need("strace"), "-f", "-y", "-qq", "-s", "65536", "-o", str(log), "-e", f"trace={_NAMING},{_WRITING}")
    with at_the_screen(one, below=strace, PYTHONDONTWRITEBYTECODE="1") as child:
        opened(child, one)
        child.expect(r"2 photo\.png")
        child.send("\t\r")
        child.expect("07:15")
        child.send("\x7f")
        child.expect(r"2 photo\.png")
        child.send("\x1b[B\r")
        child.expect("\u2580")
        child.send(CTRL_Q)
        assert ended(child)[1] == 0
    lines = [line for line in log.read_text().splitlines() if " = -1 " not in line]
    named = {found[1] for line in lines if not _READS.search(line) and (found := _NAMES.match(line))}
    written = [(found[1] or line, line) for line in lines if (found := _WRITES.match(line))]
    no_files = ("/dev/pts/", "/dev/tty", "/dev/null", "pipe:", "socket:", "/proc/")
    assert {os.path.basename(path) for path in named if not path.startswith(no_files)} <= {
        "lock", "index", "index-wal", "index-shm",
    }  # fmt: skip
    into_files = [(path, line) for path, line in written if not path.startswith(no_files)]
    assert all(path.endswith("/index-shm") and r', "\0", 1, ' in line for path, line in into_files)
    assert any(path.startswith("/dev/pts/") and "07:15" in line for path, line in written)
    assert {name: (one.home / name).read_bytes() for name in files_below(one.home)} == before


@pytest.fixture
def unlocked(one: Desk) -> Iterator[Desk]:
    """The desk with an agent that holds the keys."""
    with runtime_folder() as folder:
        one.more["XDG_RUNTIME_DIR"] = str(folder)
        one.run("unlock")
        yield one


def test_locking_ends_the_agent_too(unlocked: Desk) -> None:
    with at_the_screen(unlocked) as child:
        child.expect("Road works")
        child.send(F10)
        after, code = ended(child)
    assert code == 0
    assert "locked" in after
    assert unlocked.json("status")["locked"] is True


def test_leaving_lets_the_agent_be(unlocked: Desk) -> None:
    with at_the_screen(unlocked) as child:
        child.expect("Road works")
        child.send(CTRL_Q)
        assert ended(child)[1] == 0
    assert unlocked.json("status")["locked"] is False


def test_it_leaves_when_the_agent_is_told_to_lock(unlocked: Desk) -> None:
    with at_the_screen(unlocked) as child:
        child.expect("Road works")
        lock_quietly(str(unlocked.vault))
        after, code = ended(child)
    assert code == 0
    assert "the agent that held the keys has ended" in after


def test_a_signal_to_end_gives_the_terminal_back(one: Desk) -> None:
    with at_the_screen(one) as child:
        opened(child, one)
        os.kill(child.pid, signal.SIGTERM)
        after, _code = ended(child)
    assert "\x1b[?1049l" in after


def test_without_a_terminal_it_says_so(one: Desk) -> None:
    done = one.run("browse", code=2)
    assert "needs a terminal" in done.err


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"NO_COLOR": "1"}, {"TERM": "linux"}, {"COLORFGBG": "0;15"}])
def test_it_opens_in_plain_terminals_of_all_kinds(one: Desk, environment: dict[str, str]) -> None:
    with at_the_screen(one, **environment) as child:
        opened(child, one)
        child.send(CTRL_Q)
        after, code = ended(child)
    assert code == 0
    if "LC_ALL" in environment:
        assert not set(after) & set("─│┌┐└┘▀▄")
