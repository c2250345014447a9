# SPDX-License-Identifier: Apache-2.0
"""The public counter: how many documents were filed here, how many left sealed, how many an editor confirmed.

It is a text in clear that names nothing (docs/format.md §9), so that ``panic`` can say what is safe abroad without
opening anything. It is a courtesy, not a record: what it says may be behind by an interrupted command, and nobody
vouches for it. Nothing is armed because of it. Who opens the cases counts anew (``vault.abroad``). Standard library
only: ``panic`` reads it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace

from vault import layout
from vault.disk import Disk

_MAX_SIZE = 1024
_FIRST_LINE = "sandyk counter 1"
_NAMES = ("filed", "sealed", "safe", "last-sealed", "last-safe")
_NEVER = "-"


@dataclass(frozen=True, slots=True)
class Counter:
    """``filed`` documents in all cases, ``sealed`` of them in an export, ``safe`` of them by an editor's receipt.

    The days (UTC) are those of the last export and of the last receipt that was taken, or ``-``.
    """

    filed: int = 0
    sealed: int = 0
    safe: int = 0
    last_sealed: str = _NEVER
    last_safe: str = _NEVER

    def encode(self) -> bytes:
        """The file's text."""
        values = (self.filed, self.sealed, self.safe, self.last_sealed, self.last_safe)
        lines = [_FIRST_LINE, *(f"{name} {value}" for name, value in zip(_NAMES, values, strict=True))]
        return "".join(f"{line}\n" for line in lines).encode()


def parse(untrusted: bytes) -> Counter | None:
    """The counter in these bytes; None when they are spelled in any other way than ``encode`` does."""
    try:
        first, *lines = untrusted.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return None
    if first != _FIRST_LINE or len(lines) != len(_NAMES) + 1 or lines.pop():
        return None
    if not all(line.startswith(f"{name} ") for line, name in zip(lines, _NAMES, strict=True)):
        return None
    numbers, days = [line.partition(" ")[2] for line in lines[:3]], [line.partition(" ")[2] for line in lines[3:]]
    if not all(n.isdecimal() and len(n) <= 12 and str(int(n)) == n for n in numbers) or not all(map(_is_day, days)):
        return None
    filed, sealed, safe = map(int, numbers)
    return Counter(filed, sealed, safe, *days)


def day_of(ns: int) -> str:
    """The day in UTC of a time in nanoseconds since 1970, as ``YYYY-MM-DD``."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ns // 10**9, UTC).date().isoformat()


def read(folder: str, disk: Disk) -> Counter:
    """The vault's counter; zeros when there is none that makes sense."""
    try:
        return parse(disk.read(os.path.join(folder, layout.COUNTER), limit=_MAX_SIZE)) or Counter()
    except OSError:
        return Counter()


def change(folder: str, disk: Disk, *, filed: int = 0, sealed: int = 0, day: str | None = None) -> None:
    """Add to the counter. The caller holds the vault's lock. A disk that refuses is ignored: nothing hangs on it."""
    now = read(folder, disk)
    then = replace(now, filed=now.filed + filed, sealed=now.sealed + sealed, last_sealed=day or now.last_sealed)
    write(folder, disk, then)


def write(folder: str, disk: Disk, counter: Counter) -> None:
    """Put this counter in place of the old one. The caller holds the vault's lock. A disk that refuses is ignored."""
    with suppress(OSError):
        disk.replace(os.path.join(folder, layout.COUNTER), counter.encode())


def _is_day(text: str) -> bool:
    from datetime import date  # not above: ``panic`` needs it only when there is a counter to tell

    with suppress(ValueError):
        return text == _NEVER or date.fromisoformat(text).isoformat() == text
    return False
