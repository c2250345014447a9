# SPDX-License-Identifier: Apache-2.0
"""`parity`: a parity file beside each pack that reads back whole (docs/format.md §6.5).

Owns which packs get one, which keep theirs, and which parity goes: that of packs which are neither here, nor put aside,
nor missed by the index. What is removed from a case on purpose must not live on in its parity.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vault import layout
from vault.disk import Disk
from vault.errors import Damaged
from vault.mending import check_parity, write_parity
from vault.model import PackId
from vault.pack import pack_name
from vault.store import CaseStore
from vault.verifying import Verdict, verify


@dataclass(frozen=True, slots=True)
class Protected:
    """What became of a case's parity."""

    verdict: Verdict
    made: int
    kept: int
    """Parity files that were whole and of this strength already."""
    removed: int
    size: int
    """Bytes of all parity files of the case."""


def protect(
    store: CaseStore, percent: int, *, disk: Disk, progress: Callable[[int, int], None] = lambda packs, size: None
) -> Protected:
    """Read the case back, and see that each pack that is whole has parity of ``percent``; 0 removes all parity.

    Raises BadInput, LibraryMissing, NewerFormat, Busy, OSError, Wiped.
    """
    folder = os.path.join(store.folder, layout.PARITY)
    if percent == 0:
        return Protected(Verdict(), 0, 0, _remove(disk, folder, set()), 0)
    verdict = verify(store, progress=progress)
    if not os.path.isdir(folder):
        disk.make_folder(folder)
    disk.sweep(folder)
    whole = sorted(store.usable_packs() - set(verdict.broken))
    made = kept = size = 0
    for pack in whole:
        path = os.path.join(store.folder, layout.PACKS, pack_name(pack))
        parity = os.path.join(folder, pack.hex() + layout.PARITY_SUFFIX)
        # Under the lock: a pack that somebody writes anew just now must not get parity after it is gone.
        with store.placing():
            if not os.path.lexists(path):
                continue
            try:
                check_parity(pack, path, parity, percent)
                kept += 1
            except (Damaged, FileNotFoundError):
                write_parity(disk, pack, path, parity, percent)
                made += 1
            size += os.path.getsize(parity)
    keep = {*store.usable_packs(), *store.missing_packs(), *store.unread_packs(), *_put_aside(store.folder)}
    return Protected(verdict, made, kept, _remove(disk, folder, keep), size)


def _put_aside(folder: str) -> set[PackId]:
    try:
        names = os.listdir(os.path.join(folder, layout.QUARANTINE))
    except FileNotFoundError:
        return set()
    found = set()
    for name in names:
        with suppress(ValueError):
            found.add(PackId(bytes.fromhex(name[:32])))
    return found


def _remove(disk: Disk, folder: str, keep: set[PackId]) -> int:
    """Remove the parity files of all packs but those to keep; how many."""
    kept = {pack.hex() + layout.PARITY_SUFFIX for pack in keep}
    removed = 0
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.endswith(layout.PARITY_SUFFIX) and name not in kept:
                disk.unlink(os.path.join(folder, name))
                removed += 1
    return removed
