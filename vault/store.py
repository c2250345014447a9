# SPDX-License-Identifier: Apache-2.0
"""One case on disk: the decider that owns the order of writing (docs/format.md §8).

Invariants at any instant: a pack is durable, file and folder, before the index refers to
it; the index refers to nothing else; a pack that the index does not know is taken into it
at the next opening, after its signature and its author were checked. The index may be
lost at any time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from gettext import gettext as _

from msgspec import structs

from keys import kdf
from keys.access import CaseKeys
from keys.identity import Identity
from keys.secret import Secret
from vault import layout
from vault import manifest as manifests
from vault.blocks import check_chunk
from vault.custody import Finding
from vault.disk import Disk
from vault.errors import Ambiguous, BadInput, Busy, Damaged, DamagedPack, DiskFailed, NotFound, Wiped
from vault.index import Index, IndexUnusable
from vault.index_file import PATIENCE_SECONDS
from vault.intake import Filed, Intake, new_item_id
from vault.manifest import Manifest, Replacement
from vault.model import Chunk, Event, Item, ItemId, PackId, Replaced
from vault.pack import PackReader, PackWriter
from vault.pack_folder import PackFolder
from vault.proving import Proven
from vault.refusals import disk_refused
from vault.replaced import verify_statements
from vault.sources import About, Incoming, Problem

OPEN_READERS = 16
"""How many packs are kept open for reading at a time."""


class CaseStore:
    """A case that one is a member of. Close it after use.

    ``alive`` raises Wiped when the vault is gone; it is asked before every commit. ``waiting`` is called, in any
    thread, when another process has kept the case or its index for long.
    """

    def __init__(
        self, folder: str, keys: CaseKeys, me: Identity, device_secret: Secret, *,
        disk: Disk, alive: Callable[[], None], clock: Callable[[], int], waiting: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.me = me.signing_public
        """The key that signs what is filed here, 32 bytes."""
        self._me, self.disk, self._alive, self._clock = me, disk, alive, clock
        self._waiting, self.patience = waiting, float(PATIENCE_SECONDS)
        self.writes = os.access(folder, os.W_OK)
        """Whether this medium can be written."""
        self.refused: DiskFailed | None = None
        """Why the index could not be opened, although the medium can be written: then nothing is filed here."""
        self._lock_path = os.path.join(folder, layout.LOCK)
        self._index_path = os.path.join(folder, layout.INDEX)
        self._id_key = kdf.chunk_id_key(keys).expose()
        self._packs = PackFolder(
            os.path.join(folder, layout.PACKS), self._id_key, index=lambda: self.index, alive=alive
        )
        self._use(keys, device_secret)
        self._caught_up: set[PackId] = set()  # packs on the disk that the index was found to know
        self.findings: list[Finding] = []
        self.index_was_made_anew = False
        """Whether there were packs and no index that knew them: then nothing here remembers the end of a chain."""
        self.index = self._open_index()
        try:
            self.catch_up()
        except IndexUnusable:
            self.renew_index()
        except BaseException:
            self.index.close()
            raise

    def _use(self, keys: CaseKeys, device_secret: Secret) -> None:
        self.keys = keys
        self._index_key = kdf.index_key(device_secret, keys)
        self._device = kdf.device_id(device_secret, keys.case_id)
        self._packs.identities = [identity.age for identity in reversed(keys.epochs)]

    def check_alive(self) -> None:
        """Return, or raise Wiped: then whatever else failed failed because of that."""
        self._alive()

    def close(self) -> None:
        """Close every file. Safe to call twice. An index that was found damaged is removed, for the next to make."""
        self.forget_readers()
        self.index.close()
        if self.index.damaged:
            self.index.damaged = False
            with suppress(OSError, Busy, Wiped):
                self._remove_index()

    def __enter__(self) -> CaseStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The index

    def _open_index(self) -> Index:
        if not self.writes:
            # A read-only medium: the packs are read into an index that lives as long as this command.
            return Index(":memory:", self._index_key)
        self.index_was_made_anew = not os.path.lexists(self._index_path) and bool(self._packs.on_disk())
        try:
            return Index(self._index_path, self._index_key, waiting=self._waiting)
        except IndexUnusable:
            self.index_was_made_anew = bool(self._packs.on_disk())
            # Of another epoch, torn, or not ours: the packs know everything that it knew.
            self._remove_index()
            return Index(self._index_path, self._index_key, waiting=self._waiting)
        except DiskFailed as exc:
            # A disk may be so full that SQLite finds no room for what it reads with (walformat, "The Shared Memory").
            self._alive()
            self.writes, self.refused = False, exc
            return Index(":memory:", self._index_key)

    def renew_index(self) -> None:
        """Throw the index away and make a new one from the packs."""
        self.index.close()
        self._remove_index()
        self.index = self._open_index()
        self._caught_up.clear()
        self.findings.clear()
        self.catch_up()

    def _remove_index(self) -> None:
        self._alive()
        self._check_epoch()  # an index of a newer epoch is not damaged: it is we who are behind
        with self._locked():
            for suffix in ("", "-wal", "-shm", "-journal"):
                path = self._index_path + suffix
                with suppress(FileNotFoundError):
                    if os.path.isdir(path) and not os.path.islink(path):
                        self.disk.remove_folder(path)
                    else:
                        self.disk.unlink(path)

    def catch_up(self) -> None:
        """Take every pack into the index that it does not know: what a crash, a copy or a rebuild left to do."""
        on_disk = self._packs.on_disk()
        self._caught_up &= on_disk
        if self._caught_up == on_disk:
            return
        known = self.index.pack_ids() | self.index.replaced_ids()
        self._caught_up = on_disk & known
        replacing: list[tuple[int, PackId]] = []
        refused: dict[PackId, str] = {}
        for pack in sorted(on_disk - known):
            stands_for = self._take_in(pack, refused, also_replacing=False)
            if stands_for:
                replacing.append((stands_for, pack))
        # Last, so that what they say of other packs is held against these; and who repeats what another says, after it.
        for __, pack in sorted(replacing):
            if pack not in self.index.replaced_ids():
                self._take_in(pack, refused, also_replacing=True)
        for pack in refused.keys() - (self.index.replaced_ids() if refused else set()):
            self._find(refused[pack], pack)

    def _take_in(self, pack: PackId, refused: dict[PackId, str], *, also_replacing: bool) -> int:
        """Take a pack into the index, or say in ``refused`` why not; for how many others it stands."""
        try:
            manifest, digest, size = self._read_manifest(pack)
            if manifest.case != self.keys.case_id:
                raise DamagedPack(_("made for another case: not listed"))
            replaced = manifests.replaced_by(manifest)
            if also_replacing or not replaced:
                verify_statements(self.index, manifest)
                self.index.remember(manifest, digest, size)
            return len(replaced)
        except (Damaged, OSError) as exc:
            if isinstance(exc, IndexUnusable):
                raise
            refused[pack] = str(exc)
            return 0

    def rebuild(self) -> None:
        """Make the index anew from the packs alone. Raises DiskFailed."""
        if self.refused is not None:
            raise self.refused
        self.index.forget_everything()
        self._caught_up.clear()
        self.findings.clear()
        self.catch_up()

    def missing_packs(self) -> set[PackId]:
        """Packs that the index knows and the disk does not hold."""
        return self.index.pack_ids() - self._packs.on_disk()

    def replaced_packs(self) -> set[PackId]:
        """Packs that lie on the disk although others stand for them: nothing of them is listed."""
        return self.index.replaced_ids() & self._packs.on_disk()

    def usable_packs(self) -> set[PackId]:
        """The packs that are on the disk and in the index."""
        return self.index.pack_ids() & self._packs.on_disk()

    def _find(self, what: str, pack: PackId) -> None:
        finding = Finding(what, pack.hex()[:8])
        if finding not in self.findings:
            self.findings.append(finding)

    # Writing

    def file(
        self, incoming: Iterable[Incoming | Problem], *, about: About = About(), together: bool = False,
        rehash: bool = False,
        events: Callable[[tuple[Item, ...]], tuple[Event, ...]] = lambda items: (),
        progress: Callable[[int, int], None] = lambda documents, size: None,
        note: Callable[[Filed], None] | None = None,
    ) -> Intake:  # fmt: skip
        """File documents; see ``vault.intake``. ``events`` are added to the custody record with each pack's items.

        Raises DiskFailed, Wiped. What the returned value lists as filed is durable.
        """

        def commit(pack: PackWriter, chunks: tuple[Chunk, ...], items: tuple[Item, ...]) -> None:
            self._commit(pack, chunks, items, lambda: events(items))

        intake = Intake(
            id_key=self._id_key, known=Proven(self, self.me), begin=self.begin, commit=commit,
            new_id=new_item_id, clock=self._clock, about=about, together=together, rehash=rehash,
            progress=progress, note=note,
        )  # fmt: skip
        with self._writing(intake):
            self.disk.sweep(self._packs.path)
            intake.run(incoming)
        return intake

    def record(self, *events: Event) -> None:
        """Add events to the custody record, in a pack of their own."""
        with self._writing(None):
            pack = self.begin()
            try:
                self._commit(pack, (), (), lambda: events)
            except BaseException:
                pack.abandon()
                raise

    @contextmanager
    def _writing(self, intake: Intake | None) -> Iterator[None]:
        """Say what a disk that refuses means: a wiped vault, or a medium that is full, gone or failing."""
        try:
            yield
        except IndexUnusable:
            self._check_epoch()
            raise
        except OSError as exc:
            self._alive()
            raise disk_refused(exc, filed=intake.committed if intake else None) from exc

    def begin_epoch(self, keys: CaseKeys, device_secret: Secret, publish: Callable[[], None]) -> None:
        """Go over to the keys of a new epoch, which ``publish`` makes durable.

        Under the lock, so that a pack of the old epoch is either in its place before, or refused after. An index
        that is interrupted here does not open any more, and is rebuilt.
        """
        with self._locked():
            self.catch_up()
            publish()
            self._use(keys, device_secret)
            self.index.change_key(self._index_key)

    def begin(self) -> PackWriter:
        """A new pack to write into, of no name yet. Raises OSError, Wiped."""
        self._alive()
        return PackWriter(self.disk, self._packs.path, PackId(os.urandom(16)), self.keys.epochs[-1].recipient)

    def _commit(
        self, pack: PackWriter, chunks: tuple[Chunk, ...], items: tuple[Item, ...],
        events: Callable[[], tuple[Event, ...]],
    ) -> None:  # fmt: skip
        """Give the pack its place in the chain. Only here, and under the lock, are manifests written.

        ``events`` is asked under the lock too: who looks under it sees the pack, or what was done because of it.
        """
        with self.placing():
            self._check_places(items)
            self.place(pack, chunks, items, events())

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Hold the case's lock, knowing all that others did before. Raises Busy, Wiped."""
        with self._locked():
            self._alive()
            self._check_epoch()
            self.catch_up()  # a process that died between pack and index may hold our place in the chain
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the case's lock; when another process keeps it for long, that is told. Raises DiskFailed."""
        if self.refused is not None:  # the file is not at hand that remembers where the chains end
            raise self.refused
        patience = threading.Timer(self.patience, self._waiting)
        patience.daemon = True
        with ExitStack() as held:
            patience.start()
            try:
                held.enter_context(self.disk.lock(self._lock_path))
            finally:
                patience.cancel()
            yield

    def place(
        self, pack: PackWriter, chunks: tuple[Chunk, ...], items: tuple[Item, ...], events: tuple[Event, ...],
        replaced: tuple[Replaced, ...] = (),
    ) -> None:  # fmt: skip
        """Sign, publish and remember a pack, which stands for those in ``replaced``. Only while ``placing``."""
        sequence, previous = self.index.end_of_chain(self._device)
        manifest = Manifest(
            1, self.keys.case_id, len(self.keys.epochs), pack.pack, self._device, self.me,
            sequence + 1, previous, self._clock(), chunks, items, events,
        )  # fmt: skip
        if replaced:
            manifest = Replacement(**{**structs.asdict(manifest), "version": 2, "replaced": replaced})
        encoded = manifests.encode(manifest)
        _check_readable(encoded)
        digest = manifests.digest(encoded)
        signature = self._me.sign(manifests.SIGNATURE_LABEL, digest)
        size = pack.finish(manifests.compress(encoded), signature)
        self.index.remember(manifest, digest, size)

    def _check_places(self, items: tuple[Item, ...]) -> None:
        """Raise Busy when a chunk that these rely on was removed since it was found to be here."""
        named = {extent.pack for item in items for extent in item.extents if extent.pack}
        gone = named & self.index.replaced_ids() if named else set()
        if gone and any(e.pack in gone for item in items for e in self.index.where_now(item.extents)):
            raise Busy(
                _("documents that share bytes with these were removed meanwhile"),
                _("run the command again: all is stored"),
            )

    def _check_epoch(self) -> None:
        following = os.path.join(self.folder, layout.ACCESS, f"{len(self.keys.epochs) + 1:06}.age")
        if os.path.lexists(following):
            raise Busy(_("the members of this case were changed meanwhile"), _("run the command again"))

    # Reading

    def _read_manifest(self, pack: PackId) -> tuple[Manifest, bytes, int]:
        with self._packs.open(pack) as reader:
            manifest, digest = reader.manifest(self.keys.authors)
        return manifest, digest, os.stat(self._packs.path_of(pack)).st_size

    def forget_pack(self, pack: PackId) -> None:
        """Know nothing of a pack any more, nor of what it lists."""
        self.index.forget_pack(pack)
        self._caught_up.discard(pack)

    def unread_packs(self) -> set[PackId]:
        """Packs that are on the disk and not in the index: they do not read, or nobody may have filed them."""
        return self._packs.on_disk() - self.index.pack_ids() - self.index.replaced_ids()

    def open_pack(self, pack: PackId, name: str | None = None) -> PackReader:
        """A reader for one pack, which the caller closes. Raises DamagedPack when it is gone, and Wiped.

        ``name`` is the path from the folder of packs, of a file that does not bear the pack's name.
        """
        return self._packs.open(pack, name)

    def forget_readers(self) -> None:
        """Keep no pack open: one that was removed meanwhile is missing from now on."""
        self._packs.forget_readers()

    def forget_cached(self) -> None:
        """Ask the system to drop the packs from its cache, so that reading them back reads the medium. Best effort."""
        self._packs.forget_cached()

    def read(self, item: Item, *, hashed_later: bool = False) -> Iterator[bytes]:
        """The document's bytes, chunk by chunk, each checked against its id, and never more than its size says.

        Raises DamagedPack. The caller compares size and SHA-256 of the whole; with ``hashed_later`` that alone tells
        whether the bytes are right, beyond that the case's key vouches for each.
        """
        return self._packs.unpacker().document(item, hashed_later=hashed_later)

    def read_chunk(self, pack: PackId, no: int) -> tuple[bytes, bytes]:
        """The id of a chunk and its bytes, which were checked against it. Raises DamagedPack."""
        return self._packs.unpacker().chunk(pack, no)

    def check_chunk(self, untrusted: bytes, chunk: Chunk) -> None:
        """Raise DamagedPack unless these bytes are what the chunk's id says."""
        check_chunk(untrusted, chunk, self._id_key)

    def find(self, reference: str) -> Item:
        """The item with this id, unambiguous prefix of an id, or exact path. Raises NotFound, Ambiguous."""
        digits = reference.lower()
        by_id = self.index.items_by_prefix(digits) if _is_hex(digits) else []
        if by_id and len(digits) == 2 * len(by_id[0].id):
            return by_id[0]  # a whole id is never in doubt, whatever somebody called a file
        found = {item.id: item for item in (*self.index.items_by_name(os.fsencode(reference)), *by_id)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            length = 8 if len({item[:4] for item in found}) == len(found) else 32
            several = ", ".join(item.hex()[:length] for item in list(found)[:5])
            raise Ambiguous(
                _("several items answer to {reference!r}").format(reference=reference),
                _("say which by its id: {several}").format(several=several),
            )
        raise NotFound(
            _("no item answers to {reference!r}").format(reference=reference),
            _("`sandyk list CASE` shows what is there"),
        )

    def item(self, item: ItemId) -> Item | None:
        """The item with exactly this id."""
        return self.index.item(item)

    def filed_before(self, name: bytes, sha256: bytes) -> list[Item]:
        """The items that are listed with this name and content."""
        return [item for item in self.index.items_by_name(name) if item.sha256 == sha256]

    def now(self) -> int:
        """Nanoseconds since 1970, by the clock the store was given."""
        return self._clock()


def _check_readable(encoded: bytes) -> None:
    """What a reader would refuse is never written: it would be lost with the index."""
    try:
        manifests.decode(encoded)
    except DamagedPack as exc:
        raise BadInput(
            _("this cannot be filed: {reason}").format(reason=exc),
            _("a name, note, source or tag is not as it must be"),
        ) from exc


def _is_hex(text: str) -> bool:
    return bool(text) and len(text) <= 32 and all(c in "0123456789abcdef" for c in text)
