# SPDX-License-Identifier: Apache-2.0
"""Working copies: documents without what they say of whoever made them, filed beside their originals.

A copy is an item of its own, so it is sealed like any other, and its custody record says of what bytes it is a copy
and what made it. The original stays as it is, always. A copy is made anew when its maker changed, and one that another
member filed is never relied upon: it might be called clean and not be. What cannot be cleaned has no copy, and is
named.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from gettext import gettext as _
from io import BytesIO

from vault.cases import Case, open_store
from vault.cleaning.cleaner import Cleaner, present_makers
from vault.cleaning.reply import Reply
from vault.confined.protocol import Limits
from vault.errors import BadInput, ConfinedFailed, ConfinedRefused
from vault.filing import counting
from vault.model import EVENT_CLEANED, ORIGIN_CLEAN, Event, Item, ItemId
from vault.names import MAX_PATH_BYTES, marked
from vault.sources import About, Problem, StreamIncoming
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import read_whole

_MARK = b" (clean)"
_DETAIL = re.compile(r"clean copy of SHA-256 ([0-9a-f]{64}), by ([^;]+); taken out: ([^;]*); left in: ([^;]*)")
"""What the custody record says of a copy (docs/format.md §6.2)."""
_NOTHING_KNOWN = "nothing known"
_Key = tuple[bytes, bytes]
"""Name and SHA-256 of a copy."""


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """A copy, of what, and what is said of it. ``made`` is whether it was made just now, and not found."""

    original: Item
    item: Item
    by: str
    removed: tuple[str, ...]
    left: tuple[str, ...]
    made: bool


@dataclass(slots=True)
class Copies:
    """The copies of some documents, in their order, and those documents that have none."""

    copies: list[WorkingCopy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    originals: list[Item] = field(default_factory=list)


def make(
    vault: Vault, case: Case, references: Sequence[str], *, limits: Limits = Limits(),
    progress: Callable[[int, int], None] = lambda documents, size: None,
) -> Copies:  # fmt: skip
    """A working copy of each document that was named, or of all in the case that are no copies themselves.

    Copies that were made before are found again. Raises LibraryMissing, NotFound, BadInput, DamagedPack, DiskFailed.
    """
    with Cleaner(limits) as cleaner, open_store(vault, case) as store:
        named = {item.id: item for item in map(store.find, references)}
        chosen = list(named.values()) if references else list(store.index.items())
        originals = [item for item in chosen if item.origin != ORIGIN_CLEAN]
        if references and len(originals) != len(chosen):
            raise BadInput(_("a clean copy is named, which cannot be cleaned again"), _("name its original instead"))
        if not originals:
            raise BadInput(_("there is nothing in this case yet"))
        found = _found(vault, store)
        work = _Work(vault, store, cleaner, progress)
        missing = [item for item in originals if item.id not in found]
        if missing:
            with counting(vault, store) as coming:
                store.file(work.incoming(missing), events=work.events_after(coming))
            work.record_the_rest()
        for copy in work.made:
            as_listed = store.item(ItemId(copy.item.id)) or copy.item  # a pack's own record goes without its name
            found[copy.original.id] = replace(copy, item=as_listed)
        copies = [found[item.id] for item in originals if item.id in found]
        return Copies(copies, work.problems, originals)


def to_export(found: Copies, references: Sequence[str], *, only: bool) -> list[str]:
    """What an export is to be told: the copies beside the documents that were named (none: all of the case, in which
    the copies are), or with ``only`` in their place. Raises ConfinedRefused when that leaves nothing.
    """
    ids = [copy.item.id.hex() for copy in found.copies]
    if only and not ids:
        raise ConfinedRefused(
            _("none of these documents could be cleaned, so nothing was sealed"),
            _("without --clean-only the originals go"),
        )
    if only:
        return ids
    return [*references, *ids] if references else []


def _found(vault: Vault, store: CaseStore) -> dict[bytes, WorkingCopy]:
    """By their originals' ids, the copies that this journalist made before, and that would come out the same today."""
    found = {}
    for row in store.index.events(EVENT_CLEANED):
        said = _DETAIL.fullmatch(row.event.detail)
        if said is None or row.pack.author != vault.me.signing_public or len(row.event.items) != 2:
            continue
        original, copy = (store.item(ItemId(item)) for item in row.event.items)
        if original is None or copy is None or said[2] not in present_makers():
            continue
        if original.sha256.hex() == said[1] and _said_alike(original, copy):
            removed, left = _words(said[3]), _words(said[4])
            found[original.id] = WorkingCopy(original, copy, said[2], removed, left, made=False)
    return found


