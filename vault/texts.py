# SPDX-License-Identifier: Apache-2.0
"""What was read inside the documents of a case: texts, and the full-text index over their words, in an SQLCipher file.

Owns its schema and pragmas (docs/format.md §7.1). Unlike the index it cannot be made anew in a moment, so it is
encrypted again where the index is thrown away. It does not judge or parse: what it is told was read in confined
children and is text. ``secure_delete`` and FTS5's ``secure-delete`` take what is forgotten out of the file's pages too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from vault import layout
from vault.errors import Busy, Damaged, DiskFailed, NewerFormat
from vault.model import ItemId
from vault.refusals import refusal
from vault.spelling import FOLDING, words
from vault.sqlcipher import Trouble, committed, is_file_or_made, is_no_file, trouble

SCHEMA_VERSION = 1
BUSY_SECONDS = 60
_LEVEL = 3
"""Of zstd, its own default."""
_PAGE = 500
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
_SCHEMA = """
CREATE TABLE known(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents(n INTEGER PRIMARY KEY, item BLOB UNIQUE NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL,
  detail TEXT NOT NULL, reader TEXT NOT NULL);
CREATE INDEX documents_states ON documents(state) WHERE state != 'read';
CREATE TABLE texts(n INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(about, body, content='', prefix='3', tokenize="unicode61 remove_diacritics 0");
INSERT INTO words(words, rank) VALUES('secure-delete', 1)
"""


class TextsUnusable(Damaged):
    """Raised when the file does not open or is damaged. No document is lost: the texts are read again from them."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message, *(hints or (_("no document is lost: `sandyk index` reads the documents again"),)))


@dataclass(frozen=True, slots=True)
class Document:
    """What is known of one document. ``state`` is one of ``vault.extracting.answer``'s, ``kind`` of ``vault.kinds``."""

    item: ItemId
    state: str
    kind: str
    detail: str
    """Why there is no text, or not all; in plain English."""
    reader: str


@dataclass(frozen=True, slots=True)
class Text:
    """A document with its text; ``about`` is its name, note, source and tags, a line each."""

    document: Document
    about: str
    body: str


class Texts:
    """The open file. May be used from several threads; each call holds a lock of its own."""

    def __init__(self, path: str, keys: Sequence[Secret], *, writes: bool = True) -> None:
        """Open or, with ``writes``, create. ``keys``: the current epoch's first, then older ones.

        Encrypted under an older key it is encrypted again. Without ``writes`` what another process has not put into the
        file itself yet is not seen. Raises TextsUnusable, NewerFormat, DiskFailed, Busy.
        """
        self._lock = threading.RLock()
        self.path, self.writes = path, writes
        if writes:
            _create_or_check(path)
        with _translated():
            self._db = self._opened(keys)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _opened(self, keys: Sequence[Secret]) -> Any:
        for n, key in enumerate(keys):
            # immutable: on a medium that cannot be written there is no place for the files that readers share.
            where = self.path if self.writes else f"{Path(self.path).absolute().as_uri()}?immutable=1"
            db = sqlite.connect(
                where, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=not self.writes
            )
            db.execute(f"PRAGMA key = \"x'{key.expose().hex()}'\"")
            db.execute("PRAGMA cipher_log_level = NONE")  # SQLCipher writes its complaints to stderr
            try:
                db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                if n and self.writes:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    db.execute(f"PRAGMA rekey = \"x'{keys[0].expose().hex()}'\"")
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return db
            except sqlite.DatabaseError as exc:
                db.close()
                if isinstance(exc, sqlite.OperationalError) or n == len(keys) - 1:
                    raise
        raise TextsUnusable(_("there is no key for the texts"))

    def _prepare(self) -> None:
        if self.writes:
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
                self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA temp_store = MEMORY")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and self.writes:
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()  # another process may have been faster
                for statement in _SCHEMA.split(";") if version == 0 else ():
                    self._db.execute(statement)
                version = version or SCHEMA_VERSION
                self._db.execute(f"PRAGMA user_version = {version}")
        if version > SCHEMA_VERSION:
            raise NewerFormat(_("the texts of a case"))
        if version != SCHEMA_VERSION:
            raise TextsUnusable(_("the texts of a case are not whole"))

    def check(self) -> None:
        """Read every page that is in use or kept for later, the log's too; each document has a text. Raises
        TextsUnusable.

        By way of SQLite, which knows what other processes are at; SQLCipher's own check reads the file behind its back.
        """
        with self._guarded():
            # Not the virtual table, in which FTS5 would compare every word; sqlite_schema stands for the free pages.
            for (name,) in (("sqlite_schema",), *self._rows(_TABLES)):
                if self._rows(f"PRAGMA quick_check({name})") != [("ok",)]:
                    raise TextsUnusable(_("a page of the texts of a case was changed"))
            if self._rows("SELECT n FROM documents WHERE n NOT IN (SELECT n FROM texts) LIMIT 1"):
                raise TextsUnusable(_("a text is missing"))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def remember(self, texts: Sequence[Text]) -> None:
        """Take documents in, in one transaction. One that is known already is replaced."""
        self._fold_anew()
        with self._guarded(), self._transaction():
            for text in texts:
                self._forget(text.document.item)
                self._insert(text)

    def _insert(self, text: Text) -> None:
        d = text.document
        cursor = self._db.execute(
            "INSERT INTO documents VALUES(NULL,?,?,?,?,?)", (d.item, d.state, d.kind, d.detail, d.reader)
        )
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode((text.about, text.body)))
        self._db.execute("INSERT INTO texts VALUES(?,?)", (cursor.lastrowid, packed))
        self._db.execute(
            "INSERT INTO words(rowid, about, body) VALUES(?,?,?)", (cursor.lastrowid, *_indexed(text.about, text.body))
        )

    def forget(self, items: Iterable[bytes]) -> int:
        """Take documents out: their texts, their words, and older copies of the pages that held them. How many."""
        self._fold_anew()
        with self._guarded(), self._transaction():
            gone = sum(self._forget(item) for item in items)
        if gone:
            with self._guarded():
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _forget(self, item: bytes) -> bool:
        for n, in self._rows("SELECT n FROM documents WHERE item = ?", item):
            about, body = self._text(n)
            # An index without contents of its own is told what it held (FTS5, §4.4.3).
            self._db.execute(
                "INSERT INTO words(words, rowid, about, body) VALUES('delete',?,?,?)", (n, *_indexed(about, body))
            )
            self._db.execute("DELETE FROM texts WHERE n = ?", (n,))
            self._db.execute("DELETE FROM documents WHERE n = ?", (n,))
            return True
        return False

    def _fold_anew(self) -> None:
        """Index all words again when they were folded by other rules: else what is forgotten would not be found."""
        with self._guarded():
            found = self._rows("SELECT value FROM known WHERE name = 'folding'")
            if found and found[0][0] == FOLDING:
                return
            with self._transaction():
                self._db.execute("INSERT INTO words(words) VALUES('delete-all')")
                for n, in self._rows("SELECT n FROM texts ORDER BY n"):
                    self._db.execute(
                        "INSERT INTO words(rowid, about, body) VALUES(?,?,?)", (n, *_indexed(*self._text(n)))
                    )
                self._db.execute("INSERT OR REPLACE INTO known VALUES('folding',?)", (FOLDING,))

    def note(self, name: str, value: str) -> None:
        """Keep a word for whoever keeps these texts in step with the index."""
        with self._guarded():
            self._db.execute("INSERT OR REPLACE INTO known VALUES(?,?)", (name, value))

    # Reading

    def noted(self, name: str) -> str:
        """What ``note`` kept, or nothing."""
        rows = self._rows("SELECT value FROM known WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def items(self) -> set[bytes]:
        """The ids of all documents that are known here."""
        return {row[0] for row in self._rows("SELECT item FROM documents")}

    def pages_of_items(self) -> Iterator[list[bytes]]:
        """The same, some hundred at a time."""
        after = 0
        while rows := self._rows("SELECT n, item FROM documents WHERE n > ? ORDER BY n LIMIT ?", after, _PAGE):
            yield [item for _n, item in rows]
            after = rows[-1][0]

    def states(self) -> dict[str, int]:
        """How many documents are in each state in which any are."""
        # By two indexes: the table itself is three times as large as these, and most documents were read.
        *others, (_all, count) = self._rows(
            "SELECT state, count(*) FROM documents WHERE state != 'read' GROUP BY state"
            " UNION ALL SELECT '', count(*) FROM documents"
        )
        read = count - sum(n for _state, n in others)
        return dict(others) | ({"read": read} if read else {})

    def in_state(self, state: str) -> Iterator[Document]:
        """The documents in one state, in the order in which they were read."""
        for n, in self._rows("SELECT n FROM documents WHERE state = ? ORDER BY n", state):
            for row in self._rows("SELECT item, state, kind, detail, reader FROM documents WHERE n = ?", n):
                yield Document(*row)

    def in_part(self) -> Iterator[Document]:
        """The documents of which something was left, in the order in which they were read."""
        for n, in self._rows("SELECT n FROM documents WHERE detail != '' ORDER BY n"):
            for row in self._rows("SELECT item, state, kind, detail, reader FROM documents WHERE n = ?", n):
                yield Document(*row)

    def documents(self, items: Sequence[bytes]) -> dict[bytes, Document]:
        """Those of some hundred documents that are known here."""
        marks = ",".join("?" * len(items))
        query = f"SELECT item, state, kind, detail, reader FROM documents WHERE item IN ({marks})"  # noqa: S608
        return {row[0]: Document(*row) for row in self._rows(query, *items)}

    def matching(self, match: str) -> Iterator[ItemId]:
        """Documents with words that FTS5 finds by ``match``, in the order in which they were read, a page at a time."""
        query = (
            "SELECT words.rowid, item FROM words JOIN documents ON documents.n = words.rowid"
            " WHERE words MATCH ? AND words.rowid > ? ORDER BY words.rowid LIMIT ?"
        )
        after = 0
        while rows := self._rows(query, match, after, _PAGE):
            for _n, item in rows:
                yield ItemId(item)
            after = rows[-1][0]

    def text(self, item: bytes) -> Text | None:
        """A document's text."""
        for row in self._rows("SELECT item, state, kind, detail, reader, n FROM documents WHERE item = ?", item):
            return Text(Document(*row[:5]), *self._text(row[5]))
        return None

    def _text(self, n: int) -> tuple[str, str]:
        rows = self._rows("SELECT packed FROM texts WHERE n = ?", n)
        if not rows:
            raise TextsUnusable(_("a text is missing"))
        about, body = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(rows[0][0]), type=tuple[str, str])
        return about, body

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._guarded():
            return list(self._db.execute(query, values))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock, _translated():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        with committed(self._db):
            yield


def _indexed(about: str, body: str) -> tuple[str, str]:
    """The two columns: words that need no more folding, so that query and index cannot differ about it."""
    return " ".join(words(about)), " ".join(words(body))


def _create_or_check(path: str) -> None:
    try:
        if not is_file_or_made(path):
            raise TextsUnusable(_("something that is no file lies in the place of the texts"))
        if any(is_no_file(path + more) for more in layout.BESIDE):
            raise TextsUnusable(_("something that is no file lies beside the texts"))
    except OSError as exc:
        raise _disk_failed(refusal(exc)) from exc


def _disk_failed(reason: str) -> DiskFailed:
    return DiskFailed(
        _("the texts of a case cannot be written: {reason}").format(reason=reason),
        _("documents are safe: packs hold them, and their texts are read again from them"),
        _("is the disk full, or read-only? make room, then run this again"),
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The one door at which SQLite's errors become ours."""
    try:
        yield
    except sqlite.DatabaseError as exc:
        match trouble(exc):
            case Trouble.BUSY:
                raise Busy(
                    _("another process keeps the texts of a case busy"), _("wait for it to end, then run this again")
                ) from exc
            case Trouble.DISK:
                raise _disk_failed(str(exc)) from exc
        raise TextsUnusable(_("the texts of a case do not open: {reason}").format(reason=exc)) from exc
