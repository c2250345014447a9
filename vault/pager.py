# SPDX-License-Identifier: Apache-2.0
"""Reading a text page by page. Our own, because pagers keep histories, write temporary files and start other programs.

Owns what is on which page and what a key means. The text's lines are wrapped as they come to be shown; what a terminal
would obey, or what would hide or turn text round, is shown as an escape, so a document cannot speak to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from gettext import gettext as _

from rich.cells import cell_len

from vault.alternate_screen import Screen
from vault.names import readable

_TAB = 8
_MARKS = 4
"""How many characters a cell may hold, marks above and below a letter included, before a row ends all the same."""
_ON, _BACK, _DOWN, _UP, _FIRST, _LAST, _CLOSE = range(7)
_KEYS = {
    b" ": _ON, b"f": _ON, b"\x1b[6~": _ON, b"b": _BACK, b"\x1b[5~": _BACK,
    b"\r": _DOWN, b"\n": _DOWN, b"j": _DOWN, b"\x1b[B": _DOWN, b"\x1bOB": _DOWN,
    b"k": _UP, b"\x1b[A": _UP, b"\x1bOA": _UP,
    b"g": _FIRST, b"\x1b[H": _FIRST, b"\x1bOH": _FIRST, b"G": _LAST, b"\x1b[F": _LAST, b"\x1bOF": _LAST,
    b"q": _CLOSE, b"Q": _CLOSE, b"\x04": _CLOSE, "й".encode(): _CLOSE,
}  # fmt: skip
"""Also the key of Q with a Russian keyboard. Not Escape: over a slow line it is the beginning of an arrow."""
_ONE_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|[\xc0-\xff][\x80-\xbf]+|.", re.S)


class Pages:
    """A text on a screen of some size. A place is a line of the text and a row of it, both from 0."""

    def __init__(self, text: str, columns: int, rows: int) -> None:
        self._lines, self._columns, self._rows = text.splitlines() or [""], columns, rows
        self._place = (0, 0)

    @property
    def place(self) -> int:
        """The line of the text that the page begins with."""
        return self._place[0]

    @property
    def count(self) -> int:
        """How many lines the text has."""
        return len(self._lines)

    def page(self) -> list[str]:
        """The rows to be shown."""
        line, row = self._place
        shown = list(wrapped(self._lines[line], self._columns)[row:])
        while len(shown) < self._rows and line + 1 < len(self._lines):
            line += 1
            shown += wrapped(self._lines[line], self._columns)
        return shown[: self._rows]

    def resize(self, columns: int, rows: int) -> None:
        """For a screen of another size; the line at the top stays."""
        self._columns, self._rows, self._place = columns, rows, (self._place[0], 0)

    def go(self, line: int) -> None:
        """To a line, or to where the page is full when fewer follow."""
        self._place = (max(0, min(line, len(self._lines) - 1)), 0)
        missing = self._rows - len(self.page())
        if missing:
            self._back(missing)

    def move(self, rows: int) -> None:
        """On or back by some rows; never beyond the last page."""
        if rows < 0:
            self._back(-rows)
            return
        for _step in range(rows):
            after = self._after(self._place)
            if after is None or len(self.page()) < self._rows or not self._more():
                return
            self._place = after

    def move_pages(self, pages: int) -> None:
        """On or back by some pages, with one row of the one before."""
        self.move(pages * max(1, self._rows - 1))

    def is_last(self) -> bool:
        """Whether nothing follows what is shown."""
        return not self._more()

    def _more(self) -> bool:
        line, row = self._place
        left = self._rows + row
        for at in range(line, len(self._lines)):
            left -= len(wrapped(self._lines[at], self._columns))
            if left < 0:
                return True
        return False

    def _after(self, place: tuple[int, int]) -> tuple[int, int] | None:
        line, row = place
        if row + 1 < len(wrapped(self._lines[line], self._columns)):
            return line, row + 1
        return (line + 1, 0) if line + 1 < len(self._lines) else None

    def _back(self, rows: int) -> None:
        line, row = self._place
        while rows:
            if row:
                step = min(rows, row)
                row, rows = row - step, rows - step
            elif line:
                line -= 1
                row, rows = len(wrapped(self._lines[line], self._columns)) - 1, rows - 1
            else:
                break
        self._place = (line, row)


@lru_cache(maxsize=1024)  # pages ask for the same lines again and again
def wrapped(line: str, columns: int) -> tuple[str, ...]:
    """A line of a text as rows of a terminal, each at most so many cells wide, with nothing that a terminal obeys."""
    return tuple(_rows_of(readable(line.expandtabs(_TAB)), columns)) or ("",)


def _rows_of(text: str, columns: int) -> Iterator[str]:
    at = 0
    while at < len(text):
        piece = text[at : at + columns * _MARKS]
        while len(piece) > 1 and (over := cell_len(piece) - columns) > 0:
            piece = piece[: -max(1, over // 2)]  # a character has two cells at most
        yield piece
        at += len(piece)


def read(screen: Screen, text: str, title: str) -> None:
    """Show a text until the person closes it."""
    columns, lines = screen.size
    pages = Pages(text, columns, lines - 1)
    while True:
        columns, lines = screen.size
        screen.draw(pages.page(), fitting(_status(pages, title), columns))
        typed = screen.key()
        if not typed:
            pages.resize(screen.size[0], screen.size[1] - 1)
        for key in _ONE_KEY.findall(typed):
            meant = _KEYS.get(key)
            if meant == _CLOSE:
                return
            _follow(pages, meant)


def _follow(pages: Pages, meant: int | None) -> None:
    if meant in (_ON, _BACK):
        pages.move_pages(1 if meant == _ON else -1)
    elif meant in (_DOWN, _UP):
        pages.move(1 if meant == _DOWN else -1)
    elif meant in (_FIRST, _LAST):
        pages.go(0 if meant == _FIRST else pages.count)


def _status(pages: Pages, title: str) -> str:
    if pages.place == 0 and pages.is_last():
        return _("q: close. {title}: all of it").format(title=title)
    return _("q: close, Space: on, b: back, g: start, G: end. {title}: from line {line} of {count}").format(
        title=title, line=pages.place + 1, count=pages.count
    )


def fitting(text: str, columns: int) -> str:
    """A text cut to one row."""
    return next(_rows_of(text, columns - 1), "")
