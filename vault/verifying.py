# SPDX-License-Identifier: Apache-2.0
"""Reading everything back: encryption, chunk ids, hashes, signatures and chains.

Each pack is read once. Documents that lie in one run of chunks, nearly all, are hashed on
the way; the others are read once more at the end. Every failure names the documents it
costs. Nothing is written, but the index forgets where the chunks of a damaged pack lie: what
is filed again is then stored again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from gettext import gettext as _
from itertools import repeat
from random import SystemRandom
from typing import Any

from vault import quarantine
from vault.blocks import Table, unpack_block
from vault.custody import Finding, judge_chains, judge_former_members, vouched
from vault.errors import Busy, Damaged, DamagedPack
from vault.index import IndexUnusable, PackRow
from vault.language import later
from vault.model import EVENT_PUT_ASIDE, Chunk, Item, ItemId, PackId
from vault.pack import PackReader, table_of
from vault.rows import Standing
from vault.store import CaseStore

WORKERS = 2
READ_AHEAD = 1 << 20
"""Small chunks are read so many bytes at a time: several share the 64 KiB block that each would have to decrypt."""
_STILL_HERE = later("another pack stands for it, and yet it lies here: sandyk compact takes it away")
_OTHER = later("its size or SHA-256 is not the one that was filed")


@dataclass(frozen=True, slots=True)
class DamagedItem:
    """A document that does not read back, and why."""

    item: Item
    reason: str


@dataclass(slots=True)
class Verdict:
    """What a verification found. Whole when ``findings`` and ``damaged`` are empty."""

    packs: int = 0
    items: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)
    damaged: list[DamagedItem] = field(default_factory=list)
    broken: list[PackId] = field(default_factory=list)
    """The packs that the index knows and that do not read back whole."""
    remarks: list[Finding] = field(default_factory=list)
    """What nobody can decide from the packs alone; not damage."""
    sample_of: int | None = None
    """How many packs there are, when only some of them were read."""

    @property
    def whole(self) -> bool:
        """Whether everything was found to be as it should."""
        return not (self.findings or self.damaged)


@dataclass(slots=True)
class _Run:
    """The bytes of documents that lie in one run of chunks, while their pack is read: once, however many they are."""

    first: int
    end: int
    size: int
    sha256: bytes
    read: int = 0
    hasher: Any = None
    wrong: str = ""
    """What is wrong with it, once that is known."""

    @property
    def key(self) -> tuple[int, int, int, bytes]:
        return self.first, self.end, self.size, self.sha256

    def take(self, data: bytes) -> None:
        self.read += len(data)
        self.hasher.update(data)

    def finish(self) -> None:
        if self.read != self.size or self.hasher.digest() != self.sha256:
            self.wrong = _(_OTHER)


@dataclass(slots=True)
class _Here:
    """The documents whose first chunk lies in one pack, and the empty ones that it lists."""

    runs: list[_Run] = field(default_factory=list)
    scattered: list[ItemId] = field(default_factory=list)
    """In several runs, or in packs that are not known: each is read by itself at the end."""
    items: int = 0
    size: int = 0


@dataclass(slots=True)
class _Verified:
    """What was found in one pack."""

    findings: list[Finding]
    damaged: list[DamagedItem]
    here: _Here


def verify(
    store: CaseStore, *, sample: int | None = None,
    progress: Callable[[int, int], None] = lambda packs, size: None,
) -> Verdict:  # fmt: skip
    """Read the whole case back, or a ``sample`` of so many packs, drawn anew each time with the documents in them.

    Missing packs and broken chains are found either way. ``progress`` is told of packs and ciphertext bytes read.
    """
    store.forget_readers()
    verdict = Verdict()
    try:
        if sample is None:
            store.index.check()
    except IndexUnusable as exc:
        store.renew_index()
        verdict.findings.append(Finding(_("{reason}: it was made anew from the packs").format(reason=exc), ""))
    verdict.findings += store.findings
    missing = store.missing_packs()
    verdict.findings += [Finding(_("this pack is missing from the disk"), pack.hex()[:8]) for pack in sorted(missing)]
    members = {member.signing for member in store.keys.members}
    put_aside = quarantine.notes(
        store.index.events(EVENT_PUT_ASIDE),
        vouched(store.index.packs(), members),
        store.index.pack_ids() | store.index.replaced_ids(),
    )
    chains = judge_chains(quarantine.with_places(store.index.packs(), put_aside))
    verdict.findings += quarantine.explained(chains, put_aside)
    verdict.remarks += quarantine.remarks(put_aside)
    verdict.remarks += judge_former_members(store.index.packs(), members)
    verdict.remarks += [Finding(_(_STILL_HERE), pack.hex()[:8]) for pack in sorted(store.replaced_packs())]
    rows = [row for row in store.index.packs() if not row.replaced_by]
    if sample is not None and sample < len(rows):
        verdict.sample_of = len(rows)
        rows = sorted(SystemRandom().sample(rows, sample), key=lambda row: row.n)
    known = {row.pack for row in rows}
    scattered: list[ItemId] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda row: _verify_pack(store, row, known, in_part=sample is not None), rows)
        try:
            for row, found in zip(rows, results, strict=True):
                if found.findings:
                    verdict.broken.append(row.pack)
                    store.index.forget_chunks_of(row.pack)  # so that what is lost can be filed again
                verdict.packs += 1
                verdict.findings += found.findings
                verdict.damaged += found.damaged
                _count(verdict, scattered, found.here)
                progress(1, row.size)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else Ctrl-C would wait until every pack was read
            raise
    if verdict.sample_of is None:
        for pack in sorted(store.index.packs_named_elsewhere() - known):
            _count(verdict, scattered, _documents(store, pack, known, in_part=False))
    for item in scattered:
        verdict.damaged += _verify_item(store, item)
    if store.index.replaced_ids() & {row.pack for row in rows}:
        raise Busy(_("packs of this case were written anew while it was verified"), _("run the command again"))
    return verdict


def _count(verdict: Verdict, scattered: list[ItemId], here: _Here) -> None:
    verdict.items += here.items
    verdict.size += here.size
    scattered += here.scattered


def _documents(store: CaseStore, pack: PackId, known: set[PackId], *, in_part: bool) -> _Here:
    """The documents to verify with a pack; ``in_part``: but those that need others than the ``known`` packs."""
    here = _Here()
    runs: dict[tuple[int, int, int, bytes], _Run] = {}
    for one in store.index.standing_in(pack):
        if one.extents[0].pack != pack if one.extents else not one.listed:
            continue
        if in_part and not known.issuperset(PackId(extent.pack) for extent in one.extents):
            continue
        here.items += 1
        here.size += one.size
        if len(one.extents) == 1 and pack in known:
            run = _run_of(one)
            runs.setdefault(run.key, run)
        else:
            here.scattered.append(one.item)
    here.runs = list(runs.values())
    return here


def _run_of(one: Standing) -> _Run:
    (extent,) = one.extents
    return _Run(extent.first, extent.first + extent.count, one.size, one.sha256)


def _verify_pack(store: CaseStore, row: PackRow, known: set[PackId], *, in_part: bool) -> _Verified:
    here = _documents(store, row.pack, known, in_part=in_part)
    try:
        with store.open_pack(row.pack) as reader:
            manifest, digest = reader.manifest()
            if digest != row.digest:
                raise DamagedPack(_("it is not the pack that was filed under this name"))
            reader.check_padding()
            findings = _verify_chunks(store, reader, manifest.chunks, here.runs)
            if not store.index.ids_in(row.pack).issuperset(item.id for item in manifest.items):
                findings.append(Finding(_("one of its documents has the id of another one"), row.pack.hex()[:8]))
    except DamagedPack as exc:
        findings = [Finding(str(exc), row.pack.hex()[:8])]
        for run in here.runs:
            run.wrong = _("its pack does not read: {reason}").format(reason=exc)
    return _Verified(findings, list(_damaged(store, row.pack, here.runs)), here)


def _damaged(store: CaseStore, pack: PackId, runs: list[_Run]) -> Iterator[DamagedItem]:
    """The documents of runs that are not as they should be, asked for only now: mostly there are none."""
    wrong = {run.key: run.wrong for run in runs if run.wrong}
    for one in store.index.standing_in(pack) if wrong else ():
        reason = wrong.get(_run_of(one).key) if len(one.extents) == 1 and one.extents[0].pack == pack else None
        item = store.item(one.item) if reason else None
        if reason and item:
            yield DamagedItem(item, reason)


def check_pack(store: CaseStore, pack: PackId, name: str) -> None:
    """Raise DamagedPack unless a file is this pack, whole, by an author of the case, and the one that the index
    remembers, if it remembers any. ``name`` is the file's path from the folder of packs."""
    with store.open_pack(pack, name) as reader:
        manifest, digest = reader.manifest(store.keys.authors)
        if manifest.case != store.keys.case_id:
            raise DamagedPack(_("it was made for another case"))
        if any(row.pack == pack and row.digest != digest for row in store.index.packs()):
            raise DamagedPack(_("it is not the pack that was filed under this name"))
        reader.check_padding()
        if findings := _verify_chunks(store, reader, manifest.chunks, []):
            raise DamagedPack(findings[0].what)


