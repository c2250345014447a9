# SPDX-License-Identifier: Apache-2.0
"""What `open` and `export` say about what is unusual, and that a pipe in a bundle's place keeps nobody waiting."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pexpect
import pytest

from keys import age
from tests.support.bundles import EDITOR, hostile
from tests.support.commands import Desk
from tests.support.tsa import authority, tsa


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize("command", [("open", "-o", "out"), ("verify",)])
def test_what_is_no_regular_file_is_refused_at_once(
    one: Desk, tmp_path: Path, command: tuple[str, ...], kind: str
) -> None:
    path = tmp_path / "in.age"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path = Path("/dev/zero")
    name, *more = command
    refused = one.run(name, str(path), *(str(tmp_path / "out") if word == "out" else word for word in more), code=2)
    assert str(path) in refused.err
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_was_cut_off_says_what_to_do_and_leaves_no_folder(
    bundle: tuple[Desk, Desk, str], tmp_path: Path
) -> None:
    __, editor, sealed = bundle
    content = Path(sealed).read_bytes()
    (tmp_path / "cut.age").write_bytes(content[:-1000])
    refused = editor.run("open", str(tmp_path / "cut.age"), "-o", str(tmp_path / "new" / "out"), code=12)
    assert "ask the sender to send it again" in refused.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["", "-"])
def test_an_output_of_no_name_is_refused_before_anything_is_sealed_or_opened(
    bundle: tuple[Desk, Desk, str], name: str
) -> None:
    """As a script gives it whose variable is not set, or somebody who hopes for standard output."""
    desk, editor, sealed = bundle
    assert "say where to" in desk.run("export", "Road works", "-o", name, "--to", "editor", code=2).err
    assert "say where to" in editor.run("open", sealed, "-o", name, code=2).err
    assert not (desk.home / "-").exists() and not (editor.home / "-").exists()


def test_the_same_contact_twice_is_listed_once(bundle: tuple[Desk, Desk, str]) -> None:
    desk = bundle[0]
    document = desk.json(
        "export", "Road works", "-o", str(desk.home / "x.age"), "--to", "editor", "--to", "editor"
    )  # fmt: skip
    assert document["to"] == ["editor"]


def test_when_the_terminal_goes_away_no_zip_stays_and_nothing_counts_as_sent(bundle: tuple[Desk, Desk, str]) -> None:
    """As when a window is closed: there is no terminal any more when the ZIP is whole."""
    desk = bundle[0]
    program = (
        "import fcntl, os, signal, sys, termios\n"
        "from vault.cli import receivers\n"
        "show = receivers.show_zip_passphrase\n"
        "def close_the_window(words):\n"
        "    signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "    fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), termios.TIOCNOTTY)\n"
        "    show(words)\n"
        "receivers.show_zip_passphrase = close_the_window\n"
        "from vault.entry import main\n"
        "sys.exit(main())\n"
    )
    before = desk.run("log", "Road works").out
    words = desk.words("export", "Road works", "-o", str(desk.home / "x.zip"), "--zip")
    child = pexpect.spawn(sys.executable, ["-c", program, *words[1:]], env=desk.environment(), timeout=60)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    assert not list(desk.home.glob("x.zip*"))
    assert desk.run("log", "Road works").out == before


def test_with_roots_only_a_bundle_whose_time_stamp_they_vouch_for_is_opened(
    bundle: tuple[Desk, Desk, str], tmp_path: Path
) -> None:
    desk, editor, plain = bundle
    stamped, root, foreign = desk.home / "stamped.age", authority().root, authority("Other").root
    with tsa() as server:
        desk.run(
            "export", "Road works", "-o", str(stamped), "--to", "editor", "--timestamp", server.url(),
            "--tsa-ca", str(root),
        )  # fmt: skip
    opened = editor.json("open", str(stamped), "-o", str(tmp_path / "out"), "--tsa-ca", str(root))
    assert opened["timestamp"] is not None
    assert opened["not_examined"] == []
    for sealed, ca in ((str(stamped), foreign), (plain, root)):
        refused = editor.run("open", sealed, "-o", str(tmp_path / "refused"), "--tsa-ca", str(ca), code=13)
        assert "time stamp" in refused.err
        assert not (tmp_path / "refused").exists()


def test_files_that_this_version_does_not_know_are_named(one: Desk, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(EDITOR.age.encode().expose() + b"\n")
    proof = {"metadata/proofs/1.tlog-proof": b"proof"}
    (tmp_path / "in.age").write_bytes(age.seal(hostile(lambda files: files.update(proof)), [EDITOR.recipient]))
    opened = one.run("open", str(tmp_path / "in.age"), "-o", str(tmp_path / "out"), "--identity", str(key), code=13)
    assert "metadata/proofs/1.tlog-proof" in opened.out
