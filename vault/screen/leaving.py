# SPDX-License-Identifier: Apache-2.0
"""The ways out: how each ends, and the wipe, by the very function that `sandyk panic` calls.

The wipe happens in this process, because that is sooner and surer: everything is loaded, and neither a process that
cannot be started nor a program file on a stick that was just pulled out is in the way. What it will want is imported
here, at the beginning, for the same reason. Should it fail in a way that nobody foresaw, `sandyk panic` is started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from vault import beside, discard, medium, panic, report, wiping
from vault.report import Report

_SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The folder that this code came from, so that no other ``vault`` is found."""
_LOADED = (beside, discard, medium, report, wiping)
"""What ``panic`` imports when it comes to it."""

CLEAR = "\x1b[H\x1b[2J"
"""Home, and erase what is seen: CUP and ED 2 (ECMA-48, 5th edition, §8.3.21, §8.3.39)."""
CLEAR_ALL = f"{CLEAR}\x1b[3J"
"""Also what can be scrolled back to: ED 3, of xterm (ctlseqs, "Erase in Display"), the Linux console, most others."""
PATIENCE = 3.0
"""Seconds that the screen has to close after a wipe; then the process ends without it."""


class Left(Enum):
    """How one left."""

    LEFT = "left"
    LOCKED = "locked"
    AGENT_ENDED = "agent ended"
    WIPED = "wiped here"
    GONE = "wiped elsewhere"
    DEFECT = "a defect of this program"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one left. ``not_done``: what a wipe could not do. ``where``: of a defect."""

    left: Left
    not_done: tuple[str, ...] = ()
    where: str = ""


def wipe(
    folder: str, half: str | None, keys_gone: Callable[[], None], *, act: Callable[..., Report] = panic.panic
) -> Ending:
    """Wipe the vault now. ``keys_gone`` is called as soon as its keys are overwritten, or could not be; ``half``: see
    ``panic``, which is what acts."""

    def say(_line: str) -> None:
        _go_on_without_a_terminal()
        keys_gone()

    try:
        return Ending(Left.WIPED, act(folder, say=say, half=half).not_done)
    except panic.NoVaultHere:
        return Ending(Left.GONE)
    except Exception:  # whatever it is, the keys must not stay because of it
        keys_gone()
        return Ending(Left.WIPED, _wipe_anew(folder, half))


def _wipe_anew(folder: str, half: str | None) -> tuple[str, ...]:
    """`sandyk panic` in a process of its own; what could not be done."""
    words = [sys.executable, "-E", "-s", "-B", "-m", "vault", "panic", "--vault", folder]
    words += ["--token", half] if half else []
    code = subprocess.run(
        words, cwd=_SOURCE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode
    return () if code == panic.DONE else (f"`sandyk panic` ended with {code}",)


def _go_on_without_a_terminal() -> None:
    """The keys are gone: a window that is closed now saves nothing, and the rest may as well be finished."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            with suppress(ValueError):  # not the main thread: then somebody else decides about signals
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def insist(code: int) -> None:
    """End the process in a moment, whatever still holds it up."""
    timer = threading.Timer(PATIENCE, os._exit, (code,))
    timer.daemon = True
    timer.start()


def insist_if_held_up(code: int) -> None:
    """The same when a thread of a pool is still at work: Python waits for these at its end, however long they take, and
    meanwhile a process that says it is locked would hold what they have in hand."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        insist(code)


def clear_terminal() -> None:
    """Erase what the terminal shows, and what it can scroll back to, as far as it obeys."""
    with suppress(OSError):
        os.write(1, CLEAR_ALL.encode())
