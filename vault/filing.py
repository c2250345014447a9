# SPDX-License-Identifier: Apache-2.0
"""What `add`, `drop`, `show` and `get` decide: into which case, as item or as drop, and which items are meant."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import TYPE_CHECKING

from keys.book import ForeignCase
from keys.card import Card
from vault import arming, counter, layout
from vault.cases import Case, case_folder, find_case, list_cases, load_case, open_store
from vault.elsewhere import expect_outside_vaults
from vault.errors import Ambiguous, BadInput, DiskFailed, NotFound
from vault.intake import Filed
from vault.model import EVENT_FILED, CaseId, Event, Item, ItemId
from vault.names import printable
from vault.refusals import refusal
from vault.retrieving import remove_originals
from vault.sources import About, Incoming, Problem, Stream, StreamIncoming, walk
from vault.store import CaseStore
from vault.vaults import Vault

if TYPE_CHECKING:
    from vault.dropping import Drop

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Outcome:
    """What became of an `add`."""

    case: str
    filed: list[Filed] = field(default_factory=list)
    moved: list[Filed] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    outbox: str | None = None
    dropped: int = 0


def add(
    vault: Vault, case_name: str, paths: list[bytes], *, about: About, move: bool,
    stdin: Stream, stdin_name: bytes, progress: Progress, rehash: bool = False,
    note: Callable[[Filed], None] | None = None,
) -> Outcome:  # fmt: skip
    """File documents into a case; into the outbox when one only has the case's card.

    A file that was filed before and looks unchanged is not read again, unless ``rehash`` or ``move``. With ``note``,
    each document is told to it, and ``filed`` of the outcome stays empty; what was told is durable when this returns.
    Raises NotFound, BadInput, DiskFailed, Wiped. Documents that could not be read are in the outcome.
    """
    check_about(about)
    foreign = vault.book().case_named(case_name)
    if isinstance(foreign, ForeignCase) and load_if_member(vault, foreign) is None:
        return _add_to_outbox(vault, foreign, paths, about=about, move=move, progress=progress)
    case = find_case(vault, case_name)
    outcome = Outcome(case.name)
    with open_store(vault, case) as store:
        with counting(vault, store) as coming:

            def events(items: tuple[Item, ...]) -> tuple[Event, ...]:
                coming(items)
                ids = tuple(item.id for item in items)
                return (Event(vault.clock(), EVENT_FILED, ids, ""),) if ids else ()

            incoming = _incoming(paths, stdin, stdin_name, vault.folder)
            # An original is removed only after it was read in the same run.
            intake = store.file(incoming, about=about, rehash=rehash or move, events=events, progress=progress,
                                note=None if move else note)  # fmt: skip
        outcome.problems = intake.problems
        if note is None:
            outcome.filed = intake.filed
        if move:
            for filed in intake.filed:
                if note is not None:
                    note(filed)
            with closing(remove_originals(store, intake.filed)) as results:  # Ctrl-C must not find the case closed
                for one in results:
                    if isinstance(one, Problem):
                        outcome.problems.append(one)
                    else:
                        outcome.moved.append(one)
    return outcome


def check_about(about: About) -> None:
    """Raise BadInput for a note, source or tag that no manifest takes."""
    if len(about.note) > 65_536 or len(about.source) > 65_536:
        raise BadInput(_("a note or a source has at most 65,536 characters"), _("file a longer text as a document"))
    if len(about.tags) > 100 or any(not 0 < len(tag) <= 200 or "\0" in tag for tag in about.tags):
        raise BadInput(_("there may be 100 tags of at most 200 characters each"))
    try:
        "".join((about.note, about.source, *about.tags)).encode()
    except UnicodeEncodeError:
        raise BadInput(_("a note, source or tag is not UTF-8 text")) from None


@contextmanager
def counting(vault: Vault, store: CaseStore) -> Iterator[Callable[[tuple[Item, ...]], None]]:
    """Tell the public counter how many documents a run files, also a run that fails or is interrupted.

    Yields what has to be told the items of each pack before they are filed, under the lock of the case. From then on
    not all is known to be abroad, however the run ends; and again with each pack, because somebody may have looked
    and confirmed between two of them (``abroad.confirm``).
    """
    durable, last = 0, tuple[Item, ...]()

    def coming(items: tuple[Item, ...]) -> None:
        nonlocal durable, last
        if items:
            arming.forget(vault.folder, disk=vault.disk)
        durable, last = durable + there(), items

    def there() -> int:
        """How many of the last pack's items are durable: all or none, as a pack comes in one piece."""
        return len(last) if last and store.item(ItemId(last[0].id)) is not None else 0

    try:
        yield coming
    except (Exception, KeyboardInterrupt) as exc:
        filed = durable + there()
        _count(vault, filed)
        if isinstance(exc, KeyboardInterrupt):
            vault.notice(
                _(
                    "{count} document(s) of this command are filed and safe, the others are not filed; run it again: "
                    "nothing is filed twice"
                ).format(count=filed)
            )
        raise
    _count(vault, durable + there())


