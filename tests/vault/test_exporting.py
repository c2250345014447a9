# SPDX-License-Identifier: Apache-2.0
"""From vault to vault: what is sealed in one newsroom comes out in another, whole and with its sender known."""

import errno
import hashlib
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keys import age
from keys.book import Contact, ForeignCase
from keys.card import Card
from keys.identity import Identity
from keys.secret import Secret
from tests.support import bundles
from tests.support.mounts import mounted
from tests.support.newsroom import (
    DAY,
    add_paths,
    contents,
    file,
    files_below,
    listing,
    newsroom,
    pack_paths,
    store_of,
    unlock,
)
from tests.support.tools import need, need_hybrid_age
from vault import counter
from vault.bundle import IdentitySigner, write_bundle
from vault.cases import create_case, find_case, grant, revoke
from vault.disk import Disk
from vault.errors import (
    AlreadyThere,
    BadInput,
    Damaged,
    DiskFailed,
    DoesNotOpen,
    NotTrusted,
    Resealed,
    VaultError,
)
from vault.exporting import Addressee, Exported, addressees, export
from vault.filing import drop
from vault.model import EVENT_EXPORTED, EVENT_TAKEN_IN, ORIGIN_AGE, ORIGIN_BUNDLE, ORIGIN_DROP
from vault.opening import Opened, identities_of, open_into_case, open_into_folder, read_identity_file
from vault.sources import About
from vault.vaults import Vault
from vault.verifying import verify

DOCUMENTS = {
    "иш/протокол №1.pdf".encode(): os.urandom(5000),
    b"\xff\xfe\x80 not UTF-8": b"1",
    b"two\nlines": b"",
    b"\x1b[31mred": b"2" * 3_000_000,
    b"n" * 255: b"3",
}


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "here")) as vault:
        with store_of(vault) as store:
            file(store, DOCUMENTS, about=About("жазуу", "булак", ("тег",)))
        yield vault


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "abroad", label="Редактор", case=None)) as vault:
        create_case(vault, "Received")
        yield vault


def knows(vault: Vault, name: str, card: Card, *, compared: bool = True) -> None:
    contact = Contact(name, card, DAY, DAY if compared else None)
    vault.change_book(lambda book: book.with_contact(contact))


def sealed_for(here: Vault, abroad: Vault, path: Path, *references: str, sources: bool = True) -> Exported:
    if here.book().contact("editor") is None:
        knows(here, "editor", abroad.me.card())
    case, to = find_case(here, "Mine"), addressees(here, ["editor"])
    return export(here, case, list(references), to, str(path), sources=sources)


def into_case(vault: Vault, path: Path | str, case: str = "Received") -> Opened:
    return open_into_case(vault, find_case(vault, case), str(path), progress=quiet)


def into_folder(vault: Vault, path: Path | str, folder: Path) -> Opened:
    return open_into_folder(str(path), identities_of(vault), str(folder), vault, progress=quiet)


