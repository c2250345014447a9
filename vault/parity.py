# SPDX-License-Identifier: Apache-2.0
"""Parity of a pack: what mends bit rot without any key (docs/format.md §6.5, docs/decisions/0042-repair.md).

    head | parity blocks | head again

Reed-Solomon over the sealed bytes, with a digest of each block, so that it is known which blocks to compute anew. Owns
the form of the file and the geometry, and does no I/O. Nothing here vouches for anything: what parity gives back is
judged like any pack that a stranger put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _

from blake3 import blake3

from keys.canonical import is_newer
from vault.errors import BadInput, Damaged, NewerFormat

MAGIC = b"sandyk parity 1\n"
_LONGEST_LINE = 40
"""No first line of a later version will be longer."""
BLOCK_SIZE = 4096
"""Bytes: the sector of today's drives, so the least that gets lost at a time."""
MAX_ROWS = 256
"""Data and parity rows together: a code over GF(2^8) has no more (Rizzo, CCR 27(2), 1997)."""
MAX_PACK_FILE = 1 << 30
"""Bytes of a pack's file; ours stay near 36 MiB."""
LEAST = 2
"""Parity blocks of a column, however small the pack: damage may lie across two blocks."""
DIGEST_SIZE = 16
"""Bytes of BLAKE3 for each block. It finds rot; against a forger stand SHA-256 here and the pack's own seals."""
MAX_HEAD_SIZE = 16 << 20
"""Above what any layout of a pack of 1 GiB can want: three digests for each of its blocks."""
_SHA256_SIZE = 32
_FIXED_SIZE = len(MAGIC) + 16 + 8 + _SHA256_SIZE + 2 + 2 + 4
_SEAL_SIZE = 32


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is laid out: ``rows`` of ``columns`` blocks, one row behind the other, and ``parity`` rows more.

    The blocks of one column belong together: any ``rows`` of its ``rows + parity`` give back the others. Rows lie
    apart in the file, so a stretch of damage of ``parity`` rows costs each column no more than it can bear.
    """

    size: int
    """Bytes of the pack's file."""
    rows: int
    parity: int
    columns: int

    @property
    def blocks(self) -> int:
        """Blocks of the file; the last may be shorter, and counts as filled up with zeros."""
        return -(-self.size // BLOCK_SIZE)

    @property
    def parity_blocks(self) -> int:
        """Blocks of parity."""
        return self.parity * self.columns

    @property
    def row_size(self) -> int:
        """Bytes of a row."""
        return self.columns * BLOCK_SIZE

    @property
    def head_size(self) -> int:
        """Bytes of each of the two heads."""
        return _FIXED_SIZE + DIGEST_SIZE * (self.blocks + self.parity_blocks) + _SEAL_SIZE

    @property
    def file_size(self) -> int:
        """Bytes of the parity file."""
        return 2 * self.head_size + self.parity_blocks * BLOCK_SIZE


@dataclass(frozen=True, slots=True)
class Head:
    """What a parity file says of its pack."""

    pack: bytes
    """The pack's id, 16 bytes."""
    sha256: bytes
    """Of the pack's whole file."""
    shape: Shape
    digests: tuple[bytes, ...]
    """Of each block of the pack, then of each parity block."""


def shape_for(size: int, percent: int) -> Shape:
    """The layout for a file of ``size`` bytes with at least ``percent`` of parity, and two blocks. Raises BadInput."""
    if not 1 <= percent <= 100:
        raise BadInput(_("parity is 1 to 100 percent"))
    if not 0 < size <= MAX_PACK_FILE:
        raise BadInput(_("parity is made for packs of at most 1 GiB"))
    blocks = -(-size // BLOCK_SIZE)
    columns = -(-blocks // (MAX_ROWS * 100 // (100 + percent)))
    rows = -(-blocks // columns)
    return Shape(size, rows, max(min(LEAST, rows), -(-rows * percent // 100)), columns)


def digest(block: bytes | memoryview) -> bytes:
    """The digest of a block of 4,096 bytes."""
    return blake3(block).digest(length=DIGEST_SIZE)


def encode_head(head: Head) -> bytes:
    """The head's bytes, as they stand at the beginning and at the end of the file."""
    shape = head.shape
    body = b"".join(
        (MAGIC, head.pack, shape.size.to_bytes(8, "big"), head.sha256, shape.rows.to_bytes(2, "big"),
         shape.parity.to_bytes(2, "big"), shape.columns.to_bytes(4, "big"), *head.digests)
    )  # fmt: skip
    return body + blake3(body).digest()


def parse_head(untrusted: bytes, pack: bytes, file_size: int) -> Head:
    """The head that begins (or, for the second, ends) a parity file of ``file_size`` bytes, of this pack.

    ``untrusted`` may be longer than the head. Raises Damaged, NewerFormat.
    """
    if is_newer(untrusted[:_LONGEST_LINE].partition(b"\n")[0], MAGIC[:-1].decode()):
        raise NewerFormat(_("a parity file"))
    shape = _shape_of(untrusted, file_size)
    head = untrusted[: shape.head_size]
    if len(head) != shape.head_size or blake3(head[:-_SEAL_SIZE]).digest() != head[-_SEAL_SIZE:]:
        raise Damaged(_("the parity file is damaged itself"))
    if head[len(MAGIC) : len(MAGIC) + 16] != pack:
        raise Damaged(_("the parity file is another pack's"))
    start = len(MAGIC) + 16 + 8
    digests = head[_FIXED_SIZE:-_SEAL_SIZE]
    cut = tuple(digests[i : i + DIGEST_SIZE] for i in range(0, len(digests), DIGEST_SIZE))
    return Head(pack, head[start : start + _SHA256_SIZE], shape, cut)


def _shape_of(untrusted: bytes, file_size: int) -> Shape:
    """The shape that a head claims, checked before anything is allocated by it."""
    if len(untrusted) < _FIXED_SIZE or not untrusted.startswith(MAGIC):
        raise Damaged(_("the parity file is damaged itself"))
    numbers = untrusted[_FIXED_SIZE - 8 : _FIXED_SIZE]
    at = len(MAGIC) + 16
    shape = Shape(
        int.from_bytes(untrusted[at : at + 8], "big"), int.from_bytes(numbers[:2], "big"),
        int.from_bytes(numbers[2:4], "big"), int.from_bytes(numbers[4:], "big"),
    )  # fmt: skip
    possible = 0 < shape.size <= MAX_PACK_FILE and shape.columns > 0 and 0 < shape.parity <= shape.rows
    if not possible or shape.rows + shape.parity > MAX_ROWS or shape.rows != -(-shape.blocks // shape.columns):
        raise Damaged(_("the parity file claims an impossible layout"))
    if shape.file_size != file_size:
        raise Damaged(_("the parity file has another size than its layout wants"))
    return shape
