# SPDX-License-Identifier: Apache-2.0
"""Working copies in a case: beside their originals, found again, and never in the place of what cannot be cleaned."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.identity import Identity
from tests.support import telling_documents as telling
from tests.support.bundles import EDITOR, plaintext_of
from tests.support.newsroom import add_paths, contents, file, incoming, listing, newsroom, store_of, unlock
from tests.support.telling_documents import canaries_in, picture
from vault import working_copies
from vault.bundle import TarBundleReader
from vault.cases import Case, find_case
from vault.cleaning import cleaner
from vault.cleaning.cleaner import present_makers
from vault.confined.protocol import Limits
from vault.counter import read as read_counter
from vault.errors import BadInput, LibraryMissing, NotFound
from vault.exporting import Addressee, export
from vault.model import EVENT_CLEANED, EVENT_FILED, ORIGIN_CLEAN, ORIGIN_FILE, Event
from vault.sources import About
from vault.store import CaseStore
from vault.vaults import Vault
from vault.working_copies import Copies, copy_name, make

PHOTO, PAPER = picture("JPEG"), telling.pdf()


@pytest.fixture
def case(vault: Vault) -> Case:
    return find_case(vault, "Mine")


@pytest.fixture
def filled(vault: Vault, case: Case) -> Case:
    """A case with a photograph, a paper and a text."""
    with store_of(vault) as store:
        file(store, [incoming(b"in/photo.jpg", PHOTO, About("a note", "a friend", ("lake",))),
                     incoming(b"in/paper.pdf", PAPER), incoming(b"in/letter.txt", b"text")])  # fmt: skip
    return case


def names(copies: Copies) -> list[bytes]:
    return [copy.item.name for copy in copies.copies]


def test_a_copy_is_an_item_beside_its_untouched_original(vault: Vault, filled: Case) -> None:
    done = make(vault, filled, [])
    assert sorted(names(done)) == [b"in/paper (clean).pdf", b"in/photo (clean).jpg"]
    with store_of(vault) as store:
        read = contents(store)
    assert read[b"in/photo.jpg"] == PHOTO
    assert read[b"in/paper.pdf"] == PAPER
    for name in names(done):
        assert not canaries_in(read[name])


def test_a_copy_says_nothing_of_times_and_what_was_said_of_the_original(vault: Vault, filled: Case) -> None:
    copy = next(one.item for one in make(vault, filled, ["in/photo.jpg"]).copies)
    assert (copy.origin, copy.signer, copy.mtime_ns) == (ORIGIN_CLEAN, b"", None)
    assert (copy.note, copy.source, copy.tags) == ("a note", "a friend", ("lake",))


def test_the_custody_record_says_of_what_it_is_a_copy_and_what_made_it(vault: Vault, filled: Case) -> None:
    (copy,) = make(vault, filled, ["in/photo.jpg"]).copies
    with store_of(vault) as store:
        (event,) = [row.event for row in store.index.events(EVENT_CLEANED)]
        filed = [row.event.items for row in store.index.events(EVENT_FILED)]
    assert event.items == (copy.original.id, copy.item.id)
    assert event.detail.startswith(f"clean copy of SHA-256 {hashlib.sha256(PHOTO).hexdigest()}, by sandyk clean 1, ")
    assert "taken out: EXIF, GPS position, XMP" in event.detail
    assert not any(copy.item.id in items for items in filed)
    assert copy.by in present_makers()


def test_what_cannot_be_cleaned_is_named_and_has_no_copy(vault: Vault, filled: Case) -> None:
    done = make(vault, filled, [])
    assert [problem.name for problem in done.problems] == [b"in/letter.txt"]
    assert "a kind that cannot be cleaned" in done.problems[0].reason
    assert make(vault, filled, ["in/letter.txt"]).copies == []


def test_a_document_that_its_reader_does_not_survive_costs_only_itself(vault: Vault, case: Case) -> None:
    with store_of(vault) as store:
        file(store, {b"a.png": picture("PNG")[:300], b"b.jpg": PHOTO, b"c.docx": b"PK\3\4" + bytes(99)})
    done = make(vault, case, [])
    assert names(done) == [b"b (clean).jpg"]
    assert {problem.name for problem in done.problems} == {b"a.png", b"c.docx"}


def test_a_large_document_is_not_even_read(vault: Vault, filled: Case) -> None:
    done = make(vault, filled, ["in/photo.jpg"], limits=Limits(input=1000))
    assert "larger than" in done.problems[0].reason
    assert not done.copies


def test_copies_are_found_again_and_made_once(vault: Vault, filled: Case) -> None:
    first, second = make(vault, filled, []), make(vault, filled, [])
    assert [copy.made for copy in first.copies] == [True, True]
    assert [copy.made for copy in second.copies] == [False, False]
    assert [replace(copy, made=False) for copy in first.copies] == second.copies
    with store_of(vault) as store:
        assert len(listing(store)) == 5


def test_a_copy_is_made_anew_when_its_maker_changed(
    vault: Vault, filled: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(vault, filled, ["in/paper.pdf"])
    monkeypatch.setattr(cleaner, "CLEANER", "sandyk clean 2")
    (copy,) = make(vault, filled, ["in/paper.pdf"]).copies
    assert copy.made
    assert copy.by.startswith("sandyk clean 2, ")


def test_two_originals_with_one_clean_content_share_the_copy(vault: Vault, case: Case) -> None:
    with store_of(vault) as store:
        file(store, {b"photo.png": picture("PNG")})
        file(store, {b"photo.png": picture("PNG", orientation=1) + b"another end"})
    done = make(vault, case, [])
    assert len({copy.original.id for copy in done.copies}) == 2
    assert len({copy.item.id for copy in done.copies}) == 1
    assert not any(copy.made for copy in make(vault, case, []).copies)


def test_a_copy_that_somebody_filed_by_hand_is_taken_for_what_it_is(vault: Vault, case: Case) -> None:
    with store_of(vault) as store:
        file(store, {b"photo.jpg": PHOTO})
    (copy,) = make(vault, case, []).copies
    with store_of(vault) as store:
        clean = contents(store)[copy.item.name]
    with unlock(newsroom(Path(vault.folder).with_name("other"))) as other:
        with store_of(other) as store:
            file(store, {b"photo.jpg": PHOTO, b"photo (clean).jpg": clean})
        done = make(other, find_case(other, "Mine"), ["photo.jpg"])
        assert done.copies[0].item.origin == ORIGIN_FILE


def test_what_another_member_calls_a_clean_copy_is_not_believed(vault: Vault, filled: Case) -> None:
    """An event as ours, in a pack of somebody else, over a document that is not clean."""
    with store_of(vault) as store:
        original = store.find("in/photo.jpg")
        file(store, {b"in/photo (clean).jpg": PHOTO + b"\0"})
        forged = store.find("in/photo (clean).jpg")
        detail = (f"clean copy of SHA-256 {original.sha256.hex()}, by {sorted(present_makers())[1]}; "
                  "taken out: EXIF; left in: nothing known")  # fmt: skip
        event = Event(0, EVENT_CLEANED, (original.id, forged.id), detail)
        me, store._me = store._me, Identity.generate()
        try:
            store.record(event)
        finally:
            store._me = me
    (copy,) = make(vault, filled, ["in/photo.jpg"]).copies
    assert copy.made
    assert copy.item.id != forged.id


def test_clean_copies_are_not_cleaned_again(vault: Vault, filled: Case) -> None:
    (copy,) = make(vault, filled, ["in/paper.pdf"]).copies
    with pytest.raises(BadInput, match="cannot be cleaned again"):
        make(vault, filled, ["in/photo.jpg", copy.item.id.hex()])
    with pytest.raises(NotFound):
        make(vault, filled, ["no such"])


def test_the_counter_knows_of_the_copies(vault: Vault, case: Case, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    add_paths(vault, tmp_path / "a.jpg")
    make(vault, case, [])
    assert read_counter(vault.folder, vault.disk).filed == 2


def test_without_the_libraries_nothing_happens(vault: Vault, filled: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LibraryMissing) as refused:
        make(vault, filled, [])
    assert any("sandyk[clean]" in hint for hint in refused.value.hints)


@given(folder=st.binary(max_size=5000), name=st.binary(min_size=1, max_size=255))
def test_the_name_of_a_copy_fits_where_the_original_s_did(folder: bytes, name: bytes) -> None:
    name = name.replace(b"/", b"_")
    path = (folder[: 4095 - len(name)] + b"/" + name) if folder else name
    copy = copy_name(path)
    assert 1 <= len(copy) <= 4096
    assert len(copy.rpartition(b"/")[2]) <= 255
    assert b" (clean)" in copy


def bundle_of(vault: Vault, case: Case, references: list[str], path: Path, *, folders: bool) -> list[tuple[bytes, str]]:
    """What an editor finds in a bundle: names, and the custody record of each document."""
    to = [Addressee("editor", EDITOR.recipient, "words", verified=True)]
    export(vault, case, references, to, str(path), folders=folders)
    reader = TarBundleReader(io.BytesIO(plaintext_of(path.read_bytes())))
    return [(item.name, str(list(item.custody))) for item in reader.tags.items]


def test_a_bundle_of_copies_tells_neither_the_hash_of_an_original_that_stays_here_nor_its_folder(
    vault: Vault, filled: Case, tmp_path: Path
) -> None:
    done = make(vault, filled, ["in/photo.jpg"])
    found = bundle_of(vault, filled, [done.copies[0].item.id.hex()], tmp_path / "b.age", folders=False)
    ((name, custody),) = found
    assert name == b"photo (clean).jpg"
    assert hashlib.sha256(PHOTO).hexdigest() not in custody
    assert "clean copy of a document that is not here, by sandyk clean 1, pillow" in custody


def test_a_bundle_of_copies_and_originals_says_of_what_they_are_copies(
    vault: Vault, filled: Case, tmp_path: Path
) -> None:
    done = make(vault, filled, ["in/photo.jpg"])
    named = ["in/photo.jpg", done.copies[0].item.id.hex()]
    found = dict(bundle_of(vault, filled, named, tmp_path / "b.age", folders=True))
    assert f"clean copy of SHA-256 {hashlib.sha256(PHOTO).hexdigest()}" in found[b"in/photo (clean).jpg"]


def test_the_module_asks_for_no_parser(store: CaseStore) -> None:
    """The process that holds the vault never loads a library that reads hostile documents."""
    import subprocess
    import sys

    code = "import vault.working_copies, vault.thumbnails, sys; print([m for m in sys.modules if m in"
    code += " ('PIL', 'pikepdf', 'lxml', 'vault.cleaning.images')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    assert working_copies.make