def _count(vault: Vault, new: int) -> None:
    if new:
        with vault.changing():
            counter.change(vault.folder, vault.disk, filed=new)


def _incoming(paths: list[bytes], stdin: Stream, stdin_name: bytes, vault: str) -> Iterator[Incoming | Problem]:
    for path in paths:
        if path == b"-":
            yield StreamIncoming(stdin_name, stdin)
        else:
            yield from walk([path], keep_out=vault)


def load_if_member(vault: Vault, foreign: ForeignCase) -> Case | None:
    """The case, when its owner let us in since its card was taken."""
    case_id = CaseId(foreign.case_id)
    return load_case(vault, case_id) if os.path.isdir(case_folder(vault, case_id)) else None


def _add_to_outbox(
    vault: Vault, foreign: ForeignCase, paths: list[bytes], *, about: About, move: bool, progress: Progress
) -> Outcome:
    if move:
        raise BadInput(
            _("--move needs a case that you can read"),
            _("what is sealed for others cannot be read back here to be checked"),
        )
    if b"-" in paths:
        raise BadInput(_("standard input cannot be sealed for others"), _("save it as a file first"))
    from vault.dropping import drop_paths  # brings all of bundles along, which filing into a case does not need

    vault.check_alive()
    outbox = os.path.join(vault.folder, layout.OUTBOX)
    try:
        done = drop_paths(
            foreign.card, paths, outbox, about=about, clock_ns=vault.clock(), keep_out=vault.folder, progress=progress
        )
    except DiskFailed:
        vault.check_alive()
        raise
    return Outcome(foreign.name, problems=done.problems, outbox=done.path, dropped=done.count)


def drop(card: Card, paths: list[bytes], folder: str, *, about: About, progress: Progress, clock_ns: int) -> Drop:
    """Seal documents for a case into a new file in ``folder``, with nothing but the case's card."""
    check_about(about)
    expect_outside_vaults(folder)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as exc:
        raise DiskFailed(
            _("the folder {folder} cannot be made: {reason}").format(folder=printable(folder), reason=refusal(exc))
        ) from exc
    from vault.dropping import drop_paths

    return drop_paths(card, paths, folder, about=about, clock_ns=clock_ns, keep_out="", progress=progress)


def find_item(vault: Vault, case_name: str | None, reference: str) -> tuple[Case, Item]:
    """The one item that answers to a reference, in one case or in all. Raises NotFound, Ambiguous."""
    found: list[tuple[Case, Item]] = []
    for case in [find_case(vault, case_name)] if case_name else list_cases(vault)[0]:
        with open_store(vault, case) as store:
            try:
                found.append((case, store.find(reference)))
            except Ambiguous:
                raise
            except NotFound:
                continue
    if len(found) > 1:
        cases = ", ".join(case.name for case, __ in found)
        raise Ambiguous(
            _("several cases have an item that answers to this"),
            _("say which with --case: {cases}").format(cases=cases),
        )
    if not found:
        raise NotFound(_("no item answers to this"), _("`sandyk list` shows what is there"))
    return found[0]


def choose_items(vault: Vault, case_name: str | None, references: list[str]) -> list[tuple[Case, list[Item]]]:
    """The items that were named, by case. Raises NotFound, Ambiguous."""
    chosen: dict[bytes, tuple[Case, dict[ItemId, Item]]] = {}
    for reference in references:
        case, item = find_item(vault, case_name, reference)
        chosen.setdefault(case.id, (case, {}))[1][ItemId(item.id)] = item
    return [(case, list(items.values())) for case, items in chosen.values()]
