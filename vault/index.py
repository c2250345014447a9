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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from vault import manifest as manifests
from vault.errors import Busy, Damaged, DamagedPack, DiskFailed
from vault.manifest import Manifest
from vault.model import Chunk, Event, Extent, Item, ItemId, Move, PackId, Replaced
from vault.replacing import follow
from vault.rows import EventRow, PackRow, event_of, fold, fold_item, item_of, item_row
from vault.sources import About

__all__ = ["EventRow", "Index", "IndexUnusable", "PackRow"]

SCHEMA_VERSION = 3
_PAGE = 1000
"""Rows taken at a time, so that a listing of any length takes the memory of one page."""
_BEFORE_ALL = -(1 << 63)
BUSY_SECONDS = 60
LONGEST_LEAP = 1_000_000
"""More packs than any machine ever lost from one chain."""
_SCHEMA = """
CREATE TABLE packs(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, epoch INTEGER NOT NULL, device BLOB NOT NULL,
  author BLOB NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, previous BLOB NOT NULL,
  created_ns INTEGER NOT NULL, size INTEGER NOT NULL, replaced_by INTEGER NOT NULL, chunks BLOB NOT NULL);
CREATE TABLE moves(pack INTEGER PRIMARY KEY, runs BLOB NOT NULL);
CREATE INDEX packs_chain ON packs(device, sequence);
CREATE TABLE chunks(id BLOB PRIMARY KEY, pack INTEGER NOT NULL, no INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE items(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL,
  sha256 BLOB NOT NULL, mtime_ns INTEGER, filed_ns INTEGER NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL,
  tags TEXT NOT NULL, origin TEXT NOT NULL, signer BLOB NOT NULL, extents BLOB NOT NULL, pack INTEGER NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX items_same ON items(sha256, name);
CREATE INDEX items_listing ON items(filed_ns, id);
CREATE TABLE events(n INTEGER PRIMARY KEY, pack INTEGER NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
  items BLOB NOT NULL, detail TEXT NOT NULL);
CREATE TABLE marks(mark BLOB PRIMARY KEY, item INTEGER NOT NULL) WITHOUT ROWID;
"""
_INSERT_ITEM = "INSERT OR IGNORE INTO items VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_PACK_COLUMNS = "n, id, epoch, device, author, sequence, digest, previous, created_ns, size, replaced_by"
_ITEM_COLUMNS = "id, name, size, sha256, mtime_ns, filed_ns, note, source, tags, origin, signer, extents"


