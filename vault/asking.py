# SPDX-License-Identifier: Apache-2.0
"""Asking the holder of a share whether it still opens, and checking the answer (docs/format.md §3.6).

Owns what the owner's book remembers of it: the challenge that was asked last, and the day of the last right answer. It
claims no more than an answer shows: that whoever gave it had the share, after they were asked.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from gettext import gettext as _

from keys.book import Book
from keys.share_set import Holder, ShareSet
from keys.shares import answer, new_challenge
from vault.errors import BadInput, NotFound, NotTrusted
from vault.names import printable
from vault.vaults import Vault


def ask(vault: Vault, name: str) -> tuple[int, str]:
    """A new challenge for the holder of this name, and the number of their share. It replaces one not answered yet."""
    shares, number, holder = _find(vault, name)
    asked = replace(holder, challenge=new_challenge())
    _remember(vault, shares, number, asked)
    return number, str(asked.challenge)


def take_answer(vault: Vault, name: str, untrusted: str) -> int:
    """Remember that the holder's share still opens; its number. Raises NotTrusted when this is not the answer."""
    shares, number, holder = _find(vault, name)
    if holder.challenge is None:
        raise BadInput(
            _("{name} was not asked anything").format(name=printable(holder.name)),
            _("first: sandyk key ask {name}").format(name=printable(holder.name)),
        )
    expected = answer(holder.check_key, holder.challenge)
    if not hmac.compare_digest(expected.encode("utf-8"), " ".join(untrusted.casefold().split()).encode("utf-8")):
        raise NotTrusted(
            _("this is not the answer: it does not show that the share of {name} still opens").format(
                name=printable(holder.name)
            ),
            _("they were asked: {challenge}").format(challenge=holder.challenge),
            _("it must be a share of set {set_id}: `sandyk key check` shows them of which set theirs is").format(
                set_id=shares.shown_id
            ),
            _("let them read it once more; if it stays wrong, that share is lost: make new ones with sandyk key split"),
        )
    _remember(vault, shares, number, replace(holder, challenge=None, checked_ns=vault.clock()))
    return number


def _find(vault: Vault, name: str) -> tuple[ShareSet, int, Holder]:
    shares = vault.book().shares
    if shares is None:
        raise NotFound(_("you have no shares of a key out"), _("`sandyk key split` makes them"))
    found = shares.holder(name)
    if found is None:
        raise NotFound(
            _("{name} has no share of your key").format(name=printable(name)), _("`sandyk key list` shows who has one")
        )
    return shares, *found


def _remember(vault: Vault, shares: ShareSet, number: int, holder: Holder) -> None:
    def change(book: Book) -> Book:
        if book.shares is None or book.shares.set_id != shares.set_id:
            raise NotFound(_("other shares were made meanwhile"))
        return replace(book, shares=book.shares.with_holder(number, holder))

    vault.change_book(change)
