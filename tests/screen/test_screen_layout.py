# SPDX-License-Identifier: Apache-2.0
"""The screen in other languages, sizes, colours and terminals."""

from __future__ import annotations

import ast
import gettext
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from tests.screen.test_screen_doing import with_an_editor
from tests.support.newsroom import add_paths, unlock
from tests.support.screens import Seat, sit
from vault.screen import look

SCREEN = Path(__file__).resolve().parents[2] / "vault" / "screen"
LONGER = 1.4
"""Russian and Kyrgyz need about so many times the room of English."""
PARTS = {"home": [], "help": ["f1"], "adding": ["f2"], "exporting": ["f5"], "checked": ["f4"], "named": ["ctrl+n"],
         "opening": ["ctrl+o"]}  # fmt: skip


def messages() -> set[str]:
    """Every text of the screen that is translated."""
    found = set()
    for path in SCREEN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "_" and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
    return found


@pytest.fixture
def in_long_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language in which everything is longer and in Cyrillic letters."""
    catalogue = Catalog(locale="ru")
    for text in messages():
        extra = max(1, round(len(text) * (LONGER - 1)))
        catalogue.add(text, text.replace(" ", " ж", 1) + "ж" * (extra - 1))
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    out = io.BytesIO()
    write_mo(out, catalogue)
    (folder / "long.mo").write_bytes(out.getvalue())
    before = gettext.textdomain()
    monkeypatch.setenv("LANGUAGE", "ru")
    gettext.bindtextdomain("long", str(tmp_path))
    gettext.textdomain("long")
    yield
    gettext.textdomain(before)


@pytest.mark.usefixtures("in_long_words")
@pytest.mark.parametrize("part", PARTS)
def test_in_80_columns_and_24_lines_longer_words_leave_every_key_in_sight(room: str, part: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(*PARTS[part])
        if part in {"home", "adding", "exporting", "opening"}:
            assert "F12 F12 WIPE" in seat.text
            assert "F9 " in seat.text
        if part == "home":
            assert "кат.txt" in seat.text
        if part in {"adding", "exporting", "checked", "named"}:
            assert "ж" in seat.text

    sit(room, act, opened=unlock(room))


@pytest.mark.usefixtures("in_long_words")
@pytest.mark.parametrize("part", PARTS)
def test_on_a_screen_as_narrow_as_a_phone_s_the_ways_out_stay_in_sight(room: str, part: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(*PARTS[part])
        assert "F12 F12 WIPE" in seat.text
        assert "F9 " in seat.text
        if part == "home":
            assert all(key in seat.text for key in ("F1 ", "F10 ", "Ctrl+Q "))

    sit(room, act, size=(60, 20), opened=unlock(room))


@pytest.mark.usefixtures("in_long_words")
def test_a_page_that_is_longer_than_the_screen_is_scrolled_with_its_button_in_sight(room: str) -> None:
    def words(seat: Seat) -> str:
        return " ".join(seat.text.replace("│", " ").replace("ж", "").split())

    async def act(seat: Seat) -> None:
        await seat.press("f1")
        assert "keeps all of it" not in words(seat)
        assert "Go on" in words(seat)
        await seat.press("end")
        assert "keeps all of it" in words(seat)
        assert "Go on" in words(seat)

    sit(room, act, size=(60, 20), opened=unlock(room))


@pytest.mark.usefixtures("in_long_words")
@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_names_of_twenty_letters_are_not_cut_however_long_the_other_columns_are(
    room: str, tmp_path: Path, size: tuple[int, int]
) -> None:
    name = "протокол-12-март.txt"
    (tmp_path / name).write_text("x")
    with unlock(room) as vault:
        add_paths(vault, tmp_path / name)

    async def act(seat: Seat) -> None:
        assert name in seat.text
        assert "only жhereж" in seat.text

    sit(room, act, size=size, opened=unlock(room))


@pytest.mark.usefixtures("in_long_words")
@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_the_page_for_an_export_begins_with_its_first_question(room: str, size: tuple[int, int]) -> None:
    with_an_editor(room)

    async def act(seat: Seat) -> None:
        await seat.press("f5")
        assert "For жwhom?" in seat.text

    sit(room, act, size=size, opened=unlock(room))


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 40), (200, 60)])
@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_shown_at_every_size(room: str, part: str, size: tuple[int, int]) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(*PARTS[part])
        assert seat.text.strip()
        assert all(len(line) <= size[0] for line in seat.text.splitlines())

    sit(room, act, size=size, opened=unlock(room))


def test_without_utf_8_only_ascii_is_drawn_around_what_is_shown(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.setenv(name, "C")

    async def act(seat: Seat) -> None:
        assert not set(seat.text) & set("─│┌┐└┘")
        assert "+----" in seat.text

    sit(room, act, opened=unlock(room))


@pytest.mark.parametrize(
    ("environment", "light"),
    [({}, False), ({"COLORFGBG": "0;15"}, True), ({"COLORFGBG": "0;default;15"}, True), ({"COLORFGBG": "15;0"}, False)],
)
def test_a_light_terminal_that_says_so_gets_dark_letters(environment: dict[str, str], light: bool) -> None:
    assert look.is_light(environment) is light


def test_f8_turns_dark_into_light_and_back(room: str) -> None:
    async def act(seat: Seat) -> None:
        first = seat.app.theme
        await seat.press("f8")
        assert seat.app.theme != first
        await seat.press("f8")
        assert seat.app.theme == first

    sit(room, act, opened=unlock(room))


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "ru_RU.UTF-8"}, True), ({"LANG": "ky_KG.utf8"}, True), ({"LANG": "ru_RU.KOI8-R"}, False), ({}, False),
        ({"LC_ALL": "C", "LANG": "ru_RU.UTF-8"}, False), ({"LC_ALL": "", "LANG": "C.UTF-8"}, True),
    ],
)  # fmt: skip
def test_the_locale_that_counts_decides_about_glyphs(environment: dict[str, str], utf8: bool) -> None:
    assert look.speaks_utf8(environment) is utf8
