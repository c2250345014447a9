# SPDX-License-Identifier: Apache-2.0
"""Receipts between two vaults: what an editor signs comes back, and marks exactly what it names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from keys import labels
from keys import receipt as receipts_format
from keys.book import Contact, ForeignCase
from keys.card import Card, encode
from keys.identity import Identity
from keys.receipt import seal_receipt
from keys.record import seal_record
from keys.secret import Secret
from tests.support.newsroom import (
    DAY,
    PASSPHRASE,
    file,
    files_below,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
    write_pack,
)
from tests.support.tools import need
from vault import abroad, counter, receipt_proof, receipts
from vault import manifest as manifests
from vault.cases import create_case, find_case, grant, revoke
from vault.disk import Disk
from vault.errors import (
    AlreadyThere,
    BadInput,
    BrokenSignature,
    DamagedBundle,
    DiskFailed,
    DoesNotOpen,
    NotAllowed,
    NotFound,
    NotTrusted,
    UnknownSigner,
    VaultError,
)
from vault.exporting import Addressee, Exported, addressees, export
from vault.filing import drop
from vault.model import EVENT_EXPORTED, EVENT_RECEIPT, Event
from vault.opening import Opened, identities_of, open_into_case, open_into_folder
from vault.receipts import Taken, check_place, give, show, take
from vault.sources import About
from vault.vaults import Vault
from vault.whereabouts import ExportNote, Tally, Where, known_as, read_export

DOCUMENTS = {b"letter": b"the first", b"photo": b"the second", "Кат.txt".encode(): b"the third"}
COLLEAGUE = "a colleague's own words"


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


def knows(vault: Vault, name: str, other: Vault, *, compared: bool = True) -> None:
    contact = Contact(name, other.me.card(), DAY, DAY if compared else None)
    vault.change_book(lambda book: book.with_contact(contact))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "here")) as vault:
        with store_of(vault) as store:
            file(store, DOCUMENTS)
        yield vault


@pytest.fixture
def editor(tmp_path: Path, here: Vault) -> Iterator[Vault]:
    """An editor elsewhere: each of the two compared the other's words."""
    with unlock(newsroom(tmp_path / "editor", label="Редактор", case=None)) as vault:
        create_case(vault, "Received")
        knows(here, "editor", vault)
        knows(vault, "news", here)
        yield vault


def sealed(here: Vault, path: Path, *references: str, to: str = "editor") -> Exported:
    return export(here, find_case(here, "Mine"), list(references), addressees(here, [to]), str(path))


def opened(editor: Vault, path: Path, folder: Path) -> Opened:
    return open_into_folder(str(path), identities_of(editor), str(folder), editor, progress=quiet)


def received(here: Vault, editor: Vault, folder: Path, *references: str) -> Path:
    """A bundle there, and the receipt for it back: its path."""
    sealed(here, folder / "bundle.age", *references)
    give(editor, opened(editor, folder / "bundle.age", folder / "out"), str(folder / "receipt"), in_folder=True)
    return folder / "receipt"


def places(vault: Vault, case: str = "Mine") -> dict[bytes, Where]:
    with store_of(vault, case) as store:
        seen = abroad.see(find_case(vault, case), store)
        return {item.name: seen.places.get(item.id, Where.HERE) for item in listing(store)}


def recorded(vault: Vault) -> list[Event]:
    with store_of(vault) as store:
        return [row.event for row in store.index.events(EVENT_RECEIPT)]


def id_of(vault: Vault, name: bytes) -> str:
    with store_of(vault) as store:
        return store.find(os.fsdecode(name)).id.hex()


def last_export(vault: Vault) -> tuple[Event, ExportNote]:
    with store_of(vault) as store:
        event = list(store.index.events(EVENT_EXPORTED))[-1].event
    note = read_export(event)
    assert note is not None
    return event, note


