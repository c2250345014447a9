# SPDX-License-Identifier: Apache-2.0
"""Small pictures of pictures, and the judge of them.

They are made in a confined child (``vault.cleaning.small``) and then judged here like a stranger's: a thumbnail is a
PNG of header, palette, pixels and end, and of nothing else, so there is no place in it for a word. Whoever receives
one in a bundle judges it again. The judge is pure Python; only ``Thumbnailer`` acts.
"""

from __future__ import annotations

import importlib.util
import struct
import zlib
from collections.abc import Iterable

from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed

MAX_SIDE = 320
"""Pixels."""
MAX_BYTES = 16 << 10

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct("!II5B")
_DEPTHS = (1, 2, 4, 8)
_PALETTE = 3  # PNG (W3C, third edition) §11.2.1: colour type
_FILTERS = 5
_JOB = Job("vault.cleaning.small", "small")
_LIMITS = Limits(seconds=30, cpu_seconds=20, output=MAX_BYTES)


class Thumbnailer:
    """Makes thumbnails, one after the other. Use it in a ``with`` statement. Without Pillow it makes none."""

    def __init__(self, limits: Limits = _LIMITS) -> None:
        self._worker = Worker(_JOB, limits) if importlib.util.find_spec("PIL") is not None else None

    def __enter__(self) -> Thumbnailer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()

    def thumbnail(self, pieces: Iterable[bytes]) -> bytes | None:
        """A PNG that ``is_plain_thumbnail``; None for what is no picture, or one that its reader did not survive."""
        if self._worker is None:
            return None
        try:
            untrusted = self._worker.run(pieces)
        except ConfinedFailed:
            return None
        return untrusted if is_plain_thumbnail(untrusted) else None


def is_plain_thumbnail(untrusted: bytes) -> bool:
    """Whether this is a PNG with a palette, of at most MAX_SIDE a side and MAX_BYTES, and no byte more than that needs:
    IHDR, PLTE, IDAT, IEND; right checksums; pixels that unpack to exactly the size.
    """
    if len(untrusted) > MAX_BYTES or not untrusted.startswith(_SIGNATURE):
        return False
    chunks = _chunks(untrusted[len(_SIGNATURE) :])
    if [kind for kind, _ in chunks] != [b"IHDR", b"PLTE", b"IDAT", b"IEND"]:
        return False
    header, palette, packed, end = (data for _, data in chunks)
    return (
        len(header) == _HEADER.size
        and not end
        and len(palette) % 3 == 0
        and _are_pixels(packed, _HEADER.unpack(header), len(palette) // 3)
    )


def _chunks(untrusted: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and contents; nothing when a length or a checksum is wrong, or something follows the end."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(untrusted):
        size = int.from_bytes(untrusted[at : at + 4], "big")
        body, checksum = untrusted[at + 4 : at + 8 + size], untrusted[at + 8 + size : at + 12 + size]
        if len(checksum) != 4 or zlib.crc32(body) != int.from_bytes(checksum, "big"):
            return []
        found.append((body[:4], body[4:]))
        at += 12 + size
    return found


def _are_pixels(packed: bytes, header: tuple[int, ...], colours: int) -> bool:
    width, height, depth, kind, *methods = header
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE) or any(methods):
        return False
    if kind != _PALETTE or depth not in _DEPTHS or not 1 <= colours <= 1 << depth:
        return False
    row = 1 + (width * depth + 7) // 8
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, height * row + 1)
    except zlib.error:
        return False
    if len(raw) != height * row or not unpacker.eof or unpacker.unused_data:
        return False
    return all(raw[start] < _FILTERS for start in range(0, len(raw), row))
