# SPDX-License-Identifier: Apache-2.0
"""Keys on Cyrillic keyboards: the same place, the same deed."""

from __future__ import annotations

import pytest
from textual import events

from tests.support.newsroom import unlock
from tests.support.screens import Seat, sit
from vault.screen.dialogs import Asked
from vault.screen.home import Home
from vault.screen.layouts import latin, latin_key

ROWS = {
    "russian": ("йцукенгшщзфывапролдячсмить", "qwertyuiopasdfghjklzxcvbnm"),
    "kyrgyz": ("йцукенгшщзфывапролдячсмить", "qwertyuiopasdfghjklzxcvbnm"),
    "uzbek": ("йцукенгшўзфқвапролдячсмить", "qwertyuiopasdfghjklzxcvbnm"),
}
"""What the keys of Latin letters type, row by row (xkeyboard-config: symbols/ru, kg and uz)."""


@pytest.mark.parametrize("layout", ROWS)
def test_every_letter_is_the_latin_one_on_its_key_in_small_and_in_capitals(layout: str) -> None:
    typed, keys = ROWS[layout]
    assert [latin(letter) for letter in typed] == list(keys)
    assert [latin(letter.upper()) for letter in typed] == list(keys)


def test_every_key_of_the_first_screen_can_be_pressed_on_each_layout() -> None:
    for typed, _keys in ROWS.values():
        assert set(Home.LETTERS) <= {latin(letter) for letter in f"{typed}.,"}


def test_keys_that_are_no_letters_stay_what_they_are() -> None:
    for key in ("f12", "ctrl+backslash", "escape", "enter", "ctrl+c", "ctrl+pageup", "т", "й"):
        assert latin_key(key) == key


@pytest.mark.parametrize("key", ["ctrl+n", "ctrl+т"])
def test_ctrl_with_a_cyrillic_letter_does_what_it_does_with_the_latin_one(room: str, key: str) -> None:
    """As terminals send it that follow the keyboard protocol of kitty."""

    async def act(seat: Seat) -> None:
        seat.app.post_message(events.Key(key, None))
        await seat.settle()
        assert isinstance(seat.app.screen, Asked)

    sit(room, act, opened=unlock(room))
