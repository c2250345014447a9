# SPDX-License-Identifier: Apache-2.0
"""Writing packs anew: into one pack goes what is to be kept of several, then the old files leave the disk.

The decider of that order (docs/format.md §8). Under the lock of the case: everything that is kept is read and checked;
the new pack, which says for whom it stands, is durable and known; it is read back; only then an old file goes. Stopped
anywhere, every document reads from the old packs or from the new one, and what the new one does not list
does not come back: its word counts although an old file is still there, and the next who opens the case removes that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from gettext import gettext as _

from msgspec import structs

from vault import layout
from vault.blocks import ALONE_SIZE, BLOCK_SIZE, pack_block
from vault.errors import Busy, Damaged, DamagedPack, DiskFailed
from vault.language import later
from vault.model import Chunk, Event, Extent, Item, ItemId, Move, PackId, Replaced
from vault.pack import PackWriter, pack_name
from vault.refusals import refusal
from vault.replaced import statement_of
from vault.replacing import follow, moves_of, places_of
from vault.store import CaseStore
from vault.verifying import read_whole, unpacked

OVERWRITE_SIZE = 64 << 20
"""Bytes that are overwritten at a time; packs of ours are smaller, others need not be."""

_LEFT = later("this pack was left as it is: sandyk verify says more")

Keep = Callable[[PackId, int], Collection[int]]
"""Which chunks of a pack to keep: asked for a pack and how many it has, under the lock, the index up to date."""


def used_places(
    store: CaseStore, packs: Collection[PackId], without: Collection[ItemId] = ()
) -> dict[PackId, set[int]]:
    """The chunks of some packs that documents need, ``without`` counting some of the documents."""
    used: dict[PackId, set[int]] = {pack: set() for pack in packs}
    for pack, numbers in used.items():
        for one in store.index.standing_in(pack):
            for extent in () if one.item in without else one.extents:
                if extent.pack == pack:
                    numbers.update(range(extent.first, extent.first + extent.count))
    return used


def rewrite(
    store: CaseStore, packs: Sequence[PackId], keep: Keep, events: Callable[[], tuple[Event, ...]], *,
    without: Collection[ItemId] = (), overwrite: bool = False,
) -> int:  # fmt: skip
    """Put what is kept of these packs into a new one, and take their files off the disk; by how many bytes less.

    ``without`` are items that the new pack does not list; ``events`` it adds to the custody record. With ``overwrite``
    the old files are overwritten once before. Raises DamagedPack when anything that is to be kept does not read:
    then these packs are as they were. Raises Busy, DiskFailed, Wiped. A pack that somebody else replaced meanwhile is
    passed over.
    """
    with _as_disk_failure(store), store.placing():
        store.disk.sweep(os.path.join(store.folder, layout.PACKS))  # what was left half written may hold it, too
        rows = [row for row in map(store.index.pack, packs) if row is not None and not row.replaced_by]
        if not rows:
            return 0
        items = {row.pack: _items(store, row.pack, without, row.author != store.me) for row in rows}
        writer = store.begin()
        try:
            copied = _Copied(writer)
            places = {row.pack: copied.take(store, row.pack, keep) for row in rows}
            copied.flush()
            moves: dict[bytes, tuple[bytes, tuple[Move, ...]]] = {
                row.pack: (writer.pack, moves_of(places[row.pack])) for row in rows
            }
            kept = tuple(_moved(item, moves, writer.pack) for row in rows for item in items[row.pack])
            replaced: list[Replaced] = []
            for row in rows:
                replaced.append(statement_of(store.index, row, moves[row.pack][1]))
                for older in store.index.replaced_by(row):
                    through = places_of(store.index.moves(older.pack))
                    now = {old: places[row.pack][new] for old, new in through.items() if new in places[row.pack]}
                    replaced.append(statement_of(store.index, older, moves_of(now)))
            store.place(writer, tuple(copied.chunks), kept, events(), tuple(replaced))
        except BaseException:
            writer.abandon()
            raise
        _read_back(store, writer.pack)
        store.forget_readers()
        gone = sum(put_away(store, row.pack, overwrite=overwrite) for row in rows)
        return gone - os.stat(_path(store, writer.pack)).st_size


def finish(store: CaseStore) -> None:
    """End what was interrupted: old files whose replacement this journalist signed, and which reads, go now.

    Where another member signed it, the files stay until a member compacts the case: nothing of them is listed.
    """
    for pack in store.replaced_packs():
        with suppress(Damaged, Busy, OSError), store.placing():
            by = _stands_for(store, pack)
            if by is not None and store.index.author_of(by) == store.me:
                _check_reads(store, by)
                put_away(store, pack, overwrite=True)


def clear_away(store: CaseStore) -> int:
    """Take every pack off the disk that another one stands for, whoever signed that, if it reads; their bytes."""
    size = 0
    for pack in store.replaced_packs():
        with _as_disk_failure(store), store.placing():
            by = _stands_for(store, pack)
            if by is not None:
                _check_reads(store, by)
                size += put_away(store, pack, overwrite=False)
    return size


def put_away(store: CaseStore, pack: PackId, *, overwrite: bool) -> int:
    """Take a pack's file off the disk, and what belongs to it; with ``overwrite``, overwrite it once before.

    A file that has other names, as copies made of links have, is not overwritten. Returns the pack's size in bytes.
    """
    aside, parity = os.path.join(store.folder, layout.QUARANTINE), os.path.join(store.folder, layout.PARITY)
    paths = [os.path.join(parity, pack.hex() + layout.PARITY_SUFFIX)]
    with suppress(FileNotFoundError):
        paths += [os.path.join(aside, name) for name in os.listdir(aside) if name.startswith(pack.hex() + "-")]
    size = 0
    for path in (*paths, _path(store, pack)):
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            if overwrite and stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                for start in range(0, status.st_size, OVERWRITE_SIZE):
                    store.disk.overwrite(path, start, os.urandom(min(OVERWRITE_SIZE, status.st_size - start)))
            store.disk.unlink(path)
            store.disk.sync_folder(os.path.dirname(path))
            size = status.st_size
    return size


class _Copied:
    """The chunks that were kept so far, on their way into a new pack."""

    def __init__(self, writer: PackWriter) -> None:
        self.chunks: list[Chunk] = []
        self._writer = writer
        self._numbers: dict[bytes, int] = {}
        self._waiting: list[tuple[bytes, bytes]] = []
        self._waiting_size = 0

    def take(self, store: CaseStore, pack: PackId, keep: Keep) -> dict[int, int]:
        """Copy chunks of a pack, each checked against its id; old number to new. Raises DamagedPack."""
        chunks = store.index.chunks_of(pack)
        wanted = frozenset(keep(pack, len(chunks)))
        places: dict[int, int] = {}
        with store.open_pack(pack) as reader:
            for no, data in enumerate(unpacked(store, reader, chunks)) if wanted else ():
                if no not in wanted:
                    continue
                if isinstance(data, DamagedPack):
                    raise DamagedPack(_("pack {pack}: {data}").format(pack=pack.hex()[:8], data=data), _(_LEFT))
                places[no] = self._add(chunks[no].id, data)
        return places

    def _add(self, chunk_id: bytes, data: bytes) -> int:
        if chunk_id in self._numbers:
            return self._numbers[chunk_id]
        if len(data) >= ALONE_SIZE:
            self.flush()
        number = self._numbers[chunk_id] = len(self._numbers)
        self._waiting.append((chunk_id, data))
        self._waiting_size += len(data)
        if len(data) >= ALONE_SIZE or self._waiting_size >= BLOCK_SIZE:
            self.flush()
        return number

    def flush(self) -> None:
        """Hand over the block that was gathered."""
        if self._waiting:
            stored, table = pack_block(self._waiting)
            self.chunks += table
            self._writer.add_chunks([stored])
            self._waiting, self._waiting_size = [], 0


def _items(store: CaseStore, pack: PackId, without: Collection[ItemId], read: bool) -> list[Item]:
    """The items of a pack to list again. Of another's pack they are read first: who signs a pack vouches for it."""
    with store.open_pack(pack) as reader:
        manifest, digest = reader.manifest()
    known, listed = store.index.pack(pack), store.index.items_in(pack)
    if known is None or digest != known.digest or {item.id for item in manifest.items} != {item.id for item in listed}:
        raise DamagedPack(_("pack {pack} is not what the index knows").format(pack=pack.hex()[:8]), _(_LEFT))
    kept = [item for item in listed if item.id not in without]
    for item in kept if read else ():
        read_whole(store, item, lambda data: None)
    return kept


