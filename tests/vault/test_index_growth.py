# SPDX-License-Identifier: Apache-2.0
"""What the index is asked often does not look at every document, and what it keeps for that stays true."""

from __future__ import annotations

import os
import random
import re
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from tests.support.newsroom import file, listing, newsroom, pack_paths, store_of, unlock
from vault.cases import find_case
from vault.cli.session import _say_once
from vault.compacting import compact
from vault.errors import Busy
from vault.index import Index
from vault.model import ItemId, PackId
from vault.removing import remove
from vault.rewriting import used_places
from vault.store import CaseStore
from vault.verifying import verify

KEY = Secret(bytes(range(32)))


def by_looking_at_everything(store: CaseStore) -> dict[PackId, set[int]]:
    """Which chunks of which pack the documents need."""
    found: dict[PackId, set[int]] = {pack: set() for pack in store.index.pack_ids()}
    for item in listing(store):
        for extent in item.extents:
            found.setdefault(PackId(extent.pack), set()).update(range(extent.first, extent.first + extent.count))
    return found


def agree(store: CaseStore) -> None:
    everything = by_looking_at_everything(store)
    assert used_places(store, everything) == everything
    assert {pack for pack in store.index.packs_named_elsewhere() if used_places(store, {pack})[pack]} <= set(everything)
    items = {item.id: item for item in listing(store)}
    for pack in everything:
        here = {one.item for one in store.index.standing_in(pack)}
        touching = {item.id for item in items.values() if any(extent.pack == pack for extent in item.extents)}
        assert here == touching | store.index.ids_in(pack)
    assert sum(store.index.counts().values()) == store.index.count() == store.index.totals()[0] == len(items)
    assert all(store.index.owner(ItemId(item)) in everything for item in items)


@pytest.mark.parametrize("seed", range(4))
def test_where_chunks_are_needed_is_known_after_any_history(tmp_path: Path, seed: int) -> None:
    """Documents that share bytes, in a pack and across, filed, removed, put together; and from the packs alone."""
    chance = random.Random(seed)
    contents = [chance.randbytes(chance.choice((40, 4000, 300_000))) for _ in range(6)]
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault:
        case = find_case(vault, "Mine")
        for step in range(9):
            action = chance.random()
            if action < 0.6 or step < 3:
                with store_of(vault) as store:
                    parts = [[chance.choice(contents) for _ in range(chance.randint(1, 3))] for _ in range(4)]
                    file(store, {f"{step} {n}".encode(): b"".join(part) for n, part in enumerate(parts)})
            elif action < 0.8:
                with store_of(vault) as store:
                    gone = chance.sample(listing(store), min(3, store.index.count()))
                remove(vault, case, gone, reason="")
            else:
                compact(vault, case)
            with store_of(vault) as store:
                agree(store)
        with store_of(vault) as store:
            assert verify(store).whole
            store.rebuild()
            agree(store)
            assert verify(store).whole


def test_documents_of_one_content_are_read_once_and_all_named_when_it_is_lost(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {b"first": b"the same" * 99})
        for n in range(3):
            file(store, {b"copy %d" % n: b"the same" * 99, b"other %d" % n: os.urandom(50)})
        whole = verify(store)
        assert (whole.items, whole.whole) == (7, True)
        assert whole.size == 4 * 8 * 99 + 150
        os.unlink(pack_paths(store)[1])
        lost = verify(store)
        assert {one.item.name for one in lost.damaged} == {b"first", b"copy 0", b"copy 1", b"copy 2"}
        assert lost.items == 7
        store.rebuild()  # the index does not even know that pack any more
        again = verify(store)
        assert {one.item.name for one in again.damaged} == {b"copy 0", b"copy 1", b"copy 2"}
        assert again.items == 6


