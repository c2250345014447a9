# SPDX-License-Identifier: Apache-2.0
"""Putting small packs of a case together, and dropping chunks that no document needs.

Such chunks are left by an `add` or a `remove` that was interrupted. It decides which packs go together;
``vault.rewriting`` does it. Nothing is dropped while packs are missing or do not read: their documents may need it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from gettext import gettext as _

from vault import arming
from vault.cases import Case, open_store
from vault.custody import Finding
from vault.errors import DamagedPack, NotAllowed
from vault.intake import MAX_ITEMS_PER_PACK, PACK_SIZE
from vault.model import EVENT_REWRITTEN, Event, PackId
from vault.rewriting import clear_away, rewrite, used_places
from vault.store import CaseStore
from vault.vaults import Vault

SMALL = PACK_SIZE // 4
"""Stored bytes. A pack below this is put together with others, up to PACK_SIZE: so what comes of it is not small."""
MAX_ENTRIES = 1 << 16
"""Chunks, events, or packs stood for, of packs that go together: far below what a manifest takes."""


@dataclass(slots=True)
class Compacted:
    """How many packs the case had and has, by how many bytes it is smaller, and which packs were left as they are."""

    case: str
    before: int
    after: int = 0
    freed: int = 0
    left: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pack:
    pack: PackId
    size: int
    items: int
    entries: int
    has_dead: bool


def compact(
    vault: Vault, case: Case, *, progress: Callable[[int, int], None] = lambda packs, size: None
) -> Compacted:
    """Write packs anew until none is left to put together, and none holds what nobody needs. Again, it does nothing.

    Raises NotAllowed when packs are missing or do not read, Busy, DiskFailed, Wiped. Stopped anywhere, all documents
    read.
    """
    with open_store(vault, case) as store:
        if store.findings or store.missing_packs():
            raise NotAllowed(
                _("this case cannot be compacted: packs are missing or do not read"), _("nothing was changed"),
                _(
                    "sandyk verify says which; what is missing may need what lies here and nothing else "
                    "does"
                ),
            )  # fmt: skip
        done = Compacted(case.name, len(store.index.pack_ids()))
        done.freed = clear_away(store)
        passed_over: set[PackId] = set()
        while groups := list(_groups(_packs(store, passed_over))):  # again, for what was filed meanwhile
            for group in groups:
                try:
                    done.freed += _rewrite(vault, store, group)
                except DamagedPack as exc:
                    passed_over.update(group)
                    done.left += [Finding(str(exc), pack.hex()[:8]) for pack in group]
                progress(len(group), 0)
        done.after = len(store.index.pack_ids())
    return done


def _rewrite(vault: Vault, store: CaseStore, group: list[PackId]) -> int:
    def keep(pack: PackId, count: int) -> Collection[int]:
        return {no for no in used_places(store, {pack})[pack] if no < count}

    def events() -> tuple[Event, ...]:
        arming.forget(vault.folder, disk=vault.disk)  # before any pack with documents gets its name
        return (Event(vault.clock(), EVENT_REWRITTEN, (), f"{len(group)} pack(s)"),)

    return rewrite(store, group, keep, events)


def _groups(packs: Iterable[_Pack]) -> Iterator[list[PackId]]:
    """Packs to write into one, group by group; nothing when all is as it should be."""
    group: list[_Pack] = []
    for one in packs:
        if one.size >= SMALL:
            if one.has_dead:
                yield [one.pack]
        elif _fit((*group, one)):
            group.append(one)
        else:
            if _is_worth_it(group):
                yield [each.pack for each in group]
            group = [one]
    if _is_worth_it(group):
        yield [each.pack for each in group]


def _fit(together: Sequence[_Pack]) -> bool:
    return (
        sum(each.size for each in together) <= PACK_SIZE
        and sum(each.items for each in together) <= MAX_ITEMS_PER_PACK
        and sum(each.entries for each in together) <= MAX_ENTRIES
    )


def _is_worth_it(group: Sequence[_Pack]) -> bool:
    return len(group) > 1 or any(each.has_dead for each in group)


def _packs(store: CaseStore, passed_over: Collection[PackId]) -> Iterator[_Pack]:
    counts = store.index.counts()
    for row in [row for row in store.index.packs() if not row.replaced_by and row.pack not in passed_over]:
        chunks = store.index.chunks_of(row.pack)
        entries = max(len(chunks), len(store.index.replaced_by(row)), len(store.index.events_in(row.pack)))
        size = sum(chunk.stored for chunk in chunks)
        has_dead = len(used_places(store, {row.pack})[row.pack]) < len(chunks)
        yield _Pack(row.pack, size, counts.get(row.pack, 0), entries, has_dead)
