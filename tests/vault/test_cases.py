# SPDX-License-Identifier: Apache-2.0
"""Cases and their members: whom a case is believed from, and what a former member can open."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from keys import age
from keys.access import seal_access
from keys.book import Contact
from keys.errors import KeysError
from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import (
    DAY,
    contents,
    file,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    reload,
    store_of,
    unlock,
    write_pack,
)
from vault.cases import Case, case_folder, create_case, find_case, grant, list_cases, load_case, open_store, revoke
from vault.errors import AlreadyThere, BadInput, Busy, DamagedVault, NotAllowed, NotFound, NotTrusted
from vault.vaults import Vault
from vault.verifying import verify

COLLEAGUE = "another passphrase"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


@pytest.fixture
def mine(folder: str) -> Iterator[Vault]:
    with unlock(folder) as vault:
        vault.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
        yield vault


@pytest.fixture
def theirs(mine: Vault, folder: str) -> Iterator[Vault]:
    with unlock(folder, COLLEAGUE) as vault:
        yield vault


def the_case(vault: Vault) -> Case:
    return find_case(vault, "Mine")


def access_files(case: Case, vault: Vault) -> list[str]:
    return sorted(os.listdir(os.path.join(case_folder(vault, case.id), "access")))


def access_path(case: Case, vault: Vault, epoch: int) -> Path:
    return Path(case_folder(vault, case.id)) / "access" / f"{epoch:06}.age"


def verified(vault: Vault, name: str, who: Identity, *, compared: bool = True) -> None:
    """Add a contact, with words that were compared or not."""
    contact = Contact(name, who.card(), DAY, DAY if compared else None)
    vault.change_book(lambda book: book.with_contact(contact))


# Names


def test_a_case_is_found_by_name_id_and_prefix(mine: Vault) -> None:
    case = create_case(mine, "  Тендер  ")
    assert case.name == "Тендер"
    for reference in ("Тендер", "тендер", case.id.hex(), case.id.hex()[:8]):
        assert find_case(mine, reference).id == case.id
    for nothing in ("Тенде", "", case.id.hex()[:3], "0" * 32):
        with pytest.raises(NotFound):
            find_case(mine, nothing)


def test_two_cases_have_two_names(mine: Vault) -> None:
    with pytest.raises(AlreadyThere):
        create_case(mine, "MINE")
    with pytest.raises(BadInput):
        create_case(mine, "a\nb\u202e")


def test_cases_of_one_name_from_two_granters_are_told_apart(mine: Vault, theirs: Vault) -> None:
    other = create_case(theirs, "Mine")
    grant(theirs, other, mine.me.card(), "Айгүл")
    cases, unusable = list_cases(mine)
    assert [case.name for case in cases] == ["Mine", f"Mine {other.id.hex()[:4]}"]
    assert unusable == []


def test_a_folder_whose_making_was_interrupted_is_no_case(mine: Vault) -> None:
    os.makedirs(os.path.join(mine.folder, "cases", "0a" * 16, "access"))
    os.makedirs(os.path.join(mine.folder, "cases", "not a case"))
    cases, unusable = list_cases(mine)
    assert ([case.name for case in cases], unusable) == (["Mine"], [])


def test_a_case_whose_access_file_was_taken_away_is_named(mine: Vault) -> None:
    case = the_case(mine)
    access_path(case, mine, 1).unlink()
    assert [case_id for case_id, _ in list_cases(mine)[1]] == [case.id]
    with pytest.raises(DamagedVault, match="no access file"):
        find_case(mine, "Mine")
    shutil.rmtree(os.path.join(case_folder(mine, case.id), "packs"))
    assert [case_id for case_id, _ in list_cases(mine)[1]] == [case.id]


# Members


def test_who_is_no_member_sees_nothing_of_a_case(theirs: Vault) -> None:
    assert list_cases(theirs) == ([], [])
    with pytest.raises(NotFound):
        find_case(theirs, "Mine")


def test_a_new_member_reads_all_and_files_too(mine: Vault, theirs: Vault) -> None:
    with store_of(mine) as store:
        file(store, {b"before": b"1"})
    grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    with store_of(theirs) as store:
        assert contents(store) == {b"before": b"1"}
        file(store, {b"theirs": b"2"})
    with store_of(mine) as store:
        assert contents(store) == {b"before": b"1", b"theirs": b"2"}
        assert verify(store).whole
        authors = {row.author for row in store.index.packs()}
        assert authors == {mine.me.signing_public, theirs.me.signing_public}
        assert [row.event.detail for row in store.index.events() if row.event.kind == "access granted"] == ["Бакыт"]


def test_nobody_becomes_a_member_twice(mine: Vault, theirs: Vault) -> None:
    case = grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    with pytest.raises(AlreadyThere):
        grant(mine, case, theirs.me.card(), "again")


def test_one_cannot_revoke_oneself_or_a_stranger(mine: Vault, theirs: Vault) -> None:
    with pytest.raises(NotAllowed):
        revoke(mine, the_case(mine), mine.me.card(), "me")
    with pytest.raises(NotFound):
        revoke(mine, the_case(mine), theirs.me.card(), "no member")


@pytest.fixture
def revoked(mine: Vault, theirs: Vault) -> Case:
    """The case after a colleague was let in, filed something, and was shut out; as the colleague knew it."""
    grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    case = the_case(theirs)
    with open_store(theirs, case) as store:
        file(store, {b"old": b"1" * 100})
    revoke(mine, the_case(mine), theirs.me.card(), "Бакыт")
    with store_of(mine) as store:
        file(store, {b"new": b"2" * 100, b"also old": b"1" * 100})
    return case


def test_a_former_member_opens_nothing_that_was_filed_afterwards(mine: Vault, theirs: Vault, revoked: Case) -> None:
    identities = [theirs.me.age, *(epoch.age for epoch in revoked.keys.epochs)]
    opened = set()
    for path in Path(mine.folder, "cases").rglob("*"):
        if path.is_file() and path.suffix == ".age":
            try:
                age.unseal(path.read_bytes(), identities, limit=1 << 24)
                opened.add(path.stem)
            except KeysError:
                pass
    with store_of(mine) as store:
        epochs = {path.stem: read_manifest(store, path).epoch for path in pack_paths(store)}
    assert opened == {stem for stem, epoch in epochs.items() if epoch == 1}
    assert set(epochs.values()) == {1, 2}
    with pytest.raises(NotFound):
        find_case(theirs, "Mine")


def test_the_others_go_on_with_everything_after_somebody_was_revoked(mine: Vault, revoked: Case) -> None:
    case = the_case(mine)
    assert (len(case.keys.epochs), access_files(case, mine)) == (2, ["000002.age"])
    with store_of(mine) as store:
        assert contents(store) == {b"old": b"1" * 100, b"new": b"2" * 100, b"also old": b"1" * 100}
        assert verify(store).whole
        before = [(item.id, item.name) for item in listing(store)]
        store.rebuild()
        assert [(item.id, item.name) for item in listing(store)] == before


def test_the_index_of_an_epoch_does_not_open_with_the_key_of_the_one_before(
    mine: Vault, theirs: Vault, revoked: Case
) -> None:
    from keys import kdf
    from vault.index import Index, IndexUnusable

    index = os.path.join(case_folder(mine, revoked.id), "index")
    with pytest.raises(IndexUnusable):
        Index(index, kdf.index_key(theirs.device_secret, revoked.keys))


def test_what_a_former_member_files_with_the_old_keys_is_not_listed(
    mine: Vault, theirs: Vault, revoked: Case
) -> None:
    with store_of(mine) as store:
        example = read_manifest(store, pack_paths(store)[-1])
        late = changed(example, pack=os.urandom(16), author=theirs.me.signing_public, chunks=(), items=(), epoch=2)
        path = write_pack(store, late, (), theirs.me)
        store.catch_up()
        assert [finding.about for finding in verify(store).findings] == [path.stem[:8]]


def test_who_opened_the_case_before_it_changed_must_start_again(mine: Vault, theirs: Vault) -> None:
    grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    with store_of(theirs) as store:
        revoke(mine, the_case(mine), theirs.me.card(), "Бакыт")
        with pytest.raises(Busy):
            file(store, {b"late": b"1"})
    with store_of(mine) as store:
        assert listing(store) == []
        assert verify(store).whole


# Who is believed


def test_an_older_access_file_put_back_is_refused(mine: Vault, theirs: Vault, tmp_path: Path) -> None:
    case = grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    shutil.copy(access_path(case, mine, 1), tmp_path / "old")
    revoke(mine, case, theirs.me.card(), "Бакыт")
    access_path(case, mine, 2).unlink()
    shutil.copy(tmp_path / "old", access_path(case, mine, 1))
    with pytest.raises(DamagedVault, match="newer access file"):
        find_case(mine, "Mine")
    shutil.copy(tmp_path / "old", access_path(case, mine, 2))
    with pytest.raises(DamagedVault, match="belongs elsewhere"):
        find_case(mine, "Mine")


def forge(vault: Vault, case: Case, signer: Identity, *, keys: object = None, epoch: int = 1) -> None:
    """Put an access file of somebody else's making in the place of the true one."""
    access_path(case, vault, epoch).write_bytes(seal_access(keys or case.keys, signer))  # type: ignore[arg-type]