def test_a_case_goes_from_one_vault_into_another(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    knows(abroad, "кабарчы", here.me.card())
    sealed_for(here, abroad, tmp_path / "out.age")
    opened = into_case(abroad, tmp_path / "out.age")
    assert {document.name for document in opened.documents} == set(DOCUMENTS)
    assert (opened.kind, opened.trusted) == ("bundle", True)
    with store_of(abroad, "Received") as store:
        assert contents(store) == DOCUMENTS
        for item in listing(store):
            assert (item.origin, item.signer) == (ORIGIN_BUNDLE, here.me.signing_public)
            assert (item.note, item.source, item.tags) == ("жазуу", "булак", ("тег",))
        assert verify(store).whole
        (event,) = [row.event for row in store.index.events() if row.event.kind == EVENT_TAKEN_IN]
        assert len(event.items) == len(DOCUMENTS)
        assert " ".join(here.me.card().words) in event.detail
        before = contents(store)
        store.rebuild()
        assert contents(store) == before


def test_a_case_goes_from_a_vault_into_a_folder(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    sealed_for(here, abroad, tmp_path / "out.age")
    opened = into_folder(abroad, tmp_path / "out.age", tmp_path / "opened")
    for document in opened.documents:
        assert Path(document.place).read_bytes() == DOCUMENTS[document.name]
        assert hashlib.sha256(DOCUMENTS[document.name]).digest() == document.sha256
    assert os.listdir(tmp_path / "opened") == [os.path.basename(opened.place)]
    with pytest.raises(AlreadyThere):
        into_folder(abroad, tmp_path / "out.age", tmp_path / "opened")
    assert os.listdir(tmp_path / "opened") == [os.path.basename(opened.place)]


def test_what_was_taken_in_before_is_not_taken_in_twice(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    sealed_for(here, abroad, tmp_path / "out.age")
    into_case(abroad, tmp_path / "out.age")
    assert into_case(abroad, tmp_path / "out.age").filed_before == len(DOCUMENTS)
    with store_of(abroad, "Received") as store:
        assert len(listing(store)) == len(DOCUMENTS)


def test_an_export_is_recorded_and_counted_once(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    sealed_for(here, abroad, tmp_path / "one.age")
    sealed_for(here, abroad, tmp_path / "two.age")
    with store_of(here) as store:
        events = [row.event for row in store.index.events() if row.event.kind == EVENT_EXPORTED]
    assert len(events) == 2
    assert " ".join(abroad.me.card().words) in events[0].detail
    assert counter.read(here.folder, Disk()).sealed == len(DOCUMENTS)


def test_only_what_was_named_is_exported_and_once(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    with store_of(here) as store:
        item = store.find("two\nlines")
    sealed_for(here, abroad, tmp_path / "out.age", "two\nlines", item.id.hex())
    assert [d.name for d in into_case(abroad, tmp_path / "out.age").documents] == [b"two\nlines"]


def test_without_sources_no_file_of_a_bundle_but_the_documents_names_one(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    sealed_for(here, abroad, tmp_path / "with.age")
    sealed_for(here, abroad, tmp_path / "without.age", sources=False)
    for name, named in (("with", True), ("without", False)):
        place = Path(into_folder(abroad, tmp_path / f"{name}.age", tmp_path / name).place)
        files = files_below(place)
        about = [text for path, text in files.items() if path.startswith(("metadata/", "index.html"))]
        assert any("жазуу".encode() in text for text in about)
        assert any("булак".encode() in text for text in about) is named


def test_an_export_never_overwrites_and_leaves_nothing_when_a_pack_is_damaged(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    (tmp_path / "out.age").write_text("mine")
    with pytest.raises(AlreadyThere):
        sealed_for(here, abroad, tmp_path / "out.age")
    assert (tmp_path / "out.age").read_text() == "mine"
    with store_of(here) as store:
        path = pack_paths(store)[1]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(Damaged):
        sealed_for(here, abroad, tmp_path / "other.age")
    assert sorted(os.listdir(tmp_path)) == before


def test_when_the_vaults_disk_does_not_read_the_sealed_files_place_is_not_blamed(
    here: Vault, abroad: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store_of(here) as store:
        file(store, {b"large": os.urandom(3 << 20)})
    usual = os.pread

    def failing(fd: int, size: int, offset: int) -> bytes:
        if size > 1 << 20:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return usual(fd, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(Damaged, match=r"does not read back: pack .* cannot be read: Input/output error"):
        sealed_for(here, abroad, tmp_path / "out.age")
    assert not list(tmp_path.glob("out.age*"))


def test_a_full_disk_leaves_no_bundle(here: Vault, abroad: Vault, tmp_path: Path) -> None:
    with store_of(here) as store:
        file(store, {b"large": os.urandom(3 << 20)})
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "none") as folder:
        with pytest.raises(DiskFailed):
            sealed_for(here, abroad, Path(folder) / "out.age")
        assert os.listdir(folder) == []


def test_a_full_disk_leaves_nothing_that_looks_like_an_opened_bundle(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    """What was verified stays under a name that says so: tests/vault/test_going_on.py."""
    sealed_for(here, abroad, tmp_path / "out.age")
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "none") as folder:
        with pytest.raises(DiskFailed):
            into_folder(abroad, tmp_path / "out.age", Path(folder))
        assert all(name.endswith(".partial") for name in os.listdir(folder))


# Who sent it


def signed_by(sender: Identity, recipient: Identity, path: Path) -> Path:
    path.write_bytes(bundles.seal(recipients=[recipient.recipient], signer=IdentitySigner(sender))[0])
    return path


def test_the_sender_is_known_as_well_as_one_knows_them(abroad: Vault, tmp_path: Path) -> None:
    stranger, unverified, contact = Identity.generate(), Identity.generate(), Identity.generate()
    knows(abroad, "seen once", unverified.card(), compared=False)
    knows(abroad, "old friend", contact.card())
    abroad.add_journalist("colleague", Secret(b"another passphrase"))
    with unlock(abroad.folder, "another passphrase") as other:
        colleague = other.me
        known = {}
        for name, sender in {
            "stranger": stranger, "unverified": unverified, "contact": contact, "me": abroad.me, "colleague": colleague,
        }.items():  # fmt: skip
            opened = into_folder(abroad, signed_by(sender, abroad.me, tmp_path / name), tmp_path / f"{name}-out")
            assert opened.sender is not None
            assert opened.sender.words == " ".join(sender.card().words)
            known[name] = (opened.sender.name, opened.trusted)
    assert known == {
        "stranger": (None, False), "unverified": ("seen once", False), "contact": ("old friend", True),
        "me": ("Редактор", True), "colleague": ("colleague", True),
    }  # fmt: skip


def test_without_a_vault_nobody_is_trusted(tmp_path: Path) -> None:
    editor = Identity.generate()
    path = signed_by(Identity.generate(), editor, tmp_path / "in.age")
    opened = open_into_folder(str(path), [editor.age], str(tmp_path / "out"), None, progress=quiet)
    assert not opened.trusted


def test_a_bundle_that_was_sealed_again_for_somebody_else_is_refused(abroad: Vault, tmp_path: Path) -> None:
    # A recipient of the true bundle passes its plaintext on, as if the sender had sealed it for this editor.
    first = Identity.generate()
    sealed = bundles.seal(recipients=[first.recipient])[0]
    plaintext = age.unseal(sealed, [first.age], limit=1 << 24)
    (tmp_path / "in.age").write_bytes(age.seal(plaintext, [abroad.me.recipient]))
    with pytest.raises(Resealed):
        into_folder(abroad, tmp_path / "in.age", tmp_path / "out")
    with pytest.raises(Resealed):
        into_case(abroad, tmp_path / "in.age")
    assert files_below(tmp_path / "out") == {}
    with store_of(abroad, "Received") as store:
        assert listing(store) == []


def test_what_is_sealed_for_others_does_not_open(abroad: Vault, tmp_path: Path) -> None:
    path = signed_by(Identity.generate(), Identity.generate(), tmp_path / "in.age")
    with pytest.raises(DoesNotOpen):
        into_folder(abroad, path, tmp_path / "out")
    with pytest.raises(DoesNotOpen):
        into_case(abroad, path)


# Damage


def damaged(whole: bytes) -> Iterator[bytes]:
    """Cut every 4 KiB, and changed in many places."""
    for size in range(0, len(whole), 4096):
        yield whole[:size]
    yield whole[:-1]
    yield whole + b"\0"
    for place in [*range(0, 2048, 211), *range(2048, len(whole), 5003)]:
        changed = bytearray(whole)
        changed[place] ^= 0x10
        yield bytes(changed)


@pytest.fixture
def bundle(tmp_path: Path, abroad: Vault) -> bytes:
    documents = [(b"a", os.urandom(40_000)), (b"b", b"text" * 5000), (b"c", os.urandom(60_000))]
    return bundles.seal(documents, [abroad.me.recipient])[0]


def test_after_any_damage_no_file_of_a_bundle_is_left(abroad: Vault, tmp_path: Path, bundle: bytes) -> None:
    mine = [abroad.me.age]
    for untrusted in damaged(bundle):
        (tmp_path / "in.age").write_bytes(untrusted)
        with pytest.raises((Damaged, DoesNotOpen, NotTrusted)):
            open_into_folder(str(tmp_path / "in.age"), mine, str(tmp_path / "out"), abroad, progress=quiet)
        assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []
    (tmp_path / "in.age").write_bytes(bundle)
    assert len(into_folder(abroad, tmp_path / "in.age", tmp_path / "out").documents) == 3


def test_a_damaged_bundle_is_taken_in_all_or_not_at_all(abroad: Vault, tmp_path: Path, bundle: bytes) -> None:
    for untrusted in list(damaged(bundle))[::5]:
        (tmp_path / "in.age").write_bytes(untrusted)
        with pytest.raises((Damaged, DoesNotOpen, NotTrusted)):
            into_case(abroad, tmp_path / "in.age")
    with store_of(abroad, "Received") as store:
        assert listing(store) == []
        assert verify(store).whole
    (tmp_path / "in.age").write_bytes(bundle)
    assert len(into_case(abroad, tmp_path / "in.age").documents) == 3


def test_what_the_vault_cannot_keep_is_not_taken_in(abroad: Vault, tmp_path: Path) -> None:
    items = [replace(item, tags=("a\0b",)) for item in bundles.items_of()]
    sink = io.BytesIO()
    try:
        write_bundle(sink, [abroad.me.recipient], items, bundles.in_pieces(bundles.DOCUMENTS), signer=None,
                     clock_ns=DAY, bundle_id=bundles.ID)  # fmt: skip
    except VaultError:
        return  # no writer of ours makes such a bundle, and its reader judges by the same rule
    (tmp_path / "in.age").write_bytes(sink.getvalue())
    with pytest.raises(VaultError):
        into_case(abroad, tmp_path / "in.age")
    with store_of(abroad, "Received") as store:
        assert listing(store) == []


def test_a_file_that_is_no_age_file_is_damage_and_a_missing_one_is_named(abroad: Vault, tmp_path: Path) -> None:
    (tmp_path / "in.age").write_bytes(b"hello")
    for path, error in ((tmp_path / "in.age", Damaged), (tmp_path / "none", BadInput), (tmp_path, BadInput)):
        with pytest.raises(error):
            into_folder(abroad, path, tmp_path / "out")
        with pytest.raises(error):
            into_case(abroad, path)
    assert files_below(tmp_path / "out") == {}


# Drops and files of other programs


def test_a_drop_made_with_a_card_alone_is_taken_in_as_unsigned(abroad: Vault, tmp_path: Path) -> None:
    (tmp_path / "leak").mkdir()
    (tmp_path / "leak" / "табель.xls").write_bytes(b"x" * 5000)
    (tmp_path / "leak" / "link").symlink_to("/etc/passwd")
    card = find_case(abroad, "Received").keys.card()
    done = drop(card, [os.fsencode(tmp_path / "leak")], str(tmp_path / "drops"), about=About("from a friend"),
                progress=quiet, clock_ns=DAY)  # fmt: skip
    assert (done.count, [problem.name for problem in done.problems]) == (1, [b"leak/link"])
    assert b"x" * 50 not in Path(done.path).read_bytes()
    opened = into_case(abroad, done.path)
    assert (opened.kind, opened.sender, opened.trusted) == ("drop", None, True)
    with store_of(abroad, "Received") as store:
        (item,) = listing(store)
        assert (item.origin, item.signer, item.note) == (ORIGIN_DROP, b"", "from a friend")
        assert contents(store) == {"leak/табель.xls".encode(): b"x" * 5000}
        assert [row.event.detail.endswith("unsigned") for row in store.index.events()][-1]


def test_a_drop_for_an_earlier_epoch_still_opens(abroad: Vault, tmp_path: Path) -> None:
    entry = abroad.add_journalist("colleague", Secret(b"another passphrase"))
    card = find_case(abroad, "Received").keys.card()
    (tmp_path / "file").write_text("x")
    done = drop(card, [os.fsencode(tmp_path / "file")], str(tmp_path), about=About(), progress=quiet, clock_ns=DAY)
    case = grant(abroad, find_case(abroad, "Received"), entry.card, "colleague")
    revoke(abroad, case, entry.card, "colleague")
    into_case(abroad, done.path)
    with store_of(abroad, "Received") as store:
        assert contents(store) == {b"file": b"x"}


def test_nothing_to_seal_leaves_no_file(abroad: Vault, tmp_path: Path) -> None:
    card = find_case(abroad, "Received").keys.card()
    with pytest.raises(BadInput):
        drop(card, [b"/nowhere"], str(tmp_path / "drops"), about=About(), progress=quiet, clock_ns=DAY)
    assert files_below(tmp_path / "drops") == {}


def test_a_plain_age_file_is_taken_in_under_its_name(abroad: Vault, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    case = find_case(abroad, "Received")
    (tmp_path / "photo.jpg.age").write_bytes(age.seal(content, [case.keys.current.recipient]))
    assert into_case(abroad, tmp_path / "photo.jpg.age").kind == "age"
    with store_of(abroad, "Received") as store:
        (item,) = listing(store)
        assert (item.name, item.origin) == (b"photo.jpg", ORIGIN_AGE)
        assert contents(store) == {b"photo.jpg": content}


def test_what_stock_age_seals_is_taken_in(abroad: Vault, tmp_path: Path) -> None:
    program = str(need_hybrid_age() / "age")
    recipient = str(find_case(abroad, "Received").keys.current.recipient)
    (tmp_path / "photo.jpg").write_bytes(b"x" * 200_000)
    run = [program, "-r", recipient, "-o", str(tmp_path / "photo.jpg.age"), str(tmp_path / "photo.jpg")]
    subprocess.run(run, check=True, capture_output=True)
    opened = into_folder(abroad, tmp_path / "photo.jpg.age", tmp_path / "out")
    assert Path(opened.documents[0].place).read_bytes() == b"x" * 200_000
    into_case(abroad, tmp_path / "photo.jpg.age")
    with store_of(abroad, "Received") as store:
        assert contents(store) == {b"photo.jpg": b"x" * 200_000}


def test_what_stock_age_seals_opens_with_its_identity_file(tmp_path: Path) -> None:
    key, sealed = tmp_path / "key.txt", tmp_path / "photo.jpg.age"
    subprocess.run([need("age-keygen"), "-o", str(key)], check=True, capture_output=True)
    recipient = key.read_text().partition("public key: ")[2].split()[0]
    run = [need("age"), "-r", recipient, "-o", str(sealed)]
    subprocess.run(run, input=b"x" * 200_000, check=True, capture_output=True)
    identities = read_identity_file(str(key))
    opened = open_into_folder(str(sealed), identities, str(tmp_path / "out"), None, progress=quiet)
    assert (opened.kind, opened.sender) == ("age", None)
    assert Path(opened.documents[0].place).read_bytes() == b"x" * 200_000


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file that opens and does not read")
def test_a_medium_that_does_not_read_is_not_called_damage(abroad: Vault, tmp_path: Path) -> None:
    with pytest.raises(DiskFailed, match="/proc/self/mem cannot be read"):
        into_folder(abroad, "/proc/self/mem", tmp_path / "out")
    with pytest.raises(DiskFailed, match="/proc/self/mem cannot be read"):
        into_case(abroad, "/proc/self/mem")
    assert files_below(tmp_path / "out") == {}


def test_a_damaged_plain_age_file_leaves_nothing(abroad: Vault, tmp_path: Path) -> None:
    whole = age.seal(os.urandom(200_000), [abroad.me.recipient])
    for untrusted in list(damaged(whole))[::3]:
        (tmp_path / "in.age").write_bytes(untrusted)
        with pytest.raises((Damaged, DoesNotOpen)):
            into_folder(abroad, tmp_path / "in.age", tmp_path / "out")
        assert files_below(tmp_path / "out") == {}


def test_what_is_filed_to_a_case_known_by_its_card_waits_in_the_outbox(
    here: Vault, abroad: Vault, tmp_path: Path
) -> None:
    card = find_case(abroad, "Received").keys.card()
    here.change_book(lambda book: book.with_foreign(ForeignCase("editors", card, DAY)))
    (tmp_path / "file").write_text("x")
    outcome = add_paths(here, tmp_path / "file", case="editors")
    assert outcome.outbox is not None and outcome.outbox.startswith(os.path.join(here.folder, "outbox"))
    with pytest.raises(BadInput):
        add_paths(here, tmp_path / "file", case="editors", move=True)
    with pytest.raises(DoesNotOpen):
        into_folder(here, outcome.outbox, tmp_path / "out")
    into_case(abroad, outcome.outbox)
    with store_of(abroad, "Received") as store:
        assert contents(store) == {b"file": b"x"}


def test_an_addressee_is_somebody_one_knows(here: Vault) -> None:
    knows(here, "editor", Identity.generate().card(), compared=False)
    (one,) = addressees(here, ["EDITOR"])
    assert isinstance(one, Addressee) and not one.verified
    with pytest.raises(VaultError):
        addressees(here, ["nobody"])
