# SPDX-License-Identifier: Apache-2.0
"""What the owner of a key keeps of its shares: who has which, and how to tell that one still opens.

Owns a part of the book (docs/format.md §4.4). No share is in it, and nothing from which one could be had: a check key
is derived from a share's words (``keys.shares``), not the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from gettext import gettext as _
from typing import Annotated

import msgspec

from keys.errors import MalformedRecord
from keys.layout import PAIRS_PER_COMPARTMENT
from keys.names import fold_name
from keys.record import Id, Key, Name, Nanoseconds
from keys.secret import Secret
from keys.shares import LEAST_THRESHOLD, MAX_SHARES

SHOWN_ID = 8
"""Hex digits."""

Count = Annotated[int, msgspec.Meta(ge=LEAST_THRESHOLD, le=MAX_SHARES)]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has one share. The first in a set has share 1."""

    name: str
    """What they were called when the shares were made."""
    fingerprint: bytes
    """Of the card that the share was sealed to, 32 bytes."""
    check_key: Secret
    """32 bytes (``keys.shares.check_key``)."""
    challenge: str | None = None
    """What they were asked last, while no right answer came."""
    checked_ns: int | None = None
    """When they last gave a right answer."""


@dataclass(frozen=True, slots=True)
class ShareSet:
    """The shares that are out, of which ``threshold`` open the recovery slot."""

    set_id: bytes
    """16 random bytes."""
    made_ns: int
    threshold: int
    place: int
    """The pair of the recovery slot, 0 to 15: so that it is found also where an older roster was put back."""
    holders: tuple[Holder, ...]

    @property
    def shown_id(self) -> str:
        """The beginning of the set's id, as its files are named: enough to tell one's sets apart by voice."""
        return self.set_id.hex()[:SHOWN_ID]

    def holder(self, name: str) -> tuple[int, Holder] | None:
        """The number of a share, from 1, and who has it, by their name, whatever its case."""
        found = (place for place in enumerate(self.holders, 1) if fold_name(place[1].name) == fold_name(name))
        return next(found, None)

    def with_holder(self, number: int, holder: Holder) -> ShareSet:
        """The set with something else known of who has share ``number``."""
        return replace(self, holders=(*self.holders[: number - 1], holder, *self.holders[number:]))


class HolderRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A holder as the book has it."""

    name: Name
    fingerprint: Key
    check_key: Key
    challenge: Name | None
    checked_ns: Nanoseconds | None


class ShareSetRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A set as the book has it."""

    set: Id
    made_ns: Nanoseconds
    threshold: Count
    place: Annotated[int, msgspec.Meta(ge=0, lt=PAIRS_PER_COMPARTMENT)]
    holders: Annotated[tuple[HolderRecord, ...], msgspec.Meta(min_length=LEAST_THRESHOLD, max_length=MAX_SHARES)]


def to_record(shares: ShareSet) -> ShareSetRecord:
    """What goes into the book."""
    holders = tuple(
        HolderRecord(h.name, h.fingerprint, h.check_key.expose(), h.challenge, h.checked_ns) for h in shares.holders
    )
    return ShareSetRecord(shares.set_id, shares.made_ns, shares.threshold, shares.place, holders)


def from_record(record: ShareSetRecord) -> ShareSet:
    """What the book says. Raises MalformedRecord when fewer have a share than are needed."""
    if record.threshold > len(record.holders):
        raise MalformedRecord(_("a book in which more shares are needed than there are"))
    holders = tuple(
        Holder(h.name, h.fingerprint, Secret(h.check_key), h.challenge, h.checked_ns) for h in record.holders
    )
    return ShareSet(record.set, record.made_ns, record.threshold, record.place, holders)
