# SPDX-License-Identifier: Apache-2.0
"""Sealing documents for people, from the screen: which, for whom, where to. What `sandyk export` does.

For contacts whose words were compared, and nobody else: who wants to seal for a key that nobody vouched for reads the
warnings of the command line first. `--zip`, `--classic`, time stamps and repair parts are there too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from gettext import gettext as _
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Input

from vault import exporting, overheard, working_copies
from vault.carriers import file_size
from vault.cases import Case
from vault.errors import NotAllowed
from vault.exporting import Exported, InParts
from vault.names import printable
from vault.screen.choices import Choices, Chooser
from vault.screen.desk import Desk
from vault.screen.dialogs import Box, Words, ways_out
from vault.screen.jobs import Job
from vault.screen.shelf import Row
from vault.sources import Problem
from vault.terminal import size_text
from vault.vaults import Vault
from vault.working_copies import Copies

_WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sealed. ``references`` empty: all of the case."""

    references: tuple[str, ...]
    to: tuple[str, ...]
    folder: str
    parts: str
    """A carrier's name, or nothing for one file."""
    clean: str
    """``no``, ``also`` or ``only``."""
    sources: bool


@dataclass(frozen=True, slots=True)
class Sealed:
    """What came of it, and which documents have no clean copy."""

    exported: Exported
    not_cleaned: tuple[Problem, ...]


def seal(vault: Vault, case: Case, order: Order, job: Job) -> Sealed:
    """Carry it out. Raises NotAllowed for somebody whose words were not compared, and what ``exporting.export`` and
    ``working_copies.make`` raise."""
    people = exporting.addressees(vault, order.to)
    for person in people:
        if not person.verified:  # somebody exchanged the contact while this was chosen
            raise NotAllowed(_("the words of {name} were not compared yet").format(name=printable(person.name)))
    references, copies = list(order.references), Copies()
    if order.clean != "no":
        copies = working_copies.make(vault, case, references, progress=job.advance)
        references = working_copies.to_export(copies, references, only=order.clean == "only")
    done = exporting.export(
        vault, case, references, people, order.folder, sources=order.sources, folders=order.clean != "only",
        in_parts=InParts(file_size(order.parts)) if order.parts else None, progress=job.advance,
    )  # fmt: skip
    return Sealed(done, tuple(copies.problems))


