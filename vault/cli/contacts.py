# SPDX-License-Identifier: Apache-2.0
"""`card` and `contact`: one's own public keys, and other people's."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli.cards import QrOption, check_place, draw, read_card
from vault.cli.raid import register as register_raid
from vault.cli.session import (
    JsonOption,
    NameArgument,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    opened,
    table,
)
from vault.errors import UnknownSigner
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from keys.card import Card
    from vault.vaults import Vault



def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    card = typer.Typer(no_args_is_help=True, help="Cards: public keys to hand to others.")
    card.command("show")(card_show)
    card.command("export")(card_export)
    register_raid(app, card)
    app.add_typer(card, name="card")
    contact = typer.Typer(no_args_is_help=True, help="Other people's cards.")
    contact.command("add")(contact_add)
    contact.command("list")(contact_list)
    contact.command("verify")(contact_verify)
    contact.command("remove")(contact_remove)
    app.add_typer(contact, name="contact")


def card_show(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", show_default=False, help="Somebody's card; without it, yours.")
    ] = None,
    case: Annotated[str | None, typer.Option("--case", metavar="CASE", help="The card of this case.")] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """The words of a card, to be compared by voice."""
    if file is not None:
        card = read_card(file)
    else:
        with opened(vault, passphrase_file, token) as unlocked:
            card = _own_card(unlocked, case)
    answer(
        card_document(card),
        as_json=as_json,
        lines=(
            _("card of a person") if card.kind == "person" else _("card of a case"),
            _("words: {words}").format(words=" ".join(card.words)),
            _("recipient: {recipient}… (--json shows it whole)").format(recipient=str(card.recipient)[:24]),
        ),
    )


def card_document(card: Card) -> dict[str, Any]:
    """A card as JSON shows it."""
    return {
        "kind": card.kind,
        "words": " ".join(card.words),
        "fingerprint": card.fingerprint.hex(),
        "recipient": str(card.recipient),
        "case": card.case_id.hex() if card.case_id else None,
        "epoch": card.epoch,
    }


def card_export(
    out: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the card there.")] = None,
    case: Annotated[
        str | None, typer.Option("--case", metavar="CASE", help="The card of this case, to let others file to it.")
    ] = None,
    qr: QrOption = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a card as a small text file, or as QR codes. It names nobody."""
    from keys.card import encode as encode_card
    from vault.disk import Disk
    from vault.sealing import write_new

    check_place(qr, as_json=as_json)
    with opened(vault, passphrase_file, token) as unlocked:
        card = _own_card(unlocked, case)
    text = encode_card(card)
    if out is not None:
        write_new(out, text.encode("ascii"), disk=Disk())
        say(_("card written to {out}").format(out=printable(out)))
    codes = draw(text, qr) if qr is not None else 0
    if as_json:
        answer({"file": out, "qr": qr, "codes": codes, "card": text, **card_document(card)}, as_json=True)
    elif out is None and qr is None:
        typer.echo(text, nl=False)


def _own_card(unlocked: Vault, case: str | None) -> Card:
    from vault.cases import find_case

    if case is None:
        return unlocked.me.card()
    return find_case(unlocked, case).keys.card()


def contact_add(
    name: NameArgument,
    card_file: Annotated[
        str, typer.Argument(metavar="CARD", help="The card's file, or the texts of its QR codes; - for standard input.")
    ],
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a card, of a person or of a case to file to, under a name."""
    from vault import contacts
    from vault.cases import given_name

    name = given_name(name)
    card = read_card(card_file)
    with opened(vault, passphrase_file, token) as unlocked:
        contacts.keep(unlocked, name, card)
    answer(
        {"contact": name, **card_document(card)},
        as_json=as_json,
        lines=(
            _("added {name}; not verified yet").format(name=printable(name)),
            _("words: {words}").format(words=" ".join(card.words)),
            _("let {name} read their words to you by voice, then: sandyk contact verify {name}").format(
                name=printable(name)
            ),
        ),
    )


def contact_list(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Your contacts, and whether their words were compared."""
    from vault import contacts

    with opened(vault, passphrase_file, token) as unlocked:
        rows = [
            {
                "name": c.name,
                "kind": c.card.kind,
                "verified": c.verified_ns is not None,
                "words": " ".join(c.card.words),
            }
            for c in contacts.all_known(unlocked.book())
        ]
    lines = [
        (
            printable(str(r["name"])),
            _("person") if r["kind"] == "person" else _("case"),
            _("verified") if r["verified"] else _("not verified"),
            str(r["words"]),
        )
        for r in rows
    ]
    answer({"contacts": rows}, as_json=as_json, lines=list(table(lines)) or [_("no contacts yet")])


def contact_verify(
    name: NameArgument,
    words: Annotated[
        str | None,
        typer.Option(
            "--words", metavar="WORDS", show_default=False, help="The words you heard; without it you are asked."
        ),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you compared the words of a contact, or of a colleague in this vault, by voice."""
    from vault import contacts

    with opened(vault, passphrase_file, token) as unlocked:
        contact = contacts.to_verify(unlocked, name)
        expected = " ".join(contact.card.words)
        if words is None:
            say(_("the words of {name} here are:\n\n    {expected}\n").format(name=printable(name), expected=expected))
            question = _("Did they read exactly these words to you, by voice?")
            if not terminal.confirm(question, _("in a script: --words with the words that you heard")):
                raise UnknownSigner(
                    _("not verified: nothing was changed"),
                    _("if the words differ, somebody changed the card on its way"),
                )
        elif " ".join(words.lower().split()) != expected:
            raise UnknownSigner(
                _("these are not the words of this card: nothing was changed"),
                _("if they read them to you like this, somebody changed the card on its way"),
            )
        contacts.mark_verified(unlocked, contact)
    answer(
        {"contact": name, "verified": True},
        as_json=as_json,
        lines=(_("{name} is verified").format(name=printable(name)),),
    )


def contact_remove(
    name: NameArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a contact. Cases they are a member of are not changed: see `sandyk case revoke`."""
    from vault import contacts

    with opened(vault, passphrase_file, token) as unlocked:
        contacts.forget(unlocked, contacts.find(unlocked.book(), name))
    answer({"removed": name}, as_json=as_json, lines=(_("removed {name}").format(name=printable(name)),))