def test_a_file_that_a_stranger_signed_is_refused(mine: Vault) -> None:
    case = the_case(mine)
    stranger = Identity.generate()
    forge(mine, case, stranger)
    with pytest.raises(NotTrusted):
        find_case(mine, "Mine")
    more = replace(case.keys, members=(*case.keys.members, stranger.card()))
    forge(mine, case, stranger, keys=more)
    with pytest.raises(NotTrusted):
        find_case(mine, "Mine")


def test_a_file_of_a_former_member_is_refused(mine: Vault, theirs: Vault, revoked: Case) -> None:
    case = the_case(mine)
    epochs, members = (*case.keys.epochs, Identity.generate()), (mine.me.card(), theirs.me.card())
    back = replace(case.keys, epochs=epochs, members=members, former=())
    forge(mine, case, theirs.me, keys=back, epoch=3)
    with pytest.raises(NotTrusted):
        load_case(mine, case.id)


def test_a_file_of_a_member_is_believed(mine: Vault, theirs: Vault) -> None:
    case = grant(mine, the_case(mine), theirs.me.card(), "Бакыт")
    third = Identity.generate()
    grant(theirs, the_case(theirs), third.card(), "third")
    assert {card.signing for card in reload(mine, case).keys.members} == {
        mine.me.signing_public, theirs.me.signing_public, third.signing_public,
    }  # fmt: skip


