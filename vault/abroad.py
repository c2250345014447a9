# SPDX-License-Identifier: Apache-2.0
"""What is abroad, on its way and only here in all cases that a journalist can read, from their signed records.

It opens every case and lets ``vault.whereabouts`` judge; so the public counter, which may be behind, is put right, and
a wipe that nobody orders is armed only by who holds the keys and looked (docs/decisions/0037-receipts.md). What other
journalists alone can read, it cannot count: it says how many such cases there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from gettext import gettext as _
from operator import add

from vault import arming, counter, custody, layout, whereabouts
from vault.cases import Case, case_folder, list_cases, open_store
from vault.counter import Counter
from vault.errors import BadInput, DiskFailed, NotAllowed
from vault.model import EVENT_EXPORTED, EVENT_RECEIPT
from vault.names import printable
from vault.store import CaseStore
from vault.vaults import Vault
from vault.whereabouts import Tally, Where


@dataclass(frozen=True, slots=True)
class CaseSight:
    """One case: where its items are, how many are where, and how many packs could not be read or were put aside."""

    case: Case
    places: dict[bytes, Where]
    """Of the items that an export or a receipt names: all others are only here."""
    tally: Tally
    unread_packs: int


@dataclass(frozen=True, slots=True)
class Sight:
    """All cases of a journalist. ``unusable``: ids and reasons; ``unseen``: cases here that they are no member of."""

    cases: tuple[CaseSight, ...]
    unusable: tuple[tuple[bytes, str], ...] = ()
    unseen: int = 0

    @property
    def tally(self) -> Tally:
        """Of all cases together."""
        return reduce(add, (one.tally for one in self.cases), Tally())

    @property
    def complete(self) -> bool:
        """Whether every document of the vault was counted."""
        return not (self.unusable or self.unseen or any(one.unread_packs for one in self.cases))


def see(case: Case, store: CaseStore) -> CaseSight:
    """Where the documents of one case are."""
    events, vouched = list(store.index.events(EVENT_EXPORTED, EVENT_RECEIPT)), vouched_packs(store)
    named = {item for row in events for item in row.event.items}
    places = whereabouts.where(store.index.listed(named), events, vouched)
    unread = len(store.findings) + _put_aside(store)
    return CaseSight(case, places, whereabouts.tally(store.index.count(), places, events, vouched), unread)


def _put_aside(store: CaseStore) -> int:
    """How many packs lie in quarantine: what they hold is counted nowhere, and may be nowhere else."""
    try:
        return len(os.listdir(os.path.join(store.folder, layout.QUARANTINE)))
    except FileNotFoundError:
        return 0


def vouched_packs(store: CaseStore) -> frozenset[int]:
    """The packs of a case whose events count, by their numbers in the index."""
    return custody.vouched(store.index.packs(), {member.signing for member in store.keys.members})


def look(vault: Vault) -> Sight:
    """Open every case and count; the public counter is put right on the way."""
    cases, unusable = list_cases(vault)
    seen = []
    for case in cases:
        with open_store(vault, case) as store:
            seen.append(see(case, store))
    return put_right(vault, seen, unusable)


def put_right(vault: Vault, seen: Sequence[CaseSight], unusable: Sequence[tuple[bytes, str]]) -> Sight:
    """What was seen of all one's cases, as a whole; the public counter says so afterwards, where it can be written.

    Of cases that were not seen the counter is believed as far as it does not contradict what was.
    """
    mine = {one.case.id.hex() for one in seen} | {case_id.hex() for case_id, __ in unusable}
    sight = Sight(tuple(seen), tuple(unusable), len(arming.cases_with_packs(vault.folder) - mine))
    if _counted(counter.read(vault.folder, vault.disk), sight) is not None:
        with suppress(DiskFailed), vault.changing():
            right = _counted(counter.read(vault.folder, vault.disk), sight)
            if right is not None:
                counter.write(vault.folder, vault.disk, right)
    return sight


def _counted(known: Counter, sight: Sight) -> Counter | None:
    """The counter as it must be after what was seen; None when it is so already."""
    own = sight.tally
    right = Counter(
        own.total, own.safe + own.sent, own.safe, _day(own.last_sealed_ns, "-"), _day(own.last_safe_ns, "-")
    )
    if not sight.complete:
        filed = max(known.filed, right.filed)
        sealed = max(min(known.sealed, filed), right.sealed)
        safe = max(min(known.safe, sealed), right.safe)
        days = max(known.last_sealed, right.last_sealed), max(known.last_safe, right.last_safe)  # "-" sorts first
        right = Counter(filed, sealed, safe, *days)
    return None if right == known else right


def _day(ns: int | None, never: str) -> str:
    return never if ns is None else counter.day_of(ns)


def confirm(vault: Vault, expected: Tally, told: int) -> Sight:
    """Let a wipe of this vault happen by itself for a while, because all that it holds is abroad.

    Every document must be safe abroad by receipt, but ``told``: those that are on their way, and of which a person
    says that an editor told them by voice. ``expected`` is what that person was shown. Looks again under the locks of
    the cases, so that nothing can be filed in between. Raises NotAllowed, BadInput; nothing is recorded then.
    """
    cases, unusable = list_cases(vault)
    with ExitStack() as stores:
        opened = [(case, stores.enter_context(open_store(vault, case))) for case in cases]
        with _locked(vault, cases):
            for __, store in opened:
                store.catch_up()
            sight = Sight(tuple(see(case, store) for case, store in opened), tuple(unusable))
            _verify_all_abroad(sight, expected, told)
            arming.remember(vault.folder, [case.id.hex() for case in cases], vault.clock(), disk=vault.disk)
    return sight


def _verify_all_abroad(sight: Sight, expected: Tally, told: int) -> None:
    nothing = _("nothing was recorded")
    tally = sight.tally
    if sight.unusable or any(one.unread_packs for one in sight.cases):
        raise NotAllowed(
            _("this cannot be confirmed: not everything in your cases can be read"), nothing, _("sandyk verify")
        )
    if not tally.total:
        raise NotAllowed(_("this cannot be confirmed: nothing was filed in your cases"), nothing)
    if tally.here:
        where = ", ".join(f"{printable(one.case.name)} {one.tally.here}" for one in sight.cases if one.tally.here)
        raise NotAllowed(
            _("this cannot be confirmed: {here} document(s) are only here ({where})").format(
                here=tally.here, where=where
            ), nothing,
            _("sandyk list --only-here shows them, sandyk export seals them"),
        )  # fmt: skip
    if (tally.safe, tally.sent) != (expected.safe, expected.sent):
        raise NotAllowed(
            _("this cannot be confirmed: something changed meanwhile"), nothing, _("run the command again")
        )
    if told != tally.sent:
        raise BadInput(
            _("{sent} document(s) are on their way without a receipt, and not {told}").format(
                sent=tally.sent, told=told
            ),
            nothing,
        )


@contextmanager
def _locked(vault: Vault, cases: Sequence[Case]) -> Iterator[None]:
    """Hold the vault's lock and those of the cases: the vault's first, as who begins an epoch does."""
    with vault.changing(), ExitStack() as locks:
        for case in cases:
            locks.enter_context(vault.disk.lock(os.path.join(case_folder(vault, case.id), layout.LOCK)))
        yield
