# SPDX-License-Identifier: Apache-2.0
"""Sealed bundles: what was sealed arrives, anybody can check it, and nothing else is let through."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import bagit as oracle
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import age, sshsig
from keys.identity import Identity
from tests.support.bundles import (
    CLOCK,
    DOCUMENTS,
    DROP_PLAIN,
    EDITOR,
    ID,
    OTHER,
    SENDER,
    SIGNED,
    SIGNED_PLAIN,
    SIGNED_SUMMARY,
    in_pieces,
    items_of,
    plaintext_of,
    read_all,
    seal,
)
from tests.support.tools import need, need_node_package
from vault import bundle_layout as layout
from vault.bag_judge import judge_bag
from vault.bundle import (
    BundleItem,
    BundleReader,
    ContentChanged,
    IdentitySigner,
    TarBundleReader,
    new_bundle_id,
    write_bundle,
)
from vault.bundle_items import place_items
from vault.errors import BadInput, DamagedBundle
from vault.padding import padme
from vault.tar import TarReader

# What was sealed arrives


def test_documents_names_and_notes_arrive_as_they_were() -> None:
    reader = BundleReader(io.BytesIO(SIGNED), [OTHER.age, EDITOR.age])
    tags = reader.tags
    assert read_all(reader) == list(DOCUMENTS)
    assert [replace(item) for item in tags.items] == list(place_items(items_of()))
    assert (tags.bundle_id, tags.title, tags.sealed_ns) == (ID, "Тинтүүлөр", CLOCK)
    assert tags.items[0].path == "data/0001/протокол №1.pdf"
    assert tags.items[1].path == "data/0002/______.doc"
    assert next(iter(tags.items[0].custody))["detail"] == "кол менен"
    assert tags.not_examined == ()


def test_the_signer_is_named_by_key_and_card() -> None:
    signer = BundleReader(io.BytesIO(SIGNED), [EDITOR.age]).tags.signer
    assert signer is not None
    assert signer.public == SENDER.signing_public == SIGNED_SUMMARY.signed_by
    assert signer.card == SENDER.card()
    assert signer.card_text == IdentitySigner(SENDER).card_text


def test_a_drop_arrives_and_names_nobody() -> None:
    sealed, summary = seal(signer=None)
    reader = BundleReader(io.BytesIO(sealed), [EDITOR.age])
    assert reader.tags.signer is None
    assert summary.signed_by is None
    assert read_all(reader) == list(DOCUMENTS)
    assert b"Sealed-By" not in plaintext_of(sealed)
    assert b"sender.card" not in plaintext_of(sealed)


def test_writer_and_reader_agree_on_what_stands_for_the_bundle() -> None:
    assert BundleReader(io.BytesIO(SIGNED), [EDITOR.age]).tags.tag_manifest_sha256 == SIGNED_SUMMARY.tag_manifest_sha256


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=80), st.binary(max_size=3000)), min_size=1, max_size=5))
def test_any_names_and_any_content_arrive(documents: list[tuple[bytes, bytes]]) -> None:
    sealed, _ = seal(documents, signer=None)
    assert read_all(BundleReader(io.BytesIO(sealed), [EDITOR.age])) == documents


def test_a_reader_that_skips_documents_still_finds_what_is_wrong_in_them() -> None:
    skipped = [item.name for item, _ in BundleReader(io.BytesIO(SIGNED), [EDITOR.age]).payload()]
    assert skipped == [name for name, _ in DOCUMENTS]
    broken = SIGNED_PLAIN.replace(b"cp1251 name", b"cp1252 name")
    with pytest.raises(DamagedBundle, match="not the document"):
        list(TarBundleReader(io.BytesIO(broken)).payload())


def test_a_document_can_be_read_in_pieces_and_not_after_its_turn() -> None:
    reader = BundleReader(io.BytesIO(SIGNED), [EDITOR.age])
    payload = reader.payload()
    _, first = next(payload)
    assert first.read(9) == b"%PDF-1.7 "
    assert first.read(0) == b""
    next(payload)
    with pytest.raises(ValueError, match="next document"):
        first.read(1)
    with pytest.raises(ValueError, match="once"):
        next(reader.payload())


def test_no_document_is_handed_out_before_everything_about_it_was_verified() -> None:
    """A source that ends right after the first document's header: the tags are judged, nothing more was needed."""
    with tarfile.open(fileobj=io.BytesIO(SIGNED_PLAIN)) as archive:
        start = next(i for i in archive.getmembers() if "/data/" in i.name).offset_data
    reader = TarBundleReader(io.BytesIO(SIGNED_PLAIN[:start]))
    assert reader.tags.signer is not None
    with pytest.raises(DamagedBundle, match="cut off"):
        read_all(reader)
    broken = SIGNED_PLAIN[:start].replace("Тинтүүлөр".encode(), "Тинтүулөр".encode())
    with pytest.raises(DamagedBundle):
        TarBundleReader(io.BytesIO(broken))


