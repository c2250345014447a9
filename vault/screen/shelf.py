# SPDX-License-Identifier: Apache-2.0
"""What the screen looks at: cases, lists of documents, a document, and where things are. Called from threads.

Owns the stores that stay open while one looks. It reads only; what is changed goes through the functions that the
commands call, with stores of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from vault import abroad
from vault.abroad import CaseSight
from vault.cases import Case, list_cases, load_case, open_store
from vault.errors import NotFound, VaultError, Wiped
from vault.index import IndexUnusable
from vault.model import CaseId, Event, Item, ItemId
from vault.names import printable
from vault.query import parse
from vault.searching import Part, search
from vault.store import CaseStore
from vault.vaults import Vault
from vault.whereabouts import Where

MOST_FOUND = 500
"""Documents that a search shows: who finds more looks for too little."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: a document of a case."""

    case: CaseId
    item: ItemId


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a list. Of a search also what was found where (``vault.searching``), whether there is more than is shown,
    how many documents nobody has read for searches yet, and the cases that could not be searched, or not in full."""

    rows: tuple[Row, ...]
    snippets: Mapping[Row, tuple[Part, ...]] = field(default_factory=dict)
    more: bool = False
    unread: int = 0
    unsearched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a document: its item, where it is, and the events that name it."""

    case: Case
    item: Item
    where: Where
    events: tuple[Event, ...]


class Shelf:
    """The open vault, as one looks at it. One thread at a time looks; the others wait."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._lock = threading.RLock()
        self._cases: dict[CaseId, Case] = {}
        self._stores: dict[CaseId, CaseStore] = {}

    def close(self) -> None:
        """Close the stores; the vault is its owner's. Safe to call twice."""
        with self._lock:
            for store in self._stores.values():
                with suppress(VaultError, OSError):
                    store.close()
            self._stores.clear()

    def cases(self) -> tuple[list[Case], list[tuple[CaseId, str]]]:
        """All cases of the journalist, and those that cannot be used. What is open is opened anew afterwards."""
        with self._lock:
            self.close()
            cases, unusable = list_cases(self.vault)
            self._cases = {CaseId(case.id): case for case in cases}
            return cases, unusable

    def sights(self) -> dict[CaseId, CaseSight]:
        """Where the documents of each case are; the public counter is put right on the way, as `list` does it."""
        with self._lock:
            seen = [abroad.see(case, self._store(case_id)) for case_id, case in self._cases.items()]
            abroad.put_right(self.vault, seen, list_cases(self.vault)[1])
            return {CaseId(one.case.id): one for one in seen}

    def rows(self, case: CaseId | None) -> Found:
        """The documents of one case, or of all, in the order in which they were filed."""
        with self._lock:
            chosen = list(self._cases) if case is None else [case]
            return Found(
                tuple(Row(one, item) for one in chosen for item in self._store(one, fresh=True).index.item_ids())
            )

    def find(self, case: CaseId | None, text: str) -> Found:
        """What `sandyk search` finds for what was typed, in one case or in all. Raises BadInput."""

        query = parse([text] if '"' in text else text.split())
        with self._lock:
            chosen = [one for case_id, one in self._cases.items() if case in (None, case_id)]
        snippets: dict[Row, tuple[Part, ...]] = {}
        more, unread = False, 0
        unsearched: list[str] = []
        for one in chosen:
            try:
                found = search(self.vault, [one], query, limit=MOST_FOUND - len(snippets))
            except (VaultError, OSError) as exc:
                if isinstance(exc, Wiped) or len(chosen) == 1:
                    raise
                unsearched.append(one.name)
                continue
            unsearched += [backlog.case for backlog in found.backlog if backlog.damaged]
            snippets |= {Row(CaseId(one.id), ItemId(hit.item.id)): hit.snippet for hit in found.hits}
            more, unread = more or found.more, unread + sum(backlog.unread for backlog in found.backlog)
            if more:
                break
        return Found(tuple(snippets), snippets, more, unread, tuple(unsearched))

    def items(self, rows: Sequence[Row]) -> list[Item | None]:
        """The documents of some rows; None for one that is gone."""
        with self._lock:
            return [self._store(row.case).item(row.item) for row in rows]

    def record(self, row: Row) -> Record:
        """Everything that is known of a document. Raises NotFound."""
        with self._lock:
            store = self._store(row.case, fresh=True)
            case = self._cases[row.case]
            item = store.item(row.item)
            if item is None:
                from gettext import gettext as _

                raise NotFound(_("this document is not in the case any more"))
            events = tuple(row.event for row in store.index.events() if item.id in row.event.items)
            return Record(case, item, abroad.see(case, store).places.get(item.id, Where.HERE), events)

    def beginning(self, record: Record, limit: int) -> bytes:
        """The first bytes of a document, at most ``limit``. Raises DamagedPack."""
        with self._lock:
            data = bytearray()
            for piece in self._store(CaseId(record.case.id)).read(record.item):
                data += piece[: limit - len(data)]
                if len(data) >= limit:
                    break
            return bytes(data)

    def whole(self, record: Record) -> bytes:
        """All of a document, in memory. Raises DamagedPack."""
        from vault.verifying import read_whole

        pieces: list[bytes] = []
        with self._lock:
            read_whole(self._store(CaseId(record.case.id)), record.item, pieces.append)
        return b"".join(pieces)

    def _store(self, case: CaseId, *, fresh: bool = False) -> CaseStore:
        """The case's store; ``fresh``: with what other processes filed meanwhile. Raises NotFound.

        One that another process keyed anew (a new epoch) is opened again.
        """
        store = self._stores.get(case)
        if store is not None:
            try:
                if fresh:
                    store.catch_up()
                return store
            except IndexUnusable:
                del self._stores[case]
                store.close()  # which removes an index that is damaged, and leaves one that is of a newer epoch
        known = load_case(self.vault, case) if store is not None else self._cases[case]
        if known is None:
            from gettext import gettext as _

            raise NotFound(_("you are no member of {case} any more").format(case=printable(self._cases[case].name)))
        self._cases[case] = known
        self._stores[case] = open_store(self.vault, known)
        return self._stores[case]
