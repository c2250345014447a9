# SPDX-License-Identifier: Apache-2.0
"""Other people's cards, and the cards of cases that one can only file to: one list under names of one's own."""

from __future__ import annotations

from keys.book import Book, Contact, ForeignCase
from keys.card import Card
from keys.errors import NameTaken
from vault.errors import AlreadyThere, NotFound
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
        raise NotFound(f"no contact is called {printable(name)}", "`sandyk contact list` shows who is there")
    return known


def keep(vault: Vault, name: str, card: Card) -> None:
    """Keep a card under a name. Raises AlreadyThere when the name or the card is known."""

    def change(book: Book) -> Book:
        if card.kind == "case":
            return book.with_foreign(ForeignCase(name, card, vault.clock()))
        return book.with_contact(Contact(name, card, vault.clock()))

    book = vault.book()
    if book.contact(name) or book.case_named(name):
        raise AlreadyThere(f"a contact or a case is called {printable(name)} already", "choose another name")
    try:
        vault.change_book(change)
    except NameTaken as exc:
        raise AlreadyThere(str(exc), "`sandyk contact list` shows who is there") from exc


def mark_verified(vault: Vault, known: Known) -> None:
    """Remember that the words were compared by voice."""
    if isinstance(known, ForeignCase):
        vault.change_book(lambda book: book.with_case_verified(known.case_id, vault.clock()))
    else:
        vault.change_book(lambda book: book.with_verified(known.name, vault.clock()))


def forget(vault: Vault, known: Known) -> None:
    """Remove a card from the list."""
    if isinstance(known, ForeignCase):
        vault.change_book(lambda book: book.without_case(known.case_id))
    else:
        vault.change_book(lambda book: book.without_contact(known.name))
