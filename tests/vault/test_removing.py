# SPDX-License-Identifier: Apache-2.0
"""Documents taken out of a case, and packs put together: what goes, what stays, and that nothing comes back."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.secret import Secret
from tests.support.newsroom import (
    add_paths,
    contents,
    incoming,
    listing,
    newsroom,
    pack_paths,
    packs_folder,
    read_manifest,
    reload,
    store_of,
    unlock,
    write_pack,
)
from tests.support.newsroom import file as file_in
from tests.support.stopping import stopped_at_each_change
from vault.cases import find_case, grant, open_store, revoke
from vault.compacting import Compacted, compact
from vault.disk import Disk
from vault.errors import Busy, DamagedPack, DiskFailed
from vault.filing import find_item
from vault.manifest import Replacement, decode, encode, replaced_by
from vault.model import EVENT_FILED, EVENT_REMOVED, EVENT_REWRITTEN, Move, Replaced
from vault.removing import Removed, remove
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import verify

BIG = 1_044_480
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""What is proven here is the order of changes: a disk that syncs only makes it slow."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


def take_out(vault: Vault, *names: str, reason: str = "") -> Removed:
    case = find_case(vault, "Mine")
    return remove(vault, case, [find_item(vault, "Mine", name)[1] for name in names], reason=reason)


def put_together(vault: Vault) -> Compacted:
    return compact(vault, find_case(vault, "Mine"))


def files(store: CaseStore) -> list[str]:
    return sorted(os.listdir(packs_folder(store)))


def sound(vault: Vault) -> dict[bytes, bytes]:
    """What the case holds, after checking that it is whole, and that the packs alone say the same."""
    with store_of(vault) as store:
        verdict = verify(store)
        assert (verdict.findings, verdict.damaged) == ([], [])
        held, events = contents(store), [row.event for row in store.index.events()]
        store.rebuild()
        assert store.findings == []
        assert contents(store) == held
        assert {row.event for row in store.index.events()} == set(events)
        assert verify(store).whole
        return held


def all_text_in(vault: Vault) -> bytes:
    """Every byte that the case's packs hold, opened and unpacked, manifests too."""
    found = b""
    with store_of(vault) as store:
        for path in packs_folder(store).iterdir():
            manifest = read_manifest(store, path)
            found += encode(manifest)
            for no in range(len(manifest.chunks)):
                found += store.read_chunk(manifest.pack, no)[1]  # type: ignore[arg-type]
    return found


def test_a_removed_document_is_in_no_pack_any_more_and_its_neighbours_are(vault: Vault) -> None:
    with store_of(vault) as store:
        file_in(store, {b"witness-list": b"names of witnesses" * 9, b"memo": b"plov" * 50})
        item = store.find("witness-list")
    done = take_out(vault, "witness-list", reason="asked for by the source")
    assert (done.packs, done.sharing, done.exported) == (1, 0, 0)
    assert sound(vault) == {b"memo": b"plov" * 50}
    text = all_text_in(vault)
    assert b"witness" not in text and item.sha256 not in text
    assert item.id in text and b"asked for by the source" in text
    with store_of(vault) as store:
        (event,) = (row.event for row in store.index.events(EVENT_REMOVED))
        assert (event.items, event.detail) == ((item.id,), "asked for by the source")
        filed = next(row for row in store.index.events(EVENT_FILED))
        assert item.id in filed.event.items and filed.pack.replaced_by


def test_a_chunk_that_another_document_needs_stays_and_the_caller_is_told(vault: Vault) -> None:
    shared = os.urandom(BIG)
    with store_of(vault) as store:
        file_in(store, {b"one": shared + b"tail of one"})
        file_in(store, {b"two": shared + b"tail of two"})
        assert len({extent.pack for extent in store.find("two").extents}) == 2
    assert take_out(vault, "one").sharing == 1
    assert sound(vault) == {b"two": shared + b"tail of two"}
    assert b"tail of one" not in all_text_in(vault)