class IndexUnusable(Damaged):
    """Raised when the index does not open or is damaged. Nothing is lost: the packs hold everything."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "nothing is lost: run the command again, and the index is made anew from the packs")


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
        pack = self._insert_row(manifest, digest, size, 0, manifest.chunks)
        if pack is None:
            return
        replaced = manifests.replaced_by(manifest)
        for one in replaced:
            self._replace(one, pack)
        if replaced:
            self._move_items(manifest, pack)
        self._db.executemany(
            "INSERT OR IGNORE INTO chunks VALUES(?,?,?)", [(c.id, pack, no) for no, c in enumerate(manifest.chunks)]
        )
        self._insert_items(manifest, pack)
        self._insert_events(pack, manifest.events)

    def _insert_row(
        self, pack: Manifest | Replaced, digest: bytes, size: int, replaced_by: int, chunks: tuple[Chunk, ...]
    ) -> int | None:
        """The number of a pack that was not known yet."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO packs VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?)",
            (pack.pack, pack.epoch, pack.device, pack.author, pack.sequence, digest, pack.previous, pack.created_ns,
             size, replaced_by, manifests.encode_chunks(chunks)),
        )  # fmt: skip
        return cursor.lastrowid if cursor.rowcount else None

    def _insert_events(self, pack: int, events: Iterable[Event]) -> None:
        self._db.executemany(
            "INSERT INTO events VALUES(NULL,?,?,?,?,?)",
            [(pack, e.at_ns, e.kind, b"".join(e.items), e.detail) for e in events],
        )

    def _replace(self, one: Replaced, by: int) -> None:
        """Keep of a pack its place in the chain and its events; its items are seen to when all are replaced."""
        rows = self._rows("SELECT n FROM packs WHERE id = ?", one.pack)
        if rows:
            old: int = rows[0][0]
            self._db.execute("UPDATE packs SET replaced_by = ? WHERE n = ?", (by, old))
            for table in ("chunks", "events", "moves"):
                self._db.execute(f"DELETE FROM {table} WHERE pack = ?", (old,))  # noqa: S608  # names from the line above
        else:
            old = self._insert_row(one, one.digest, 0, by, ()) or 0
        self._db.execute("INSERT INTO moves VALUES(?,?)", (old, manifests.encode_moves(one.moves)))
        self._insert_events(old, one.events)

    def _move_items(self, manifest: Manifest, pack: int) -> None:
        """Items of replaced packs: those that the new pack lists are the same ones, elsewhere; the others are gone."""
        of_replaced = "pack IN (SELECT n FROM packs WHERE replaced_by = ?)"
        self._db.executemany(
            f"UPDATE items SET extents = ?, pack = ? WHERE id = ? AND {of_replaced}",  # noqa: S608
            [(item_row(item, PackId(manifest.pack))[-1], pack, item.id, pack) for item in manifest.items],
        )
        self._db.execute(f"DELETE FROM marks WHERE item IN (SELECT n FROM items WHERE {of_replaced})", (pack,))  # noqa: S608
        self._db.execute(f"DELETE FROM items WHERE {of_replaced}", (pack,))  # noqa: S608
        gone = [one.pack for one in manifests.replaced_by(manifest)]
        moves = self._moves_of(gone)
        for start in range(0, len(gone), 500):  # SQLite takes expressions of a depth of 1,000
            some = gone[start : start + 500]
            where = " OR ".join(["instr(extents, ?)"] * len(some))
            for n, stored in self._rows(f"SELECT n, extents FROM items WHERE {where}", *some):  # noqa: S608
                extents = follow(manifests.decode_extents(stored), moves)
                self._db.execute("UPDATE items SET extents = ? WHERE n = ?", (manifests.encode_extents(extents), n))

    def _moves_of(self, packs: Iterable[bytes]) -> dict[bytes, tuple[bytes, tuple[Move, ...]]]:
        """Those of the packs that were replaced: which pack stands for each, and where its chunks are in that."""
        query = (
            "SELECT new.id, moves.runs FROM packs AS old JOIN packs AS new ON new.n = old.replaced_by"
            " JOIN moves ON moves.pack = old.n WHERE old.id = ?"
        )
        found = {pack: self._rows(query, pack) for pack in packs}
        return {pack: (rows[0][0], manifests.decode_moves(rows[0][1])) for pack, rows in found.items() if rows}

    def where_now(self, extents: tuple[Extent, ...]) -> tuple[Extent, ...]:
        """The same chunks as far as they lie elsewhere since packs were replaced."""
        return follow(extents, self._moves_of({extent.pack for extent in extents if extent.pack}))

    def _insert_items(self, manifest: Manifest, pack: int) -> None:
        moves = self._moves_of({extent.pack for item in manifest.items for extent in item.extents if extent.pack})
        rows = [(*item_row(item, PackId(manifest.pack), moves), pack, fold_item(item)) for item in manifest.items]
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
            for table in ("packs", "moves", "chunks", "items", "events", "marks"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  # names from the line above

    def packs(self) -> Iterator[PackRow]:
        """All packs, each device's chain in order, also those that others stand for."""
        for row in self._rows(f"SELECT {_PACK_COLUMNS} FROM packs ORDER BY device, sequence, n"):  # noqa: S608
            yield PackRow(*row)

    def pack(self, pack: PackId) -> PackRow | None:
        """What is known of the pack with this id."""
        rows = self._rows(f"SELECT {_PACK_COLUMNS} FROM packs WHERE id = ?", pack)  # noqa: S608
        return PackRow(*rows[0]) if rows else None

    def replaced_by(self, pack: PackRow) -> list[PackRow]:
        """The packs that this one stands for."""
        query = f"SELECT {_PACK_COLUMNS} FROM packs WHERE replaced_by = ? ORDER BY n"  # noqa: S608
        return [PackRow(*row) for row in self._rows(query, pack.n)]

    def moves(self, pack: PackId) -> tuple[Move, ...]:
        """Where the chunks of a replaced pack are, in the pack that stands for it."""
        return self._moves_of([pack]).get(pack, (b"", ()))[1]

    def pack_ids(self) -> set[PackId]:
        """The ids of all packs the index knows but those that were replaced: these have to be on the disk."""
        return {PackId(row[0]) for row in self._rows("SELECT id FROM packs WHERE replaced_by = 0")}

    def replaced_ids(self) -> set[PackId]:
        """The ids of all packs that others stand for: these need not be on the disk, and nothing is read from them."""
        return {PackId(row[0]) for row in self._rows("SELECT id FROM packs WHERE replaced_by != 0")}

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
            yield item_of(row[1:]), PackId(row[0])

    def items_of_marks(self, marks: Sequence[bytes]) -> Iterator[tuple[bytes, Item]]:
        """Those of the marks that are known, each with the item it stands for; for at most some thousand."""
        columns = _ITEM_COLUMNS.replace("id,", "items.id,", 1)
        query = f"SELECT mark, {columns} FROM marks JOIN items ON items.n = marks.item WHERE mark IN"  # noqa: S608
        for row in self._rows(f"{query} ({','.join('?' * len(marks))})", *marks):
            yield row[0], item_of(row[1:])

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
        where, values = (" AND instr(folded, ?)", (fold(containing),)) if containing else ("", ())
        query = (
            f"SELECT filed_ns, {_ITEM_COLUMNS} FROM items WHERE (filed_ns, id) > (?, ?){where}"  # noqa: S608
            " ORDER BY filed_ns, id LIMIT ?"
        )
        after: tuple[int, bytes] = (_BEFORE_ALL, b"")
        while rows := self._rows(query, *after, *values, _PAGE):
            for row in rows:
                yield item_of(row[1:])
            after = (rows[-1][0], rows[-1][1])

    def item(self, item: ItemId) -> Item | None:
        """The item with this id."""
        rows = self._rows(f"SELECT {_ITEM_COLUMNS} FROM items WHERE id = ?", item)  # noqa: S608
        return item_of(rows[0]) if rows else None

    def items_in(self, pack: PackId) -> list[Item]:
        """The items that a pack lists, in the order of their ids."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE pack = (SELECT n FROM packs WHERE id = ?) ORDER BY id"  # noqa: S608
        return [item_of(row) for row in self._rows(query, pack)]

    def extents(self) -> Iterator[tuple[bytes, tuple[Extent, ...]]]:
        """The id of each item, and where it lies."""
        for item, stored in self._rows("SELECT id, extents FROM items"):
            yield item, manifests.decode_extents(stored)

    def events_in(self, pack: PackId) -> tuple[Event, ...]:
        """The custody events that a pack carries, in its order."""
        of_pack = "pack = (SELECT n FROM packs WHERE id = ?)"
        query = f"SELECT at_ns, kind, items, detail FROM events WHERE {of_pack} ORDER BY n"  # noqa: S608
        return tuple(map(event_of, self._rows(query, pack)))

    def items_by_prefix(self, digits: str) -> list[Item]:
        """Items whose id, in hex, begins with these digits; at most two, which is enough to know of a doubt."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE substr(lower(hex(id)), 1, ?) = ? LIMIT 2"  # noqa: S608
        return [item_of(row) for row in self._rows(query, len(digits), digits.lower())]

    def items_by_name(self, name: bytes) -> list[Item]:
        """Items filed under exactly this path."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE name = ? ORDER BY filed_ns, id"  # noqa: S608
        return [item_of(row) for row in self._rows(query, name)]

    def totals(self) -> tuple[int, int]:
        """How many items, and how many bytes they have."""
        count, size = self._rows("SELECT count(*), total(size) FROM items")[0]
        return int(count), int(size)

    def events(self, *kinds: str) -> Iterator[EventRow]:
        """The custody record in order of time, or the events of these kinds in it."""
        where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        for row in self._rows(
            f"SELECT at_ns, kind, items, detail, packs.{_PACK_COLUMNS}"  # noqa: S608
            f" FROM events JOIN packs ON packs.n = events.pack {where}"
            " ORDER BY at_ns, device, sequence, events.n", *kinds,
        ):  # fmt: skip
            yield EventRow(event_of(row[:4]), PackRow(*row[4:]))

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
            raise DiskFailed(
                f"the index cannot be written: {text}",
                "what was filed before is safe: packs hold it, and the index is made from them",
                "is the disk full, or read-only? make room, then run this again",
            ) from exc
        raise IndexUnusable(f"the index is not usable: {text}") from exc
    except sqlite.DatabaseError as exc:
        raise IndexUnusable(f"the index does not open: {exc}") from exc