# What a stranger sees


@pytest.mark.parametrize(("people", "stanzas"), [(1, 2), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (32, 32)])
def test_the_number_of_readers_is_rounded_up(people: int, stanzas: int) -> None:
    identities = [age.X25519Identity.generate() for _ in range(people)]
    sealed, summary = seal(recipients=[i.recipient for i in identities])
    assert (summary.recipients, summary.stanzas) == (people, stanzas)
    assert sealed.split(b"\n---")[0].count(b"\n-> ") == stanzas
    for identity in identities[:2]:
        assert read_all(BundleReader(io.BytesIO(sealed), [identity])) == list(DOCUMENTS)


def test_one_reader_named_twice_counts_once() -> None:
    _, summary = seal(recipients=[EDITOR.recipient, EDITOR.recipient, EDITOR.recipient])
    assert (summary.recipients, summary.stanzas) == (1, 2)


def test_size_tells_little() -> None:
    a, summary = seal([(b"a", b"x")])
    b, _ = seal([(b"b", bytes(100_000))])
    assert len(a) == len(b)
    assert summary.plaintext_size == layout.LEAST_PLAINTEXT
    large, summary = seal([(b"b", bytes(1_000_000))])
    assert summary.plaintext_size == padme(summary.plaintext_size)
    assert len(large) == age.sealed_size(summary.plaintext_size, [EDITOR.recipient, OTHER.recipient])


def test_nothing_of_this_machine_or_of_the_names_is_outside_of_the_encryption() -> None:
    for word in (b"bundle", b"data/", "протокол".encode(), ID.hex().encode(), b"sandyk"):
        assert word not in SIGNED


# What stock programs make of it


@dataclass(frozen=True)
class Unpacked:
    folder: Path
    bag: Path


@pytest.fixture
def unpacked(tmp_path: Path) -> Unpacked:
    """Opened the way README.txt says, with another age implementation and the system's tar."""
    identity = pyrage.x25519.Identity.generate()
    sealed, _ = seal(recipients=[age.parse_recipient(str(identity.to_public()))])
    (tmp_path / "bundle.tar").write_bytes(pyrage.decrypt(sealed, [identity]))
    subprocess.run([need("tar"), "-xf", "bundle.tar"], cwd=tmp_path, check=True)
    return Unpacked(tmp_path, tmp_path / "bundle-00112233")