class Exporting(Screen[bool]):
    """Choose, seal. Answers with whether something was sealed."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f5", "export", show=False),
    ]

    def __init__(self, desk: Desk, case: Case, marked: tuple[Row, ...]) -> None:
        super().__init__()
        self._desk, self._case, self._marked = desk, case, marked

    def compose(self) -> ComposeResult:
        """One page of choices."""
        contacts = self._desk.vault.book().contacts
        verified = [contact.name for contact in contacts if contact.verified_ns is not None]
        what = [(_WHOLE, _("all documents of the case"))]
        if self._marked:
            what.insert(0, ("marked", _("the {count} marked documents").format(count=len(self._marked))))
        yield Words(_("Seal documents of {case}").format(case=printable(self._case.name)), classes="heading")
        with VerticalScroll(classes="tall form"):
            yield Words(_("For whom?"), classes="question")
            yield Choices([(name, printable(name)) for name in verified], single=False, chosen=(), id="to")
            if len(verified) < len(contacts):
                yield Words(
                    _("{count} more contact(s): their words were not compared yet (sandyk contact verify).").format(
                        count=len(contacts) - len(verified)
                    ),
                    classes="quiet wide",
                )
            if not contacts:
                yield Words(_("You have no contacts yet: sandyk contact add."), classes="quiet wide")
            yield Words(_("Which documents?"), classes="question")
            yield Choices(what, single=True, chosen={what[0][0]}, id="what")
            yield Words(_("Into which folder? Never into the vault's own."), classes="question")
            with Horizontal(classes="field"):
                yield Input(os.path.expanduser("~"), id="folder", select_on_focus=False)
                yield Button(Content(_("Choose…")), id="choose")
            yield Words(_("As one file, or in parts for a carrier?"), classes="question")
            parts = [("", _("one file")), ("mail", _("parts for mail, 18 MB each")),
                     ("signal", _("parts for Signal, 100 MB each")),
                     ("telegram", _("parts for Telegram, 2 GB each"))]  # fmt: skip
            yield Choices(parts, single=True, chosen={""}, id="parts")
            yield Words(_("Working copies without what tells who made a document, and with what?"), classes="question")
            clean = [("no", _("no, the documents as they are")), ("also", _("yes, beside the documents")),
                     ("only", _("yes, in place of them; what cannot be cleaned stays here"))]  # fmt: skip
            yield Choices(clean, single=True, chosen={"no"}, id="clean")
            yield Words(_("What is said of them?"), classes="question")
            said = [("sources", _("also who or what each document came from"))]
            yield Choices(said, single=False, chosen={"sources"}, id="told")
        yield Words("", id="export-says", classes="warning wide")
        with Horizontal(classes="buttons"):
            yield Button(Content(_("Export")), id="export")
            yield Button(Content(_("Back")), id="back")
        yield ways_out(
            (_("Space"), _("Choose"), ""), ("Tab", _("Next field"), ""), ("F5", _("Export"), "screen.export"),
            ("Esc", _("Back"), "screen.back"),
        )  # fmt: skip

    def on_mount(self) -> None:
        """Begin with the first question in sight, which a field that is focused by itself scrolls away."""
        self.set_focus(self.query_one("#to"), scroll_visible=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "export":
                self.action_export()
            case "choose":
                self.app.push_screen(ChooseFolder(self._desk, self._folder()), self._folder_chosen)
            case _:
                self.action_back()

    def _folder(self) -> str:
        typed = os.path.expanduser(self.query_one("#folder", Input).value.strip())
        return typed if os.path.isdir(typed) else os.path.expanduser("~")

    def _folder_chosen(self, folder: str | None) -> None:
        if folder is not None:
            self.query_one("#folder", Input).value = folder

    def _only(self, name: str) -> str:
        return next(iter(self.query_one(f"#{name}", Choices).chosen), "")

    def action_back(self) -> None:
        """Close it, with nothing sealed."""
        self.dismiss(False)

    def action_export(self) -> None:
        """Seal what is chosen."""
        folder = os.path.expanduser(self.query_one("#folder", Input).value.strip())
        marked = self._only("what") != _WHOLE
        order = Order(
            references=tuple(row.item.hex() for row in self._marked) if marked else (),
            to=tuple(sorted(self.query_one("#to", Choices).chosen)),
            folder=os.path.abspath(folder), parts=self._only("parts"), clean=self._only("clean"),
            sources=bool(self.query_one("#told", Choices).chosen),
        )  # fmt: skip
        if not order.to:
            self._say(_("First choose for whom it is."))
        elif not os.path.isdir(order.folder):
            self._say(_("There is no such folder."))
        else:
            self._say("")
            vault, case = self._desk.vault, self._case
            self._desk.work(_("Sealing"), lambda job: seal(vault, case, order, job), self._done)

    def _say(self, text: str) -> None:
        self.query_one("#export-says", Words).update(text)

    def _done(self, sealed: Sealed) -> None:
        self.dismiss(True)
        heading = _("Sealed {count} document(s)").format(count=sealed.exported.summary.items)
        self._desk.tell(heading, _lines(sealed))


def _lines(sealed: Sealed) -> list[str]:
    done = sealed.exported
    path = printable(done.path)
    lines = [_("into {path}, {size}").format(path=path, size=size_text(done.size))]
    if done.parts is not None:
        lines.append(_("in {count} part(s); all of them are needed, in any order").format(count=len(done.parts.parts)))
    lines += [
        _("not cleaned: {name}: {reason}").format(
            name=printable(one.name), reason=printable(overheard.reason(one.reason))
        )
        for one in sealed.not_cleaned
    ]
    lines += [
        "",
        _("What to do next:"),
        _("1. Send it, by any way. From outside it shows its size and how many it is for, both rounded up."),
        _("2. It is on its way, and not safe yet. Ask them for a receipt (open FILE --receipt)."),
        _("3. Take the receipt: sandyk receipt take FILE. Then these documents count as safe abroad."),
        "",
        _("Still only here, in this case: {count} document(s)").format(count=done.only_here),
    ]
    return lines


class ChooseFolder(Box):
    """A folder to walk to. Answers with its path."""

    def __init__(self, desk: Desk, folder: str) -> None:
        super().__init__()
        self._desk, self._folder = desk, folder

    def compose(self) -> ComposeResult:
        """Folders and two buttons."""
        yield Words(_("Which folder?"), classes="heading")
        yield Chooser(self._desk, self._folder, files=False)
        with Horizontal(classes="buttons"):
            yield Button(Content(_("This folder")), id="this")
            yield Button(Content(_("Back")), id="back")
        yield self.keys()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self.query_one(Chooser).folder if event.button.id == "this" else None)
