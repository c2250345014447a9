# SPDX-License-Identifier: Apache-2.0
"""Everything by mouse alone: what can be clicked does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from tests.screen.test_screen_doing import go_to, with_an_editor
from tests.support.newsroom import store_of, unlock
from tests.support.screens import Seat, sit
from vault.screen.home import Home
from vault.screen.leaving import Left


def test_a_file_is_added_with_clicks_alone(room: str, tmp_path: Path) -> None:
    papers = tmp_path / "new"
    papers.mkdir()
    (papers / "Кат 12-март.txt").write_text("new")

    async def act(seat: Seat) -> None:
        await seat.click_on("Add")
        await go_to(seat, papers)
        await seat.click_on("Кат 12")
        assert "Chosen (1): Кат 12-март.txt" in seat.text
        await seat.click("#add")
        await seat.click_on("Go on")
        assert isinstance(seat.app.screen, Home)

    sit(room, act, opened=unlock(room))
    with unlock(room) as vault, store_of(vault) as store:
        assert "Кат 12-март.txt".encode() in {item.name for item in store.index.items()}


def test_a_case_is_exported_with_clicks_alone(room: str, tmp_path: Path) -> None:
    with_an_editor(room)
    out = tmp_path / "out"
    out.mkdir()

    async def act(seat: Seat) -> None:
        await seat.click_on("Export")
        seat.app.screen.query_one("#folder", Input).value = str(out)
        await seat.click_on("Aizada")
        await seat.click("#export")
        assert "Sealed 3 document(s)" in seat.text
        await seat.click_on("Go on")
        assert isinstance(seat.app.screen, Home)

    sit(room, act, opened=unlock(room))
    assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize(("words", "left"), [("Lock and leave", Left.LOCKED), ("Ctrl+Q", Left.LEFT)])
def test_a_click_on_the_last_lines_locks_or_leaves(room: str, words: str, left: Left) -> None:
    async def act(seat: Seat) -> None:
        await seat.click_on(words)

    assert sit(room, act, opened=unlock(room)).left is left


def test_a_hidden_screen_is_not_brought_back_by_a_click(room: str) -> None:
    """Only by Enter, which it says: a mouse that is pushed aside shows nothing."""

    async def act(seat: Seat) -> None:
        await seat.click_on("Hide")
        await seat.click_on("Enter")
        assert seat.text.split() == ["Enter"]

    sit(room, act, opened=unlock(room))