def test_stock_programs_open_and_check_a_bundle_as_its_readme_says(unpacked: Unpacked) -> None:
    readme = (unpacked.bag / "README.txt").read_text()
    assert readme.count("tar -xf bundle.tar") == 4  # one for each language
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    checks = [c for c in commands if c.startswith(("sha256sum", "echo", "ssh-keygen"))]
    assert len(checks) == 16
    for tool in ("sh", "sha256sum", "ssh-keygen"):
        need(tool)
    for command in checks:
        done = subprocess.run(["sh", "-c", command], cwd=unpacked.bag, capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
    assert b"Good" in done.stdout
    assert sshsig.fingerprint(SENDER.signing_public).encode() in done.stdout

    (unpacked.bag / "data/0004/name.txt").write_bytes(b"ONE")
    done = subprocess.run(["sh", "-c", checks[1]], cwd=unpacked.bag, capture_output=True, check=False)
    assert done.returncode != 0


def test_another_implementation_of_age_opens_a_post_quantum_bundle() -> None:
    request = {"identities": [EDITOR.age.encode().expose().decode()], "data": base64.b64encode(SIGNED).decode()}
    answer = subprocess.run(
        [need("node"), "age.mjs"], cwd=need_node_package(), input=json.dumps(request).encode(),
        capture_output=True, check=True,
    )
    assert base64.b64decode(json.loads(answer.stdout)["data"]) == SIGNED_PLAIN


def test_the_readme_names_the_folder_and_the_commands_to_open_it(unpacked: Unpacked) -> None:
    readme = (unpacked.bag / "README.txt").read_text()
    to_open = "age -d -i KEYFILE -o bundle.tar FILE.age"
    for expected in (to_open, "cd bundle-00112233", "РУССКИЙ", "КЫРГЫЗЧА", "O‘ZBEKCHA"):
        assert expected in readme
    drop = TarReader(io.BytesIO(DROP_PLAIN))
    text = next(drop.read(1 << 20) for member in drop if member.path.endswith("README.txt")).decode()
    assert "not signed" in text and "ssh-ed25519" not in text and "{" not in text


def test_other_bag_validators_accept_the_bag(unpacked: Unpacked) -> None:
    oracle.Bag(str(unpacked.bag)).validate()
    files = {p.relative_to(unpacked.bag).as_posix(): p for p in unpacked.bag.rglob("*") if p.is_file()}
    bag = judge_bag({name: (lambda p=p: [p.read_bytes()]) for name, p in files.items()})  # type: ignore[misc]
    assert bag.declaration.version == (1, 0)
    assert bag.warnings == ()


def test_documents_lie_where_the_metadata_says(unpacked: Unpacked) -> None:
    items = json.loads((unpacked.bag / "metadata/items.json").read_text())["items"]
    assert [(unpacked.bag / item["path"]).read_bytes() for item in items] == [content for _, content in DOCUMENTS]
    assert items[0]["name"] == "Тинтүү/протокол №1.pdf"
    assert base64.b64decode(items[1]["name_base64"]) == DOCUMENTS[1][0]


# What the writer refuses


@pytest.mark.parametrize("served", [b"ONE", b"on", b"one!", b""])
def test_content_that_changed_since_it_was_listed_ends_the_writing(served: bytes) -> None:
    documents = [*DOCUMENTS[:3], (b"same/name.txt", served)]
    with pytest.raises(ContentChanged) as caught:
        write_bundle(
            io.BytesIO(), [EDITOR.recipient], items_of(DOCUMENTS[:4]), in_pieces(documents),
            signer=None, clock_ns=CLOCK, bundle_id=ID,
        )  # fmt: skip
    assert caught.value.index == 3


def test_progress_adds_up_to_all_bytes() -> None:
    seen: list[int] = []
    seal(progress=seen.append)
    assert sum(seen) == sum(len(content) for _, content in DOCUMENTS)


class Untouched:
    def write(self, data: object, /) -> int:
        raise AssertionError("something was written")


def item(**change: object) -> BundleItem:
    return replace(items_of(DOCUMENTS[3:4])[0], **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"items": []},
        {"items": [item(name=b"")]},
        {"items": [item(name=b"x" * 4097)]},
        {"items": [item(size=-1)]},
        {"items": [item(sha256=b"short")]},
        {"items": [item(mtime_ns=1 << 63)]},
        {"items": [item(note="x" * 65_537)]},
        {"items": [item(source="\ud800")]},
        {"items": [item(tags=("",))]},
        {"items": [item(tags=("a",) * 101)]},
        {"items": [item(custody=({"x": 0.5},))]},
        {"items": [item(custody=({"x": [[[[[1]]]]]},))]},
        {"items": [item(custody=({"x": b"bytes"},))]},
        {"items": [item(custody=({"x": 1 << 64},))]},
        {"recipients": []},
        {"recipients": [age.X25519Identity.generate().recipient for _ in range(33)]},
        {"recipients": [EDITOR.recipient, age.X25519Identity.generate().recipient]},
        {"bundle_id": b"short"},
        {"title": "x" * 1001},
        {"title": "\ud800"},
    ],
)
def test_what_no_bundle_can_be_made_of_is_refused_before_anything_is_written(change: dict[str, object]) -> None:
    arguments = {"recipients": [EDITOR.recipient], "items": [item()], "bundle_id": ID, "title": "", **change}
    with pytest.raises(BadInput):
        write_bundle(Untouched(), content=in_pieces(DOCUMENTS[3:4]), signer=None, clock_ns=CLOCK, **arguments)  # type: ignore[arg-type]


def test_more_metadata_than_a_reader_takes_is_refused_before_anything_is_written() -> None:
    event = {"detail": "x" * 65_536}
    many = [item(custody=(event,) * 1025)]
    with pytest.raises(BadInput, match=r"custody\.jsonl"):
        write_bundle(
            Untouched(), [EDITOR.recipient], many, in_pieces(DOCUMENTS), signer=None, clock_ns=CLOCK, bundle_id=ID
        )


@dataclass(frozen=True)
class FalseSigner:
    """Signs with some keys, shows the card of others and claims to be still others."""

    signs: Identity
    signs_mldsa: Identity
    shows: Identity
    claims: Identity
    claims_mldsa: Identity

    @property
    def signing_public(self) -> bytes:
        return self.claims.signing_public

    @property
    def card_text(self) -> str:
        return IdentitySigner(self.shows).card_text

    @property
    def mldsa_public(self) -> bytes:
        return self.claims_mldsa.mldsa_public

    def sign_ssh(self, message: bytes, namespace: str) -> str:
        return IdentitySigner(self.signs).sign_ssh(message, namespace)

    def sign_mldsa(self, message: bytes, context: str) -> bytes:
        return self.signs_mldsa.sign_mldsa(message, context)


def test_a_signer_whose_keys_disagree_is_found_out_before_anything_is_sealed() -> None:
    seal(signer=FalseSigner(SENDER, SENDER, SENDER, SENDER, SENDER))
    for odd in range(5):
        with pytest.raises(BadInput):
            seal(signer=FalseSigner(*(OTHER if place == odd else SENDER for place in range(5))))


def test_bundles_get_new_identifiers() -> None:
    assert new_bundle_id() != new_bundle_id()
    assert len(new_bundle_id()) == layout.ID_SIZE
