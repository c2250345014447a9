# SPDX-License-Identifier: Apache-2.0
"""Documents found by what is in them: after crashes, removals and new epochs, and never by the wrong people."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys import kdf
from keys.secret import Secret
from tests.support import papers
from tests.support.mounts import mounted
from tests.support.newsroom import file, incoming, newsroom, packs_folder, reload, store_of, unlock
from tests.vault.test_texts import pages
from vault import layout
from vault.cases import case_folder, create_case, find_case, grant, list_cases, revoke
from vault.errors import LibraryMissing, NewerFormat, VaultError
from vault.extracting.answer import FAILED, READ, WAITING
from vault.extracting.reader import Reader
from vault.filing import find_item
from vault.indexing import Indexed, index_case
from vault.model import Item, ItemId
from vault.query import parse
from vault.removing import remove
from vault.searching import NAME, NOTE, TAG, TEXT, Filters, Results, search, snippet_of
from vault.sources import About
from vault.text_checking import trouble_with_texts
from vault.text_files import texts_of
from vault.texts import Document, Text, Texts, TextsUnusable
from vault.vaults import Vault

COLLEAGUE = "another passphrase"
PAGE = 4096
"""Bytes of a page of SQLCipher, as it is by default."""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


@pytest.fixture
def vault(folder: str) -> Iterator[Vault]:
    with unlock(folder) as opened:
        yield opened


def read_all(vault: Vault, case: str = "Mine", *, again: bool = False) -> Indexed:
    found = find_case(vault, case)
    with store_of(vault, case) as store:
        return index_case(vault, found, store, Reader, again=again)


def results(
    vault: Vault, *typed: str, limit: int = 100, names_only: bool = False, filters: Filters = Filters()
) -> Results:
    return search(vault, list_cases(vault)[0], parse(typed), limit=limit, names_only=names_only, filters=filters)


def names(vault: Vault, *typed: str) -> list[str]:
    return [hit.item.name.decode() for hit in results(vault, *typed).hits]


def fill(vault: Vault, documents: dict[str, bytes | str], case: str = "Mine") -> None:
    with store_of(vault, case) as store:
        content = {n.encode(): c.encode() if isinstance(c, str) else c for n, c in documents.items()}
        file(store, content)


def test_what_is_in_documents_is_found_after_they_were_read_and_not_before(vault: Vault) -> None:
    fill(vault, {"a.txt": "Договор о дороге", "b.docx": papers.word(document="келишим"), "c.txt": "мост"})
    before = results(vault, "договор")
    assert (before.hits, before.backlog[0].unread) == ((), 3)
    done = read_all(vault)
    assert (done.states[READ], done.problems) == (3, ())
    after = results(vault, "договор")
    assert [(hit.item.name, hit.where, hit.kind) for hit in after.hits] == [(b"a.txt", TEXT, "text")]
    assert after.backlog[0].unread == 0
    assert names(vault, "келишим") == ["b.docx"]
    assert [(part.text, part.match) for part in after.hits[0].snippet] == [("Договор", True), (" о дороге", False)]


RUSSIAN = "Свидетель показал, что счёт-фактура подписана Ёлкиным"
KYRGYZ = "Тергөөчү күбөлөрдүн көрсөтмөлөрүн жолдун боюнда алды"
UZBEK_LATIN = "Oʻzbekiston Prezidenti yoʻl qurilishi toʻgʻrisida qaror qabul qildi"
UZBEK_CYRILLIC = "Ўзбекистон Президенти йўл қурилиши тўғрисида қарор қабул қилди"


def test_words_of_four_languages_are_found_across_their_spellings(vault: Vault) -> None:
    fill(vault, {"ru": RUSSIAN, "ky": KYRGYZ, "uz": UZBEK_LATIN, "uzc": UZBEK_CYRILLIC})
    read_all(vault)
    for typed in ("счет", "СЧЁТ", "елкин", "Ёлкин", "свидетел", "показал елкиным"):
        assert names(vault, *typed.split()) == ["ru"], typed
    for typed in ("тергөөчү", "КҮБӨ", "жол", "жолдун боюнда"):
        assert names(vault, typed) == ["ky"], typed
    uzbek = ("o'zbekiston", "oʻzbekiston", "o‘zbekiston", "ўзбекистон", "yo'l", "йўл", "қарор", "qaror", "to'g'risida",
             "prezidenti yo'l", "Президенти йўл")  # fmt: skip
    for typed in uzbek:
        assert names(vault, typed) == ["uz", "uzc"], typed
    assert names(vault, "свидетель күбө") == []


def test_names_notes_and_tags_are_found_within_words_and_come_first(vault: Vault) -> None:
    with store_of(vault) as store:
        file(store, [incoming(b"b/contract.txt", b"x", About("передано лично", "", ("жол",))),
                     incoming(b"a.txt", b"a contract")])  # fmt: skip
    read_all(vault)
    found = results(vault, "contract").hits
    assert [(hit.item.name, hit.where) for hit in found] == [(b"b/contract.txt", NAME), (b"a.txt", TEXT)]
    assert [hit.where for hit in results(vault, "дано").hits] == [NOTE]
    assert [hit.where for hit in results(vault, "ЖОЛ").hits] == [TAG]
    assert [hit.item.name for hit in results(vault, "contract", names_only=True).hits] == [b"b/contract.txt"]
    assert names(vault, "contract", "лично") == ["b/contract.txt"]
    assert [hit.where for hit in results(vault, "jol").hits] == [TAG]


def test_a_name_and_the_text_together_have_what_is_looked_for(vault: Vault) -> None:
    fill(vault, {"смета.txt": "мост через реку", "мост.txt": "дорога"})
    read_all(vault)
    assert names(vault, "смета", "мост") == ["смета.txt"]


def test_filters_take_tags_kinds_and_days(vault: Vault) -> None:
    with store_of(vault) as store:
        file(store, [incoming(b"a.txt", "договор".encode(), About("", "", ("Тендер", "b")))])
        file(store, [incoming(b"a.docx", papers.word(document="договор")), incoming("договор.mp3".encode(), b"ID3")])
    read_all(vault)

    def take(filters: Filters) -> list[bytes]:
        return [hit.item.name for hit in results(vault, "договор", filters=filters).hits]

    times = [hit.item.filed_ns for hit in results(vault, "договор").hits]
    assert take(Filters(tags=("тендер",))) == take(Filters(tags=("b", "ТЕНДЕР"))) == [b"a.txt"]
    assert take(Filters(tags=("тендер", "c"))) == []
    assert take(Filters(kind="word")) == [b"a.docx"]
    assert take(Filters(kind="audio")) == ["договор.mp3".encode()]
    assert take(Filters(until_ns=max(times))) != take(Filters()) != take(Filters(since_ns=min(times) + 1))
    assert len(take(Filters(since_ns=min(times), until_ns=max(times) + 1))) == 3


def test_a_limit_says_that_there_is_more(vault: Vault) -> None:
    fill(vault, {f"{n}.txt": f"договор {n}" for n in range(40)})
    read_all(vault)
    few, all_ = results(vault, "договор", limit=7), results(vault, "договор", limit=40)
    assert (len(few.hits), few.more, len(all_.hits), all_.more) == (7, True, 40, False)


def test_a_limit_may_be_any_number(vault: Vault) -> None:
    fill(vault, {"a.txt": "слово"})
    assert len(results(vault, "a.txt", limit=10**30).hits) == 1


def test_what_was_not_read_is_tried_again_when_it_is_asked_for(vault: Vault) -> None:
    fill(vault, {"old.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "scan.png": papers.picture("слово"), "a.txt": "слово"})
    first = read_all(vault)
    assert (first.states[FAILED], first.states[WAITING], first.states[READ]) == (1, 1, 1)
    assert [(p.name, "no compound file" in p.reason) for p in first.problems] == [(b"old.doc", True)]
    assert sum(read_all(vault).states.values()) == 0
    assert read_all(vault, again=True).states[FAILED] == 1
    left = results(vault, "слово").backlog[0]
    assert (left.unread, left.waiting, left.failed) == (0, 1, 1)


def test_what_an_older_reader_could_not_read_is_tried_again_without_being_asked(vault: Vault) -> None:
    fill(vault, {"a.rtf": rb"{\rtf1 word}", "b.txt": "слово"})
    read_all(vault)
    with store_of(vault) as store, texts(vault) as known:
        (rtf,) = (item for item in store.index.items() if item.name == b"a.rtf")
        known.remember([Text(Document(ItemId(rtf.id), FAILED, "word", "RTF", "sandyk read 1, pypdfium2 5"), "", "")])
    assert names(vault, "word") == []
    assert read_all(vault).states == {"read": 1, "empty": 0, "failed": 0, "pictures": 0, "large": 0}
    assert names(vault, "word") == ["a.rtf"]


def test_what_was_read_in_part_is_named_with_what_is_missing(vault: Vault) -> None:
    fill(vault, {"a.zip": papers.package({"a.txt": "слово", "b.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"})})
    (partly,) = read_all(vault).partly
    assert partly.name == b"a.zip" and partly.reason == "something inside: it is damaged, or no compound file"
    assert names(vault, "слово") == ["a.zip"]


def test_killed_in_the_middle_it_goes_on_where_it_was(folder: str) -> None:
    with unlock(folder) as vault:
        fill(vault, {f"{n:03}.txt": f"слово номер {n}" for n in range(150)})
    code = f"""
