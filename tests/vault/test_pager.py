# SPDX-License-Identifier: Apache-2.0
"""Texts page by page, and pictures as blocks: what is on a screen, and that no document can speak to the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from vault.halfblocks import lines
from vault.pager import Pages, wrapped

TWENTY = "\n".join(f"line {number}" for number in range(1, 21))


@given(st.text(max_size=200), st.integers(8, 40))
def test_no_row_is_wider_than_the_screen_or_has_what_a_terminal_obeys(line: str, columns: int) -> None:
    for row in wrapped(line, columns):
        assert cell_len(row) <= columns
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", row)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=300), st.integers(8, 40))
def test_the_rows_of_a_line_are_the_line(line: str, columns: int) -> None:
    assert "".join(wrapped(line, columns)) == line


def test_escape_sequences_are_shown_and_not_sent() -> None:
    assert wrapped("\x1b]0;title\x07 \u202efdp.exe", 80) == ("\\x1b]0;title\\x07 \\u202efdp.exe",)


def test_wide_letters_take_two_cells() -> None:
    assert wrapped("字" * 10, 8) == ("字字字字", "字字字字", "字字")


def test_a_huge_line_is_wrapped_in_time_that_grows_with_its_length_only() -> None:
    rows = wrapped("а" * 300_000, 80)
    assert len(rows) == 3750


def test_pages_follow_each_other_with_one_line_of_the_one_before() -> None:
    pages = Pages(TWENTY, 40, 5)
    assert pages.page() == ["line 1", "line 2", "line 3", "line 4", "line 5"]
    pages.move_pages(1)
    assert pages.page()[0] == "line 5"
    pages.move_pages(-1)
    assert pages.page()[0] == "line 1"


def test_the_last_page_is_full_and_nothing_follows_it() -> None:
    pages = Pages(TWENTY, 40, 5)
    pages.go(pages.count)
    assert pages.page() == ["line 16", "line 17", "line 18", "line 19", "line 20"]
    assert pages.is_last()
    pages.move(3)
    assert pages.page()[-1] == "line 20"
    assert len(pages.page()) == 5


def test_moving_by_one_row_goes_through_a_wrapped_line() -> None:
    pages = Pages("a" * 20 + "\nb\nc", 10, 2)
    assert pages.page() == ["a" * 10, "a" * 10]
    pages.move(1)
    assert pages.page() == ["a" * 10, "b"]
    pages.move(-1)
    assert pages.page() == ["a" * 10, "a" * 10]


@given(st.lists(st.text("ab\t字", max_size=30), max_size=12), st.lists(st.integers(-9, 9), max_size=8),
       st.integers(1, 6))
def test_wherever_one_goes_the_page_is_full_as_long_as_there_is_enough(
    text: list[str], steps: list[int], rows: int
) -> None:
    pages = Pages("\n".join(text), 10, rows)
    every = [row for line in ("\n".join(text).splitlines() or [""]) for row in wrapped(line, 10)]
    for step in steps:
        pages.move(step)
        assert len(pages.page()) == min(rows, len(every))


def test_an_empty_text_is_one_empty_row() -> None:
    pages = Pages("", 10, 3)
    assert pages.page() == [""]
    assert pages.is_last()


# Pictures

RED, BLUE = b"\xff\0\0", b"\0\0\xff"


def test_two_pixels_share_a_character_the_upper_in_front() -> None:
    assert list(lines(RED + BLUE, 1, 2, colours=1 << 24)) == ["\x1b[38;2;255;0;0;48;2;0;0;255m\u2580\x1b[0m"]


def test_a_terminal_with_256_colours_gets_the_nearest_of_them() -> None:
    assert list(lines(RED + BLUE, 1, 2, colours=256)) == ["\x1b[38;5;196;48;5;21m\u2580\x1b[0m"]


def test_an_odd_last_row_stands_on_black() -> None:
    assert list(lines(RED, 1, 1, colours=1 << 24)) == ["\x1b[38;2;255;0;0;48;2;0;0;0m\u2580\x1b[0m"]


@pytest.mark.parametrize("block", ["\u2580", " "])
def test_each_line_has_a_character_for_each_column(block: str) -> None:
    pixels = bytes(range(256)) * 3
    for line in lines(pixels[: 3 * 16 * 8], 16, 8, colours=256, block=block):
        assert len(re.sub(r"\x1b\[[0-9;]*m", "", line)) == 16