def test_what_an_editor_opened_into_a_folder_is_safe_abroad(here: Vault, editor: Vault, tmp_path: Path) -> None:
    assert set(places(here).values()) == {Where.HERE}
    sealed(here, tmp_path / "bundle.age")
    assert set(places(here).values()) == {Where.SENT}
    give(editor, opened(editor, tmp_path / "bundle.age", tmp_path / "out"), str(tmp_path / "receipt"), in_folder=True)
    assert set(places(here).values()) == {Where.SENT}
    taken = take(here, str(tmp_path / "receipt"))
    assert replace(taken, opened_ns=0, tally=Tally()) == Taken("Mine", "editor", 3, 3, 0, Tally())
    assert (taken.tally.safe, taken.tally.sent, taken.tally.here) == (3, 0, 0)
    assert set(places(here).values()) == {Where.SAFE}
    assert counter.read(here.folder, Disk()).safe == 3


def test_what_an_editor_filed_into_a_case_is_safe_abroad(here: Vault, editor: Vault, tmp_path: Path) -> None:
    sealed(here, tmp_path / "bundle.age")
    case = find_case(editor, "Received")
    for name in ("first", "again"):  # the second time, the case has every document already
        arrived = open_into_case(editor, case, str(tmp_path / "bundle.age"), progress=quiet)
        give(editor, arrived, str(tmp_path / name), in_folder=False)
        assert take(here, str(tmp_path / name)).items == 3


def test_only_what_was_in_the_bundle_is_marked(here: Vault, editor: Vault, tmp_path: Path) -> None:
    take(here, str(received(here, editor, tmp_path, id_of(here, b"letter"))))
    assert places(here) == {b"letter": Where.SAFE, b"photo": Where.HERE, "Кат.txt".encode(): Where.HERE}


def test_taking_a_receipt_twice_changes_nothing(here: Vault, editor: Vault, tmp_path: Path) -> None:
    path = received(here, editor, tmp_path)
    take(here, str(path))
    before = recorded(here)
    again = take(here, str(path))
    assert (again.items, again.new) == (3, 0)
    assert recorded(here) == before
    assert len(before) == 1


def test_the_mark_survives_a_rebuild_of_the_index(here: Vault, editor: Vault, tmp_path: Path) -> None:
    take(here, str(received(here, editor, tmp_path)))
    with store_of(here) as store:
        store.rebuild()
    assert set(places(here).values()) == {Where.SAFE}


def test_what_is_filed_after_a_receipt_is_only_here(here: Vault, editor: Vault, tmp_path: Path) -> None:
    take(here, str(received(here, editor, tmp_path)))
    with store_of(here) as store:
        file(store, {b"later": b"the fourth"})
    assert places(here)[b"later"] is Where.HERE


def with_a_colleague(here: Vault) -> Card:
    """A second journalist of the vault, who is let into the case: their card."""
    entry = here.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
    grant(here, find_case(here, "Mine"), entry.card, "Бакыт")
    return entry.card


def received_from_newsroom(here: Vault, editor: Vault, folder: Path) -> Path:
    """The receipt for a bundle that was signed with the case's key: any member can open it."""
    case = find_case(here, "Mine")
    known = ForeignCase("newsroom", case.keys.card(), DAY, DAY)
    editor.change_book(lambda book: book.with_foreign(known))
    export(here, case, [], addressees(here, ["editor"]), str(folder / "newsroom.age"), as_newsroom=True)
    arrived = opened(editor, folder / "newsroom.age", folder / "from newsroom")
    give(editor, arrived, str(folder / "to newsroom"), in_folder=True)
    return folder / "to newsroom"


def test_a_colleague_of_the_case_sees_what_is_safe_abroad(here: Vault, editor: Vault, tmp_path: Path) -> None:
    with_a_colleague(here)
    take(here, str(received(here, editor, tmp_path)))
    with unlock(here.folder, COLLEAGUE) as bakyt:
        assert set(places(bakyt).values()) == {Where.SAFE}


