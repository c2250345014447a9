# SPDX-License-Identifier: Apache-2.0
"""`unlock` and `lock`: the agent that holds the keys for a while; and what `status` says of it."""

from __future__ import annotations

import re
import time
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.arming import why_not_armed
from vault.cli.session import JsonOption, PassphraseOption, TokenOption, VaultOption, answer, folder_of, opened
from vault.disk import Disk
from vault.errors import BadInput, NotAllowed
from vault.names import printable

if TYPE_CHECKING:
    from vault.agent.runtime import Place

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("unlock")(unlock)
    app.command("lock")(lock)


def unlock(
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="Hold the keys this long: 45s, 30m, 2h.")] = "30m",
    idle: Annotated[
        str, typer.Option("--idle", metavar="TIME", help="Forget them sooner, if no command used them for so long.")
    ] = "10m",
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for the passphrase once, and let the next commands work without it for a while.

    An agent holds the keys in memory. It forgets them by `sandyk lock`, when the time is over, when nothing used them,
    when the machine wakes up from sleep, and when the keyring changes: by `sandyk panic`, or a new passphrase.
    Whoever sits at this machine meanwhile can read what you can. Lock before you close the lid: while the machine
    sleeps, the keys are still in its memory.
    """
    from vault.agent import client

    for_s, idle_s = seconds(lasts, "--for"), seconds(idle, "--idle")
    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        client.start(unlocked, lasts=for_s, idle=idle_s)
    ends = time.time_ns() + for_s * 10**9
    answer(
        {"unlocked": True, "until": terminal.plain_time_text(ends), "seconds": for_s, "idle_seconds": idle_s},
        as_json=as_json,
        lines=(
            _("unlocked until {ends}, or until no command used the keys for {idle}").format(
                ends=terminal.time_text(ends), idle=terminal.span_text(idle_s)
            ),
            _("to forget them at once: sandyk lock"),
        ),
    )


def lock(vault: VaultOption = None, as_json: JsonOption = False) -> None:
    """Make the agent forget the keys at once, and end what is being viewed.

    Asks nothing, and does no harm when nothing was unlocked. A command that is under way keeps the keys that it was
    given until it ends: stop it with Ctrl-C.
    """
    from vault.locking import lock as lock_now

    was = lock_now(folder_of(vault))
    answer(
        {"was_unlocked": was.agent, "views_ended": was.views},
        as_json=as_json,
        lines=(
            _("locked: the agent that held the keys has ended")
            if was.agent
            else _("nothing was unlocked, as far as can be seen from here"),
            *([_("{count} view(s) of documents ended, and what they showed removed").format(count=was.views)]
              if was.views else []),
        ),
    )  # fmt: skip


def standing(folder: str) -> tuple[dict[str, Any], list[str]]:
    """What `status` says of the agent, the guard and the arming: fields for JSON, lines for a person."""
    from vault.agent import runtime

    fields: dict[str, Any] = {
        "locked": None, "unlocked_until": None, "idle_at": None, "agent_memory": None, "guard": None,
        "why_not_armed": why_not_armed(folder, time.time_ns(), disk=Disk()),
    }  # fmt: skip
    try:
        places = tuple(runtime.places(folder))
    except NotAllowed as exc:
        return fields, [_("whether an agent holds its keys cannot be told: {reason}").format(reason=exc)]
    lines = _agent_standing(folder, places, fields)
    note = next(filter(None, (runtime.note_of_holder(place.guard) for place in places)), None)
    fields["guard"] = note.partition("\n")[2].strip() if note else None
    lines.append(_("guard: {note}").format(note=printable(fields["guard"])) if note else _("no guard is watching"))
    unarmed = fields["why_not_armed"]
    lines.append(
        _("a guard may not wipe it by itself: {unarmed}").format(unarmed=unarmed)
        if unarmed
        else _("a guard may be armed to wipe it")
    )
    return fields, lines


def _agent_standing(folder: str, places: tuple[Place, ...], fields: dict[str, Any]) -> list[str]:
    from vault.agent import asking, protocol, runtime

    agent = asking.standing(folder)
    if agent is not None:
        now = time.time_ns()
        until, idle_at = (now + s * 10**9 for s in (agent.left, agent.idle_left))
        memory = protocol.MEMORY[agent.memory]
        fields |= {
            "locked": False, "unlocked_until": terminal.plain_time_text(until),
            "idle_at": terminal.plain_time_text(idle_at), "agent_memory": memory,
        }  # fmt: skip
        return [
            _(
                "UNLOCKED until {until}; if no command uses the keys, until {idle_at}. To forget them: sandyk lock"
            ).format(until=terminal.time_text(until), idle_at=terminal.time_text(idle_at)),
            _("the agent holds the keys in {memory}").format(memory=_(memory)),
        ]
    if any(runtime.note_of_holder(place.agent) is not None for place in places):
        fields["locked"] = False
        return [_("an agent runs but does not answer: `sandyk lock` ends it")]
    if asking.elsewhere(folder):
        fields["locked"] = False
        return [_("UNLOCKED by an agent that was started in another environment: `sandyk lock` ends it")]
    fields["locked"] = True
    return [_("locked: each command asks for the passphrase")]


def seconds(text: str, option: str) -> int:
    """``45s``, ``30m``, ``2h`` or ``1d``, at most a week. Raises BadInput."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    value = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < value <= 7 * 86400:
        raise BadInput(_("{option} takes a time such as 45s, 30m or 2h, a week at most").format(option=option))
    return value
