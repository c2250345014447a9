# SPDX-License-Identifier: Apache-2.0
"""The small windows that every part of the screen uses: words, keys, a question, a result, work under way.

Words are always plain: Textual would read ``[…]`` in a document's name as its own markup, and obey it.
"""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.style import Style
from textual.widgets import Button, Input, Static

from vault.names import printable
from vault.refusals import refusal
from vault.screen.jobs import Job
from vault.terminal import size_text

REDRAW_SECONDS = 0.2
WIPE_CLICK = "app.wipe_click"
MAX_LINES = 3
"""Of keys."""
_ALWAYS = frozenset({"screen.help", "screen.back", "app.hide", "app.lock", "app.leave", WIPE_CLICK})
"""What is shown however narrow the screen is: the page that says the rest, and the ways out."""


class Words(Static):
    """Plain text."""

    def __init__(self, text: str | Content = "", **more: Any) -> None:
        super().__init__(text, markup=False, **more)


class KeyBar(Static):
    """The keys that can be pressed here, each in plain words; a click does the same, where there is an action.

    Where there is no room for all, the last ones are left out that are not always shown: they work all the same.
    """

    def __init__(self, *keys: tuple[str, str, str]) -> None:
        """``keys``: what is pressed, what it does, and the action behind it."""
        super().__init__(markup=False)
        self._keys = keys

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many lines as the keys take."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Lines broken between the keys, never inside one."""
        lines = (Content("  ").join(map(_shown, line)) for line in self._lines(self.content_size.width))
        return Content("\n").join(lines)

    def _lines(self, width: int) -> list[list[tuple[str, str, str]]]:
        keys = list(self._keys)
        while len(lines := self._broken(keys, width)) > MAX_LINES:
            spare = [key for key in keys if key[2] not in _ALWAYS]
            if not spare:
                break
            keys.remove(spare[-1])
        return lines

    @staticmethod
    def _broken(keys: Sequence[tuple[str, str, str]], width: int) -> list[list[tuple[str, str, str]]]:
        lines: list[list[tuple[str, str, str]]] = [[]]
        left = width
        for key in keys:
            need = cell_len(f"{key[0]} {key[1]}") + 2
            if need - 2 > left and lines[-1]:
                lines.append([])
                left = width
            lines[-1].append(key)
            left -= need
        return lines


def _shown(key: tuple[str, str, str]) -> Content:
    pressed, label, action = key
    shown = Content(f"{pressed} {label}").stylize("bold", 0, len(pressed))
    if action == WIPE_CLICK:
        shown = shown.stylize("bold reverse")
    return shown.stylize(Style.from_meta({"@click": action})) if action else shown


def ways_out(*keys: tuple[str, str, str]) -> KeyBar:
    """The last lines of a window: its own keys, and those that work everywhere."""
    return KeyBar(*keys, ("F9", _("Hide"), "app.hide"), ("F12 F12", _("WIPE"), WIPE_CLICK))


class Box(ModalScreen[Any]):
    """A window in the middle. Escape closes it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "back", "")]

    def keys(self) -> KeyBar:
        """Its last lines."""
        return ways_out(("Esc", _("Back"), "screen.back"))

    def action_back(self) -> None:
        """Close it."""
        self.dismiss(None)


class Told(Box):
    """Something to read, and one way on: Enter, Escape or the button. Arrows scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "back", "")]

    def __init__(self, heading: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._heading, self._lines = heading, lines

    def compose(self) -> ComposeResult:
        """The words and a button."""
        with Vertical(classes="box"):
            yield Words(self._heading, classes="heading")
            with VerticalScroll(classes="row", id="told"):
                for line in self._lines:
                    yield Words(line, classes="wide")
            with Horizontal(classes="buttons"):
                yield Button(Content(_("Go on")), id="go-on")
        yield self.keys()

    def on_resize(self) -> None:
        """Keep the heading and the button in sight: what has no room between them is scrolled to."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        told = self.query_one("#told")
        around = self.query_one(".box").virtual_size.height - told.outer_size.height
        told.styles.max_height = max(1, self.query_one(".box").container_size.height - around)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close it."""
        event.stop()
        self.dismiss(None)


def problem(error: Exception) -> Told:
    """An error of ours: what happened, and what to do, in the words that the command line has."""
    lines = [f"- {_plain(hint)}" for hint in getattr(error, "hints", ())]
    return Told(_plain(_sentence(error)), lines)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        name = f"{printable(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{name}{refusal(error)}"
    return str(error)


def _plain(text: str) -> str:
    """Names in messages are escaped already; this is the net below."""
    return text if text.isprintable() else printable(text)


class Asked(Box):
    """One line to type. Answers with the text, or None."""

    def __init__(self, heading: str, hint: str, button: str) -> None:
        super().__init__()
        self._heading, self._hint, self._button = heading, hint, button

    def compose(self) -> ComposeResult:
        """A heading, a field and two buttons."""
        with Vertical(classes="box"):
            yield Words(self._heading, classes="heading")
            yield Input(id="answer", select_on_focus=False)
            yield Words(self._hint, classes="quiet wide")
            with Horizontal(classes="buttons"):
                yield Button(Content(self._button), id="yes")
                yield Button(Content(_("Back")), id="no")
        yield self.keys()

    def on_input_submitted(self) -> None:
        """Enter is the first button."""
        self._answer()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer, or close."""
        event.stop()
        if event.button.id == "yes":
            self._answer()
        else:
            self.dismiss(None)

    def _answer(self) -> None:
        text = self.query_one("#answer", Input).value.strip()
        if text:
            self.dismiss(text)


class Working(ModalScreen[None]):
    """A job under way: how far it is, and a way to stop it. It is closed by whoever started the job."""

    def __init__(self, heading: str, job: Job) -> None:
        super().__init__()
        self._heading, self._job = heading, job

    def compose(self) -> ComposeResult:
        """A heading, numbers, a button."""
        with Vertical(classes="box"):
            yield Words(self._heading, classes="heading")
            yield Words(_("beginning…"), id="how-far", classes="wide")
            yield Words(_("What is finished stays, whatever happens now."), classes="quiet wide")
            with Horizontal(classes="buttons"):
                yield Button(Content(_("Stop")), id="stop")
        yield ways_out(("Ctrl+Q", _("Stop"), "app.leave"))

    def on_mount(self) -> None:
        """Look at the job now and then."""
        self.set_interval(REDRAW_SECONDS, self._show)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Ask the job to stop."""
        event.stop()
        self._job.stop()
        self._show()

    def _show(self) -> None:
        text = _("{count} document(s), {size}").format(count=self._job.count, size=size_text(self._job.size))
        if self._job.stopping:
            text = _("stopping: {so_far}").format(so_far=text)
        self.query_one("#how-far", Words).update(text)
