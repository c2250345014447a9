# SPDX-License-Identifier: Apache-2.0
"""The judge of the custody record: who may file, and whether each device's chain of packs is whole.

No I/O. What it finds are values that ``verify`` prints; it never decides what to do about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from vault.index import PackRow


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: what, and which pack or item it concerns (hex, or empty)."""

    what: str
    about: str


def judge_chains(packs: Iterable[PackRow]) -> Iterator[Finding]:
    """Gaps, forks and broken links in the chains of all devices; ``packs`` ordered by device and sequence.

    What no chain can show: that the newest packs of a device are missing. The index, and
    every copy elsewhere, remembers them.
    """
    for _, chain in groupby(packs, key=attrgetter("device")):
        before: PackRow | None = None
        for pack in chain:
            yield from _judge_link(before, pack)
            before = pack


def _judge_link(before: PackRow | None, pack: PackRow) -> Iterator[Finding]:
    name = pack.pack.hex()[:8]
    expected = before.sequence + 1 if before else 1
    if before and pack.sequence == before.sequence:
        yield Finding(f"two packs claim place {pack.sequence} in one device's chain", name)
    elif pack.sequence != expected:
        missing = pack.sequence - expected
        yield Finding(f"{missing} pack(s) before it are missing from the chain", name)
    elif before and pack.previous != before.digest:
        yield Finding("it does not continue the pack before it", name)
    if before and pack.epoch < before.epoch:
        # Who was revoked still has the old epoch's keys, and can sign with them what was never filed then.
        yield Finding(f"it claims to be of epoch {pack.epoch}, and comes after one of epoch {before.epoch}", name)


def judge_former_members(packs: Iterable[PackRow], members: Collection[bytes]) -> Iterator[Finding]:
    """Packs of authors who are no ``members`` any more, where nothing shows that they are from before they left.

    What shows it is a later pack of the same device, by a present member in a later epoch: a chain is signed link
    by link. A former member's own machine, elsewhere, has no such pack: its documents may be true, or dated back.
    ``packs`` ordered by device and sequence; none of these need be false.
    """
    for _, chain in groupby(packs, key=attrgetter("device")):
        vouched_up_to = 0
        for pack in reversed(list(chain)):
            if pack.author in members:
                vouched_up_to = max(vouched_up_to, pack.epoch)
            elif pack.epoch >= vouched_up_to:
                yield Finding(
                    "by a former member: nothing shows that it was filed before they left", pack.pack.hex()[:8]
                )