def _verify_chunks(store: CaseStore, reader: PackReader, chunks: tuple[Chunk, ...], runs: list[_Run]) -> list[Finding]:
    """Every chunk, also one that no document needs; the documents are hashed on the way."""
    waiting = sorted(runs, key=lambda run: run.first, reverse=True)
    active: list[_Run] = []
    wrong = ""
    for no, data in enumerate(unpacked(store, reader, chunks)):
        while waiting and waiting[-1].first == no:
            run = waiting.pop()
            run.hasher = hashlib.sha256()
            active.append(run)
        if isinstance(data, DamagedPack):
            wrong = wrong or str(data)
            for run in active:
                run.wrong = str(data)
            active = []
            continue
        for run in active:
            run.take(data)
            if run.end == no + 1:
                run.finish()
        active = [run for run in active if run.end > no + 1]
    for run in (*active, *waiting):
        run.wrong = _("its pack holds fewer chunks than it needs")
    wrong = wrong or next((run.wrong for run in runs if run.wrong), "")
    return [Finding(wrong, reader.pack.hex()[:8])] if wrong else []


def unpacked(store: CaseStore, reader: PackReader, chunks: tuple[Chunk, ...]) -> Iterator[bytes | DamagedPack]:
    """Each chunk in order, checked against its id, or what is wrong with it."""
    table = table_of(chunks)
    for (first, end), stored in _stored(reader, table):
        try:
            block = unpack_block(stored(), chunks[first:end])
        except DamagedPack as exc:
            yield from repeat(exc, end - first)
            continue
        for chunk, data in zip(chunks[first:end], block, strict=True):
            try:
                store.check_chunk(data, chunk)
            except DamagedPack as exc:
                yield exc
            else:
                yield data


