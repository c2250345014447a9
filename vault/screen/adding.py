# SPDX-License-Identifier: Apache-2.0
"""Filing documents from the screen: which files, and what is said of them. What `sandyk add` does, but for `--move`.

Removing originals is left to the command line, where one reads what it says before one presses Enter.
"""

from __future__ import annotations

import os
from gettext import gettext as _
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Input

from vault import filing
from vault.cases import Case
from vault.filing import Outcome
from vault.names import printable
from vault.screen.choices import Chooser
from vault.screen.desk import Desk
from vault.screen.dialogs import Words, ways_out
from vault.screen.jobs import Job
from vault.sources import About
from vault.terminal import size_text

PROBLEMS_SHOWN = 20


class _Nothing:
    """A standard input with nothing in it: the screen files paths alone."""

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002
        """Nothing."""
        return b""


class Adding(Screen[bool]):
    """Choose, describe, file. Answers with whether something was filed."""

    AUTO_FOCUS = "#chooser-entries"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f2", "add", show=False),
    ]

    def __init__(self, desk: Desk, case: Case) -> None:
        super().__init__()
        self._desk, self._case = desk, case

    def compose(self) -> ComposeResult:
        """Files above, words about them below."""
        yield Words(_("Add documents to {case}").format(case=printable(self._case.name)), classes="heading")
        yield Chooser(self._desk, os.path.expanduser("~"), files=True)
        yield Words("", id="chosen", classes="wide")
        for name, label in (("note", _("Note:")), ("source", _("Source:")), ("tags", _("Tags:"))):
            with Horizontal(classes="field"):
                yield Words(label)
                hint = _("single words, with spaces in between") if name == "tags" else ""
                yield Input(id=name, placeholder=hint, select_on_focus=False)
        with Horizontal(classes="buttons"):
            yield Button(Content(_("Add")), id="add")
            yield Button(Content(_("Back")), id="back")
        yield Words(_("The originals stay where they are."), classes="quiet")
        yield ways_out(
            (_("Space"), _("Choose"), ""), ("Enter", _("Open the folder"), ""), ("Tab", _("Next field"), ""),
            ("F2", _("Add"), "screen.add"), ("Esc", _("Back"), "screen.back"),
        )  # fmt: skip

    @on(Chooser.Changed)
    def _chosen(self) -> None:
        self.query_one("#chosen", Words).update(self.query_one(Chooser).summary())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "add":
            self.action_add()
        else:
            self.action_back()

    def action_back(self) -> None:
        """Close it, with nothing filed."""
        self.dismiss(False)

    def action_add(self) -> None:
        """File what is chosen."""
        paths = [os.fsencode(path) for path in self.query_one(Chooser).chosen]
        if not paths:
            self._chosen()
            return
        note, source, tags = (self.query_one(f"#{name}", Input).value.strip() for name in ("note", "source", "tags"))
        about = About(note, source, tuple(tags.split()))
        vault, case = self._desk.vault, self._case

        def act(job: Job) -> Outcome:
            return filing.add(
                vault, case.id.hex(), paths, about=about, move=False,
                stdin=_Nothing(), stdin_name=b"", progress=job.advance,
            )  # fmt: skip

        self._desk.work(_("Filing"), act, self._done)

    def _done(self, outcome: Outcome) -> None:
        self.dismiss(True)
        self._desk.tell(_heading(outcome), _lines(outcome))


def _heading(outcome: Outcome) -> str:
    new = sum(one.item is not None for one in outcome.filed)
    return _("Filed in {case}: {count} document(s)").format(case=printable(outcome.case), count=new)


def _lines(outcome: Outcome) -> list[str]:
    read = sum(one.size for one in outcome.filed)
    lines = [_("{size} read. The originals are where they were.").format(size=size_text(read))]
    before = sum(one.item is None for one in outcome.filed)
    if before:
        lines.append(
            _("Filed before, under the same name and with the same content: {count}").format(count=before)
        )
    for problem in outcome.problems[:PROBLEMS_SHOWN]:
        name, reason = printable(problem.name), printable(_(problem.reason))
        lines.append(_("not done: {name}: {reason}").format(name=name, reason=reason))
    if len(outcome.problems) > PROBLEMS_SHOWN:
        lines.append(_("and {count} more that were not done").format(count=len(outcome.problems) - PROBLEMS_SHOWN))
    return lines
