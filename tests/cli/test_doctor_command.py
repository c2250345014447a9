# SPDX-License-Identifier: Apache-2.0
"""`doctor` on a real vault: what it prints, its exit code, and that it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.cli_docs import documented_fields, fields_of
from tests.support.commands import SCRIPT, Desk


def doctor(at: Desk, *words: str) -> subprocess.CompletedProcess[str]:
    """Without a passphrase: it asks for none."""
    command = [str(SCRIPT), "doctor", "--vault", str(at.vault), *words]
    return subprocess.run(command, env=at.environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder: mode, time of change and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def test_the_exit_code_says_whether_something_weak_was_found(one: Desk) -> None:
    one.vault.chmod(0o755)
    done = doctor(one, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert "permissions" in [f["kind"] for f in document["findings"] if f["level"] == "weak"]
    one.vault.chmod(0o700)
    done = doctor(one, "--json")
    document = json.loads(done.stdout)
    assert "permissions" in [f["kind"] for f in document["findings"] if f["level"] == "good"]
    assert done.returncode == (4 if document["weak"] else 0)
    assert document["weak"] + document["look"] + document["good"] == len(document["findings"])


def test_what_is_weak_comes_first_and_nothing_is_called_more_than_it_is(one: Desk) -> None:
    one.vault.chmod(0o755)
    text = doctor(one).stdout
    assert text.index("WEAK (") < text.index("look at this (") < text.index("good (")
    assert "others on this machine may look into the vault's folder (mode 0755)" in text
    assert "take it from them: chmod 700" in text


def test_it_reads_only(one: Desk) -> None:
    one.write(".bash_history", "sandyk list\n")
    before = tree(one.home)
    doctor(one)
    assert tree(one.home) == before


def test_without_a_vault_there_is_nothing_to_check(one: Desk, tmp_path: Path) -> None:
    one.vault = tmp_path / "nowhere"
    done = doctor(one)
    assert done.returncode == 10
    assert done.stdout == ""


def test_with_the_passphrase_it_looks_inside_too(bundle: tuple[Desk, Desk, str]) -> None:
    one, _editor, _sealed = bundle
    code = doctor(one).returncode
    document = one.run("doctor", "--json", code=code).document
    assert fields_of(document) == documented_fields("doctor")
    kinds = {finding["kind"]: finding for finding in document["findings"]}
    assert document["opened"] is True
    assert kinds["only-here"]["level"] == "good"
    assert "2 document(s) were exported" in kinds["on-their-way"]["what"]
    assert kinds["contacts"]["level"] == "good"


def test_names_of_what_is_found_cannot_speak_to_the_terminal(one: Desk) -> None:
    hostile = one.home / "Dropbox\x1b[2J"
    hostile.mkdir()
    (hostile / ".dropbox").mkdir()
    os.rename(one.vault, hostile / "vault")
    one.vault = hostile / "vault"
    text = doctor(one).stdout
    assert "\x1b" not in text
    assert "synced by Dropbox" in text
