# SPDX-License-Identifier: Apache-2.0
"""How long the agent may hold a slot: the judge, from values alone.

Owns docs/decisions/0021-agent.md, "when it forgets". It reads no clock and no file; who does hands it what was read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vault.agent.protocol import Stamp, Standing

SLEPT_AT_MOST = 0.5
"""Seconds by which the clock that counts suspended time may run ahead of the one that does not."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Times in seconds on a clock that goes on while the machine is suspended. ``slept`` is how far it was ahead."""

    until: float
    idle: float
    used: float
    slept: float
    stamp: Stamp

    def used_at(self, now: float) -> Lease:
        """The same lease after a command asked for the slot."""
        return replace(self, used=now)

    def standing(self, now: float, memory: int) -> Standing:
        """What STATUS answers."""
        unused = max(0.0, now - self.used)
        return Standing(max(0, int(self.until - now)), max(0, int(self.idle - unused)), int(unused), memory)

    def why_over(self, now: float, slept: float, stamp: Stamp | None, *, reachable: bool) -> str | None:
        """Why the slot must be forgotten now, or None. ``stamp`` is the keyring's, None when it cannot be had."""
        if stamp is None:
            return "the vault is gone"
        if stamp != self.stamp:
            return "the keyring was written to"
        if not reachable:
            return "nobody can reach the agent any more"
        if abs(slept - self.slept) > SLEPT_AT_MOST:
            return "the machine was suspended"
        if now >= self.until:
            return "its time is over"
        if now - self.used >= self.idle:
            return "nobody used it"
        return None
