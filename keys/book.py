# SPDX-License-Identifier: Apache-2.0
"""The book of one journalist: contacts, colleagues, and what is known of cases (docs/format.md §4.4).

It remembers what a stranger could otherwise change under us: whose words were compared by voice, the keys of the
journalists of this vault, and the epoch, members and recipient of a case when it was last seen. Sealed to its owner
and signed by them: sealing needs only a card, and a forged contact would read evidence. That an older book was put
back nobody can tell from it alone. Names of contacts and cases are the owner's own, unique whatever their case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from gettext import gettext as _
from typing import Annotated

import msgspec

from keys import labels
from keys.access import MAX_EPOCHS, MAX_MEMBERS
from keys.card import Card, encode, parse_card
from keys.errors import Full, MalformedRecord, NameTaken, NotFound
from keys.identity import Identity
from keys.names import fold_name, tidy_name
from keys.record import CardText, Id, Key, Name, Nanoseconds, open_record, seal_record
from keys.share_set import ShareSet, ShareSetRecord, from_record, to_record

MAX_CONTACTS = 1000
MAX_CASES = 1000
MAX_COLLEAGUES = 256
"""Names of journalists of this vault, those who left among them; sixteen at a time."""

LEAST_SIZE = 64 << 10
MAX_SIZE = 8 << 20
"""Bytes of plaintext."""

RECIPIENT_SIZE = 1216


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody else's card under a name of ours. ``verified_ns`` says when its words were compared, or None."""

    name: str
    card: Card
    added_ns: int
    verified_ns: int | None = None


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """A case of which one is a member, as its access file was when last seen."""

    case_id: bytes
    name: str
    epoch: int
    members: tuple[bytes, ...]
    """Their signing keys."""
    recipient: bytes
    """The raw recipient of that epoch, 1,216 bytes."""


@dataclass(frozen=True, slots=True)
class ForeignCase:
    """A case that one can only file to: its card, under a name of ours."""

    name: str
    card: Card
    added_ns: int
    verified_ns: int | None = None

    @property
    def case_id(self) -> bytes:
        """16 bytes."""
        return self.card.case_id or b""


@dataclass(frozen=True, slots=True)
class Colleague:
    """A journalist of this vault, oneself among them, with the keys that the roster gave for the name at first sight.

    ``here`` says whether the roster named them when it was last looked at. Who left stays: a name that comes back
    with other keys must be noticed.
    """

    name: str
    signing: bytes
    """32 bytes."""
    fingerprint: bytes
    """Of the card, 32 bytes."""
    here: bool = True


