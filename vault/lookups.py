# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the index of a case. Nothing here changes it.

Listings come a page at a time, so what a question costs in memory does not grow with the case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from gettext import gettext as _

from vault import manifest as manifests
from vault.errors import DamagedPack
from vault.index_file import PAGE, IndexFile
from vault.model import Chunk, Event, Extent, Item, ItemId, Move, PackId
from vault.replacing import follow
from vault.rows import EventRow, PackRow, Standing, event_of, item_of
from vault.sources import About
from vault.spelling import fold

LONGEST_LEAP = 1_000_000
"""More packs than any machine ever lost from one chain."""
_BEFORE_ALL = -(1 << 63)
_TOGETHER = 500
"""Ids that are asked for at a time."""
PACK_COLUMNS = "n, id, epoch, device, author, sequence, digest, previous, created_ns, size, replaced_by"
_ITEM_COLUMNS = "id, name, size, sha256, mtime_ns, filed_ns, note, source, tags, origin, signer, extents"


class Lookups(IndexFile):
    """The questions."""

    # Packs

    def packs(self) -> Iterator[PackRow]:
        """All packs, each device's chain in order, also those that others stand for."""
        for row in self._rows(f"SELECT {PACK_COLUMNS} FROM packs ORDER BY device, sequence, n"):  # noqa: S608
            yield PackRow(*row)

    def pack(self, pack: PackId) -> PackRow | None:
        """What is known of the pack with this id."""
        rows = self._rows(f"SELECT {PACK_COLUMNS} FROM packs WHERE id = ?", pack)  # noqa: S608
        return PackRow(*rows[0]) if rows else None

    def replaced_by(self, pack: PackRow) -> list[PackRow]:
        """The packs that this one stands for."""
        query = f"SELECT {PACK_COLUMNS} FROM packs WHERE replaced_by = ? ORDER BY n"  # noqa: S608
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
        rows = self._rows("SELECT chunks FROM tables JOIN packs ON packs.n = tables.pack WHERE packs.id = ?", pack)
        if not rows:
            raise DamagedPack(_("pack {pack} is missing").format(pack=pack.hex()[:8]))
        return manifests.decode_chunks(rows[0][0])

    def end_of_chain(self, device: bytes) -> tuple[int, bytes]:
        """The last sequence number of a device and the digest of that manifest; (0, b"") for a new device."""
        # A member could claim a place so far on that nothing can follow it; such a leap is not followed.
        rows = self._rows(
            "SELECT sequence, digest FROM packs WHERE device = ?1 AND sequence <= ?2 +"
            " (SELECT count(*) FROM packs WHERE device = ?1) ORDER BY sequence DESC LIMIT 1", device, LONGEST_LEAP,
        )  # fmt: skip
        return (rows[0][0], rows[0][1]) if rows else (0, b"")

    def author_of(self, pack: PackId) -> bytes:
        """The key that signed a pack; nothing when the pack is unknown."""
        rows = self._rows("SELECT author FROM packs WHERE id = ?", pack)
        return bytes(rows[0][0]) if rows else b""

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

    # Chunks and items

    def find_chunks(self, chunk_ids: Sequence[bytes]) -> dict[bytes, tuple[PackId, int]]:
        """Where those of the chunks lie that are known, by their ids; asked once for at most some thousand."""
        query = "SELECT chunks.id, packs.id, no FROM chunks JOIN packs ON packs.n = chunks.pack WHERE chunks.id IN"
        found = self._rows(f"{query} ({_marks(chunk_ids)})", *chunk_ids)
        return {chunk_id: (PackId(pack), no) for chunk_id, pack, no in found}

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
        for row in self._rows(f"{query} ({_marks(marks)})", *marks):
            yield row[0], item_of(row[1:])

    def owner(self, item: ItemId) -> PackId | None:
        """The pack that lists an item."""
        rows = self._rows("SELECT packs.id FROM items JOIN packs ON packs.n = items.pack WHERE items.id = ?", item)
        return PackId(rows[0][0]) if rows else None

    def counts(self) -> dict[PackId, int]:
        """How many items each pack lists; packs that list none are left out."""
        query = "SELECT packs.id, count(*) FROM items JOIN packs ON packs.n = items.pack GROUP BY items.pack"
        return {PackId(pack): count for pack, count in self._rows(query)}

    def listed(self, items: Iterable[bytes]) -> set[bytes]:
        """Those of the ids that are an item's here."""
        wanted, found = list(items), set[bytes]()
        for start in range(0, len(wanted), _TOGETHER):
            some = wanted[start : start + _TOGETHER]
            found.update(id_ for id_, in self._rows(f"SELECT id FROM items WHERE id IN ({_marks(some)})", *some))  # noqa: S608
        return found

    def listed_by(self, author: bytes, items: Iterable[bytes]) -> set[ItemId]:
        """Those of the ids that are an item's in a pack that this key signed."""
        wanted, found = list(items), set[ItemId]()
        query = "SELECT items.id FROM items JOIN packs ON packs.n = items.pack WHERE packs.author = ? AND items.id IN"
        for start in range(0, len(wanted), _TOGETHER):
            some = wanted[start : start + _TOGETHER]
            found.update(ItemId(id_) for id_, in self._rows(f"{query} ({_marks(some)})", author, *some))
        return found

    def items(self, *, containing: str | Sequence[Sequence[str]] = "") -> Iterator[Item]:
        """All items in the order they were filed, or those whose name, note, source or tags contain a text.

        Or, for each of several lists of folded texts, any one of them.
        """
        each = ((fold(containing),),) if isinstance(containing, str) and containing else containing or ()
        where = "".join(f" AND ({' OR '.join(['instr(folded, ?)'] * len(any_of))})" for any_of in each)
        values = [text for any_of in each for text in any_of]
        query = (
            f"SELECT filed_ns, {_ITEM_COLUMNS} FROM items WHERE (filed_ns, id) > (?, ?){where}"  # noqa: S608
            " ORDER BY filed_ns, id LIMIT ?"
        )
        after: tuple[int, bytes] = (_BEFORE_ALL, b"")
        while rows := self._rows(query, *after, *values, PAGE):
            for row in rows:
                yield item_of(row[1:])
            after = (rows[-1][0], rows[-1][1])

    def item_ids(self) -> list[ItemId]:
        """The ids of all items in the order they were filed: a tenth of what the items themselves take to read."""
        return [ItemId(row[0]) for row in self._rows("SELECT id FROM items ORDER BY filed_ns, id")]

    def ids_among(self, items: Sequence[bytes]) -> set[bytes]:
        """Which of these ids are of items that are here; for at most some thousand."""
        return {row[0] for row in self._rows(f"SELECT id FROM items WHERE id IN ({_marks(items)})", *items)}  # noqa: S608

    def item(self, item: ItemId) -> Item | None:
        """The item with this id."""
        rows = self._rows(f"SELECT {_ITEM_COLUMNS} FROM items WHERE id = ?", item)  # noqa: S608
        return item_of(rows[0]) if rows else None

    def items_by_id(self, items: Sequence[bytes]) -> dict[bytes, Item]:
        """Those of the items that are here, by their ids; for at most some thousand."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE id IN ({_marks(items)})"  # noqa: S608
        return {item.id: item for item in map(item_of, self._rows(query, *items))}

    def items_in(self, pack: PackId) -> list[Item]:
        """The items that a pack lists, in the order of their ids."""
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE pack = (SELECT n FROM packs WHERE id = ?) ORDER BY id"  # noqa: S608
        return [item_of(row) for row in self._rows(query, pack)]

    def ids_in(self, pack: PackId) -> set[bytes]:
        """The ids of the items that a pack lists."""
        query = "SELECT id FROM items WHERE pack = (SELECT n FROM packs WHERE id = ?)"
        return {row[0] for row in self._rows(query, pack)}

    def standing_in(self, pack: PackId) -> Iterator[Standing]:
        """Each item that a pack lists, or that has chunks in it, once; for any pack, also one that is not known."""
        columns = "items.n, items.id, items.size, items.sha256, items.extents"
        listed = (
            f"SELECT {columns} FROM items WHERE pack = (SELECT n FROM packs WHERE id = ?) AND n > ? ORDER BY n LIMIT ?"  # noqa: S608
        )
        others = (
            f"SELECT {columns} FROM elsewhere JOIN items ON items.n = elsewhere.item"  # noqa: S608
            " WHERE elsewhere.pack = ?1 AND elsewhere.item > ?2"
            " AND items.pack IS NOT (SELECT n FROM packs WHERE id = ?1) ORDER BY elsewhere.item LIMIT ?3"
        )
        for query, is_listed in ((listed, True), (others, False)):
            after = -1
            while rows := self._rows(query, pack, after, PAGE):
                for __, item, size, sha256, stored in rows:
                    extents = manifests.decode_extents(stored)
                    if is_listed or any(extent.pack == pack for extent in extents):
                        yield Standing(ItemId(item), size, sha256, extents, is_listed)
                after = rows[-1][0]

    def packs_named_elsewhere(self) -> set[PackId]:
        """The packs in which items may have chunks that they do not list, also packs that are not known."""
        found, last = set(), b""
        while rows := self._rows("SELECT pack FROM elsewhere WHERE pack > ? ORDER BY pack LIMIT 1", last):
            last = rows[0][0]  # from one to the next: DISTINCT would look at every row
            found.add(PackId(last))
        return found

    def items_by_prefix(self, digits: str) -> list[Item]:
        """Items whose id, in hex, begins with these digits; at most two, which is enough to know of a doubt."""
        least, most = (bytes.fromhex(digits.lower().ljust(32, filler)) for filler in "0f")
        query = f"SELECT {_ITEM_COLUMNS} FROM items WHERE id BETWEEN ? AND ? LIMIT 2"  # noqa: S608
        return [item_of(row) for row in self._rows(query, least, most)]

    def items_by_name(self, name: bytes) -> list[Item]:
        """Items filed under exactly this path."""
        query = (
            f"SELECT {_ITEM_COLUMNS} FROM items WHERE substr(name, -12) = substr(?1, -12) AND name = ?1"  # noqa: S608
            " ORDER BY filed_ns, id"
        )
        return [item_of(row) for row in self._rows(query, name)]

    def count(self) -> int:
        """How many items there are."""
        return int(self._rows("SELECT count(*) FROM items")[0][0])

    def totals(self) -> tuple[int, int]:
        """How many items, and how many bytes they have."""
        count, size = self._rows("SELECT count(*), total(size) FROM items")[0]
        return int(count), int(size)

    # The custody record

    def events_in(self, pack: PackId) -> tuple[Event, ...]:
        """The custody events that a pack carries, in its order."""
        of_pack = "pack = (SELECT n FROM packs WHERE id = ?)"
        query = f"SELECT at_ns, kind, items, detail FROM events WHERE {of_pack} ORDER BY n"  # noqa: S608
        return tuple(map(event_of, self._rows(query, pack)))

    def events(self, *kinds: str) -> Iterator[EventRow]:
        """The custody record in order of time, or the events of these kinds in it."""
        where = f"WHERE kind IN ({_marks(kinds)})" if kinds else ""
        return self._event_rows(where, *kinds)

    def events_of(self, item: ItemId) -> Iterator[EventRow]:
        """The entries of the custody record that name an item, in order of time."""
        for row in self._event_rows("WHERE instr(events.items, ?)", item):
            if item in row.event.items:  # not across two of them
                yield row

    def _event_rows(self, where: str, *values: object) -> Iterator[EventRow]:
        for row in self._rows(
            f"SELECT at_ns, kind, events.items, detail, packs.{PACK_COLUMNS}"  # noqa: S608
            f" FROM events JOIN packs ON packs.n = events.pack {where}"
            " ORDER BY at_ns, device, sequence, events.n", *values,
        ):  # fmt: skip
            yield EventRow(event_of(row[:4]), PackRow(*row[4:]))


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
