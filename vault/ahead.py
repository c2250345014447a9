# SPDX-License-Identifier: Apache-2.0
"""Reading many documents in a given order, ahead of whoever takes them: worker threads read, decrypt and unpack
while the caller hashes and seals what came before.

Owns what is read together and how far ahead; what a document's bytes are is ``vault.unpacking``'s. Memory is
bounded: at most ``AHEAD`` batches of about ``BATCH_BYTES`` wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from gettext import gettext as _
from itertools import chain, groupby
from typing import Protocol

from msgspec.structs import replace

from vault.errors import DamagedPack, VaultError
from vault.model import Extent, Item

WORKERS = 2
AHEAD = 6
BATCH_BYTES = 3 << 20
BATCH_DOCUMENTS = 128
CHUNKS_TOGETHER = 3
"""Of a large document: about as many bytes as a batch of small ones."""


class Readable(Protocol):
    """What this module needs of a store."""

    def read(self, item: Item, *, hashed_later: bool) -> Iterator[bytes]:
        """The bytes of an item's extents, chunk by chunk, of its id unless ``hashed_later``. Raises DamagedPack."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A document, or some chunks of a large one."""

    number: int
    item: Item
    part: Item
    """The item with these chunks alone."""


@dataclass(frozen=True, slots=True)
class _Read:
    job: _Job
    pieces: list[bytes]
    error: VaultError | None
    """Why it ends before its end."""


def read_in_order(
    store: Readable, items: Iterable[Item], by_ids: Container[bytes] = ()
) -> Generator[tuple[Item, Iterator[bytes]]]:
    """Each item with its bytes, chunk by chunk; to be taken one after the other.

    An item's bytes raise DamagedPack where they do not read, which costs the other items nothing; what is
    not taken of an item is skipped. Of the items whose ids are in ``by_ids`` each chunk is compared with its id. For
    the others, whoever can seal packs for the case vouches, and nothing else does: the caller must compare the
    SHA-256 of the whole. The size is the caller's to compare always.
    """
    with ThreadPoolExecutor(WORKERS, "ahead") as pool:
        waiting: deque[Future[list[_Read]]] = deque()
        try:
            for __, group in groupby(_results(pool, waiting, store, _batches(_jobs(items)), by_ids), _number):
                first = next(group)
                yield first.job.item, _bytes_of(first.job.item, chain([first], group))  # noqa: B031  # what is behind it
        finally:
            for future in waiting:
                future.cancel()


def _number(read: _Read) -> int:
    return read.job.number


def _bytes_of(item: Item, parts: Iterator[_Read]) -> Iterator[bytes]:
    left = item.size
    for part in parts:
        for piece in part.pieces:
            left -= len(piece)
            if left < 0:  # the parts cannot know: a member could point at one chunk a million times
                raise DamagedPack(_("it is longer than the size that was filed"))
            yield piece
        if part.error is not None:
            raise part.error


def _jobs(items: Iterable[Item]) -> Iterator[_Job]:
    for number, item in enumerate(items):
        if item.size <= BATCH_BYTES or not item.extents:  # a member can name a size and no bytes
            yield _Job(number, item, item)
            continue
        for extent in item.extents:
            for first in range(extent.first, extent.first + extent.count, CHUNKS_TOGETHER):
                count = min(CHUNKS_TOGETHER, extent.first + extent.count - first)
                yield _Job(number, item, replace(item, extents=(Extent(extent.pack, first, count),)))


def _batches(jobs: Iterable[_Job]) -> Iterator[list[_Job]]:
    batch: list[_Job] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += min(job.item.size, BATCH_BYTES)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _results(
    pool: ThreadPoolExecutor, waiting: deque[Future[list[_Read]]], store: Readable, batches: Iterable[list[_Job]],
    by_ids: Container[bytes],
) -> Iterator[_Read]:  # fmt: skip
    for batch in batches:
        waiting.append(pool.submit(_read_batch, store, batch, by_ids))
        if len(waiting) > AHEAD:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _read_batch(store: Readable, batch: list[_Job], by_ids: Container[bytes]) -> list[_Read]:
    return [_read(store, job, hashed_later=job.item.id not in by_ids) for job in batch]


def _read(store: Readable, job: _Job, *, hashed_later: bool) -> _Read:
    pieces: list[bytes] = []
    try:
        pieces.extend(store.read(job.part, hashed_later=hashed_later))
    except VaultError as exc:
        return _Read(job, pieces, exc)
    return _Read(job, pieces, None)
