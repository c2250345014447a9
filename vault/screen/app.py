# SPDX-License-Identifier: Apache-2.0
"""The screen as a whole: which part is shown, the keys that work everywhere, and all ways out.

Every key and click passes ``on_event`` before anything else sees it, so the wipe, hiding and locking work in every
window, in every field, and while something else is under way. Textual's own ways to show an error print the values of
variables, and are replaced: a defect of ours shows where it is, as on the command line, and never what.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _
from types import FrameType

from textual import events, on
from textual.app import App

from keys.secret import Secret
from vault.agent import asking, client
from vault.entry import where
from vault.errors import DoesNotOpen, NotAllowed, Wiped
from vault.screen import leaving, look
from vault.screen.curtain import Curtain
from vault.screen.desk import Desk
from vault.screen.entrance import Entrance, PassphraseField
from vault.screen.home import Home
from vault.screen.jobs import Ended, Job
from vault.screen.layouts import latin_key
from vault.screen.leaving import Ending, Left
from vault.screen.twice import HIDE_KEYS, HIDE_SECONDS, WIPE_KEYS, WIPE_SECONDS, Press, Twice
from vault.vaults import Vault

LOOK_SECONDS = 2.0
"""How often the agent and the keyring are looked at."""
SIGNAL_SECONDS = 0.25
"""How often it is looked whether a signal told the program to end."""
TOUCH_SECONDS = 30.0
"""How often the agent hears that somebody is at work; it counts no use of keys that it gave out before."""
CLOSING_SECONDS = 5.0
"""How long a job that was asked to stop is waited for."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the screen comes to an open vault. ``opened``: it is open already, ``by_agent`` or in another way.
    ``half``: see ``panic``."""

    folder: str
    unlock: Callable[[Secret], Vault]
    opened: Vault | None = None
    by_agent: bool = False
    half: str | None = None
    hide_after: float = 120.0
    """Seconds without a key or a click."""
    lock_after: float = 600.0


class Browse(App[Ending], inherit_bindings=False):
    """`sandyk browse`."""

    CSS = look.CSS
    ENABLE_COMMAND_PALETTE = False  # one of its commands saves what is on the screen into a file
    ALLOW_SELECT = False  # a selection goes to the clipboard, and clipboards keep a history

    def __init__(self, way: Way, *, insist: Callable[[int], None] = lambda code: None) -> None:
        """``insist`` ends the process soon after a wipe, whatever holds it up."""
        super().__init__()
        self.animation_level = "none"
        look.use_plain_bars()
        self._way, self._insist = way, insist
        self.desk = Desk(self, self._gone)
        self.ending = Ending(Left.LEFT)
        self._wipe_keys = Twice(WIPE_KEYS | {"click"}, WIPE_SECONDS)
        self._hide_keys = Twice(HIDE_KEYS, HIDE_SECONDS)
        self._curtain: Curtain | None = None
        self._kept: list[Job] = []
        self._watching: Job | None = None
        self._told_to_leave = self._opening = False
        self._touched = self._used = time.monotonic()
        for theme in (look.DARK, look.LIGHT):
            self.register_theme(theme)
        self.theme = (look.LIGHT if look.is_light(os.environ) else look.DARK).name
        self.set_class(not look.speaks_utf8(os.environ), "-ascii")

    def on_mount(self) -> None:
        """Show the first part, and look at the agent, the keyring and the clock from now on."""
        if self._way.opened is not None:
            self.desk.begin(self._way.opened)
            self.push_screen(Home(self.desk))
        else:
            self.push_screen(Entrance())
        self.set_interval(LOOK_SECONDS, self._look_around)
        self.set_interval(SIGNAL_SECONDS, self._leave_if_told)
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, self._tell_to_leave)

    def _tell_to_leave(self, _number: int, _frame: FrameType | None) -> None:
        # A note and no more: a handler runs between any two steps of anything, and a queue's lock may be held there.
        self._told_to_leave = True

    def _leave_if_told(self) -> None:
        if self._told_to_leave:
            self._leave(Ending(Left.LEFT))

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """See every key and click first."""
        if isinstance(event, events.InputEvent) and not event.is_forwarded and not isinstance(event, events.MouseMove):
            self._used = time.monotonic()
        if isinstance(event, events.Key) and not event.is_forwarded:
            event.key = latin_key(event.key)
            if self._is_for_us(event):
                return
        await super().on_event(event)

    def _is_for_us(self, event: events.Key) -> bool:
        match self._wipe_keys.press(event.key, event.time):
            case Press.FIRST:
                self._warn(_("Once more within two seconds, and the vault is wiped. Any other key: nothing happens."))
                return True
            case Press.SECOND:
                self._wipe()
                return True
        if self._curtain is not None:
            if event.key in {"enter", "f9"}:
                self._show()
            return event.key not in {"f10", "ctrl+l", "ctrl+q", "ctrl+c"} or self._leave_by(event.key)
        if self._hide_keys.press(event.key, event.time) is Press.SECOND:
            self.action_hide()
            return True
        return self._leave_by(event.key)

    def _leave_by(self, key: str) -> bool:
        match key:
            case "f9":
                self.action_hide()
            case "f10" | "ctrl+l":  # some terminals open a menu with F10
                self.action_lock()
            case "ctrl+q" | "ctrl+c":
                self.action_leave()
            case "f8":
                self.action_light()
            case _:
                return False
        return True

    def _warn(self, text: str) -> None:
        self.clear_notifications()
        self.notify(text, severity="error", timeout=WIPE_SECONDS, markup=False)

    def action_light(self) -> None:
        """Dark on light, or light on dark."""
        self.theme = look.DARK.name if self.theme == look.LIGHT.name else look.LIGHT.name

    def copy_to_clipboard(self, text: str) -> None:  # noqa: ARG002  # it goes nowhere
        """Textual's way out of every field, closed: clipboards keep a history, and other programs read them."""
        self.notify(_("Nothing is copied to the clipboard: other programs can read it, and it keeps a history."),
                    markup=False)  # fmt: skip

    # Opening

    @on(PassphraseField.Typed)
    def _open(self, event: PassphraseField.Typed) -> None:
        entrance = self.screen
        if self._opening or not isinstance(entrance, Entrance):
            event.secret.close()
            return
        self._opening = True
        entrance.say(_("opening…"))

        def unlock(_job: Job) -> Vault | DoesNotOpen:
            try:
                with event.secret:
                    return self._way.unlock(event.secret)
            except DoesNotOpen as exc:
                return exc
            except BaseException:
                self._opening = False
                raise

        def then(opened: Vault | DoesNotOpen) -> None:
            self._opening = False
            if isinstance(opened, DoesNotOpen):
                entrance.say("\n".join((f"{opened}.", *opened.hints)))
                return
            self.desk.begin(opened)
            self.switch_screen(Home(self.desk))

        self.desk.jobs.start(unlock, then)

    # Jobs

    @on(Ended)
    def _job_ended(self, event: Ended) -> None:
        """Show what came of a job; behind the curtain it has to wait."""
        if self._curtain is not None and not event.job.behind:
            self._kept.append(event.job)
        elif not self._exit:
            self.desk.ended(event.job)

    # Hiding and looking around

    def action_hide(self) -> None:
        """Empty the screen at once."""
        if self._curtain is None:
            self.clear_notifications()
            self._curtain = Curtain()
            self.push_screen(self._curtain)

    def _show(self) -> None:
        curtain, self._curtain = self._curtain, None
        if curtain is not None:
            curtain.dismiss()
        kept, self._kept = self._kept, []
        for job in kept:
            self.desk.ended(job)

    def _look_around(self) -> None:
        idle = time.monotonic() - self._used
        if idle > self._way.lock_after and self.desk.jobs.shown is None and self.desk.is_open:
            self.action_lock()
        elif idle > self._way.hide_after:
            self.action_hide()
        if self._watching is None and self.desk.is_open:
            self._watching = self.desk.jobs.start(self._is_still_there, self._looked_around, behind=True)

    def _is_still_there(self, _job: Job) -> Left | None:
        """What ended meanwhile: the vault, or the agent that opened it."""
        try:
            self.desk.vault.check_alive()
        except Wiped:
            return Left.GONE
        if not self._way.by_agent:
            return None
        if self._used > self._touched and time.monotonic() - self._touched > TOUCH_SECONDS:
            self._touched = time.monotonic()
            return None if client.touch(self._way.folder) else Left.AGENT_ENDED
        try:
            return None if asking.standing(self._way.folder) is not None else Left.AGENT_ENDED
        except NotAllowed:
            return Left.AGENT_ENDED

    def _looked_around(self, ended: Left | None) -> None:
        self._watching = None
        if ended is not None:
            self._leave(Ending(ended))

    # Ways out

    def _gone(self) -> None:
        self._leave(Ending(Left.GONE))

    def action_leave(self) -> None:
        """Stop what is under way; with nothing under way, leave. The agent, if there is one, stays."""
        job = self.desk.jobs.shown
        if job is not None and not job.stopping:
            job.stop()
        else:
            self._leave(Ending(Left.LEFT))

    def action_lock(self) -> None:
        """Leave, and have every key forgotten, the agent's too."""
        self._leave(Ending(Left.LOCKED))

    def action_wipe_click(self) -> None:
        """A click on the wipe: the second one acts, as with the key."""
        match self._wipe_keys.press("click", time.monotonic()):
            case Press.FIRST:
                self._warn(_("Once more within two seconds, and the vault is wiped. Any other key: nothing happens."))
            case Press.SECOND:
                self._wipe()

    def _wipe(self) -> None:
        """Nothing comes before the keys: not a question, not a thread, not the screen."""
        ending = leaving.wipe(self._way.folder, self._way.half, lambda: self._blank(leaving.CLEAR_ALL))
        self._insist(1 if ending.not_done else 0)
        self._leave(ending)

    def _leave(self, ending: Ending) -> None:
        self.ending = ending
        self._blank(leaving.CLEAR)  # also where a terminal has no other screen to go back to, such as a plain console
        self.exit(ending)

    def _blank(self, sequence: str) -> None:
        """Empty the terminal now. What was drawn before goes through the same queue."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    # Defects

    def _handle_exception(self, error: Exception) -> None:
        """End, and remember where. Textual would print a traceback with the values of variables: evidence, keys."""
        self._defect(where(error), type(error).__name__)
        if self._exception is None:
            self._exception = error  # for a test to raise
            self._exception_event.set()

    def panic(self, *renderables: object) -> None:  # noqa: ARG002
        """What Textual's keyboard thread calls with a traceback when it fails; no wipe, in spite of its name."""
        self._defect("the keyboard", "")

    def _defect(self, place: str, kind: str) -> None:
        self._return_code = 1
        if self.ending.left is not Left.WIPED:  # a screen that fails after the wipe takes nothing back
            self.ending = Ending(Left.DEFECT, where=f"{kind} in {place}".strip())
        self._close_messages_no_wait()
