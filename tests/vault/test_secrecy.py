# SPDX-License-Identifier: Apache-2.0
"""Nothing readable lies in a vault: no word of what was filed, of who filed it, or for whom."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from keys.book import Contact
from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import DAY, NoInput, files_below, newsroom, pack_paths, store_of, unlock
from vault.cases import create_case, find_case, grant
from vault.exporting import Addressee, export
from vault.filing import add
from vault.layout import is_ours
from vault.model import PackId
from vault.pack import LEAST_PLAINTEXT
from vault.padding import padme
from vault.retrieving import get
from vault.sources import About

CANARIES = {
    "label": "Айгүлканарейка",
    "colleague": "Бакытканарейка",
    "contact": "Редакторканарейка",
    "case": "Тендерканарейка",
    "file name": "протоколканарейка",
    "content": "мазмунуканарейка " * 3,
    "note": "эскертүүканарейка",
    "source": "булакканарейка",
    "tag": "тегканарейка",
    "passphrase": "passphrasecanary",
    "ascii name": "whistleblower-canary",
}


def spellings(text: str) -> Iterator[bytes]:
    """A text as it could lie in a file."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1251", "koi8-r"):
        raw = text.encode(encoding, "ignore")
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for shift in range(3):
            # Base64 in the middle of a longer text: cut what depends on the neighbours.
            yield base64.b64encode(bytes(shift) + raw)[4:-4]
    yield text.casefold().encode()


def used_vault(tmp_path: Path) -> str:
    """A vault after a day's work, and still open, so that the index has a write-ahead log."""
    folder = newsroom(tmp_path / "vault", label=CANARIES["label"], case=None)
    documents = tmp_path / "in"
    documents.mkdir()
    for number in range(40):
        (documents / f"{CANARIES['file name']} {number}").write_text(CANARIES["content"] * number)
    (documents / CANARIES["ascii name"]).write_bytes(os.urandom(100_000))
    with unlock(folder) as vault:
        entry = vault.add_journalist(CANARIES["colleague"], Secret(CANARIES["passphrase"].encode()))
        editor = Identity.generate()
        vault.change_book(lambda book: book.with_contact(Contact(CANARIES["contact"], editor.card(), DAY, DAY)))
        case = create_case(vault, CANARIES["case"])
        grant(vault, case, entry.card, entry.label)
        add(
            vault, CANARIES["case"], [os.fsencode(documents)], move=False, stdin=NoInput(), stdin_name=b"-",
            about=About(CANARIES["note"], CANARIES["source"], (CANARIES["tag"],)), progress=lambda n, size: None,
        )  # fmt: skip
        case = find_case(vault, CANARIES["case"])
        export(vault, case, [], [Addressee(CANARIES["contact"], editor.recipient, "ten words", True)],
               str(tmp_path / "0123abcd.age"))  # fmt: skip
    # As what `add` to a case of others leaves there; an export goes into no vault.
    os.replace(tmp_path / "0123abcd.age", os.path.join(folder, "outbox", "0123abcd.age"))
    return folder


def raw_files(folder: str) -> bytes:
    """All names and all bytes below a folder."""
    return b"\0".join(os.fsencode(name) + b"\0" + data for name, data in files_below(folder).items())


def test_no_word_of_the_newsroom_lies_in_the_vault(tmp_path: Path) -> None:
    folder = used_vault(tmp_path)
    with unlock(folder) as vault, store_of(vault, CANARIES["case"]) as store:
        list(get(store, store.index.items(), str(tmp_path / "out")))
        (wal,) = Path(folder).rglob("index-wal")
        assert wal.stat().st_size > 0
        while_open = raw_files(folder)
        # The same search finds each of them where it is readable.
        assert CANARIES["file name"].encode() in raw_files(str(tmp_path / "out"))
    for raw in (while_open, raw_files(folder)):
        for what, canary in CANARIES.items():
            for spelling in spellings(canary):
                assert len(spelling) < 12 or spelling not in raw, what


def test_no_name_of_a_file_says_anything(tmp_path: Path) -> None:
    folder = used_vault(tmp_path)
    assert [name for name in files_below(folder) if not is_ours(name)] == []


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    folder = Path(used_vault(tmp_path))
    assert [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077] == []


def test_the_sizes_of_packs_are_padded(tmp_path: Path) -> None:
    folder = used_vault(tmp_path)
    with unlock(folder) as vault, store_of(vault, CANARIES["case"]) as store:
        assert len(pack_paths(store)) > 2
        for path in pack_paths(store):
            with store.open_pack(PackId(bytes.fromhex(path.stem))) as reader:
                assert reader.size == padme(reader.size, least=LEAST_PLAINTEXT)


def test_the_number_of_people_does_not_show(tmp_path: Path) -> None:
    alone = newsroom(tmp_path / "alone", case=None)
    many = newsroom(tmp_path / "many", case=None)
    with unlock(alone), unlock(many) as vault:
        for number in range(5):
            vault.add_journalist(f"journalist {number}", Secret(b"passphrase %d" % number))
            contact = Contact(f"c{number}", Identity.generate().card(), DAY)
            vault.change_book(lambda book, contact=contact: book.with_contact(contact))
    sizes = [{name: len(data) for name, data in files_below(folder).items()} for folder in (alone, many)]
    assert sizes[0] == sizes[1]
