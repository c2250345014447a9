# SPDX-License-Identifier: Apache-2.0
"""Attacks on a newsroom: each test is one hostile act, and what must come of it.

The attackers: somebody with the disk and write access to it, a member with bad intentions, a member who was
revoked, a stranger with a case's card.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3

from keys.access import CaseKeys, Former, seal_access
from keys.card import Card
from keys.identity import Identity
from keys.roster import seal_roster
from keys.secret import Secret
from tests.support.bundles import EDITOR, SIGNED
from tests.support.newsroom import (
    CHEAP,
    DAY,
    PASSPHRASE,
    add_paths,
    contents,
    copy_out,
    file,
    listing,
    newsroom,
    pack_paths,
    packs_folder,
    store_of,
    unlock,
    write_pack,
)
from vault.bundle import Signer
from vault.cases import (
    case_folder,
    find_case,
    grant,
    list_cases,
    load_case,
    member_by_known_key,
    open_store,
    revoke,
)
from vault.contacts import keep, mark_verified, name_of, to_verify
from vault.disk import Disk
from vault.errors import AlreadyThere, Ambiguous, DamagedPack, DamagedVault, NotTrusted, Wiped
from vault.exporting import addressees
from vault.founding import found
from vault.manifest import MAX_ENTRIES, SIGNATURE_LABEL, Manifest, compress, decode, digest, encode
from vault.model import MAX_EVENT_ITEMS, MAX_EXTENTS, PACKING_NONE, CaseId, Chunk, Event, Extent, Item, PackId
from vault.opening import open_into_folder
from vault.pack import PackWriter
from vault.panic import NoVaultHere, panic
from vault.senders import sender_of
from vault.sources import Problem
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import read_whole, verify

EVIDENCE = b"the minutes of the meeting " * 1000


def planted(store: CaseStore, author: Identity, *, pack: bytes | None = None, epoch: int = 1,
            chunks: tuple[tuple[Chunk, bytes], ...] = (), items: tuple[Item, ...] = (), device: bytes | None = None,
            sequence: int = 1) -> Path:  # fmt: skip
    """A pack as a hostile member writes it."""
    manifest = Manifest(
        1, store.keys.case_id, epoch, pack or os.urandom(16), device or os.urandom(16), author.signing_public,
        sequence, b"" if sequence == 1 else bytes(32), 0, tuple(c for c, _ in chunks), items, (),
    )  # fmt: skip
    return write_pack(store, manifest, [stored for _, stored in chunks], author)


def item_of(content: bytes, name: bytes, extents: tuple[Extent, ...], *, item: bytes | None = None,
            size: int | None = None) -> Item:  # fmt: skip
    return Item(
        item or os.urandom(16), name, len(content) if size is None else size, hashlib.sha256(content).digest(),
        None, 0, "", "", (), "file", b"", extents,
    )  # fmt: skip


def false_chunk(store: CaseStore, content: bytes) -> tuple[Chunk, bytes]:
    """A chunk that claims to be ``content`` and holds something else of the same size."""
    chunk_id = blake3(content, key=store._id_key).digest()
    return Chunk(chunk_id, len(content), len(content), PACKING_NONE), bytes(len(content))


def member(vault: Vault, case: str = "Mine") -> Identity:
    """A second member of the case, who has a vault elsewhere."""
    other = Identity.generate()
    grant(vault, find_case(vault, case), other.card(), "other")
    return other


# A hostile member


def test_false_chunk_does_not_swallow_what_is_filed_later(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            planted(store, mole, chunks=(false_chunk(store, EVIDENCE),))
            store.catch_up()
            file(store, {b"minutes.txt": EVIDENCE})
            assert contents(store) == {b"minutes.txt": EVIDENCE}


def test_false_item_does_not_pass_for_what_was_filed_before(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            chunk = false_chunk(store, EVIDENCE)
            planted(store, mole, chunks=(chunk,), items=(item_of(EVIDENCE, b"minutes.txt", (Extent(b"", 0, 1),)),))
            store.catch_up()
            intake = file(store, {b"minutes.txt": EVIDENCE})
            filed = intake.filed[0].item
            assert filed is not None
            item = store.item(filed)
            assert item is not None
            assert b"".join(store.read(item)) == EVIDENCE


def test_what_verify_found_damaged_can_be_filed_again_once(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        with store_of(vault) as store:
            file(store, {b"minutes.txt": EVIDENCE})
            path = pack_paths(store)[-1]
        with path.open("r+b") as f:
            f.seek(3000)
            f.write(bytes(64))
        with store_of(vault) as store:
            assert not verify(store).whole
            again = file(store, {b"minutes.txt": EVIDENCE}).filed[0].item
            assert again is not None
            assert b"".join(store.read(store.item(again) or pytest.fail())) == EVIDENCE
            assert file(store, {b"minutes.txt": EVIDENCE}).filed[0].item is None


@pytest.mark.parametrize("first", [bytes(16), b"\xff" * 16])
def test_item_under_a_stolen_id_hides_nothing(tmp_path: Path, first: bytes) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            file(store, {b"minutes.txt": EVIDENCE})
            stolen = listing(store)[0].id
            false = item_of(b"", b"minutes.txt", (), item=stolen)
            planted(store, mole, pack=first, items=(false,))
            store.rebuild()
            assert any(b"".join(store.read(item)) == EVIDENCE for item in listing(store))
            assert not verify(store).whole


def test_item_of_a_false_size_is_damage(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            chunk = Chunk(blake3(EVIDENCE, key=store._id_key).digest(), len(EVIDENCE), len(EVIDENCE), PACKING_NONE)
            false = item_of(EVIDENCE, b"a", (Extent(b"", 0, 1),), size=5)
            planted(store, mole, chunks=((chunk, EVIDENCE),), items=(false,))
            store.catch_up()
            assert verify(store).damaged


def test_item_that_repeats_a_chunk_without_end_fills_no_disk(tmp_path: Path) -> None:
    """Copying out and exporting stop at the size that the listing shows."""
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            chunk = Chunk(blake3(EVIDENCE, key=store._id_key).digest(), len(EVIDENCE), len(EVIDENCE), PACKING_NONE)
            bomb = item_of(EVIDENCE, b"bomb", (Extent(b"", 0, 1),) * 100_000, size=2 * len(EVIDENCE) + 1)
            planted(store, mole, chunks=((chunk, EVIDENCE),), items=(bomb,))
            store.catch_up()
            (item,) = listing(store)
            written: list[bytes] = []
            with pytest.raises(DamagedPack, match="longer"):
                read_whole(store, item, written.append)
            assert written == [EVIDENCE, EVIDENCE]
            assert [type(result) for result in copy_out(store, tmp_path / "out")] == [Problem]
            assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("of", ["extents", "event"])
def test_manifest_with_a_list_longer_than_any_honest_one_is_refused(of: str) -> None:
    item = item_of(b"", b"a", (Extent(b"\1" * 16, 0, 1),) * (MAX_EXTENTS + 1 if of == "extents" else 1))
    event = Event(0, "filed", (bytes(16),) * (MAX_EVENT_ITEMS + 1 if of == "event" else 1), "")
    with pytest.raises(DamagedPack):
        decode(encode(Manifest(1, bytes(16), 1, bytes(16), bytes(16), bytes(32), 1, b"", 0, (), (item,), (event,))))


def test_sizes_that_no_disk_has_do_not_stop_the_listing(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            huge = tuple(item_of(b"", name, (), size=(1 << 63) - 1) for name in (b"a", b"b"))
            planted(store, mole, items=huge)
            store.catch_up()
            assert store.index.totals()[0] == 2


def test_file_named_like_an_id_does_not_answer_for_that_item(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault, store_of(vault) as store:
        file(store, {b"minutes.txt": EVIDENCE})
        honest = listing(store)[0]
        file(store, {honest.id.hex()[:8].encode(): b"false", honest.id.hex().encode(): b"false too"})
        with pytest.raises(Ambiguous):
            store.find(honest.id.hex()[:8])
        assert store.find(honest.id.hex()).id == honest.id


# Somebody with the disk


def test_pack_of_another_machine_that_vanished_is_damage(tmp_path: Path) -> None:
    """Also when no index remembers it: what refers to it says so."""
    with unlock(newsroom(tmp_path / "v")) as vault:
        other = member(vault)
        with store_of(vault) as store:
            chunk = Chunk(blake3(EVIDENCE, key=store._id_key).digest(), len(EVIDENCE), len(EVIDENCE), PACKING_NONE)
            theirs = planted(store, other, chunks=((chunk, EVIDENCE),))
            store.catch_up()
            file(store, {b"minutes.txt": EVIDENCE})
            theirs.unlink()
            store.rebuild()
            assert verify(store).damaged


def test_older_access_file_is_refused_even_if_signed_by_oneself(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        other = member(vault)
        case = find_case(vault, "Mine")
        access = Path(case_folder(vault, case.id), "access")
        before = (access / "000001.age").read_bytes()
        revoke(vault, case, other.card(), "other")
        (access / "000002.age").unlink()
        (access / "000001.age").write_bytes(before)
        with pytest.raises(DamagedVault):
            load_case(vault, case.id)


def test_keys_of_a_known_epoch_cannot_be_exchanged(tmp_path: Path) -> None:
    """By a member: the others would go on filing to a key of theirs, and lose what is there."""
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        case = find_case(vault, "Mine")
        false = CaseKeys(case.id, "Mine", (Identity.generate(),), case.keys.members, (), 0)
        Path(case_folder(vault, case.id), "access", "000001.age").write_bytes(seal_access(false, mole))
        with pytest.raises(NotTrusted):
            load_case(vault, case.id)


def test_case_that_takes_the_id_of_one_known_by_its_card_is_refused(tmp_path: Path) -> None:
    """What one files for others would go to whoever made the false case."""
    with unlock(newsroom(tmp_path / "v")) as vault:
        true = Identity.generate().card(case_id=bytes(16), epoch=1)
        keep(vault, "abroad", true)
        case = find_case(vault, "Mine")
        false = CaseKeys(bytes(16), "abroad", (Identity.generate(),), case.keys.members, (), 0)
        folder = Path(case_folder(vault, CaseId(bytes(16))), "access")
        folder.mkdir(parents=True)
        (folder / "000001.age").write_bytes(seal_access(false, vault.me))
        with pytest.raises(NotTrusted):
            load_case(vault, CaseId(bytes(16)))


def test_nothing_is_copied_out_of_a_wiped_vault_whose_packs_are_left(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        with store_of(vault) as store:
            file(store, {b"minutes.txt": EVIDENCE})
        with store_of(vault) as store:
            panic(vault.folder, keep=True, discard=False)
            with pytest.raises(Wiped):
                contents(store)


def test_outbox_of_a_wiped_vault_does_not_come_back(tmp_path: Path) -> None:
    """A drop that is being sealed while the vault dies writes nothing."""
    folder = newsroom(tmp_path / "v")
    (tmp_path / "a").write_bytes(EVIDENCE)

    def wiping() -> int:
        panic(folder, discard=False)
        return DAY

    with unlock(folder) as vault:
        keep(vault, "abroad", Identity.generate().card(case_id=bytes(16), epoch=1))
        vault.clock = wiping
        with pytest.raises(Wiped):
            add_paths(vault, tmp_path / "a", case="abroad")
    assert not os.path.lexists(folder)


# Names


def test_contact_and_journalist_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        keep(vault, "Editor", Identity.generate().card())
        vault.add_journalist("editor", Secret(b"another passphrase"))
        with pytest.raises(Ambiguous):
            addressees(vault, ["Editor"])
        with pytest.raises(AlreadyThere):
            keep(vault, "Айгүл", Identity.generate().card())


# Other users of the machine


def test_what_is_opened_into_a_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = tmp_path / "s.age"
    sealed.write_bytes(SIGNED)
    before = os.umask(0)
    try:
        opened = open_into_folder(str(sealed), [EDITOR.age], str(tmp_path / "out"), None, progress=lambda n, size: None)
    finally:
        os.umask(before)
    assert opened.documents
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


# Somebody who was revoked


def colleague(folder: str, passphrase: str) -> None:
    """A second journalist of the vault, who has filed one document into the first one's case."""
    with unlock(folder) as vault:
        entry = vault.add_journalist("Бермет", Secret(passphrase.encode()))
        grant(vault, find_case(vault, "Mine"), entry.card, entry.label)
    with unlock(folder, passphrase) as vault, store_of(vault) as store:
        file(store, {b"theirs": EVIDENCE})


