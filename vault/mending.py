# SPDX-License-Identifier: Apache-2.0
"""Writes a pack's parity file, and makes a damaged pack whole again from it (docs/format.md §6.5).

The hands of ``vault.parity``: reads and writes files, needs no key, holds a bounded stretch of a pack at a time. What
it makes anew is byte for byte what the parity was made of, or it is not made. Whether that was a pack which anybody
should believe, its caller has to judge: nothing vouches for a parity file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _

from vault.disk import TEMPORARY_SUFFIX, Disk
from vault.errors import Damaged, LibraryMissing, NewerFormat
from vault.parity import BLOCK_SIZE, MAGIC, MAX_HEAD_SIZE, Head, Shape, digest, encode_head, parse_head, shape_for
from vault.repair import Repair

STRETCH = 16 << 20
"""Bytes of all rows together that are held at a time."""
_PIECE = 1 << 20
_READ_FLAGS = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ_FLAGS |= getattr(os, _flag, 0)


class Unmendable(Damaged):
    """Raised when more is damaged than the parity can give back, or it does not give back what it promised."""


def write_parity(disk: Disk, pack: bytes, path: str, parity_path: str, percent: int) -> int:
    """Make the parity file of the pack at ``path``; its size. Durable when this returns.

    Raises BadInput, LibraryMissing, OSError.
    """
    with _opened(path) as source:
        shape = shape_for(source.size, percent)
        rows = list(_parity_rows(source, shape))
        parity = [b"".join(row) for row in zip(*rows, strict=True)]
        digests = [digest(source.block(no)) for no in range(shape.blocks)]
        digests += [digest(row[at : at + BLOCK_SIZE]) for row in parity for at in range(0, len(row), BLOCK_SIZE)]
        head = encode_head(Head(pack, source.sha256(), shape, tuple(digests)))
    disk.replace(parity_path, b"".join((head, *parity, head)))
    return shape.file_size


def _parity_rows(source: _Source, shape: Shape) -> Iterator[list[bytes]]:
    """All parity rows, cut into stretches of whole blocks."""
    code = _code(shape)
    step = max(BLOCK_SIZE, STRETCH // shape.rows // BLOCK_SIZE * BLOCK_SIZE)
    wanted = range(shape.rows + 1, shape.rows + shape.parity + 1)
    for start in range(0, shape.row_size, step):
        length = min(step, shape.row_size - start)
        data = [source.padded(row * shape.row_size + start, length) for row in range(shape.rows)]
        yield code.encode(data, wanted)


def check_parity(pack: bytes, path: str, parity_path: str, percent: int) -> None:
    """Return when the file is whole, and what ``write_parity`` would make. Raises Damaged, NewerFormat, OSError."""
    with _opened(path) as source, _opened(parity_path) as parity:
        head = _head(pack, parity)
        if head.shape != shape_for(source.size, percent) or head.sha256 != source.sha256():
            raise Damaged(_("the parity file is not this pack's, or of another strength"))
        if parity.read(0, head.shape.head_size) != parity.read(parity.size - head.shape.head_size, parity.size):
            raise Damaged(_("the parity file is damaged itself"))
        for no, wanted in enumerate(head.digests[head.shape.blocks :]):
            if digest(_parity_block(parity, head.shape, no)) != wanted:
                raise Damaged(_("the parity file is damaged itself"))


def mend(
    disk: Disk, pack: bytes, path: str, parity_path: str, judge: Callable[[str], None], *, target: str | None = None
) -> int:
    """Put a whole pack in the place of a damaged one (at ``target``, else where it was); how many blocks were mended.

    The new file is written beside and synced, compared with the SHA-256 that the parity file has, and shown to
    ``judge``, which raises if it is no pack to be believed. Only then it takes the old one's place: until that moment
    nothing is changed. Raises Damaged (Unmendable), NewerFormat, LibraryMissing, OSError, and what ``judge`` raises.
    """
    target = target or path
    with _opened(path) as source, _opened(parity_path) as parity:
        head = _head(pack, parity)
        mended = _mended_blocks(source, parity, head)
        temporary = f"{target}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        fd = disk.create(temporary)
        try:
            try:
                _write_whole(disk, fd, temporary, source, head, mended)
                disk.sync(fd, temporary)
                judge(temporary)
            finally:
                os.close(fd)
            disk.publish(temporary, target)
        except BaseException:
            with suppress(OSError):
                disk.unlink(temporary)
            raise
    return len(mended)


def _mended_blocks(source: _Source, parity: _Source, head: Head) -> dict[int, bytes]:
    """Every block of the pack that does not read as it was, computed anew."""
    shape = head.shape
    bad: dict[int, list[int]] = {}
    for no in range(shape.blocks):
        if digest(source.block(no)) != head.digests[no]:
            bad.setdefault(no % shape.columns, []).append(no)
    mended: dict[int, bytes] = {}
    for column, lost in bad.items():
        blocks = {}
        for row in range(shape.rows):
            no = row * shape.columns + column
            if no >= shape.blocks:
                blocks[row + 1] = bytes(BLOCK_SIZE)  # behind the end of the file
            elif no not in lost:
                blocks[row + 1] = source.block(no)
        for row in range(shape.parity):
            no = row * shape.columns + column
            block = _parity_block(parity, shape, no)
            if len(blocks) < shape.rows and digest(block) == head.digests[shape.blocks + no]:
                blocks[shape.rows + row + 1] = block
        if len(blocks) < shape.rows:
            raise Unmendable(_("more of the pack is damaged than its parity can give back"))
        decoded = _code(shape).decode(blocks)
        mended |= {no: bytes(decoded[no // shape.columns]) for no in lost}
    return mended


def _write_whole(
    disk: Disk, fd: int, temporary: str, source: _Source, head: Head, mended: dict[int, bytes]
) -> None:  # fmt: skip
    hasher, shape = hashlib.sha256(), head.shape
    for first in range(0, shape.blocks, _PIECE // BLOCK_SIZE):
        numbers = range(first, min(shape.blocks, first + _PIECE // BLOCK_SIZE))
        piece = b"".join(mended[no] if no in mended else source.block(no) for no in numbers)
        piece = piece[: shape.size - first * BLOCK_SIZE]
        hasher.update(piece)
        disk.write(fd, piece, temporary)
    if hasher.digest() != head.sha256:
        raise Unmendable(_("what the parity gives back is not what it was made of"))


def _parity_block(parity: _Source, shape: Shape, no: int) -> bytes:
    return parity.read(shape.head_size + no * BLOCK_SIZE, BLOCK_SIZE)


def _head(pack: bytes, parity: _Source) -> Head:
    try:
        return parse_head(parity.read(0, MAX_HEAD_SIZE), pack, parity.size)
    except (Damaged, NewerFormat):  # a flipped bit can look like a higher number
        end = parity.read(max(0, parity.size - MAX_HEAD_SIZE), MAX_HEAD_SIZE)
        second = end.rfind(MAGIC + pack)
        if second < 0:
            raise
        return parse_head(end[second:], pack, parity.size)


def _code(shape: Shape) -> Repair:
    try:
        return Repair(shape.rows, shape.parity)
    except LibraryMissing as exc:
        raise LibraryMissing(
            _("parity needs the library zfec, which is not installed"),
            _("install it with: pip install 'sandyk[repair]'"),
        ) from exc


class _Source:
    """A file that may be damaged: what cannot be read is empty, and no block of it has its digest."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer where the file ends, none where the medium refuses."""
        parts, end = [], offset + size
        while offset < end:
            try:
                os.lseek(self._fd, offset, os.SEEK_SET)
                part = os.read(self._fd, end - offset)
            except OSError:
                break
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def padded(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes, with zeros behind the end."""
        return self.read(offset, size).ljust(size, b"\0")

    def block(self, no: int) -> bytes:
        """One block, filled up with zeros."""
        return self.padded(no * BLOCK_SIZE, BLOCK_SIZE)

    def sha256(self) -> bytes:
        """Of the whole file. Raises Damaged when it cannot be read to its end."""
        hasher, done = hashlib.sha256(), 0
        while done < self.size:
            piece = self.read(done, min(_PIECE, self.size - done))
            if not piece:
                raise Damaged(_("the file cannot be read to its end"))
            hasher.update(piece)
            done += len(piece)
        return hasher.digest()


@contextmanager
def _opened(path: str) -> Iterator[_Source]:
    """A regular file to read. Raises OSError, Damaged."""
    fd = os.open(path, _READ_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Damaged(_("it is not a regular file"))
        yield _Source(fd)
    finally:
        os.close(fd)