import os, signal, sys
sys.path.insert(0, {os.getcwd()!r})
from tests.support.newsroom import unlock, store_of
from vault import indexing
from vault.cases import find_case
from vault.extracting.reader import Reader
done = 0
def progress(count, size):
    global done
    done += count
    if done == 140:
        os.kill(os.getpid(), signal.SIGKILL)
with unlock({folder!r}) as vault, store_of(vault) as store:
    indexing.index_case(vault, find_case(vault, "Mine"), store, Reader, progress=progress)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=os.getcwd(), capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with unlock(folder) as vault:
        assert results(vault, "слово").backlog[0].unread == 22, "two batches of 64 are durable"
        assert read_all(vault).states[READ] == 22
        assert len(results(vault, "слово", limit=1000).hits) == 150


def test_text_of_a_removed_document_is_in_no_page_any_more(vault: Vault) -> None:
    secret = "кашкарбаева"
    fill(vault, {"witness.txt": f"свидетельница {secret}", "memo.txt": "плов"})
    read_all(vault)
    case = find_case(vault, "Mine")
    path, key = text_file(vault), text_key(vault)
    assert secret.encode() in clear_pages(path, key), "or this test could find nothing"
    remove(vault, case, [find_item(vault, "Mine", "witness.txt")[1]], reason="")
    assert names(vault, secret) == [] and names(vault, "плов") == ["memo.txt"]
    assert secret.encode() not in clear_pages(path, key)
    with store_of(vault) as store, texts(vault) as found:
        assert found.items() == set(store.index.item_ids())


