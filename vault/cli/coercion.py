# SPDX-License-Identifier: Apache-2.0
"""`journalist duress` and `journalist token`: what stands between an extorted passphrase and the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    WordsOption,
    answer,
    folder_of,
    hinting_at_token,
    read_new_passphrase,
    read_passphrase,
    read_token,
    token_word,
)
from vault.disk import Disk
from vault.errors import BadInput, NotAllowed
from vault.language import later
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from keys.secret import Secret
    from vault.vaults import Vault

LIMITS = later("""\
What a duress passphrase does: typed where sandyk asks for your passphrase, it first destroys the keys of everything
that you and the other journalists of this vault have in it, and then opens a decoy as if nothing had happened.

What to know before you set one up:

- What it destroys here is gone for every journalist of this vault, not for you alone. What was sealed and
  brought to the editors is left, and nothing else. Nobody can undo it.
- It helps against a person who makes you type. It does nothing against a copy of the disk that was made
  before: with such a copy and your real passphrase they read everything.
- It destroys wherever sandyk asks for a passphrase, also for a new one at the decoy. Only where a real passphrase
  opened the vault is it refused instead, as one that is in use.
- The decoy can be refuted. Number, sizes and times of the files in this vault fit it only if you really use
  it, and often. The file `counter` counts the documents of all cases together. The keyring's change time
  (ctime) shows that it was written to. Whoever learns the duress passphrase itself and can program finds
  out what it was for; so does whoever also has the decoy passphrase, because both open one decoy.
- To destroy what was ordered to be handed over, or to deceive a search, can be a crime. Ask a lawyer first.
- On a medium that is protected against writing it destroys nothing; the decoy opens there all the same.
- That you ran this command may be in your shell's history.""")

WORD = "Read the passphrase from a file's first line; - for standard input."


def register(journalist: typer.Typer) -> None:
    """Add the commands of this module to `journalist`."""
    journalist.command("duress")(journalist_duress)
    token = typer.Typer(no_args_is_help=True, help="The outside half of a passphrase: on a stick, or in the TPM.")
    token.command("add")(token_add)
    token.command("remove")(token_remove)
    journalist.add_typer(token, name="token")


@contextmanager
def _opened_by_passphrase(
    vault: str | None, passphrase_file: str | None, token: str | None
) -> Iterator[tuple[Vault, Secret, Secret | None]]:
    """The open vault, and the passphrase and outside half that opened it: asked for even if an agent holds the keys."""
    from keys.memory import harden
    from vault.vaults import LockedVault

    harden()
    locked = LockedVault.at(folder_of(vault), disk=Disk())
    outside_half = read_token(token)
    passphrase = read_passphrase(passphrase_file)
    try:
        with hinting_at_token(token, outside_half):
            opened = locked.unlock(passphrase, outside_half)
        with opened as unlocked:
            yield unlocked, passphrase, outside_half
    finally:
        passphrase.close()


