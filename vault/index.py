# SPDX-License-Identifier: Apache-2.0
"""The index of a case: an SQLCipher file that can be thrown away and rebuilt from the packs.

Owns what is remembered of packs, and in which order rows change. It does not judge: what it is told to remember was
verified before. The file is ``vault.index_file``'s, the questions are ``vault.lookups``'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from vault import manifest as manifests
from vault.index_file import TABLES, IndexUnusable
from vault.lookups import Lookups
from vault.manifest import Manifest
from vault.model import Chunk, Event, Extent, ItemId, PackId, Replaced
from vault.replacing import follow
from vault.rows import EventRow, PackRow, fold_item, item_row

__all__ = ["EventRow", "Index", "IndexUnusable", "PackRow"]

_INSERT_ITEM = "INSERT OR IGNORE INTO items VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_ELSEWHERE = "INSERT OR IGNORE INTO elsewhere SELECT ?, n FROM items WHERE id = ?"


class Index(Lookups):
    """One open index. May be used from several threads; each call holds a lock of its own."""

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
            "INSERT OR IGNORE INTO packs VALUES(NULL,?,?,?,?,?,?,?,?,?,?)",
            (pack.pack, pack.epoch, pack.device, pack.author, pack.sequence, digest, pack.previous, pack.created_ns,
             size, replaced_by),
        )  # fmt: skip
        if not cursor.rowcount:
            return None
        self._db.execute("INSERT INTO tables VALUES(?,?)", (cursor.lastrowid, manifests.encode_chunks(chunks)))
        return int(cursor.lastrowid)

    def _insert_events(self, pack: int, events: Iterable[Event]) -> None:
        self._db.executemany(
            "INSERT INTO events VALUES(NULL,?,?,?,?,?)",
            [(pack, e.at_ns, e.kind, b"".join(e.items), e.detail) for e in events],
        )

    # Packs that others stand for

    def _replace(self, one: Replaced, by: int) -> None:
        """Keep of a pack its place in the chain and its events; its items are seen to when all are replaced."""
        old = self._number(one.pack)
        if old is None:
            old = self._insert_row(one, one.digest, 0, by, ()) or 0
        else:
            self._db.execute("UPDATE packs SET replaced_by = ? WHERE n = ?", (by, old))
            self._forget_chunks(old)
            for table in ("events", "moves"):
                self._db.execute(f"DELETE FROM {table} WHERE pack = ?", (old,))  # noqa: S608  # names from the line above
        self._db.execute("INSERT INTO moves VALUES(?,?)", (old, manifests.encode_moves(one.moves)))
        self._insert_events(old, one.events)

    def _move_items(self, manifest: Manifest, pack: int) -> None:
        """Items of replaced packs: those that the new pack lists are the same ones, elsewhere; the others are gone."""
        of_replaced = "pack IN (SELECT n FROM packs WHERE replaced_by = ?)"
        self._db.executemany(
            f"UPDATE items SET extents = ?, pack = ? WHERE id = ? AND {of_replaced}",  # noqa: S608
            [(item_row(item, PackId(manifest.pack))[-1], pack, item.id, pack) for item in manifest.items],
        )
        self._note_elsewhere((item.id, item.extents) for item in manifest.items)
        if gone := self._rows(f"SELECT n FROM items WHERE {of_replaced}", pack):  # noqa: S608
            self._db.execute(f"DELETE FROM marks WHERE item IN (SELECT n FROM items WHERE {of_replaced})", (pack,))  # noqa: S608
            self._db.executemany("DELETE FROM items WHERE n = ?", gone)
        packs = [PackId(one.pack) for one in manifests.replaced_by(manifest)]
        moves = self._moves_of(packs)
        for old in packs:
            left = []
            for one in self.standing_in(old):
                extents = follow(one.extents, moves)
                self._db.execute(
                    "UPDATE items SET extents = ? WHERE id = ?", (manifests.encode_extents(extents), one.item)
                )
                self._note_elsewhere([(one.item, extents)])
                if any(extent.pack == old for extent in extents):  # a chunk that did not move
                    left.append((one.item, extents))
            self._db.execute("DELETE FROM elsewhere WHERE pack = ?", (old,))
            self._note_elsewhere(left)

    # Items

    def _insert_items(self, manifest: Manifest, pack: int) -> None:
        moves = self._moves_of({extent.pack for item in manifest.items for extent in item.extents if extent.pack})
        rows = [(*item_row(item, PackId(manifest.pack), moves), pack, fold_item(item)) for item in manifest.items]
        before = self._db.total_changes
        self._db.executemany(_INSERT_ITEM, rows)
        if self._db.total_changes - before != len(rows):
            self._insert_under_other_ids(manifest, rows, pack)
        scattered = ((item, follow(item.extents, moves) if moves else item.extents) for item in manifest.items)
        self._note_elsewhere((item.id, extents) for item, extents in scattered)

    def _insert_under_other_ids(self, manifest: Manifest, rows: list[tuple[Any, ...]], pack: int) -> None:
        """Ids are random: somebody took the id of another's document. Neither may hide the other, so this one is
        listed under an id made of both; ``verify`` names it."""
        for row in rows:
            item_id: bytes = row[0]
            while (owner := self._owner(item_id)) not in (None, pack):
                item_id = hashlib.sha256(manifest.pack + item_id).digest()[: len(item_id)]
            if owner is None:
                self._db.execute(_INSERT_ITEM, (item_id, *row[1:]))
                self._note_elsewhere([(item_id, manifests.decode_extents(row[11]))])

    def _note_elsewhere(self, places: Iterable[tuple[bytes, Sequence[Extent]]]) -> None:
        """Remember which other packs items have chunks in; an extent without a pack is the listing one's own."""
        named = {(extent.pack, item) for item, extents in places for extent in extents if extent.pack}
        self._db.executemany(_INSERT_ELSEWHERE, sorted(named))

    def _owner(self, item_id: bytes) -> int | None:
        rows = self._rows("SELECT pack FROM items WHERE id = ?", item_id)
        return rows[0][0] if rows else None

    def _number(self, pack: bytes) -> int | None:
        rows = self._rows("SELECT n FROM packs WHERE id = ?", pack)
        return rows[0][0] if rows else None

    def remember_marks(self, marks: Sequence[tuple[bytes, ItemId]]) -> None:
        """Let each mark (``vault.marks``) stand for an item that is listed."""
        if marks:
            with self._guarded(), self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO marks SELECT ?, n FROM items WHERE id = ?", marks)

    # Forgetting

    def forget_chunk(self, chunk_id: bytes) -> None:
        """Rely on the place of this chunk no more: when it is filed again, it is stored again."""
        with self._guarded(), self._transaction():
            self._db.execute("DELETE FROM chunks WHERE id = ?", (chunk_id,))
            self._db.execute("DELETE FROM marks")

    def forget_chunks_of(self, pack: PackId) -> None:
        """Rely on no chunk of a pack that was found to be damaged."""
        with self._guarded(), self._transaction():
            n = self._number(pack)
            if n is not None:
                self._forget_chunks(n)
            self._db.execute("DELETE FROM marks")  # whatever is filed again is read again

    def _forget_chunks(self, n: int) -> None:
        """By their ids, which are in the pack's table: looking through all chunks would take as long as there are."""
        for stored, in self._rows("SELECT chunks FROM tables WHERE pack = ?", n):
            ids = [(chunk.id, n) for chunk in manifests.decode_chunks(stored)]
            self._db.executemany("DELETE FROM chunks WHERE id = ? AND pack = ?", ids)

    def forget_pack(self, pack: PackId) -> None:
        """Know nothing of a pack any more, nor of what it lists."""
        with self._guarded(), self._transaction():
            n = self._number(pack)
            if n is not None:
                self._forget_chunks(n)
                for table in ("tables", "items", "events"):
                    self._db.execute(f"DELETE FROM {table} WHERE pack = ?", (n,))  # noqa: S608  # from the line above
                self._db.execute("DELETE FROM packs WHERE n = ?", (n,))
            self._db.execute("DELETE FROM marks")  # a mark stands for an item's number, which may be given again

    def forget_everything(self) -> None:
        """Empty all tables, to be filled again from the packs."""
        with self._guarded(), self._transaction():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  # names from a constant
