# SPDX-License-Identifier: Apache-2.0
"""Blocks: how chunks lie in a pack, alone or several small ones compressed together (docs/format.md §6.1).

    block = one chunk as it is | one zstd frame over one chunk | one zstd frame over several chunks

Owns packing and unpacking of blocks and nothing else: which chunks go together is decided by
``vault.intake``, where a block lies by ``vault.pack``. What it returns was checked for its size;
``check_chunk`` compares a chunk with its id.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from gettext import gettext as _
from itertools import accumulate

import zstandard
from blake3 import blake3

from vault.errors import DamagedPack
from vault.model import PACKING_JOINED, PACKING_NONE, PACKING_ZSTD, Chunk

BLOCK_SIZE = 256 << 10
"""A block of small chunks is full when it has so many bytes, unpacked: measured, docs/decisions/0039-blocks.md."""
ALONE_SIZE = 256 << 10
"""A chunk of this size or more has a block of its own."""
_LEVEL = 3
_PROBE_SIZE = 8 << 10

_local = threading.local()  # contexts are costly to make, and each may serve one thread


def pack_block(chunks: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, list[Chunk]]:
    """Chunks, each its id and its bytes, as they lie in a pack and in its table. zstd where it helps.

    More than one chunk may only be given while none of them is empty and together they have at most 4 MiB.
    """
    sizes = [len(data) for __, data in chunks]
    whole = chunks[0][1] if len(chunks) == 1 else b"".join([data for __, data in chunks])
    packed = b"" if len(chunks) == 1 and _is_dense(whole) else _compressor().compress(whole)
    if not 0 < len(packed) < 0.98 * len(whole):
        return whole, [Chunk(i, n, n, PACKING_NONE) for (i, __), n in zip(chunks, sizes, strict=True)]
    table = [Chunk(i, 0, n, PACKING_JOINED) for (i, __), n in zip(chunks, sizes, strict=True)]
    table[0] = Chunk(chunks[0][0], len(packed), sizes[0], PACKING_ZSTD)
    return packed, table


def _is_dense(data: bytes) -> bool:
    """Whether a probe from the middle says that compressing a large chunk is in vain."""
    if len(data) < ALONE_SIZE:
        return False
    middle = len(data) // 2
    return len(_compressor(1).compress(data[middle : middle + _PROBE_SIZE])) > 0.97 * _PROBE_SIZE


def _compressor(level: int = _LEVEL) -> zstandard.ZstdCompressor:
    made: dict[int, zstandard.ZstdCompressor] = _local.__dict__.setdefault("compressors", {})
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level, write_content_size=True)
    return made[level]


class Table:
    """The chunks of a pack, and where each block lies in its plaintext."""

    __slots__ = ("_starts", "chunks", "end", "offsets")

    def __init__(self, chunks: Sequence[Chunk], first_offset: int) -> None:
        """``first_offset`` is where the first chunk begins, in bytes."""
        self.chunks = chunks
        self.offsets = list(accumulate((c.stored for c in chunks), initial=first_offset))
        self._starts = [no for no, chunk in enumerate(chunks) if chunk.packing != PACKING_JOINED]

    def __len__(self) -> int:
        return len(self.chunks)

    def block_of(self, no: int) -> tuple[int, int]:
        """The numbers of the first chunk in the block of chunk ``no``, and of the one behind the last."""
        at = bisect_right(self._starts, no)
        return self._starts[at - 1], self._starts[at] if at < len(self._starts) else len(self.chunks)

    def blocks(self) -> list[tuple[int, int]]:
        """All blocks, in order, as ``block_of`` gives them."""
        return list(zip(self._starts, [*self._starts[1:], len(self.chunks)], strict=True)) if self._starts else []

    def place(self, first: int) -> tuple[int, int]:
        """Offset and length of the block that begins with chunk ``first``, in bytes of the pack's plaintext."""
        return self.offsets[first], self.chunks[first].stored


def unpack_block(untrusted: bytes, chunks: Sequence[Chunk]) -> list[bytes]:
    """The bytes of each chunk in a block, of the right sizes; not yet compared with their ids. Raises DamagedPack."""
    if chunks[0].packing == PACKING_NONE:
        raw = untrusted
        if len(chunks) != 1 or len(raw) != chunks[0].raw:
            raise DamagedPack(_("a chunk is not of its size"))
        return [raw]
    size = sum(chunk.raw for chunk in chunks)
    try:
        # zstandard trusts a size that the frame states over any limit, so this comes first.
        if zstandard.frame_content_size(untrusted) != size:
            raise DamagedPack(_("a chunk does not unpack to its size"))
        if not hasattr(_local, "decompressor"):
            _local.decompressor = zstandard.ZstdDecompressor()
        raw = _local.decompressor.decompress(untrusted, allow_extra_data=False)
    except zstandard.ZstdError as exc:
        raise DamagedPack(_("a chunk cannot be unpacked")) from exc
    if len(raw) != size:
        raise DamagedPack(_("a chunk does not unpack to its size"))
    if len(chunks) == 1:
        return [raw]
    ends = accumulate(chunk.raw for chunk in chunks)
    return [raw[end - chunk.raw : end] for chunk, end in zip(chunks, ends, strict=True)]


def check_chunk(untrusted: bytes, chunk: Chunk, id_key: bytes) -> None:
    """Raise DamagedPack unless these bytes have the chunk's keyed BLAKE3 id."""
    if blake3(untrusted, key=id_key).digest() != chunk.id:
        raise DamagedPack(_("a chunk is not what its id says"))
