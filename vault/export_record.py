# SPDX-License-Identifier: Apache-2.0
"""What a case's record says of an export, and when: begun before the file has its name, exported once it has it.

Owns the order of docs/decisions/0063-export-order.md: there is never a whole bundle under its name that the record does
not know, and the record never says ``exported`` of what is not there. Whoever is stopped in between leaves ``export
begun``, which counts for nothing until an editor's receipt for that bundle comes. Room for both records is held from
before the long work, as far as the file system keeps its word.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from gettext import gettext as _

from vault import abroad, whereabouts
from vault.counter import day_of
from vault.disk import TEMPORARY_SUFFIX
from vault.errors import AlreadyThere, DiskFailed, Wiped
from vault.layout import PACKS
from vault.model import EVENT_EXPORT_BEGUN, EVENT_EXPORTED, EVENT_RECEIPT, Event, Item
from vault.names import printable
from vault.refusals import refusal
from vault.room import held
from vault.store import CaseStore
from vault.vaults import Vault
from vault.whereabouts import ExportNote

ROOM = 1 << 20
ROOM_PER_ITEM = 512
"""Bytes that one record of an export takes at most: a pack with 16 for each item, and rows of the index, twice."""


class ExportRecord:
    """The record of one export. ``begin`` before the file gets its name, ``finish`` when it has it."""

    def __init__(self, vault: Vault, store: CaseStore, items: Sequence[Item], place: str) -> None:
        """``place`` is the file, or the folder of the parts, for whoever must be told how far it came."""
        self._vault, self._store, self._place = vault, store, place
        self._items = tuple(item.id for item in items)
        self._note: ExportNote | None = None
        self._before: frozenset[object] | None = None
        self._room_to_begin, self._room_to_finish = ExitStack(), ExitStack()

    @contextmanager
    def room(self) -> Iterator[None]:
        """Hold room for both records. Where the work ends between the two, the journalist is told. Raises DiskFailed.

        On a medium that cannot be written nothing can be held, and ``begin`` fails.
        """
        with self._room_to_finish, self._room_to_begin:
            if self._store.writes:
                for room in (self._room_to_finish, self._room_to_begin):
                    self._hold(room)
            try:
                yield
            except (Wiped, AlreadyThere):
                raise
            except BaseException:
                if self._note is not None and self._may_have_a_name():
                    self._vault.notice(_stopped_between(self._place))
                raise

    def _hold(self, room: ExitStack) -> None:
        size = ROOM + len(self._items) * ROOM_PER_ITEM
        try:
            room.enter_context(held(self._store.disk, os.path.join(self._store.folder, PACKS), size))
        except OSError as exc:
            self._store.check_alive()
            raise DiskFailed(
                _("the vault's disk has no room to record what is sent: {reason}").format(
                    reason=refusal(exc).lower()
                ),
                _("nothing was sealed; make room, then run the command again"),
            ) from exc

    def begin(self, note: ExportNote) -> None:
        """Record that this bundle is about to be there. Raises DiskFailed, Wiped."""
        self._room_to_begin.close()
        self._before = _named(self._place)
        try:
            self._store.record(Event(self._vault.clock(), EVENT_EXPORT_BEGUN, self._items, str(note)))
        except DiskFailed as exc:
            raise DiskFailed(
                str(exc),
                _("nothing was exported, and no sealed file was left"),
                _("make room or put the medium back, then run the command again"),
            ) from exc
        self._note = note

    def _may_have_a_name(self) -> bool:
        """Whether anything has got its name since ``begin``, or it cannot be told: what lay there before is not it."""
        now = _named(self._place)
        return now is None or self._before is None or not now <= self._before

    def finish(self) -> Event:
        """Record that the bundle is there; the event. Raises DiskFailed, Wiped."""
        self._room_to_finish.close()
        event = Event(self._vault.clock(), EVENT_EXPORTED, self._items, str(self._note))
        try:
            self._store.record(event)
        except DiskFailed as exc:
            raise DiskFailed(
                str(exc),
                _("the sealed file is whole, and may be sent; that it is finished could not be recorded"),
                _("make room or put the medium back; or remove the file, and export again"),
            ) from exc
        self._note = None
        return event


def _named(place: str) -> frozenset[object] | None:
    """What tells the file at a place from another, or the names in that folder; None if it cannot be looked at."""
    try:
        if os.path.isdir(place):
            return frozenset(name for name in os.listdir(place) if not name.endswith(TEMPORARY_SUFFIX))
        status = os.lstat(place)
        return frozenset([(status.st_dev, status.st_ino)])
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None


def _stopped_between(place: str) -> str:
    return _(
        "the case's record says that this export was begun, and not that it was finished. What has its name in {place} "
        "is whole, and may be sent: a receipt for it counts. Without one it does not count as on its way"
    ).format(place=printable(place))


def notices_of_unfinished(store: CaseStore) -> Iterable[str]:
    """What is to be said of exports of this case that were begun and not finished, since the last that was."""
    rows = list(store.index.events(EVENT_EXPORT_BEGUN, EVENT_EXPORTED, EVENT_RECEIPT))
    for event in whereabouts.unfinished(rows, abroad.vouched_packs(store)):
        note = whereabouts.read_export(event)
        yield _(
            "an export was begun on {day} and not recorded as finished: bundle {bundle} for {whom}. If its file is "
            "there and was sent, an editor's receipt for it counts; without one it does not count as on its way"
        ).format(
            day=day_of(event.at_ns),
            bundle=note.bundle_id.hex()[:8] if note else "?",
            whom=printable("; ".join(note.whom)) if note else "?",
        )
