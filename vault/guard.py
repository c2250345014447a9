# SPDX-License-Identifier: Apache-2.0
"""What a guard does when: the judge, from values alone.

Owns docs/decisions/0021-agent.md, "the guard". It looks at nothing, waits for nothing and destroys nothing: who does
tells it what was seen, and is told what to do. Three rules it cannot be talked out of: whatever happens by itself
drops the keys from memory first, and at once; a wipe that happens by itself waits for its countdown, and is not done
at all while ``why_no_wipe`` says that it would destroy the only copy; what a person orders by a signal is done at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from gettext import gettext as _

from vault.language import later

SLEPT_AT_MOST = 0.5
"""Seconds of suspension that a countdown goes on through: the two clocks are not read at the same moment."""


class Action(Enum):
    """What a trigger leads to."""

    LOCK = "lock"
    PANIC = "panic"


class Step(Enum):
    """What is to be done now."""

    LOCK = later("drop the keys from memory")
    COUNT = later("count down to the wipe")
    WIPE = later("wipe the vault")
    NO_WIPE = later("leave it at that, because the wipe is not armed")
    STOPPED = later("go on watching: the wipe was stopped")
    AGAIN = later("go on watching: everything is as it was")
    OVER = later("end")


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. Times in seconds; ``idle`` None: not watched."""

    action: Action
    lasts: float
    idle: float | None = None
    countdown: float = 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see at one moment, on a clock in seconds that goes on while the machine sleeps.

    ``gone`` names the tethers that are not there. ``unused`` is how long no command used the agent, while awake.
    ``why_no_wipe`` is ``arming.why_not_armed``. ``ordered``: SIGUSR1 came. ``interrupted``: Ctrl-C. ``slept`` is for
    how long the machine was suspended, since an unknown moment.
    """

    now: float
    gone: tuple[str, ...] = ()
    unused: float = 0.0
    why_no_wipe: str | None = None
    ordered: bool = False
    interrupted: bool = False
    vault_here: bool = True
    slept: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One step, and the reason in words."""

    step: Step
    why: str


class _State(Enum):
    WATCHING = 1
    COUNTING = 2
    SPENT = 3
    """A trigger did what it does; the next counts once everything was as it should be in between."""


class Watch:
    """One guard from its arming to its end. ``look`` is called for each moment, in order."""

    def __init__(self, plan: Plan, now: float) -> None:
        self._plan, self._until, self._state = plan, now + plan.lasts, _State.WATCHING
        self._wipe_at = self._slept = 0.0

    @property
    def seconds_to_wipe(self) -> float | None:
        """The moment of the wipe while counting down, on the same clock; else None."""
        return self._wipe_at if self._state is _State.COUNTING else None

    def look(self, seen: Seen) -> tuple[Decision, ...]:
        """What to do now, in this order. After ``WIPE`` and ``OVER`` there is nothing more to ask."""
        if seen.ordered:
            return self._obey()
        if not seen.vault_here:
            return (Decision(Step.OVER, _("the vault is gone")),)
        why = self._trigger(seen)
        if self._state is _State.COUNTING:
            return self._count(seen, why)
        if seen.interrupted:
            return (Decision(Step.OVER, _("it was stopped by hand")),)
        if seen.now >= self._until:
            return (Decision(Step.OVER, _("its time is over")),)
        if self._state is _State.WATCHING and why is not None:
            return self._react(seen, why)
        if self._state is _State.SPENT and why is None:
            self._state = _State.WATCHING
            return (Decision(Step.AGAIN, _("what was missing is back")),)
        return ()

    def _obey(self) -> tuple[Decision, ...]:
        why = _("the signal SIGUSR1 came")
        if self._plan.action is Action.LOCK:
            return (Decision(Step.LOCK, why),)
        return (Decision(Step.WIPE, why),)

    def _trigger(self, seen: Seen) -> str | None:
        if seen.gone:
            return _("{gone} is gone").format(gone=seen.gone[0])
        if self._plan.idle is not None and seen.unused >= self._plan.idle:
            return _("no command was used for {idle} minutes").format(idle=int(self._plan.idle) // 60)
        return None

    def _react(self, seen: Seen, why: str) -> tuple[Decision, ...]:
        drop = Decision(Step.LOCK, why)
        self._state = _State.SPENT
        if self._plan.action is Action.LOCK:
            return (drop,)
        if seen.why_no_wipe is not None:
            return (drop, Decision(Step.NO_WIPE, seen.why_no_wipe))
        if self._plan.countdown <= 0:
            return (drop, Decision(Step.WIPE, why))
        return (drop, self._begin_to_count(seen, why))

    def _begin_to_count(self, seen: Seen, why: str) -> Decision:
        self._state, self._wipe_at, self._slept = _State.COUNTING, seen.now + self._plan.countdown, seen.slept
        return Decision(Step.COUNT, why)

    def _count(self, seen: Seen, why: str | None) -> tuple[Decision, ...]:
        if seen.interrupted:
            self._state = _State.SPENT
            return (Decision(Step.STOPPED, _("it was stopped by hand")),)
        if why is None:
            self._state = _State.WATCHING
            return (Decision(Step.STOPPED, _("what was missing is back")),)
        if seen.slept - self._slept > SLEPT_AT_MOST:
            # Nobody can stop a countdown with the lid closed, and a stick that is in is not seen yet on waking up.
            return (
                self._begin_to_count(
                    seen, _("{why}; it begins again, because the machine was suspended").format(why=why)
                ),
            )
        if seen.now < self._wipe_at:
            return ()
        if seen.why_no_wipe is not None:
            self._state = _State.SPENT
            return (Decision(Step.NO_WIPE, seen.why_no_wipe),)
        return (Decision(Step.WIPE, why),)
