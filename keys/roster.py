# SPDX-License-Identifier: Apache-2.0
"""The roster: who has which pair of slots in a compartment (docs/format.md §4.5).

Sealed to, and signed by, an identity derived from the compartment's device secret: whoever opens the compartment
reads and writes it, nobody else can. Always the same size. It is a list, not a lock: a slot opens whether
or not it is named, and that an older roster was put back nobody can tell from it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Roster:
    """The entries of one compartment, by pair."""

    entries: tuple[RosterEntry, ...] = ()

    @property
    def pairs(self) -> frozenset[int]:
        """The pairs that are taken."""
        return frozenset(entry.pair for entry in self.entries)

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
        if known or self.by_label(label) or self.by_pair(pair):
            raise NameTaken("a journalist of this name, place or card is there already")
        entries = (*self.entries, RosterEntry(pair, label, card, added_ns))
        return Roster(tuple(sorted(entries, key=lambda entry: entry.pair)))

    def without_pair(self, pair: int) -> Roster:
        """One less. Raises NotFound."""
        if self.by_pair(pair) is None:
            raise NotFound("no journalist has this place")
        return Roster(tuple(entry for entry in self.entries if entry.pair != pair))


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    pair: Annotated[int, msgspec.Meta(ge=0, lt=PAIRS_PER_COMPARTMENT)]
    label: Name
    card: CardText
    added_ns: Nanoseconds


class _Roster(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sandyk roster 1"):
    entries: Annotated[tuple[_Entry, ...], msgspec.Meta(max_length=PAIRS_PER_COMPARTMENT)]


def seal_roster(roster: Roster, device_secret: Secret) -> bytes:
    """An age file, whose size does not depend on the roster."""
    entries = tuple(_Entry(e.pair, e.label, encode(e.card), e.added_ns) for e in roster.entries)
    identity = compartment_identity(device_secret)
    return seal_record(
        _Roster(entries), labels.ROSTER_SIGNATURE, identity, [identity.recipient], least=SIZE, limit=SIZE
    )


def open_roster(untrusted: bytes, device_secret: Secret) -> Roster:
    """The roster. Raises MalformedAge, NoMatch, Damaged, MalformedRecord and BadSignature."""
    identity = compartment_identity(device_secret)
    body = open_record(
        untrusted, identity, _Roster, labels.ROSTER_SIGNATURE, signer=lambda _: identity.signing_public, limit=SIZE
    )
    # Names were judged when they were put in, and whoever did signed: a newer Unicode must not lock a roster.
    entries = tuple(RosterEntry(e.pair, e.label, parse_card(e.card), e.added_ns) for e in body.entries)
    pairs = [entry.pair for entry in entries]
    if pairs != sorted(set(pairs)):
        raise MalformedRecord("a roster that contradicts itself")
    return Roster(entries)
