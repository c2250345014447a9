# SPDX-License-Identifier: Apache-2.0
"""`init` and `journalist`: who uses the vault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault.cli.coercion import register as register_coercion
from vault.cli.session import (
    JsonOption,
    NameArgument,
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
from vault.errors import AlreadyThere
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from keys.secret import Secret

NewTokenOption = Annotated[
    str | None,
    typer.Option(
        "--new-token", metavar="FILE", show_default=False,
        help="Make an outside half in this new file, on a stick: without it the passphrase opens nothing.",
    ),
]  # fmt: skip


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
