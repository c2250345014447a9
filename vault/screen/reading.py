# SPDX-License-Identifier: Apache-2.0
"""One document: what is known of it, and a look inside, from memory alone.

Text is shown from its beginning, with everything in it escaped that a terminal would obey; pictures as their pixels.
Nothing of either is written to a file, and no custody event tells that somebody looked: `sandyk view` does the same
(docs/decisions/0053-view.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen

from vault import custody_words, kinds
from vault.decoding import Text
from vault.errors import Damaged, VaultError
from vault.names import printable
from vault.screen.desk import Desk
from vault.screen.dialogs import KeyBar, Words
from vault.screen.documents import where_words
from vault.screen.picture import Drawn
from vault.screen.shelf import Record, Row, Shelf
from vault.terminal import size_text, time_text
from vault.viewing import MAX_SHOWN, Picture, for_terminal

MAX_TEXT = 64 << 10
"""Bytes of a text that are shown."""
EVENTS_SHOWN = 50
"""Of the newest custody events; the command `sandyk show` lists all."""


@dataclass(frozen=True, slots=True)
class Look:
    """What can be shown of a document; ``why_not`` when nothing can. ``cut``: only its beginning."""

    shown: Text | Picture | None
    cut: bool = False
    why_not: str = ""


def look_into(shelf: Shelf, record: Record, columns: int, rows: int) -> Look:
    """A look inside, for so much room. Raises Wiped; damage is raised, and everything else is said in the result."""
    try:
        head = shelf.beginning(record, kinds.HEAD)
        if kinds.kind_of(b"", head) == kinds.IMAGE:
            if record.item.size > MAX_SHOWN:
                return Look(None, why_not=_("this picture is too large to be shown here"))
            return Look(for_terminal(shelf.whole(record), columns, rows))
        cut = record.item.size > MAX_TEXT
        beginning = shelf.beginning(record, MAX_TEXT)
        return Look(for_terminal(_whole_letters(beginning) if cut else beginning, columns, rows), cut)
    except Damaged:
        raise
    except VaultError as exc:
        return Look(None, why_not=". ".join((str(exc), *exc.hints)))


def _whole_letters(beginning: bytes) -> bytes:
    """Without the part of a letter at its end: else a text in UTF-8 would not be taken for one."""
    for size in range(len(beginning), len(beginning) - 4, -1):
        try:
            beginning[:size].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return beginning[:size]
    return beginning


def lines_of(text: str) -> list[str]:
    """A text as a terminal may show it: tabs as spaces, and everything escaped that is not plainly visible."""
    return [printable(line.expandtabs(8)) for line in text.splitlines()]


class Reading(Screen[None]):
    """Everything that is known of a document, and a look inside."""

    AUTO_FOCUS = "#reading"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,f3", "back", show=False),
    ]

    def __init__(self, desk: Desk, row: Row) -> None:
        super().__init__()
        self._desk, self._row = desk, row

    def compose(self) -> ComposeResult:
        """A page that is filled when it was read."""
        with VerticalScroll(id="reading"):
            yield Words(_("reading…"), id="known", classes="wide")
            yield Vertical(id="inside")
            yield Words("", id="rest", classes="wide")
        yield KeyBar(
            ("Esc", _("Back"), "screen.back"), ("F9", _("Hide"), "app.hide"),
            ("F10", _("Lock and leave"), "app.lock"), ("F12 F12", _("WIPE"), "app.wipe_click"),
        )  # fmt: skip

    def on_mount(self) -> None:
        """Read it."""
        row = self._row
        self._desk.look(lambda shelf: shelf.record(row), self._show)

    def action_back(self) -> None:
        """Close it."""
        self.dismiss(None)

    def _show(self, record: Record) -> None:
        if not self.is_attached:
            return
        first, rest = _known_lines(record)
        self.query_one("#known", Words).update("\n".join(first))
        self.query_one("#rest", Words).update("\n".join(rest))
        # Room for the picture: the page without its margins and its scroll bar, and with the name still above it.
        columns, rows = max(8, self.size.width - 6), max(4, self.size.height - 5)
        self._desk.look(lambda shelf: look_into(shelf, record, columns, rows), self._show_inside)

    def _show_inside(self, look: Look) -> None:
        if not self.is_attached:
            return
        page = self.query_one("#inside")
        match look.shown:
            case Picture() as picture:
                page.mount(Drawn(picture, glyphs=not self.app.has_class("-ascii")))
            case Text() as text:
                page.mount(Words("\n".join(lines_of(text.text)), classes="wide inside"))
                if look.cut:
                    page.mount(Words(_("(This is only its beginning.)"), classes="quiet wide"))
                if text.guessed:
                    guess = _("(Its encoding is a guess: {encoding}.)").format(encoding=text.encoding)
                    page.mount(Words(guess, classes="quiet wide"))
            case None:
                page.mount(Words(_("Not shown: {reason}").format(reason=look.why_not), classes="quiet wide"))


def _known_lines(record: Record) -> tuple[list[str], list[str]]:
    """What is shown above the document, and below it."""
    item = record.item
    first = [
        (_("name"), printable(item.name)),
        (_("case"), printable(record.case.name)),
        (_("where it is"), where_words(record.where)),
        (_("size"), _("{size} ({bytes} bytes)").format(size=size_text(item.size), bytes=item.size)),
        (_("filed"), time_text(item.filed_ns)),
        (_("note"), printable(item.note)),
        (_("source"), printable(item.source)),
        (_("tags"), printable(", ".join(item.tags))),
    ]
    rest = [
        (_("last changed"), time_text(item.mtime_ns)),
        (_("came in as"), _(item.origin)),
        (_("signed by"), item.signer.hex()),
        ("SHA-256", item.sha256.hex()),
    ]
    events = [
        f"{time_text(event.at_ns)}  {printable(custody_words.said(event))}"
        for event in record.events[-EVENTS_SHOWN:]
    ]
    return [*_in_columns(first), ""], ["", *_in_columns(rest), "", _("Custody record:"), *events]


def _in_columns(fields: list[tuple[str, str]]) -> list[str]:
    shown = [(name, value) for name, value in fields if value]
    width = max(cell_len(name) for name, _value in shown)
    return [f"{set_cell_size(name, width)}  {value}" for name, value in shown]
