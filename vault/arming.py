# SPDX-License-Identifier: Apache-2.0
"""Whether a wipe may be armed to happen by itself: only while all that was filed is known to have arrived abroad.

Known means: the public counter says that every document was in a sealed export, nothing waits in the outbox, and
somebody typed the day on which an editor told them by voice that the export opened. That day is a person's word, in
the small public file ``abroad`` that names nobody; the program cannot check it and says so. What may be wrong makes
the answer "not armed": then only the keys in memory are dropped.

    sandyk abroad 1
    verified-abroad 2026-11-20
    filed 14
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from vault import counter, layout
from vault.disk import Disk
from vault.errors import BadInput, DiskFailed, NotAllowed

GOOD_FOR_DAYS = 30
_MAX_SIZE = 1024
_FORM = re.compile(rb"sandyk abroad 1\nverified-abroad (\d{4}-\d{2}-\d{2})\nfiled (0|[1-9]\d{0,17})\n", re.ASCII)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Abroad:
    """``day``: when an editor confirmed. ``filed``: how many documents the counter had then."""

    day: date
    filed: int

    def encode(self) -> bytes:
        """The file's text."""
        return f"sandyk abroad 1\nverified-abroad {self.day.isoformat()}\nfiled {self.filed}\n".encode()


def parse(untrusted: bytes) -> Abroad | None:
    """What a file says; None when it is not exactly of the form, or the day is none."""
    match = _FORM.fullmatch(untrusted)
    if match is None:
        return None
    try:
        return Abroad(date.fromisoformat(match[1].decode()), int(match[2]))
    except ValueError:
        return None


def read(folder: str, disk: Disk) -> Abroad | None:
    """The vault's record; None when there is none that can be read."""
    try:
        return parse(disk.read(os.path.join(folder, layout.ABROAD), limit=_MAX_SIZE))
    except OSError:
        return None


def why_not_armed(folder: str, now_ns: int, *, disk: Disk) -> str | None:
    """Why nothing may wipe this vault by itself at this time, in words for the person; None when it may."""
    why = _why_not_all_sealed(folder, disk)
    if why is not None:
        return why
    record = read(folder, disk)
    if record is None:
        return "nobody confirmed yet that an export was opened abroad (`sandyk guard --confirm-abroad`)"
    known, today = counter.read(folder, disk), _day(now_ns)
    if record.filed != known.filed:
        return f"{known.filed - record.filed} documents were filed since a copy abroad was confirmed"
    if record.day.isoformat() < known.last_sealed:
        return "the last export is newer than the day on which a copy abroad was confirmed"
    if record.day > today + timedelta(days=1):
        return "the day on which a copy abroad was confirmed lies in the future"
    if today - record.day > timedelta(days=GOOD_FOR_DAYS):
        return f"it is more than {GOOD_FOR_DAYS} days since a copy abroad was confirmed"
    return None


def confirm(folder: str, typed: str, now_ns: int, *, disk: Disk) -> Abroad:
    """Record the day that a person typed. Raises BadInput for no such day, NotAllowed when not all was sealed."""
    try:
        # fromisoformat takes more spellings than the one that the person was asked for.
        day = date.fromisoformat(typed) if _DAY.fullmatch(typed) else None
    except ValueError:
        day = None
    if day is None:
        raise BadInput("this is no day", "type it as year-month-day, such as 2026-11-20")
    today = _day(now_ns)
    if not today - timedelta(days=GOOD_FOR_DAYS) <= day <= today + timedelta(days=1):
        raise BadInput(f"the day must lie in the last {GOOD_FOR_DAYS} days", "nothing was recorded")
    try:
        with disk.lock(os.path.join(folder, layout.LOCK)):
            why = _why_not_all_sealed(folder, disk)
            if why is not None:
                raise NotAllowed(f"this cannot be confirmed: {why}", "nothing was recorded")
            known = counter.read(folder, disk)
            if day.isoformat() < known.last_sealed:
                raise NotAllowed(
                    f"the last export was written on {known.last_sealed} (UTC), after that day",
                    "nothing was recorded: ask the editor about the last export",
                )
            record = Abroad(day, known.filed)
            disk.replace(os.path.join(folder, layout.ABROAD), record.encode())
            return record
    except OSError as exc:
        raise DiskFailed(f"the disk refused: {exc.strerror or exc}", "nothing was recorded") from exc


def forget(folder: str, *, disk: Disk) -> None:
    """Make a confirmed copy abroad count no more: called before something is filed. Durable. Raises OSError."""
    path = os.path.join(folder, layout.ABROAD)
    if os.path.lexists(path):
        with suppress(FileNotFoundError):
            disk.unlink(path)
        disk.sync_folder(folder)


def _why_not_all_sealed(folder: str, disk: Disk) -> str | None:
    known = counter.read(folder, disk)
    if known.filed < 1:
        return "the counter does not say that anything was filed and sealed here"
    if known.sealed < known.filed:
        return f"{known.filed - known.sealed} of {known.filed} documents were in no sealed export yet"
    if known.sealed > known.filed:
        return "the counter says that more was sealed than filed, so nothing can be concluded from it"
    try:
        waiting = [name for name in os.listdir(os.path.join(folder, layout.OUTBOX)) if layout.is_ours(f"outbox/{name}")]
    except OSError:
        return "the outbox cannot be looked into"
    return f"{len(waiting)} sealed drops wait in the outbox" if waiting else None


def _day(now_ns: int) -> date:
    return datetime.fromtimestamp(now_ns // 10**9, UTC).date()
