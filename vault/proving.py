# SPDX-License-Identifier: Apache-2.0
"""What may be relied on of what a case holds already: nothing that another member only says it holds.

A document that is here already is not stored again. Whoever may file into the case could make use of that: a pack whose
table names a chunk of a document that is yet to come, over other bytes, would swallow that document when it comes.
So a chunk or document in a pack that the journalist did not sign counts only after it was read back. What is in their
own packs counts until ``verify`` finds it damaged. Owns that rule, for filing and for sealing; reads through
``vault.store``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from vault.errors import Damaged
from vault.index import Index
from vault.model import Item, ItemId, PackId
from vault.sources import About


class Readable(Protocol):
    """What this module needs of a store."""

    index: Index

    def read_chunk(self, pack: PackId, no: int) -> tuple[bytes, bytes]:
        """A chunk's id and its bytes, which were checked against it. Raises Damaged, OSError."""

    def usable_packs(self) -> set[PackId]:
        """The packs that are on the disk and in the index."""

    def read(self, item: Item) -> Iterator[bytes]:
        """The document's bytes, chunk by chunk. Raises Damaged, OSError."""


def with_known_digest(store: Readable, me: bytes, items: Sequence[Item]) -> frozenset[ItemId]:
    """The items whose bytes have the stated SHA-256 if each chunk has the id that its pack's table states.

    Those that packs of ``me`` list, and that lie in packs of ``me`` alone: who signs a pack has computed both digests
    over the same bytes, when it was filed or when it was written anew. Of others that is only said.
    """
    mine: dict[bytes, bool] = {}
    listed = store.index.listed_by(me, [item.id for item in items])

    def is_mine(pack: bytes) -> bool:
        if pack not in mine:
            mine[pack] = store.index.author_of(PackId(pack)) == me
        return mine[pack]

    return frozenset(
        ItemId(item.id) for item in items if item.id in listed and all(is_mine(e.pack) for e in item.extents)
    )


class Proven:
    """The chunks and documents of a case that one run of filing may rely on. Used from several threads."""

    def __init__(self, store: Readable, me: bytes) -> None:
        """``me`` is the key that signs this journalist's packs, 32 bytes."""
        self._store, self._me = store, me
        self._authors: dict[PackId, bytes] = {}
        self._packs: set[PackId] | None = None

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """Where chunks lie: pack and number; those that lie nowhere, or are not there when looked at, are left out."""
        places = self._store.index.find_chunks(chunk_ids)
        for chunk_id, place in list(places.items()):
            if not (self._is_mine(place[0]) or self._holds(place, chunk_id)):
                self._store.index.forget_chunk(chunk_id)
                del places[chunk_id]
        return places

    def find_item(self, name: bytes, sha256: bytes, about: About) -> ItemId | None:
        """As which item a document of this name and content is filed, and with this said of it if anything is."""
        for item, pack in self._store.index.items_of_content(name, sha256, about):
            if self._is_mine(pack) or self._reads_back(item):
                return ItemId(item.id)
        return None

    def find_marks(self, marks: Sequence[bytes]) -> dict[bytes, tuple[ItemId, int, bytes]]:
        """The item that each mark stands for, its size and SHA-256, as far as all of its packs are here."""
        if self._packs is None:
            self._packs = self._store.usable_packs()
        return {
            mark: (ItemId(item.id), item.size, item.sha256)
            for mark, item in self._store.index.items_of_marks(marks)
            if all(extent.pack in self._packs for extent in item.extents)
        }

    def remember_marks(self, marks: Sequence[tuple[bytes, ItemId]]) -> None:
        """Let marks stand for items that were filed, or found by ``find_item``."""
        self._store.index.remember_marks(marks)

    def _is_mine(self, pack: PackId) -> bool:
        if pack not in self._authors:
            self._authors[pack] = self._store.index.author_of(pack)
        return self._authors[pack] == self._me

    def _holds(self, place: tuple[PackId, int], chunk_id: bytes) -> bool:
        try:
            return self._store.read_chunk(*place)[0] == chunk_id
        except Damaged:
            return False

    def _reads_back(self, item: Item) -> bool:
        hasher, size = hashlib.sha256(), 0
        try:
            for data in self._store.read(item):
                hasher.update(data)
                size += len(data)
        except Damaged:
            return False
        return size == item.size and hasher.digest() == item.sha256
