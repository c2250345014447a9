# SPDX-License-Identifier: Apache-2.0
"""The SQLCipher file under a case's index: its schema, its pragmas, its key, and whose errors its errors are.

The key is raw (no passphrase hashing), ``secure_delete`` overwrites what is deleted, temporary tables stay in memory,
and the write-ahead log is encrypted like the file (SQLCipher design, "Security features"). What the tables mean is
``vault.index``'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from vault.errors import Busy, Damaged, DiskFailed
from vault.sqlcipher import Trouble, committed, is_file_or_made, trouble

SCHEMA_VERSION = 4
PAGE = 1000
"""Rows taken at a time, so that a listing of any length takes the memory of one page."""
PATIENCE_SECONDS = 2
"""So long one waits for another process in silence."""
BUSY_SECONDS = 60
SCHEMA = """
CREATE TABLE packs(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, epoch INTEGER NOT NULL, device BLOB NOT NULL,
  author BLOB NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, previous BLOB NOT NULL,
  created_ns INTEGER NOT NULL, size INTEGER NOT NULL, replaced_by INTEGER NOT NULL);
CREATE TABLE tables(pack INTEGER PRIMARY KEY, chunks BLOB NOT NULL);
CREATE TABLE moves(pack INTEGER PRIMARY KEY, runs BLOB NOT NULL);
CREATE INDEX packs_chain ON packs(device, sequence);
CREATE INDEX packs_here ON packs(replaced_by, id);
CREATE TABLE chunks(id BLOB PRIMARY KEY, pack INTEGER NOT NULL, no INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE items(n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL,
  sha256 BLOB NOT NULL, mtime_ns INTEGER, filed_ns INTEGER NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL,
  tags TEXT NOT NULL, origin TEXT NOT NULL, signer BLOB NOT NULL, extents BLOB NOT NULL, pack INTEGER NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX items_same ON items(sha256, name);
CREATE INDEX items_listing ON items(filed_ns, id, folded);
CREATE INDEX items_name ON items(substr(name, -12));
CREATE INDEX items_pack ON items(pack, size);
CREATE TABLE elsewhere(pack BLOB NOT NULL, item INTEGER NOT NULL, PRIMARY KEY(pack, item)) WITHOUT ROWID;
CREATE TABLE events(n INTEGER PRIMARY KEY, pack INTEGER NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
  items BLOB NOT NULL, detail TEXT NOT NULL);
CREATE INDEX events_pack ON events(pack);
CREATE TABLE marks(mark BLOB PRIMARY KEY, item INTEGER NOT NULL) WITHOUT ROWID;
"""
"""``elsewhere``: items with chunks in packs that do not list them. It may name an item too many, never one too few.
``items_listing`` has what a search of names looks through: half the time of reading whole rows.
``items_name``: the end of a name tells nearly all apart, and takes a fraction of the room."""
TABLES = ("packs", "tables", "moves", "chunks", "items", "elsewhere", "events", "marks")

Waiting = Callable[[], None]
"""Called once when another process has kept what is needed for longer than ``PATIENCE_SECONDS``."""


class IndexUnusable(Damaged):
    """Raised when the index does not open or is damaged. Nothing is lost: the packs hold everything."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, _("nothing is lost: run the command again, and the index is made anew from the packs")
        )


class IndexFile:
    """One open file. May be used from several threads; each call holds a lock of its own."""

    def __init__(
        self, path: str, key: Secret, *, waiting: Waiting = lambda: None, patience: float = PATIENCE_SECONDS,
        limit: float = BUSY_SECONDS,
    ) -> None:  # fmt: skip
        """Open or create; ``:memory:`` for one that is gone when it is closed. Another process that writes is waited
        for at most ``limit`` seconds. Raises IndexUnusable, Busy, DiskFailed."""
        self._lock = threading.RLock()
        self._waiting, self._limit = waiting, limit
        self.damaged = False
        """Whether anything that was asked of it found it damaged."""
        self._in_a_file = path != ":memory:"
        if self._in_a_file:
            _create_or_check(path)
        with _translated():
            self._db = sqlite.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(key)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, key: Secret) -> None:
        self._run(f"PRAGMA key = \"x'{key.expose().hex()}'\"")
        self._run("PRAGMA cipher_log_level = NONE")  # SQLCipher writes its complaints to stderr
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "temp_store = MEMORY"):
            self._run(f"PRAGMA {pragma}")
        (version,) = self._run("PRAGMA user_version").fetchone()
        if version == 0:
            with self._transaction():
                # Another process may have been faster.
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                for statement in SCHEMA.split(";") if version == 0 else ():
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {version or SCHEMA_VERSION}")
        if version not in (0, SCHEMA_VERSION):
            raise IndexUnusable(_("an index of another version"))

    def check(self) -> None:
        """Read every page and compare its authentication code. Raises IndexUnusable."""
        with self._guarded():
            if self._in_a_file and any(self._run("PRAGMA cipher_integrity_check")):
                raise IndexUnusable(_("a page of the index was changed"))

    def change_key(self, key: Secret) -> None:
        """Encrypt the whole file under another key (a new epoch). Interrupted, it may have to be rebuilt."""
        with self._guarded():
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")
            self._run(f"PRAGMA rekey = \"x'{key.expose().hex()}'\"")

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._guarded():
            return list(self._run(query, *values))

    def _run(self, statement: str, *values: object) -> Any:
        """Execute a statement that may find the file locked: said once, then waited for up to the limit."""
        start, told = time.monotonic(), False
        while True:
            try:
                return self._db.execute(statement, values)
            except sqlite.OperationalError as exc:
                if trouble(exc) is not Trouble.BUSY or time.monotonic() - start > self._limit:
                    raise
            if not told:
                told = True
                self._waiting()

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
        self._run("BEGIN IMMEDIATE")
        with committed(self._db):
            yield


def _create_or_check(path: str) -> None:
    if not is_file_or_made(path):
        raise IndexUnusable(_("something that is no file lies in the index's place"))


@contextmanager
def _translated() -> Iterator[None]:
    """The one door at which SQLite's errors become ours."""
    try:
        yield
    except sqlite.DatabaseError as exc:
        match trouble(exc):
            case Trouble.BUSY:
                raise Busy(
                    _("another process keeps the index busy"), _("wait for it to end, then run this again")
                ) from exc
            case Trouble.DISK:
                raise DiskFailed(
                    _("the index cannot be written: {reason}").format(reason=exc),
                    _("what was filed before is safe: packs hold it, and the index is made from them"),
                    _("is the disk full, or read-only? make room, then run this again"),
                ) from exc
        raise IndexUnusable(_("the index does not open: {reason}").format(reason=exc)) from exc
