# SPDX-License-Identifier: Apache-2.0
"""The forked commands that most tests use are the console script in all but how long they take to load."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import standby
from tests.support.commands import LETTER, Desk

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="everything is the console script here")


def both(at: Desk, *words: str, stdin: bytes = b"") -> list[tuple[int, bytes, bytes]]:
    """Exit code, output and errors of a command: of the console script, and of the fork."""
    command, around = at.words(*words), at.environment()
    assert standby.can_be_forked(command, around)
    started = subprocess.run(command, input=stdin, capture_output=True, env=around, cwd=at.home, start_new_session=True)
    forked = standby.run(command, input=stdin, env=around, cwd=at.home)
    return [(done.returncode, done.stdout, done.stderr) for done in (started, forked)]


@pytest.mark.parametrize(
    "words",
    [
        ("case", "list"), ("case", "list", "--json"), ("case", "--help"), ("case",), ("nothing",),
        ("list", "--lang", "ky"), ("list", "--lang", "xx"), ("show", "nothing"), ("export", "Road works"),
        ("card", "export"), ("verify", "--vault", "elsewhere"), ("completion", "bash"),
        ("add", "Road works", os.fsdecode(b"no utf-8 \xff")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_fork_says_what_the_console_script_says(one: Desk, words: tuple[str, ...]) -> None:
    started, forked = both(one, *words)
    assert started == forked


def test_a_fork_reads_what_it_is_given_and_no_more_than_it_wants(one: Desk) -> None:
    one.run("add", "Road works", "-", "--name", "кат.txt", stdin=LETTER)
    one.run("get", "кат.txt", "-o", str(one.home / "out"))
    assert (one.home / "out" / "кат.txt").read_bytes() == LETTER
    started, forked = both(one, "case", "list", stdin=bytes(1 << 20))
    assert started == forked and forked[0] == 0


def facts(process: Path) -> dict[str, object]:
    """What a process was given by whoever started it, and what it set up for itself: proc(5)."""
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    stat = (process / "stat").read_text().rpartition(")")[2].split()
    _state, _parent, group, session, terminal, *_rest = stat
    home = os.readlink(process / "cwd")
    opened = [os.readlink(each).partition(":")[0] for each in (process / "fd").iterdir()]
    return {
        "leads its session and group": (session, group) == (process.name, process.name),
        "terminal": terminal,
        "folder": home,
        "opened elsewhere": sorted(each for each in opened if not each.startswith(home)),
        "limits": (process / "limits").read_text(),
        # Those from 32 on are the C library's own.
        **{name: int(status[name], 16) & 0x7FFFFFFF for name in ("SigBlk", "SigIgn", "SigCgt")},
        **{name: status[name] for name in ("Umask", "NoNewPrivs", "Seccomp")},
    }


def reader_of(pipe: int) -> Path:
    """The process at the other end of a pipe."""
    name = os.readlink(f"/proc/self/fd/{pipe}")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and os.readlink(process / "fd" / "0") == name:
                return process
        except OSError:
            continue  # it ended meanwhile
    raise AssertionError("nobody reads")


def test_a_fork_is_as_free_and_as_bound_as_a_process_that_was_started(one: Desk) -> None:
    command, around = one.words("add", "Road works", "-"), one.environment()
    seen = []
    for forked in (False, True):
        stdin, to_it = os.pipe()
        with open(os.devnull, "r+b") as nowhere, open(to_it, "wb", buffering=0) as sink:
            streams = (stdin, nowhere.fileno(), nowhere.fileno())
            if forked:
                ended = standby.start(command, streams, env=around, cwd=one.home)
            else:
                process = subprocess.Popen(
                    command, stdin=stdin, stdout=nowhere, stderr=nowhere, env=around, cwd=one.home,
                    start_new_session=True,
                )  # fmt: skip
            os.close(stdin)
            sink.write(bytes(2 << 20))  # more than a pipe holds: when this returns, the vault is open
            seen.append(facts(reader_of(to_it)))
        assert (standby.exit_code(ended) if forked else process.wait()) == 0
    assert seen[0] == seen[1]


def test_a_fork_that_is_killed_says_by_which_signal(one: Desk) -> None:
    stdin, to_it = os.pipe()
    with open(os.devnull, "r+b") as nowhere, open(to_it, "wb", buffering=0) as sink:
        streams = (stdin, nowhere.fileno(), nowhere.fileno())
        ended = standby.start(one.words("add", "Road works", "-"), streams, env=one.environment(), cwd=one.home)
        os.close(stdin)
        sink.write(bytes(2 << 20))
        os.kill(int(reader_of(to_it).name), 9)
        assert standby.exit_code(ended) == -9


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("panic",), {}), (("--version",), {}), (("list",), {"PYTHONIOENCODING": "ascii"}),
        (("list",), {"LC_ALL": "POSIX"}), (("list",), {"TZ": "Asia/Bishkek"}), (("list",), {"LD_PRELOAD": "x.so"}),
    ],
)  # fmt: skip
def test_what_has_to_do_with_loading_is_started(words: tuple[str, ...], more: dict[str, str]) -> None:
    around = {"LC_ALL": standby.UTF8}
    assert standby.can_be_forked([str(standby.SCRIPT), "list"], around)
    assert not standby.can_be_forked([str(standby.SCRIPT), *words], around | more)
