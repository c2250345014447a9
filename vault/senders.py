# SPDX-License-Identifier: Apache-2.0
"""Who signed a bundle, as far as the journalist who opens it knows: themself, a colleague, a contact, or a newsroom.

It compares whole cards, never the Ed25519 key alone: what is forged one day with a quantum computer must not pass for
somebody one knows (docs/decisions/0036-proof.md). A person's card says that this person sealed it. A case's card
says that somebody did who is, or was, a member of the case in that epoch; which of them, nothing shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _
from typing import Literal

from keys.card import Card
from vault.bundle import Signer
from vault.cases import Case, list_cases
from vault.colleagues import believed
from vault.names import printable
from vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class Sender:
    """Who signed, as far as one can know: ``trusted`` only for oneself, colleagues, verified contacts and cases."""

    name: str | None
    words: str
    trusted: bool
    remark: str
    """Why, or why not, in the language that is spoken."""
    kind: Literal["person", "case"] = "person"
    instead_of: str | None = None
    """The case that one knows under this name, when the card says that it is of the same with another key."""


def sender_of(vault: Vault | None, signer: Signer) -> Sender:
    """Whom the signing keys belong to, as far as this journalist knows."""
    if signer.card.kind == "case":
        return _case(vault, signer.card)
    return _person(vault, signer.card)


def _person(vault: Vault | None, card: Card) -> Sender:
    words = " ".join(card.words)
    if vault is None:
        return Sender(None, words, False, _("a key that you do not know"))
    if card.fingerprint == vault.me.card().fingerprint:
        return Sender(vault.my_entry().label, words, True, _("this is you"))
    book, roster = vault.book(), vault.roster()
    for entry in believed(book, roster):
        if entry.card.fingerprint == card.fingerprint:
            return Sender(entry.label, words, True, _("a journalist of this vault"))
    contact = book.contact_by_key(card.signing)
    if contact is not None and contact.card.fingerprint == card.fingerprint:
        if contact.verified_ns is not None:
            return Sender(contact.name, words, True, _("a verified contact"))
        return Sender(contact.name, words, False, _("a contact whose words were not compared yet"))
    if any(entry.card.signing == card.signing for entry in roster.entries):
        return Sender(None, words, False, _("a key that the list of journalists has for a name you know another of"))
    return Sender(None, words, False, _("a key that you do not know"))


def _case(vault: Vault | None, card: Card) -> Sender:
    if vault is None or card.case_id is None:
        return _of_case(None, card, False, _("the key of a case that you do not know"))
    own = next((case for case in list_cases(vault)[0] if case.id == card.case_id), None)
    if own is not None:
        return _case_of_mine(own, card)
    known = vault.book().foreign_case(card.case_id)
    if known is None:
        return _of_case(None, card, False, _("the key of a case that you do not know"))
    if known.card.fingerprint != card.fingerprint:
        remark = _(
            "it says that it is {name} in epoch {epoch}; you know another key, of epoch {known_epoch}, and "
            "nothing shows that one follows the other"
        ).format(name=printable(known.name), epoch=card.epoch, known_epoch=known.card.epoch)
        return _of_case(None, card, False, remark, instead_of=known.name)
    if known.verified_ns is None:
        return _of_case(known.name, card, False, _("a newsroom's case key whose words were not compared yet"))
    return _of_case(
        known.name,
        card,
        True,
        _("the newsroom's case key, whose words you compared: any member of the case can sign this way"),
    )


def _case_of_mine(case: Case, card: Card) -> Sender:
    epochs = {
        identity.card(case_id=case.id, epoch=number).fingerprint: number
        for number, identity in enumerate(case.keys.epochs, 1)
    }
    epoch = epochs.get(card.fingerprint)
    if epoch is None:
        remark = _("it says that it is {case}, with a key that you do not know").format(case=printable(case.name))
        return _of_case(None, card, False, remark)
    if epoch < case.keys.epoch:
        remark = _(
            "the key of epoch {epoch} of a case of yours, now in {present_epoch}: who left since has it too"
        ).format(epoch=epoch, present_epoch=case.keys.epoch)
        return _of_case(case.name, card, False, remark)
    return _of_case(
        case.name,
        card,
        True,
        _("the newsroom's key of a case of yours: any member of the case can sign this way"),
    )


def _of_case(name: str | None, card: Card, trusted: bool, remark: str, *, instead_of: str | None = None) -> Sender:
    return Sender(name, " ".join(card.words), trusted, remark, "case", instead_of)