@dataclass(frozen=True, slots=True)
class Book:
    """What one journalist knows. Every change gives a new book."""

    contacts: tuple[Contact, ...] = ()
    cases: tuple[CaseEntry, ...] = ()
    foreign: tuple[ForeignCase, ...] = ()
    colleagues: tuple[Colleague, ...] = ()
    shares: ShareSet | None = None

    def contact(self, name: str) -> Contact | None:
        """The contact of this name, whatever its case."""
        return next((c for c in self.contacts if fold_name(c.name) == fold_name(name)), None)

    def contact_by_key(self, signing: bytes) -> Contact | None:
        """The contact whose card has this signing key."""
        return next((c for c in self.contacts if c.card.signing == signing), None)

    def with_contact(self, contact: Contact) -> Book:
        """One more. Raises NameTaken when name or card are known, Full, Malformed for a bad name."""
        contact = replace(contact, name=tidy_name(contact.name))
        if contact.card.kind != "person":
            raise ValueError("the card of a case is no contact")
        if self.contact(contact.name):
            raise NameTaken(_("there is a contact of this name already: {name}").format(name=contact.name))
        if known := self.contact_by_key(contact.card.signing):
            raise NameTaken(_("this card is known already, as {name}").format(name=known.name))
        if len(self.contacts) >= MAX_CONTACTS:
            raise Full(_("a book has at most {max_contacts} contacts").format(max_contacts=MAX_CONTACTS))
        return replace(self, contacts=(*self.contacts, contact))

    def without_contact(self, name: str) -> Book:
        """One less. Raises NotFound."""
        found = self._contact(name)
        return replace(self, contacts=tuple(c for c in self.contacts if c is not found))

    def with_verified(self, name: str, verified_ns: int) -> Book:
        """The words of this contact's card were compared by voice. Raises NotFound."""
        found = self._contact(name)
        verified = replace(found, verified_ns=verified_ns)
        return replace(self, contacts=tuple(verified if c is found else c for c in self.contacts))

    def case(self, case_id: bytes) -> CaseEntry | None:
        """The case of this id that one is a member of."""
        return next((c for c in self.cases if c.case_id == case_id), None)

    def case_named(self, name: str) -> CaseEntry | ForeignCase | None:
        """The case of this name, of either kind, whatever the name's case."""
        every: tuple[CaseEntry | ForeignCase, ...] = (*self.cases, *self.foreign)
        return next((c for c in every if fold_name(c.name) == fold_name(name)), None)

    def foreign_case(self, case_id: bytes) -> ForeignCase | None:
        """The case of this id that one can only file to."""
        return next((c for c in self.foreign if c.case_id == case_id), None)

    def with_case(self, entry: CaseEntry) -> Book:
        """Remember what was seen of a case that one is a member of, in place of what was known.

        A case keeps the name it has here, also when it was only filed to before. The name of a new one comes from
        whoever granted it: when it is taken, the first digits of its id are added, so that no granter can
        slip a case of theirs under the name of another. Raises Full, Malformed for a bad name.
        """
        before = self.case(entry.case_id) or self.foreign_case(entry.case_id)
        entry = replace(entry, name=before.name if before else self._free_case_name(entry))
        book = replace(self, foreign=tuple(c for c in self.foreign if c.case_id != entry.case_id))
        if self.case(entry.case_id):
            return replace(book, cases=tuple(entry if c.case_id == entry.case_id else c for c in book.cases))
        book._check_room()
        return replace(book, cases=(*book.cases, entry))

    def with_foreign(self, foreign: ForeignCase) -> Book:
        """One more case that one can only file to. Raises NameTaken when name or case are known, Full, Malformed."""
        foreign = replace(foreign, name=tidy_name(foreign.name))
        if foreign.card.kind != "case":
            raise ValueError("the card of a person is no case")
        if self.case_named(foreign.name):
            raise NameTaken(_("there is a case of this name already: {name}").format(name=foreign.name))
        if known := self.case(foreign.case_id) or self.foreign_case(foreign.case_id):
            raise NameTaken(_("this case is known already, as {name}").format(name=known.name))
        self._check_room()
        return replace(self, foreign=(*self.foreign, foreign))

    def with_case_verified(self, case_id: bytes, verified_ns: int) -> Book:
        """The words of a foreign case's card were compared by voice. Raises NotFound."""
        if self.foreign_case(case_id) is None:
            raise NotFound(_("no such case to file to"))
        changed = (replace(c, verified_ns=verified_ns) if c.case_id == case_id else c for c in self.foreign)
        return replace(self, foreign=tuple(changed))

    def without_case(self, case_id: bytes) -> Book:
        """Forget a case of either kind. Raises NotFound."""
        if self.case(case_id) is None and self.foreign_case(case_id) is None:
            raise NotFound(_("no such case"))
        return replace(
            self,
            cases=tuple(c for c in self.cases if c.case_id != case_id),
            foreign=tuple(c for c in self.foreign if c.case_id != case_id),
        )

    def colleague(self, name: str) -> Colleague | None:
        """The colleague of this name, whatever its case."""
        return next((c for c in self.colleagues if fold_name(c.name) == fold_name(name)), None)

    def with_colleague(self, colleague: Colleague) -> Book:
        """Remember a colleague, in place of what was known under the name. Raises Full."""
        known = self.colleague(colleague.name)
        if known is not None:
            return replace(self, colleagues=tuple(colleague if c is known else c for c in self.colleagues))
        if len(self.colleagues) >= MAX_COLLEAGUES:
            raise Full(
                _("a book has at most {max_colleagues} names of colleagues").format(max_colleagues=MAX_COLLEAGUES)
            )
        return replace(self, colleagues=(*self.colleagues, colleague))

    def _contact(self, name: str) -> Contact:
        found = self.contact(name)
        if found is None:
            raise NotFound(_("there is no contact of this name: {name}").format(name=name))
        return found

    def _check_room(self) -> None:
        if len(self.cases) + len(self.foreign) >= MAX_CASES:
            raise Full(_("a book has at most {max_cases} cases").format(max_cases=MAX_CASES))

    def _free_case_name(self, entry: CaseEntry) -> str:
        name = tidy_name(entry.name)
        for digits in (0, 4, 8, 32):
            candidate = tidy_name(f"{name[:150]} {entry.case_id.hex()[:digits]}") if digits else name
            if self.case_named(candidate) is None:
                return candidate
        raise NameTaken(_("there is a case of this name already: {name}").format(name=name))


