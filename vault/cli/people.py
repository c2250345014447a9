# SPDX-License-Identifier: Apache-2.0
"""`init`, `journalist`, `card` and `contact`: who uses the vault, and whom they know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli.cards import QrOption, check_place, draw, read_card
from vault.cli.coercion import register as register_coercion
from vault.cli.raid import register as register_raid
from vault.cli.session import (
    JsonOption,
    NewPassphraseOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    WordsOption,
    answer,
    folder_of,
    opened,
    read_new_passphrase,
    surroundings,
    table,
)
from vault.disk import Disk
from vault.errors import AlreadyThere, UnknownSigner
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from keys.card import Card
    from keys.secret import Secret
    from vault.vaults import Vault

NewTokenOption = Annotated[
    str | None,
    typer.Option(
        "--new-token", metavar="FILE", show_default=False,
        help="Make an outside half in this new file, on a stick: without it the passphrase opens nothing.",
    ),
]  # fmt: skip
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A name, sealed inside the vault.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init")(init)
    journalist = typer.Typer(no_args_is_help=True, help="Who has a passphrase for this vault.")
    journalist.command("add")(journalist_add)
    journalist.command("list")(journalist_list)
    journalist.command("passwd")(journalist_passwd)
    journalist.command("remove")(journalist_remove)
    register_coercion(journalist)
    app.add_typer(journalist, name="journalist")
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


def init(
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Your name in this vault, sealed inside it.")
    ] = "first",
    vault: VaultOption = None,
    new_passphrase_file: NewPassphraseOption = None,
    words: WordsOption = None,
    new_token_file: NewTokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a vault and its first journalist."""
    from keys.memory import harden
    from vault.cases import given_name
    from vault.founding import found, refuse_taken

    harden()
    folder, name = folder_of(vault), given_name(name)
    refuse_taken(folder)
    passphrase = read_new_passphrase(new_passphrase_file, words)
    with new_token(new_token_file) as token:
        found(folder, passphrase, token, disk=Disk(), label=name, now_ns=time.time_ns())
    cautions, caution_lines = surroundings(folder)
    answer(
        {"vault": folder, "journalist": name, "token": new_token_file, "warnings": cautions},
        as_json=as_json,
        lines=(
            _("vault made in {folder}").format(folder=printable(folder)),
            *_about_token(new_token_file),
            *caution_lines,
            _("next: sandyk case new NAME, then sandyk add NAME FILES"),
            _("rehearse the emergency wipe now: sandyk panic --drill"),
        ),
    )


def _about_token(path: str | None) -> list[str]:
    if path is None:
        return []
    return [
        _("the outside half is in {path}: without this file the passphrase opens nothing").format(path=printable(path)),
        _("keep it on a stick, apart from this machine, and give it with every command: --token {path}").format(
            path=printable(path)
        ),
    ]


@contextmanager
def new_token(path: str | None) -> Iterator[Secret | None]:
    """A new outside half in a new file, which is removed again when what needs it fails.

    Raises AlreadyThere, BadInput.
    """
    if path is None:
        yield None
        return
    from vault.halves import making

    with making(path) as (__, token):
        yield token


def journalist_add(
    name: NameArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    new_passphrase_file: NewPassphraseOption = None,
    words: WordsOption = None,
    token: TokenOption = None,
    new_token_file: NewTokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a colleague a passphrase of their own.

    It opens only the cases they are let into.
    """
    from vault.cases import given_name

    name = given_name(name)
    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        if unlocked.roster().by_label(name) is not None:
            raise AlreadyThere(_("a journalist of this name is there already"))
        if new_passphrase_file is None:
            say(_("now the new passphrase of {name}, who should type it:").format(name=printable(name)))
        passphrase = read_new_passphrase(new_passphrase_file, words)
        with new_token(new_token_file) as half:
            entry = unlocked.add_journalist(name, passphrase, half)
        answer(
            {"journalist": entry.label, "words": " ".join(entry.card.words)},
            as_json=as_json,
            lines=(
                _("added {label}").format(label=printable(entry.label)),
                *_about_token(new_token_file),
                _("let them into a case: sandyk case grant CASE {name}").format(name=printable(name)),
            ),
        )


def journalist_list(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """The journalists that you can know of."""
    with opened(vault, passphrase_file, token) as unlocked:
        me = unlocked.my_entry()
        rows = [
            {
                "name": e.label, "you": e.pair == me.pair, "added_ns": e.added_ns, "words": " ".join(e.card.words),
            }
            for e in sorted(unlocked.roster().entries, key=lambda e: e.label)
        ]  # fmt: skip
        lines = table([(_shown_name(str(r["name"]), you=bool(r["you"])), str(r["words"])) for r in rows])
        answer({"journalists": rows}, as_json=as_json, lines=list(lines))


def _shown_name(name: str, *, you: bool) -> str:
    return _("{name} (you)").format(name=printable(name)) if you else printable(name)


def journalist_passwd(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    new_passphrase_file: NewPassphraseOption = None,
    words: WordsOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change your passphrase. The old one is overwritten in place."""
    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        unlocked.change_passphrase(read_new_passphrase(new_passphrase_file, words))
        answer(
            {"changed": True},
            as_json=as_json,
            lines=(
                _("passphrase changed; the old one opens nothing here any more"),
                _(
                    "a copy of the keyring made before (a backup, a snapshot, a disk image) still opens "
                    "with the old one"
                ),
            ),
        )


def journalist_remove(
    name: NameArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy a colleague's way into this vault.

    They are revoked from every case that you are in; from others, their members can revoke them by their words.
    """
    from vault.cases import list_cases, revoke

    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        entry = unlocked.remove_journalist(name)
        cases, __ = list_cases(unlocked)
        known = unlocked.book().colleague(name)  # the list may give the name another key, and leave theirs a member
        theirs = {entry.card.signing, known.signing if known else entry.card.signing}
        revoked = []
        for case in cases:
            for member in case.keys.members:
                if member.signing in theirs - {unlocked.me.signing_public}:
                    case = revoke(unlocked, case, member, entry.label)
                    revoked.append(case.name)
        answer(
            {"removed": entry.label, "revoked_from": revoked},
            as_json=as_json,
            lines=(
                _("removed {name}; their passphrase opens nothing here any more").format(name=printable(name)),
                _("revoked from {count} case(s) that you are in").format(count=len(revoked)),
                _("what they could read before, they may have copied"),
                _(
                    "a copy of the keyring made before (a backup, a snapshot, a disk image) still opens "
                    "with their passphrase"
                ),
            ),
        )


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

    check_place(qr, as_json=as_json)
    with opened(vault, passphrase_file, token) as unlocked:
        card = _own_card(unlocked, case)
    text = encode_card(card)
    if out is not None:
        try:
            with open(out, "x", encoding="ascii", newline="\n") as f:
                f.write(text)
        except FileExistsError as exc:
            raise AlreadyThere(_("{out} is there already").format(out=printable(out))) from exc
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