def test_a_removal_that_somebody_else_made_is_followed_at_the_next_opening(vault: Vault, tmp_path: Path) -> None:
    fill(vault, {"witness.txt": "кашкарбаева", "memo.txt": "плов"})
    read_all(vault)
    kept = tmp_path / "text"
    shutil.copy(text_file(vault), kept)
    remove(vault, find_case(vault, "Mine"), [find_item(vault, "Mine", "witness.txt")[1]], reason="")
    shutil.copy(kept, text_file(vault))  # as it is where the packs are copied to
    with store_of(vault):
        pass
    assert "кашкарбаева".encode() not in clear_pages(text_file(vault), text_key(vault))


def test_a_new_epoch_encrypts_the_texts_again_and_a_former_member_s_key_opens_them_no_more(folder: str) -> None:
    with unlock(folder) as mine:
        mine.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
        with unlock(folder, COLLEAGUE) as theirs:
            grant(mine, find_case(mine, "Mine"), theirs.me.card(), "Бакыт")
            fill(mine, {"a.txt": "слово"})
            read_all(mine)
            with store_of(theirs) as store:
                old = [kdf.text_key(theirs.device_secret, epoch) for epoch in reversed(store.keys.epochs)]
            Texts(text_file(mine), old).close()
            revoke(mine, reload(mine, find_case(mine, "Mine")), theirs.me.card(), "Бакыт")
            with pytest.raises(TextsUnusable):
                Texts(text_file(mine), old)
        fill(mine, {"b.txt": "новое слово"})
        assert read_all(mine).states[READ] == 1
        assert names(mine, "слово") == ["a.txt", "b.txt"]


