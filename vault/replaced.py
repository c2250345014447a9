# SPDX-License-Identifier: Apache-2.0
"""What is known here of packs, held against what another pack says that it replaced (docs/format.md §6.7).

Reads the index; ``vault.replacing`` judges.
"""

from __future__ import annotations

from vault.index import Index, PackRow
from vault.manifest import Manifest, replaced_by
from vault.model import Move, PackId, Replaced
from vault.replacing import verify_replacement


def statement_of(index: Index, row: PackRow, moves: tuple[Move, ...] = ()) -> Replaced:
    """What a pack that stands for this one has to say of it."""
    return Replaced(
        row.pack, row.epoch, row.device, row.author, row.sequence, row.digest, row.previous, row.created_ns,
        index.events_in(row.pack), moves,
    )  # fmt: skip


def verify_statements(index: Index, untrusted: Manifest) -> None:
    """Raise DamagedPack when what a manifest says of a pack that is listed here is not so."""
    for one in replaced_by(untrusted):
        known = index.pack(PackId(one.pack))
        if known is not None and not known.replaced_by:
            also = [other.pack for other in index.replaced_by(known)]
            items, chunks = index.items_in(known.pack), index.chunks_of(known.pack)
            verify_replacement(statement_of(index, known), items, chunks, also, untrusted)
