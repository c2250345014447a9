# SPDX-License-Identifier: Apache-2.0
"""A pack's manifest: what the pack holds, who filed it, and its place in the chain (docs/format.md §6).

A judge: it encodes, decodes and checks, and does no I/O. The bytes that are signed and
hashed are the msgpack encoding; inside the pack they lie compressed with zstd.
"""

from __future__ import annotations

import hashlib
from gettext import gettext as _
from typing import Annotated, Literal

import msgspec
import zstandard
from msgspec import Meta, Struct

from vault.errors import DamagedPack
from vault.model import (
    PACKING_JOINED,
    PACKING_NONE,
    PACKING_ZSTD,
    S63,
    Chunk,
    Event,
    Extent,
    Hash32,
    Id16,
    Item,
    Move,
    Replaced,
)

MAX_MANIFEST_SIZE = 256 << 20
"""A reader refuses more, compressed or not: no pack of ours comes near it."""
MAX_CHUNK_SIZE = 4 << 20
"""The longest chunk, or block of chunks in one frame, that a reader accepts, stored or unpacked."""
MAX_ENTRIES = 1 << 18
"""Chunks, items or events. A manifest is decoded before its signature can be checked, and small ones that unpack to
millions of entries would take gigabytes. A drop of 100,000 documents, the most there may be, stays well below."""
SIGNATURE_LABEL = "sandyk pack v1"
NEWEST = 2
"""The highest version of a manifest that this program knows."""


class NewerPack(DamagedPack):
    """Raised for a pack of a higher version: it cannot be read here, and must not be put aside for it."""


class Manifest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The list of a pack's contents. ``previous`` is the SHA-256 of the device's manifest before, or nothing."""

    version: Literal[1, 2]
    case: Id16
    epoch: Annotated[int, Meta(ge=1, le=999_999)]
    pack: Id16
    device: Id16
    author: Hash32
    """The Ed25519 key that signs this manifest."""
    sequence: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    previous: Annotated[bytes, Meta(max_length=32)]
    created_ns: S63
    chunks: Annotated[tuple[Chunk, ...], Meta(max_length=MAX_ENTRIES)]
    items: Annotated[tuple[Item, ...], Meta(max_length=MAX_ENTRIES)]
    events: Annotated[tuple[Event, ...], Meta(max_length=MAX_ENTRIES)]


class Replacement(Manifest, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The manifest, of version 2, of a pack that stands for others from now on (docs/format.md §6.7)."""

    replaced: Annotated[tuple[Replaced, ...], Meta(min_length=1, max_length=MAX_ENTRIES)]


class _Version(Struct, frozen=True, array_like=True):
    """What every manifest begins with, also those that are yet to come."""

    version: int


class _Head(Struct, frozen=True, array_like=True):
    """The first fields of a manifest: enough to know whose it is, without making anything of the rest."""

    version: Literal[1, 2]
    case: Id16
    epoch: Annotated[int, Meta(ge=1, le=999_999)]
    pack: Id16
    device: Id16
    author: Hash32


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Manifest)
_replacements = msgspec.msgpack.Decoder(Replacement)
_heads = msgspec.msgpack.Decoder(_Head)
_versions = msgspec.msgpack.Decoder(_Version)
_extents = msgspec.msgpack.Decoder(tuple[Extent, ...])
_chunks = msgspec.msgpack.Decoder(tuple[Chunk, ...])
_moves = msgspec.msgpack.Decoder(tuple[Move, ...])


def encode(manifest: Manifest) -> bytes:
    """The bytes that are hashed and signed."""
    return _encoder.encode(manifest)


def digest(encoded: bytes) -> bytes:
    """SHA-256 over ``encode``'s bytes: what the next manifest of the device names as ``previous``."""
    return hashlib.sha256(encoded).digest()


def compress(encoded: bytes) -> bytes:
    """The form in which a manifest lies in its pack: one zstd frame that states its content size."""
    return zstandard.ZstdCompressor(level=3, write_content_size=True).compress(encoded)


def decompress(untrusted: bytes) -> bytes:
    """Undo ``compress``. Raises DamagedPack, before allocating more than the limit."""
    try:
        size = zstandard.frame_content_size(untrusted)
        if not 0 < size <= MAX_MANIFEST_SIZE:
            raise DamagedPack(_("a manifest of an impossible size"))
        # In one go, into a buffer of the stated size: a frame that holds more than it states is refused.
        return zstandard.ZstdDecompressor().decompress(untrusted, allow_extra_data=False)
    except zstandard.ZstdError as exc:
        raise DamagedPack(_("a manifest that cannot be unpacked")) from exc


def claimed_author(untrusted: bytes) -> tuple[int, bytes]:
    """The epoch and the signing key that a manifest names. Raises DamagedPack.

    Takes no memory for what else is in it: asked before a stranger's manifest is decoded.
    """
    _refuse_newer(untrusted)
    try:
        head = _heads.decode(untrusted)
    except (msgspec.DecodeError, ValueError) as exc:
        raise DamagedPack(_("a manifest that breaks the format")) from exc
    return head.epoch, head.author