def journalist_duress(
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What the decoy calls itself; else your own name.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take your duress passphrase away; the decoy stays.")
    ] = False,
    remove_decoy: Annotated[
        bool, typer.Option("--remove-decoy", help="Take away both; asks for the decoy passphrase.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you have read the limits.")] = False,
    decoy_passphrase_file: Annotated[
        str | None, typer.Option("--decoy-passphrase-file", metavar="FILE", help=WORD, show_default=False)
    ] = None,
    duress_passphrase_file: Annotated[
        str | None, typer.Option("--duress-passphrase-file", metavar="FILE", help=WORD, show_default=False)
    ] = None,
    words: WordsOption = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set up a passphrase that destroys what you have here, and opens a decoy.

    Its limits are shown first. With the passphrase of a decoy made before, the decoy stays and gets another duress
    passphrase.
    """
    if remove or remove_decoy:
        _take_away(vault, passphrase_file, token, decoy_passphrase_file, with_decoy=remove_decoy, as_json=as_json)
        return
    say(_(LIMITS) + "\n")
    if not yes and not terminal.confirm(
        _("Have you read this, and do you want a duress passphrase?"), _("in a script that knows: --yes")
    ):
        raise BadInput(_("no duress passphrase was set up"))
    from vault import decoys
    from vault.cases import given_name

    with _opened_by_passphrase(vault, passphrase_file, token) as (unlocked, mine, __):
        label = unlocked.my_entry().label if name is None else given_name(name)
        if decoy_passphrase_file is None:
            say(_("now the decoy passphrase: it opens the decoy and destroys nothing"))
        decoy = read_new_passphrase(decoy_passphrase_file, words)
        if duress_passphrase_file is None:
            say(_("now the duress passphrase: it destroys, then opens the decoy"))
        duress = read_new_passphrase(duress_passphrase_file, words)
        try:
            decoys.set_up(unlocked, mine, decoy, duress, label)
        finally:
            decoy.close()
            duress.close()
    answer(
        {"duress": "set up", "decoy": label},
        as_json=as_json,
        lines=(
            _("the duress passphrase is set up; do not try it: it destroys each time"),
            _("now open the decoy with the decoy passphrase, make a case and file something ordinary"),
            _("use the decoy as often as you use this, or the dates of the files refute it"),
        ),
    )


def _take_away(
    vault: str | None, passphrase_file: str | None, token: str | None, decoy_passphrase_file: str | None, *,
    with_decoy: bool, as_json: bool,
) -> None:  # fmt: skip
    from vault import decoys

    with _opened_by_passphrase(vault, passphrase_file, token) as (unlocked, *__):
        decoy = None
        if with_decoy:
            named = decoy_passphrase_file is not None
            decoy = (
                read_passphrase(decoy_passphrase_file) if named else terminal.ask_passphrase(_("Decoy passphrase: "))
            )
        decoys.take_away(unlocked, decoy)
    answer(
        {"duress": "removed", "decoy_removed": with_decoy},
        as_json=as_json,
        lines=(
            _("no duress passphrase of yours opens anything here any more"),
            _("the decoy is gone too") if with_decoy else _("a decoy that is left still opens with its own passphrase"),
            _("a copy of the keyring made before (a backup, a snapshot, a disk image) is not changed by this"),
        ),
    )


def token_add(
    path: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A new file, on a stick.", show_default=False)
    ] = None,
    tpm: Annotated[bool, typer.Option("--tpm", help="Into this machine's TPM 2.0 instead of a file.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an outside half that your passphrase needs from now on.

    With --token it takes the place of the one that you have.
    """
    if (path is None) == (not tpm):
        raise BadInput(
            _("name a new file for the outside half, or say --tpm"), _("`sandyk journalist token add --help`")
        )
    from vault.halves import making

    with _opened_by_passphrase(vault, passphrase_file, token) as (unlocked, passphrase, before):

        def needed(word: str) -> bool:
            if unlocked.opens_with(passphrase, before):
                return False
            say(
                _("this was not finished: keep {word}, your passphrase may need it from now on").format(
                    word=printable(word)
                )
            )
            return True

        with making(path, needed=needed) as (word, half):
            unlocked.change_outside_half(passphrase, half)
    answer(
        {"token": word, "in_tpm": tpm},
        as_json=as_json,
        lines=(
            _("your passphrase now needs the outside half in {word}").format(word=printable(word)),
            _("give it with every command: --token {word}, or SANDYK_TOKEN in the environment").format(
                word=printable(word)
            ),
            *_where_to_keep(in_tpm=tpm),
            _("a copy of the keyring made before (a backup, a snapshot, a disk image), and what flash memory may keep"),
            _(
                "of its old blocks, still open with the passphrase alone; a new vault (init --new-token) "
                "has no such past"
            ),
        ),
    )


def _where_to_keep(*, in_tpm: bool) -> tuple[str, ...]:
    if in_tpm:
        return (
            _(
                "it stays in this machine: a copy of the disk opens nothing elsewhere; machine and "
                "passphrase together do"
            ),
            _("if the machine or its TPM is lost or cleared, nothing opens here; keep what matters with your editors"),
        )
    return (
        _("keep the stick apart from this machine; without the file nothing opens, and nobody can make another"),
        _("a copy of the file on a second stick is as good as the first, for you and for whoever finds it"),
    )


def token_remove(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let your passphrase open without an outside half again. Give the present one with --token."""
    from vault.halves import named
    from vault.nv import NoTpm
    from vault.tpm import TpmHalf

    with _opened_by_passphrase(vault, passphrase_file, token) as (unlocked, passphrase, __):
        if not unlocked.needs_outside_half:
            raise NotAllowed(_("your passphrase needs no outside half"), _("`sandyk journalist token add` makes one"))
        unlocked.change_outside_half(passphrase, None)
    word = token_word(token)
    half = None if word is None else named(word)
    undone = _("{word} is of no use to you any more; delete it where nobody else needs it").format(
        word=printable(str(word))
    )
    if isinstance(half, TpmHalf):
        try:
            half.take_away()
            undone = _("the TPM's index is undefined")
        except NoTpm as exc:
            undone = _("the TPM's index could not be undefined: {reason}").format(reason=printable(str(exc)))
    answer(
        {"token": None, "was": word},
        as_json=as_json,
        lines=(_("your passphrase opens without an outside half from now on"), undone),
    )
