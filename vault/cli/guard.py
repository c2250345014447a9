# SPDX-License-Identifier: Apache-2.0
"""`guard`: tripwires that lock the vault, or wipe it where a copy abroad was confirmed."""

from __future__ import annotations

import os
import sys
import time
from enum import Enum
from gettext import gettext as _
from typing import Annotated

import typer

from vault import layout, terminal
from vault.cli import exits
from vault.cli.agent import seconds
from vault.cli.session import PassphraseOption, VaultOption, folder_of, opened, tally_text
from vault.disk import Disk
from vault.errors import BadInput, NotAllowed, NoVault
from vault.terminal import say


class ActionChoice(str, Enum):  # noqa: UP042  # Typer shows the values of a str Enum
    """What a tripwire leads to."""

    lock = "lock"
    panic = "panic"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("guard")(guard)


def guard(
    usb: Annotated[
        list[str] | None,
        typer.Option("--usb", metavar="VENDOR:PRODUCT", help="Act when this USB device leaves. Repeatable. Linux."),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option("--token", metavar="PATH", help="Act when this file, on a stick, is gone. Repeatable."),
    ] = None,
    idle: Annotated[
        int | None,
        typer.Option("--idle", metavar="MINUTES", min=1, max=10_080, help="Act when no command used the agent so long.",
                     show_default=False),
    ] = None,
    action: Annotated[
        ActionChoice, typer.Option("--action", help="lock drops the keys from memory; panic also wipes the vault.")
    ] = ActionChoice.lock,
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="Watch this long, a week at most.")] = "24h",
    countdown: Annotated[
        int,
        typer.Option(
            "--countdown", metavar="SECONDS", min=0, max=3600, help="Wait so long before a wipe that nobody ordered."
        ),
    ] = 15,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Do everything but the act, and say what it would be.")
    ] = False,
    confirm_abroad: Annotated[
        bool, typer.Option("--confirm-abroad", help="Open the vault, record that all of it is abroad, and end.")
    ] = False,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd user unit with these options, and end.")
    ] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
) -> None:  # fmt: skip
    """Watch, and lock the vault when a stick leaves, when nobody works, or at the signal SIGUSR1.

    It watches until Ctrl-C, the end of its time, or the end of its terminal. A tripwire always drops the keys from
    memory at once. With --action panic the vault is wiped after a countdown, which Ctrl-C or the stick's return
    stops. SIGUSR1 (a hotkey, BusKill) does the action at once. Panic can only be armed when a member of each case
    looked within 30 days (--confirm-abroad, with the passphrase) and found every document safe abroad by an editor's
    receipt, or, where a person typed that an editor said so by voice, exported.
    If documents are filed after that, a tripwire only locks; SIGUSR1 still wipes.
    """
    folder = folder_of(vault)
    if os.name != "posix":
        raise NotAllowed(_("guard is not built for this system"))
    if not layout.is_vault(folder):
        raise NoVault(_("there is no vault in this folder"), _("another folder: --vault DIR"))
    lasts_s = seconds(lasts, "--for")
    if confirm_abroad:
        _confirm(vault, passphrase_file, token[0] if token else None)
        return
    if print_unit:
        print(_unit(_options(folder, usb, token, idle, action, lasts, countdown, simulate)), end="")
        return
    _watch(folder, usb or [], token or [], idle, action, lasts_s, countdown, simulate)


def _watch(
    folder: str, usb: list[str], token: list[str], idle: int | None, action: ActionChoice, lasts_s: int,
    countdown: int, simulate: bool,
) -> None:  # fmt: skip
    from vault import guard_eyes, report
    from vault.guard import Action, Plan
    from vault.guard_eyes import Tether
    from vault.guard_run import Guard

    tethers: list[Tether] = [*(guard_eyes.usb(u) for u in usb), *(guard_eyes.token(t) for t in token)]
    watched = [t.name for t in tethers] + ([_("{idle} idle minutes").format(idle=idle)] if idle else []) + ["SIGUSR1"]
    until = terminal.time_text(time.time_ns() + lasts_s * 10**9)
    text = (
        _("{action} on {watched}, until {until} (simulated: nothing is done)")
        if simulate
        else _("{action} on {watched}, until {until}")
    )
    plan = Plan(Action(action.value), lasts_s, None if idle is None else idle * 60, countdown)
    outcome = Guard(
        folder, plan, tethers, describe=text.format(action=action.value, watched=", ".join(watched), until=until),
        now_ns=time.time_ns, say=say, disk=Disk(), simulate=simulate,
    ).run()  # fmt: skip
    if outcome is not None:
        print(report.as_text(outcome), end="")
        if outcome.not_done:
            raise typer.Exit(exits.FAILED)


