# SPDX-License-Identifier: Apache-2.0
"""Lists to choose from: ``[x]`` is chosen and ``[ ]`` is not, in letters, because colours are not seen by everybody."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from vault.names import printable
from vault.screen.desk import Desk
from vault.screen.dialogs import Words


class Choices(OptionList):
    """A few things to choose from: exactly one of them (``single``), or any number. Space, Enter or a click."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", show=False)]

    def __init__(self, choices: Sequence[tuple[str, str]], *, single: bool, chosen: Collection[str], id: str) -> None:
        """``choices``: keys and words."""
        self._choices, self._single = tuple(choices), single
        self.chosen = {key for key, _words in choices if key in chosen}
        super().__init__(*(Option(self._prompt(key)) for key, _words in choices), id=id, markup=False)

    def _prompt(self, key: str) -> Content:
        left, right = "()" if self._single else "[]"
        return Content(f"{left}{'x' if key in self.chosen else ' '}{right} {dict(self._choices)[key]}")

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key = self._choices[event.option_index][0]
        self.chosen = {key} if self._single else self.chosen ^ {key}
        for place, (one, _words) in enumerate(self._choices):
            self.replace_option_prompt_at_index(place, self._prompt(one))


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder."""

    path: str
    name: str
    is_folder: bool


def entries_of(folder: str) -> list[Entry]:
    """What lies in a folder, folders first, by name; without what is hidden. Raises OSError."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                found.append(Entry(entry.path, entry.name, entry.is_dir(follow_symlinks=True)))
    return sorted(found, key=lambda entry: (not entry.is_folder, entry.name.casefold()))


class _Entries(OptionList):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,insert", "choose", show=False),
        Binding("backspace", "up", show=False),
    ]

    class Chosen(Message):
        """Space was pressed."""

    class Up(Message):
        """To the folder above."""

    def action_choose(self) -> None:
        """Tell the chooser."""
        self.post_message(self.Chosen())

    def action_up(self) -> None:
        """Tell the chooser."""
        self.post_message(self.Up())


class Chooser(Vertical):
    """Folders to walk through. With ``files`` files and folders are chosen; without, the folder that is shown is it."""

    class Changed(Message):
        """Something else is chosen, or another folder is shown."""

    def __init__(self, desk: Desk, folder: str, *, files: bool) -> None:
        super().__init__()
        self._desk, self._files = desk, files
        self.folder = folder
        self.chosen: dict[str, None] = {}
        """Paths, in the order in which they were chosen."""
        self._entries: list[Entry] = []

    def compose(self) -> ComposeResult:
        """Where one is, and what is there."""
        yield Words("", id="chooser-folder", classes="quiet wide")
        yield _Entries(id="chooser-entries", markup=False)

    def on_mount(self) -> None:
        """Look into the first folder."""
        self.go(self.folder)

    def go(self, folder: str) -> None:
        """Look into a folder; one that cannot be read is said, and not gone to."""

        def then(entries: list[Entry]) -> None:
            came_from = self.folder
            self.folder, self._entries = folder, [entry for entry in entries if self._files or entry.is_folder]
            self.query_one("#chooser-folder", Words).update(printable(folder))
            listed = self.query_one(_Entries)
            listed.clear_options()
            listed.add_options([Option(Content("../"))] + [Option(self._prompt(entry)) for entry in self._entries])
            paths = [entry.path for entry in self._entries]
            listed.highlighted = 1 + paths.index(came_from) if came_from in paths else min(1, len(paths))
            self.post_message(self.Changed())

        self._desk.look(lambda _shelf: entries_of(folder), then)

    def _prompt(self, entry: Entry) -> Content:
        name = printable(os.fsencode(entry.name)) + ("/" if entry.is_folder else "")
        return Content(f"[{'x' if entry.path in self.chosen else ' '}] {name}" if self._files else name)

    @on(OptionList.OptionSelected, "#chooser-entries")
    def _entered(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index == 0:
            self.go(os.path.dirname(self.folder))
        elif self._entries[event.option_index - 1].is_folder:
            self.go(self._entries[event.option_index - 1].path)
        else:
            self._toggle(event.option_index)

    @on(_Entries.Chosen)
    def _space(self, event: _Entries.Chosen) -> None:
        event.stop()
        place = self.query_one(_Entries).highlighted
        if self._files and place:
            self._toggle(place)

    @on(_Entries.Up)
    def _up(self, event: _Entries.Up) -> None:
        event.stop()
        self.go(os.path.dirname(self.folder))

    def _toggle(self, place: int) -> None:
        entry = self._entries[place - 1]
        if entry.path in self.chosen:
            del self.chosen[entry.path]
        else:
            self.chosen[entry.path] = None
        self.query_one(_Entries).replace_option_prompt_at_index(place, self._prompt(entry))
        self.post_message(self.Changed())

    def summary(self) -> str:
        """What is chosen, for a line below."""
        if not self.chosen:
            return _("Nothing is chosen yet: Space or a click on a file; Space takes a whole folder.")
        names = ", ".join(printable(os.fsencode(os.path.basename(path))) for path in self.chosen)
        return _("Chosen ({count}): {names}").format(count=len(self.chosen), names=names)
