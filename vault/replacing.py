# SPDX-License-Identifier: Apache-2.0
"""The judge of packs that stand for others: what a replacement must hold, and where chunks are afterwards.

A pack that was rewritten leaves the disk, and its place in its device's chain is kept by what the new pack says of it
(docs/format.md §6.7). No I/O. Whoever still has the old pack can hold that statement against it: a document that
is neither in the new pack nor named as removed, a changed name, another custody event, and the statement is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from gettext import gettext as _

from msgspec import structs

from vault.errors import DamagedPack
from vault.manifest import Manifest, replaced_by
from vault.model import EVENT_REMOVED, Chunk, Event, Extent, Item, Move, Replaced


def moves_of(places: Mapping[int, int]) -> tuple[Move, ...]:
    """Numbers of chunks, old to new, as runs."""
    runs: list[Move] = []
    for old, new in sorted(places.items()):
        last = runs[-1] if runs else None
        if last and (last.first + last.count, last.to + last.count) == (old, new):
            runs[-1] = Move(last.first, last.count + 1, last.to)
        else:
            runs.append(Move(old, 1, new))
    return tuple(runs)


def places_of(moves: Iterable[Move]) -> dict[int, int]:
    """Undo ``moves_of``."""
    return {move.first + n: move.to + n for move in moves for n in range(move.count)}


def follow(extents: Sequence[Extent], moves: Mapping[bytes, tuple[bytes, Sequence[Move]]]) -> tuple[Extent, ...]:
    """Extents as they lie after packs were replaced. ``moves``: for such a pack the one that stands for it.

    What did not move stays where it was: in a pack that may still be there, or is gone with these chunks.
    """
    found: list[Extent] = []
    for extent in extents:
        pack, runs = moves.get(extent.pack, (b"", ()))
        for piece in _pieces(extent, pack, runs):
            last = found[-1] if found else None
            if last and (last.pack, last.first + last.count) == (piece.pack, piece.first):
                found[-1] = Extent(last.pack, last.first, last.count + piece.count)
            else:
                found.append(piece)
    return tuple(found)


def _pieces(extent: Extent, pack: bytes, moves: Sequence[Move]) -> Iterable[Extent]:
    at, end = extent.first, extent.first + extent.count
    for move in moves:
        first, last = max(at, move.first), min(end, move.first + move.count)
        if first >= last:
            continue
        if at < first:
            yield Extent(extent.pack, at, first - at)
        yield Extent(pack, first - move.first + move.to, last - first)
        at = last
    if at < end:
        yield Extent(extent.pack, at, end - at)


def verify_replacement(
    old: Replaced, items: Iterable[Item], chunks: Sequence[Chunk], also_stood_for: Iterable[bytes], new: Manifest
) -> None:
    """Raise DamagedPack unless ``new`` may stand for a pack that is here.

    Of that pack: ``old`` is what a true statement would say, its ``moves`` apart; ``items`` and ``chunks`` are what it
    lists, ``also_stood_for`` the packs that it stands for itself.
    """
    name = old.pack.hex()[:8]
    replaced = {one.pack: one for one in replaced_by(new)}
    said = replaced[old.pack]
    if structs.replace(said, moves=()) != structs.replace(old, moves=()):
        raise DamagedPack(
            _("it says of pack {name}, which it claims to replace, what is not so: not listed").format(name=name)
        )
    if not replaced.keys() >= set(also_stood_for):
        raise DamagedPack(
            _("it claims to replace pack {name}, and leaves out what that pack replaced: not listed").format(name=name)
        )
    kept = {item.id: structs.replace(item, extents=()) for item in new.items}
    removed = {item for event in _events(new) if event.kind == EVENT_REMOVED for item in event.items}
    for item in items:
        if item.id not in removed and kept.get(item.id) != structs.replace(item, extents=()):
            raise DamagedPack(
                _("it claims to replace pack {name}, and loses or changes a document of it: not listed").format(
                    name=name
                )
            )
    for before, now in places_of(said.moves).items():
        if before >= len(chunks) or chunks[before].id != new.chunks[now].id:
            raise DamagedPack(
                _("it claims to replace pack {name}, and its chunks are others: not listed").format(name=name)
            )


def _events(manifest: Manifest) -> Iterable[Event]:
    yield from manifest.events
    for one in replaced_by(manifest):
        yield from one.events