def _confirm(vault: str | None, passphrase_file: str | None, token: str | None) -> None:
    from vault import abroad, arming

    with opened(vault, passphrase_file, token) as unlocked:
        sight = abroad.look(unlocked)
        tally = sight.tally
        say(_("{total} document(s) in your cases: {tally}").format(total=tally.total, tally=tally_text(tally)))
        told = _ask_for_a_word(tally.sent) if tally.sent and not tally.here else 0
        abroad.confirm(unlocked, tally, told)
    print(
        _("recorded: {safe} document(s) are safe abroad by receipt, {sent} by your word").format(
            safe=tally.safe, sent=tally.sent
        )
    )
    print(
        _("it counts for {good_for_days} days, and until something is filed").format(good_for_days=arming.GOOD_FOR_DAYS)
    )
    if sight.unseen:
        say(
            _("note: {unseen} case(s) here are not yours: a member of each has to confirm it too").format(
                unseen=sight.unseen
            )
        )


def _ask_for_a_word(sent: int) -> int:
    say(
        _(
            "{sent} of them are on their way: no receipt came back. A wipe that nobody orders may destroy the "
            "only copy."
        ).format(sent=sent)
    )
    say(_("Better: let the editor open them again with --receipt, and take it here (sandyk receipt take)."))
    say(
        _("Else call the editor. Let them say, by voice, that they opened each of these exports and see its documents.")
    )
    say(_("What you type is your word: this program cannot check it. A guard with --action panic will rely on it."))
    typed = terminal.ask(
        _("How many documents did the editor confirm by voice? Type {sent}, or nothing: ").format(sent=sent)
    )
    if not typed:
        raise BadInput(_("nothing was recorded"))
    if typed != str(sent):
        raise BadInput(
            _("{sent} document(s) are on their way without a receipt").format(sent=sent), _("nothing was recorded")
        )
    return sent


def _options(
    folder: str, usb: list[str] | None, token: list[str] | None, idle: int | None, action: ActionChoice,
    lasts: str, countdown: int, simulate: bool,
) -> list[str]:  # fmt: skip
    words = ["guard", "--vault", folder]
    for device in usb or []:
        words += ["--usb", device]
    for path in token or []:
        words += ["--token", os.path.abspath(path)]
    if idle is not None:
        words += ["--idle", str(idle)]
    words += ["--action", action.value, "--for", lasts, "--countdown", str(countdown)]
    return [*words, "--simulate"] if simulate else words


def _unit(words: list[str]) -> str:
    script = os.path.abspath(sys.argv[0])
    program = [script] if os.path.basename(script) == "sandyk" else [sys.executable, "-m", "vault"]
    command = " ".join(_unit_word(word) for word in (*program, *words))
    return f"""\
# Save as ~/.config/systemd/user/sandyk-guard.service, then:
#   systemctl --user daemon-reload && systemctl --user start sandyk-guard
# The action at once:      systemctl --user kill --signal=SIGUSR1 sandyk-guard
# To end it:               systemctl --user stop sandyk-guard
# Stop a countdown:        systemctl --user kill --signal=SIGINT sandyk-guard
# It ends by itself after the time of --for, and is not started again.
[Unit]
Description=Watch and lock

[Service]
Type=exec
ExecStart={command}
Restart=no
"""


def _unit_word(word: str) -> str:
    """One argument as systemd reads it (systemd.service(5), "Command lines"): % and $ doubled, quoted."""
    if any(ord(c) < 32 for c in word):
        raise BadInput(_("a path with control characters cannot be put into a unit"))
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != word or not all(c.isalnum() or c in "-_./:=" for c in text) else text