def test_what_a_colleague_filed_before_they_left_is_beyond_doubt(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    colleague(folder, "another passphrase")
    with unlock(folder) as vault:
        entry = vault.roster().by_label("Бермет")
        assert entry is not None
        revoke(vault, find_case(vault, "Mine"), entry.card, entry.label)
        with store_of(vault) as store:
            verdict = verify(store)
            assert verdict.whole and not verdict.remarks


def test_pack_dated_back_behind_the_revocation_is_found(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        gone = member(vault)
        case = find_case(vault, "Mine")
        with open_store(vault, case) as store:
            old_recipient_knows = store
        revoke(vault, case, gone.card(), "other")
        with store_of(vault) as store:
            sequence, previous = store.index.end_of_chain(store._device)
            false = item_of(b"", b"planted", ())
            manifest = Manifest(
                1, case.id, 1, os.urandom(16), store._device, gone.signing_public, sequence + 1, previous, 0, (),
                (false,), (),
            )  # fmt: skip
            write_pack(old_recipient_knows, manifest, [], gone)
            store.catch_up()
            assert not verify(store).whole


def test_pack_of_a_former_member_on_an_unknown_machine_is_remarked_on(tmp_path: Path) -> None:
    """It may be true: from their own vault, filed before they left, and copied here late."""
    with unlock(newsroom(tmp_path / "v")) as vault:
        gone = member(vault)
        case = find_case(vault, "Mine")
        with open_store(vault, case) as store:
            pass
        revoke(vault, case, gone.card(), "other")
        planted(store, gone, items=(item_of(b"", b"planted", ()),))
        with store_of(vault) as now:
            verdict = verify(now)
            assert verdict.whole and len(verdict.remarks) == 1


def test_claimed_place_at_the_end_of_all_numbers_does_not_stop_filing(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        mole = member(vault)
        with store_of(vault) as store:
            planted(store, mole, device=store._device, sequence=(1 << 63) - 1)
            store.catch_up()
            file(store, {b"minutes.txt": EVIDENCE})
            assert contents(store) == {b"minutes.txt": EVIDENCE}
            assert not verify(store).whole


def test_case_that_was_taken_away_whole_is_missed(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        case = find_case(vault, "Mine")
        shutil.rmtree(case_folder(vault, case.id))
        assert [case_id for case_id, _ in list_cases(vault)[1]] == [case.id]


def test_panic_in_the_wrong_folder_leaves_files_of_these_names_alone(tmp_path: Path) -> None:
    names = {"VAULT": b"where the bank is", "keyring": b"[client.admin]", "lock": b"", "counter": b"12"}
    for name, content in names.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(NoVaultHere):
        panic(str(tmp_path), discard=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == names


def test_vault_inside_a_vault_is_refused(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    with pytest.raises(AlreadyThere):
        found(f"{folder}/cases/own", Secret(b"a passphrase"), None, disk=Disk(), label="x", now_ns=0, cost=CHEAP,
              floor=CHEAP)  # fmt: skip


# Somebody who was removed, and kept what they knew


def two_colleagues(folder: str) -> Identity:
    """Айгүл, whose vault it is, and Бермет, a member of her case; both have opened it. Returns Бермет's identity."""
    colleague(folder, "another passphrase")
    with unlock(folder, "another passphrase") as vault:
        return Identity.decode(vault.me.encode().expose())


def forge_roster(vault: Vault, *, replacing: str, key: Identity, called: str | None = None) -> None:
    """What whoever knows the compartment's secret can write: another key under a colleague's name, or a new name."""
    roster = vault.roster()
    entry = roster.by_label(replacing)
    assert entry is not None
    if called is None:
        roster = roster.without_pair(entry.pair).with_entry(entry.pair, entry.label, key.card(), 0)
    else:
        roster = roster.with_entry(min(set(range(16)) - roster.pairs), called, key.card(), 0)
    Path(vault.folder, "rosters", f"{vault.opened.home[0]}.age").write_bytes(seal_roster(roster, vault.device_secret))


def test_new_epoch_by_somebody_who_was_just_revoked_is_told_of_once(tmp_path: Path) -> None:
    """Бермет revokes Chyngyz; before Айгүл sees it, he puts an epoch of his own in the place of Бермет's."""
    folder = newsroom(tmp_path / "v")
    theirs = two_colleagues(folder)
    chyngyz = Identity.generate()
    with unlock(folder) as vault:
        case = grant(vault, find_case(vault, "Mine"), chyngyz.card(), "Chyngyz")
    access = Path(case_folder(vault, case.id), "access")
    epochs = (*case.keys.epochs, Identity.generate())
    members, former = (vault_card(folder), chyngyz.card()), (Former(theirs.signing_public, 1),)
    his = CaseKeys(case.id, "Mine", epochs, members, former, 0)
    with unlock(folder, "another passphrase") as vault:
        revoke(vault, find_case(vault, "Mine"), chyngyz.card(), "Chyngyz")
    (access / "000002.age").write_bytes(seal_access(his, chyngyz))
    with unlock(folder) as vault:
        find_case(vault, "Mine")
        (notice,) = vault.notices
        words = " ".join(chyngyz.card().words)
        assert notice.startswith(f"somebody with the words {words} changed who can read Mine: now ")
        assert "before: somebody" in notice and "Бермет" in notice and "you" in notice
    with unlock(folder) as vault:
        find_case(vault, "Mine")
        assert vault.notices == []


def vault_card(folder: str) -> Card:
    with unlock(folder) as vault:
        return vault.me.card()


def test_change_of_members_by_oneself_is_not_told(tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "v")) as vault:
        member(vault)
        find_case(vault, "Mine")
        assert vault.notices == []


def test_forged_key_of_a_colleague_gets_nothing_until_the_words_were_compared(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    true, false = two_colleagues(folder), Identity.generate()
    with unlock(folder) as vault:
        forge_roster(vault, replacing="Бермет", key=false)
        for name in ("Бермет", "бермет"):
            with pytest.raises(NotTrusted):
                addressees(vault, [name])
        assert not sender_of(vault, Signer(false.signing_public, false.card(), "")).trusted
        assert name_of(vault, true.signing_public) == "Бермет"
    for _ in range(2):  # told each time, not once
        with unlock(folder) as vault:
            assert [n.split(" in the list")[0] for n in vault.notices] == ["Бермет has another key"]
    with unlock(folder) as vault:
        mark_verified(vault, to_verify(vault, "бермет"))
        assert addressees(vault, ["Бермет"])[0].recipient == false.recipient
    with unlock(folder) as vault:
        assert vault.notices == []


def test_case_granted_by_a_forged_colleague_is_not_believed(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    two_colleagues(folder)
    false = Identity.generate()
    with unlock(folder) as vault:
        forge_roster(vault, replacing="Бермет", key=false)
        case_id = CaseId(os.urandom(16))
        trap = CaseKeys(case_id, "trap", (Identity.generate(),), (vault.me.card(), false.card()), (), 0)
        access = Path(case_folder(vault, case_id), "access")
        access.mkdir(parents=True)
        (access / "000001.age").write_bytes(seal_access(trap, false))
        with pytest.raises(NotTrusted):
            load_case(vault, case_id)


def test_name_that_comes_new_goes_or_comes_back_is_told_of_once(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    two_colleagues(folder)
    with unlock(folder) as vault:
        path = Path(folder, "rosters", f"{vault.opened.home[0]}.age")
        before, secret = vault.roster(), Secret(vault.device_secret.expose())
        entry = before.by_label("Бермет")
        assert entry is not None
        forge_roster(vault, replacing="Бермет", key=Identity.generate(), called="Editor")
    told = []
    for roster in (None, before, before.without_pair(entry.pair), before):
        if roster is not None:
            path.write_bytes(seal_roster(roster, secret))
        for _ in range(2):
            with unlock(folder) as vault:
                told.append([notice[:28] for notice in vault.notices])
    assert [t for t in told if t] == [
        ["Editor is new in the list of"], ["Editor is not in the list of"], ["Бермет is not in the list of"],
        ["Бермет is in the list of jou"],
    ]  # fmt: skip


def test_first_journalist_and_one_who_is_brought_in_are_told_nothing(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    books = {path: path.read_bytes() for path in Path(folder, "books").iterdir()}
    with unlock(folder) as vault:
        assert vault.notices == []
    assert books == {path: path.read_bytes() for path in Path(folder, "books").iterdir()}  # to open it writes nothing
    colleague(folder, "another passphrase")
    for passphrase in (PASSPHRASE, "another passphrase"):
        with unlock(folder, passphrase) as vault:
            assert vault.notices == []
            assert {pin.name for pin in vault.book().colleagues} == {"Айгүл", "Бермет"}


def test_who_was_removed_under_a_forged_key_is_still_found_by_the_true_one(tmp_path: Path) -> None:
    """Else their true key would stay a member of the case."""
    folder = newsroom(tmp_path / "v")
    true = two_colleagues(folder)
    with unlock(folder) as vault:
        forge_roster(vault, replacing="Бермет", key=Identity.generate())
        found = member_by_known_key(vault, find_case(vault, "Mine"), "бермет")
        assert found == true.card()


def test_newest_packs_taken_away_with_the_index_are_hinted_at_once(tmp_path: Path) -> None:
    """No chain shows it, but that the index is gone does."""
    folder = newsroom(tmp_path / "v")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {b"minutes.txt": EVIDENCE})
        assert vault.notices == []
        pack_paths(store)[-1].unlink()
    for path in Path(store.folder).glob("index*"):
        path.unlink()
    told = []
    for _ in range(2):
        with unlock(folder) as vault, store_of(vault) as store:
            assert verify(store).whole
            told.append([notice.partition(",")[0] for notice in vault.notices])
    assert told == [["the index of Mine was missing or unusable"], []]


def test_packs_that_cannot_be_used_are_told_of_whatever_one_does(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "v")
    with unlock(folder) as vault, store_of(vault) as store:
        planted(store, Identity.generate())
    for _ in range(2):
        with unlock(folder) as vault, store_of(vault):
            assert vault.notices == ["1 pack(s) of Mine cannot be used: `sandyk verify` says which"]


def test_manifest_of_millions_of_entries_is_refused_unread() -> None:
    """Sixteen kilobytes of it, which anybody with the case's card can seal, would take gigabytes."""
    none = Manifest(1, bytes(16), 1, bytes(16), bytes(16), bytes(32), 1, b"", 0, (), (), ())
    event = msgspec.msgpack.encode(Event(0, "x", (), ""))
    lied = encode(none)[:-1] + b"\xdd" + (MAX_ENTRIES + 1).to_bytes(4, "big") + event * (MAX_ENTRIES + 1)
    with pytest.raises(DamagedPack):
        decode(lied)


def test_stranger_is_turned_away_before_their_manifest_is_unpacked(tmp_path: Path) -> None:
    """Else anybody with the case's card and a stick could take all memory, each time the case is opened."""
    with unlock(newsroom(tmp_path / "v")) as vault, store_of(vault) as store:
        stranger = Identity.generate()
        pack = os.urandom(16)
        sound = Manifest(
            1, store.keys.case_id, 1, pack, bytes(16), stranger.signing_public, 1, b"", 0, (), (), ()
        )  # fmt: skip
        broken = encode(sound)[:-1] + b"\xa0"  # a text for the events: what is never unpacked is not found broken
        writer = PackWriter(Disk(), str(packs_folder(store)), PackId(pack), store.keys.epochs[-1].recipient)
        writer.finish(compress(broken), stranger.sign(SIGNATURE_LABEL, digest(broken)))
        store.catch_up()
        assert [f.what for f in store.findings] == ["sealed to this case by a key that is no member of it: not listed"]
