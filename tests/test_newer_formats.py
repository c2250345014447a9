# SPDX-License-Identifier: Apache-2.0
"""What a newer version of this program wrote is named as that, and never as damage: each row of docs/format.md §11.1.

Every file is a real one. Nothing but its version is one higher, and it is sealed and signed again as a newer program
would.
"""

from __future__ import annotations

import io
import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keys import age, labels, slots
from keys import errors as keys_errors
from keys import layout as keyring_layout
from keys.canonical import is_newer
from keys.card import encode as encode_card
from keys.card import parse_card
from keys.kdf import compartment_identity
from keys.keyring import parse_header
from keys.primitives import argon2id
from keys.record import seal_record
from keys.secret import Secret
from tests.support import bundles
from tests.support.newsroom import (
    CHEAP,
    PASSPHRASE,
    add_paths,
    found_abroad,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
)
from tests.support.partition import a_bundle, find, write
from vault import arming, counter, text_files
from vault.bundle import BundleReader
from vault.cases import find_case, list_cases
from vault.cli.exits import FAILED, exit_code
from vault.disk import Disk
from vault.errors import NewerFormat
from vault.founding import book_number, book_path, roster_path
from vault.holding import receive
from vault.manifest import NewerPack
from vault.mending import mend
from vault.model import PackId
from vault.pack import MAGIC
from vault.protecting import protect
from vault.receipts import read as read_receipt
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import verify

DOCS = Path(__file__).parent.parent / "docs" / "format.md"
Test = Callable[[Path], None]
ROWS: dict[str, list[Test]] = defaultdict(list)


def row(name: str) -> Callable[[Test], Test]:
    """Says of which row of the table a function is the test."""

    def note(test: Test) -> Test:
        ROWS[name].append(test)
        return test

    return note


def named_as_newer(act: Callable[[], object]) -> None:
    """The error is ours for this, with a hint, and is no sign of damage."""
    with pytest.raises(NewerFormat, match="made by a newer sandyk than this one") as caught:
        act()
    assert exit_code(caught.value) == FAILED
    assert any("up to date" in hint for hint in caught.value.hints)
    assert "by its own word" in str(caught.value) and any("it is damage, or" in hint for hint in caught.value.hints)


def a_vault(tmp_path: Path) -> str:
    folder = newsroom(tmp_path / "vault")
    (tmp_path / "memo.txt").write_bytes(b"Hello, Bishkek.\n" * 999)
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "memo.txt")
    return folder


def record(kind: str, signer: Any, recipients: list[age.Recipient], *, version: int = 2, **fields: object) -> bytes:
    """A sealed record of a higher version, with a field that nobody knows yet."""
    shape = msgspec.defstruct("Newer", [*fields, "yet_unknown"], tag_field="kind", tag=f"sandyk {kind} {version}")
    body = shape(**fields, yet_unknown=7)
    return seal_record(body, f"sandyk {kind} v{version}", signer, recipients, least=1 << 14, limit=1 << 20)


@row("`VAULT`")
def the_header(tmp_path: Path) -> None:
    header = Path(a_vault(tmp_path)) / "VAULT"
    header.write_bytes(header.read_bytes().replace(b"sandyk vault 1\n", b"sandyk vault 2\n") + b"more\n")
    named_as_newer(lambda: unlock(str(tmp_path / "vault")))


