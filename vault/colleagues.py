# SPDX-License-Identifier: Apache-2.0
"""The judge of the roster: whether the journalists in it are those whom one knows (docs/format.md §4.4, §4.5).

Whoever has, or had, a way into a compartment can write its roster, and put a key of theirs under a colleague's name. So
each journalist's book keeps the keys that a name had at first sight, and a name with other keys is not believed. It
does no I/O: it compares a book with a roster, and says what to remember and what to tell. A first sight itself can be
checked by voice alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from gettext import gettext as _

from keys.book import MAX_COLLEAGUES, Book, Colleague
from keys.roster import Roster, RosterEntry
from vault.errors import NotTrusted
from vault.names import printable


def known_as(entry: RosterEntry) -> Colleague:
    """What a book keeps of a journalist in the roster."""
    return Colleague(entry.label, entry.card.signing, entry.card.fingerprint)


def is_changed(book: Book, entry: RosterEntry) -> bool:
    """Whether the roster gives this name other keys than the ones that are known."""
    pin = book.colleague(entry.label)
    return pin is not None and pin.fingerprint != entry.card.fingerprint


def verify_unchanged(book: Book, entry: RosterEntry) -> None:
    """Return, or raise NotTrusted when the roster gives this name other keys than the ones that are known."""
    if is_changed(book, entry):
        name = printable(entry.label)
        raise NotTrusted(
            _("{name} has another key in the list of journalists than the one you know: nothing was done").format(
                name=name
            ),
            _("somebody may have put their own key there; do not reach them through this vault to ask"),
            _("let {name} read the ten words of their card to you by voice, then: sandyk contact verify {name}").format(
                name=name
            ),
        )


def believed(book: Book, roster: Roster) -> Iterator[RosterEntry]:
    """The journalists in the roster whose keys are the ones that are known, or whom nothing is known of yet."""
    return (entry for entry in roster.entries if not is_changed(book, entry))


def pinned(book: Book, roster: Roster) -> Book:
    """The book, with who is in the roster for the first time, and who is there and who is not.

    Keys that are known stay, whatever the roster says. A name for which no room is left is not remembered.
    """
    for entry in roster.entries:
        pin = book.colleague(entry.label)
        if pin is None and len(book.colleagues) < MAX_COLLEAGUES:
            book = book.with_colleague(known_as(entry))
        elif pin is not None and not pin.here:
            book = book.with_colleague(replace(pin, here=True))
    for pin in book.colleagues:
        if pin.here and roster.by_label(pin.name) is None:
            book = book.with_colleague(replace(pin, here=False))
    return book


def introduced(book: Book, roster: Roster) -> Book:
    """A book for somebody new, who knows the journalists in the roster as the owner of ``book`` knows them."""
    pins = tuple(book.colleague(entry.label) or known_as(entry) for entry in roster.entries)
    return Book(colleagues=tuple(replace(pin, here=True) for pin in pins))


def remarks(book: Book, roster: Roster) -> Iterator[str]:
    """What the owner of the book should be told of the roster, one line each. Nothing at the very first sight."""
    if not book.colleagues:
        return
    for entry in roster.entries:
        pin, name, words = book.colleague(entry.label), printable(entry.label), " ".join(entry.card.words)
        if pin is None:
            yield (
                _(
                    "{name} is new in the list of journalists, with the words {words}; if nobody told you "
                    "of them, ask your colleagues by voice before you let them into a case or send them "
                    "anything"
                ).format(name=name, words=words)
            )
        elif pin.fingerprint != entry.card.fingerprint:
            yield (
                _(
                    "{name} has another key in the list of journalists than the one you know, and is not "
                    "trusted: somebody may have put their own there. Ask {name} by voice, then: sandyk "
                    "contact verify {name}"
                ).format(name=name)
            )
        elif not pin.here:
            yield _("{name} is in the list of journalists again; if you did not expect this, ask by voice").format(
                name=name
            )
    for pin in book.colleagues:
        if pin.here and roster.by_label(pin.name) is None:
            yield _("{name} is not in the list of journalists any more").format(name=printable(pin.name))
