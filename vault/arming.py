# SPDX-License-Identifier: Apache-2.0
"""Whether a wipe may be armed to happen by itself: only while all that was filed is known to be abroad.

A guard has no keys, so it reads the small public file ``abroad``, which names nobody: a line for each case of which
somebody with its keys found, in its signed record and never in the public counter, that every document is abroad
(``vault.abroad``). It counts for thirty days, and filing takes it away. What may be wrong makes the answer "not
armed": then only the keys in memory are dropped. Owns that file (docs/format.md §9) and the answer.

    sandyk abroad 1
    case 00112233445566778899aabbccddeeff 2026-11-20
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from gettext import gettext as _

from vault import layout
from vault.disk import Disk

GOOD_FOR_DAYS = 30
_MAX_SIZE = 64 << 10
_FORM = re.compile(rb"sandyk abroad 1\n(?:case [0-9a-f]{32} \d{4}-\d{2}-\d{2}\n)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Abroad:
    """Which cases, by the names of their folders, were found to be abroad, and on which day (UTC) last; sorted."""

    cases: tuple[tuple[str, date], ...]

    def encode(self) -> bytes:
        """The file's text."""
        lines = ["sandyk abroad 1", *(f"case {name} {day.isoformat()}" for name, day in self.cases)]
        return "".join(f"{line}\n" for line in lines).encode()


def parse(untrusted: bytes) -> Abroad | None:
    """What a file says; None when it is not exactly of the form, or a day is none."""
    if _FORM.fullmatch(untrusted) is None:
        return None
    fields = [line.split(" ") for line in untrusted.decode("ascii").splitlines()[1:]]
    try:
        cases = {name: date.fromisoformat(day) for __, name, day in fields}
    except ValueError:
        return None
    found = Abroad(tuple(sorted(cases.items())))
    return found if found.encode() == untrusted else None


def read(folder: str, disk: Disk) -> Abroad | None:
    """The vault's record; None when there is none that can be read."""
    try:
        return parse(disk.read(os.path.join(folder, layout.ABROAD), limit=_MAX_SIZE))
    except OSError:
        return None


def cases_with_packs(folder: str) -> set[str]:
    """The names of the folders of all cases that hold anything, whoever may read them. Raises OSError."""
    place = os.path.join(folder, layout.CASES)
    names = [name for name in os.listdir(place) if layout.is_our_folder(f"{layout.CASES}/{name}")]
    return {name for name in names if _holds_a_pack(os.path.join(place, name, layout.PACKS))}


def waiting_drops(folder: str) -> int:
    """How many sealed drops wait in the outbox. Raises OSError."""
    names = os.listdir(os.path.join(folder, layout.OUTBOX))
    return sum(layout.is_ours(f"{layout.OUTBOX}/{name}") for name in names)


def why_not_armed(folder: str, now_ns: int, *, disk: Disk) -> str | None:
    """Why nothing may wipe this vault by itself at this time, in words for the person; None when it may."""
    try:
        waiting, there = waiting_drops(folder), cases_with_packs(folder)
    except OSError:
        return _("its folders cannot be looked into")
    if waiting:
        return _("{waiting} sealed drop(s) wait in the outbox").format(waiting=waiting)
    found = read(folder, disk)
    if found is None:
        return _("nobody found all documents abroad since something was filed (`sandyk guard --confirm-abroad`)")
    days = dict(found.cases)
    if unknown := there - set(days):
        return _("{count} case(s) were not found to be abroad; a member of them has to look").format(count=len(unknown))
    return _why_too_old(days, there, _day(now_ns))


def _why_too_old(days: dict[str, date], there: set[str], today: date) -> str | None:
    if any(days[name] > today + timedelta(days=1) for name in there):
        return _("the day on which the documents were found abroad lies in the future")
    if any(today - days[name] > timedelta(days=GOOD_FOR_DAYS) for name in there):
        return _("it is more than {good_for_days} days since the documents were found abroad").format(
            good_for_days=GOOD_FOR_DAYS
        )
    return None


def remember(folder: str, cases: Collection[str], now_ns: int, *, disk: Disk) -> Abroad:
    """Record that these cases were found abroad today; what was recorded of others stays. Raises OSError.

    The caller holds the lock of the vault and of each of the cases since before it looked: so no document can come in
    between, and what is filed afterwards takes the record away.
    """
    known, there = read(folder, disk), cases_with_packs(folder)
    days = {name: day for name, day in (known.cases if known else ()) if name in there}
    days |= dict.fromkeys(cases, _day(now_ns))
    found = Abroad(tuple(sorted(days.items())))
    disk.replace(os.path.join(folder, layout.ABROAD), found.encode())
    return found


def forget(folder: str, *, disk: Disk) -> None:
    """Nothing counts as found abroad any more: called before something is filed. Durable. Raises OSError."""
    path = os.path.join(folder, layout.ABROAD)
    if os.path.lexists(path):
        with suppress(FileNotFoundError):
            disk.unlink(path)
        disk.sync_folder(folder)


def _holds_a_pack(folder: str) -> bool:
    try:
        return any(name.endswith(".age") for name in os.listdir(folder))
    except FileNotFoundError:
        return False


def _day(now_ns: int) -> date:
    return datetime.fromtimestamp(now_ns // 10**9, UTC).date()