def test_a_document_over_several_packs_leaves_all_of_them(vault: Vault) -> None:
    large, other = os.urandom(40 << 20), os.urandom(3 * BIG)
    with store_of(vault) as store:
        file_in(store, {b"other": other, b"large": large})
        assert len(files(store)) == 3
        before = sum(path.stat().st_size for path in packs_folder(store).iterdir())
    done = take_out(vault, "large")
    assert done.packs == 2 and done.freed > 40 << 20
    assert sound(vault) == {b"other": other}
    with store_of(vault) as store:
        assert sum(path.stat().st_size for path in packs_folder(store).iterdir()) == before - done.freed


def test_what_was_removed_can_be_filed_again_and_is_stored_again(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "memo").write_bytes(b"plov" * 50)
    os.utime(tmp_path / "memo", ns=(1, 1))
    add_paths(vault, tmp_path / "memo")
    take_out(vault, "memo")
    outcome = add_paths(vault, tmp_path / "memo")
    assert outcome.filed[0].item is not None
    assert sound(vault) == {b"memo": b"plov" * 50}


def test_marks_of_what_stays_are_kept_when_packs_are_written_anew(vault: Vault, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        add_paths(vault, tmp_path / name)
    with store_of(vault) as store:
        known = dict(store.index._rows("SELECT mark, item FROM marks"))
    put_together(vault)
    with store_of(vault) as store:
        assert dict(store.index._rows("SELECT mark, item FROM marks")) == known
        assert {item.item for item in add_paths(vault, tmp_path / "one", tmp_path / "two").filed} == {None}


def test_small_packs_become_one_and_a_second_run_does_nothing(vault: Vault) -> None:
    documents = {b"doc-%d" % n: b"samsa %d" % n * 20 for n in range(12)}
    with store_of(vault) as store:
        for name, content in documents.items():
            file_in(store, {name: content})
        assert len(files(store)) == 13
        ids = {item.id for item in listing(store)}
    done = put_together(vault)
    assert (done.before, done.after, done.left) == (13, 1, [])
    assert sound(vault) == documents
    with store_of(vault) as store:
        assert {item.id for item in listing(store)} == ids
        assert len(list(store.index.events(EVENT_REWRITTEN))) == 1
        one = files(store)
    again = put_together(vault)
    assert (again.before, again.after, again.freed) == (1, 1, 0)
    with store_of(vault) as store:
        assert files(store) == one


def test_chains_stay_whole_over_generations_of_replaced_packs(vault: Vault) -> None:
    held: dict[bytes, bytes] = {}
    for generation in range(4):
        with store_of(vault) as store:
            for n in range(3):
                name = b"g%d-%d" % (generation, n)
                held |= {name: os.urandom(300)}
                file_in(store, {name: held[name]})
        if generation % 2:
            del held[b"g%d-1" % generation]
            take_out(vault, f"g{generation}-1")
        put_together(vault)
        assert sound(vault) == held
    with store_of(vault) as store:
        rows = list(store.index.packs())
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert [bool(row.replaced_by) for row in rows] == [True] * (len(rows) - 1) + [False]


def test_a_pack_that_was_taken_away_is_missed_also_after_the_case_was_compacted(vault: Vault) -> None:
    with store_of(vault) as store:
        file_in(store, {b"one": b"1"})
    put_together(vault)
    with store_of(vault) as store:
        file_in(store, {b"two": b"2"})
        file_in(store, {b"three": b"3"})
        pack_paths(store)[-2].unlink()
        store.rebuild()
        (finding,) = verify(store).findings
        assert finding.what == "1 pack(s) before it are missing from the chain"


def test_an_old_pack_that_comes_back_from_a_copy_brings_nothing_back(vault: Vault) -> None:
    with store_of(vault) as store:
        file_in(store, {b"secret": b"s" * 99, b"memo": b"m" * 99})
        (old,) = (path for path in pack_paths(store) if read_manifest(store, path).items)
        kept = old.read_bytes()
    take_out(vault, "secret")
    old.write_bytes(kept)
    with store_of(vault) as store:
        assert not old.exists()  # whoever signed the replacement opens the case: it goes
    old.write_bytes(kept)
    case = find_case(vault, "Mine")
    store = CaseStore(
        str(old.parent.parent), case.keys, vault.me, vault.device_secret,
        disk=Disk(), alive=vault.check_alive, clock=vault.clock,
    )  # fmt: skip
    with store:
        old.write_bytes(kept)
        store.rebuild()
        assert contents(store) == {b"memo": b"m" * 99}
        verdict = verify(store)
        assert verdict.whole and "compact" in verdict.remarks[0].what


@pytest.mark.parametrize("index_lost", [False, True])
def test_stopped_anywhere_a_removal_was_done_or_not_and_no_other_document_is_hurt(
    tmp_path: Path, index_lost: bool
) -> None:
    base = newsroom(tmp_path / "base")
    shared = os.urandom(BIG)
    kept = {b"two": shared + b"2", b"memo": b"plov"}
    with unlock(base) as vault, store_of(vault) as store:
        file_in(store, {b"one": shared + b"1" * 40})
        file_in(store, kept)
    states = set()
    for _, folder in stopped_at_each_change(base, tmp_path, lambda vault: take_out(vault, "one")):
        if index_lost:
            for path in Path(folder).glob("cases/*/index*"):
                path.unlink()
        with unlock(folder) as vault:
            held = sound(vault)
            there = b"one" in held
            states.add(there)
            assert held == (kept | {b"one": shared + b"1" * 40} if there else kept)
            with store_of(vault) as store:
                assert bool(list(store.index.events(EVENT_REMOVED))) is not there
                assert store.replaced_packs() == set()
            if there:
                take_out(vault, "one")
            put_together(vault)
            assert sound(vault) == kept
            assert b"1" * 40 not in all_text_in(vault)
    assert states == {True, False}


def test_stopped_anywhere_a_compaction_loses_nothing_and_can_be_run_again(tmp_path: Path) -> None:
    base = newsroom(tmp_path / "base")
    documents = {b"doc-%d" % n: os.urandom(200) for n in range(3)}
    with unlock(base) as vault, store_of(vault) as store:
        for name, content in documents.items():
            file_in(store, {name: content})
    for _, folder in stopped_at_each_change(base, tmp_path, put_together):
        with unlock(folder) as vault:
            assert sound(vault) == documents
            put_together(vault)
            assert sound(vault) == documents
            with store_of(vault) as store:
                assert len([name for name in files(store) if name.endswith(".age")]) == 1


def test_filing_that_relied_on_what_is_removed_meanwhile_is_refused_and_works_again(vault: Vault) -> None:
    shared = os.urandom(BIG)
    with store_of(vault) as store:
        file_in(store, {b"one": shared})

        def documents() -> Iterator[object]:
            yield incoming(b"two", shared + b"2")
            yield incoming(b"three", os.urandom(24 * BIG))  # by now the first is found to be here
            take_out(vault, "one")

        with pytest.raises(Busy):
            file_in(store, documents())  # type: ignore[arg-type]
    assert sound(vault) == {}
    with store_of(vault) as store:
        file_in(store, {b"two": shared + b"2"})
    assert sound(vault) == {b"two": shared + b"2"}


def test_another_member_s_pack_that_lies_about_what_it_replaces_is_not_listed(vault: Vault) -> None:
    with store_of(vault) as store:
        file_in(store, {b"secret": b"s" * 99})
        path = pack_paths(store)[-1]
        old = read_manifest(store, path)
        row = store.index.pack(old.pack)  # type: ignore[arg-type]
        assert row is not None
        said = Replaced(old.pack, 1, old.device, old.author, row.sequence, row.digest, row.previous, row.created_ns,
                        old.events, ())  # fmt: skip
        pack = os.urandom(16)
        forged = Replacement(
            2, store.keys.case_id, 1, pack, os.urandom(16), vault.me.signing_public, 1, b"", 0, (), (), (), (said,)
        )
        write_pack(store, forged, [], vault.me)
        store.catch_up()
        assert "loses or changes a document" in store.findings[0].what
        assert contents(store) == {b"secret": b"s" * 99}
        store.rebuild()
        assert contents(store) == {b"secret": b"s" * 99}
        assert verify(store).findings


def test_a_pack_of_a_colleague_is_read_before_it_is_vouched_for(vault: Vault) -> None:
    entry = vault.add_journalist("Бакыт", Secret(b"second passphrase"))
    case = grant(vault, find_case(vault, "Mine"), entry.card, "Бакыт")
    with store_of(vault) as store:
        file_in(store, {b"memo": b"plov"})
    with unlock(vault.folder, "second passphrase") as theirs, store_of(theirs) as store:
        file_in(store, {b"theirs": b"samsa" * 30})
    put_together(vault)
    assert sound(vault) == {b"memo": b"plov", b"theirs": b"samsa" * 30}
    with store_of(vault) as store:
        authors = {row.author for row in store.index.packs() if row.replaced_by}
        assert authors == {vault.me.signing_public, entry.card.signing}
    revoked = revoke(vault, reload(vault, case), entry.card, "Бакыт")
    put_together(vault)
    with open_store(vault, revoked) as store:
        verdict = verify(store)
        assert verdict.whole


def sample(**changes: object) -> Replacement:
    one = Replaced(b"o" * 16, 1, b"d" * 16, b"a" * 32, 1, b"h" * 32, b"", 0, (), ())
    values: dict[str, object] = {
        "version": 2, "case": b"c" * 16, "epoch": 1, "pack": b"p" * 16, "device": b"d" * 16, "author": b"a" * 32,
        "sequence": 2, "previous": b"h" * 32, "created_ns": 0, "chunks": (), "items": (), "events": (),
        "replaced": (one,),
    }  # fmt: skip
    return Replacement(**(values | changes))  # type: ignore[arg-type]


def stands_for(**changes: object) -> tuple[Replaced, ...]:
    values: dict[str, object] = {
        "pack": b"o" * 16, "epoch": 1, "device": b"d" * 16, "author": b"a" * 32, "sequence": 1, "digest": b"h" * 32,
        "previous": b"", "created_ns": 0, "events": (), "moves": (),
    }  # fmt: skip
    return (Replaced(**(values | changes)),)  # type: ignore[arg-type]


def test_a_proper_replacement_is_read_back_as_it_was_written() -> None:
    assert decode(encode(sample())) == sample()
    assert len(replaced_by(decode(encode(sample())))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"replaced": ()},
        {"version": 1},
        {"replaced": stands_for(pack=b"p" * 16)},
        {"replaced": stands_for() * 2},
        {"replaced": stands_for(epoch=2)},
        {"replaced": stands_for(sequence=2)},
        {"replaced": stands_for(previous=b"x")},
        {"replaced": stands_for(moves=(Move(0, 1, 0),))},
        {"replaced": stands_for(moves=(Move(0, 0, 0),))},
    ],
)
def test_a_replacement_that_breaks_the_format_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DamagedPack):
        decode(encode(sample(**changes)))