def _moved(item: Item, moves: Mapping[bytes, tuple[bytes, tuple[Move, ...]]], pack: PackId) -> Item:
    extents = follow(item.extents, moves)
    own = (Extent(b"" if e.pack == pack else e.pack, e.first, e.count) for e in extents)
    return structs.replace(item, extents=tuple(own))


def _read_back(store: CaseStore, pack: PackId) -> None:
    """Raise DiskFailed when the medium gives back other bytes: then the new pack goes, and nothing was changed."""
    store.forget_cached()
    try:
        _check_reads(store, pack)
    except (Damaged, OSError) as exc:
        store.disk.unlink(_path(store, pack))
        store.rebuild()
        raise DiskFailed(
            _("the medium gave back other bytes than were written"),
            _("the old packs are where they were; nothing is lost"),
        ) from exc


def _check_reads(store: CaseStore, pack: PackId) -> None:
    with store.open_pack(pack) as reader:
        manifest, __ = reader.manifest()
        reader.check_padding()
        for data in unpacked(store, reader, manifest.chunks):
            if isinstance(data, DamagedPack):
                raise data


def _stands_for(store: CaseStore, pack: PackId) -> PackId | None:
    """The pack that stands for this one, unless a document still needs a chunk that only this one has."""
    row = store.index.pack(pack)
    if row is None or not row.replaced_by or any(used_places(store, {pack}).values()):
        return None
    return next((other.pack for other in store.index.packs() if other.n == row.replaced_by), None)


def _path(store: CaseStore, pack: PackId) -> str:
    return os.path.join(store.folder, layout.PACKS, pack_name(pack))


@contextmanager
def _as_disk_failure(store: CaseStore) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        store.check_alive()
        raise DiskFailed(
            _("the vault's disk refused: {reason}").format(reason=refusal(exc).lower()),
            _("no document is lost: each is in an old pack or in a new one that was read back"),
            _("make room or put the medium back, then run the command again"),
        ) from exc
