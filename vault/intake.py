# SPDX-License-Identifier: Apache-2.0
"""The way in: documents are cut, hashed, packed and handed to the writer, on all cores and in bounded memory.

    caller's thread   reads files, in order; decides what is new; cuts packs
    two workers       keyed BLAKE3, SHA-256, zstd: everything that lets go of the interpreter
    one hasher        SHA-256 of documents of several pieces, which is sequential
    one writer        encryption and the disk; commits a finished pack

Order is kept throughout: batches are taken up in the order they were read, so a pack's
contents depend on the documents alone. Knows nothing of chains and signatures: a full
pack goes to the ``commit`` it was given.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import zstandard
from blake3 import blake3
from msgspec.structs import replace

from vault.errors import ReadFailed
from vault.model import PACKING_NONE, PACKING_ZSTD, Chunk, Extent, Item, ItemId, PackId
from vault.sources import About, Incoming, Problem

PACK_SIZE = 32 << 20
"""A pack is closed when its chunks reach this size: measured, docs/performance.md."""
MAX_ITEMS_PER_PACK = 16_384
BATCH_BYTES = 4 << 20
BATCH_DOCUMENTS = 128
BATCHES_AHEAD = 6
WRITES_AHEAD = 32
WRITE_BYTES = 1 << 20
HASHES_AHEAD = 32
WORKERS = 2
_LEVEL = 3
_PROBE_SIZE = 8 << 10


class OpenPack(Protocol):
    """Where chunks go. ``vault.pack.PackWriter`` is one."""

    pack: PackId

    def add_chunks(self, stored: Sequence[bytes]) -> None:
        """Append stored chunks."""

    def abandon(self) -> None:
        """Forget everything."""


class KnownChunks(Protocol):
    """What the case holds already. ``vault.index.Index`` is one."""

    def find_chunk(self, chunk_id: bytes) -> tuple[PackId, int] | None:
        """Where a chunk lies."""

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """Where those of the chunks lie that are known."""

    def has_item(self, name: bytes, sha256: bytes, about: About) -> bool:
        """Whether a document of this name and content is filed, and with this said of it if anything is."""


@dataclass(frozen=True, slots=True)
class Filed:
    """One document that is in the vault now; ``item`` is None when the same name and content was there before."""

    incoming: Incoming
    item: ItemId | None
    size: int
    sha256: bytes


@dataclass(slots=True)
class _Document:
    incoming: Incoming
    size: int = 0
    runs: list[Extent] = field(default_factory=list)
    hasher: Any = None
    hashing: deque[Future[None]] = field(default_factory=deque)
    sha256: bytes = b""
    new: bool = False
    """Whether one of its chunks was not in the vault: then the document was not either."""

    def place(self, pack: PackId, no: int) -> None:
        last = self.runs[-1] if self.runs else None
        if last and last.pack == pack and last.first + last.count == no:
            self.runs[-1] = Extent(pack, last.first, last.count + 1)
        else:
            self.runs.append(Extent(pack, no, 1))


@dataclass(frozen=True, slots=True)
class _Piece:
    document: _Document
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class _Worked:
    chunk_id: bytes
    raw: int
    stored: bytes
    """What a pack is to hold of it; nothing when the chunk has a place already."""
    packing: int
    place: tuple[PackId, int] | None
    commits: int
    """How many packs were committed before the worker looked for a place."""
    piece: _Piece


class Intake:
    """One run of filing. ``begin`` opens a new pack, ``commit`` makes a full one durable and known.

    With ``together`` every item goes into the last pack, so that they are filed all or not at all.
    """

    def __init__(
        self,
        *,
        id_key: bytes,
        known: KnownChunks,
        begin: Callable[[], OpenPack],
        commit: Callable[[Any, tuple[Chunk, ...], tuple[Item, ...]], None],
        new_id: Callable[[], ItemId],
        clock: Callable[[], int],
        about: About = About(),
        together: bool = False,
        progress: Callable[[int, int], None] = lambda documents, size: None,
    ) -> None:
        self._id_key, self._known, self._begin, self._commit = id_key, known, begin, commit
        self._new_id, self._clock, self._about, self._together = new_id, clock, about, together
        self._progress = progress
        self._fresh: dict[bytes, tuple[PackId, int]] = {}  # placed by this run, not yet known to the index
        self._pack: OpenPack | None = None
        self._unfinished: list[OpenPack] = []
        self._commits = 0
        self._chunks: list[Chunk] = []
        self._items: list[Item] = []
        self._pending: set[tuple[bytes, bytes, About]] = set()
        self._pack_bytes = 0
        self._stored: list[bytes] = []
        self._stored_bytes = 0
        self._batch: list[_Piece] = []
        self._batch_bytes = 0
        self._working: deque[Future[list[_Worked]]] = deque()
        self._writing: deque[Future[None]] = deque()
        self._local = threading.local()
        self.filed: list[Filed] = []
        self.committed = 0
        self.problems: list[Problem] = []

    def run(self, incoming: Iterable[Incoming | Problem]) -> None:
        """File everything. What cannot be read is in ``problems``; any other error stops the run, and the packs
        committed before it stay filed."""
        with (
            ThreadPoolExecutor(WORKERS, "pack") as self._workers,
            ThreadPoolExecutor(1, "hash") as self._hash_lane,
            ThreadPoolExecutor(1, "write") as self._write_lane,
        ):
            try:
                for document in incoming:
                    if isinstance(document, Problem):
                        self.problems.append(document)
                    else:
                        self._read(document)
                self._submit()
                self._settle(0)
                self._close_pack(final=True)
                self._drain(0)
            except BaseException:
                for working in self._working:
                    working.cancel()
                for writing in self._writing:
                    writing.cancel()
                for pack in self._unfinished:
                    self._write_lane.submit(pack.abandon)
                raise

    def _read(self, incoming: Incoming) -> None:
        document = _Document(incoming)
        try:
            for data, last in incoming.pieces():
                document.size += len(data)
                self._progress(0, len(data))
                if document.hasher is None and not last:
                    document.hasher = hashlib.sha256()
                if document.hasher is not None:
                    # In one lane, so that the pieces reach the hash in order.
                    document.hashing.append(self._hash_lane.submit(document.hasher.update, data))
                    while len(document.hashing) > HASHES_AHEAD:
                        document.hashing.popleft().result()
                self._batch.append(_Piece(document, data, last))
                self._batch_bytes += len(data)
                if self._batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_DOCUMENTS:
                    self._submit()
                    self._settle(BATCHES_AHEAD)
        except ReadFailed as exc:
            self.problems.append(Problem(incoming.name, str(exc)))

    def _submit(self) -> None:
        if self._batch:
            self._working.append(self._workers.submit(self._work, self._batch))
            self._batch, self._batch_bytes = [], 0

    def _work(self, batch: list[_Piece]) -> list[_Worked]:
        ids = []
        for piece in batch:
            if piece.last and piece.document.hasher is None:
                piece.document.sha256 = hashlib.sha256(piece.data).digest()
            ids.append(blake3(piece.data, key=self._id_key).digest())
        commits = self._commits
        places = {chunk_id: place for chunk_id in ids if (place := self._fresh.get(chunk_id))}
        places |= self._known.find_chunks([chunk_id for chunk_id in ids if chunk_id not in places])
        done = []
        for piece, chunk_id in zip(batch, ids, strict=True):
            place = places.get(chunk_id) if piece.data else None
            stored, packing = (b"", PACKING_NONE) if place or not piece.data else self._compress(piece.data)
            done.append(_Worked(chunk_id, len(piece.data), stored, packing, place, commits, piece))
        return done

    def _compress(self, data: bytes) -> tuple[bytes, int]:
        """zstd where it helps; a probe from the middle spares what is compressed already."""
        if not hasattr(self._local, "zstd"):
            self._local.zstd = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
            self._local.probe = zstandard.ZstdCompressor(level=1)
        if len(data) > 4 * _PROBE_SIZE:
            middle = len(data) // 2
            probe = data[middle : middle + _PROBE_SIZE]
            if len(self._local.probe.compress(probe)) > 0.97 * _PROBE_SIZE:
                return data, PACKING_NONE
        packed: bytes = self._local.zstd.compress(data)
        return (packed, PACKING_ZSTD) if len(packed) < 0.98 * len(data) else (data, PACKING_NONE)

    def _settle(self, leave: int) -> None:
        """Take up finished batches, in order, until at most ``leave`` are under way."""
        while len(self._working) > leave:
            for worked in self._working.popleft().result():
                self._take_up(worked)

    def _take_up(self, worked: _Worked) -> None:
        piece = worked.piece
        if piece.data:
            pack, no = self._place(worked)
            piece.document.place(pack, no)
        if piece.last:
            self._finish_document(piece.document)
        if self._pack_bytes >= PACK_SIZE or (len(self._items) >= MAX_ITEMS_PER_PACK and not self._together):
            self._close_pack()

    def _place(self, worked: _Worked) -> tuple[PackId, int]:
        place = worked.place or self._fresh.get(worked.chunk_id)
        if place is None and worked.commits != self._commits:
            # The chunk may have gone from the fresh ones into the index since the worker looked.
            place = self._known.find_chunk(worked.chunk_id)
        if place is not None:
            return place
        worked.piece.document.new = True
        pack = self._open_pack()
        place = (pack.pack, len(self._chunks))
        self._chunks.append(Chunk(worked.chunk_id, len(worked.stored), worked.raw, worked.packing))
        self._pack_bytes += len(worked.stored)
        self._fresh[worked.chunk_id] = place
        self._stored.append(worked.stored)
        self._stored_bytes += len(worked.stored)
        if self._stored_bytes >= WRITE_BYTES:
            self._hand_over(pack)
        return place

    def _hand_over(self, pack: OpenPack) -> None:
        """Give the writer the chunks that were gathered: handing over costs more than encrypting a small one."""
        if self._stored:
            stored, self._stored, self._stored_bytes = self._stored, [], 0
            self._write(pack.add_chunks, stored)

    def _open_pack(self) -> OpenPack:
        if self._pack is None:
            self._pack = self._begin()
            self._unfinished.append(self._pack)
        return self._pack

    def _finish_document(self, document: _Document) -> None:
        incoming = document.incoming
        if document.hasher is not None:
            document.sha256 = self._hash_lane.submit(document.hasher.digest).result()
        self._progress(1, 0)
        about = incoming.about or self._about
        key = (incoming.name, document.sha256, about)
        # Not asked of a document with a new chunk: if one of this content is listed, what it stood on is lost.
        if not document.new and (key in self._pending or self._known.has_item(*key)):
            self.filed.append(Filed(incoming, None, document.size, document.sha256))
            return
        item = Item(
            self._new_id(), incoming.name, document.size, document.sha256, incoming.mtime_ns, self._clock(),
            about.note, about.source, about.tags, incoming.origin, incoming.signer,
            tuple(document.runs),
        )  # fmt: skip
        self._open_pack()
        self._items.append(item)
        self._pending.add(key)
        self.filed.append(Filed(incoming, ItemId(item.id), document.size, document.sha256))

    def _close_pack(self, *, final: bool = False) -> None:
        if self._items and (final or not self._together):
            pack, held = self._open_pack(), self._items
            items = tuple(_localised(item, pack.pack) for item in held)
            self._items = []
        elif self._pack is not None:
            pack, items = self._pack, ()
        else:
            return
        self._hand_over(pack)
        chunks = tuple(self._chunks)
        self._pack, self._chunks, self._pack_bytes = None, [], 0
        self._write(self._commit_pack, pack, chunks, items)

    def _commit_pack(self, pack: OpenPack, chunks: tuple[Chunk, ...], items: tuple[Item, ...]) -> None:
        self._commit(pack, chunks, items)
        self._unfinished.remove(pack)
        self.committed += len(items)
        # From here on the index answers for them. Counted before they go, so that whoever misses them looks there.
        self._commits += 1
        for chunk in chunks:
            self._fresh.pop(chunk.id, None)
        self._pending.difference_update(
            [(item.name, item.sha256, About(item.note, item.source, item.tags)) for item in items]
        )

    def _write(self, act: Callable[..., None], *arguments: object) -> None:
        self._writing.append(self._write_lane.submit(act, *arguments))
        self._drain(WRITES_AHEAD)

    def _drain(self, leave: int) -> None:
        while len(self._writing) > leave or (self._writing and self._writing[0].done()):
            self._writing.popleft().result()


def _localised(item: Item, pack: PackId) -> Item:
    """The item as the pack's own manifest says it: the pack itself goes without its name."""
    if not any(extent.pack == pack for extent in item.extents):
        return item
    extents = tuple(Extent(b"", e.first, e.count) if e.pack == pack else e for e in item.extents)
    return replace(item, extents=extents)


def new_item_id() -> ItemId:
    """16 random bytes."""
    return ItemId(os.urandom(16))
