# SPDX-License-Identifier: Apache-2.0
"""`verify --repair`: what rot leaves of a case, made usable (docs/format.md §6.6, docs/decisions/0042-repair.md).

In this order, and from the beginning again if it was stopped:

    (1) packs that were put aside and read now go back to their places
    (2) everything is read
    (3) damaged packs are mended from their parity, where there is some
    (4) of packs whose list does not read and that the index knows, the documents that still read are filed again
    (5) those packs are put aside: moved, never deleted
    (6) that is recorded, with what is lost and the pack's place in the chain; only then the index forgets the pack
    (7) if anything was done, everything is read again

A pack whose list reads stays where it is, whatever else is wrong with it; so does one that may not be read (no
permission), and one of a newer version.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from gettext import gettext as _

from vault import arming, layout, quarantine
from vault.errors import Damaged, DamagedPack
from vault.index import PackRow
from vault.manifest import NewerPack
from vault.mending import mend
from vault.model import EVENT_FILED, EVENT_MENDED, EVENT_PUT_ASIDE, EVENT_PUT_BACK, EVENT_SAVED, Event, Item, PackId
from vault.pack import pack_name
from vault.sources import About, StreamIncoming
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import Verdict, check_pack, read_whole, verify
from vault.whereabouts import read_export, read_receipt

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """A document that does not read here any more, and where it may be had, as far as the custody record knows."""

    item: Item
    elsewhere: tuple[str, ...]


@dataclass(slots=True)
class Repaired:
    """What a repair did, and what it found at the end."""

    verdict: Verdict = field(default_factory=Verdict)
    mended: list[PackId] = field(default_factory=list)
    put_back: list[PackId] = field(default_factory=list)
    put_aside: list[PackId] = field(default_factory=list)
    saved: int = 0
    """Documents that were filed again from packs that were put aside."""
    lost: list[Lost] = field(default_factory=list)


def repair(vault: Vault, store: CaseStore, *, progress: Progress = lambda packs, size: None) -> Repaired:
    """Mend what can be mended, put aside what does not read, and record it.

    Raises LibraryMissing and NewerFormat before anything is put aside for which there is parity; DiskFailed, Wiped.
    """
    if store.refused is not None:  # what the packs should hold cannot be known: nothing may be put aside
        raise store.refused
    run = _Run(vault, store)
    run.put_back()
    verdict = verify(store, progress=progress)
    damaged = sorted({*verdict.broken, *store.unread_packs()})
    damaged = [pack for pack in damaged if os.path.lexists(run.path_of(pack)) and not run.mend(pack)]
    store.forget_readers()
    store.catch_up()
    for pack in damaged:
        if not run.list_reads(pack):
            run.put_aside(pack)
    run.record()
    done = run.done
    changed = done.put_back or done.mended or done.put_aside
    store.findings.clear()
    store.catch_up()
    done.verdict = verify(store, progress=progress) if changed else verdict
    done.lost += run.find_elsewhere(damaged_one.item for damaged_one in done.verdict.damaged)
    return done


class _Run:
    """One repair of one case."""

    def __init__(self, vault: Vault, store: CaseStore) -> None:
        self._vault, self._store, self._disk = vault, store, vault.disk
        self._packs = os.path.join(store.folder, layout.PACKS)
        self._parity = os.path.join(store.folder, layout.PARITY)
        self._aside = os.path.join(store.folder, layout.QUARANTINE)
        self._lock = os.path.join(store.folder, layout.LOCK)
        self.done = Repaired()

    def path_of(self, pack: PackId) -> str:
        """The file of a pack."""
        return os.path.join(self._packs, pack_name(pack))

    # (1)

    def put_back(self) -> None:
        """Packs that were put aside, whose place is free, and that read whole now."""
        for name, pack in self._in_quarantine():
            source = os.path.join(self._aside, name)
            if os.path.lexists(self.path_of(pack)):
                continue
            with suppress(Damaged, OSError):
                check_pack(self._store, pack, os.path.join("..", layout.QUARANTINE, name))
                self._move(source, self.path_of(pack))
                self._store.catch_up()
                self._store.record(Event(self._store.now(), EVENT_PUT_BACK, (), f"pack {pack.hex()}"))
                self.done.put_back.append(pack)

    def _in_quarantine(self) -> Iterator[tuple[str, PackId]]:
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self._aside)):
                relative = f"{layout.CASES}/{bytes(16).hex()}/{layout.QUARANTINE}/{name}"
                if layout.is_ours(relative) and name.endswith(".age"):
                    yield name, PackId(bytes.fromhex(name[:32]))

    # (3)

    def mend(self, pack: PackId) -> bool:
        """Whether a damaged pack is whole again."""
        parity = os.path.join(self._parity, pack.hex() + layout.PARITY_SUFFIX)
        if not os.path.lexists(parity):
            return False

        def judge(path: str) -> None:
            self._store.check_alive()
            check_pack(self._store, pack, os.path.basename(path))

        try:
            blocks = mend(self._disk, pack, self.path_of(pack), parity, judge)
        except Damaged:
            return False
        self._store.forget_readers()
        detail = f"pack {pack.hex()}: {blocks} block(s) of 4096 bytes from its parity"
        self._store.record(Event(self._store.now(), EVENT_MENDED, (), detail))
        self.done.mended.append(pack)
        return True

    # (4) and (5)

    def list_reads(self, pack: PackId) -> bool:
        """Whether a pack must stay in its place: its list reads, or it is not its bytes that refuse."""
        try:
            with self._store.open_pack(pack) as reader:
                reader.manifest()
        except NewerPack:
            return True
        except DamagedPack as exc:
            cause = exc.__cause__
            return isinstance(cause, OSError) and cause.errno != errno.EIO
        return True

    def put_aside(self, pack: PackId) -> None:
        """File again what the index can still read of it, then move it."""
        self._save(pack)
        self._store.check_alive()
        arming.forget(self._vault.folder, disk=self._disk)
        if not os.path.isdir(self._aside):
            self._disk.make_folder(self._aside)
        self._store.forget_readers()
        self._move(self.path_of(pack), os.path.join(self._aside, f"{pack.hex()}-{secrets.token_hex(4)}.age"))

    def _move(self, source: str, target: str) -> None:
        with self._disk.lock(self._lock):
            self._disk.publish(source, target)
            self._disk.sync_folder(os.path.dirname(source))

    def _save(self, pack: PackId) -> None:
        saved = [item for item in self._items_with_bytes_in(pack) if self._reads(item)]
        if not saved:
            return
        old = {(item.name, item.sha256): item.id.hex() for item in saved}

        def events(items: tuple[Item, ...]) -> tuple[Event, ...]:
            if not items:
                return ()
            arming.forget(self._vault.folder, disk=self._disk)
            lines = [f"{item.id.hex()} was {old[item.name, item.sha256]}" for item in items[:800]]
            ids, now = tuple(item.id for item in items), self._store.now()
            detail = "\n".join([f"pack {pack.hex()}", *lines])
            return Event(now, EVENT_FILED, ids, ""), Event(now, EVENT_SAVED, ids, detail)

        incoming = [
            StreamIncoming(item.name, _Reading(self._store.read(item)), item.mtime_ns, item.origin, item.signer,
                           About(item.note, item.source, item.tags))
            for item in saved
        ]  # fmt: skip
        intake = self._store.file(incoming, events=events)
        self.done.saved += sum(one.item is not None for one in intake.filed)

    def _items_with_bytes_in(self, pack: PackId) -> list[Item]:
        return [item for item in self._store.index.items() if any(extent.pack == pack for extent in item.extents)]

    def _reads(self, item: Item) -> bool:
        try:
            read_whole(self._store, item, lambda data: None)
        except Damaged:
            return False
        return True

    # (6)

    def record(self) -> None:
        """Record each pack that lies in the quarantine and was not recorded yet, and let the index forget it.

        Also those that a run moved which was stopped then.
        """
        last: dict[PackId, str] = {}
        for row in self._store.index.events(EVENT_PUT_ASIDE, EVENT_PUT_BACK):
            if (noted := quarantine.pack_of(row.event)) is not None:
                last[noted] = row.event.kind
        for __, pack in self._in_quarantine():
            if os.path.lexists(self.path_of(pack)):
                continue
            row_of = self._row_of(pack)
            if last.get(pack) != EVENT_PUT_ASIDE:
                lost = self._listed_in(row_of)
                self._store.record(*quarantine.render(pack, row_of, lost, self._store.now()))
                self.done.lost += self.find_elsewhere(lost)
                last[pack] = EVENT_PUT_ASIDE
            elif row_of is None:
                continue
            if row_of is not None:
                self._store.forget_pack(pack)
            self.done.put_aside.append(pack)

    def _row_of(self, pack: PackId) -> PackRow | None:
        return self._store.index.pack(pack)

    def _listed_in(self, row: PackRow | None) -> list[Item]:
        """The items that a pack lists, but those of which another item has name and content."""
        if row is None:
            return []
        index = self._store.index
        return [
            item for item in index.items_in(row.pack)
            if all(pack == row.pack for __, pack in index.items_of_content(item.name, item.sha256, About()))
        ]  # fmt: skip

    def find_elsewhere(self, items: Iterator[Item] | list[Item]) -> list[Lost]:
        """Each document with the bundles, and the receipts for them, that the record names."""
        found = list(items)
        wanted: dict[bytes, list[str]] = {item.id: [] for item in found}
        for row in self._store.index.events() if found else ():
            words = _place_named(row.event)
            for item in row.event.items if words else ():
                if item in wanted and words not in wanted[item]:
                    wanted[item].append(words)
        return [Lost(item, tuple(wanted[item.id])) for item in found]


def _place_named(event: Event) -> str:
    """Where an event says that its documents are; nothing if it does not."""
    if (export := read_export(event)) is not None:
        return _("bundle {bundle_id} for {whom}").format(bundle_id=export.bundle_id.hex(), whom="; ".join(export.whom))
    if (receipt := read_receipt(event)) is not None:
        return _("bundle {bundle_id} was opened by {editor}").format(
            bundle_id=receipt.bundle_id.hex(), editor=receipt.editor
        )
    return ""


class _Reading:
    """A document's chunks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
        data = self._left or next(self._chunks, b"")
        if size < 0:
            data += b"".join(self._chunks)
            size = len(data)
        self._left = data[size:]
        return data[:size]
