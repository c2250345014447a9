# SPDX-License-Identifier: Apache-2.0
"""The judge of the custody record: who may file, and whether each device's chain of packs is whole.

No I/O. What it finds are values that ``verify`` prints; it never decides what to do about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
