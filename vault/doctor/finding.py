# SPDX-License-Identifier: Apache-2.0
"""What a check found: the value that all judges give. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a finding matters. The values are in JSON and stay as they are."""

    WEAK = "weak"
    """It can cost the keys, the documents or the wipe, and can be changed."""
    LOOK = "look"
    """Somebody has to decide, or nobody can tell from here."""
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Finding:
    """``kind`` is stable; ``what`` was found, ``why`` it matters, what to ``do``: empty when there is nothing to do."""

    kind: str
    level: Level
    what: str
    why: str = ""
    do: str = ""


def good(kind: str, what: str) -> Finding:
    """One that is as it should be."""
    return Finding(kind, Level.GOOD, what)


def look(kind: str, what: str, why: str, do: str) -> Finding:
    """One that somebody has to look at."""
    return Finding(kind, Level.LOOK, what, why, do)


def weak(kind: str, what: str, why: str, do: str) -> Finding:
    """One that is weak."""
    return Finding(kind, Level.WEAK, what, why, do)
