# SPDX-License-Identifier: Apache-2.0
"""A guard at work: looks at the sticks, the agent and its signals, and does what ``vault.guard`` decides.

Owns the loop, the signals and the place in the runtime folder that makes an armed guard visible. SIGUSR1 is the order
of a person (a hotkey, BusKill): with the action "panic" its handler overwrites the kill area before anything else.
With ``simulate`` everything happens but the acts, which are named instead.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from gettext import gettext as _
from types import FrameType
from typing import TYPE_CHECKING

from vault import arming, layout, locking
from vault.agent import asking, clocks, runtime
from vault.disk import Disk
from vault.errors import Busy, NotAllowed, NotFound, VaultError
from vault.guard import Action, Decision, Plan, Seen, Step, Watch
from vault.guard_eyes import Tether
from vault.guard_hurry import calm, hurry
from vault.guard_kill import ReadyKill

if TYPE_CHECKING:
    from vault.report import Report

LOOKS_EVERY = 0.25
_ASKS_EVERY = 1.0
_COUNTS_EVERY = 5.0


class Guard:
    """One guard over one vault. ``run`` returns when it is over; the report of the wipe, if there was one."""

    def __init__(
        self, folder: str, plan: Plan, tethers: Sequence[Tether], *, describe: str, now_ns: Callable[[], int],
        say: Callable[[str], None], disk: Disk, simulate: bool = False,
    ) -> None:  # fmt: skip
        """Raises NotAllowed when a wipe is asked for and may not be armed, DiskFailed when it cannot be."""
        self._folder, self._plan, self._tethers, self._describe = folder, plan, tethers, describe
        self._now_ns, self._out, self._disk, self._simulate = now_ns, say, disk, simulate
        self._ordered = self._interrupted = self._ended = False
        self._used = clocks.awake()
        self._told = self._ask_at = 0.0
        self._kill: ReadyKill | None = None
        if plan.action is Action.PANIC:
            why = arming.why_not_armed(folder, now_ns(), disk=disk)
            if why is not None:
                raise NotAllowed(
                    _("a wipe is not armed: {reason}").format(reason=why), _("--action lock needs no copy abroad")
                )
            self._kill = ReadyKill(folder)

    def run(self) -> Report | None:
        """Watch until it is over. Raises Busy when another guard watches this vault."""
        place = runtime.place_of(self._folder)
        with self._signals() as wake:
            held = None
            if not any(runtime.note_of_holder(p.guard) for p in runtime.places(self._folder) if p != place):
                held = runtime.hold(place.guard, f"{os.getpid()}\n{self._describe}\n", tries=25)
            if held is None:
                raise Busy(_("another guard is watching this vault"), _("end it first: Ctrl-C where it runs"))
            try:
                if self._kill is not None:
                    hurry()
                self._say(f"watching: {self._describe}")
                self._say(_("to act at once, without a countdown: kill -USR1 {process}").format(process=os.getpid()))
                return self._watch(wake)
            finally:
                runtime.rewrite(held, "")
                os.close(held)
                if self._kill is not None:
                    calm()
                    self._kill.close()

    def _watch(self, wake: int) -> Report | None:
        watch = Watch(self._plan, clocks.now())
        while True:
            for decision in watch.look(self._see()):
                if self._ordered:
                    break  # it came while this was looked at, and nothing else matters any more
                if decision.step is Step.OVER:
                    self._say(_("no longer watching: {why}").format(why=decision.why))
                    return None
                if decision.step is Step.WIPE:
                    return self._wipe(decision.why)
                self._act(decision)
            if self._ended and not self._ordered:
                self._say(_("no longer watching: it was told to end"))
                return None
            self._tell_countdown(watch.seconds_to_wipe)
            select.select([wake], [], [], LOOKS_EVERY)
            with suppress(BlockingIOError):
                os.read(wake, 512)

    def _see(self) -> Seen:
        ordered, self._ordered = self._ordered, False
        interrupted, self._interrupted = self._interrupted, False
        now = clocks.now()
        if ordered:  # nothing else matters, and looking takes time
            return Seen(now, ordered=True)
        if self._plan.idle is not None and now >= self._ask_at:
            self._ask_at = now + _ASKS_EVERY
            self._note_use()
        wiping = self._kill is not None
        return Seen(
            now,
            slept=clocks.slept(),
            gone=tuple(t.name for t in self._tethers if not t.present()),
            unused=clocks.awake() - self._used,
            why_no_wipe=arming.why_not_armed(self._folder, self._now_ns(), disk=self._disk) if wiping else None,
            interrupted=interrupted,
            vault_here=self._kill.same_file() if self._kill else layout.is_vault(self._folder),
        )

    def _note_use(self) -> None:
        """A machine that sleeps is not idle: else opening the lid in the morning would start a countdown."""
        with suppress(VaultError, OSError):
            agent = asking.standing(self._folder)
            if agent is not None:
                self._used = max(self._used, clocks.awake() - agent.unused - 1)

    def _act(self, decision: Decision) -> None:
        match decision.step:
            case Step.LOCK:
                self._lock(decision.why)
            case Step.COUNT:
                self._told = 0.0
                self._say(
                    _("WIPE in {countdown:.0f} s: {why}. To stop it: Ctrl-C, or put it back").format(
                        countdown=self._plan.countdown, why=decision.why
                    )
                )
            case Step.NO_WIPE:
                self._say(_("not wiped: {why}").format(why=decision.why))
            case _:
                self._say(f"{_(decision.step.value)} ({decision.why})")

    def _lock(self, why: str) -> None:
        if self._simulate:
            self._say(_("{reason}: would lock now (nothing was done)").format(reason=why))
            return
        try:
            was = locking.lock(self._folder)
        except (VaultError, OSError) as exc:
            self._say(_("{why}: COULD NOT LOCK: {problem}").format(why=why, problem=exc))
            return
        self._say(_("{why}: locked").format(why=why) if was.agent else _("{why}: nothing was unlocked").format(why=why))
        if was.views:
            self._say(_("{count} view(s) of documents ended, and what they showed removed").format(count=was.views))

    def _wipe(self, why: str) -> Report | None:
        if self._simulate:
            self._say(_("{reason}: would wipe the vault now (nothing was done)").format(reason=why))
            return None
        assert self._kill is not None
        if self._kill.milliseconds is None:
            self._kill.fire()
        calm()
        with suppress(VaultError, OSError):
            locking.lock(self._folder)
        here, done = self._kill.same_vault(), self._kill.milliseconds
        if done is None:
            text = (
                _("{why}: the open keyring could not be overwritten ({problem}); now by its name")
                if here
                else _(
                    "{why}: the open keyring could not be overwritten ({problem}); and no more, because it is not in "
                    "its place any more"
                )
            )
        else:
            text = (
                _("{why}: KEYS GONE in {milliseconds} ms; now the rest")
                if here
                else _("{why}: KEYS GONE in {milliseconds} ms; and no more, because it is not in its place any more")
            )
        self._say(text.format(why=why, problem=_(self._kill.problem), milliseconds=f"{done or 0:.1f}"))
        if not here:
            raise _moved_away(keys_gone=done is not None)
        from vault.panic import NoVaultHere, panic

        try:
            return panic(self._folder, say=self._say, half="")
        except NoVaultHere:
            self._say(_("nothing of the vault is left here: somebody else wiped or moved it"))
            return None

    def _say(self, line: str) -> None:
        """Tell the person, if there is anybody: a terminal or a pipe that is gone must not stop a wipe."""
        with suppress(OSError, ValueError):
            self._out(line)

    def _tell_countdown(self, wipe_at: float | None) -> None:
        if wipe_at is None:
            return
        now = clocks.now()
        if self._told and now - self._told >= _COUNTS_EVERY:
            self._say(_("wipe in {seconds:.0f} s").format(seconds=max(0.0, wipe_at - now)))
            self._told = now
        self._told = self._told or now

    def _on_order(self, _number: int, _frame: FrameType | None) -> None:
        self._ordered = True
        if self._kill is not None and not self._simulate:
            self._kill.fire()

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupted = True

    def _on_end(self, _number: int, _frame: FrameType | None) -> None:
        self._ended = True

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Take the signals over; yields a descriptor that becomes readable with each, so that no wait outlasts one."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        handlers = {
            signal.SIGUSR1: self._on_order, signal.SIGINT: self._on_interrupt,
            signal.SIGTERM: self._on_end, signal.SIGHUP: self._on_end,
        }  # fmt: skip
        before_wake = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before_wake)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)


def _moved_away(*, keys_gone: bool) -> NotFound:
    """What was not done, when another vault or folder lies where the one that was watched did."""
    return NotFound(
        _(
            "the vault that was watched is not in its place any more; its keys are gone, and nothing else of it was "
            "destroyed"
        )
        if keys_gone
        else _(
            "the vault that was watched is not in its place any more; ITS KEYS MAY STILL BE THERE, and nothing else "
            "of it was destroyed"
        ),
        _("what lies in its place now was not touched"),
        _("where the watched vault was moved, its sealed files still lie: sandyk panic --vault DIR"),
    )
