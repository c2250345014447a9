# SPDX-License-Identifier: Apache-2.0
"""The people of a vault: who comes in, who does not any more, and what damage is called."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.age import Sink
from keys.errors import KeysError
from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import CHEAP, DAY, PASSPHRASE, add_paths, contents, newsroom, store_of, unlock
from vault.cases import find_case, grant
from vault.disk import Disk
from vault.errors import AlreadyThere, DamagedVault, DiskFailed, DoesNotOpen, NotAllowed, NotFound, NoVault, Wiped
from vault.founding import found
from vault.sealing import write_sealed
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


def test_a_vault_whose_keys_are_gone_is_called_wiped(folder: str) -> None:
    os.unlink(os.path.join(folder, "keyring"))
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


# What is left, or gone, at the wrong moment


def test_a_change_that_fails_because_the_vault_is_gone_says_wiped(folder: str) -> None:
    """And what fails while the vault is there says that the disk refused."""
    with unlock(folder) as vault:
        with pytest.raises(DiskFailed), vault.changing():
            raise OSError(28, "No space left on device")
        with pytest.raises(Wiped), vault.changing():
            shutil.rmtree(folder)
            os.stat(folder)


def test_a_change_of_people_removes_what_a_crash_left_of_such_changes_and_nothing_else(vault: Vault) -> None:
    case = find_case(vault, "Mine")
    access = f"cases/{case.id.hex()}/access"
    stale = ["counter-0123abcd.new", "rosters/0.age-0123abcd.new", "books/00.age-0123abcd.new",
             "outbox/0123abcd.age-0123abcd.new", f"{access}/000002.age-0123abcd.new"]  # fmt: skip
    others = ["thesis.new", "counter-0123.new", "outbox/letter-0123abcd.new", "books/00.age"]
    being_written = os.path.join(vault.folder, "outbox/11111111.age-0123abcd.new")
    for name in (*stale, *others):
        Path(vault.folder, name).touch()
    fd = Disk().create(being_written)
    try:
        grant(vault, case, Identity.generate().card(), "other")
    finally:
        os.close(fd)
    assert [name for name in stale if os.path.lexists(os.path.join(vault.folder, name))] == []
    assert [name for name in (*others, being_written) if not os.path.lexists(os.path.join(vault.folder, name))] == []


def test_a_file_that_appears_while_it_is_sealed_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bundle.age"

    def fill(sink: Sink) -> None:
        sink.write(b"sealed")
        path.write_bytes(b"somebody else's")

    with pytest.raises(AlreadyThere):
        write_sealed(str(path), fill, disk=Disk())
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"bundle.age": b"somebody else's"}
    write_sealed(str(path), lambda sink: sink.write(b"sealed"), disk=Disk(), force=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"bundle.age": b"sealed"}


def test_sealing_where_there_are_no_links_still_refuses_what_is_there(tmp_path: Path) -> None:
    """FAT: the disk refuses the link, and a look comes before the rename."""

    class Linkless(Disk):
        def publish_new(self, temporary: str, path: str) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "link", refuse)
                super().publish_new(temporary, path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "a.age"
    write_sealed(str(path), lambda sink: sink.write(b"1"), disk=Linkless())
    with pytest.raises(AlreadyThere):
        write_sealed(str(path), lambda sink: sink.write(b"2"), disk=Linkless())
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"1"]


def test_a_vault_whose_public_header_is_lost_comes_back_with_a_copy_of_it(folder: str) -> None:
    header = Path(folder, "VAULT")
    copy = header.read_bytes()
    header.unlink()
    with pytest.raises(DamagedVault) as error:
        at(folder)
    assert "copy" in error.value.hints[0]
    header.write_bytes(copy)
    with unlock(folder) as vault:
        assert vault.my_entry().label == "Айгүл"
