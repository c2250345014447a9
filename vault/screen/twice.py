# SPDX-License-Identifier: Apache-2.0
"""The judge of the keys that act at once when they are pressed twice. No I/O, no clock: it is told the time.

Why twice, and why holding the key down counts: docs/decisions/0052-screen.md. Any other key in between, or too long a
pause, and nothing happens: a cloth over the keyboard presses many keys, a hand in a hurry presses one.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

WIPE_KEYS = frozenset({"f12", "ctrl+backslash"})
"""On every keyboard layout, Cyrillic ones too, and no letter. Two, because some terminals keep F12 for themselves and
some laptops send it only with Fn."""
WIPE_SECONDS = 2.0
_NO_KEYS = frozenset({"ctrl+@"})
"""What Ctrl by itself is called by consoles of Windows that send no sequences, before the key that goes with it."""
HIDE_KEYS = frozenset({"escape"})
HIDE_SECONDS = 0.7


class Press(Enum):
    """What a key press means."""

    OTHER = "other"
    FIRST = "first"
    SECOND = "second"


class Twice:
    """Remembers one press of ``keys`` for ``seconds``."""

    def __init__(self, keys: Collection[str], seconds: float) -> None:
        self._keys, self._seconds = keys, seconds
        self._first: tuple[str, float] | None = None

    def press(self, key: str, at: float) -> Press:
        """What this key means at this time, in seconds on any clock that does not go back."""
        if key in _NO_KEYS:
            return Press.OTHER
        first, self._first = self._first, None
        if key not in self._keys:
            return Press.OTHER
        if first is not None and first[0] == key and at - first[1] <= self._seconds:
            return Press.SECOND
        self._first = (key, at)
        return Press.FIRST
