# SPDX-License-Identifier: Apache-2.0
"""A case on disk: the index can be lost at any time, and what is wrong with packs is named."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.identity import Identity
from tests.support.mounts import mounted
from tests.support.newsroom import (
    CHEAP,
    DAY,
    add_paths,
    contents,
    file,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
)
from vault.custody import judge_chains
from vault.disk import Disk
from vault.errors import BadInput, Damaged, DiskFailed, DoesNotOpen, NoVault, Wiped
from vault.filing import find_item
from vault.index import EventRow, PackRow
from vault.model import Item, PackId
from vault.pack import pack_name
from vault.panic import panic
from vault.repairing import repair
from vault.sources import About
from vault.store import CaseStore
from vault.vaults import LockedVault, Vault
from vault.verifying import verify

DOCUMENTS = {b"a": b"1" * 100, "б/протокол".encode(): os.urandom(3000), b"c": b"", b"d": b"1" * 100}


def known(store: CaseStore) -> tuple[list[Item], list[EventRow], set[PackId]]:
    """All that the index tells, without the numbers that only it uses."""
    events = [replace(row, pack=replace(row.pack, n=0)) for row in store.index.events()]
    return listing(store), events, store.index.pack_ids()


# The index can be lost


def remove(index: Path) -> None:
    for path in index.parent.glob("index*"):
        path.unlink()


def cut(size: int) -> Callable[[Path], None]:
    def harm(index: Path) -> None:
        os.truncate(index, min(size, index.stat().st_size // 2 if size < 0 else size))

    return harm


def halve(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def garbage(index: Path) -> None:
    index.write_bytes(os.urandom(index.stat().st_size))


def plain(index: Path) -> None:
    remove(index)
    with sqlite3.connect(index) as db:
        db.execute("CREATE TABLE packs(id)")


def folder_instead(index: Path) -> None:
    remove(index)
    index.mkdir()


def pipe_instead(index: Path) -> None:
    remove(index)
    os.mkfifo(index)


def link_instead(index: Path) -> None:
    remove(index)
    (index.parent / "elsewhere").write_bytes(b"mine")
    index.symlink_to("elsewhere")


def each_page_flipped(index: Path) -> None:
    whole = bytearray(index.read_bytes())
    for place in range(4096 + 100, len(whole), 4096):
        whole[place] ^= 1
    index.write_bytes(whole)


HARMS = [remove, cut(0), cut(1), cut(4096), halve, garbage, plain, folder_instead, pipe_instead, link_instead,
         each_page_flipped]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=range(len(HARMS)))
def test_a_lost_index_is_made_anew_from_the_packs_alone(vault: Vault, harm: Callable[[Path], None]) -> None:
    with store_of(vault) as store:
        for name, content in DOCUMENTS.items():
            file(store, {name: content}, about=About("note " + name.decode(), "source", ("t",)))
        before = known(store)
        index = Path(store.folder) / "index"
    harm(index)
    with store_of(vault) as store:
        assert known(store) == before
        assert contents(store) == DOCUMENTS
        assert verify(store).whole
        again = file(store, DOCUMENTS)
        assert [one.item for one in again.filed] == [None] * 4
        file(store, {b"copy": DOCUMENTS["б/протокол".encode()]})
        assert read_manifest(store, pack_paths(store)[-1]).chunks == ()
    if harm is link_instead:
        assert (index.parent / "elsewhere").read_bytes() == b"mine"


@pytest.mark.parametrize("page", range(1, 10))
def test_a_changed_page_of_the_index_costs_nothing(vault: Vault, page: int) -> None:
    with store_of(vault) as store:
        file(store, DOCUMENTS)
        before = known(store)
        index = Path(store.folder) / "index"
    whole = bytearray(index.read_bytes())
    assert len(whole) >= 10 * 4096
    whole[page * 4096 + 2000] ^= 1
    index.write_bytes(whole)
    try:
        with store_of(vault) as store:
            known(store)
            contents(store)
    except Damaged as error:
        assert any("run the command again" in hint for hint in error.hints)
    with store_of(vault) as store:
        verify(store)
        assert known(store) == before
        assert verify(store).whole


def test_an_index_of_another_key_is_made_anew(vault: Vault, tmp_path: Path) -> None:
    other = newsroom(tmp_path / "other", label="Бакыт")
    with unlock(other) as elsewhere, store_of(elsewhere) as store:
        foreign = Path(store.folder) / "index"
    with store_of(vault) as store:
        file(store, DOCUMENTS)
        before = known(store)
        index = Path(store.folder) / "index"
    shutil.copy(foreign, index)
    with store_of(vault) as store:
        assert known(store) == before


def test_rebuild_gives_the_same_listing_and_record(store: CaseStore) -> None:
    file(store, DOCUMENTS)
    before = known(store)
    store.rebuild()
    assert known(store) == before


def test_two_processes_may_make_a_new_index_at_once(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, DOCUMENTS)
        index = Path(store.folder) / "index"
    script = (
        "import sys; from tests.support.newsroom import *\n"
        "with unlock(sys.argv[1]) as v, store_of(v) as s: print(len(listing(s)))\n"
    )
    for _ in range(3):
        remove(index)
        runs = [subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE) for _ in range(3)]
        assert [run.communicate()[0].strip() for run in runs] == [b"4"] * 3


def test_a_vault_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, DOCUMENTS)
    with (
        mounted(tmp_path / "ro", "-o", "bind,ro", folder) as read_only,
        unlock(read_only) as vault,
        store_of(vault) as store,
    ):
        assert contents(store) == DOCUMENTS
        assert verify(store).whole
        with pytest.raises(DiskFailed):
            file(store, {b"new": b"1"})


def test_a_vault_on_a_disk_without_any_room_is_read(tmp_path: Path) -> None:
    """SQLite needs room to read: without it the packs are read, and nothing changes that the index would have to know.

    On a tmpfs, which keeps none back for root.
    """
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=8m", "none") as small:
        folder = newsroom(Path(small) / "vault")
        with unlock(folder) as vault, store_of(vault) as store:
            file(store, DOCUMENTS)
        filler = Path(small) / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(small).free))
        with unlock(folder) as vault, store_of(vault) as store:
            assert "no room for the index" in vault.notices[-1]
            assert contents(store) == DOCUMENTS
            assert verify(store).whole
            with pytest.raises(DiskFailed):
                store.rebuild()
            with pytest.raises(DiskFailed):
                repair(vault, store)
            filler.unlink()  # nothing is placed either when there is room again before the store is closed
            with pytest.raises(DiskFailed):
                file(store, {b"new": b"1"})
        with unlock(folder) as vault, store_of(vault) as store:
            file(store, {b"new": b"1"})
            assert contents(store) == {**DOCUMENTS, b"new": b"1"}
            assert verify(store).whole


# The chain


@pytest.fixture
def five(store: CaseStore) -> list[Path]:
    """Five packs of one document each, after the one that made the case."""
    for number in range(5):
        file(store, {b"%d" % number: os.urandom(100)})
    return pack_paths(store)[1:]


def findings(store: CaseStore) -> dict[str, str]:
    return {finding.about: finding.what for finding in verify(store).findings}


def lost(store: CaseStore) -> set[bytes]:
    return {damaged.item.name for damaged in verify(store).damaged}


def test_a_chain_has_no_gaps(store: CaseStore, five: list[Path]) -> None:
    rows = list(store.index.packs())
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(after.previous == before.digest for before, after in pairwise(rows))
    assert findings(store) == {}


def test_a_deleted_pack_is_named_with_its_documents(store: CaseStore, five: list[Path]) -> None:
    five[2].unlink()
    assert set(findings(store)) == {five[2].stem[:8]}
    assert lost(store) == {b"2"}


def test_a_deleted_pack_shows_in_the_chain_after_the_index_is_lost(store: CaseStore, five: list[Path]) -> None:
    five[2].unlink()
    store.rebuild()
    assert findings(store) == {five[3].stem[:8]: "1 pack(s) before it are missing from the chain"}


def test_a_document_whose_earlier_pack_is_gone_is_named_after_the_index_is_lost(store: CaseStore) -> None:
    same = os.urandom(100)
    file(store, {b"first": same})
    file(store, {b"second": same})
    pack_paths(store)[1].unlink()
    store.rebuild()
    assert [item.name for item in listing(store)] == [b"second"]
    assert lost(store) == {b"second"}


def test_swapped_packs_are_both_named(store: CaseStore, five: list[Path]) -> None:
    spare = five[1].with_suffix(".tmp")
    five[1].rename(spare)
    five[3].rename(five[1])
    spare.rename(five[3])
    assert set(findings(store)) == {five[1].stem[:8], five[3].stem[:8]}
    assert lost(store) == {b"1", b"3"}
    store.rebuild()
    assert set(findings(store)) >= {five[1].stem[:8], five[3].stem[:8]}
    assert {item.name for item in listing(store)} == {b"0", b"2", b"4"}


def test_an_old_pack_put_in_place_of_a_newer_one_is_named(store: CaseStore, five: list[Path]) -> None:
    shutil.copy(five[0], five[4])
    assert set(findings(store)) == {five[4].stem[:8]}
    assert lost(store) == {b"4"}


def test_a_copy_of_a_pack_under_another_name_is_named_and_changes_nothing(
    store: CaseStore, five: list[Path]
) -> None:
    copy = five[0].with_name(pack_name(PackId(os.urandom(16))))
    shutil.copy(five[0], copy)
    store.catch_up()
    assert set(findings(store)) == {copy.stem[:8]}
    assert len(listing(store)) == 5


def test_a_fork_is_named(store: CaseStore, five: list[Path], tmp_path: Path) -> None:
    # A copy of the vault was used on its own, and what was filed there comes back.
    folder = str(Path(store.folder).parents[1])
    shutil.copytree(folder, tmp_path / "copy")
    with unlock(str(tmp_path / "copy")) as other, store_of(other) as elsewhere:
        file(elsewhere, {b"there": b"1"})
        stray = pack_paths(elsewhere)[-1]
        file(store, {b"here": b"2"})
        shutil.copy(stray, five[0].parent)
    store.catch_up()
    assert {item.name for item in listing(store)} >= {b"here", b"there"}
    assert list(findings(store).values()) == ["two packs claim place 7 in one device's chain"]


def test_the_newest_packs_are_remembered_by_the_index(store: CaseStore, five: list[Path]) -> None:
    five[4].unlink()
    assert set(findings(store)) == {five[4].stem[:8]}


def row(device: int, sequence: int, digest: bytes, previous: bytes) -> PackRow:
    return PackRow(0, PackId(os.urandom(16)), 1, bytes([device]), b"", sequence, digest, previous, DAY, 0)


def chain_of(device: int, length: int) -> list[PackRow]:
    digests = [bytes([device, number]) for number in range(length)]
    return [row(device, n + 1, digests[n], digests[n - 1] if n else b"") for n in range(length)]


lengths = st.lists(st.integers(1, 8), min_size=1, max_size=4)


@given(lengths)
def test_whole_chains_give_no_findings(each: list[int]) -> None:
    assert list(judge_chains([pack for device, n in enumerate(each) for pack in chain_of(device, n)])) == []


@given(lengths, st.data())
def test_one_pack_less_in_the_middle_of_a_chain_gives_one_finding(each: list[int], data: st.DataObject) -> None:
    packs = [pack for device, n in enumerate(each) for pack in chain_of(device, n)]
    inner = [n for n, (pack, after) in enumerate(pairwise(packs)) if pack.device == after.device]
    if inner:
        gone = data.draw(st.sampled_from(inner))
        (finding,) = judge_chains(packs[:gone] + packs[gone + 1 :])
        assert finding.about == packs[gone + 1].pack.hex()[:8]


@given(lengths, st.data())
def test_one_pack_that_was_exchanged_gives_a_finding(each: list[int], data: st.DataObject) -> None:
    packs = [pack for device, n in enumerate(each) for pack in chain_of(device, n)]
    inner = [n for n, (pack, after) in enumerate(pairwise(packs)) if pack.device == after.device]
    if inner:
        place = data.draw(st.sampled_from(inner))
        packs[place] = replace(packs[place], digest=b"other")
        (finding,) = judge_chains(packs)
        assert finding.what == "it does not continue the pack before it"


# Several at once


_ADD = """
import sys
from tests.support.newsroom import file, store_of, unlock
with unlock(sys.argv[1]) as vault, store_of(vault) as store:
    for number in range(12):
        file(store, {b"%s %d" % (sys.argv[2].encode(), number): b"%d" % number * 50, b"same": b"same"})
