# SPDX-License-Identifier: Apache-2.0
"""The way in: documents are cut, hashed, packed and handed to the writer, on all cores and in bounded memory.

    caller's thread   finds documents, reads the large ones; decides what is new; cuts packs
    two workers       read and hash small files by the batch, then compress by the block
    one hasher        SHA-256 of documents of several pieces, which is sequential
    one writer        encryption and the disk; commits a finished pack

Order is kept throughout: batches are taken up in the order they came, so a pack's contents depend
on the documents alone. All decisions are the caller's thread's, so none needs a lock. Knows nothing
of chains and signatures: a full pack goes to the ``commit`` it was given.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from vault.blocks import ALONE_SIZE, BLOCK_SIZE
from vault.errors import ReadFailed
from vault.marks import mark_of
from vault.model import Chunk, Item, ItemId, PackId
from vault.padding import padme
from vault.reading import Block, Document, Piece, Spot, work_through
from vault.sources import CHUNK_SIZE, About, FileIncoming, Incoming, Problem

PACK_SIZE = 30 << 20
"""From here on a pack is closed as soon as little of it would be padding: measured, docs/performance.md."""
LONGEST = 6
"""… and at the latest when it is longer by one part in so many."""
LITTLE = 256
"""Padding is little when it is at most one part in so many."""
MAX_ITEMS_PER_PACK = 16_384
BATCH_BYTES = 4 << 20
BATCH_DOCUMENTS = 256
BATCHES_AHEAD = 3
WRITES_AHEAD = 12
WRITE_BYTES = 1 << 20
HASHES_AHEAD = 12
WORKERS = 2


class OpenPack(Protocol):
    """Where chunks go. ``vault.pack.PackWriter`` is one."""

    pack: PackId

    def add_chunks(self, stored: Sequence[bytes]) -> None:
        """Append stored chunks."""

    def abandon(self) -> None:
        """Forget everything."""


class KnownChunks(Protocol):
    """What the case holds already. ``vault.proving.Proven`` is one."""

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """Where those of the chunks lie that are known."""

    def find_item(self, name: bytes, sha256: bytes, about: About) -> ItemId | None:
        """As which item a document of this name and content is filed, and with this said of it if anything is."""

    def find_marks(self, marks: Sequence[bytes]) -> dict[bytes, tuple[ItemId, int, bytes]]:
        """The item that each known mark stands for, its size and SHA-256."""

    def remember_marks(self, marks: Sequence[tuple[bytes, ItemId]]) -> None:
        """Let marks stand for items that the case holds."""


@dataclass(frozen=True, slots=True)
class Filed:
    """One document that is in the vault now; ``item`` is None when the same name and content was there before."""

    incoming: Incoming
    item: ItemId | None
    size: int
    sha256: bytes


_Step = tuple[Block | None, list[Document]]
"""A block to place, and the documents that are whole with it."""


class Intake:
    """One run of filing. ``begin`` opens a new pack, ``commit`` makes a full one durable and known.

    With ``together`` every item goes into the last pack, so that they are filed all or not at all. With
    ``rehash`` every file is read, also one that looks unchanged since it was filed.
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
        rehash: bool = False,
        progress: Callable[[int, int], None] = lambda documents, size: None,
        note: Callable[[Filed], None] | None = None,
    ) -> None:
        self._id_key, self._known, self._begin, self._commit = id_key, known, begin, commit
        self._new_id, self._clock, self._about, self._together = new_id, clock, about, together
        self._rehash, self._progress = rehash, progress
        self._fresh: dict[bytes, Spot] = {}  # chunks of this run that the index does not know yet
        self._pending: dict[tuple[bytes, bytes, About], ItemId] = {}  # and items
        self._found: list[Document] = []
        self._batch: list[Piece] = []
        self._batch_bytes = 0
        self._reading: deque[Future[list[Piece]]] = deque()
        self._packing: deque[tuple[Future[None] | None, list[_Step]]] = deque()
        self._pack: OpenPack | None = None
        self._unfinished: list[OpenPack] = []
        self._chunks: list[Chunk] = []
        self._documents: list[tuple[ItemId, Document]] = []
        self._marks: list[tuple[bytes, ItemId]] = []
        self._pack_bytes = self._table_bytes = 0
        self._stored: list[bytes] = []
        self._stored_bytes = 0
        self._writing: deque[tuple[Future[None], Callable[[], None] | None]] = deque()
        self.filed: list[Filed] = []
        """What was filed, unless it was to be told to ``note`` instead: a million of these take 800 MB."""
        self._note = note or self.filed.append
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
                    self._find(document)
                self._look_up()
                self._submit()
                self._settle(0)
                self._close_pack(final=True)
                self._drain(0)
                self._known.remember_marks(self._marks)
            except BaseException:
                for future in (*self._reading, *(f for f, _ in self._packing), *(f for f, _ in self._writing)):
                    if future is not None:
                        future.cancel()
                for pack in self._unfinished:
                    self._write_lane.submit(pack.abandon)
                raise

    # Finding and reading

    def _find(self, found: Incoming | Problem) -> None:
        """Gather files, to ask for many at once whether they are known; everything else keeps its place in order."""
        if isinstance(found, FileIncoming) and found.status is not None:
            self._found.append(Document(found))
            if len(self._found) >= BATCH_DOCUMENTS:
                self._look_up()
            return
        self._look_up()
        if isinstance(found, Problem):
            self.problems.append(found)
        else:
            self._read(Document(found))

    def _look_up(self) -> None:
        found, self._found = self._found, []
        if found and not self._rehash:
            now = self._clock()
            for document in found:
                document.mark = mark_of(document.incoming, document.incoming.about or self._about, now)
            known = self._known.find_marks([document.mark for document in found if document.mark])
            for document in found:
                if document.mark in known:
                    document.known, document.size, document.sha256 = known[document.mark]
        for document in found:
            status = document.incoming.status if isinstance(document.incoming, FileIncoming) else None
            if document.known is not None or (status and status.st_size <= CHUNK_SIZE):
                self._add(Piece(document, None, True), status.st_size if status and document.known is None else 0)
            else:
                self._read(document)

    def _read(self, document: Document) -> None:
        try:
            for data, last in document.incoming.pieces():
                document.size += len(data)
                if document.hasher is None and not last:
                    document.hasher = hashlib.sha256()
                if document.hasher is not None:
                    # In one lane, so that the pieces reach the hash in order.
                    document.hashing.append(self._hash_lane.submit(document.hasher.update, data))
                    while len(document.hashing) > HASHES_AHEAD:
                        document.hashing.popleft().result()
                self._add(Piece(document, data, last), len(data))
        except ReadFailed as exc:
            self.problems.append(Problem(document.incoming.name, str(exc)))

    def _add(self, piece: Piece, size: int) -> None:
        self._batch.append(piece)
        self._batch_bytes += size
        if self._batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_DOCUMENTS:
            self._submit()
            self._settle(BATCHES_AHEAD)

    def _submit(self) -> None:
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if all(piece.document.known is not None for piece in batch):
            done: Future[list[Piece]] = Future()
            done.set_result(batch)  # nothing to read: waking a worker would be all that it costs
            self._reading.append(done)
        else:
            self._reading.append(self._workers.submit(work_through, batch, self._id_key))

    # Deciding what is new

    def _settle(self, leave: int) -> None:
        """Take up finished batches, in order, until at most ``leave`` are being read and as many being packed."""
        while len(self._reading) > leave:
            self._sort_out(self._reading.popleft().result())
            while len(self._packing) > leave:
                self._place_next()
        while len(self._packing) > leave:
            self._place_next()

    def _sort_out(self, batch: list[Piece]) -> None:
        """Put the chunks of a batch that are new into blocks, and have these packed."""
        ids = {piece.chunk_id for piece in batch if piece.data} - self._fresh.keys()
        known = self._known.find_chunks(list(ids)) if ids else {}
        steps: list[_Step] = []
        block, whole = Block(), list[Document]()
        for piece in batch:
            document, data = piece.document, piece.data
            if document.problem is not None:
                self.problems.append(Problem(document.incoming.name, document.problem))
                continue
            if data:
                self._progress(0, len(data))
                spot = self._fresh.get(piece.chunk_id) or known.get(piece.chunk_id)
                if spot is None:
                    if block.pieces and len(data) >= ALONE_SIZE:
                        steps.append((block, whole))
                        block, whole = Block(), []
                    spot = self._fresh[piece.chunk_id] = block, len(block.pieces)
                    block.pieces.append((piece.chunk_id, data))
                    block.size += len(data)
                    document.new = True
                document.spots.append(spot)
            if piece.last:
                whole.append(document)
            if block.size >= BLOCK_SIZE or (block.size and data and len(data) >= ALONE_SIZE):
                steps.append((block, whole))
                block, whole = Block(), []
        steps.append((block if block.pieces else None, whole))
        blocks = [block for block, _ in steps if block is not None]
        self._packing.append((self._workers.submit(_pack_up, blocks) if blocks else None, steps))

    # Placing, in order

    def _place_next(self) -> None:
        packed, steps = self._packing.popleft()
        if packed is not None:
            packed.result()
        for block, whole in steps:
            if block is not None:
                self._place(block)
            for document in whole:
                self._finish_document(document)
            if self._is_full():
                self._close_pack()

    def _place(self, block: Block) -> None:
        pack = self._open_pack()
        block.pack, block.first = pack.pack, len(self._chunks)
        self._chunks += block.table
        self._pack_bytes += len(block.stored)
        self._table_bytes += 38 * len(block.table)  # an id cannot be compressed
        self._stored.append(block.stored)
        self._stored_bytes += len(block.stored)
        block.stored, block.table = b"", []
        if self._stored_bytes >= WRITE_BYTES:
            self._hand_over(pack)

    def _hand_over(self, pack: OpenPack) -> None:
        """Give the writer the blocks that were gathered: handing over costs more than encrypting a small one."""
        if self._stored:
            stored, self._stored, self._stored_bytes = self._stored, [], 0
            self._write(partial(pack.add_chunks, stored))

    def _open_pack(self) -> OpenPack:
        if self._pack is None:
            self._pack = self._begin()
            self._unfinished.append(self._pack)
        return self._pack

    def _finish_document(self, document: Document) -> None:
        incoming = document.incoming
        self._progress(1, 0)
        if document.known is not None:
            self._note(Filed(incoming, None, document.size, document.sha256))
            return
        if document.hasher is not None:
            document.sha256 = self._hash_lane.submit(document.hasher.digest).result()
        key = (incoming.name, document.sha256, incoming.about or self._about)
        # Not asked of a document with a new chunk: if one of this content is listed, what it stood on is lost.
        same = None if document.new else self._pending.get(key) or self._known.find_item(*key)
        item = same or self._new_id()
        if document.mark and isinstance(incoming, FileIncoming) and incoming.was_read_as_found:
            self._marks.append((document.mark, item))
        if same is None:
            self._open_pack()
            self._documents.append((item, document))
            self._table_bytes += 90 + len(incoming.name) // 2
            self._pending[key] = item
        self._note(Filed(incoming, None if same else item, document.size, document.sha256))

    def _is_full(self) -> bool:
        if len(self._documents) >= MAX_ITEMS_PER_PACK and not self._together:
            return True
        if self._pack_bytes < PACK_SIZE:
            return False
        size = self._pack_bytes + self._table_bytes
        return padme(size) - size <= size // LITTLE or self._pack_bytes - PACK_SIZE >= PACK_SIZE // LONGEST

    # Writing

    def _close_pack(self, *, final: bool = False) -> None:
        documents: list[tuple[ItemId, Document]] = []
        if self._documents and (final or not self._together):
            self._open_pack()
            documents, self._documents = self._documents, []
        pack = self._pack
        if pack is None:
            return
        self._hand_over(pack)
        items = tuple(self._item(item, document, pack.pack) for item, document in documents)
        chunks, marks = tuple(self._chunks), []
        if not self._together:
            marks, self._marks = self._marks, []
        self._pack, self._chunks, self._pack_bytes, self._table_bytes = None, [], 0, 0
        self._write(partial(self._commit_pack, pack, chunks, items, marks), partial(self._committed, chunks, items))

    def _item(self, item: ItemId, document: Document, pack: PackId) -> Item:
        incoming = document.incoming
        about = incoming.about or self._about
        return Item(
            item, incoming.name, document.size, document.sha256, incoming.mtime_ns, self._clock(),
            about.note, about.source, about.tags, incoming.origin, incoming.signer, document.extents_in(pack),
        )  # fmt: skip

    def _commit_pack(
        self, pack: OpenPack, chunks: tuple[Chunk, ...], items: tuple[Item, ...], marks: list[tuple[bytes, ItemId]]
    ) -> None:
        """The writer's part."""
        self._commit(pack, chunks, items)
        self._unfinished.remove(pack)
        self.committed += len(items)
        self._known.remember_marks(marks)

    def _committed(self, chunks: tuple[Chunk, ...], items: tuple[Item, ...]) -> None:
        """From here on the index answers for them."""
        for chunk in chunks:
            self._fresh.pop(chunk.id, None)
        for item in items:
            self._pending.pop((item.name, item.sha256, About(item.note, item.source, item.tags)), None)

    def _write(self, act: Callable[[], None], after: Callable[[], None] | None = None) -> None:
        self._writing.append((self._write_lane.submit(act), after))
        self._drain(WRITES_AHEAD)

    def _drain(self, leave: int) -> None:
        while len(self._writing) > leave or (self._writing and self._writing[0][0].done()):
            future, after = self._writing.popleft()
            future.result()
            if after is not None:
                after()


def _pack_up(blocks: list[Block]) -> None:
    for block in blocks:
        block.pack_up()


def new_item_id() -> ItemId:
    """16 random bytes."""
    return ItemId(os.urandom(16))
