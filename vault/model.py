# SPDX-License-Identifier: Apache-2.0
"""The values everything else passes around: items, chunks, extents, events.

Values only: no I/O, no keys, no clock. They are msgspec structs, because they are also
what a manifest stores (docs/format.md §6): decoding checks every type and refuses
fields it does not know.
"""

from __future__ import annotations

from typing import Annotated, NewType

from msgspec import Meta, Struct

from vault.language import later

CaseId = NewType("CaseId", bytes)
"""16 random bytes; as 32 hex digits the name of the case's folder."""
PackId = NewType("PackId", bytes)
"""16 random bytes; as 32 hex digits the name of the pack's file."""
ItemId = NewType("ItemId", bytes)
"""16 random bytes, given when an item is filed and kept for ever."""

ID_SIZE = 16
HASH_SIZE = 32
MAX_EXTENTS = 1_000_000
"""Of one item: more than a terabyte in pieces that lie apart."""
MAX_EVENT_ITEMS = 1_000_000

Id16 = Annotated[bytes, Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Hash32 = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
U63 = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
S63 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""Nanoseconds since 1970; a file may be older than that."""
Name = Annotated[bytes, Meta(min_length=1, max_length=4096)]
Text = Annotated[str, Meta(max_length=65_536)]
Tag = Annotated[str, Meta(min_length=1, max_length=200)]

ORIGIN_FILE = later("file")
"""Filed from this machine's disk or standard input by a member."""
ORIGIN_DROP = later("drop")
"""Taken in from an unsigned drop."""
ORIGIN_AGE = later("age")
"""Taken in from a plain age file that somebody made with another program."""
ORIGIN_BUNDLE = later("bundle")
"""Taken in from a signed bundle; ``signer`` names the key."""
ORIGIN_CLEAN = later("clean copy")
"""Made here from another item, without what that says of whoever made it."""


class Chunk(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A piece of evidence in a pack: its keyed BLAKE3 id, its length as stored and when unpacked, and how it is packed.

    Chunks lie one behind the other, so offsets are sums of the lengths before. Small ones may share a block, one zstd
    frame: the first of them states its length, the others are JOINED and have a stored length of 0.
    """

    id: Hash32
    stored: U32
    raw: U32
    packing: U32


PACKING_NONE = 0
PACKING_ZSTD = 1
PACKING_JOINED = 2
"""In the same zstd frame as the chunk before."""


class Extent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``count`` chunks of one pack, from number ``first`` on. An empty ``pack`` is the pack one is reading."""

    pack: Annotated[bytes, Meta(max_length=ID_SIZE)]
    first: U32
    count: U32


class Item(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One filed document."""

    id: Id16
    name: Name
    """The path as it was filed, with ``/``, in the file system's own bytes."""
    size: U63
    sha256: Hash32
    mtime_ns: S63 | None
    filed_ns: S63
    note: Text
    source: Text
    tags: Annotated[tuple[Tag, ...], Meta(max_length=100)]
    origin: Annotated[str, Meta(max_length=20)]
    signer: Annotated[bytes, Meta(max_length=HASH_SIZE)]
    """The Ed25519 key that signed the bundle it came in, or nothing."""
    extents: Annotated[tuple[Extent, ...], Meta(max_length=MAX_EXTENTS)]


class Event(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An entry of the custody record: what was done, when, to which items, with what detail."""

    at_ns: S63
    kind: Annotated[str, Meta(min_length=1, max_length=40)]
    items: Annotated[tuple[Id16, ...], Meta(max_length=MAX_EVENT_ITEMS)]
    detail: Text


EVENT_FILED = later("filed")
EVENT_TAKEN_IN = later("taken in")
EVENT_CLEANED = later("clean copy made")
"""Of two items, the original and the copy."""
EVENT_COPIED_OUT = later("copied out")
EVENT_EXPORT_BEGUN = later("export begun")
"""A bundle was about to get its name: it may be there, and counts for nothing until ``exported`` or a receipt comes."""
EVENT_EXPORTED = later("exported")
EVENT_RECEIPT = later("receipt taken")
"""An editor's receipt was verified and names these items."""
EVENT_MOVED = later("original removed")
EVENT_GRANTED = later("access granted")
EVENT_REVOKED = later("access revoked")
EVENT_CREATED = later("case created")
EVENT_MENDED = later("pack mended")
"""A damaged pack was made whole again from its parity."""
EVENT_PUT_ASIDE = later("pack put aside")
"""A pack that did not read was moved to the quarantine; of the items that it alone listed."""
EVENT_PUT_BACK = later("pack put back")
EVENT_SAVED = later("filed again")
"""Documents that still read, in a pack that was put aside, became new items."""
EVENT_REMOVED = later("removed")
"""Documents were taken out of the case; the detail is why, if somebody said so."""
EVENT_REWRITTEN = later("packs rewritten")
"""Packs were put together, and chunks of no document dropped."""


class Move(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``count`` chunks of a pack that was replaced, from number ``first`` on: they are ``to`` and following now."""

    first: U32
    count: U32
    to: U32


class Replaced(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A pack that another one stands for: its place in its chain, its custody events, and where its chunks are now.

    What the pack said of itself is repeated by who signs the other one; the link before and after it still fit.
    """

    pack: Id16
    epoch: Annotated[int, Meta(ge=1, le=999_999)]
    device: Id16
    author: Hash32
    sequence: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    digest: Hash32
    previous: Annotated[bytes, Meta(max_length=HASH_SIZE)]
    created_ns: S63
    events: Annotated[tuple[Event, ...], Meta(max_length=MAX_EXTENTS)]
    moves: Annotated[tuple[Move, ...], Meta(max_length=MAX_EXTENTS)]
