# SPDX-License-Identifier: Apache-2.0
"""The passphrase, when no agent holds the keys.

What is typed is kept as bytes that are zeroed, and is shown as dots. What Python cannot promise: each key arrives as a
``str`` of one letter, a paste as one ``str``, and the passphrase is one for the moment in which it is normalised
(``keys.words``); such strings cannot be zeroed, and stay in memory until it is used again. docs/threat-model.md says so
of every prompt.
"""

from __future__ import annotations

from gettext import gettext as _
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from keys.errors import KeysError
from keys.secret import Secret
from keys.words import normalise
from vault.screen.dialogs import KeyBar, Words
from vault.terminal import MAX_TYPED


class PassphraseField(Widget, can_focus=True):
    """A field that shows how many letters were typed, and nothing of them. Its ``repr`` has none either."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "done", show=False),
        Binding("backspace", "rub_out", show=False),
        Binding("ctrl+u", "clear", show=False),
    ]

    class Typed(Message):
        """Enter was pressed. ``secret`` is the passphrase; the field is empty again."""

        def __init__(self, secret: Secret) -> None:
            super().__init__()
            self.secret = secret

    def __init__(self) -> None:
        super().__init__()
        self._typed = bytearray()
        self._letters: list[int] = []

    def render(self) -> Content:
        """A dot for each letter."""
        return Content("*" * len(self._letters) + "_")

    def on_key(self, event: events.Key) -> None:
        """Take a letter."""
        if event.character is not None and event.character.isprintable():
            event.stop()
            self._take(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Take what was pasted, up to its first line's end."""
        event.stop()
        for letter in event.text.splitlines()[0] if event.text else "":
            self._take(letter)

    def _take(self, letter: str) -> None:
        data = letter.encode("utf-8", "surrogatepass")
        if len(self._typed) + len(data) <= MAX_TYPED:
            self._typed += data
            self._letters.append(len(data))
            self.refresh()

    def action_rub_out(self) -> None:
        """Take the last letter back."""
        if self._letters:
            size = self._letters.pop()
            self._typed[-size:] = bytes(size)
            del self._typed[-size:]
            self.refresh()

    def action_clear(self) -> None:
        """Zero and forget all of it."""
        self._typed[:] = bytes(len(self._typed))
        self._typed = bytearray()
        self._letters.clear()
        self.refresh()

    def action_done(self) -> None:
        """Hand it over as a secret. What is no text opens nothing, and is handed over as it is."""
        with Secret(self._typed) as typed:
            self.action_clear()
            if not len(typed):
                return
            try:
                secret = normalise(typed.expose().decode("utf-8"))
            except (KeysError, UnicodeDecodeError):
                secret = Secret(typed.expose())
        self.post_message(self.Typed(secret))


class Entrance(Screen[None]):
    """Asks for the passphrase."""

    AUTO_FOCUS = "PassphraseField"

    def compose(self) -> ComposeResult:
        """A field and what to do."""
        with Vertical(classes="box"):
            yield Words(_("The vault is locked."), classes="heading")
            yield Words(_("Type your passphrase, then press Enter. It is not shown."), classes="wide")
            yield PassphraseField()
            yield Words("", id="entrance-says", classes="warning wide")
        yield KeyBar(
            ("Enter", _("Open"), "screen.hand_over"),
            ("F9", _("Hide"), "app.hide"),
            ("Ctrl+Q", _("Leave"), "app.leave"),
            ("F12 F12", _("WIPE"), "app.wipe_click"),
        )

    def action_hand_over(self) -> None:
        """What Enter does, for the mouse."""
        self.query_one(PassphraseField).action_done()

    def say(self, text: str) -> None:
        """Show a line below the field."""
        self.query_one("#entrance-says", Words).update(text)
