# SPDX-License-Identifier: Apache-2.0
"""Reading documents out of packs, chunk by chunk, each checked against its id.

Owns the way from an extent to bytes. One ``Unpacker`` serves one thread; it keeps the last few blocks
that it unpacked, because small documents share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from gettext import gettext as _

from vault.blocks import Table, check_chunk, unpack_block
from vault.errors import DamagedPack
from vault.model import Item, PackId
from vault.pack import PackReader

KEPT_BLOCKS = 3
"""Of small chunks, below 1 MiB each."""

OpenPacks = Callable[[PackId], tuple[PackReader, Table]]


class Unpacker:
    """The chunks of a case, unpacked and checked. For one thread."""

    def __init__(self, open_pack: OpenPacks, id_key: bytes) -> None:
        self._open_pack, self._id_key = open_pack, id_key
        self._kept: dict[tuple[PackId, int], list[bytes]] = {}

    def document(self, item: Item, *, hashed_later: bool = False) -> Iterator[bytes]:
        """The document's bytes, chunk by chunk, and never more than its size says. Raises DamagedPack.

        With ``hashed_later`` the caller compares the SHA-256 of all of it, and chunks are not compared with their ids.
        """
        left = item.size
        for extent in item.extents:
            pack = PackId(extent.pack)
            reader, table = self._open_pack(pack)
            if extent.first + extent.count > len(table):
                raise DamagedPack(_("pack {pack} holds fewer chunks than an item needs").format(pack=pack.hex()[:8]))
            for no in range(extent.first, extent.first + extent.count):
                left -= table.chunks[no].raw
                if left < 0:  # a member could point at one chunk a million times, and fill the disk of who copies out
                    raise DamagedPack(_("it is longer than the size that was filed"))
                yield self._chunk(reader, table, no, hashed_later=hashed_later)

    def chunk(self, pack: PackId, no: int) -> tuple[bytes, bytes]:
        """The id of a chunk and its bytes, which were checked against it. Raises DamagedPack."""
        reader, table = self._open_pack(pack)
        if no >= len(table):
            raise DamagedPack(_("pack {pack} holds fewer chunks than a document needs").format(pack=pack.hex()[:8]))
        return table.chunks[no].id, self._chunk(reader, table, no)

    def _chunk(self, reader: PackReader, table: Table, no: int, *, hashed_later: bool = False) -> bytes:
        first, end = table.block_of(no)
        key = reader.pack, first
        block = self._kept.get(key)
        if block is None:
            block = unpack_block(reader.read_near(*table.place(first)), table.chunks[first:end])
            if end - first > 1:
                self._kept[key] = block
                if len(self._kept) > KEPT_BLOCKS:
                    del self._kept[next(iter(self._kept))]
        data = block[no - first]
        if not hashed_later:
            check_chunk(data, table.chunks[no], self._id_key)
        return data
