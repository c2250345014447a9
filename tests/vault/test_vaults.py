# SPDX-License-Identifier: Apache-2.0
"""The people of a vault: who comes in, who does not any more, and what damage is called."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.errors import KeysError
from keys.secret import Secret
from tests.support.newsroom import CHEAP, DAY, PASSPHRASE, add_paths, contents, newsroom, store_of, unlock
from vault.disk import Disk
from vault.errors import AlreadyThere, DamagedVault, DiskFailed, DoesNotOpen, NotAllowed, NotFound, NoVault, Wiped
from vault.founding import found
from vault.vaults import LockedVault, Vault


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


@pytest.fixture
def vault(folder: str) -> Iterator[Vault]:
    with unlock(folder) as opened:
        yield opened


def at(folder: str | Path) -> LockedVault:
    return LockedVault.at(str(folder), disk=Disk(), floor=CHEAP)


def make(folder: str | Path) -> None:
    found(str(folder), Secret(b"p"), None, disk=Disk(), label="x", now_ns=DAY, cost=CHEAP, floor=CHEAP)


def test_a_wrong_passphrase_opens_nothing(folder: str) -> None:
    for wrong in ("", "correct hors", PASSPHRASE + " ", PASSPHRASE.upper()):
        with pytest.raises(DoesNotOpen):
            unlock(folder, wrong)


def test_a_new_journalist_comes_in_with_a_book_and_cases_of_their_own(vault: Vault, folder: str) -> None:
    entry = vault.add_journalist("  Бакыт  ", Secret(b"second"))
    assert entry.label == "Бакыт"
    with unlock(folder, "second") as theirs:
        assert theirs.me.signing_public == entry.card.signing != vault.me.signing_public
        assert theirs.my_entry().label == "Бакыт"
        assert (theirs.book().contacts, theirs.book().cases) == ((), ())
        assert {e.label for e in theirs.roster().entries} == {"Айгүл", "Бакыт"}


def test_two_journalists_have_two_names_and_two_passphrases(vault: Vault) -> None:
    vault.add_journalist("Бакыт", Secret(b"second"))
    with pytest.raises(AlreadyThere):
        vault.add_journalist("БАКЫТ", Secret(b"third"))
    with pytest.raises(KeysError):
        vault.add_journalist("Чынара", Secret(b"second"))
    assert {e.label for e in vault.roster().entries} == {"Айгүл", "Бакыт"}


def test_a_vault_has_sixteen_journalists_and_no_more(vault: Vault) -> None:
    for number in range(15):
        vault.add_journalist(f"j{number}", Secret(b"passphrase %d" % number))
    with pytest.raises(NotAllowed):
        vault.add_journalist("one more", Secret(b"passphrase"))
    assert len(vault.roster().entries) == 16


def test_who_was_removed_does_not_come_in(vault: Vault, folder: str) -> None:
    vault.add_journalist("Бакыт", Secret(b"second"))
    with unlock(folder, "second") as theirs:
        vault.remove_journalist("Бакыт")
        with pytest.raises(DamagedVault):
            theirs.book()
    with pytest.raises(DoesNotOpen):
        unlock(folder, "second")
    with pytest.raises(NotFound):
        vault.remove_journalist("Бакыт")
    with pytest.raises(NotAllowed):
        vault.remove_journalist("Айгүл")


def test_a_changed_passphrase_opens_and_the_old_one_does_not(vault: Vault, folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    add_paths(vault, tmp_path / "file")
    vault.change_passphrase(Secret(b"new"))
    vault.change_passphrase(Secret(b"newer"))
    for old in (PASSPHRASE, "new"):
        with pytest.raises(DoesNotOpen):
            unlock(folder, old)
    with unlock(folder, "newer") as again, store_of(again) as store:
        assert contents(store) == {b"file": b"x"}


def test_an_outside_half_is_needed_once_it_is_in_use(vault: Vault, folder: str) -> None:
    token = Secret(bytes(range(32)))
    vault.add_journalist("Бакыт", Secret(b"second"), token)
    with pytest.raises(DoesNotOpen) as failed:
        at(folder).unlock(Secret(b"second"))
    assert any("--token" in hint for hint in failed.value.hints)
    with at(folder).unlock(Secret(b"second"), token) as theirs:
        theirs.change_passphrase(Secret(b"third"))
    with at(folder).unlock(Secret(b"third"), token) as theirs:
        assert theirs.my_entry().label == "Бакыт"
    with pytest.raises(DoesNotOpen):
        at(folder).unlock(Secret(b"third"), Secret(bytes(32)))


def test_a_folder_without_a_vault_is_called_so(tmp_path: Path) -> None:
    for nothing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoVault):
            at(nothing)


@pytest.mark.parametrize("name", ["VAULT", "keyring"])
def test_a_vault_whose_keys_are_gone_is_called_wiped(folder: str, name: str) -> None:
    os.unlink(os.path.join(folder, name))
    with pytest.raises(Wiped):
        at(folder)


def test_every_cut_header_and_keyring_is_an_error_of_ours(folder: str) -> None:
    path = Path(folder) / "VAULT"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedVault):
            at(folder)
    path.write_bytes(whole)
    keyring = Path(folder) / "keyring"
    whole = keyring.read_bytes()
    for untrusted in (b"", whole[:-1], whole + b"\0", bytes(len(whole))):
        keyring.write_bytes(untrusted)
        with pytest.raises((DamagedVault, DiskFailed, DoesNotOpen)):
            unlock(folder)


def test_a_header_that_asks_for_too_little_or_too_much_is_refused(folder: str) -> None:
    path = Path(folder) / "VAULT"
    whole = path.read_bytes()
    for cost in (b"memory-kib=1 passes=1", b"memory-kib=999999999 passes=1", b"memory-kib=8 passes=4294967295"):
        path.write_bytes(whole.replace(b"memory-kib=8 passes=1", cost))
        assert path.read_bytes() != whole
        with pytest.raises(DamagedVault):
            at(folder)


def test_a_damaged_book_or_roster_is_named_and_the_keyring_still_opens(vault: Vault, folder: str) -> None:
    for name in ("books", "rosters"):
        for path in sorted((Path(folder) / name).iterdir()):
            path.write_bytes(path.read_bytes()[:-1])
    with unlock(folder) as again:
        with pytest.raises(DamagedVault, match="book"):
            again.book()
        with pytest.raises(DamagedVault, match="list of journalists"):
            again.roster()


def test_a_book_of_somebody_else_is_refused(vault: Vault, folder: str) -> None:
    from keys.book import Book, seal_book
    from keys.identity import Identity

    stranger = Identity.generate()
    for path in (Path(folder) / "books").iterdir():
        path.write_bytes(seal_book(Book(), stranger))
    with pytest.raises(DamagedVault):
        vault.book()


def test_a_vault_is_not_made_where_something_lies(tmp_path: Path, folder: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for taken in (tmp_path / "full", folder):
        with pytest.raises(AlreadyThere):
            make(taken)
    assert os.listdir(tmp_path / "full") == ["file"]
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    at(tmp_path / "empty").unlock(Secret(b"p")).close()


def test_a_closed_vault_has_no_keys(folder: str) -> None:
    vault = unlock(folder)
    vault.close()
    with pytest.raises(ValueError):
        _ = vault.me.age
