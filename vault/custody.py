# SPDX-License-Identifier: Apache-2.0
"""The judge of the custody record: who may file, and whether each device's chain of packs is whole.

No I/O. What it finds are values that ``verify`` prints; it never decides what to do about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from itertools import groupby
from operator import attrgetter

from vault.index import PackRow


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: what, and which pack or item it concerns (hex, or empty)."""

    what: str
    about: str
    gap: bool = False
    """Whether packs are missing from a chain."""


def judge_chains(packs: Iterable[PackRow]) -> Iterator[Finding]:
    """Gaps, forks and broken links in the chains of all devices; ``packs`` ordered by device and sequence.

    What no chain can show: that the newest packs of a device are missing. The index, and
    every copy elsewhere, remembers them.
    """
    for __, chain in groupby(packs, key=attrgetter("device")):
        before: PackRow | None = None
        for pack in chain:
            yield from _judge_link(before, pack)
            before = pack


def _judge_link(before: PackRow | None, pack: PackRow) -> Iterator[Finding]:
    name = pack.pack.hex()[:8]
    expected = before.sequence + 1 if before else 1
    if before and pack.sequence == before.sequence:
        yield Finding(_("two packs claim place {sequence} in one device's chain").format(sequence=pack.sequence), name)
    elif pack.sequence != expected:
        missing = pack.sequence - expected
        yield Finding(
            _("{missing} pack(s) before it are missing from the chain").format(missing=missing), name, gap=True
        )
    elif before and pack.previous != before.digest:
        yield Finding(_("it does not continue the pack before it"), name)
    if before and pack.epoch < before.epoch:
        # Who was revoked still has the old epoch's keys, and can sign with them what was never filed then.
        yield Finding(
            _("it claims to be of epoch {epoch}, and comes after one of epoch {epoch_2}").format(
                epoch=pack.epoch, epoch_2=before.epoch
            ),
            name,
        )


def judge_former_members(packs: Iterable[PackRow], members: Collection[bytes]) -> Iterator[Finding]:
    """Packs of authors who are no ``members`` any more, where nothing shows that they are from before they left.

    What shows it is a later pack of the same device, by a present member in a later epoch: a chain is signed link
    by link. A former member's own machine, elsewhere, has no such pack: its documents may be true, or dated back.
    ``packs`` ordered by device and sequence; none of these need be false.
    """
    for __, chain in groupby(packs, key=attrgetter("device")):
        vouched_up_to = 0
        for pack in reversed(list(chain)):
            if pack.author in members:
                vouched_up_to = max(vouched_up_to, pack.epoch)
            elif pack.epoch >= vouched_up_to:
                yield Finding(
                    _("by a former member: nothing shows that it was filed before they left"), pack.pack.hex()[:8]
                )


def vouched(packs: Iterable[PackRow], members: Collection[bytes]) -> frozenset[int]:
    """Which packs, by their numbers in the index, somebody vouches for who is a member now.

    Their own; and those of former members that are from before they left, as the links of a chain show: a present
    member's pack of a later epoch follows, and none of a later epoch comes before. What a former member puts beside a
    chain, or at its end, is none of these. ``packs`` ordered by device and sequence.
    """
    found: set[int] = set()
    everything = list(packs)
    for __, packs_of in groupby(everything, key=attrgetter("device")):
        chain = list(packs_of)
        own = [pack for pack in chain if pack.author in members]
        found |= {pack.n for pack in own}
        if own and len(own) < len(chain):
            found |= _from_before_they_left(_linked(own[-1], chain), members)
    # What a replaced pack said is the word of whoever signed the pack that stands for it, too.
    return frozenset(found - {pack.n for pack in everything if pack.replaced_by and pack.replaced_by not in found})


def _linked(last: PackRow, chain: Iterable[PackRow]) -> list[PackRow]:
    """What ``last`` continues, link by link, the earliest first; ``last`` at the end."""
    by_digest = {pack.digest: pack for pack in chain}
    linked = [last]
    while before := by_digest.pop(linked[-1].previous, None):
        linked.append(before)
    return linked[::-1]


def _from_before_they_left(linked: Sequence[PackRow], members: Collection[bytes]) -> set[int]:
    later = [0] * (len(linked) + 1)
    for place in range(len(linked) - 1, -1, -1):
        pack = linked[place]
        later[place] = max(later[place + 1], pack.epoch if pack.author in members else 0)
    found, highest = set(), 0
    for place, pack in enumerate(linked):
        if highest <= pack.epoch < later[place + 1]:
            found.add(pack.n)
        highest = max(highest, pack.epoch)
    return found