class _Lying(Disk):
    """A medium that damages the pack that is written last, once it has its name."""

    def __init__(self) -> None:
        self.armed = False

    def publish(self, temporary: str, path: str) -> None:
        super().publish(temporary, path)
        if self.armed and path.endswith(".age"):
            self.armed = False
            with open(path, "r+b") as pack:
                pack.seek(-20_000, os.SEEK_END)
                pack.write(bytes(100))


def test_a_medium_that_gives_back_other_bytes_costs_nothing(tmp_path: Path) -> None:
    disk = _Lying()
    with unlock(newsroom(tmp_path / "vault"), disk=disk) as vault:
        with store_of(vault) as store:
            file_in(store, {b"memo": b"plov", b"other": b"samsa"})
            before = files(store)
        disk.armed = True
        with pytest.raises(DiskFailed):
            take_out(vault, "memo")
        assert sound(vault) == {b"memo": b"plov", b"other": b"samsa"}
        with store_of(vault) as store:
            assert files(store) == before
        take_out(vault, "memo")
        assert sound(vault) == {b"other": b"samsa"}


def test_a_pack_that_does_not_read_whole_is_left_as_it_is(vault: Vault) -> None:
    content = os.urandom(200_000)
    with store_of(vault) as store:
        file_in(store, {b"memo": b"plov", b"other": content})
        path = pack_paths(store)[-1]
        with path.open("r+b") as pack:
            pack.seek(100_000)
            pack.write(bytes(100))
        damaged = path.read_bytes()
    with pytest.raises(DamagedPack):
        take_out(vault, "memo")
    done = put_together(vault)
    assert done.before == done.after and len(done.left) == 2
    assert path.read_bytes() == damaged