def test_who_is_no_member_finds_nothing_and_each_case_has_a_key_of_its_own(folder: str) -> None:
    with unlock(folder) as mine:
        mine.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
        create_case(mine, "Other")
        fill(mine, {"a.txt": "слово"})
        read_all(mine)
        with store_of(mine, "Other") as store, pytest.raises(TextsUnusable):
            Texts(text_file(mine), [kdf.text_key(mine.device_secret, epoch) for epoch in store.keys.epochs])
    with unlock(folder, COLLEAGUE) as theirs:
        found = results(theirs, "слово")
        assert (found.hits, found.backlog) == ((), ())


def test_on_a_medium_that_cannot_be_written_it_finds_what_was_read_and_says_what_was_not(
    folder: str, tmp_path: Path
) -> None:
    with unlock(folder) as vault:
        fill(vault, {"a.txt": "слово"})
        read_all(vault)
        fill(vault, {"b.txt": "слово"})
    with mounted(tmp_path / "stick", "--bind", folder) as where:
        subprocess.run(["mount", "-o", "remount,ro,bind", where], check=True)
        with unlock(where) as vault:
            found = results(vault, "слово")
            assert [hit.item.name for hit in found.hits] == [b"a.txt"]
            assert found.backlog[0].unread == 1


def test_damaged_texts_are_said_to_be_so_and_read_again(vault: Vault) -> None:
    fill(vault, {"слово.txt": "слово"})
    read_all(vault)
    Path(text_file(vault)).write_bytes(b"not a database" * 1000)
    found = results(vault, "слово")
    assert [hit.item.name for hit in found.hits] == ["слово.txt".encode()]
    assert found.backlog[0].damaged
    assert read_all(vault).states[READ] == 1
    assert results(vault, "слово").backlog[0].damaged == ""


def checked(vault: Vault, *, every_page: bool = True) -> VaultError | None:
    with store_of(vault) as store:
        return trouble_with_texts(store, vault.device_secret, every_page=every_page)


def test_verifying_finds_a_changed_page_of_the_texts_and_reading_again_mends_it(vault: Vault) -> None:
    fill(vault, {f"{n}.txt": f"слово {os.urandom(1500).hex()}" for n in range(4)})
    assert checked(vault) is None
    read_all(vault)
    assert checked(vault) is None
    path = Path(text_file(vault))
    whole = bytearray(path.read_bytes())
    whole[-100] ^= 1
    path.write_bytes(whole)
    trouble = checked(vault)
    assert trouble is not None and "sandyk index" in trouble.hints[0]
    read_all(vault)
    assert checked(vault) is None


def test_verifying_finds_texts_of_documents_that_are_not_there_and_documents_without_a_text(vault: Vault) -> None:
    fill(vault, {"a.txt": "слово", "b.txt": "слово"})
    read_all(vault)
    with texts(vault) as known:
        known.remember([Text(Document(ItemId(bytes(16)), READ, "text", "", "x"), "", "слово")])
    assert str(checked(vault)) == "1 of the texts are of documents that the case does not list"
    read_all(vault)
    assert checked(vault) is None
    with texts(vault) as known:
        known._db.execute("DELETE FROM texts WHERE n = 1")
    assert str(checked(vault)) == "a text is missing"
    assert checked(vault, every_page=False) is None
    assert read_all(vault).states[READ] == 2
    assert checked(vault) is None


