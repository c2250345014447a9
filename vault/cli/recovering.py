# SPDX-License-Identifier: Apache-2.0
"""`key recover`: the words of enough shares, from files or typed, and then a new passphrase."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli.session import (
    JsonOption,
    NewPassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    folder_of,
    hinting_at_token,
    read_new_passphrase,
    read_text,
    read_token,
)
from vault.disk import Disk
from vault.errors import DamagedVault, NewerFormat
from vault.names import printable
from vault.terminal import NoTerminal, say

if TYPE_CHECKING:
    from keys.shares import Share
    from vault.vaults import Vault


def register(key: typer.Typer) -> None:
    """Add the command of this module to `key`."""
    key.command("recover")(recover)


def recover(
    share: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SHARE", show_default=False,
            help="Files with shares that their holders opened; without enough of them you type the words.",
        ),
    ] = None,
    new_passphrase_file: NewPassphraseOption = None,
    vault: VaultOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Choose a new passphrase, with enough shares of your key.

    Call their holders; each reads 33 words to you. Four letters of a word are enough. The shares can be used once.
    """
    from keys.memory import harden
    from vault.recovering import open_with_shares
    from vault.vaults import LockedVault

    harden()
    locked = LockedVault.at(folder_of(vault), disk=Disk())
    outside_half = read_token(token)
    shares = _gathered(share or [])
    with hinting_at_token(token, outside_half):
        unlocked = open_with_shares(locked, shares, outside_half)
    with unlocked:
        label = _label(unlocked)
        if label is not None and new_passphrase_file is None:
            say(_("the shares open the place of {name}").format(name=printable(label)))
        passphrase = read_new_passphrase(new_passphrase_file)
        unlocked.restore(passphrase)
        passphrase.close()
        notices = unlocked.notices
    answer(
        {"recovered": True, "journalist": label},
        as_json=as_json,
        lines=(
            _("your new passphrase opens this vault"),
            _("the passphrase before opens nothing here any more, and neither do these shares"),
            _("make new ones: sandyk key split"),
            _("a copy of the keyring made before (a backup, a snapshot, a disk image) still opens with them"),
        ),
    )
    for notice in notices:
        say(_("note: {text}").format(text=notice))


def _label(unlocked: Vault) -> str | None:
    """Whom the shares let in, if the list of journalists can be read: a damaged one must not keep anybody out."""
    try:
        return unlocked.my_entry().label
    except (DamagedVault, NewerFormat):
        return None


def _gathered(files: list[str]) -> list[Share]:
    """Shares from files, then from whoever types, until enough of them fit together.

    Raises SharesMissing, and MalformedShare for a file that has none, or when nobody can type another.
    """
    from keys.errors import MalformedShare, SharesMissing
    from keys.shares import by_split
    from vault.recovering import MAX_SHARE_FILE, share_in

    shares: list[Share] = []
    for file in files:
        another = share_in(read_text(file, MAX_SHARE_FILE))
        if another not in shares:
            shares.append(another)
    while True:
        try:
            _expect_enough(shares)
            return shares
        except SharesMissing as exc:
            missing: Exception = exc if len(by_split(shares)) > 1 else SharesMissing(_short_of(shares))
        except MalformedShare as exc:
            missing = exc
            say(str(exc))
            say(_("one of them is false, or more: another share helps, and the false ones are named then"))
        try:
            another = _typed(len(shares) + 1)
        except NoTerminal as exc:
            raise missing from exc
        if another in shares:
            say(_("share {number} is here already: another one is needed").format(number=another.index))
            continue
        shares.append(another)
        if len(by_split(shares)) > 1:
            say(_("they are not all of one split: those of which there are enough will be used"))
        say(_short_of(shares))


def _expect_enough(shares: list[Share]) -> None:
    from keys.shares import possibilities

    next(possibilities(shares)).secret.close()


def _short_of(shares: list[Share]) -> str:
    if not shares:
        return _("no share is here: name files with them, or type their words at a terminal")
    from keys.shares import by_split

    most = max(by_split(shares), key=len)
    numbers = ", ".join(str(share.index) for share in most)
    return _("{here} of {needed} shares are here: number {numbers}").format(
        here=len(most), needed=most[0].threshold, numbers=numbers
    )


def _typed(place: int) -> Share:
    """A share as somebody types it, over as many lines as they like. Raises NoTerminal."""
    from keys.errors import MalformedShare
    from keys.shares import WORDS, parse_share, words_in

    say(
        _("type the {count} words of a share, in as many lines as you like; four letters of each are enough").format(
            count=WORDS
        )
    )
    words: list[str] = []
    while True:
        line = terminal.ask_and_erase(_("share {place}, word {number}: ").format(place=place, number=len(words) + 1))
        typed = line.split()
        try:
            words += words_in(line)
        except MalformedShare as exc:
            right = exc.place or 0
            words += words_in(" ".join(typed[:right]))
            say(_("word {number} is not in the list; go on from there").format(number=len(words) + 1))
        if len(words) < WORDS:
            continue
        try:
            return parse_share(" ".join(words))
        except MalformedShare as exc:
            say(_("{reason}; this share once more, from its first word").format(reason=str(exc)))
            words = []
