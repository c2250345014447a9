# SPDX-License-Identifier: Apache-2.0
"""Nothing that is written for people lands in a vault's own folder, where a wipe would leave it or it would do harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Desk, bundle, one

__all__ = ["bundle", "one"]

Write = Callable[[Desk, str], tuple[str, ...]]
INTO: dict[str, Write] = {
    "get": lambda at, folder: ("get", "letter.txt", "-o", folder),
    "export": lambda at, folder: ("export", "Road works", "-o", f"{folder}/x.age", "--to", "editor"),
    "export to a folder": lambda at, folder: ("export", "Road works", "-o", folder, "--to", "editor"),
    "export in parts": lambda at, folder: (
        "export", "Road works", "-o", f"{folder}/parts", "--to", "editor", "--volume-size", "mail",
    ),
    "export over the keys": lambda at, folder: (
        "export", "Road works", "-o", str(at.vault / "keyring"), "--to", "editor", "--force",
    ),
}  # fmt: skip


def everything(vault: Path) -> set[str]:
    return {str(path.relative_to(vault)) for path in vault.rglob("*") if ".new" not in path.name}


@pytest.mark.parametrize("what", INTO)
def test_a_command_writes_nothing_into_the_vault_and_harms_nothing_in_it(
    bundle: tuple[Desk, Desk, str], what: str
) -> None:
    here, _, _ = bundle
    link = here.home / "a link"
    link.symlink_to(here.vault / "cases")
    keys, before = (here.vault / "keyring").read_bytes(), everything(here.vault)
    for folder in (here.vault, link / "not there yet"):
        run = here.run(*INTO[what](here, str(folder)), code=2)
        assert "inside a vault's own folder" in run.err and "nothing was written" in run.err
    assert everything(here.vault) == before
    assert (here.vault / "keyring").read_bytes() == keys
    assert "letter.txt" in here.run("list").out


def test_documents_are_not_opened_into_a_vault_and_no_receipt_goes_there(bundle: tuple[Desk, Desk, str]) -> None:
    _, editor, sealed = bundle
    before = everything(editor.vault)
    editor.run("open", sealed, "-o", str(editor.vault / "new"), code=2)
    editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", str(editor.vault / "receipt"), code=2)
    assert everything(editor.vault) == before and not (editor.home / "out").exists()


def test_a_receipt_is_not_written_out_into_a_vault(bundle: tuple[Desk, Desk, str]) -> None:
    here, editor, sealed = bundle
    receipt = str(editor.home / "receipt")
    editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", receipt)
    here.run("receipt", "show", receipt, "-o", str(here.vault / "proof"), code=2)
    assert not (here.vault / "proof").exists()


def test_a_drop_is_not_written_into_a_vault_that_is_not_open(one: Desk) -> None:
    card = one.write("case.card", one.run("card", "export", "--case", "Road works").stdout)
    one.run("drop", card, one.write("letter"), "-o", str(one.vault / "cases"), code=2)
    assert not list((one.vault / "cases").glob("*.age"))
