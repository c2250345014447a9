# SPDX-License-Identifier: Apache-2.0
"""Taking a sealed file into a case, from the screen: what `sandyk open FILE --into CASE` does.

Writing what is inside into a folder in clear, ZIPs with a passphrase, receipts and time stamps are left to the command.
"""

from __future__ import annotations

import os
from gettext import gettext as _
from typing import ClassVar, NoReturn

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button

from vault import opening
from vault.cases import Case
from vault.errors import BadInput
from vault.names import printable
from vault.opening import Opened
from vault.screen.choices import Chooser
from vault.screen.desk import Desk
from vault.screen.dialogs import Words, ways_out
from vault.screen.jobs import Job


class Opening(Screen[bool]):
    """Choose a file, take it in. Answers with whether something was filed."""

    AUTO_FOCUS = "#chooser-entries"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("ctrl+o", "take_in", show=False),
    ]

    def __init__(self, desk: Desk, case: Case) -> None:
        super().__init__()
        self._desk, self._case = desk, case

    def compose(self) -> ComposeResult:
        """Files, and what is chosen of them."""
        yield Words(_("Open a sealed file into {case}").format(case=printable(self._case.name)), classes="heading")
        yield Chooser(self._desk, os.path.expanduser("~"), files=True)
        yield Words("", id="chosen", classes="wide")
        yield Words(_("A bundle, a drop, or the parts of one. It is filed only when all of it was verified."),
                    classes="quiet wide")  # fmt: skip
        with Horizontal(classes="buttons"):
            yield Button(Content(_("Open")), id="open")
            yield Button(Content(_("Back")), id="back")
        yield ways_out(
            (_("Space"), _("Choose"), ""), ("Enter", _("Open the folder"), ""), ("Ctrl+O", _("Open"), "screen.take_in"),
            ("Esc", _("Back"), "screen.back"),
        )  # fmt: skip

    @on(Chooser.Changed)
    def _chosen(self) -> None:
        self.query_one("#chosen", Words).update(self.query_one(Chooser).summary())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "open":
            self.action_take_in()
        else:
            self.action_back()

    def action_back(self) -> None:
        """Close it, with nothing filed."""
        self.dismiss(False)

    def action_take_in(self) -> None:
        """Open what is chosen."""
        files, vault, case = list(self.query_one(Chooser).chosen), self._desk.vault, self._case
        if not files:
            self._chosen()
            return

        def act(job: Job) -> Opened:
            sealed = opening.what_to_open(files, opening.identities_for(vault, case), _no_zip)
            return opening.open_into_case(vault, case, sealed, progress=job.advance)

        self._desk.work(_("Opening"), act, self._done)

    def _done(self, opened: Opened) -> None:
        self.dismiss(True)
        new = len(opened.documents) - opened.filed_before
        heading = _("Filed in {case}: {count} document(s)").format(case=printable(self._case.name), count=new)
        self._desk.tell(heading, _lines(opened))


def _no_zip() -> NoReturn:
    raise BadInput(
        _("a ZIP is opened with its passphrase, which this screen does not ask for"), _("sandyk open FILE --into CASE")
    )


def _lines(opened: Opened) -> list[str]:
    lines = [_("All of it was verified.")]
    if opened.filed_before:
        lines.append(
            _("Filed before, under the same name and with the same content: {count}").format(count=opened.filed_before)
        )
    sender = opened.sender
    if sender is None:
        return [*lines, _("Unsigned: nothing in it shows who made it.")]
    who = _("an unknown key") if sender.name is None else printable(sender.name)
    lines.append(_("Signed by {name}: {remark}").format(name=who, remark=printable(sender.remark)))
    if not sender.trusted:
        lines += [
            "",
            _("It is whole, and it was kept; but nobody you trust vouches for it."),
            _("Let the sender read their words to you by voice: {words}").format(words=sender.words),
            _("Only if they are the same: sandyk contact add, then sandyk contact verify."),
        ]
    return lines
