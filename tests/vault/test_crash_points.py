# SPDX-License-Identifier: Apache-2.0
"""Power lost before each change of the disk: afterwards there is what was before, or what was to be; nothing else.

Each operation is run on a copy of one vault, stopped before its first change, its second and so on. The vault is
then opened with a disk that works.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import (
    CHEAP,
    PASSPHRASE,
    add_paths,
    contents,
    listing,
    newsroom,
    packs_folder,
    store_of,
    unlock,
)
from tests.support.stopping import Stopped, StoppingDisk, count_steps, stopped_at_each_change
from vault.bundle import BundleReader
from vault.cases import create_case, find_case, grant, list_cases, revoke
from vault.disk import Disk
from vault.errors import AlreadyThere, DamagedVault, DoesNotOpen, NotFound, NoVault, VaultError
from vault.exporting import Addressee, export
from vault.founding import found
from vault.vaults import LockedVault, Vault
from vault.verifying import verify

SECOND = "second passphrase"
NEW = "new passphrase"
EDITOR = Identity.generate()
BEFORE = {b"first": b"1" * 50}


IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""What is proven here is the order of changes, and there are thousands: a disk that syncs only makes it slow."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A vault with two journalists and one case with one document."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield _base(Path(folder))


def _base(where: Path) -> str:
    folder = newsroom(where / "vault")
    (where / "first").write_bytes(BEFORE[b"first"])
    with unlock(folder) as vault:
        vault.add_journalist("Бакыт", Secret(SECOND.encode()))
        add_paths(vault, where / "first")
    return folder


def nothing_is_lost(vault: Vault, *, anew: bool = False) -> dict[bytes, bytes]:
    """What is filed, after checking that the case is whole and that what was there before is there; with ``anew``
    also that the packs alone say the same."""
    assert "Mine" in [case.name for case in list_cases(vault)[0]]
    assert list_cases(vault)[1] == []
    with store_of(vault) as store:
        assert verify(store).whole
        now = contents(store)
        if anew:
            store.rebuild()
            assert contents(store) == now
            assert verify(store).whole
    assert BEFORE.items() <= now.items()
    return now


def test_filing_is_done_or_not_and_can_be_run_again(base: str, tmp_path: Path) -> None:
    after = {b"in/%d" % n: os.urandom(100) for n in range(3)}
    (tmp_path / "in").mkdir()
    for name, content in after.items():
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    states = set()
    for _, folder in stopped_at_each_change(base, tmp_path, lambda vault: add_paths(vault, tmp_path / "in")):
        with unlock(folder) as vault:
            now = nothing_is_lost(vault)
            assert now in (BEFORE, BEFORE | after)
            states.add(len(now))
            add_paths(vault, tmp_path / "in")
            assert nothing_is_lost(vault, anew=True) == BEFORE | after
            with store_of(vault) as store:
                assert len(listing(store)) == 4
                assert [name for name in os.listdir(packs_folder(store)) if not name.endswith(".age")] == []
    assert states == {1, 4}


def test_a_pack_that_the_index_does_not_know_is_taken_in(base: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "vault")
    shutil.copytree(base, folder)
    (tmp_path / "late").write_text("late")
    with unlock(folder) as vault, store_of(vault) as store:
        index = Path(store.folder) / "index"
    known = index.read_bytes()
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "late")
    for path in index.parent.glob("index*"):
        path.unlink()
    index.write_bytes(known)
    with unlock(folder) as vault:
        assert nothing_is_lost(vault) == BEFORE | {b"late": b"late"}


def test_a_chain_is_not_forked_after_a_pack_was_not_remembered(base: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "vault")
    shutil.copytree(base, folder)
    with unlock(folder) as vault, store_of(vault) as store:
        index = Path(store.folder) / "index"
        known = index.read_bytes()
        # Open before the other adds, so that it does not see the pack when it opens.
        (tmp_path / "late").write_text("late")
        (tmp_path / "later").write_text("later")
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "late")
    for path in index.parent.glob("index*"):
        path.unlink()
    index.write_bytes(known)
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "later")
        with store_of(vault) as store:
            assert [row.sequence for row in store.index.packs()] == [1, 2, 3, 4]
        assert nothing_is_lost(vault) == BEFORE | {b"late": b"late", b"later": b"later"}


def opens(folder: str, passphrase: str) -> bool:
    try:
        with unlock(folder, passphrase):
            return True
    except DoesNotOpen:
        return False


def test_a_changed_passphrase_opens_or_the_old_one_does(base: str, tmp_path: Path) -> None:
    states = set()
    change = Secret(NEW.encode())
    for _, folder in stopped_at_each_change(base, tmp_path, lambda vault: vault.change_passphrase(change)):
        works = next(passphrase for passphrase in (NEW, PASSPHRASE) if opens(folder, passphrase))
        states.add(works)
        # Whoever came in ends what was interrupted: only one of the two opens from here on.
        assert [opens(folder, each) for each in (NEW, PASSPHRASE)] == [works == NEW, works == PASSPHRASE]
        assert opens(folder, SECOND)
        with unlock(folder, works) as vault:
            assert nothing_is_lost(vault) == BEFORE
    assert states == {NEW, PASSPHRASE}


def test_a_new_journalist_is_named_before_they_can_come_in(base: str, tmp_path: Path) -> None:
    states = set()
    for _, folder in stopped_at_each_change(
        base, tmp_path, lambda vault: vault.add_journalist("Чынара", Secret(NEW.encode()))
    ):
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            named = vault.roster().by_label("Чынара") is not None
        comes_in = opens(folder, NEW)
        assert named or not comes_in
        states.add((named, comes_in))
        if comes_in:
            with unlock(folder, NEW) as theirs:
                assert theirs.my_entry().label == "Чынара"
                assert theirs.book().contacts == ()
        assert opens(folder, SECOND)
        with unlock(folder) as vault:
            if named:
                vault.remove_journalist("Чынара")
            vault.add_journalist("Чынара", Secret(NEW.encode()))
        assert opens(folder, NEW)
    assert states >= {(False, False), (True, True)}


def test_a_journalist_is_removed_or_not(base: str, tmp_path: Path) -> None:
    states = set()
    for _, folder in stopped_at_each_change(base, tmp_path, lambda vault: vault.remove_journalist("Бакыт")):
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            named = vault.roster().by_label("Бакыт") is not None
            comes_in = opens(folder, SECOND)
            states.add((named, comes_in))
            assert named or not comes_in
            if named:
                vault.remove_journalist("Бакыт")
        assert not opens(folder, SECOND)
    assert states >= {(True, True), (False, False)}


def test_a_case_is_there_or_not(base: str, tmp_path: Path) -> None:
    states = set()
    for _, folder in stopped_at_each_change(base, tmp_path, lambda vault: create_case(vault, "Second")):
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            there = len(list_cases(vault)[0]) == 2
            states.add(there)
            if not there:
                create_case(vault, "Second")
            (tmp_path / "doc").write_text("x")
            add_paths(vault, tmp_path / "doc", case="Second")
            with store_of(vault, "Second") as store:
                assert verify(store).whole
                assert contents(store) == {b"doc": b"x"}
    assert states == {False, True}


def test_somebody_is_let_in_or_not(base: str, tmp_path: Path) -> None:
    def let_in(vault: Vault) -> None:
        entry = vault.roster().by_label("Бакыт")
        assert entry is not None
        grant(vault, find_case(vault, "Mine"), entry.card, "Бакыт")

    states = set()
    for _, folder in stopped_at_each_change(base, tmp_path, let_in):
        with unlock(folder, SECOND) as theirs:
            reads = len(list_cases(theirs)[0]) == 1
            states.add(reads)
            if reads:
                assert nothing_is_lost(theirs) == BEFORE
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            try:
                let_in(vault)
            except AlreadyThere:
                assert reads
            assert nothing_is_lost(vault) == BEFORE
        with unlock(folder, SECOND) as theirs:
            assert nothing_is_lost(theirs) == BEFORE
    assert states == {False, True}


def test_somebody_is_shut_out_or_not(base: str, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared")
    shutil.copytree(base, shared)
    with unlock(shared) as vault:
        entry = vault.roster().by_label("Бакыт")
        assert entry is not None
        card = entry.card
        grant(vault, find_case(vault, "Mine"), card, "Бакыт")

    states = set()
    for _, folder in stopped_at_each_change(
        shared, tmp_path, lambda vault: revoke(vault, find_case(vault, "Mine"), card, "Бакыт")
    ):
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            out = len(find_case(vault, "Mine").keys.epochs) == 2
            states.add(out)
            if not out:
                revoke(vault, find_case(vault, "Mine"), card, "Бакыт")
            (tmp_path / "secret").write_text("x")
            add_paths(vault, tmp_path / "secret")
            assert nothing_is_lost(vault, anew=True) == BEFORE | {b"secret": b"x"}
            with pytest.raises(NotFound):
                revoke(vault, find_case(vault, "Mine"), card, "Бакыт")
        with unlock(folder, SECOND) as theirs:
            assert list_cases(theirs) == ([], [])
    assert states == {False, True}


def test_a_bundle_is_whole_or_not_there(base: str, tmp_path: Path) -> None:
    editor = Addressee("editor", EDITOR.recipient, "ten words", True)
    states = set()

    def write(vault: Vault) -> None:
        export(vault, find_case(vault, "Mine"), [], [editor], vault.folder + ".age")

    for _, folder in stopped_at_each_change(base, tmp_path, write):
        there = os.path.exists(folder + ".age")
        states.add(there)
        if there:
            with open(folder + ".age", "rb") as sealed:
                reader = BundleReader(sealed, [EDITOR.age])
                assert {item.name: document.read() for item, document in reader.payload()} == BEFORE
            os.unlink(folder + ".age")
        with unlock(folder) as vault:
            assert nothing_is_lost(vault) == BEFORE
            write(vault)
            assert nothing_is_lost(vault) == BEFORE
        os.unlink(folder + ".age")
    assert states == {False, True}


def test_a_vault_is_made_or_there_is_none(tmp_path: Path) -> None:
    def make(folder: str, disk: Disk) -> None:
        found(folder, Secret(NEW.encode()), None, disk=disk, label="x", now_ns=0, cost=CHEAP, floor=CHEAP)

    steps = count_steps(lambda disk: make(str(tmp_path / "whole"), disk))
    for n in [*range(0, steps - 12, 25), *range(steps - 12, steps)]:
        folder = str(tmp_path / f"stopped-{n}")
        with pytest.raises(Stopped):
            make(folder, StoppingDisk(n))
        try:
            with LockedVault.at(folder, disk=Disk(), floor=CHEAP).unlock(Secret(NEW.encode())) as vault:
                assert vault.my_entry().label == "x"
                assert n >= steps - 2
        except (NoVault, DamagedVault) as error:  # a keyring without VAULT may also be a vault that lost it
            assert isinstance(error, VaultError)
        shutil.rmtree(folder, ignore_errors=True)
    assert opens(str(tmp_path / "whole"), NEW)