class _Contact(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    card: CardText
    added_ns: Nanoseconds
    verified_ns: Nanoseconds | None


class _Case(msgspec.Struct, forbid_unknown_fields=True):
    case: Id
    name: Name
    epoch: Annotated[int, msgspec.Meta(ge=1, le=MAX_EPOCHS)]
    members: Annotated[tuple[Key, ...], msgspec.Meta(max_length=MAX_MEMBERS)]
    recipient: Annotated[bytes, msgspec.Meta(min_length=RECIPIENT_SIZE, max_length=RECIPIENT_SIZE)]


class _Colleague(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    signing: Key
    fingerprint: Key
    here: bool


class _Book(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sandyk book 1"):
    contacts: Annotated[tuple[_Contact, ...], msgspec.Meta(max_length=MAX_CONTACTS)]
    cases: Annotated[tuple[_Case, ...], msgspec.Meta(max_length=MAX_CASES)]
    foreign: Annotated[tuple[_Contact, ...], msgspec.Meta(max_length=MAX_CASES)]
    colleagues: Annotated[tuple[_Colleague, ...], msgspec.Meta(max_length=MAX_COLLEAGUES)]


class _BookWithShares(_Book, tag="sandyk book 2"):
    """Written only where shares are out: whoever does not know of them must not write the book without them."""

    shares: ShareSetRecord


def seal_book(book: Book, owner: Identity) -> bytes:
    """An age file for its owner alone, padded to a power of two of at least 64 KiB."""
    body = _Book(
        contacts=tuple(_Contact(c.name, encode(c.card), c.added_ns, c.verified_ns) for c in book.contacts),
        cases=tuple(_Case(c.case_id, c.name, c.epoch, c.members, c.recipient) for c in book.cases),
        foreign=tuple(_Contact(c.name, encode(c.card), c.added_ns, c.verified_ns) for c in book.foreign),
        colleagues=tuple(_Colleague(c.name, c.signing, c.fingerprint, c.here) for c in book.colleagues),
    )
    if book.shares is not None:
        body = _BookWithShares(body.contacts, body.cases, body.foreign, body.colleagues, to_record(book.shares))
    return seal_record(body, labels.BOOK_SIGNATURE, owner, [owner.recipient], least=LEAST_SIZE, limit=MAX_SIZE)


def open_book(untrusted: bytes, owner: Identity) -> Book:
    """The book. Raises MalformedAge, NoMatch, Damaged, MalformedRecord, and BadSignature when another wrote it."""
    body = open_record(
        untrusted, owner, _Book, labels.BOOK_SIGNATURE, signer=lambda _: owner.signing_public, limit=MAX_SIZE,
        newer=_BookWithShares,
    )  # fmt: skip
    # Names were judged when they were put in, and the owner signed: a newer Unicode must not lock a book.
    book = Book(
        contacts=tuple(Contact(c.name, parse_card(c.card), c.added_ns, c.verified_ns) for c in body.contacts),
        cases=tuple(CaseEntry(c.case, c.name, c.epoch, c.members, c.recipient) for c in body.cases),
        foreign=tuple(ForeignCase(c.name, parse_card(c.card), c.added_ns, c.verified_ns) for c in body.foreign),
        colleagues=tuple(Colleague(c.name, c.signing, c.fingerprint, c.here) for c in body.colleagues),
        shares=from_record(body.shares) if isinstance(body, _BookWithShares) else None,
    )
    cards = (*((c.card, "person") for c in book.contacts), *((c.card, "case") for c in book.foreign))
    if any(card.kind != kind for card, kind in cards):
        raise MalformedRecord(_("a book that takes a case for a person, or a person for a case"))
    return book