def _said_alike(original: Item, copy: Item) -> bool:
    return (original.note, original.source, original.tags) == (copy.note, copy.source, copy.tags)


@dataclass(slots=True)
class _Work:
    """One run: what is on its way into the case, and what became of it."""

    vault: Vault
    store: CaseStore
    cleaner: Cleaner
    progress: Callable[[int, int], None]
    made: list[WorkingCopy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _waiting: dict[_Key, list[tuple[Item, Reply, str]]] = field(default_factory=lambda: defaultdict(list))

    def incoming(self, originals: Sequence[Item]) -> Iterator[StreamIncoming]:
        """The copies, each made when its turn comes."""
        for original in originals:
            pieces: list[bytes] = []
            if original.size > self.cleaner.limits.input:
                self._fail(original, f"it is larger than {self.cleaner.limits.input >> 20} MiB")
                continue
            read_whole(self.store, original, pieces.append)
            try:
                reply, by = self.cleaner.clean(pieces)
            except ConfinedFailed as exc:
                self._fail(original, str(exc))
                continue
            finally:
                self.progress(1, original.size)
            name = copy_name(original.name)
            self._waiting[name, hashlib.sha256(reply.content).digest()].append((original, reply, by))
            about = About(original.note, original.source, original.tags)
            yield StreamIncoming(name, BytesIO(reply.content), None, ORIGIN_CLEAN, b"", about)

    def _fail(self, original: Item, reason: str) -> None:
        self.problems.append(Problem(original.name, reason))

    def events_after(
        self, coming: Callable[[tuple[Item, ...]], None]
    ) -> Callable[[tuple[Item, ...]], tuple[Event, ...]]:
        """What a pack's custody record says of the copies in it."""

        def events(items: tuple[Item, ...]) -> tuple[Event, ...]:
            coming(items)
            return tuple(self._event(item) for item in items)

        return events

    def _event(self, copy: Item) -> Event:
        original, reply, by = self._waiting[copy.name, copy.sha256].pop(0)
        self.made.append(WorkingCopy(original, copy, by, reply.removed, reply.left, made=True))
        detail = (
            f"clean copy of SHA-256 {original.sha256.hex()}, by {by}; "
            f"taken out: {_text(reply.removed)}; left in: {_text(reply.left)}"
        )
        return Event(self.vault.clock(), EVENT_CLEANED, (original.id, copy.id), detail)

    def record_the_rest(self) -> None:
        """Copies that were filed before, as another original's or by hand: the same name and the same bytes."""
        events = []
        for name, sha256 in [key for key, waiting in self._waiting.items() for __ in waiting]:
            events.append(self._event(self.store.filed_before(name, sha256)[0]))
        if events:
            self.store.record(*events)


def copy_name(original: bytes) -> bytes:
    """The name of a copy: ``a/photo (clean).jpg`` for ``a/photo.jpg``."""
    name = marked(original, _MARK)
    return name if len(name) <= MAX_PATH_BYTES else name.rpartition(b"/")[2]


def _text(words: Sequence[str]) -> str:
    """Untrusted words in one line, with commas between them and no other comma or semicolon."""
    return ", ".join(re.sub(r"[;,]", " ", one) for one in words) or _NOTHING_KNOWN


def _words(text: str) -> tuple[str, ...]:
    return () if text == _NOTHING_KNOWN else tuple(text.split(", "))
