# SPDX-License-Identifier: Apache-2.0
"""Reading ahead gives every document whole and in the order asked for, and a damaged one costs only itself."""

from __future__ import annotations

import os
import threading

import pytest
from msgspec.structs import replace

from tests.support.newsroom import file, listing, pack_paths
from vault import intake as intakes
from vault.ahead import AHEAD, BATCH_BYTES, read_in_order
from vault.errors import DamagedPack
from vault.model import Item
from vault.sources import CHUNK_SIZE
from vault.store import CaseStore


def documents() -> dict[bytes, bytes]:
    """Small ones that share blocks, empty ones, ones of many chunks, and duplicates of all of them."""
    once = {b"%03d" % n: b"line %d\n" % n * (n * 7 % 900) for n in range(300)}
    once |= {b"large %d" % n: os.urandom(n * CHUNK_SIZE + 5) for n in (1, 4, 9)}
    return once | {b"again " + name: content for name, content in once.items()}


@pytest.mark.parametrize("turn", [1, -1])
def test_documents_come_whole_and_in_the_order_asked_for(store: CaseStore, turn: int) -> None:
    filed = documents()
    file(store, filed)
    wanted = listing(store)[::turn]
    read = [(item.name, b"".join(pieces)) for item, pieces in read_in_order(store, wanted)]
    assert read == [(item.name, filed[item.name]) for item in wanted]


def test_nothing_is_asked_of_a_store_for_nothing(store: CaseStore) -> None:
    assert list(read_in_order(store, [])) == []


def test_what_is_not_taken_is_skipped(store: CaseStore) -> None:
    filed = documents()
    file(store, filed)
    read = {}
    for number, (item, pieces) in enumerate(read_in_order(store, listing(store))):
        if number % 3 == 0:
            read[item.name] = b"".join(pieces)
        elif number % 3 == 1:
            next(pieces, b"")
    assert len(read) == -(-len(filed) // 3)
    assert all(filed[name] == content for name, content in read.items())


def test_a_damaged_document_raises_where_it_breaks_and_the_others_come_whole(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intakes, "PACK_SIZE", CHUNK_SIZE)
    monkeypatch.setattr(intakes, "LITTLE", 1)
    filed = {b"%d" % n: os.urandom(6 * CHUNK_SIZE) for n in range(3)}
    file(store, filed)
    (middle,) = [item for item in listing(store) if item.name == b"1"]
    broken = middle.extents[len(middle.extents) // 2].pack
    (path,) = [path for path in pack_paths(store) if path.stem == bytes(broken).hex()]
    path.write_bytes(b"")
    read = {}
    for item, pieces in read_in_order(store, listing(store)):
        if item.name == b"1":
            with pytest.raises(DamagedPack):
                b"".join(pieces)
        else:
            read[item.name] = b"".join(pieces)
    assert read == {name: content for name, content in filed.items() if name != b"1"}


def test_a_document_that_is_longer_than_it_says_ends_at_its_size(store: CaseStore) -> None:
    """A member could point at one chunk a million times."""
    file(store, {b"a": os.urandom(5 * CHUNK_SIZE)})
    (item,) = listing(store)
    longer = replace(item, extents=item.extents * 1000)
    taken = 0
    with pytest.raises(DamagedPack, match="longer"):
        for _, pieces in read_in_order(store, [longer]):
            for piece in pieces:
                taken += len(piece)
    assert taken <= item.size


def test_a_large_document_without_bytes_does_not_give_its_place_to_the_next(store: CaseStore) -> None:
    file(store, {b"a": b"1", b"b": b"2"})
    one, two = listing(store)
    none = replace(one, id=b"0" * 16, size=9 * CHUNK_SIZE, extents=())
    read = [(item.id, b"".join(pieces)) for item, pieces in read_in_order(store, [one, none, two, none])]
    assert read == [(one.id, b"1"), (none.id, b""), (two.id, b"2"), (none.id, b"")]


def test_no_more_is_read_ahead_than_was_promised(store: CaseStore) -> None:
    file(store, {b"%03d" % n: b"%d" % n + bytes(CHUNK_SIZE - 9) for n in range(60)})

    class Counting:
        def __init__(self) -> None:
            self.count, self._lock = 0, threading.Lock()

        def read(self, item: Item, *, hashed_later: bool) -> object:
            with self._lock:
                self.count += 1
            return store.read(item, hashed_later=hashed_later)

    counting = Counting()
    reading = read_in_order(counting, listing(store))  # type: ignore[arg-type]
    next(reading)
    reading.close()
    assert counting.count <= (AHEAD + 2) * (BATCH_BYTES // CHUNK_SIZE + 1)