def test_a_colleague_can_take_the_receipt_for_what_another_exported_as_the_newsroom(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    with_a_colleague(here)
    path = received_from_newsroom(here, editor, tmp_path)
    with unlock(here.folder, COLLEAGUE) as bakyt:
        refused(bakyt, path, UnknownSigner, "do not know")  # the comparison is each journalist's own
        knows(bakyt, "the editor", editor)
        assert take(bakyt, str(path)).editor == "the editor"
    assert set(places(here).values()) == {Where.SAFE}


def test_a_receipt_taken_by_somebody_who_left_later_still_counts(here: Vault, editor: Vault, tmp_path: Path) -> None:
    card = with_a_colleague(here)
    path = received_from_newsroom(here, editor, tmp_path)
    with unlock(here.folder, COLLEAGUE) as bakyt:
        knows(bakyt, "the editor", editor)
        take(bakyt, str(path))
    revoke(here, find_case(here, "Mine"), card, "Бакыт")
    assert set(places(here).values()) == {Where.SAFE}
    assert take(here, str(path)).new == 0
    assert len(recorded(here)) == 1


@pytest.mark.parametrize("place", ["at the end", "beside the chain"])
def test_what_a_former_member_dates_back_counts_for_nothing(
    here: Vault, editor: Vault, tmp_path: Path, place: str
) -> None:
    """They kept the keys of their time, and put a pack into the folder: exported, and safe abroad."""
    card = with_a_colleague(here)
    with unlock(here.folder, COLLEAGUE) as bakyt:
        former = Identity(Secret(bakyt.me.age_seed.expose()), Secret(bakyt.me.signing_seed.expose()))
    path = received(here, editor, tmp_path, id_of(here, b"letter"))
    revoke(here, find_case(here, "Mine"), card, "Бакыт")
    with store_of(here) as store:
        last = read_manifest(store, pack_paths(store)[-1 if place == "at the end" else 2])
        items = tuple(item.id for item in listing(store))
        false = msgspec.structs.replace(
            last, epoch=1, pack=os.urandom(16), author=former.signing_public, chunks=(), items=(),
            events=(Event(DAY, EVENT_EXPORTED, items, ""), Event(DAY, EVENT_RECEIPT, items, "")),
        )  # fmt: skip
        if place == "at the end":
            digest = manifests.digest(manifests.encode(last))
            false = msgspec.structs.replace(false, sequence=last.sequence + 1, previous=digest)
        write_pack(store, false, [], former)
    with store_of(here) as store:
        assert not store.findings  # it is listed: nothing in the pack itself shows when it was made
    for _ in range(2):  # also when the chain was continued since
        assert places(here) == {b"letter": Where.SENT, b"photo": Where.HERE, "Кат.txt".encode(): Where.HERE}
        with store_of(here) as store:
            store.record(Event(DAY, "copied out", (), ""))
    assert take(here, str(path)).new == 1


# Who is believed


def refused(vault: Vault, path: Path, error: type[VaultError], words: str) -> VaultError:
    before, places_before = recorded(vault), places(vault)
    with pytest.raises(error, match=words) as caught:
        take(vault, str(path))
    assert (recorded(vault), places(vault)) == (before, places_before)
    if not isinstance(caught.value, BrokenSignature | DamagedBundle):  # these are not shown either
        assert show(vault, str(path)).objection == str(caught.value)
    return caught.value


def test_an_editor_whose_words_were_not_compared_is_not_believed_until_they_were(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    path = received(here, editor, tmp_path)
    here.change_book(lambda book: book.without_contact("editor"))
    refused(here, path, UnknownSigner, "do not know")
    knows(here, "editor", editor, compared=False)
    error = refused(here, path, UnknownSigner, "not compared yet")
    assert any(" ".join(editor.me.card().words) in hint for hint in error.hints)
    here.change_book(lambda book: book.with_verified("editor", DAY))
    assert take(here, str(path)).new == 3


def test_a_receipt_by_somebody_the_export_was_not_for_is_refused(here: Vault, editor: Vault, tmp_path: Path) -> None:
    with unlock(newsroom(tmp_path / "third", label="Other", case=None)) as third:
        knows(here, "other", third)
        sealed(here, tmp_path / "bundle.age")
        _, note = last_export(here)
        forged(here, tmp_path / "receipt", third.me, note)
        refused(here, tmp_path / "receipt", NotTrusted, "not sealed for")


def forged(here: Vault, path: Path, editor: Identity, note: ExportNote, *more: bytes) -> None:
    """A receipt that somebody makes by hand, for every document of the case and more."""
    with store_of(here) as store:
        hashes = [item.sha256 for item in listing(store)]
    path.write_bytes(
        seal_receipt(note.bundle_id, note.tag_manifest_sha256, [*hashes, *more], DAY, editor=editor,
                     sender=here.me.recipient)
    )  # fmt: skip


def test_one_s_own_receipt_and_that_of_a_journalist_of_the_same_vault_count_for_nothing(
    here: Vault, tmp_path: Path
) -> None:
    """What they opened may lie in this very vault, and would be lost with it."""
    entry = here.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
    for name in ("Айгүл", "Бакыт"):
        sealed(here, tmp_path / f"{name}.age", to=name)
        _, note = last_export(here)
        if name == "Бакыт":
            with unlock(here.folder, COLLEAGUE) as bakyt:
                forged(here, tmp_path / name, bakyt.me, note)
                assert bakyt.me.card() == entry.card
        else:
            forged(here, tmp_path / name, here.me, note)
        refused(here, tmp_path / name, NotAllowed, "journalist of this vault")


def test_a_contact_with_another_card_than_the_compared_one_is_not_believed(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    """Somebody puts the editor's signing key on a card with another recipient."""
    path = received(here, editor, tmp_path)
    other = Identity(Secret(bytes(32)), editor.me.signing_seed)
    here.change_book(lambda book: book.without_contact("editor"))
    here.change_book(lambda book: book.with_contact(Contact("editor", other.card(), DAY, DAY)))
    refused(here, path, UnknownSigner, "do not know")


# What it is for


def test_a_receipt_for_a_bundle_of_the_same_identifier_and_other_content_is_refused(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    sealed(here, tmp_path / "bundle.age")
    _, note = last_export(here)
    forged(here, tmp_path / "receipt", editor.me, replace(note, tag_manifest_sha256=bytes(32)))
    refused(here, tmp_path / "receipt", NotTrusted, "other content")


def test_a_receipt_that_names_a_document_that_was_not_in_the_bundle_is_refused_as_a_whole(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    sealed(here, tmp_path / "bundle.age", id_of(here, b"letter"))
    _, note = last_export(here)
    forged(here, tmp_path / "receipt", editor.me, note)  # for all three
    refused(here, tmp_path / "receipt", NotTrusted, "not in that export")


def test_the_receipt_for_one_bundle_is_none_for_another(here: Vault, editor: Vault, tmp_path: Path) -> None:
    """Replayed, it counts for what it says and for nothing else."""
    path = received(here, editor, tmp_path, id_of(here, b"letter"))
    sealed(here, tmp_path / "second.age")
    assert take(here, str(path)).items == 1
    assert places(here)[b"photo"] is Where.SENT


def test_a_receipt_for_what_nobody_exported_here_is_not_found(here: Vault, editor: Vault, tmp_path: Path) -> None:
    note = ExportNote(os.urandom(16), bytes(32), (known_as(editor.me.card()),))
    forged(here, tmp_path / "receipt", editor.me, note)
    refused(here, tmp_path / "receipt", NotFound, "no case of yours")


def test_a_false_export_under_the_same_identifier_does_not_hide_the_true_one(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    path = received(here, editor, tmp_path)
    event, note = last_export(here)
    for false in (replace(note, whom=("nobody",)), replace(note, tag_manifest_sha256=bytes(32))):
        with store_of(here) as store:
            store.record(Event(0, EVENT_EXPORTED, event.items, str(false)))
    assert take(here, str(path)).new == 3


# Files that strangers made


@pytest.fixture
def whole(here: Vault, editor: Vault, tmp_path: Path) -> Path:
    return received(here, editor, tmp_path)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1], "cut in the header": lambda data: data[:100], "empty": lambda data: b"",
    "flipped": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "no age file": lambda data: b"hello\n" * 99,
    "appended": lambda data: data + b"x", "huge": lambda data: data + bytes(receipts_format.MAX_FILE_SIZE),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_file_is_refused_with_an_error_of_ours(
    here: Vault, whole: Path, change: Callable[[bytes], bytes]
) -> None:
    whole.write_bytes(change(whole.read_bytes()))
    refused(here, whole, DamagedBundle, "receipt")


def test_a_receipt_for_another_sender_does_not_open(here: Vault, editor: Vault, whole: Path) -> None:
    with pytest.raises(DoesNotOpen, match="somebody else"):
        take(editor, str(whole))


def test_a_receipt_whose_signature_is_another_s_is_refused(here: Vault, editor: Vault, tmp_path: Path) -> None:
    sealed(here, tmp_path / "bundle.age")
    _, note = last_export(here)
    body = receipts_format._Receipt(
        note.bundle_id, note.tag_manifest_sha256, (bytes(32),), DAY, encode(editor.me.card())
    )
    (tmp_path / "receipt").write_bytes(
        seal_record(body, labels.RECEIPT_SIGNATURE, Identity.generate(), [here.me.recipient], least=1 << 14,
                    limit=receipts_format.MAX_SIZE)
    )  # fmt: skip
    refused(here, tmp_path / "receipt", BrokenSignature, "counts for nothing")


def test_a_file_that_cannot_be_read_is_named(here: Vault, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            take(here, str(path))


# When none is given


def no_receipt(editor: Vault, arrived: Opened, path: Path, why: str) -> None:
    with pytest.raises(NotAllowed, match=why):
        give(editor, arrived, str(path), in_folder=True)
    assert not path.exists()


def test_nothing_is_said_to_a_sender_whose_words_were_not_compared(here: Vault, editor: Vault, tmp_path: Path) -> None:
    editor.change_book(lambda book: book.without_contact("news"))
    sealed(here, tmp_path / "bundle.age")
    no_receipt(editor, opened(editor, tmp_path / "bundle.age", tmp_path / "out"), tmp_path / "r", "unknown sender")


def test_a_drop_has_no_sender_to_give_a_receipt_to(here: Vault, editor: Vault, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"x")
    with store_of(editor, "Received") as store:
        card = store.keys.card()
    done = drop(card, [bytes(tmp_path / "photo")], str(tmp_path), about=About(), progress=quiet, clock_ns=DAY)
    no_receipt(editor, opened(editor, Path(done.path), tmp_path / "out"), tmp_path / "r", "who sent it")


def test_nobody_gives_themselves_a_receipt(here: Vault, tmp_path: Path) -> None:
    sealed(here, tmp_path / "bundle.age", to="Айгүл")
    no_receipt(here, opened(here, tmp_path / "bundle.age", tmp_path / "out"), tmp_path / "r", "sealed this yourself")


def test_a_bundle_that_was_sealed_for_a_case_s_key_gets_no_receipt_by_a_person(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    """The sender would look for the person among those it was sealed for."""
    with store_of(editor, "Received") as store:
        to = Addressee("case", store.keys.current.recipient, "recipient …", False)
    export(here, find_case(here, "Mine"), [], [to], str(tmp_path / "bundle.age"))
    no_receipt(editor, opened(editor, tmp_path / "bundle.age", tmp_path / "out"), tmp_path / "r", "your own key")


class _NoSync(Disk):
    """A disk that cannot make a file durable."""

    def sync(self, fd: int, path: str) -> None:
        raise OSError(5, "Input/output error")


def test_no_receipt_is_signed_for_documents_that_are_not_on_the_medium(
    here: Vault, editor: Vault, tmp_path: Path
) -> None:
    sealed(here, tmp_path / "bundle.age")
    arrived = opened(editor, tmp_path / "bundle.age", tmp_path / "out")
    editor.disk = _NoSync()
    with pytest.raises(DiskFailed, match="could not be synced"):
        give(editor, arrived, str(tmp_path / "receipt"), in_folder=True)
    assert not (tmp_path / "receipt").exists()
    assert len(files_below(tmp_path / "out")) > len(DOCUMENTS)


def test_every_document_is_synced_before_the_receipt_is_there(here: Vault, editor: Vault, tmp_path: Path) -> None:
    synced: set[str] = set()

    class Watching(Disk):
        def sync(self, fd: int, path: str) -> None:
            assert not (tmp_path / "receipt").exists()
            synced.add(os.path.basename(path))
            super().sync(fd, path)

        def sync_folder(self, path: str) -> None:
            synced.add(os.path.basename(path))
            super().sync_folder(path)

    sealed(here, tmp_path / "bundle.age")
    arrived = opened(editor, tmp_path / "bundle.age", tmp_path / "new" / "out")
    editor.disk = Watching()
    give(editor, arrived, str(tmp_path / "receipt"), in_folder=True)
    assert {os.path.basename(d.place) for d in arrived.documents} <= synced
    assert {os.path.basename(arrived.place), "data", "out", "new"} <= synced


def test_a_receipt_never_overwrites_and_says_so_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(AlreadyThere):
        check_place(str(tmp_path / "mine"))
    with pytest.raises(BadInput):
        check_place(str(tmp_path / "no folder" / "receipt"))
    check_place(str(tmp_path / "receipt"))


# For a lawyer


def test_a_receipt_can_be_shown_with_the_names_that_the_case_knows(here: Vault, whole: Path) -> None:
    take(here, str(whole))
    shown = show(here, str(whole))
    assert (shown.name, shown.objection, shown.case) == ("editor", None, "Mine")
    assert set(shown.names.values()) == set(DOCUMENTS)
    assert recorded(here)[0].detail.endswith(known_as(shown.signed.receipt.editor))
    assert shown.signed.digest.hex() in recorded(here)[0].detail


def test_openssl_checks_what_is_written_for_a_lawyer(here: Vault, whole: Path, tmp_path: Path) -> None:
    openssl, files = need("openssl"), receipt_proof.files(show(here, str(whole)).signed)
    folder = tmp_path / "proof"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (line,) = [line for line in files["receipt.txt"].decode().splitlines() if line.startswith("    openssl ")]
    command = [openssl, *line.split()[1:]]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, "Signature Verified Successfully"), run.stderr
    statement = bytearray(files["statement.bin"])
    statement[-1] ^= 1
    (folder / "statement.bin").write_bytes(statement)
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode != 0


def test_the_text_for_a_lawyer_says_what_the_signed_statement_says(here: Vault, whole: Path) -> None:
    signed = show(here, str(whole)).signed
    text = receipt_proof.files(signed)["receipt.txt"].decode()
    for digest in (*signed.receipt.documents, signed.receipt.tag_manifest_sha256):
        assert digest.hex() in text
        assert digest in signed.statement
    assert " ".join(signed.receipt.editor.words) in text
    assert not any(os.fsdecode(name) in text for name in DOCUMENTS)


def test_showing_a_receipt_records_nothing(here: Vault, whole: Path) -> None:
    before = files_below(here.folder)
    show(here, str(whole))
    assert recorded(here) == []
    changed = {name for name, data in files_below(here.folder).items() if before.get(name) != data}
    assert not [name for name in changed if "packs" in name or name in ("counter", "abroad")]


def test_the_receipt_opens_for_nobody_but_its_sender(here: Vault, editor: Vault, whole: Path) -> None:
    assert receipts.read(here, str(whole)).receipt.editor == editor.me.card()
    assert PASSPHRASE.encode() not in whole.read_bytes()
    with pytest.raises(DoesNotOpen):
        receipts.read(editor, str(whole))
