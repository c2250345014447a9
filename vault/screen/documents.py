# SPDX-License-Identifier: Apache-2.0
"""A list of documents of any length: what is on the screen is read, and the rest is not.

It knows rows by their ids alone, asks for the documents of those that it shows (``Wanted``), and is given them from a
thread (``take``): a case of a hundred thousand documents opens as quickly as one of ten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from gettext import gettext as _
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vault.model import CaseId, Item
from vault.names import printable
from vault.screen.shelf import Row
from vault.terminal import size_text, time_text
from vault.whereabouts import Where

PAGE = 100
PAGES_KEPT = 40
MIN_NAME = 20
"""Cells that a name has before another column may take some; where the document is always has its column."""
_SIZE, _FILED, _CASE = 10, 16, 16  # columns, in cells


def where_words(where: Where | None) -> str:
    """Where a document is, in the reader's language; dots while it is being found out."""
    match where:
        case Where.SAFE:
            return _("safe abroad")
        case Where.SENT:
            return _("on its way")
        case Where.HERE:
            return _("only here")
        case None:
            return "…"


def _room_for(found: set[Where]) -> int:
    """Cells that the longest of these words takes, whatever the language."""
    return max(cell_len(where_words(where)) for where in found)


class Documents(ScrollView, can_focus=True):
    """The list, with a cursor and marks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "open", show=False),
        Binding("space,insert", "mark", show=False),
    ]
    cursor = reactive(0, repaint=True)

    class Wanted(Message):
        """The documents of these rows are on the screen and not known yet."""

        def __init__(self, of: int, first: int, rows: Sequence[Row]) -> None:
            super().__init__()
            self.of, self.first, self.rows = of, first, rows

    class Opened(Message):
        """Somebody wants to read this document."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Changed(Message):
        """The cursor is on another row, or other rows are marked than before."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self.marks: set[Row] = set()
        self._of = 0
        self._pages: OrderedDict[int, list[Item | None]] = OrderedDict()
        self._asked: set[int] = set()
        self._places: Mapping[CaseId, Mapping[bytes, Where]] = {}
        self._room_for_where = _room_for({Where.HERE})
        self._case_names: Mapping[CaseId, str] | None = None

    def show(self, rows: Sequence[Row], case_names: Mapping[CaseId, str] | None) -> None:
        """Show other rows. ``case_names``: of documents of several cases, which have a column for it then."""
        cursor = self.rows[self.cursor] if self.rows else None
        self._of += 1
        self.rows, self._case_names = rows, case_names
        self._pages.clear()
        self._asked.clear()
        self.virtual_size = Size(self.size.width, len(rows))
        self.cursor = rows.index(cursor) if cursor in rows else 0
        self._follow()
        self.refresh()

    def take(self, of: int, first: int, items: Sequence[Item | None]) -> None:
        """The documents that were asked for by ``Wanted``. Those of rows that are not shown any more are let go."""
        if of != self._of:
            return
        self._pages[first // PAGE] = list(items)
        self._asked.discard(first // PAGE)
        while len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        self.refresh()

    def show_places(self, places: Mapping[CaseId, Mapping[bytes, Where]]) -> None:
        """Where the documents of some cases are."""
        self._places = places
        self._room_for_where = _room_for({Where.HERE}.union(*(of.values() for of in places.values())))
        self.refresh()

    @property
    def current(self) -> Row | None:
        """The row below the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def _item(self, row: int) -> Item | None:
        page = row // PAGE
        if page in self._pages:
            self._pages.move_to_end(page)
            return self._pages[page][row % PAGE]
        if page not in self._asked:
            self._asked.add(page)
            start = page * PAGE
            self.post_message(self.Wanted(self._of, start, self.rows[start : start + PAGE]))
        return None

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One line of what can be seen."""
        row, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if row >= len(self.rows):
            text = self._nothing() if row == 0 else ""
            return Strip([Segment(set_cell_size(text, width), self.rich_style)], width)
        style = self.get_component_rich_style("row--cursor") if row == self.cursor else self.rich_style
        return Strip([Segment(self._line(row, width), style + Style(meta={"row": row}))], width)

    def _nothing(self) -> str:
        return " " + _("nothing here yet")

    def _line(self, row: int, width: int) -> str:
        entry, item = self.rows[row], self._item(row)
        mark = "* " if entry in self.marks else "  "
        if item is None:
            return set_cell_size(f"{mark}…", width)
        cells = self._cells(entry, item)
        left = width - cell_len(mark) - 1 - cells["where"][1]
        for column in ("size", "case", "filed"):  # by what they are worth
            taken = cells[column][1] + 1 if column in cells else 0
            if left - taken < MIN_NAME:
                cells.pop(column, None)
            else:
                left -= taken
        left = max(8, left)
        tail = "".join(" " + set_cell_size(text, size) for text, size in cells.values())
        return set_cell_size(mark + set_cell_size(_cut(printable(item.name), left), left) + tail, width)

    def _cells(self, entry: Row, item: Item) -> dict[str, tuple[str, int]]:
        """What there is to be said behind a name, each with its room, in the order in which it stands there."""
        places = self._places.get(entry.case)
        where = None if places is None else places.get(item.id, Where.HERE)
        cells = {
            "size": (f"{size_text(item.size):>{_SIZE}}", _SIZE),
            "where": (where_words(where), self._room_for_where),
            "filed": (time_text(item.filed_ns), _FILED),
        }
        if self._case_names is not None:
            cells["case"] = (printable(self._case_names.get(entry.case, "")), _CASE)
        return cells

    # Moving

    def watch_cursor(self) -> None:
        """Keep it on the screen."""
        self._follow()
        self.post_message(self.Changed())

    def _follow(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)

    def _go(self, row: int) -> None:
        self.cursor = max(0, min(row, len(self.rows) - 1))

    def action_move(self, by: int) -> None:
        """Up or down."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        self._go(self.cursor + by * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the beginning."""
        self._go(0)

    def action_last(self) -> None:
        """To the end."""
        self._go(len(self.rows) - 1)

    def action_open(self) -> None:
        """Read what is below the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def action_mark(self) -> None:
        """Mark it, or take the mark away, and go on to the next."""
        if self.current is not None:
            self.marks ^= {self.current}
            self._go(self.cursor + 1)
            self.refresh()
            self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        """A first click goes there, another one opens."""
        row = event.style.meta.get("row")
        if isinstance(row, int) and 0 <= row < len(self.rows):
            if row == self.cursor and event.chain >= 2:
                self.action_open()
            self._go(row)


def _cut(text: str, cells: int) -> str:
    """A long name keeps its beginning and its end: the ending says what it is."""
    if len(text) <= cells or cells < 8:
        return text
    tail = cells // 3
    return f"{text[: cells - tail - 1]}~{text[-tail:]}"
