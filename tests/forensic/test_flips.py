# SPDX-License-Identifier: Apache-2.0
"""One flipped bit at any offset of any file of a vault: it is found and named, or it was in bytes that mean nothing.

In no case is a document given out that is not the one that was filed, and whatever does not lie in the harmed file
still reads.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keys.errors import KeysError
from tests.support.newsroom import contents, file, files_below, newsroom, pack_paths, store_of, unlock
from vault.cases import find_case, list_cases, open_store
from vault.errors import Damaged, VaultError
from vault.verifying import verify

FIRST = {b"a": b"1" * 5000, b"b": os.urandom(3000)}
SECOND = {"үчүнчү".encode(): "бир сап".encode() * 40}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A vault with documents in two packs, after the one that made the case."""

    folder: Path
    packs: tuple[str, str, str]
    """Relative paths."""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    base = tmp_path_factory.mktemp("flips") / "vault"
    with unlock(newsroom(base)) as vault, store_of(vault) as store:
        file(store, FIRST)
        file(store, SECOND)
        made, first, second = (str(path.relative_to(base)) for path in pack_paths(store))
    return Evidence(base, (made, first, second))


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    """How many offsets of each file are tried; each of them with a large number."""
    return int(request.config.getoption("--runs", default=None) or 25)


def outcome(folder: Path) -> tuple[str, str]:
    """How the harm shows, and all that is said of it. Wrong bytes handed out, or an error that is not ours, raise."""
    try:
        with unlock(str(folder)) as vault:
            vault.roster()
            unusable = list_cases(vault)[1]
            if unusable:
                return "a case is named", " ".join(reason for _, reason in unusable)
            with open_store(vault, find_case(vault, "Mine")) as store:
                verdict = verify(store)
                damaged = {damaged.item.name for damaged in verdict.damaged}
                for item in store.index.items():
                    expected = (FIRST | SECOND)[item.name]
                    try:
                        assert b"".join(store.read(item)) == expected
                    except Damaged:
                        assert item.name in damaged
                notices = " ".join(vault.notices)
                if not verdict.whole:
                    said = [f"{finding.about} {finding.what}" for finding in verdict.findings]
                    said += [f"{os.fsdecode(one.item.name)} {one.reason}" for one in verdict.damaged]
                    return "verify names it", " ".join(said)
                assert contents(store) == FIRST | SECOND
                return ("a notice", notices) if notices else ("nothing", "")
    except (VaultError, KeysError) as error:
        return "an error", str(error)


def flipped(evidence: Evidence, target: Path, name: str, runs: int) -> Iterator[tuple[int, Path]]:
    """A copy of the vault with one bit of one file changed, for offsets all over the file; made whole again after."""
    folder = target / "vault"
    if not folder.exists():
        shutil.copytree(evidence.folder, folder)
    path = folder / name
    whole = path.read_bytes()
    chance = random.Random(name)
    offsets = range(len(whole)) if len(whole) <= runs else sorted(chance.sample(range(len(whole)), runs))
    for offset in offsets:
        harmed = bytearray(whole)
        harmed[offset] ^= 1 << chance.randrange(8)
        path.write_bytes(harmed)
        yield offset, folder
        for other in evidence.folder.rglob("index*"):  # a rebuilt index would remember the harm
            shutil.copyfile(other, folder / other.relative_to(evidence.folder))
        path.write_bytes(whole)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_flip_in_a_pack_names_the_pack_and_its_documents_and_spares_the_others(
    evidence: Evidence, tmp_path: Path, which: int, runs: int
) -> None:
    name = evidence.packs[which]
    mine = ({}, FIRST, SECOND)[which]
    for offset, folder in flipped(evidence, tmp_path, name, runs):
        with unlock(str(folder)) as vault, store_of(vault) as store:
            verdict = verify(store)
            assert Path(name).stem[:8] in {finding.about for finding in verdict.findings}, offset
            assert {one.item.name for one in verdict.damaged} <= set(mine), offset
            for item in store.index.items():
                if item.name not in mine:
                    assert b"".join(store.read(item)) == (FIRST | SECOND)[item.name], offset
                else:
                    try:
                        assert b"".join(store.read(item)) == mine[item.name], offset
                    except Damaged:
                        assert item.name in {one.item.name for one in verdict.damaged}, offset


@pytest.mark.parametrize("kind", ["VAULT", "rosters", "books", "access"])
def test_a_flip_in_what_opens_a_vault_is_said_or_lies_in_somebody_elses_part(
    evidence: Evidence, tmp_path: Path, kind: str, runs: int
) -> None:
    """There are as many books and rosters as there could be people; one of each is this journalist's."""
    names = [name for name in files_below(evidence.folder) if kind in Path(name).parts]
    mine = []
    for name in names:
        harmed = flipped(evidence, tmp_path, name, 1 if kind == "books" else 3)
        shown = Counter(outcome(folder)[0] for _, folder in harmed)
        if shown["nothing"] == 0:
            mine.append(name)
        else:
            assert set(shown) == {"nothing"}, name
    assert len(mine) == 1, mine
    for offset, folder in flipped(evidence, tmp_path, mine[0], runs * 2):
        shown, said = outcome(folder)
        assert shown in ("an error", "a case is named", "a notice"), offset
        assert said, offset


def test_a_flip_in_the_index_costs_nothing_because_packs_say_it_again(
    evidence: Evidence, tmp_path: Path, runs: int
) -> None:
    (name,) = [name for name in files_below(evidence.folder) if Path(name).name == "index"]
    for offset, folder in flipped(evidence, tmp_path, name, runs * 2):
        shown, said = outcome(folder)
        assert shown == "nothing" or "made anew from the packs" in said, (offset, said)


def test_a_flip_in_the_keyring_locks_everybody_out_or_changes_nothing(
    evidence: Evidence, tmp_path: Path, runs: int
) -> None:
    """The kill area, the slot and the region in use are needed to the last bit; the rest is filler or of others."""
    shown = Counter(outcome(folder)[0] for _, folder in flipped(evidence, tmp_path, "keyring", runs * 4))
    assert set(shown) == {"an error", "nothing"}


def test_a_flip_in_the_kill_area_locks_everybody_out(evidence: Evidence, tmp_path: Path, runs: int) -> None:
    folder = tmp_path / "vault"
    shutil.copytree(evidence.folder, folder)
    whole = (folder / "keyring").read_bytes()
    for offset in random.Random(1).sample(range(16 << 10), runs):
        harmed = bytearray(whole)
        harmed[offset] ^= 1
        (folder / "keyring").write_bytes(harmed)
        assert outcome(folder)[0] == "an error", offset
    (folder / "keyring").write_bytes(whole)
    assert outcome(folder)[0] == "nothing"


def test_a_flip_in_the_counter_changes_only_what_the_counter_says(
    evidence: Evidence, tmp_path: Path, runs: int
) -> None:
    for _, folder in flipped(evidence, tmp_path, "counter", runs):
        assert outcome(folder)[0] == "nothing"


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_pack_that_was_cut_off_is_named(evidence: Evidence, tmp_path: Path, which: int, runs: int) -> None:
    folder = tmp_path / "vault"
    shutil.copytree(evidence.folder, folder)
    path = folder / evidence.packs[which]
    whole = path.read_bytes()
    for end in random.Random(which).sample(range(len(whole)), runs):
        path.write_bytes(whole[:end])
        shown, said = outcome(folder)
        assert shown == "verify names it", end
        assert path.stem[:8] in said, end
