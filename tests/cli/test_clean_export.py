# SPDX-License-Identifier: Apache-2.0
"""`export --clean` and `export --clean-only`, as a journalist and an editor see them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support import telling_documents as telling
from tests.support.commands import Desk
from tests.support.telling_documents import canaries_in, picture

PHOTO = picture("JPEG")


@pytest.fixture
def desks(bundle: tuple[Desk, Desk, str]) -> tuple[Desk, Desk]:
    """The journalist with a second case, and the editor."""
    here, editor, _ = bundle
    here.run("case", "new", "Lake")
    folder = here.home / "Phone of Aibek"
    here.write("Phone of Aibek/photo.jpg", PHOTO)
    here.write("Phone of Aibek/paper.docx", telling.docx())
    here.write("Phone of Aibek/letter.txt", "a letter")
    here.run("add", "Lake", str(folder), "--note", "handed over at night")
    return here, editor


def opened(editor: Desk, sealed: Path) -> dict[str, bytes]:
    """What the editor has in a folder afterwards: the names of the documents and their contents."""
    out = editor.home / "out"
    editor.run("open", str(sealed), "-o", str(out))
    return {path.name: path.read_bytes() for path in out.rglob("data/*/*")} | {
        path.name: path.read_bytes() for path in out.rglob("metadata/*.json*")
    }


def test_copies_go_beside_their_untouched_originals(desks: tuple[Desk, Desk]) -> None:
    here, editor = desks
    sealed = here.home / "x.age"
    done = here.run("export", "Lake", "-o", str(sealed), "--to", "editor", "--clean")
    assert "not cleaned, the original goes alone: Phone of Aibek/letter.txt" in done.err
    assert "photo (clean).jpg: taken out: EXIF, GPS position" in done.out
    assert "left in: compressed anew" in done.out
    found = opened(editor, sealed)
    assert found["photo.jpg"] == PHOTO
    assert not canaries_in(found["photo (clean).jpg"])
    assert not canaries_in(found["paper (clean).docx"])
    assert found["letter.txt"] == b"a letter"


def test_copies_go_instead_and_what_cannot_be_cleaned_stays_here(desks: tuple[Desk, Desk]) -> None:
    here, editor = desks
    sealed = here.home / "x.age"
    done = here.run("export", "Lake", "-o", str(sealed), "--to", "editor", "--clean-only", code=3)
    assert "not cleaned, left out: Phone of Aibek/letter.txt: of a kind that cannot be cleaned here" in done.err
    assert "sealed 2 document(s)" in done.out
    found = opened(editor, sealed)
    documents = {name for name in found if not name.startswith(("items", "custody"))}
    assert documents == {"photo (clean).jpg", "paper (clean).docx"}
    assert not any(canaries_in(content) for content in found.values())
    assert not any(b"Aibek" in content for content in found.values())
    assert b"handed over at night" in found["items.json"]
    # Who holds the original could tell by its hash whose copy this is: it goes only together with the original.
    assert not any(hashlib.sha256(PHOTO).hexdigest().encode() in content for content in found.values())
    assert b"by sandyk clean 1, pillow" in found["custody.jsonl"]


def test_the_document_names_copies_and_what_has_none(desks: tuple[Desk, Desk]) -> None:
    here, _ = desks
    out = str(here.home / "x.age")
    first = here.json("export", "Lake", "-o", out, "--to", "editor", "--clean-only", code=3)
    assert [one["name"] for one in first["not_cleaned"]] == ["Phone of Aibek/letter.txt"]
    copy = next(one for one in first["copies"] if "photo" in one["name"])
    assert copy["original_sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert copy["new"]
    second = here.json("export", "Lake", "-o", out, "--to", "editor", "--clean-only", "--force", code=3)
    assert [one["id"] for one in second["copies"]] == [one["id"] for one in first["copies"]]
    assert not any(one["new"] for one in second["copies"])
    assert here.json("list", "Lake")["items"][-1]["origin"] == "clean copy"
    events = [one for one in here.json("log", "Lake")["events"] if one["event"] == "clean copy made"]
    assert len(events) == 2


def test_only_what_is_named_is_cleaned(desks: tuple[Desk, Desk]) -> None:
    here, _ = desks
    name = "Phone of Aibek/photo.jpg"
    arguments = ("export", "Lake", "-o", str(here.home / "x.age"), "--to", "editor", "--item", name)
    done = here.json(*arguments, "--clean")
    assert (done["items"], len(done["copies"]), done["not_cleaned"]) == (2, 1, [])


def test_when_nothing_can_be_cleaned_nothing_is_sealed(desks: tuple[Desk, Desk]) -> None:
    here, _ = desks
    sealed = here.home / "x.age"
    arguments = ("export", "Lake", "-o", str(sealed), "--to", "editor", "--item", "Phone of Aibek/letter.txt")
    assert "nothing was sealed" in here.run(*arguments, "--clean-only", code=1).err
    assert "cannot both be meant" in here.run(*arguments, "--clean-only", "--clean", code=2).err
    assert not sealed.exists()
    assert here.run(*arguments, "--clean").code == 0


def test_nothing_of_a_document_reaches_the_disk_in_clear(desks: tuple[Desk, Desk]) -> None:
    here, _ = desks
    for path in sorted((here.home / "Phone of Aibek").iterdir()):
        path.unlink()
    before = {path for path in here.home.rglob("*") if path.is_file()}
    here.run("export", "Lake", "-o", str(here.home / "x.age"), "--to", "editor", "--clean")
    for path in {path for path in here.home.rglob("*") if path.is_file()} - before:
        content = path.read_bytes()
        assert not canaries_in(content), path
        assert b"\xff\xe0\x00\x10JFIF\x00" not in content, path  # long enough not to stand in ciphertext by chance