def plans(index: Index, ask: Any) -> list[str]:
    """How SQLite goes about what is asked."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    index._db.set_trace_callback(None)
    run = index._run

    def noted(statement: str, *values: object) -> Any:
        asked.append((statement, values))
        return run(statement, *values)

    index._run = noted  # type: ignore[method-assign]
    try:
        ask(index)
    finally:
        del index._run  # type: ignore[attr-defined]
    return [row[3] for statement, values in asked for row in run(f"EXPLAIN QUERY PLAN {statement}", *values)]


QUESTIONS = {
    "an item": lambda index: index.item(ItemId(bytes(16))),
    "by the beginning of an id": lambda index: index.items_by_prefix("ab"),
    "by name": lambda index: index.items_by_name(b"in/memo.txt"),
    "by content": lambda index: list(index.items_of_content(b"x", bytes(32), _about())),
    "who lists it": lambda index: index.owner(ItemId(bytes(16))),
    "which are there": lambda index: index.listed([bytes(16), bytes(range(16))]),
    "of a pack": lambda index: index.items_in(PackId(bytes(16))),
    "with bytes in a pack": lambda index: list(index.standing_in(PackId(bytes(16)))),
    "packs that are needed": lambda index: index.packs_named_elsewhere(),
    "known chunks": lambda index: index.find_chunks([bytes(32)]),
    "known marks": lambda index: list(index.items_of_marks([bytes(16)])),
    "events of a pack": lambda index: index.events_in(PackId(bytes(16))),
    "the end of a chain": lambda index: index.end_of_chain(bytes(16)),
    "the first page of all": lambda index: next(index.items(), None),
}


def _about() -> Any:
    from vault.sources import About

    return About()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_about_few_documents_does_not_look_at_all(tmp_path: Path, question: str) -> None:
    index = Index(str(tmp_path / "index"), KEY)
    steps = plans(index, QUESTIONS[question])
    assert steps
    looked_through = [step for step in steps if re.match(r"SCAN (items|chunks|marks|elsewhere)\b", step)]
    assert all("items_listing" in step for step in looked_through), steps
    index.close()


def test_somebody_who_waits_for_another_process_is_told_once(tmp_path: Path) -> None:
    """And goes on when the other one is done."""
    path, told = str(tmp_path / "index"), []
    Index(path, KEY).close()
    other = sqlite.connect(path, isolation_level=None)
    other.execute(f"PRAGMA key = \"x'{KEY.expose().hex()}'\"")
    tries = iter(range(3))

    def waiting() -> None:
        told.append(next(tries))
        other.execute("COMMIT")

    index = Index(path, KEY, waiting=waiting, patience=0)
    other.execute("BEGIN IMMEDIATE")
    index.forget_chunk(bytes(32))
    assert told == [0]
    other.execute("BEGIN IMMEDIATE")
    index.forget_chunk(bytes(32))
    assert told == [0, 1]
    index.close()
    impatient = Index(path, KEY, patience=0, limit=0)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy):
        impatient.forget_chunk(bytes(32))
    other.execute("COMMIT")
    impatient.forget_chunk(bytes(32))
    impatient.close()
    other.close()


def test_somebody_who_waits_for_the_lock_of_a_case_is_told(tmp_path: Path) -> None:
    """By a thread of its own, as soon as patience is over: here at once."""
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault:
        told = threading.Event()
        vault.waiting = told.set
        with store_of(vault) as store, ExitStack() as other:
            other.enter_context(vault.disk.lock(os.path.join(store.folder, "lock")))
            store.patience = 0.0
            filing = threading.Thread(target=lambda: file(store, {b"a": b"b"}))
            filing.start()
            assert told.wait(60)
            other.close()
            filing.join(60)
            assert [item.name for item in listing(store)] == [b"a"]


def test_a_person_is_told_of_waiting_once(capsys: pytest.CaptureFixture[str]) -> None:
    """However often, and from whichever thread, the store says it; on standard error."""
    waiting = _say_once("waiting for another one")
    for _turn in range(3):
        waiting()
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "waiting for another one\n")
