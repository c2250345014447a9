# SPDX-License-Identifier: Apache-2.0
"""Repair: what rot leaves is kept, what does not read is put aside and named, and a stopped repair can be run again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.age import BLOCK_SIZE, seal, sealed_size
from keys.identity import Identity
from keys.stream import SEALED_BLOCK_SIZE, TAG_SIZE
from tests.support.newsroom import (
    add_paths,
    contents,
    file,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
    write_pack,
)
from tests.support.stopping import Stopped, StoppingDisk, count_steps
from vault import layout
from vault.disk import Disk
from vault.errors import DamagedVault, NewerFormat
from vault.manifest import Manifest
from vault.mending import write_parity
from vault.model import EVENT_MENDED, EVENT_PUT_ASIDE, EVENT_PUT_BACK, EVENT_SAVED
from vault.panic import panic
from vault.protecting import protect
from vault.repairing import Repaired, repair
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import verify

FIRST, LATER = os.urandom(5_000), os.urandom(3_000)
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


@pytest.fixture
def filed(store: CaseStore) -> CaseStore:
    """A case with two documents in a pack each, and a pack after them."""
    file(store, {b"first": FIRST})
    file(store, {b"later": LATER})
    return store


def pack_with(store: CaseStore, name: bytes) -> Path:
    """The file of the pack in which a document is listed."""
    return next(p for p in pack_paths(store) if p.exists() and name in {i.name for i in read_manifest(store, p).items})


def break_whole(path: Path) -> bytes:
    """Damage a pack so that nothing of it opens; what it held."""
    held = path.read_bytes()
    path.write_bytes(bytes(b ^ 1 for b in held[:4096]) + held[4096:])
    return held


def kinds(store: CaseStore) -> list[str]:
    return [row.event.kind for row in store.index.events()]


def aside(store: CaseStore) -> list[Path]:
    return sorted((Path(store.folder) / layout.QUARANTINE).glob("*"))


def run(vault: Vault, store: CaseStore) -> Repaired:
    return repair(vault, store)


def test_a_whole_case_is_left_as_it_is(vault: Vault, filed: CaseStore) -> None:
    before = {path: path.read_bytes() for path in pack_paths(filed)}
    done = run(vault, filed)
    assert done.verdict.whole
    assert (done.mended, done.put_aside, done.put_back, done.lost) == ([], [], [], [])
    assert {path: path.read_bytes() for path in pack_paths(filed)} == before


def test_a_pack_that_does_not_open_is_put_aside_and_what_it_cost_is_named(vault: Vault, filed: CaseStore) -> None:
    broken = pack_with(filed, b"first")
    break_whole(broken)
    damaged = broken.read_bytes()
    done = run(vault, filed)
    assert [lost.item.name for lost in done.lost] == [b"first"]
    assert contents(filed) == {b"later": LATER}
    assert done.verdict.whole, done.verdict.findings
    assert any("put aside" in remark.what and "1 document(s)" in remark.what for remark in done.verdict.remarks)
    assert [path.read_bytes() for path in aside(filed)] == [damaged]
    assert not broken.exists()
    events = list(filed.index.events(EVENT_PUT_ASIDE))
    assert len(events) == 1
    assert "first" in events[0].event.detail


def test_the_gap_is_explained_also_by_a_new_index_and_only_by_the_record(vault: Vault, filed: CaseStore) -> None:
    break_whole(pack_with(filed, b"first"))
    run(vault, filed)
    filed.rebuild()
    assert verify(filed).whole
    recorded = [row.pack for row in filed.index.packs()][-1]
    os.unlink(Path(filed.folder) / "packs" / f"{recorded.hex()}.age")
    filed.rebuild()
    assert any("missing from the chain" in finding.what for finding in verify(filed).findings)


def test_another_gap_is_still_a_finding(vault: Vault, filed: CaseStore) -> None:
    file(filed, {b"last": b"x"})
    break_whole(pack_with(filed, b"first"))
    run(vault, filed)
    os.unlink(pack_with(filed, b"later"))
    filed.rebuild()
    assert any("missing from the chain" in finding.what for finding in verify(filed).findings)


def test_without_an_index_the_pack_s_place_is_unknown_and_the_gap_says_so(vault: Vault, filed: CaseStore) -> None:
    break_whole(pack_with(filed, b"first"))
    filed.rebuild()
    done = run(vault, filed)
    assert contents(filed) == {b"later": LATER}
    assert any("perhaps these" in finding.what for finding in done.verdict.findings)
    assert any("are not known" in remark.what for remark in done.verdict.remarks)


def test_a_second_repair_does_and_records_nothing_more(vault: Vault, filed: CaseStore) -> None:
    break_whole(pack_with(filed, b"first"))
    run(vault, filed)
    before = kinds(filed)
    done = run(vault, filed)
    assert done.put_aside == []
    assert kinds(filed) == before


def test_a_pack_that_reads_again_goes_back(vault: Vault, filed: CaseStore) -> None:
    held = break_whole(pack_with(filed, b"first"))
    run(vault, filed)
    aside(filed)[0].write_bytes(held)
    done = run(vault, filed)
    assert len(done.put_back) == 1
    assert contents(filed) == {b"first": FIRST, b"later": LATER}
    assert done.verdict.whole
    assert done.verdict.remarks == []
    assert aside(filed) == []
    assert EVENT_PUT_BACK in kinds(filed)


def test_moving_the_file_back_by_hand_is_enough(vault: Vault, filed: CaseStore) -> None:
    broken = pack_with(filed, b"first")
    held = break_whole(broken)
    run(vault, filed)
    aside(filed)[0].rename(broken)
    broken.write_bytes(held)
    filed.catch_up()
    assert contents(filed) == {b"first": FIRST, b"later": LATER}
    assert verify(filed).whole


def test_parity_mends_before_anything_is_put_aside(vault: Vault, filed: CaseStore) -> None:
    protect(filed, 5, disk=Disk())
    broken = pack_with(filed, b"first")
    held = break_whole(broken)
    done = run(vault, filed)
    assert broken.read_bytes() == held
    assert (len(done.mended), done.put_aside, done.lost) == (1, [], [])
    assert done.verdict.whole
    assert contents(filed) == {b"first": FIRST, b"later": LATER}
    assert EVENT_MENDED in kinds(filed)


def test_parity_mends_a_pack_that_the_index_never_knew(vault: Vault, filed: CaseStore) -> None:
    protect(filed, 5, disk=Disk())
    break_whole(pack_with(filed, b"first"))
    filed.rebuild()
    assert run(vault, filed).verdict.whole
    assert contents(filed) == {b"first": FIRST, b"later": LATER}


def test_parity_of_another_true_pack_does_not_take_a_pack_s_place(vault: Vault, filed: CaseStore) -> None:
    """Somebody writes parity that gives back a pack of this case under the name of another."""
    broken, other = pack_with(filed, b"first"), pack_with(filed, b"later")
    protect(filed, 5, disk=Disk())
    parity = Path(filed.folder) / layout.PARITY / f"{broken.stem}.par"
    write_parity(Disk(), bytes.fromhex(broken.stem), str(other), str(parity), 100)
    break_whole(broken)
    done = run(vault, filed)
    assert done.mended == []
    assert len(done.put_aside) == 1
    assert not broken.exists()


def test_parity_is_not_made_of_damaged_packs_and_goes_with_its_pack(vault: Vault, filed: CaseStore) -> None:
    first = protect(filed, 5, disk=Disk())
    assert first.made == len(pack_paths(filed))
    again = protect(filed, 5, disk=Disk())
    assert (again.made, again.kept) == (0, first.made)
    assert protect(filed, 40, disk=Disk()).made == first.made
    gone = pack_with(filed, b"later")
    os.unlink(gone)
    filed.rebuild()
    assert protect(filed, 5, disk=Disk()).removed == 1
    break_whole(pack_with(filed, b"first"))
    parity = {p: p.read_bytes() for p in (Path(filed.folder) / layout.PARITY).iterdir()}
    protect(filed, 50, disk=Disk())
    broken = Path(filed.folder) / layout.PARITY / f"{pack_with_name(parity, filed)}.par"
    assert broken.read_bytes() == parity[broken]
    assert protect(filed, 0, disk=Disk()).removed == len(parity)
    assert list((Path(filed.folder) / layout.PARITY).iterdir()) == []


def pack_with_name(parity: dict[Path, bytes], store: CaseStore) -> str:
    """The pack among those with parity that verify calls broken."""
    return next(pack.hex() for pack in verify(store).broken if any(p.stem == pack.hex() for p in parity))


def test_documents_that_still_read_in_a_pack_without_a_list_are_filed_again(vault: Vault, store: CaseStore) -> None:
    large = os.urandom(66 * BLOCK_SIZE - 164)  # so that the list begins in one block and ends in the next; two follow
    file(store, {b"large": large, b"other": b"x"})
    path = pack_with(store, b"large")
    held = bytearray(path.read_bytes())
    held[sealed_size(0, [store.keys.epochs[-1].recipient]) - TAG_SIZE + 66 * SEALED_BLOCK_SIZE + 5] ^= 1
    path.write_bytes(held)
    old = {item.name: item.id.hex() for item in listing(store)}
    done = run(vault, store)
    assert done.put_aside == [bytes.fromhex(path.stem)]
    assert (done.saved, done.lost) == (2, [])
    assert contents(store) == {b"large": large, b"other": b"x"}
    said = "".join(row.event.detail for row in store.index.events(EVENT_SAVED))
    assert all(item in said for item in old.values())
    assert done.verdict.whole
    store.rebuild()
    assert contents(store) == {b"large": large, b"other": b"x"}


def test_a_pack_that_may_not_be_read_is_no_damage(vault: Vault, filed: CaseStore) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = pack_with(filed, b"first")
    path.chmod(0)
    assert run(vault, filed).put_aside == []
    assert path.exists()


def test_a_stranger_s_whole_pack_is_not_put_aside(vault: Vault, filed: CaseStore) -> None:
    stranger = Identity.generate()
    manifest = Manifest(1, filed.keys.case_id, 1, os.urandom(16), os.urandom(16), stranger.signing_public, 1, b"", 0,
                        (), (), ())  # fmt: skip
    path = write_pack(filed, manifest, [], stranger)
    done = run(vault, filed)
    assert path.exists()
    assert done.put_aside == []


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as where:
        folder = newsroom(Path(where) / "vault")
        for name, content in (("first", FIRST), ("later", LATER)):
            (Path(where) / name).write_bytes(content)
            with unlock(folder) as vault:
                add_paths(vault, Path(where) / name)
        with unlock(folder) as vault, store_of(vault) as store:
            protect(store, 5, disk=Disk())
            hopeless, mendable = pack_with(store, b"later"), pack_with(store, b"first")
            break_whole(mendable)
            hopeless.write_bytes(os.urandom(hopeless.stat().st_size))
        yield folder


def test_stopped_anywhere_a_repair_can_be_run_again(base: str) -> None:
    """One pack is mended, another put aside: at any point nothing is lost that was there, and the next run ends it."""

    def whole_run(folder: str, disk: Disk) -> None:
        with unlock(folder, disk=disk) as vault, store_of(vault) as store:
            repair(vault, store)

    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as where:
        whole = shutil.copytree(base, Path(where) / "whole")
        steps = count_steps(lambda disk: whole_run(str(whole), disk))
        assert steps > 10
        for n in range(steps):
            folder = str(shutil.copytree(base, Path(where) / "stopped"))
            with pytest.raises(Stopped):
                whole_run(folder, StoppingDisk(n))
            with unlock(folder) as vault, store_of(vault) as store:
                done = repair(vault, store)
                assert contents(store) == {b"first": FIRST}, n
                assert done.verdict.whole, (n, done.verdict.findings)
                assert len(aside(store)) == 1, n
                assert kinds(store).count(EVENT_PUT_ASIDE) == 1, n
            shutil.rmtree(folder)


def test_the_wipe_takes_parity_and_quarantine_along(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {b"first": FIRST})
        protect(store, 5, disk=Disk())
        pack_with(store, b"first").write_bytes(b"nothing")
        repair(vault, store)
        assert aside(store)
        assert list((Path(store.folder) / layout.PARITY).iterdir())
    report = panic(folder, discard=False)
    assert not os.path.exists(folder)
    assert report.left_behind == ()


def test_a_pack_of_a_newer_version_is_named_so_and_stays(vault: Vault, filed: CaseStore) -> None:
    name = os.urandom(16)
    path = Path(filed.folder) / "packs" / f"{name.hex()}.age"
    path.write_bytes(seal(b"sandyk pack 2\n" + bytes(40_000), [filed.keys.epochs[-1].recipient]))
    done = run(vault, filed)
    assert path.exists()
    assert done.put_aside == []
    assert any("newer sandyk" in finding.what for finding in filed.findings)


def test_a_vault_of_a_newer_version_is_not_called_damaged(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    header = Path(folder) / layout.HEADER
    header.write_bytes(header.read_bytes().replace(b"sandyk vault 1\n", b"sandyk vault 2\n") + b"more\n")
    with pytest.raises(NewerFormat):
        unlock(folder)
    header.write_bytes(b"sandyk vault x\n")
    with pytest.raises(DamagedVault):
        unlock(folder)
