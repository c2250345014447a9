# SPDX-License-Identifier: Apache-2.0
"""`browse`: the screen. Parses, hands over, and says how it ended."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli import exits
from vault.cli.agent import seconds
from vault.cli.session import (
    TokenOption,
    VaultOption,
    folder_of,
    hinting_at_token,
    named_vault,
    read_token,
    token_word,
)
from vault.disk import Disk
from vault.errors import VaultError, Wiped

if TYPE_CHECKING:
    from keys.secret import Secret
    from vault.screen.leaving import Ending
    from vault.vaults import Vault


HIDE_SECONDS = 120.0


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("browse")(browse)


def browse(
    idle: Annotated[
        str, typer.Option("--idle", metavar="TIME", help="Lock and leave when nobody pressed a key for so long.")
    ] = "10m",
    vault: VaultOption = None,
    token: TokenOption = None,
) -> None:
    """A screen to look, search, add and export in, by keyboard and mouse.

    F1 shows the keys. F9 empties the screen at once. F10 forgets the keys, those of `sandyk unlock` too, and leaves.
    F12 pressed twice within two seconds, or held down, wipes the vault as `sandyk panic` does, without a question.
    Nothing that is shown is written to a file.
    """
    from vault.screen.loading import expect_textual

    lock_after = seconds(idle, "--idle")
    expect_textual()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise terminal.NoTerminal(_("a screen needs a terminal, for the keys and for what it shows"))
    from keys.memory import harden
    from vault.agent.client import resume
    from vault.panic import half_of
    from vault.screen.app import Way
    from vault.screen.showing import show
    from vault.vaults import LockedVault

    harden()
    folder = folder_of(vault)
    locked = LockedVault.at(folder, disk=Disk())
    outside_half = read_token(token)

    def unlock(passphrase: Secret) -> Vault:
        with hinting_at_token(token, outside_half):
            return locked.unlock(passphrase, outside_half)

    half = half_of(token_word(token), named_vault(vault))
    held = resume(locked) if token is None else None
    way = Way(
        folder, unlock, opened=held, by_agent=held is not None, half=half,
        hide_after=min(HIDE_SECONDS, lock_after / 2), lock_after=float(lock_after),
    )  # fmt: skip
    _end(show(way))


def _end(ending: Ending) -> None:
    """Say how it ended. After a wipe not a word, as long as all was done: whoever looks sees a terminal."""
    from vault.screen.leaving import Left, insist_if_held_up

    codes = {Left.GONE: exits.WIPED, Left.DEFECT: exits.FAILED}
    insist_if_held_up(codes.get(ending.left, exits.FAILED if ending.not_done else exits.DONE))
    match ending.left:
        case Left.LEFT:
            return
        case Left.LOCKED:
            terminal.say(_("locked"))
        case Left.AGENT_ENDED:
            terminal.say(_("locked: the agent that held the keys has ended"))
        case Left.GONE:
            raise Wiped(_("the vault was wiped while it was open; nothing more is written"))
        case Left.WIPED:
            if ending.not_done:
                raise VaultError(
                    _("not everything could be wiped: {what}").format(what="; ".join(ending.not_done)),
                    _("run it again: sandyk panic"),
                )
        case Left.DEFECT:
            terminal.say(
                _("sandyk: a defect of this program stopped the command: {what}").format(what=ending.where)
            )
            terminal.say(_("hint: please report this line; nothing of yours is in it"))
            raise typer.Exit(exits.FAILED)
