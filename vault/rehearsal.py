# SPDX-License-Identifier: Apache-2.0
"""Rehearsing the person: how long from "they are at the door" until the keys are gone, typing included.

A throw-away vault is made beside the real one, as for `panic --drill`; the person types the panic command at a moment
they do not choose, and the same program wipes that vault. The clock runs on through typing errors, as it would.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from gettext import gettext as _

from vault.disk import Disk
from vault.drill import make_throw_away
from vault.panic import WrongUsage, panic, parse

LONGEST_WAIT = 6.0
"""Seconds before the alarm, at most: long enough that nobody can count along."""


@dataclass(frozen=True, slots=True)
class Score:
    """A rehearsal's result, in seconds: until the right command was typed, and until the keys were gone."""

    typed: float
    safe: float
    mistakes: int

    @property
    def verdict(self) -> str:
        """What the time means, in words."""
        if self.safe < 4:
            return _("safe before a door is opened")
        if self.safe < 10:
            return _("good; practise until it is under four seconds, or bind the command to a key")
        return _("too slow: bind the command to a key, and rehearse every week")


def rehearse(
    folder: str, *, ask: Callable[[str], str], say: Callable[[str], None], wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic, disk: Disk | None = None,
) -> Score:  # fmt: skip
    """Rehearse beside the vault in ``folder``, which is not touched. Raises OSError when there is no room for it."""
    disk = disk or Disk()
    beside = os.path.dirname(folder)
    while not os.path.isdir(beside) and os.path.dirname(beside) != beside:
        beside = os.path.dirname(beside)
    place = os.path.join(beside, f".sandyk-drill-{os.urandom(8).hex()}")
    make_throw_away(place, disk)
    try:
        wait(secrets.randbelow(1000) / 1000 * (LONGEST_WAIT - 2) + 2)
        say("\a\n" + _("THEY ARE AT THE DOOR. Type the panic command."))
        began, mistakes = clock(), 0
        while not _is_panic(ask("$ ")):
            mistakes += 1
            say(_("that does not wipe anything; the clock runs"))
        typed = clock() - began
        gone: list[float] = []
        panic(place, disk=disk, say=lambda line: gone.append(clock()), discard=False)
        return Score(typed, gone[0] - began, mistakes)
    finally:
        if os.path.lexists(place):
            panic(place, disk=disk, discard=False)


def _is_panic(typed: str) -> bool:
    """Whether this line, typed at a shell, would have wiped the vault."""
    words = typed.split()
    if words[:1] != ["sandyk"]:
        return False
    try:
        arguments = parse(words[1:])
    except WrongUsage:
        return False
    return "panic" in words and not (arguments.help or arguments.drill)