def test_a_folder_in_the_place_of_the_texts_is_named_and_left_alone(vault: Vault) -> None:
    fill(vault, {"слово.txt": "слово"})
    stranger = Path(text_file(vault)) / "somebody's"
    stranger.parent.mkdir()
    stranger.write_text("work")
    found = results(vault, "слово")
    assert len(found.hits) == 1 and found.backlog[0].damaged and found.backlog[0].hints
    with pytest.raises(TextsUnusable, match="cannot be removed: Directory not empty") as told:
        read_all(vault)
    assert len(told.value.hints) == 2 and stranger.read_text() == "work"


@pytest.mark.parametrize("name", ["-wal", "-shm", "-journal"])
def test_a_link_beside_the_texts_is_removed_without_reading_all_again(vault: Vault, tmp_path: Path, name: str) -> None:
    fill(vault, {"a.txt": "слово", "слово.txt": "x"})
    read_all(vault)
    target = tmp_path / "elsewhere"
    target.write_text("somebody's")
    beside = Path(text_file(vault) + name)
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    found = results(vault, "слово")
    assert [hit.item.name.decode() for hit in found.hits] == ["слово.txt"] and found.backlog[0].damaged
    assert sum(read_all(vault).states.values()) == 0
    assert names(vault, "слово") == ["слово.txt", "a.txt"]
    assert target.read_text() == "somebody's"


def test_a_case_that_cannot_be_used_does_not_keep_the_others_from_being_searched(vault: Vault) -> None:
    create_case(vault, "Other")
    for case in ("Mine", "Other"):
        fill(vault, {f"{case}.txt": "слово"}, case)
        read_all(vault, case)
    packs = Path(text_file(vault)).with_name("packs")
    packs.rename(packs.with_name("gone"))
    packs.write_text("no folder")
    found = results(vault, "слово")
    assert [hit.item.name for hit in found.hits] == [b"Other.txt"]
    assert [case.name for case, _ in found.passed_over] == ["Mine"]


def test_whichever_page_of_the_texts_is_damaged_names_are_found_and_the_documents_are_read_again(vault: Vault) -> None:
    fill(vault, {f"слово-{n}.txt": f"слово {os.urandom(1500).hex()}" for n in range(4)})
    read_all(vault)
    path = Path(text_file(vault))
    whole = path.read_bytes()
    assert len(whole) > 8 * PAGE
    for at in range(PAGE + 100, len(whole), PAGE):
        path.write_bytes(whole[:at] + bytes(40) + whole[at + 40 :])
        assert len(results(vault, "слово").hits) == 4, at
        assert read_all(vault).states[READ] == 4, at
        assert results(vault, "слово").backlog[0].damaged == "", at


def test_texts_of_a_later_version_are_left_alone(vault: Vault) -> None:
    fill(vault, {"a.txt": "слово"})
    read_all(vault)
    with texts(vault) as found:
        found._rows("PRAGMA user_version = 2")
    whole = Path(text_file(vault)).read_bytes()
    assert "newer" in results(vault, "слово").backlog[0].damaged
    with pytest.raises(NewerFormat):
        read_all(vault)
    assert Path(text_file(vault)).read_bytes() == whole


def test_a_document_that_does_not_read_back_is_named_and_tried_again(vault: Vault) -> None:
    with store_of(vault) as store:
        file(store, {b"a.txt": os.urandom(200_000)})
        path = max(packs_folder(store).iterdir(), key=lambda pack: pack.stat().st_size)
    whole = path.read_bytes()
    path.write_bytes(whole[:100_000] + bytes(1000) + whole[101_000:])
    done = read_all(vault)
    assert ([p.name for p in done.problems], sum(done.states.values())) == ([b"a.txt"], 0)
    path.write_bytes(whole)
    assert sum(read_all(vault).states.values()) == 1