def decode(untrusted: bytes) -> Manifest:
    """The manifest in these bytes. Raises DamagedPack on anything that breaks docs/format.md §6."""
    _refuse_newer(untrusted)
    try:
        version = _heads.decode(untrusted).version
        manifest = (_decoder if version == 1 else _replacements).decode(untrusted)
    except (msgspec.DecodeError, ValueError) as exc:
        raise DamagedPack(_("a manifest that breaks the format")) from exc
    _check_replaced(manifest)
    if len(manifest.previous) not in (0, 32) or (manifest.sequence == 1) != (not manifest.previous):
        raise DamagedPack(_("a manifest with no proper place in the chain"))
    _check_chunks(manifest.chunks)
    if len({item.id for item in manifest.items}) != len(manifest.items):
        raise DamagedPack(_("two items of one id"))
    for item in manifest.items:
        if any("\0" in tag for tag in item.tags):
            raise DamagedPack(_("a tag with a NUL inside"))
        for extent in item.extents:
            _check_extent(extent, manifest)
    return manifest


def _refuse_newer(untrusted: bytes) -> None:
    try:
        version = _versions.decode(untrusted).version
    except (msgspec.DecodeError, ValueError, RecursionError):
        return
    if version > NEWEST:
        raise NewerPack(_("its list was made by a newer sandyk than this one; that is no damage"))


def replaced_by(manifest: Manifest) -> tuple[Replaced, ...]:
    """The packs that the pack of this manifest stands for; nothing for most."""
    return manifest.replaced if isinstance(manifest, Replacement) else ()


def _check_replaced(manifest: Manifest) -> None:
    replaced = replaced_by(manifest)
    if len({manifest.pack, *(one.pack for one in replaced)}) != len(replaced) + 1:
        raise DamagedPack(_("a pack that stands twice for one, or for itself"))
    for one in replaced:
        if len(one.previous) not in (0, 32) or (one.sequence == 1) != (not one.previous):
            raise DamagedPack(_("a replaced pack with no proper place in the chain"))
        # Who was revoked still has the old epoch's keys: what came after they left is not theirs to replace.
        if one.epoch > manifest.epoch:
            raise DamagedPack(_("a pack that stands for one of a later epoch"))
        end = 0
        for move in one.moves:
            if not move.count or move.first < end or move.to + move.count > len(manifest.chunks):
                raise DamagedPack(_("a replaced pack whose chunks went nowhere"))
            end = move.first + move.count


def _check_chunks(chunks: tuple[Chunk, ...]) -> None:
    frame = 0  # unpacked bytes of the zstd frame that a joined chunk would lie in; 0 when there is none
    for chunk in chunks:
        joined = chunk.packing == PACKING_JOINED
        if chunk.packing not in (PACKING_NONE, PACKING_ZSTD, PACKING_JOINED) or (joined and not frame):
            raise DamagedPack(_("a chunk that is packed in an unknown way"))
        if not chunk.packing and chunk.stored != chunk.raw:
            raise DamagedPack(_("a chunk that is packed in an unknown way"))
        frame = chunk.raw + (frame if joined else 0)
        if chunk.raw < 1 or frame > MAX_CHUNK_SIZE or chunk.stored > MAX_CHUNK_SIZE or joined == bool(chunk.stored):
            raise DamagedPack(_("a chunk of an impossible size"))
        if chunk.packing == PACKING_NONE:
            frame = 0


def _check_extent(extent: Extent, manifest: Manifest) -> None:
    if len(extent.pack) not in (0, 16) or extent.count == 0 or extent.pack == manifest.pack:
        raise DamagedPack(_("an item that points nowhere"))
    if not extent.pack and extent.first + extent.count > len(manifest.chunks):
        raise DamagedPack(_("an item that points outside its pack"))


def encode_extents(extents: tuple[Extent, ...]) -> bytes:
    """Extents as the index keeps them, every pack named."""
    return _encoder.encode(extents)


def decode_extents(stored: bytes) -> tuple[Extent, ...]:
    """Undo ``encode_extents``."""
    return _extents.decode(stored)


def encode_chunks(chunks: tuple[Chunk, ...]) -> bytes:
    """A pack's table of chunks as the index keeps it."""
    return _encoder.encode(chunks)


def decode_chunks(stored: bytes) -> tuple[Chunk, ...]:
    """Undo ``encode_chunks``."""
    return _chunks.decode(stored)


def encode_moves(moves: tuple[Move, ...]) -> bytes:
    """Where the chunks of a replaced pack went, as the index keeps it."""
    return _encoder.encode(moves)


def decode_moves(stored: bytes) -> tuple[Move, ...]:
    """Undo ``encode_moves``."""
    return _moves.decode(stored)
