# SPDX-License-Identifier: Apache-2.0
"""The file of texts: what is found in it, that forgotten text is in none of its pages, and whose key opens it."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2 as sqlite

from keys.secret import Secret
from vault.errors import BadInput, DiskFailed, NewerFormat
from vault.model import ItemId
from vault.query import parse
from vault.texts import Document, Text, Texts, TextsUnusable

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PAGE, RESERVED = 4096, 80
"""SQLCipher 4: each page ends in an IV of 16 bytes and an HMAC-SHA-512 of 64 (SQLCipher design)."""


def opened(path: Path, *keys: bytes, writes: bool = True) -> Texts:
    return Texts(str(path), [Secret(key) for key in keys or (KEY,)], writes=writes)


def text(n: int, body: str, about: str = "name", state: str = "read") -> Text:
    return Text(Document(ItemId(n.to_bytes(16, "big")), state, "text", "", "test"), about, body)


def numbers(texts: Texts, *typed: str) -> list[int]:
    match = parse(typed).match
    assert match is not None
    return [int.from_bytes(item, "big") for item in texts.matching(match)]


def pages(path: Path, key: bytes = KEY) -> bytes:
    """Every page of the file and of its log, decrypted, the ones in no list too; each page's code is compared."""
    whole = path.read_bytes()
    salt = whole[:16]
    hmac_key = hashlib.pbkdf2_hmac("sha512", key, bytes(b ^ 0x3A for b in salt), 2, 32)
    clear = b""
    for n in range(len(whole) // PAGE):
        page = whole[n * PAGE : (n + 1) * PAGE]
        start = 16 if n == 0 else 0
        sealed, iv, code = page[start:-RESERVED], page[-RESERVED : -RESERVED + 16], page[-RESERVED + 16 :]
        found = hmac.new(hmac_key, sealed + iv + (n + 1).to_bytes(4, "little"), "sha512").digest()
        assert hmac.compare_digest(found, code), n
        decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        clear += decryptor.update(sealed) + decryptor.finalize()
    return clear


def test_words_are_found_by_their_beginnings_in_all_spellings_and_all_must_occur(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts.remember([
            text(1, "Копия договора о строительстве дороги", "папка/акт.pdf"), text(2, "Ўзбекистон Республикаси"),
            text(3, "Oʻzbekiston Respublikasi"), text(4, "Бул келишим жолдун баасын айтат"), text(5, "Счёт за март"),
        ])  # fmt: skip
        assert numbers(texts, "договор") == [1]
        assert numbers(texts, "договор", "дорог") == [1]
        assert numbers(texts, "договор", "мост") == []
        assert numbers(texts, "акт", "договор") == [1]
        assert numbers(texts, "o'zbekiston") == numbers(texts, "узбекистон".replace("у", "ў")) == [2, 3]
        assert numbers(texts, "жол") == [4]
        assert numbers(texts, "счет") == numbers(texts, "СЧЁТ") == [5]
        assert numbers(texts, "строительстве дороги") == [1]
        assert numbers(texts, "дороги строительстве") == []


@given(st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_fts5_takes_whatever_is_typed(typed: list[str]) -> None:
    with suppress(BadInput):
        match = parse(typed).match
        if match is not None:
            _EMPTY.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,)).fetchall()


_EMPTY = sqlite.connect(":memory:")
_EMPTY.execute("CREATE VIRTUAL TABLE words USING fts5(about, body, prefix='3')")


def test_a_document_that_is_remembered_again_is_found_by_its_new_text_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts.remember([text(1, "прежний", state="pictures")])
        texts.remember([text(1, "новый")])
        assert (numbers(texts, "прежний"), numbers(texts, "новый")) == ([], [1])
        assert texts.states() == {"read": 1}
        texts.remember([text(2, "", state="failed"), text(3, "", state="empty"), text(4, "", state="failed")])
        assert texts.states() == {"read": 1, "failed": 2, "empty": 1}
        texts.forget([text(1, "").document.item])
        assert texts.states() == {"failed": 2, "empty": 1}


def test_text_of_a_forgotten_document_is_in_no_page_of_the_file(tmp_path: Path) -> None:
    """Neither its words in the full-text index, nor its compressed text, nor an older page in the log."""
    path = tmp_path / "text"
    secret = "свидетельница кашкарбаева " + os.urandom(300).hex()
    with opened(path) as texts:
        texts.remember([text(n, f"обычный текст номер {n} о дороге " * 20) for n in range(2, 60)])
        texts.remember([text(1, secret), *(text(n, f"ещё {n} кашка") for n in range(60, 90))])
        mine = text(1, "").document.item
        (packed,) = texts._rows("SELECT packed FROM texts JOIN documents USING (n) WHERE item = ?", mine)
        assert len(packed[0]) > 200
        texts._rows("PRAGMA wal_checkpoint(TRUNCATE)")
        before = pages(path)
        assert packed[0][50:150] in before and "барбаева"[3:].encode() in before, "or this test could find nothing"
        assert texts.forget([mine]) == 1
        assert path.with_name("text-wal").stat().st_size == 0
        after = pages(path)
        assert packed[0][50:150] not in after
        for word in secret.split():
            assert word[3:40].encode() not in after
        assert numbers(texts, "кашкарбаева") == []
        assert numbers(texts, "кашка") == list(range(60, 90))
        texts._rows("INSERT INTO words(words) VALUES('integrity-check')")


def test_it_opens_with_no_other_key(tmp_path: Path) -> None:
    opened(tmp_path / "text").close()
    with pytest.raises(TextsUnusable):
        opened(tmp_path / "text", OTHER)
    assert b"SQLite" not in (tmp_path / "text").read_bytes()


def test_under_the_key_of_an_older_epoch_it_is_encrypted_again(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts.remember([text(1, "слово")])
    with opened(tmp_path / "text", OTHER, KEY) as texts:
        assert numbers(texts, "слово") == [1]
    pages(tmp_path / "text", OTHER)
    with pytest.raises(TextsUnusable):
        opened(tmp_path / "text", KEY)


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_killed_while_it_is_encrypted_again_it_opens_with_one_of_the_keys(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "text"
    with opened(path) as texts:
        texts.remember([text(n, f"слово {n} " * 200) for n in range(200)])
    # Killed before the new key is asked for, when it was given, and when it is in the log but not in the file.
    steps = ["db.execute('PRAGMA wal_checkpoint(TRUNCATE)')", f"db.execute('PRAGMA rekey = \"x\\'{OTHER.hex()}\\'\"')",
             "db.execute('SELECT 1')"][:lines]  # fmt: skip
    code = f"""
import os, signal
from sqlcipher3 import dbapi2
db = dbapi2.connect({str(path)!r}, isolation_level=None)
db.execute('PRAGMA key = "x\\'{KEY.hex()}\\'"')
db.execute("PRAGMA journal_mode = WAL")
{chr(10).join(steps)}
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    with opened(path, OTHER, KEY) as texts:
        assert numbers(texts, "слово", "199") == [199]
        texts.check()
    pages(path, OTHER)


def test_words_that_were_folded_by_other_rules_are_folded_anew(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts.remember([text(1, "слово")])
        texts.note("folding", "of another version")
        texts._rows("INSERT INTO words(words) VALUES('delete-all')")
        texts._rows("INSERT INTO words(rowid, about, body) VALUES(1, 'x', 'other')")
        texts.forget([])
        assert (numbers(texts, "other"), numbers(texts, "слово")) == ([], [1])


def test_on_a_medium_that_cannot_be_written_what_is_there_is_found_and_nothing_is_made(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts.remember([text(1, "слово")])
    with opened(tmp_path / "text", OTHER, KEY, writes=False) as texts:
        assert numbers(texts, "слово") == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_damaged_or_strange_file_is_our_error(tmp_path: Path) -> None:
    path = tmp_path / "text"
    with opened(path) as texts:
        texts.remember([text(n, f"слово {n} " * 300) for n in range(100)])
    whole = bytearray(path.read_bytes())
    for at in range(PAGE, len(whole), PAGE):
        whole[at + 100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(TextsUnusable), opened(path) as texts:
        numbers(texts, "слово")
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(TextsUnusable):
        opened(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(TextsUnusable):
        opened(path)


def test_a_file_of_a_later_version_is_named_as_that(tmp_path: Path) -> None:
    with opened(tmp_path / "text") as texts:
        texts._rows("PRAGMA user_version = 2")
    with pytest.raises(NewerFormat):
        opened(tmp_path / "text")


def test_sqlcipher_has_what_the_file_needs() -> None:
    """FTS5 with its secure-delete option: SQLite 3.42 (release notes)."""
    db = sqlite.connect(":memory:")
    assert ("ENABLE_FTS5",) in list(db.execute("PRAGMA compile_options"))
    assert sqlite.sqlite_version_info >= (3, 42)


def test_a_disk_that_is_full_is_said_to_be_full_and_nothing_is_lost(tmp_path: Path) -> None:
    with opened(tmp_path / "text", KEY) as texts:
        texts.remember([text(1, "слово")])
        (most,) = texts._db.execute("PRAGMA page_count").fetchone()
        texts._db.execute(f"PRAGMA max_page_count = {most}")
        with pytest.raises(DiskFailed, match="full"):
            texts.remember([text(2, " ".join(os.urandom(8).hex() for _n in range(100_000)))])
        texts._db.execute("PRAGMA max_page_count = 1000000")
        assert numbers(texts, "слово") == [1]
        texts.remember([text(2, "дело")])
        assert numbers(texts, "дело") == [2]
