# SPDX-License-Identifier: Apache-2.0
"""The first screen of an open vault: cases on the left, their documents on the right, a search above, keys below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from gettext import gettext as _
from operator import add
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from vault.abroad import CaseSight
from vault.cases import Case, create_case
from vault.model import CaseId
from vault.names import printable
from vault.screen.adding import Adding
from vault.screen.desk import Desk
from vault.screen.dialogs import Asked, KeyBar, Words
from vault.screen.documents import Documents
from vault.screen.exporting import Exporting
from vault.screen.help import Help
from vault.screen.indexing import index_documents
from vault.screen.layouts import latin
from vault.screen.opening import Opening
from vault.screen.reading import Reading
from vault.screen.shelf import Found
from vault.screen.verifying import verify_case
from vault.searching import Part

ALL = "all"


class Home(Screen[None]):
    """Cases and documents."""

    AUTO_FOCUS = "#cases"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", show=False),
        Binding("f2", "add", show=False),
        Binding("f3", "read", show=False),
        Binding("f4", "verify", show=False),
        Binding("f5", "export", show=False),
        Binding("f6", "index", show=False),
        Binding("f7", "search", show=False),
        Binding("ctrl+n", "new_case", show=False),
        Binding("ctrl+o", "open_sealed", show=False),
        Binding("escape", "all_documents", show=False),
    ]
    LETTERS: ClassVar[dict[str, str]] = {
        "?": "help", "a": "add", "r": "read", "v": "verify", "e": "export", "i": "index", "/": "search",
        "n": "new_case", "o": "open_sealed",
    }  # fmt: skip

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._cases: dict[CaseId, Case] = {}
        self._sights: dict[CaseId, CaseSight] = {}
        self._found = Found(())
        self._unusable = 0
        self._asked = 0

    def compose(self) -> ComposeResult:
        """The four parts."""
        with Horizontal(id="search-line"):
            yield Words(_("Search:"))
            yield Input(id="search", placeholder=_("a word, then Enter"), select_on_focus=False)
        with Horizontal(id="columns"):
            with Vertical(id="cases-box"):
                yield OptionList(id="cases", markup=False)
            with Vertical(id="documents-box"):
                yield Documents(id="documents")
        yield Words("", id="said")
        yield KeyBar(
            ("F1", _("Help"), "screen.help"), ("F2", _("Add"), "screen.add"), ("F3", _("Read"), "screen.read"),
            ("F4", _("Check"), "screen.verify"), ("F5", _("Export"), "screen.export"),
            ("F6", _("Index"), "screen.index"), ("F7", _("Search"), "screen.search"),
            ("Ctrl+N", _("New case"), "screen.new_case"), ("Ctrl+O", _("Open"), "screen.open_sealed"),
            ("F8", _("Light or dark"), "app.light"), ("F9", _("Hide"), "app.hide"),
            ("F10", _("Lock and leave"), "app.lock"), ("Ctrl+Q", _("Leave"), "app.leave"),
            ("F12 F12", _("WIPE"), "app.wipe_click"),
        )  # fmt: skip

    def on_mount(self) -> None:
        """Look for cases."""
        self.reload()

    def on_key(self, event: events.Key) -> None:
        """Letters do what function keys do, for terminals that keep those for themselves."""
        action = self.LETTERS.get(latin(event.character or ""))
        if action is not None:
            event.stop()
            self.call_later(self.run_action, action)

    # What is shown

    def reload(self, then_choose: CaseId | None = None) -> None:
        """Read the cases anew, and what is on the right."""

        def then(found: tuple[list[Case], list[tuple[CaseId, str]]]) -> None:
            cases, unusable = found
            self._cases = {CaseId(case.id): case for case in cases}
            self._unusable = len(unusable)
            self._show_cases(then_choose or self.chosen)
            self.desk.look(lambda shelf: shelf.sights(), self._show_sights)
            for _case_id, reason in unusable:
                self.desk.vault.notice(reason)

        self.desk.look(lambda shelf: shelf.cases(), then)

    @property
    def chosen(self) -> CaseId | None:
        """The case below the cursor; None for all of them."""
        cases = self.query_one("#cases", OptionList)
        option = cases.highlighted_option
        if option is None or option.id is None or option.id == ALL:
            return None
        return CaseId(bytes.fromhex(option.id))

    def _show_cases(self, chosen: CaseId | None) -> None:
        cases = self.query_one("#cases", OptionList)
        cases.clear_options()
        options = [self._option(case_id, printable(case.name)) for case_id, case in self._cases.items()]
        if len(options) != 1:
            options.insert(0, Option(Content(_("All cases")), id=ALL))
        cases.add_options(options)
        ids = [option.id for option in options]
        cases.highlighted = ids.index(chosen.hex()) if chosen and chosen.hex() in ids else 0
        if not self._cases:
            self._say(_("There is no case yet: Ctrl+N makes one."))
        self._list()

    def _option(self, case_id: CaseId, name: str) -> Option:
        sight = self._sights.get(case_id)
        count = "…" if sight is None else str(sight.tally.total)
        return Option(Content(f"{name} ({count})"), id=case_id.hex())

    def _show_sights(self, sights: dict[CaseId, CaseSight]) -> None:
        self._sights = sights
        cases = self.query_one("#cases", OptionList)
        for case_id, case in self._cases.items():
            if case_id in sights:
                option = self._option(case_id, printable(case.name))
                cases.replace_option_prompt(case_id.hex(), option.prompt)
        self.query_one(Documents).show_places({case_id: sight.places for case_id, sight in sights.items()})
        self._say_how_many()

    @on(OptionList.OptionHighlighted, "#cases")
    def _case_chosen(self) -> None:
        self._list()

    @on(OptionList.OptionSelected, "#cases")
    def _case_entered(self) -> None:
        self.query_one(Documents).focus()

    @on(Input.Submitted, "#search")
    def _searched(self) -> None:
        self._list()
        self.query_one(Documents).focus()

    def _list(self) -> None:
        """Show the documents of the case that is chosen, or those that the search finds in it."""
        self._asked += 1
        asked, case, text = self._asked, self.chosen, self.query_one("#search", Input).value.strip()

        def then(found: Found) -> None:
            if asked == self._asked:
                self._found = found
                names = {case_id: one.name for case_id, one in self._cases.items()} if case is None else None
                self.query_one(Documents).show(found.rows, names)
                self._say_how_many()

        self.desk.look(lambda shelf: shelf.find(case, text) if text else shelf.rows(case), then)

    @on(Documents.Wanted)
    def _wanted(self, event: Documents.Wanted) -> None:
        documents, rows = self.query_one(Documents), event.rows
        self.desk.look(
            lambda shelf: shelf.items(rows), lambda items: documents.take(event.of, event.first, items)
        )

    @on(Documents.Changed)
    def _say_how_many(self) -> None:
        documents, text = self.query_one(Documents), self.query_one("#search", Input).value.strip()
        if not self._cases:
            return
        said = self._search_words() if text else self._tally_words(len(documents.rows))
        if documents.marks:
            said.append(_("{count} marked with Space").format(count=len(documents.marks)))
        if self._unusable:
            said.append(_("{count} case(s) cannot be used").format(count=self._unusable))
        snippet = self._found.snippets.get(documents.current, ()) if text and documents.current else ()
        shown = Content("\n" if snippet else "").join([Content("; ".join(said)), _marked(snippet)])
        self._say(shown)

    def _search_words(self) -> list[str]:
        found = self._found
        said = [_("{count} found, Escape shows all").format(count=len(found.rows))]
        if found.more:
            said[0] = _("the first {count}, there are more: say more words").format(count=len(found.rows))
        if found.unread:
            said.append(_("{count} document(s) were not read yet for searches: F6").format(count=found.unread))
        if found.unsearched:
            names = printable(", ".join(found.unsearched))
            said.append(_("not searched in full: {cases}; sandyk verify says why").format(cases=names))
        return said

    def _tally_words(self, count: int) -> list[str]:
        said = [_("{count} document(s)").format(count=count)]
        tallies = [one.tally for case_id, one in self._sights.items() if self.chosen in (None, case_id)]
        if tallies:
            tally = reduce(add, tallies)
            words = _("{safe} safe abroad, {sent} on their way, {here} only here")
            said.append(words.format(safe=tally.safe, sent=tally.sent, here=tally.here))
        return said

    def _say(self, text: str | Content) -> None:
        self.query_one("#said", Words).update(text)

    # What can be done

    def action_all_documents(self) -> None:
        """Escape: an empty search, and no marks."""
        search, documents = self.query_one("#search", Input), self.query_one(Documents)
        if search.value or documents.marks:
            search.value = ""
            documents.marks.clear()
            self._list()
        if search.has_focus:
            documents.focus()

    def action_search(self) -> None:
        """To the field above."""
        self.query_one("#search", Input).focus()

    def action_help(self) -> None:
        """The keys, in words."""
        self.app.push_screen(Help())

    def action_read(self) -> None:
        """The document below the cursor."""
        self.query_one(Documents).action_open()

    @on(Documents.Opened)
    def _open(self, event: Documents.Opened) -> None:
        self.app.push_screen(Reading(self.desk, event.row))

    def action_new_case(self) -> None:
        """Make a case."""

        def made(case: Case) -> None:
            self.reload(CaseId(case.id))

        def named(name: str | None) -> None:
            if name is not None:
                vault = self.desk.vault
                self.desk.work(_("Making a case"), lambda _job: create_case(vault, name), made)

        hint = _("The name is sealed in the vault. You are the only member until you let others in (case grant).")
        self.app.push_screen(Asked(_("What is the new case called?"), hint, _("Make it")), named)

    def _one_case(self) -> Case | None:
        """The case to do something with; says so when none is chosen."""
        chosen = self.chosen
        if chosen is None:
            row = self.query_one(Documents).current
            chosen = row.case if row is not None else None
        if chosen is None or chosen not in self._cases:
            self._say(_("First choose a case on the left."))
            return None
        return self._cases[chosen]

    def action_add(self) -> None:
        """File documents into the case."""
        case = self._one_case()
        if case is not None:
            self.app.push_screen(Adding(self.desk, case), self._changed)

    def action_open_sealed(self) -> None:
        """Take a sealed file into the case."""
        case = self._one_case()
        if case is not None:
            self.app.push_screen(Opening(self.desk, case), self._changed)

    def action_export(self) -> None:
        """Seal documents of the case for somebody."""
        case = self._one_case()
        if case is not None:
            marked = tuple(row for row in self.query_one(Documents).marks if row.case == case.id)
            self.app.push_screen(Exporting(self.desk, case, marked), self._exported)

    def _exported(self, changed: bool | None) -> None:
        if changed:
            self.query_one(Documents).marks.clear()
            self.reload()

    def _changed(self, changed: bool | None) -> None:
        if changed:
            self.reload()

    def action_index(self) -> None:
        """Read documents, so that a search finds what is in them."""
        case = self._one_case()
        if case is not None:
            index_documents(self.desk, case)

    def action_verify(self) -> None:
        """Read everything back."""
        case = self._one_case()
        if case is not None:
            verify_case(self.desk, case)


def _marked(snippet: Sequence[Part]) -> Content:
    """What was found, with what was looked for in bold and between marks: bold alone is not seen everywhere."""
    shown = [(f"«{printable(part.text)}»", "bold") if part.match else (printable(part.text), "") for part in snippet]
    return Content.assemble(*shown)