def _stored(reader: PackReader, table: Table) -> Iterator[tuple[tuple[int, int], Callable[[], bytes]]]:
    """Each block, in order, with what gives its stored bytes, or raises DamagedPack."""
    waiting: list[tuple[int, int]] = []
    start = size = 0
    for block in table.blocks():
        offset, length = table.place(block[0])
        if waiting and size + length > READ_AHEAD:
            yield from _read_together(reader, table, waiting, start, size)
            waiting = []
        if not waiting:
            start, size = offset, 0
        waiting.append(block)
        size += length
    yield from _read_together(reader, table, waiting, start, size)


def _read_together(
    reader: PackReader, table: Table, blocks: list[tuple[int, int]], start: int, size: int
) -> Iterator[tuple[tuple[int, int], Callable[[], bytes]]]:
    try:
        run = reader.read(start, size)
    except DamagedPack:
        # Which of them it is shows when each is read alone.
        yield from ((block, partial(reader.read, *table.place(block[0]))) for block in blocks)
        return
    for block in blocks:
        offset, length = table.place(block[0])
        yield block, partial(_cut, run, offset - start, length)


def _cut(run: bytes, start: int, size: int) -> bytes:
    return run[start : start + size] if size != len(run) else run


def _verify_item(store: CaseStore, wanted: ItemId) -> Iterator[DamagedItem]:
    item = store.item(wanted)
    if item is None:
        return  # removed meanwhile
    try:
        read_whole(store, item, lambda data: None)
    except Damaged as exc:
        yield DamagedItem(item, str(exc))


def read_whole(store: CaseStore, item: Item, sink: Callable[[bytes], Any]) -> None:
    """Send a document's bytes to ``sink``, then check size and SHA-256. Raises DamagedPack."""
    hasher, size = hashlib.sha256(), 0
    for data in store.read(item, hashed_later=True):
        hasher.update(data)
        size += len(data)
        sink(data)
    if size != item.size or hasher.digest() != item.sha256:
        raise DamagedPack(_(_OTHER))
