# SPDX-License-Identifier: Apache-2.0
"""Access files: the keys of a case, sealed to its members (docs/format.md §4.3).

One file for each epoch. It holds the identities of all epochs so far, so that who joins late reads
everything; who was left out when an epoch began has no key to what is filed from then on. The file is signed by
whoever granted access. Whether that one may grant, and whether an older file was put in
place of a newer one, is the caller's to judge: nothing in a single file can say.
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _
from typing import Annotated

import msgspec

from keys import labels
from keys.card import Card, encode, parse_card
from keys.crowd import CROWDS, round_up
from keys.errors import Full, Malformed, MalformedRecord
from keys.identity import IDENTITY_SIZE, Identity
from keys.names import parse_name
from keys.record import CardText, Id, Key, Name, Nanoseconds, open_record, seal_record

MAX_MEMBERS = CROWDS[-1]
MAX_EPOCHS = 4096
LEAST_SIZE = 16 << 10
MAX_SIZE = 1 << 20
"""Bytes of plaintext."""

_Epoch = Annotated[int, msgspec.Meta(ge=1, le=MAX_EPOCHS)]
_Seeds = Annotated[bytes, msgspec.Meta(min_length=IDENTITY_SIZE, max_length=IDENTITY_SIZE)]


@dataclass(frozen=True, slots=True)
class Former:
    """Somebody who was a member up to and including ``last_epoch``, by their Ed25519 key (32 bytes)."""

    signing: bytes
    last_epoch: int


@dataclass(frozen=True, slots=True)
class CaseKeys:
    """What a member has: the case's identities, the last of which is the current one, and who the members are."""

    case_id: bytes
    """16 bytes."""
    name: str
    """As ``keys.names.tidy_name`` makes it."""
    epochs: tuple[Identity, ...]
    members: tuple[Card, ...]
    former: tuple[Former, ...]
    granted_ns: int
    """Nanoseconds since 1970, by the granter's clock."""

    @property
    def epoch(self) -> int:
        """The number of the current epoch; the first is 1."""
        return len(self.epochs)

    @property
    def current(self) -> Identity:
        """The identity that is filed to now."""
        return self.epochs[-1]

    def card(self) -> Card:
        """The case's card, for those who may only file to it."""
        return self.current.card(case_id=self.case_id, epoch=self.epoch)

    def authors(self, epoch: int) -> frozenset[bytes]:
        """Signing keys of those who may have filed in an epoch: members, and those who were members then.

        Who was revoked can still sign something and date it back into an epoch of theirs.
        """
        former = {f.signing for f in self.former if epoch <= f.last_epoch}
        return frozenset(former | {member.signing for member in self.members})

    def close(self) -> None:
        """Zero the identities of all epochs."""
        for identity in self.epochs:
            identity.close()


@dataclass(frozen=True, slots=True)
class Access:
    """An opened access file: the keys, and the card of the one who signed it."""

    keys: CaseKeys
    granter: Card


class _Former(msgspec.Struct, forbid_unknown_fields=True):
    signing: Key
    last_epoch: _Epoch


class _Access(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sandyk access 1"):
    case: Id
    name: Name
    epochs: Annotated[tuple[_Seeds, ...], msgspec.Meta(min_length=1, max_length=MAX_EPOCHS)]
    members: Annotated[tuple[CardText, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]
    former: Annotated[tuple[_Former, ...], msgspec.Meta(max_length=MAX_EPOCHS)]
    granter: CardText
    granted_ns: Nanoseconds


def seal_access(keys: CaseKeys, granter: Identity) -> bytes:
    """The access file of the current epoch, for all members and dummies up to 2, 4, 8, 16 or 32.

    Raises Full for too many members or epochs, Malformed for a name that is not tidy, MalformedRecord for
    members who are no persons, or named twice, and for former members of an epoch that is not over.
    """
    if len(keys.members) > MAX_MEMBERS:
        raise Full(_("a case has at most {max_members} members").format(max_members=MAX_MEMBERS))
    if len(keys.epochs) > MAX_EPOCHS or len(keys.former) > MAX_EPOCHS:
        raise Full(_("a case has at most {max_epochs} epochs").format(max_epochs=MAX_EPOCHS))
    _check(keys)
    body = _Access(
        case=keys.case_id,
        name=keys.name,
        epochs=tuple(identity.encode().expose() for identity in keys.epochs),
        members=tuple(encode(card) for card in keys.members),
        former=tuple(_Former(former.signing, former.last_epoch) for former in keys.former),
        granter=encode(granter.card()),
        granted_ns=keys.granted_ns,
    )
    recipients = round_up([card.recipient for card in keys.members])
    return seal_record(body, labels.ACCESS_SIGNATURE, granter, recipients, least=LEAST_SIZE, limit=MAX_SIZE)


def open_access(untrusted: bytes, identity: Identity) -> Access:
    """The keys in an access file, and who granted them, whose signature was checked against the card inside.

    Raises NoMatch when ``identity`` is none of those it is sealed to; MalformedAge, Damaged, MalformedRecord and
    BadSignature as the words say. A file that does not name the one who opens it as a member is
    MalformedRecord: somebody sealed another's grant again.
    """
    body = open_record(
        untrusted,
        identity,
        _Access,
        labels.ACCESS_SIGNATURE,
        signer=lambda untrusted_body: parse_card(untrusted_body.granter).signing,
        limit=MAX_SIZE,
    )
    keys = CaseKeys(
        case_id=body.case,
        name=body.name,
        epochs=tuple(Identity.decode(seeds) for seeds in body.epochs),
        members=tuple(_own_spelling(text) for text in body.members),
        former=tuple(Former(former.signing, former.last_epoch) for former in body.former),
        granted_ns=body.granted_ns,
    )
    _check(keys)
    if identity.recipient not in [member.recipient for member in keys.members]:
        raise MalformedRecord(_("an access file that does not name the one who opens it"))
    granter = _own_spelling(body.granter)
    if granter.kind != "person":
        raise MalformedRecord(_("an access file that was not granted by a person"))
    return Access(keys, granter)


def _check(keys: CaseKeys) -> None:
    """Raise unless the parts agree with each other."""
    try:
        parse_name(keys.name)
    except Malformed as exc:
        raise MalformedRecord(_("a case needs another name: {reason}").format(reason=exc)) from exc
    if any(member.kind != "person" for member in keys.members):
        raise MalformedRecord(_("a case is no member of a case"))
    if len({member.signing for member in keys.members}) != len(keys.members):
        raise MalformedRecord(_("a member who is named twice"))
    if any(former.last_epoch >= len(keys.epochs) for former in keys.former):
        raise MalformedRecord(_("a former member of an epoch that is not over"))


def _own_spelling(untrusted_text: str) -> Card:
    """The card of a text that this program wrote: no mail program was in between."""
    card = parse_card(untrusted_text)
    if encode(card) != untrusted_text:
        raise MalformedRecord(_("a card in another spelling than this program's"))
    return card
