# SPDX-License-Identifier: Apache-2.0
"""Where a passphrase must never be: command lines, environments, files, messages, core dumps."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import Desk, desk

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")

PASSPHRASE = "унутулгус Қупия сөз 4711"
WORDS = (*PASSPHRASE.split()[:3],)

AFTERWARDS = """
import ctypes, sys
from vault.entry import main
code = main()
libc = ctypes.CDLL(None)
print("code", code, "dumpable", libc.prctl(3, 0, 0, 0, 0), file=sys.stderr)
"""
"""PR_GET_DUMPABLE is 3 in <linux/prctl.h>; /proc does not show it."""


@pytest.fixture
def secretive(tmp_path: Path) -> Desk:
    """A desk whose passphrase is like nothing else in the world."""
    at = desk(tmp_path, "Айгүл", PASSPHRASE)
    at.run("case", "new", "C")
    return at


def has_secret(data: bytes) -> bool:
    """Whether any word of the passphrase is in there, in an encoding that text lies about in."""
    forms = {unicodedata.normalize(form, word) for word in WORDS for form in ("NFC", "NFD")}
    return any(form.encode(encoding) in data for form in forms for encoding in ("utf-8", "utf-16-le"))


@contextmanager
def at_work(at: Desk) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has opened the vault, read a part of its input and waits for more."""
    words = at.words("add", "C", "-")
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=at.environment(), cwd=at.home
    ) as command:
        assert command.stdin is not None
        command.stdin.write(bytes(2 << 20))  # more than a pipe holds: when this returns, the vault is open
        command.stdin.flush()
        yield command
        out, err = command.communicate(b"more", timeout=60)
    assert command.returncode == 0
    assert not has_secret(out + err)


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_while_a_command_holds_keys_its_passphrase_is_nowhere_to_be_read(secretive: Desk) -> None:
    assert has_secret(secretive.passphrase.read_bytes())
    with at_work(secretive) as command:
        for name in ("cmdline", "environ"):
            try:
                assert not has_secret(Path(f"/proc/{command.pid}/{name}").read_bytes())
            except PermissionError:
                assert os.geteuid() != 0  # a process that is not dumpable belongs to root
        for path in files_below(secretive.home):
            assert not has_secret(path.read_bytes()), path


def test_a_command_that_holds_keys_leaves_no_core_dump(secretive: Desk) -> None:
    with at_work(secretive) as command:
        limits = Path(f"/proc/{command.pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["1", "1"]  # bytes: no file, and nothing for a collector of dumps (core(5))


@pytest.mark.parametrize("which", ["list", "init", "open"])
def test_a_command_that_holds_keys_cannot_be_traced(bundle: tuple[Desk, Desk, str], which: str) -> None:
    from keys.age import HybridIdentity

    one, _, sealed = bundle
    key = one.write("key", HybridIdentity.generate().encode().expose())
    words = {
        "list": one.words("list"),
        "init": ["", "init", "--vault", str(one.home / "new"), "--new-passphrase-file", str(one.passphrase)],
        "open": ["", "open", sealed, "--identity", key, "-o", str(one.home / "out")],
    }[which]
    run = subprocess.run(
        [sys.executable, "-c", AFTERWARDS, *words[1:]], capture_output=True, text=True,
        env={**one.environment(), "PYTHONPATH": str(Path(__file__).parents[2])}, cwd=one.home,
    )  # fmt: skip
    assert run.stderr.splitlines()[-1] == f"code {11 if which == 'open' else 0} dumpable 0", run.stderr


def test_errors_of_every_kind_say_nothing_of_the_passphrase(secretive: Desk) -> None:
    at = secretive
    text = PASSPHRASE.encode()
    wrong = at.write("wrong", f"{PASSPHRASE}x\n")
    bad = {
        "not utf-8": text + b"\xff\n",
        "too long": text * 100,
        "a surrogate": text + b"\xed\xa0\x80",
        "two lines": b"\n" + text,
        "a null": text + b"\0",
    }
    said = [at.run("list", "--passphrase-file", wrong, code=11)]
    for name, content in bad.items():
        path = at.write(name, content)
        for words in (["list", "--passphrase-file", path], ["journalist", "passwd", "--new-passphrase-file", path]):
            done = subprocess.run(at.words(*words), capture_output=True, env=at.environment(), cwd=at.home)
            # A NUL is a character like another: that passphrase is only a wrong one, or a new one.
            assert done.returncode in ({0, 11} if name == "a null" else {2, 12}), (name, done.stderr)
            assert not has_secret(done.stdout + done.stderr)
            assert b"Traceback" not in done.stderr
            if done.returncode == 0:
                at.passphrase = Path(path)
    at.run("journalist", "passwd", "--new-passphrase-file", wrong)
    at.passphrase = Path(wrong)
    for path in at.vault.glob("books/*"):
        path.write_bytes(b"damaged")
    said.append(at.run("list", code=12))
    said.append(at.run("list", "--passphrase-file", str(at.home), code=2))
    assert not any(has_secret(done.stdout + done.err.encode()) for done in said)


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_holds_the_same_passphrase(secretive: Desk) -> None:
    path = secretive.write("windows", b"\xef\xbb\xbf" + PASSPHRASE.encode() + b"\r\nmore\r\n")
    secretive.run("list", "--passphrase-file", path)
    secretive.run("list", "--passphrase-file", "-", stdin=PASSPHRASE.encode())


def test_nothing_is_left_in_temporary_and_runtime_folders(secretive: Desk) -> None:
    at = secretive
    at.run("add", "C", at.write("in/a.txt", "plain as day"), at.write("in/b.bin", os.urandom(1 << 20)))
    at.run("get", "--all", "C", "-o", str(at.home / "out"))
    at.run("export", "C", "-o", str(at.home / "x.age"), "--to", "Айгүл")
    at.run("open", str(at.home / "x.age"), "-o", str(at.home / "opened"))
    at.run("verify")
    allowed = {at.home / "vault", at.home / "in", at.home / "out", at.home / "opened", at.home / "x.age"}
    left = [p for p in files_below(at.home) if not any(p == a or a in p.parents for a in allowed)]
    assert left == []
    assert not any(b"plain as day" in path.read_bytes() for path in files_below(at.vault))
