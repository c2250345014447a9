# SPDX-License-Identifier: Apache-2.0
"""Vaults that earlier versions made are read by this one: every byte, every name, the whole custody record."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from keys.primitives import Cost
from keys.secret import Secret
from tests.support.golden import VECTORS, expected, unpack, versions
from tests.support.mounts import mounted
from tests.support.newsroom import contents, copy_out, file, files_below, listing
from vault import abroad
from vault.cases import find_case, list_cases, open_store
from vault.compacting import compact
from vault.disk import Disk
from vault.mending import mend
from vault.removing import remove
from vault.repairing import repair
from vault.retrieving import CopiedOut
from vault.store import CaseStore
from vault.vaults import LockedVault, Vault
from vault.verifying import verify
from vault.whereabouts import Where

DOCS = Path(__file__).resolve().parent.parent / "docs" / "format.md"
COST = Cost(8, 1)
WHO = [(version, label) for version in versions() for label in expected(version)["passphrases"]]


def opened(version: str, label: str, folder: str) -> Vault:
    """The vault, for one of its journalists."""
    passphrase = Secret(expected(version)["passphrases"][label].encode())
    return LockedVault.at(folder, disk=Disk(), floor=COST).unlock(passphrase)


def seen(vault: Vault, store: CaseStore, name: str) -> dict[str, Any]:
    """What tools/make_golden_vault.py wrote down of a case, as this version sees it."""
    case = find_case(vault, name)
    places = abroad.see(case, store).places
    return {
        "id": case.id.hex(), "members": len(case.keys.members),
        "items": [
            {"id": item.id.hex(), "name": item.name.decode(), "bytes": item.size, "sha256": item.sha256.hex(),
             "mtime_ns": item.mtime_ns, "filed_ns": item.filed_ns, "note": item.note, "source": item.source,
             "tags": list(item.tags), "origin": item.origin, "where": places.get(item.id, Where.HERE).value}
            for item in listing(store)
        ],
        "custody": [
            [row.event.at_ns, row.event.kind, [item.hex() for item in row.event.items], row.event.detail,
             row.pack.author.hex()]
            for row in store.index.events()
        ],
        "packs": sorted(pack.hex() for pack in store.index.pack_ids()),
        "replaced": sorted(pack.hex() for pack in store.index.replaced_ids()),
    }  # fmt: skip


def test_no_vector_was_ever_edited() -> None:
    """docs/format.md says what each of them is, and a version whose formats differ makes one of its own."""
    section = DOCS.read_text(encoding="utf-8").partition("### 11.3")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(\d+)/` \| `([0-9a-f]{64})` \|", section, re.MULTILINE))
    found = {
        version: hashlib.sha256(
            b"".join((VECTORS / version / name).read_bytes() for name in ("vault.bin", "expected.json"))
        ).hexdigest()
        for version in versions()
    }
    assert found == told
    assert found


@pytest.mark.parametrize(("version", "label"), WHO)
def test_everything_in_it_is_found_and_whole(tmp_path: Path, version: str, label: str) -> None:
    known = expected(version)["journalists"][label]
    folder = unpack(version, tmp_path / "vault")
    with opened(version, label, folder) as vault:
        assert vault.me.card().fingerprint.hex() == known["card"]
        assert [entry.label for entry in vault.roster().entries] == known["roster"]
        book = vault.book()
        assert [
            [c.name, c.card.fingerprint.hex(), c.verified_ns is not None] for c in book.contacts
        ] == known["contacts"]
        cases, unusable = list_cases(vault)
        assert ({case.name for case in cases}, unusable) == (set(known["cases"]), [])
        for case in cases:
            with open_store(vault, case) as store:
                verdict = verify(store)
                assert (verdict.whole, verdict.remarks) == (True, []), verdict
                assert verdict.items == len(known["cases"][case.name]["items"])
                assert seen(vault, store, case.name) == known["cases"][case.name]


@pytest.mark.parametrize(("version", "label"), WHO)
def test_every_byte_comes_out(tmp_path: Path, version: str, label: str) -> None:
    folder = unpack(version, tmp_path / "vault")
    with opened(version, label, folder) as vault:
        for name, known in expected(version)["journalists"][label]["cases"].items():
            with open_store(vault, find_case(vault, name)) as store:
                results = copy_out(store, tmp_path / name)
                hashes = {
                    one.item.id.hex(): hashlib.sha256(Path(one.path).read_bytes()).hexdigest()
                    for one in results if isinstance(one, CopiedOut)
                }  # fmt: skip
                assert hashes == {item["id"]: item["sha256"] for item in known["items"]}


@pytest.mark.parametrize(("version", "label"), WHO)
def test_it_is_read_from_a_medium_that_cannot_be_written(tmp_path: Path, version: str, label: str) -> None:
    folder = unpack(version, tmp_path / "vault")
    before = files_below(folder)
    with ExitStack() as stack:
        read_only = stack.enter_context(mounted(tmp_path / "ro", "-o", "bind,ro", folder))
        vault = stack.enter_context(opened(version, label, read_only))
        for name, known in expected(version)["journalists"][label]["cases"].items():
            with open_store(vault, find_case(vault, name)) as store:
                assert seen(vault, store, name) == known
                assert verify(store).whole
    assert files_below(folder) == before


@pytest.mark.parametrize("version", versions())
def test_there_is_one_of_everything_in_it(tmp_path: Path, version: str) -> None:
    """Chunks packed in each way, packs that stand for others, documents over several chunks, and shared bytes."""
    label = next(iter(expected(version)["passphrases"]))
    packings, sizes, names = set[int](), set[int](), set[str]()
    with opened(version, label, unpack(version, tmp_path / "vault")) as vault:
        for case in list_cases(vault)[0]:
            with open_store(vault, case) as store:
                packings |= {c.packing for pack in store.index.pack_ids() for c in store.index.chunks_of(pack)}
                sizes |= {sum(extent.count for extent in item.extents) for item in listing(store)}
                names |= {row.event.kind for row in store.index.events()}
                shared = [item.sha256 for item in listing(store)]
                assert store.index.replaced_ids()
                assert len(set(shared)) < len(shared)
    assert packings == {0, 1, 2}
    assert {0, 1} < sizes
    assert max(sizes) > 1
    assert names >= {"case created", "access granted", "filed", "exported", "receipt taken"}
    assert names >= {"removed", "packs rewritten"}


@pytest.mark.parametrize("version", versions())
def test_parity_that_it_made_mends_its_packs(tmp_path: Path, version: str) -> None:
    folder = Path(unpack(version, tmp_path / "vault"))
    mended = 0
    for parity in folder.glob("cases/*/parity/*.par"):
        pack = parity.parent.parent / "packs" / f"{parity.stem}.age"
        whole = pack.read_bytes()
        pack.write_bytes(whole[:9_000] + bytes(4_096) + whole[9_000 + 4_096 :])
        assert mend(Disk(), bytes.fromhex(parity.stem), str(pack), str(parity), lambda path: None)
        assert pack.read_bytes() == whole
        mended += 1
    assert mended


@pytest.mark.parametrize(("version", "label"), WHO)
def test_work_goes_on_in_it(tmp_path: Path, version: str, label: str) -> None:
    """Filing, removing, putting together and repairing: what was there before stays as it was."""
    folder = unpack(version, tmp_path / "vault")
    with opened(version, label, folder) as vault:
        for name in expected(version)["journalists"][label]["cases"]:
            case = find_case(vault, name)
            with open_store(vault, case) as store:
                before = contents(store)
                file(store, {b"new.txt": b"filed by this version", b"also new.txt": next(iter(before.values()))})
                new = [item for item in listing(store) if item.name == b"also new.txt"]
            remove(vault, case, new, reason="")
            compact(vault, case)
            with open_store(vault, case) as store:
                assert contents(store) == before | {b"new.txt": b"filed by this version"}
                done = repair(vault, store)
                assert (done.put_aside, verify(store).whole) == ([], True)