@row("`keyring`")
def a_slot(tmp_path: Path) -> None:
    """Sealed again with the key that opens it, and a payload of version 2 inside."""
    folder = a_vault(tmp_path)
    keyring = Path(folder) / "keyring"
    with unlock(folder) as vault:
        number, payload = vault.opened.slot, bytearray(slots.encode_payload(vault.opened.payload))
    payload[0] += 1
    header = parse_header((Path(folder) / "VAULT").read_bytes(), floor=CHEAP)
    stretched = argon2id(PASSPHRASE.encode(), header.salt, header.cost, floor=CHEAP)
    held = bytearray(keyring.read_bytes())
    key = slots.slot_key(stretched, number, slots.environment(bytes(held), number // 32), b"")
    start = keyring_layout.SLOTS_OFFSET + number * keyring_layout.SLOT_SIZE
    held[start : start + keyring_layout.SLOT_SIZE] = slots.seal_slot(bytes(payload), key, os.urandom(24))
    keyring.write_bytes(held)
    named_as_newer(lambda: unlock(folder))


@row("`counter`")
def the_counter(tmp_path: Path) -> None:
    folder = a_vault(tmp_path)
    path = Path(folder) / "counter"
    assert counter.read(folder, Disk()).filed == 1
    path.write_bytes(path.read_bytes().replace(b"sandyk counter 1", b"sandyk counter 2"))
    assert counter.read(folder, Disk()) == counter.Counter()


@row("`abroad`")
def what_is_abroad(tmp_path: Path) -> None:
    folder = a_vault(tmp_path)
    found_abroad(folder)
    assert arming.read(folder, Disk()) is not None
    path = Path(folder) / "abroad"
    path.write_bytes(path.read_bytes().replace(b"sandyk abroad 1", b"sandyk abroad 2"))
    assert arming.read(folder, Disk()) is None


@row("cards")
def a_card(tmp_path: Path) -> None:
    from vault.cli.cards import read_card

    (tmp_path / "card").write_text(encode_card(bundles.EDITOR.card()).replace("sandyk card 1", "sandyk card 2"))
    named_as_newer(lambda: read_card(str(tmp_path / "card")))


@row("access files")
def an_access_file(tmp_path: Path) -> None:
    folder = a_vault(tmp_path)
    (path,) = (Path(folder) / "cases").glob("*/access/*.age")
    with unlock(folder) as vault:
        path.write_bytes(record("access", vault.me, [vault.me.recipient], case=os.urandom(16)))
        named_as_newer(lambda: find_case(vault, "Mine"))
        cases, unusable = list_cases(vault)
        assert cases == [] and "newer sandyk" in unusable[0][1]


@row("books")
def a_book(tmp_path: Path) -> None:
    folder = a_vault(tmp_path)
    with unlock(folder) as vault:
        path = Path(book_path(folder, book_number(vault.opened)))
        path.write_bytes(record("book", vault.me, [vault.me.recipient], version=3, contacts=()))
    with unlock(folder) as vault:  # opening the vault asks for the book, and goes on without it
        named_as_newer(vault.book)
        held = path.read_bytes()
        named_as_newer(lambda: vault.change_book(lambda book: book))
    assert path.read_bytes() == held


@row("rosters")
def a_roster(tmp_path: Path) -> None:
    folder = a_vault(tmp_path)
    with unlock(folder) as vault:
        owner = compartment_identity(vault.device_secret)
        path = Path(roster_path(folder, vault.home[0]))
        path.write_bytes(record("roster", owner, [owner.recipient], version=3, entries=()))
    with unlock(folder) as vault:
        named_as_newer(vault.roster)
        held = path.read_bytes()
        named_as_newer(lambda: vault.add_journalist("Бек", Secret(b"another one of them")))
    assert path.read_bytes() == held


@row("shares of a key")
def a_share(tmp_path: Path) -> None:
    with unlock(a_vault(tmp_path)) as vault:
        sealed = age.seal(b"sandyk share 2\nand what nobody knows yet\n", [vault.me.recipient])
        named_as_newer(lambda: receive(vault, sealed))


@row("receipts")
def a_receipt(tmp_path: Path) -> None:
    with unlock(a_vault(tmp_path)) as vault:
        (tmp_path / "receipt").write_bytes(record("receipt", bundles.EDITOR, [vault.me.recipient], bundle=bytes(16)))
        named_as_newer(lambda: read_receipt(vault, str(tmp_path / "receipt")))


def with_another_pack(tmp_path: Path, make: Callable[[Vault, CaseStore], None]) -> None:
    """Only the pack of a newer version is not listed; all says so, and nothing is put aside."""
    folder = a_vault(tmp_path)
    with unlock(folder) as vault:
        with store_of(vault) as store:
            make(vault, store)
        with store_of(vault) as store:
            assert [item.name for item in listing(store)] == [b"memo.txt"]
            (said,) = verify(store).findings
            assert "made by a newer sandyk than this one; that is no damage" in said.what


@row("packs")
def a_pack(tmp_path: Path) -> None:
    def make(vault: Vault, store: CaseStore) -> None:
        plaintext = MAGIC.replace(b" 1\n", b" 12\n") + os.urandom(40_000)
        name = os.urandom(16).hex()
        (Path(store.folder) / "packs" / f"{name}.age").write_bytes(age.seal(plaintext, [store.keys.current.recipient]))

    with_another_pack(tmp_path, make)


@row("packs")
def a_list_of_a_pack(tmp_path: Path) -> None:
    def make(vault: Vault, store: CaseStore) -> None:
        known = read_manifest(store, pack_paths(store)[-1])
        fields = msgspec.structs.astuple(known)
        newer = msgspec.msgpack.encode((3, *fields[1:3], os.urandom(16), *fields[4:], "yet unknown"))
        pack = PackId(msgspec.msgpack.decode(newer)[3])
        from vault import manifest as manifests
        from vault.pack import PackReader, PackWriter

        writer = PackWriter(Disk(), str(Path(store.folder) / "packs"), pack, store.keys.current.recipient)
        signature = vault.me.sign(manifests.SIGNATURE_LABEL, manifests.digest(newer))
        writer.finish(manifests.compress(newer), signature)
        folder = os.path.join(store.folder, "packs")
        with PackReader(folder, pack, [store.keys.current.age]) as reader, pytest.raises(NewerPack):
            reader.manifest()

    with_another_pack(tmp_path, make)


@row("parity")
def a_parity_file(tmp_path: Path) -> None:
    with unlock(a_vault(tmp_path)) as vault, store_of(vault) as store:
        protect(store, 5, disk=Disk())
        pack = pack_paths(store)[-1]
        path = Path(store.folder) / "parity" / f"{pack.stem}.par"
        path.write_bytes(path.read_bytes().replace(b"sandyk parity 1\n", b"sandyk parity 2\n"))
        named_as_newer(lambda: mend(Disk(), bytes.fromhex(pack.stem), str(pack), str(path), lambda _: None))


@row("index")
def an_index(tmp_path: Path) -> None:
    """It holds nothing that is not in the packs: it goes, and no word of it."""
    with unlock(a_vault(tmp_path)) as vault:
        with store_of(vault) as store:
            store.index._rows("PRAGMA user_version = 99")
        with store_of(vault) as store:
            assert store.index_was_made_anew
            assert [item.name for item in listing(store)] == [b"memo.txt"]
            assert verify(store).whole


@row("text")
def the_texts_of_a_case(tmp_path: Path) -> None:
    """Left alone: reading all documents again takes hours. The case opens all the same."""
    with unlock(a_vault(tmp_path)) as vault:
        with store_of(vault) as store, text_files.texts_of(store, vault.device_secret, create=True) as texts:  # type: ignore[union-attr]
            texts._db.execute("PRAGMA user_version = 99")
        held = (Path(store.folder) / "text").read_bytes()
        with store_of(vault) as store:
            named_as_newer(lambda: text_files.texts_of(store, vault.device_secret))
            assert verify(store).whole
        assert (Path(store.folder) / "text").read_bytes() == held


@row("bundles")
def a_bundle_file(tmp_path: Path) -> None:
    """Also one whose files after bag-info.txt this version would not know."""

    def newer(files: dict[str, bytes]) -> None:
        files["bag-info.txt"] = files["bag-info.txt"].replace(b"Format: 1\n", b"Format: 2\n")
        files["Metadata/OTHER"] = b"yet unknown"

    for plain in (bundles.SIGNED_PLAIN, bundles.DROP_PLAIN):
        tar = bundles.rewritten(plain, newer)
        assert tar != plain
        sealed = age.seal(tar, [bundles.EDITOR.recipient])
        named_as_newer(lambda sealed=sealed: BundleReader(io.BytesIO(sealed), [bundles.EDITOR.age]))  # type: ignore[misc]


@row("bundles")
def a_bundle_with_a_newer_card(tmp_path: Path) -> None:
    def newer(files: dict[str, bytes]) -> None:
        files["metadata/sender.card"] = files["metadata/sender.card"].replace(b"sandyk card 1", b"sandyk card 2")

    sealed = age.seal(bundles.hostile(newer), [bundles.EDITOR.recipient])
    named_as_newer(lambda: BundleReader(io.BytesIO(sealed), [bundles.EDITOR.age]))


@row("parts of a bundle")
def a_part(tmp_path: Path) -> None:
    """Alone it is named; beside parts of this version it is one that is left out, and why."""
    written = write(tmp_path, a_bundle(), 2)
    paths = [Path(part.path) for part in written.parts]
    plain = bundles.plaintext_of(paths[0].read_bytes())
    newer = plain.replace(b"\nsandyk part 1\n", b"\nsandyk part 2\n") + b"yet unknown\n"
    paths[0].write_bytes(age.seal(newer, [bundles.EDITOR.recipient]))
    named_as_newer(lambda: find(paths[0]))
    beside = find(paths[1], paths[0])
    assert beside is not None
    assert any("newer sandyk" in one.reason for one in beside.left_out)


@pytest.mark.parametrize("name", ROWS)
def test_a_higher_version_is_answered_as_the_table_says(tmp_path: Path, name: str) -> None:
    for n, test in enumerate(ROWS[name]):
        folder = tmp_path / str(n)
        folder.mkdir()
        test(folder)


def test_every_row_of_the_table_is_tested() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("### 11.1")[2].partition("### 11.2")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)[1:]
    assert rows == list(ROWS)


@pytest.mark.parametrize("text", ["sandyk card 2", "sandyk card 10", b"sandyk card 999999"])
def test_a_higher_number_is_newer(text: str | bytes) -> None:
    assert is_newer(text, "sandyk card 1")


@pytest.mark.parametrize(
    "text", ["sandyk card 1", "sandyk card 0", "sandyk card 02", "sandyk card -2", "sandyk card ٢", "sandyk card 2 ",
             "sandyk card two", "sandyk drac 2", "card 2", "", "2", "sandyk card " + "9" * 30, b"\xffsandyk card 2"],
)  # fmt: skip
def test_anything_else_is_not(text: str | bytes) -> None:
    assert not is_newer(text, "sandyk card 1")


def test_a_record_that_is_no_newer_one_is_still_malformed() -> None:
    """Version 1 with a field too many, and version 2 of something else."""
    from keys.roster import open_roster

    secret = Secret(bytes(32))
    owner = compartment_identity(secret)
    for tag in ("sandyk roster 1", "sandyk book 2", "sandyk roster 02"):
        shape = msgspec.defstruct("Odd", ["entries", "more"], tag_field="kind", tag=tag)
        sealed = seal_record(
            shape((), 1), labels.ROSTER_SIGNATURE, owner, [owner.recipient], least=1 << 14, limit=1 << 20
        )
        with pytest.raises(keys_errors.MalformedRecord):
            open_roster(sealed, secret)


def test_a_card_whose_first_line_alone_is_newer_is_not_read_further() -> None:
    with pytest.raises(keys_errors.NewerFormat):
        parse_card("sandyk card 7\nwhatever else\n")
