# SPDX-License-Identifier: Apache-2.0
"""Rows of the index as values: packs, items and events; and the text that a search looks through.

Values in, values out; the tables are ``vault.index``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from vault import manifest as manifests
from vault.model import Event, Extent, Item, ItemId, Move, PackId
from vault.replacing import follow
from vault.spelling import fold


@dataclass(frozen=True, slots=True)
class PackRow:
    """What the index knows of a pack."""

    n: int
    pack: PackId
    epoch: int
    device: bytes
    author: bytes
    sequence: int
    digest: bytes
    previous: bytes
    created_ns: int
    size: int
    replaced_by: int = 0
    """The number of the pack that stands for this one (docs/format.md §6.7); 0 when it lies on the disk itself."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """A custody event with the pack that carries it."""

    event: Event
    pack: PackRow


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an item's bytes lie, and what they must be. ``listed``: by the pack that was asked for."""

    item: ItemId
    size: int
    sha256: bytes
    extents: tuple[Extent, ...]
    listed: bool


def fold_item(item: Item) -> str:
    """What a search looks through for one item."""
    name = item.name.decode("utf-8", "replace")
    return "\n".join(fold(part) for part in (name, item.note, item.source, *item.tags))


def event_of(row: Iterable[Any]) -> Event:
    """An event from its columns."""
    at_ns, kind, items, detail = row
    return Event(at_ns, kind, tuple(items[i : i + 16] for i in range(0, len(items), 16)), detail)


def item_row(
    item: Item, pack: PackId, moves: Mapping[bytes, tuple[bytes, tuple[Move, ...]]] = MappingProxyType({})
) -> tuple[Any, ...]:
    """An item of a pack as its columns, every pack named; ``moves`` as ``vault.replacing.follow`` takes them."""
    extents = tuple(e if e.pack else Extent(pack, e.first, e.count) for e in item.extents)
    extents = follow(extents, moves) if moves else extents
    return (item.id, item.name, item.size, item.sha256, item.mtime_ns, item.filed_ns, item.note, item.source,
            "\0".join(item.tags), item.origin, item.signer, manifests.encode_extents(extents))  # fmt: skip


def item_of(row: Iterable[Any]) -> Item:
    """Undo ``item_row``."""
    item, name, size, sha256, mtime_ns, filed_ns, note, source, tags, origin, signer, extents = row
    split = tuple(tags.split("\0")) if tags else ()
    runs = manifests.decode_extents(extents)
    return Item(item, name, size, sha256, mtime_ns, filed_ns, note, source, split, origin, signer, runs)
