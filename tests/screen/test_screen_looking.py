# SPDX-License-Identifier: Apache-2.0
"""Looking at a vault on the screen: cases, lists, a search, documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.support.newsroom import add_paths, file, newsroom, store_of, unlock
from tests.support.screens import Seat, sit
from tests.support.telling_documents import picture
from vault.cases import create_case
from vault.decoding import Text
from vault.model import CaseId
from vault.screen.documents import PAGE, Documents
from vault.screen.home import Home
from vault.screen.picture import Drawn
from vault.screen.reading import MAX_TEXT, Look, lines_of, look_into
from vault.screen.shelf import Shelf


async def read(seat: Seat, name: str) -> None:
    """Open the document of this name."""
    documents = seat.app.screen.query_one(Documents)
    documents.focus()
    documents.cursor = seat.names.index(name)
    await seat.press("enter")


def test_cases_and_documents_and_where_they_are_can_be_seen(room: str) -> None:
    async def act(seat: Seat) -> None:
        assert "Mine (3)" in seat.text
        assert "кат.txt" in seat.text
        assert "only here" in seat.text
        assert "3 document(s); 0 safe abroad, 0 on their way, 3 only here" in " ".join(seat.text.split())

    sit(room, act, opened=unlock(room))


def test_a_search_finds_by_name_note_source_and_tag_and_escape_shows_all_again(room: str) -> None:
    async def act(seat: Seat) -> None:
        for word in ("КАТ", "raid", "friend", "office"):
            await seat.press("f7", "ctrl+u", *word, "enter")
            assert seat.names == ["кат.txt"]
        await seat.press("escape")
        assert len(seat.names) == 3

    sit(room, act, opened=unlock(room))


def test_a_long_list_is_read_a_page_at_a_time(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {f"{number:05}.txt".encode(): b"%d" % number for number in range(5 * PAGE)})

    async def act(seat: Seat) -> None:
        documents = seat.app.screen.query_one(Documents)
        assert len(documents.rows) == 5 * PAGE
        assert set(documents._pages) == {0}
        documents.focus()
        await seat.press("end")
        assert f"{5 * PAGE - 1:05}.txt" in seat.text
        assert set(documents._pages) == {0, 4}

    sit(folder, act, opened=unlock(folder))


def test_all_cases_together_say_which_document_is_of_which(room: str, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("x")
    with unlock(room) as vault:
        create_case(vault, "Second")
        add_paths(vault, tmp_path / "other.txt", case="Second")

    async def act(seat: Seat) -> None:
        await seat.press("home")
        assert len(seat.names) == 4
        line = next(line for line in seat.text.splitlines() if "other.txt" in line)
        assert "Second" in line.partition("other.txt")[2]
        await seat.press("end")
        assert seat.names == ["other.txt"]

    sit(room, act, size=(120, 40), opened=unlock(room))


def test_a_new_case_is_made_and_chosen(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+n", *"Road", "enter")
        home = seat.app.screen
        assert isinstance(home, Home)
        assert "Road (0)" in seat.text
        assert home.chosen is not None
        assert home._cases[home.chosen].name == "Road"

    sit(room, act, opened=unlock(room))


def test_reading_shows_what_is_known_and_the_text(room: str) -> None:
    async def act(seat: Seat) -> None:
        await read(seat, "кат.txt")
        for shown in ("the raid", "a friend", "office", "only here", "filed", "тинтүү 07:15те башталды"):
            assert shown in seat.text
        await seat.press("escape")
        assert isinstance(seat.app.screen, Home)

    sit(room, act, size=(80, 40), opened=unlock(room))


def test_what_is_no_text_and_no_picture_is_said_not_to_be_shown(room: str) -> None:
    async def act(seat: Seat) -> None:
        await read(seat, "blob.bin")
        assert "Not shown: " in seat.text

    sit(room, act, size=(80, 40), opened=unlock(room))


HOSTILE = ["\x1b]0;title\x07", "\x9b2J", "\u202egnp.exe", "[red]markup[/red]", "[@click=app.wipe]x[/]"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_a_document_or_its_name_is_obeyed(tmp_path: Path, hostile: str) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {f"{hostile}.txt".encode(): f"before {hostile} after\n".encode() * 3})

    async def act(seat: Seat) -> None:
        await read(seat, f"{hostile}.txt")
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(seat.text)
        if hostile.startswith("["):
            assert hostile in seat.text

    sit(folder, act, size=(80, 40), opened=unlock(folder))


def test_a_picture_is_drawn_from_its_pixels(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    folder = newsroom(tmp_path / "vault")
    path = tmp_path / "photo.png"
    path.write_bytes(picture("PNG"))
    with unlock(folder) as vault:
        add_paths(vault, path)

    async def act(seat: Seat) -> None:
        await read(seat, "photo.png")
        drawn = seat.app.screen.query_one(Drawn)
        assert 0 < drawn.size.width <= 80
        assert "\u2580" in seat.text

    sit(folder, act, size=(80, 40), opened=unlock(folder))


def a_look(folder: str, name: bytes, content: bytes) -> Look:
    """What is shown of a document with this content."""
    with unlock(folder) as vault:
        with store_of(vault) as store:
            file(store, {name: content})
        shelf = Shelf(vault)
        try:
            cases, _unusable = shelf.cases()
            row = next(r for r in shelf.rows(CaseId(cases[0].id)).rows if shelf.items([r])[0].name == name)
            return look_into(shelf, shelf.record(row), 80, 24)
        finally:
            shelf.close()


@pytest.mark.parametrize("lead", range(4))
def test_only_the_beginning_of_a_long_text_is_shown_and_it_is_still_utf_8(tmp_path: Path, lead: int) -> None:
    look = a_look(newsroom(tmp_path / "vault"), b"long.txt", b"x" * lead + "кыргыз тилинде ".encode() * 10_000)
    assert look.cut
    assert isinstance(look.shown, Text)
    assert look.shown.encoding == "utf-8"
    assert "\ufffd" not in look.shown.text
    assert MAX_TEXT - 4 < len(look.shown.text.encode()) <= MAX_TEXT


def test_lines_for_the_screen_have_no_control_characters() -> None:
    assert lines_of("a\tb\x1b[2J\r\nc\x00") == ["a       b\\x1b[2J", "c\\x00"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132])
def test_every_line_of_the_list_fills_its_width_exactly(tmp_path: Path, width: int) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {"Кыргыз тилиндеги өтө узун аталыш, 文字 и ещё немного слов.txt".encode(): b"x", b"a": b"y"})

    async def act(seat: Seat) -> None:
        documents = seat.app.screen.query_one(Documents)
        wide = documents.scrollable_content_region.width
        assert {cell_len(documents.render_line(y).text) for y in range(2)} == {wide}

    sit(folder, act, size=(width, 24), opened=unlock(folder))


def test_letters_of_a_cyrillic_keyboard_do_what_the_keys_in_their_place_do(room: str) -> None:
    async def act(seat: Seat) -> None:
        seat.app.screen.query_one(Documents).focus()
        await seat.press("ф")  # where A is
        assert type(seat.app.screen).__name__ == "Adding"

    sit(room, act, opened=unlock(room))


def test_a_search_finds_what_is_in_documents_once_they_were_read_and_shows_where(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("f7", *"тинтүү", "enter")
        assert seat.names == []
        assert "3 document(s) were not read yet for searches: F6" in " ".join(seat.text.split())
        await seat.press("f6")
        assert "document(s) read; a search finds what is in them" in seat.text
        await seat.press("enter", "f7", "enter")
        assert seat.names == ["кат.txt"]
        assert "Кат: «тинтүү» 07:15те башталды" in seat.text

    sit(room, act, opened=unlock(room))
