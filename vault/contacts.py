# SPDX-License-Identifier: Apache-2.0
"""Other people's cards, and the cards of cases that one can only file to: one list under names of one's own."""

from __future__ import annotations

from gettext import gettext as _

from keys.book import Book, Contact, ForeignCase
from keys.card import Card
from keys.errors import Full, NameTaken
from keys.roster import RosterEntry
from vault.colleagues import is_changed, known_as, verify_unchanged
from vault.errors import AlreadyThere, Ambiguous, NotAllowed, NotFound
from vault.names import printable
from vault.vaults import Vault

Known = Contact | ForeignCase


def all_known(book: Book) -> list[Known]:
    """Everybody whose card is kept, people first."""
    return [*book.contacts, *book.foreign]


def find(book: Book, name: str) -> Known:
    """The one of this name. Raises NotFound."""
    case = book.case_named(name)
    known = book.contact(name) or (case if isinstance(case, ForeignCase) else None)
    if known is None:
        raise NotFound(
            _("no contact is called {name}").format(name=printable(name)), _("`sandyk contact list` shows who is there")
        )
    return known


def person(vault: Vault, name: str) -> tuple[str, Card, bool]:
    """Whom a name means, contact or journalist of this vault: the name, the card, and whether it was verified.

    Raises NotFound, NotTrusted for a journalist who has other keys than the ones that are known, and Ambiguous when a
    contact and a journalist of one name have different cards: journalists share their list, and a name in it must not
    take the place of somebody whose words one compared.
    """
    contact, entry = vault.book().contact(name), vault.roster().by_label(name)
    if contact is not None and entry is not None and contact.card.signing != entry.card.signing:
        raise Ambiguous(
            _("{name} is both a contact and a journalist of this vault, with different keys").format(
                name=printable(name)
            ),
            _("ask who took the name; then keep the contact under another one"),
        )
    if entry is not None:
        verify_unchanged(vault.book(), entry)
        return entry.label, entry.card, True
    if contact is not None:
        return contact.name, contact.card, contact.verified_ns is not None
    raise NotFound(
        _("no journalist or contact is called {name}").format(name=printable(name)),
        _("`sandyk contact list` and `sandyk journalist list` show who is there"),
    )


def name_of(vault: Vault, signing: bytes) -> str | None:
    """What the journalist calls whoever has this signing key: a colleague, one who left among them, or a contact."""
    book = vault.book()
    for entry in vault.roster().entries:
        if entry.card.signing == signing and not is_changed(book, entry):
            return entry.label
    known = next((c.name for c in book.colleagues if c.signing == signing), None)
    contact = book.contact_by_key(signing)
    return contact.name if contact else known


def to_verify(vault: Vault, name: str) -> Known | RosterEntry:
    """Whose words are to be compared: a journalist with another key than before, else a contact, else a journalist.

    Raises NotFound.
    """
    entry = vault.roster().by_label(name)
    if entry is not None and is_changed(vault.book(), entry):
        return entry
    try:
        return find(vault.book(), name)
    except NotFound:
        if entry is None:
            raise
        return entry


def keep(vault: Vault, name: str, card: Card) -> None:
    """Keep a card under a name. Raises AlreadyThere when the name or the card is known."""

    def change(book: Book) -> Book:
        if card.kind == "case":
            return book.with_foreign(ForeignCase(name, card, vault.clock()))
        return book.with_contact(Contact(name, card, vault.clock()))

    book = vault.book()
    taken = vault.roster().by_label(name) if card.kind == "person" else None
    if taken is not None and taken.card.signing != card.signing:
        raise AlreadyThere(
            _("a journalist of this vault is called {name} already").format(name=printable(name)),
            _("choose another name"),
        )
    if book.contact(name) or book.case_named(name):
        raise AlreadyThere(
            _("a contact or a case is called {name} already").format(name=printable(name)), _("choose another name")
        )
    try:
        vault.change_book(change)
    except NameTaken as exc:
        raise AlreadyThere(str(exc), _("`sandyk contact list` shows who is there")) from exc


def mark_verified(vault: Vault, known: Known | RosterEntry) -> None:
    """Remember that the words were compared by voice. A journalist's keys are the ones that are known from now on."""
    if isinstance(known, RosterEntry):
        pin = known_as(known)
        try:
            vault.change_book(lambda book: book.with_colleague(pin))
        except Full as exc:
            raise NotAllowed(str(exc)) from exc
    elif isinstance(known, ForeignCase):
        vault.change_book(lambda book: book.with_case_verified(known.case_id, vault.clock()))
    else:
        vault.change_book(lambda book: book.with_verified(known.name, vault.clock()))


def forget(vault: Vault, known: Known) -> None:
    """Remove a card from the list."""
    if isinstance(known, ForeignCase):
        vault.change_book(lambda book: book.without_case(known.case_id))
    else:
        vault.change_book(lambda book: book.without_contact(known.name))
