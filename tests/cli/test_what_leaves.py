# SPDX-License-Identifier: Apache-2.0
"""What is said to whoever sends and receives: each hint can be followed as it stands, and repeats nothing secret."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.commands import Desk


def test_the_hint_on_an_unknown_newsroom_names_the_card_that_came_with_it(bundle: tuple[Desk, Desk, str]) -> None:
    here, editor, _ = bundle
    sealed = str(here.home / "news room.age")
    here.run("export", "Road works", "-o", sealed, "--to", "editor", "--as", "newsroom")
    err = editor.run("open", sealed, "-o", str(editor.home / "an out"), code=13).err
    (command,) = re.findall(r"sandyk (contact add NAME .+), then sandyk contact verify NAME", err)
    added = editor.json(*shlex.split(command.replace("NAME", "desk")))
    words = here.json("card", "show", "--case", "Road works")["words"]
    assert added["words"] == words
    editor.run("contact", "verify", "desk", "--words", words)
    assert "words you compared" in editor.run("open", sealed, "-o", str(editor.home / "again")).out


def test_no_hint_names_an_option_that_the_command_does_not_have(bundle: tuple[Desk, Desk, str]) -> None:
    here, editor, sealed = bundle
    receipt = editor.write("receipt")
    run = editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", receipt, code=1)
    assert "--force" not in run.err
    editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", str(editor.home / "new"))
    (here.home / "proof").mkdir()
    (here.home / "proof" / "receipt.txt").touch()
    run = here.run("receipt", "show", str(editor.home / "new"), "-o", str(here.home / "proof"), code=1)
    assert "is there already" in run.err and "--force" not in run.err
    assert "--force" in here.run("export", "Road works", "-o", sealed, "--to", "editor", code=1).err


def test_who_seals_for_themself_by_a_bare_recipient_is_not_told_that_they_cannot_open_it(
    bundle: tuple[Desk, Desk, str],
) -> None:
    here, _, _ = bundle
    (mine,) = re.findall(r"^recipient (\S+)$", here.run("card", "export").out, re.M)
    listed, sealed = here.write("recipients", mine), str(here.home / "mine.age")
    out = here.run("export", "Road works", "-o", sealed, "--recipients-file", listed).out
    assert "only they can open it" in out and "you cannot" not in out
    here.run("open", sealed, "-o", str(here.home / "out"))


def test_a_password_in_the_address_of_a_server_is_not_repeated(bundle: tuple[Desk, Desk, str]) -> None:
    here, _, sealed = bundle
    run = here.run(
        "export", "Road works", "-o", sealed, "--to", "editor", "--timestamp", "http://me:hunter2@x/", code=2
    )
    assert "hunter2" not in run.err


@pytest.mark.parametrize("option", [("--repair",), ("--sample", "2")])
def test_what_a_bundle_cannot_be_asked_is_refused_and_not_passed_over(
    bundle: tuple[Desk, Desk, str], option: tuple[str, ...]
) -> None:
    _, editor, sealed = bundle
    run = editor.run("verify", sealed, *option, code=2)
    assert "packs of a case" in run.err and not run.stdout


def test_a_report_is_not_written_into_a_vault(bundle: tuple[Desk, Desk, str]) -> None:
    _, editor, sealed = bundle
    editor.run("verify", sealed, "-o", str(editor.vault / "cases" / "report"), code=2)
    assert not (editor.vault / "cases" / "report").exists()
