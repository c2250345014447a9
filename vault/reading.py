# SPDX-License-Identifier: Apache-2.0
"""Documents on their way through filing: read, hashed and told apart, a batch at a time.

A worker reads a batch of small files whole and hashes each, in one call: handing over between threads
costs more than reading one of them. Owns nothing but these values and that work; what is new, and where
it goes, is decided by ``vault.intake``.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from blake3 import blake3

from vault.blocks import pack_block
from vault.errors import ReadFailed
from vault.model import Chunk, Extent, ItemId, PackId
from vault.sources import FileIncoming, Incoming


class Block:
    """Chunks that go into a pack together. ``pack`` and ``first`` are known once it was placed."""

    __slots__ = ("first", "pack", "pieces", "size", "stored", "table")

    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, bytes]] = []
        """Id and bytes of each chunk, until they were packed."""
        self.size = 0
        self.stored = b""
        self.table: list[Chunk] = []
        self.pack = PackId(b"")
        self.first = -1

    def pack_up(self) -> None:
        """Compress it: a worker's part."""
        self.stored, self.table = pack_block(self.pieces)
        self.pieces = []


Spot = tuple[Block, int] | tuple[PackId, int]
"""Where a chunk is: its number in a block of this run, or in a pack that the case holds."""


class Document:
    """One document on its way in."""

    __slots__ = ("hasher", "hashing", "incoming", "known", "mark", "new", "problem", "sha256", "size", "spots")

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.size = 0
        self.sha256 = b""
        self.spots: list[Spot] = []
        self.hasher: Any = None
        self.hashing: deque[Future[None]] = deque()
        self.problem: str | None = None
        self.new = False
        """Whether one of its chunks was not in the vault: then the document was not either."""
        self.mark = b""
        """What an unchanged file is known by (``vault.marks``); empty when there is no relying on it."""
        self.known: ItemId | None = None
        """As which item it is filed already, when that was told without reading it."""

    def extents(self) -> Iterable[tuple[PackId, int, int]]:
        """Pack, number of the first chunk, and how many, for each run of chunks. All blocks must have been placed."""
        pack, first, count = PackId(b""), 0, 0
        for where, no in self.spots:
            at, number = (where.pack, where.first + no) if isinstance(where, Block) else (where, no)
            if count and at == pack and number == first + count:
                count += 1
                continue
            if count:
                yield pack, first, count
            pack, first, count = at, number, 1
        if count:
            yield pack, first, count

    def extents_in(self, manifest_of: PackId) -> tuple[Extent, ...]:
        """The same as a pack's own manifest says it: the pack itself goes without its name."""
        return tuple(Extent(b"" if pack == manifest_of else pack, first, n) for pack, first, n in self.extents())


class Piece:
    """A chunk of a document. Without ``data`` it stands for a whole small file that is yet to be read."""

    __slots__ = ("chunk_id", "data", "document", "last")

    def __init__(self, document: Document, data: bytes | None, last: bool) -> None:
        self.document, self.data, self.last = document, data, last
        self.chunk_id = b""


def work_through(batch: list[Piece], id_key: bytes) -> list[Piece]:
    """Read what is unread, and hash: SHA-256 of documents of one piece, the ids of all chunks."""
    for piece in batch:
        document, data = piece.document, piece.data
        if data is None:
            if document.known is not None or not isinstance(document.incoming, FileIncoming):
                continue
            try:
                data = document.incoming.read_small()
            except ReadFailed as exc:
                document.problem = str(exc)
                continue
            piece.data, document.size = data, len(data)
        if piece.last and document.hasher is None:
            document.sha256 = hashlib.sha256(data).digest()
        if data:
            piece.chunk_id = blake3(data, key=id_key).digest()
    return batch