def test_the_emergency_wipe_knows_the_file(vault: Vault) -> None:
    relative = f"cases/{'ab' * 16}/"
    for more in layout.BESIDE:
        assert layout.is_ours(f"{relative}text{more}")
    assert not layout.is_ours(f"{relative}texts") and not layout.is_ours("text")


def test_a_snippet_stands_around_what_was_found_in_one_line() -> None:
    text = "начало\n" * 50 + "перед словом и \n после него" + "\nконец" * 50
    parts = snippet_of(text, parse(["словом"]).finder(inside=False))
    whole = "".join(part.text for part in parts)
    assert [part.text for part in parts if part.match] == ["словом"]
    assert whole.startswith("… ") and whole.endswith(" …") and "\n" not in whole
    assert len(whole) < 160
    assert snippet_of("nothing", parse(["словом"]).finder(inside=False)) == ()


def test_of_a_word_of_megabytes_a_snippet_shows_the_beginning() -> None:
    finder = parse(["слово"]).finder(inside=False)
    parts = snippet_of("начало слово" + "о" * 3_000_000, finder)
    assert [part.match for part in parts] == [False, True, False]
    assert sum(len(part.text) for part in parts) < 400


def test_bytes_that_are_no_text_are_looked_for_as_they_are_shown(vault: Vault) -> None:
    with store_of(vault) as store:
        file(store, {b"\xff\xfe.txt": b"x", b"a.txt": b"x"})
    assert [hit.item.name for hit in results(vault, os.fsdecode(b"\xff")).hits] == [b"\xff\xfe.txt"]


def test_without_the_libraries_names_are_searched_and_reading_says_what_to_install(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    fill(vault, {"слово.txt": "x"})
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pypdfium2" else real(name))
    with pytest.raises(LibraryMissing):
        read_all(vault)
    assert names(vault, "слово") == ["слово.txt"]


def text_file(vault: Vault) -> str:
    return os.path.join(case_folder(vault, find_case(vault, "Mine").id), layout.TEXT)


def text_key(vault: Vault) -> bytes:
    with store_of(vault) as store:
        return kdf.text_key(vault.device_secret, store.keys.epochs[-1]).expose()


def texts(vault: Vault) -> Texts:
    with store_of(vault) as store:
        found = texts_of(store, vault.device_secret)
    assert found is not None
    return found


def clear_pages(path: str, key: bytes) -> bytes:
    """All pages of the file, after what is in its log was put into it."""
    with Texts(path, [Secret(key)]) as found:
        found._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return pages(Path(path), key)


def test_a_document_that_the_disk_does_not_give_is_named_and_the_others_are_read(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(vault, {"a.txt": os.urandom(5_000_000)})
    fill(vault, {"b.txt": "слово"})
    pread = os.pread

    def failing(fd: int, size: int, offset: int) -> bytes:
        if offset > 4_500_000:
            raise OSError(errno.EIO, "Input/output error")
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    done = read_all(vault)
    assert [p.name for p in done.problems] == [b"a.txt"] and "Input/output error" in done.problems[0].reason
    assert names(vault, "слово") == ["b.txt"]
    monkeypatch.undo()
    assert sum(read_all(vault).states.values()) == 1, "it is tried again"


def test_a_document_that_is_removed_while_it_is_read_leaves_no_text(vault: Vault) -> None:
    secret = "кашкарбаева"
    fill(vault, {"witness.txt": f"свидетельница {secret}", "memo.txt": "плов"})
    case = find_case(vault, "Mine")

    def take_away(documents: int, size: int) -> None:
        if any(item.name == b"witness.txt" for item in items(vault)):
            remove(vault, case, [find_item(vault, "Mine", "witness.txt")[1]], reason="")

    with store_of(vault) as store:
        index_case(vault, case, store, Reader, progress=take_away)
    with store_of(vault):  # as whoever opens the case next does
        pass
    assert secret.encode() not in clear_pages(text_file(vault), text_key(vault))
    assert names(vault, "плов") == ["memo.txt"]


def items(vault: Vault) -> list[Item]:
    with store_of(vault) as store:
        return [item for one in store.index.item_ids() if (item := store.item(one)) is not None]
