# SPDX-License-Identifier: Apache-2.0
"""What filing may rely on of what a case holds already: nothing that another member only says it holds.

A document that is here already is not stored again. Whoever may file into the case could make use of that: a pack whose
table names a chunk of a document that is yet to come, over other bytes, would swallow that document when it comes.
So a chunk or document in a pack that the journalist did not sign counts only after it was read back. What is in their
own packs counts until ``verify`` finds it damaged. Owns that rule; reads through ``vault.store``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from vault.errors import Damaged
from vault.index import Index
from vault.model import Item, PackId
from vault.sources import About


class Readable(Protocol):
    """What this module needs of a store."""

    index: Index

    def read_chunk(self, pack: PackId, no: int) -> tuple[bytes, bytes]:
        """A chunk's id and its bytes, which were checked against it. Raises Damaged, OSError."""

    def read(self, item: Item) -> Iterator[bytes]:
        """The document's bytes, chunk by chunk. Raises Damaged, OSError."""


class Proven:
    """The chunks and documents of a case that one run of filing may rely on. Used from several threads."""

    def __init__(self, store: Readable, me: bytes) -> None:
        """``me`` is the key that signs this journalist's packs, 32 bytes."""
        self._store, self._me = store, me
        self._authors: dict[PackId, bytes] = {}

    def find_chunk(self, chunk_id: bytes) -> tuple[PackId, int] | None:
        """Where a chunk lies: pack and number; None when it lies nowhere, or is not there when looked at."""
        return self.find_chunks([chunk_id]).get(chunk_id)

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """``find_chunk`` for many, which asks the index once; those that are not found are left out."""
        places = self._store.index.find_chunks(chunk_ids)
        for chunk_id, place in list(places.items()):
            if not (self._is_mine(place[0]) or self._holds(place, chunk_id)):
                self._store.index.forget_chunk(chunk_id)
                del places[chunk_id]
        return places

    def has_item(self, name: bytes, sha256: bytes, about: About) -> bool:
        """Whether a document of this name and content is filed, and with this said of it if anything is."""
        return any(
            self._is_mine(pack) or self._reads_back(item)
            for item, pack in self._store.index.items_of_content(name, sha256, about)
        )

    def _is_mine(self, pack: PackId) -> bool:
        if pack not in self._authors:
            self._authors[pack] = self._store.index.author_of(pack)
        return self._authors[pack] == self._me

    def _holds(self, place: tuple[PackId, int], chunk_id: bytes) -> bool:
        try:
            return self._store.read_chunk(*place)[0] == chunk_id
        except (Damaged, OSError):
            return False

    def _reads_back(self, item: Item) -> bool:
        hasher, size = hashlib.sha256(), 0
        try:
            for data in self._store.read(item):
                hasher.update(data)
                size += len(data)
        except (Damaged, OSError):
            return False
        return size == item.size and hasher.digest() == item.sha256
