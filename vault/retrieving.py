# SPDX-License-Identifier: Apache-2.0
"""Getting documents out of a case, into a folder that the user chose, and removing originals that were filed.

Both stand on the same rule: a document counts only after its bytes were read back from
its pack and their SHA-256 compared.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _

from vault.errors import Damaged, DiskFailed, VaultError, Wiped
from vault.intake import Filed
from vault.interrupts import undisturbed
from vault.model import EVENT_COPIED_OUT, EVENT_MOVED, ID_SIZE, Event, Item
from vault.names import SafePath, marked
from vault.outside import OutFolder, OutWriter
from vault.sources import FileIncoming, Problem, reason_of
from vault.store import CaseStore
from vault.verifying import read_whole

WORKERS = 2
BATCH_DOCUMENTS = 128
BATCH_BYTES = 8 << 20
BATCHES_AHEAD = 8


@dataclass(frozen=True, slots=True)
class CopiedOut:
    """A document that was written to ``path``."""

    item: Item
    path: str


_Work = tuple[bytes, Item | None, int]
"""An id, the item, if it is still there, and how its path is spelled."""
_Result = CopiedOut | Problem
_PLACE = struct.Struct(">IIB16s")
"""Of an item: in which pack of those seen so far, from which chunk on, how its path is spelled, and its id. Sorted as
bytes, these are in the order in which the items lie, and a million of them take 70 MB."""


def get(
    store: CaseStore, items: Iterable[Item], folder: str, *, force: bool = False,
    progress: Callable[[int, int], None] = lambda documents, size: None,
) -> Generator[CopiedOut | Problem]:  # fmt: skip
    """Write documents below ``folder`` under the paths they were filed with; each result as it is done, in the order
    in which they lie in the packs: then each block is unpacked once. ``items`` may be of any number; none is kept.

    Two documents of one path (two versions) both come out: the later one of ``items`` with its id in its name.
    The copies are noted in the custody record when the last one is done, or when Ctrl-C or an error stops it; where
    the record cannot be written, that is the last Problem. Raises DiskFailed.
    """
    out = OutFolder(folder)
    copied: deque[bytes] = deque()
    work = partial(_copy_batch, store, out, force, copied)
    places = sorted(_places(items))
    note = partial(_note_copies, store, copied)
    with _also_when_stopped(note), ThreadPoolExecutor(WORKERS) as pool:
        for result in _in_order(pool, work, _batches(_found_again(store, places))):
            if isinstance(result, CopiedOut):
                progress(1, result.item.size)
            yield result
    try:
        note()
    except DiskFailed as exc:  # a read-only medium: the copies are there all the same, and that must be said
        count = sum(map(len, copied)) // ID_SIZE
        reason = _("the {count} document(s) that were copied out could not be noted: {reason}")
        yield _not_noted(reason.format(count=count, reason=exc))


@contextmanager
def _also_when_stopped(note: Callable[[], None]) -> Iterator[None]:
    """Note in the custody record what was done until Ctrl-C or an error came."""
    try:
        yield
    except BaseException:
        with undisturbed(), suppress(VaultError):  # what stopped it is told, and that is enough
            note()
        raise


def _not_noted(reason: str) -> Problem:
    return Problem(_("custody record").encode(), reason)


def _note_copies(store: CaseStore, copied: Iterable[bytes]) -> None:
    ids = tuple(batch[i : i + ID_SIZE] for batch in copied for i in range(0, len(batch), ID_SIZE))
    if ids:
        store.record(Event(store.now(), EVENT_COPIED_OUT, ids, ""))


def _places(items: Iterable[Item]) -> Iterator[bytes]:
    """Where each item lies, and how its path is spelled so that no two are the same."""
    ranks: dict[bytes, int] = {}
    taken: set[int] = set()  # hashes of 64 bits instead of paths: one that seems taken only gets a longer name
    for item in items:
        spelling, path = 0, hash(item.name)
        while path in taken and spelling < 2:
            spelling += 1
            path = hash(_spelled(item, spelling))
        taken.add(path)
        first = item.extents[0] if item.extents else None
        rank = ranks.setdefault(first.pack, len(ranks) + 1) if first else 0
        yield _PLACE.pack(rank, first.first if first else 0, spelling, item.id)


def _spelled(item: Item, spelling: int) -> bytes:
    digits = item.id.hex().encode()
    return item.name if spelling == 0 else marked(item.name, b"." + (digits[:8] if spelling == 1 else digits))


def _found_again(store: CaseStore, places: Sequence[bytes]) -> Iterator[_Work]:
    """Asked for only now: packs may have been written anew since."""
    for start in range(0, len(places), BATCH_DOCUMENTS):
        some = [_PLACE.unpack(place) for place in places[start : start + BATCH_DOCUMENTS]]
        items = store.index.items_by_id([place[3] for place in some])
        yield from ((place[3], items.get(place[3]), place[2]) for place in some)


def _batches(work: Iterable[_Work]) -> Iterator[list[_Work]]:
    """Small documents together: handing over and waiting costs more than one of them."""
    batch: list[_Work] = []
    size = 0
    for one in work:
        batch.append(one)
        size += one[1].size if one[1] else 0
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[list[_Work]], list[_Result]], batches: Iterable[list[_Work]]
) -> Iterator[_Result]:
    """The results of all batches in their order, with few under way, so that memory stays bounded."""
    waiting: deque[Future[list[_Result]]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(work, batch))
            if len(waiting) > BATCHES_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _copy_batch(
    store: CaseStore, out: OutFolder, force: bool, copied: deque[bytes], batch: list[_Work]
) -> list[_Result]:  # fmt: skip
    """``copied`` gets the ids of what was written, joined: also of a batch whose results nobody waits for any more."""
    with out.writer() as writer:
        results = [_copy_out(store, writer, force, one) for one in batch]
    copied.append(b"".join(result.item.id for result in results if isinstance(result, CopiedOut)))
    return results


def _copy_out(store: CaseStore, out: OutWriter, force: bool, work: _Work) -> _Result:
    item_id, item, spelling = work
    if item is None:
        return Problem(item_id.hex().encode(), _("it was removed meanwhile"))
    try:
        where = out.write(
            SafePath.parse(_spelled(item, spelling)), partial(read_whole, store, item), force=force,
            mtime_ns=item.mtime_ns,
        )  # fmt: skip
    except Wiped:
        raise  # it is not this document: the others would fail one by one
    except VaultError as exc:
        store.check_alive()
        return Problem(item.name, "; ".join((str(exc), *exc.hints)))
    return CopiedOut(item, where)


def remove_originals(store: CaseStore, filed: Iterable[Filed]) -> Generator[Filed | Problem]:
    """Remove the originals of what was filed, each only after it was read back from its pack and is still the same.

    Yields what was removed, and what was not and why. The removals are noted in the custody record, also when Ctrl-C or
    an error stops it; where the record cannot be written, that is the last Problem.
    """
    removed: list[Filed] = []
    store.forget_cached()
    note = partial(_note_removals, store, removed)
    with _also_when_stopped(note):
        for one in filed:
            original = one.incoming
            if not isinstance(original, FileIncoming):
                continue
            reason = _why_keep(store, one, original)
            if reason is None:
                try:
                    os.unlink(original.path)
                except OSError as exc:
                    reason = reason_of(exc)
            if reason is None:
                removed.append(one)
                yield one
            else:
                yield Problem(one.incoming.name, _("filed, but the original stays: {reason}").format(reason=reason))
    try:
        note()
    except DiskFailed as exc:
        reason = _("the removal of {count} original(s) could not be noted: {reason}")
        yield _not_noted(reason.format(count=len(removed), reason=exc))


def _note_removals(store: CaseStore, removed: list[Filed]) -> None:
    if removed:
        ids = tuple(one.item for one in removed if one.item is not None)
        store.record(Event(store.now(), EVENT_MOVED, ids, f"{len(removed)}"))


def _why_keep(store: CaseStore, one: Filed, original: FileIncoming) -> str | None:
    filed = [store.item(one.item)] if one.item is not None else store.filed_before(original.name, one.sha256)
    reason = _("it is not in the index")
    for item in filed:
        if item is None or item.sha256 != one.sha256:
            continue
        try:
            read_whole(store, item, lambda data: None)
            break
        except Damaged as exc:
            reason = _("it does not read back: {reason}").format(reason=exc)
    else:
        return reason
    if not original.is_still_what_was_filed():
        return _("it changed since")
    return None
