# SPDX-License-Identifier: Apache-2.0
"""Searching from the screen when a case cannot be looked into."""

from __future__ import annotations

from pathlib import Path

from tests.support.newsroom import file, newsroom, store_of, unlock
from vault.cases import case_folder, create_case, find_case
from vault.screen.shelf import Shelf


def test_a_case_that_cannot_be_searched_is_named_and_the_others_are_searched(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "vault")) as vault:
        create_case(vault, "Other")
        for case in ("Mine", "Other"):
            with store_of(vault, case) as store:
                file(store, {f"{case} договор.txt".encode(): b"x"})
        text = Path(case_folder(vault, find_case(vault, "Other").id), "text")
        text.mkdir()
        (text / "strange").write_text("x")
        packs = Path(case_folder(vault, find_case(vault, "Mine").id), "packs")
        packs.rename(packs.with_name("gone"))
        packs.write_text("no folder")
        shelf = Shelf(vault)
        shelf.cases()
        found = shelf.find(None, "договор")
        shelf.close()
    assert len(found.rows) == 1
    assert sorted(found.unsearched) == ["Mine", "Other"]