def test_a_file_that_has_another_name_keeps_its_bytes_there(vault: Vault, tmp_path: Path) -> None:
    with store_of(vault) as store:
        file_in(store, {b"memo": b"plov"})
        path = pack_paths(store)[-1]
    os.link(path, tmp_path / "copy")
    content = path.read_bytes()
    take_out(vault, "memo")
    assert not path.exists()
    assert (tmp_path / "copy").read_bytes() == content


def test_another_s_replacement_is_followed_and_deletes_no_file_until_the_case_is_compacted(tmp_path: Path) -> None:
    """Two copies of a vault: what one removes, the other, once it gets the pack, lists no more and keeps."""
    first = newsroom(tmp_path / "first")
    with unlock(first) as vault:
        entry = vault.add_journalist("Бакыт", Secret(b"second passphrase"))
        grant(vault, find_case(vault, "Mine"), entry.card, "Бакыт")
        with store_of(vault) as store:
            file_in(store, {b"memo": b"plov", b"other": b"samsa"})
    second = str(tmp_path / "second")
    shutil.copytree(first, second)
    with unlock(first, "second passphrase") as theirs:
        take_out(theirs, "memo")
        with store_of(theirs) as store:
            new = {path.name: path.read_bytes() for path in packs_folder(store).iterdir()}
    with unlock(second) as vault:
        with store_of(vault) as store:
            folder, old = packs_folder(store), set(files(store))
        for name, content in new.items():
            (folder / name).write_bytes(content)
        assert sound(vault) == {b"other": b"samsa"}
        assert set(files(store_of(vault))) == old | set(new)
        put_together(vault)
        assert sound(vault) == {b"other": b"samsa"}
        assert len(files(store_of(vault))) == 1


def test_bytes_that_stay_in_a_damaged_pack_are_named(vault: Vault) -> None:
    """The document is off every list; the pack that holds a part of it and does not read whole is left, and said."""
    with store_of(vault) as store:
        file_in(store, {b"other": os.urandom(3 * BIG), b"large": os.urandom(40 << 20)})
        first = min(store.index.packs(), key=lambda row: (not row.size > 1 << 20, row.sequence))
        path = packs_folder(store) / f"{first.pack.hex()}.age"
        with path.open("r+b") as pack:
            pack.seek(100_000)
            pack.write(bytes(100))
    done = take_out(vault, "large")
    assert [finding.about for finding in done.left] == [first.pack.hex()[:8]]
    with store_of(vault) as store:
        assert [item.name for item in listing(store)] == [b"other"]
