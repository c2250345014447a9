# SPDX-License-Identifier: Apache-2.0
"""The roster: who has which pair of slots in a compartment (docs/format.md §4.5).

Sealed to, and signed by, an identity derived from the compartment's device secret: whoever opens the compartment
reads and writes it, nobody else can. Always the same size. It is a list, not a lock: a slot opens whether
or not it is named, and that an older roster was put back nobody can tell from it alone. It also names the pairs that
recovery slots lie in (``keys.slots``), so that nobody is put on top of one, and who removes a journalist finds theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from gettext import gettext as _
from typing import Annotated

import msgspec

from keys import labels
from keys.card import Card, encode, parse_card
from keys.errors import MalformedRecord, NameTaken, NotFound
from keys.kdf import compartment_identity
from keys.layout import PAIRS_PER_COMPARTMENT
from keys.names import fold_name, tidy_name
from keys.record import CardText, Name, Nanoseconds, open_record, seal_record
from keys.secret import Secret

SIZE = 64 << 10
"""Bytes of plaintext, enough for sixteen entries with the longest names."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """Somebody with a slot: the pair's number (0-15), what colleagues call them, and their card."""

    pair: int
    label: str
    card: Card
    added_ns: int
    recovery: int | None = None
    """The pair that their recovery slot lies in, if they made shares of a key."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The entries of one compartment, by pair."""

    entries: tuple[RosterEntry, ...] = ()

    @property
    def pairs(self) -> frozenset[int]:
        """The pairs that are taken, by recovery slots too."""
        recovery = (entry.recovery for entry in self.entries if entry.recovery is not None)
        return frozenset({*(entry.pair for entry in self.entries), *recovery})

    def by_pair(self, pair: int) -> RosterEntry | None:
        """The entry of a pair."""
        return next((entry for entry in self.entries if entry.pair == pair), None)

    def by_label(self, label: str) -> RosterEntry | None:
        """The entry of this name, whatever its case."""
        return next((entry for entry in self.entries if fold_name(entry.label) == fold_name(label)), None)

    def with_entry(self, pair: int, label: str, card: Card, added_ns: int) -> Roster:
        """One more. Raises NameTaken when the name, the pair or the card is there already, Malformed for a bad name."""
        if not 0 <= pair < PAIRS_PER_COMPARTMENT or card.kind != "person":
            raise ValueError("not a pair, or not a person")
        label = tidy_name(label)
        known = any(entry.card.signing == card.signing for entry in self.entries)
        if known or self.by_label(label) or pair in self.pairs:
            raise NameTaken(_("a journalist of this name, place or card is there already"))
        entries = (*self.entries, RosterEntry(pair, label, card, added_ns))
        return Roster(tuple(sorted(entries, key=lambda entry: entry.pair)))

    def without_pair(self, pair: int) -> Roster:
        """One less. Raises NotFound."""
        if self.by_pair(pair) is None:
            raise NotFound(_("no journalist has this place"))
        return Roster(tuple(entry for entry in self.entries if entry.pair != pair))

    def with_recovery(self, pair: int, place: int | None) -> Roster:
        """Name the pair of this journalist's recovery slot, or none. Raises NotFound, NameTaken when it is taken."""
        entry = self.by_pair(pair)
        if entry is None:
            raise NotFound(_("no journalist has this place"))
        if place is not None and place in self.with_recovery(pair, None).pairs:
            raise NameTaken(_("this place is taken"))
        return Roster(tuple(replace(e, recovery=place) if e is entry else e for e in self.entries))


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    pair: Annotated[int, msgspec.Meta(ge=0, lt=PAIRS_PER_COMPARTMENT)]
    label: Name
    card: CardText
    added_ns: Nanoseconds


class _Roster(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sandyk roster 1"):
    entries: Annotated[tuple[_Entry, ...], msgspec.Meta(max_length=PAIRS_PER_COMPARTMENT)]


class _Recovery(msgspec.Struct, forbid_unknown_fields=True):
    pair: Annotated[int, msgspec.Meta(ge=0, lt=PAIRS_PER_COMPARTMENT)]
    place: Annotated[int, msgspec.Meta(ge=0, lt=PAIRS_PER_COMPARTMENT)]


class _RosterWithRecovery(_Roster, tag="sandyk roster 2"):
    """Written only where there is a recovery slot: whoever does not know of those must not put anybody into one."""

    recovery: Annotated[tuple[_Recovery, ...], msgspec.Meta(min_length=1, max_length=PAIRS_PER_COMPARTMENT)]


def seal_roster(roster: Roster, device_secret: Secret) -> bytes:
    """An age file, whose size does not depend on the roster."""
    entries = tuple(_Entry(e.pair, e.label, encode(e.card), e.added_ns) for e in roster.entries)
    recovery = tuple(_Recovery(e.pair, e.recovery) for e in roster.entries if e.recovery is not None)
    body = _RosterWithRecovery(entries, recovery) if recovery else _Roster(entries)
    identity = compartment_identity(device_secret)
    return seal_record(body, labels.ROSTER_SIGNATURE, identity, [identity.recipient], least=SIZE, limit=SIZE)


def open_roster(untrusted: bytes, device_secret: Secret) -> Roster:
    """The roster. Raises MalformedAge, NoMatch, Damaged, MalformedRecord and BadSignature."""
    identity = compartment_identity(device_secret)
    body = open_record(
        untrusted, identity, _Roster, labels.ROSTER_SIGNATURE, signer=lambda _: identity.signing_public, limit=SIZE,
        newer=_RosterWithRecovery,
    )  # fmt: skip
    # Names were judged when they were put in, and whoever did signed: a newer Unicode must not lock a roster.
    recovery = body.recovery if isinstance(body, _RosterWithRecovery) else ()
    places = {r.pair: r.place for r in recovery}
    entries = tuple(
        RosterEntry(e.pair, e.label, parse_card(e.card), e.added_ns, places.get(e.pair)) for e in body.entries
    )
    pairs, with_slots = [entry.pair for entry in entries], [r.pair for r in recovery]
    taken = {*pairs, *places.values()}
    if (
        pairs != sorted(set(pairs))
        or with_slots != sorted(set(with_slots) & set(pairs))
        or len(taken) != len(pairs) + len(recovery)
    ):
        raise MalformedRecord(_("a roster that contradicts itself"))
    return Roster(entries)