"""


def test_two_processes_file_into_one_case_at_once(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    runs = [subprocess.Popen([sys.executable, "-c", _ADD, folder, who]) for who in ("one", "two")]
    assert [run.wait() for run in runs] == [0, 0]
    with unlock(folder) as vault, store_of(vault) as store:
        expected = {f"{who} {n}".encode(): b"%d" % n * 50 for who in ("one", "two") for n in range(12)}
        assert contents(store) == expected | {b"same": b"same"}
        assert verify(store).whole
        store.rebuild()
        assert contents(store) == expected | {b"same": b"same"}
        assert verify(store).whole


_ADD_FOR_EVER = """
import sys
from tests.support.newsroom import file, store_of, unlock
from vault.errors import Wiped
with unlock(sys.argv[1]) as vault, store_of(vault) as store:
    print("ready", flush=True)
    try:
        for number in range(100_000):
            file(store, {b"%d" % number: b"%d" % number * 9000})
            if number == 3:
                print("filing", flush=True)
    except Wiped:
        print("wiped", flush=True)
"""


@pytest.mark.parametrize("keep", [False, True])
def test_a_wipe_stops_an_add_in_another_process_and_nothing_comes_back(tmp_path: Path, keep: bool) -> None:
    folder = newsroom(tmp_path / "vault")
    run = subprocess.Popen([sys.executable, "-c", _ADD_FOR_EVER, folder], stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert [run.stdout.readline() for _ in range(2)] == [b"ready\n", b"filing\n"]
    report = panic(folder, keep=keep, discard=False)
    assert report.keys_gone
    assert run.stdout.readline() == b"wiped\n"
    assert run.wait() == 0
    if keep:
        with pytest.raises(DoesNotOpen):
            unlock(folder)
    else:
        with pytest.raises((NoVault, Wiped)):
            LockedVault.at(folder, disk=Disk(), floor=CHEAP)
        assert [path for path in Path(folder).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("keep", [False, True])
def test_an_open_vault_writes_nothing_after_a_wipe(vault: Vault, store: CaseStore, tmp_path: Path, keep: bool) -> None:
    file(store, DOCUMENTS)
    panic(vault.folder, keep=keep, discard=False)
    before = sorted(Path(vault.folder).rglob("*")) if keep else []
    (tmp_path / "file").write_text("x")
    with pytest.raises(Wiped):
        file(store, {b"late": b"1"})
    with pytest.raises(Wiped):
        store.record()
    with pytest.raises(Wiped):
        vault.change_book(lambda book: book)
    store.close()
    assert [path for path in sorted(Path(vault.folder).rglob("*")) if path not in before] == []


# What may not be filed


def test_what_a_reader_would_refuse_is_never_written(store: CaseStore) -> None:
    packs = pack_paths(store)
    for about in (About("n" * 65_537), About(tags=("a\0b",)), About(tags=("",)), About(tags=("t",) * 101)):
        with pytest.raises(BadInput):
            file(store, {b"a": b"1"}, about=about)
    with pytest.raises(BadInput):
        file(store, {b"n" * 4097: b"1"})
    assert pack_paths(store) == packs
    assert os.listdir(Path(store.folder) / "packs") == [path.name for path in packs]


def test_an_item_is_found_by_id_prefix_and_path_in_all_cases(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("x")
    add_paths(vault, tmp_path / "report.txt")
    with store_of(vault) as store:
        (item,) = listing(store)
    for reference in ("report.txt", item.id.hex(), item.id.hex()[:6], item.id.hex()[:6].upper()):
        assert find_item(vault, None, reference)[1].id == item.id


def test_a_search_finds_names_notes_sources_and_tags_whatever_the_letters(store: CaseStore) -> None:
    file(store, {"Протокол Ёлкина.pdf".encode(): b"1"}, about=About("Көчө", "ИСТОЧНИК", ("Мэрия",)))
    file(store, {b"other": b"2"})
    for text in ("елкин", "ПРОТОКОЛ", "көчө", "источник", "мэрия"):
        assert [item.size for item in store.index.items(containing=text)] == [1]
    assert list(store.index.items(containing="nothing like it")) == []


def test_a_stranger_who_may_not_file_is_not_an_author(store: CaseStore) -> None:
    assert Identity.generate().signing_public not in store.keys.authors(1)


def test_a_sweep_never_takes_a_file_that_is_being_written(tmp_path: Path) -> None:
    """Sweeping again and again beside a writer: every file arrives."""
    disk, stop = Disk(), threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            Disk().sweep(str(tmp_path))

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for n in range(200):
            disk.replace(str(tmp_path / f"{n}"), b"whole")
    finally:
        stop.set()
        for sweeper in sweepers:
            sweeper.join()
    assert sorted(os.listdir(tmp_path)) == sorted(str(n) for n in range(200))


# A sample


def test_a_sample_reads_so_many_packs_and_the_documents_in_them(store: CaseStore, five: list[Path]) -> None:
    verdict = verify(store, sample=2)
    assert (verdict.packs, verdict.sample_of, verdict.whole) == (2, 6, True)
    assert verdict.items <= 2
    whole = verify(store, sample=6)
    assert (whole.packs, whole.sample_of, whole.items) == (6, None, 5)


def test_samples_find_a_harmed_pack_when_they_draw_it_and_a_missing_one_always(
    store: CaseStore, five: list[Path]
) -> None:
    harmed = bytearray(five[2].read_bytes())
    harmed[-100] ^= 1
    five[2].write_bytes(harmed)
    drawn = [verify(store, sample=5).whole for _ in range(40)]  # each draws it with five chances in six
    assert False in drawn
    five[2].unlink()
    assert not verify(store, sample=1).whole
