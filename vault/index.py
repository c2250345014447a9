# SPDX-License-Identifier: Apache-2.0
"""The index of a case: an SQLCipher file that can be thrown away and rebuilt from the packs.

Owns the schema and the pragmas. It does not judge: what it is told to remember was
verified before. The key is raw (no passphrase hashing), ``secure_delete`` overwrites what
is deleted, temporary tables stay in memory, and the write-ahead log is encrypted like the
file (SQLCipher design, "Security features").
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from vault import manifest as manifests
from vault.errors import Busy, Damaged, DamagedPack, DiskFailed
from vault.manifest import Manifest
from vault.model import Chunk, Event, Extent, Item, ItemId, PackId
from vault.sources import About

SCHEMA_VERSION = 2
BUSY_SECONDS = 60
LONGEST_LEAP = 1_000_000
"""More packs than any machine ever lost from one chain."""
_SCHEMA = """
CREATE TABLE packs(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, epoch INTEGER NOT NULL, device BLOB NOT NULL,
  author BLOB NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, previous BLOB NOT NULL,
  created_ns INTEGER NOT NULL, size INTEGER NOT NULL, chunks BLOB NOT NULL);
CREATE INDEX packs_chain ON packs(device, sequence);
CREATE TABLE chunks(id BLOB PRIMARY KEY, pack INTEGER NOT NULL, no INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE items(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL,
  sha256 BLOB NOT NULL, mtime_ns INTEGER, filed_ns INTEGER NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL,
  tags TEXT NOT NULL, origin TEXT NOT NULL, signer BLOB NOT NULL, extents BLOB NOT NULL, pack INTEGER NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX items_same ON items(sha256);
CREATE INDEX items_listing ON items(filed_ns, id);
CREATE TABLE events(n INTEGER PRIMARY KEY, pack INTEGER NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
  items BLOB NOT NULL, detail TEXT NOT NULL);
CREATE TABLE marks(mark BLOB PRIMARY KEY, item INTEGER NOT NULL) WITHOUT ROWID;
"""
_INSERT_ITEM = "INSERT OR IGNORE INTO items VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_ITEM_COLUMNS = "id, name, size, sha256, mtime_ns, filed_ns, note, source, tags, origin, signer, extents"


class IndexUnusable(Damaged):
    """Raised when the index does not open or is damaged. Nothing is lost: the packs hold everything."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "nothing is lost: run the command again, and the index is made anew from the packs")


@dataclass(frozen=True, slots=True)
class PackRow:
    """What the index knows of a pack."""

    n: int
    pack: PackId
    epoch: int
    device: bytes
    author: bytes
    sequence: int
    digest: bytes
    previous: bytes
    created_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """A custody event with the pack that carries it."""

    event: Event
    pack: PackRow


class Index:
    """One open index. May be used from several threads; each call holds a lock of its own."""

    def __init__(self, path: str, key: Secret) -> None:
        """Open or create; ``:memory:`` for one that is gone when it is closed. Raises IndexUnusable, DiskFailed."""
        self._lock = threading.RLock()
        self.damaged = False
        """Whether anything that was asked of it found it damaged."""
        self._in_a_file = path != ":memory:"
        if self._in_a_file:
            _create_or_check(path)
        with _translated():
            self._db = sqlite.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(key)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, key: Secret) -> None:
        self._db.execute(f"PRAGMA key = \"x'{key.expose().hex()}'\"")
        self._db.execute("PRAGMA cipher_log_level = NONE")  # SQLCipher writes its complaints to stderr
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "temp_store = MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self._transaction():
                # Another process may have been faster.
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                for statement in _SCHEMA.split(";") if version == 0 else ():
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {version or SCHEMA_VERSION}")
        if version not in (0, SCHEMA_VERSION):
            raise IndexUnusable("an index of another version")

    def check(self) -> None:
        """Read every page and compare its authentication code. Raises IndexUnusable."""
        with self._guarded():
            if self._in_a_file and any(self._db.execute("PRAGMA cipher_integrity_check")):
                raise IndexUnusable("a page of the index was changed")

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def remember(self, manifest: Manifest, digest: bytes, size: int) -> None:
        """Take a durable pack into the index, in one transaction. A pack that is known already changes nothing."""
        with self._guarded(), self._transaction():
            self._insert_pack(manifest, digest, size)

    def _insert_pack(self, manifest: Manifest, digest: bytes, size: int) -> None:
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO packs VALUES(NULL,?,?,?,?,?,?,?,?,?,?)",
            (manifest.pack, manifest.epoch, manifest.device, manifest.author, manifest.sequence, digest,
             manifest.previous, manifest.created_ns, size, manifests.encode_chunks(manifest.chunks)),
        )  # fmt: skip
        if cursor.rowcount == 0:
            return
        pack = cursor.lastrowid
        self._db.executemany(
            "INSERT OR IGNORE INTO chunks VALUES(?,?,?)", [(c.id, pack, no) for no, c in enumerate(manifest.chunks)]
        )
        self._insert_items(manifest, pack)
        self._db.executemany(
            "INSERT INTO events VALUES(NULL,?,?,?,?,?)",
            [(pack, e.at_ns, e.kind, b"".join(e.items), e.detail) for e in manifest.events],
        )

    def _insert_items(self, manifest: Manifest, pack: int) -> None:
        rows = [(*_item_row(item, PackId(manifest.pack)), pack, fold_item(item)) for item in manifest.items]
        before = self._db.total_changes
        self._db.executemany(_INSERT_ITEM, rows)
        if self._db.total_changes - before == len(rows):
            return
        # Ids are random: somebody took the id of another's document. Neither may hide the other, so this one is
        # listed under an id made of both; ``verify`` names it.
        for row in rows:
            item_id = bytes(row[0])
            while (owner := self._owner(item_id)) not in (None, pack):
                item_id = hashlib.sha256(manifest.pack + item_id).digest()[: len(item_id)]
            if owner is None:
                self._db.execute(_INSERT_ITEM, (item_id, *row[1:]))

    def _owner(self, item_id: bytes) -> int | None:
        rows = self._rows("SELECT pack FROM items WHERE id = ?", item_id)
        return rows[0][0] if rows else None

    def forget_chunk(self, chunk_id: bytes) -> None:
        """Rely on the place of this chunk no more: when it is filed again, it is stored again."""
        with self._guarded():
            self._db.execute("DELETE FROM chunks WHERE id = ?", (chunk_id,))
            self._db.execute("DELETE FROM marks")

    def forget_chunks_of(self, pack: PackId) -> None:
        """Rely on no chunk of a pack that was found to be damaged."""
        with self._guarded():
            self._db.execute("DELETE FROM chunks WHERE pack = (SELECT n FROM packs WHERE id = ?)", (pack,))
            self._db.execute("DELETE FROM marks")  # whatever is filed again is read again

    def forget_pack(self, pack: PackId) -> None:
        """Know nothing of a pack any more, nor of what it lists."""
        with self._guarded(), self._transaction():
            for n, in self._rows("SELECT n FROM packs WHERE id = ?", pack):
                for table in ("chunks", "items", "events"):
                    self._db.execute(f"DELETE FROM {table} WHERE pack = ?", (n,))  # noqa: S608  # from the line above
                self._db.execute("DELETE FROM packs WHERE n = ?", (n,))
            self._db.execute("DELETE FROM marks")  # a mark stands for an item's number, which may be given again

    def forget_everything(self) -> None:
        """Empty all tables, to be filled again from the packs."""
        with self._guarded(), self._transaction():
            for table in ("packs", "chunks", "items", "events", "marks"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  # names from the line above

    def packs(self) -> Iterator[PackRow]:
        """All packs, each device's chain in order."""
        yield from map(
            _pack_row,
            self._rows(
                "SELECT n, id, epoch, device, author, sequence, digest, previous, created_ns, size FROM packs"
                " ORDER BY device, sequence, n"
            ),
        )

    def pack_ids(self) -> set[PackId]:
        """The ids of all packs the index knows."""
        return {PackId(row[0]) for row in self._rows("SELECT id FROM packs")}

    def chunks_of(self, pack: PackId) -> tuple[Chunk, ...]:
        """A pack's table of chunks. Raises DamagedPack when the pack is unknown: it is missing from the disk."""
        rows = self._rows("SELECT chunks FROM packs WHERE id = ?", pack)
        if not rows:
            raise DamagedPack(f"pack {pack.hex()[:8]} is missing")
        return manifests.decode_chunks(rows[0][0])

    def end_of_chain(self, device: bytes) -> tuple[int, bytes]:
        """The last sequence number of a device and the digest of that manifest; (0, b"") for a new device."""
        # A member could claim a place so far on that nothing can follow it; such a leap is not followed.
        rows = self._rows(
            "SELECT sequence, digest FROM packs WHERE device = ?1 AND sequence <= ?2 +"
            " (SELECT count(*) FROM packs WHERE device = ?1) ORDER BY sequence DESC LIMIT 1", device, LONGEST_LEAP,
        )  # fmt: skip
        return (rows[0][0], rows[0][1]) if rows else (0, b"")

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """Where those of the chunks lie that are known, by their ids; asked once for at most some thousand."""
        marks = ",".join("?" * len(chunk_ids))
        query = "SELECT chunks.id, packs.id, no FROM chunks JOIN packs ON packs.n = chunks.pack WHERE chunks.id IN"
        return {chunk_id: (PackId(pack), no) for chunk_id, pack, no in self._rows(f"{query} ({marks})", *chunk_ids)}

    def author_of(self, pack: PackId) -> bytes:
        """The key that signed a pack; nothing when the pack is unknown."""
        rows = self._rows("SELECT author FROM packs WHERE id = ?", pack)
        return bytes(rows[0][0]) if rows else b""

    def items_of_content(self, name: bytes, sha256: bytes, about: About) -> Iterator[tuple[Item, PackId]]:
        """Documents filed under this name as having this content, with what is said of them if anything is; and the
        pack that each is listed in."""
        columns = _ITEM_COLUMNS.replace("id,", "items.id,", 1).replace(" size", " items.size")
        query = f"SELECT packs.id, {columns} FROM items JOIN packs ON packs.n = items.pack"  # noqa: S608
        query += " WHERE sha256 = ? AND name = ?"
        said: tuple[str, ...] = ()
        if about:
            query += " AND note = ? AND source = ? AND tags = ?"
            said = (about.note, about.source, "\0".join(about.tags))
        for row in self._rows(f"{query} ORDER BY items.n", sha256, name, *said):
            yield _item(row[1:]), PackId(row[0])

    def items_of_marks(self, marks: Sequence[bytes]) -> Iterator[tuple[bytes, Item]]:
        """Those of the marks that are known, each with the item it stands for; for at most some thousand."""
        columns = _ITEM_COLUMNS.replace("id,", "items.id,", 1)
        query = f"SELECT mark, {columns} FROM marks JOIN items ON items.n = marks.item WHERE mark IN"  # noqa: S608
        for row in self._rows(f"{query} ({','.join('?' * len(marks))})", *marks):
            yield row[0], _item(row[1:])

    def remember_marks(self, marks: Sequence[tuple[bytes, ItemId]]) -> None:
        """Let each mark (``vault.marks``) stand for an item that is listed."""
        if marks:
            with self._guarded(), self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO marks SELECT ?, n FROM items WHERE id = ?", marks)

    def owners(self) -> dict[bytes, int]:
        """Which pack, by its number, each item is listed in."""
        return dict(self._rows("SELECT id, pack FROM items"))

    def items(self, *, containing: str = "") -> Iterator[Item]:
        """All items in the order they were filed, or those whose name, note, source or tags contain a text."""
        where, values = ("WHERE instr(folded, ?)", (fold(containing),)) if containing else ("", ())
        query = f"SELECT {_ITEM_COLUMNS} FROM items {where} ORDER BY filed_ns, id"  # noqa: S608  # no outside text
        for row in self._rows(query, *values):
            yield _item(row)

    def item(self, item: ItemId) -> Item | None:
        """The item with this id."""
        rows = self._rows(f"SELECT {_ITEM_COLUMNS} FROM items WHERE id = ?", item)  # noqa: S608
        return _item(rows[0]) if rows else None

    def items_by_prefix(self, digits: str) -> list[Item]:
        """Items whose id, in hex, begins with these digits; at most two, which is enough to know of a doubt."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE substr(lower(hex(id)), 1, ?) = ? LIMIT 2"  # noqa: S608
        return [_item(row) for row in self._rows(query, len(digits), digits.lower())]

    def items_by_name(self, name: bytes) -> list[Item]:
        """Items filed under exactly this path."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE name = ? ORDER BY filed_ns, id"  # noqa: S608
        return [_item(row) for row in self._rows(query, name)]

    def totals(self) -> tuple[int, int]:
        """How many items, and how many bytes they have."""
        count, size = self._rows("SELECT count(*), total(size) FROM items")[0]
        return int(count), int(size)

    def events(self, *kinds: str) -> Iterator[EventRow]:
        """The custody record in order of time, or the events of these kinds in it."""
        where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        for row in self._rows(
            "SELECT at_ns, kind, items, detail, packs.n, id, epoch, device, author, sequence, digest, previous,"  # noqa: S608
            f" created_ns, size FROM events JOIN packs ON packs.n = events.pack {where}"
            " ORDER BY at_ns, device, sequence, events.n", *kinds,
        ):  # fmt: skip
            at_ns, kind, items, detail = row[:4]
            ids = tuple(items[i : i + 16] for i in range(0, len(items), 16))
            yield EventRow(Event(at_ns, kind, ids, detail), _pack_row(row[4:]))

    def change_key(self, key: Secret) -> None:
        """Encrypt the whole file under another key (a new epoch). Interrupted, it may have to be rebuilt."""
        with self._guarded():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute(f"PRAGMA rekey = \"x'{key.expose().hex()}'\"")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._guarded():
            return list(self._db.execute(query, values))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock:
            try:
                with _translated():
                    yield
            except IndexUnusable:
                self.damaged = True
                raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def fold(text: str) -> str:
    """Text as it is compared in a search: compatibility forms and case made equal, ё as е."""
    return unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")


def fold_item(item: Item) -> str:
    """What a search looks through for one item."""
    name = item.name.decode("utf-8", "replace")
    return "\n".join(fold(part) for part in (name, item.note, item.source, *item.tags))


def _item_row(item: Item, pack: PackId) -> tuple[Any, ...]:
    extents = tuple(e if e.pack else Extent(pack, e.first, e.count) for e in item.extents)
    return (item.id, item.name, item.size, item.sha256, item.mtime_ns, item.filed_ns, item.note, item.source,
            "\0".join(item.tags), item.origin, item.signer, manifests.encode_extents(extents))  # fmt: skip


def _item(row: Iterable[Any]) -> Item:
    item, name, size, sha256, mtime_ns, filed_ns, note, source, tags, origin, signer, extents = row
    split = tuple(tags.split("\0")) if tags else ()
    runs = manifests.decode_extents(extents)
    return Item(item, name, size, sha256, mtime_ns, filed_ns, note, source, split, origin, signer, runs)


def _pack_row(row: Iterable[Any]) -> PackRow:
    return PackRow(*row)


def _create_or_check(path: str) -> None:
    """A file of ours to open: SQLite would make it with the umask's mode, follow a link and wait for a pipe."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise IndexUnusable("something that is no file lies in the index's place")
    except FileNotFoundError:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))


@contextmanager
def _translated() -> Iterator[None]:
    """The one door at which SQLite's errors become ours."""
    try:
        yield
    except sqlite.OperationalError as exc:
        text = str(exc)
        if "locked" in text or "busy" in text:
            raise Busy("another process keeps the index busy", "wait for it to end, then run this again") from exc
        if "full" in text or "readonly" in text or "I/O" in text or "unable to open" in text:
            raise DiskFailed(f"the index cannot be written: {text}") from exc
        raise IndexUnusable(f"the index is not usable: {text}") from exc
    except sqlite.DatabaseError as exc:
        raise IndexUnusable(f"the index does not open: {exc}") from exc