def planted_case(vault: Vault, granter: Identity) -> Case:
    """A case that somebody made elsewhere and let this journalist into."""
    from keys.access import CaseKeys
    from vault.model import CaseId

    case_id = CaseId(os.urandom(16))
    members = (granter.card(), vault.me.card())
    keys = CaseKeys(case_id, "Planted", (Identity.generate(),), members, (), DAY)
    case = Case(case_id, "Planted", keys, granter.card())
    for name in ("access", "packs"):
        os.makedirs(os.path.join(case_folder(vault, case_id), name))
    forge(vault, case, granter)
    return case


def test_at_first_sight_a_stranger_and_an_unverified_contact_are_not_believed(mine: Vault) -> None:
    stranger, unverified = Identity.generate(), Identity.generate()
    verified(mine, "met once", unverified, compared=False)
    planted = [planted_case(mine, who).id for who in (stranger, unverified)]
    cases, unusable = list_cases(mine)
    assert [case.name for case in cases] == ["Mine"]
    assert sorted(case_id for case_id, _ in unusable) == sorted(planted)
    for case_id in planted:
        with pytest.raises(NotTrusted):
            find_case(mine, case_id.hex())


def test_at_first_sight_a_verified_contact_and_a_colleague_are_believed(mine: Vault, theirs: Vault) -> None:
    editor = Identity.generate()
    verified(mine, "editor", editor)
    planted_case(mine, editor)
    assert find_case(mine, "Planted").granter.signing == editor.signing_public
    other = create_case(theirs, "Бакыттын иши")
    grant(theirs, other, mine.me.card(), "Айгүл")
    assert find_case(mine, "Бакыттын иши").id == other.id


def test_once_seen_a_case_is_believed_from_its_members_only(mine: Vault) -> None:
    editor, other = Identity.generate(), Identity.generate()
    verified(mine, "editor", editor)
    verified(mine, "other", other)
    case = planted_case(mine, editor)
    find_case(mine, "Planted")
    forge(mine, case, other)
    with pytest.raises(NotTrusted):
        find_case(mine, "Planted")


def test_every_cut_or_flipped_access_file_is_damage(mine: Vault) -> None:
    case = the_case(mine)
    path = access_path(case, mine, 1)
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), 151):
        path.write_bytes(whole[:place])
        with pytest.raises(DamagedVault):
            find_case(mine, "Mine")
        whole[place] ^= 1
        path.write_bytes(whole)
        # Another recipient's line changed makes the header's code wrong; our own makes it somebody else's file.
        with pytest.raises((DamagedVault, NotFound)):
            find_case(mine, "Mine")
        whole[place] ^= 1
    path.write_bytes(whole)
    assert the_case(mine).id == case.id
