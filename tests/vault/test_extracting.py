# SPDX-License-Identifier: Apache-2.0
"""The words of documents of each kind, and what hostile ones cost: themselves."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import papers
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed, ConfinedRefused
from vault.extracting import job, patience
from vault.extracting.answer import EMPTY, FAILED, LARGE, MAX_TEXT, READ, WAITING, Answer, decode
from vault.extracting.pgm import is_plain_pgm
from vault.extracting.reader import Reader

QUICK = Limits(seconds=20, cpu_seconds=10, output=32 << 20)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(Job("vault.extracting.job", "extract"), QUICK) as child:
        yield child


@pytest.fixture
def extract(worker: Worker) -> object:
    def run(document: bytes, name: str = "x") -> Answer:
        return decode(worker.run([document], name.encode()))

    return run


class Extract(Protocol):
    """The type of the fixture."""

    def __call__(self, document: bytes, name: str = "x") -> Answer: ...


RUSSIAN = "Прошу выдать копию решения суда от 12 марта о строительстве объездной дороги."
KYRGYZ = "Өкмөт мүчөлөрү жаңы жол жөнүндө чечим кабыл алышты, баасы эки эсе өстү."
UZBEK = "Вазирлар Маҳкамаси янги йўл қурилиши ҳақида қарор қабул қилди, ғазна тўлайди."
SHORT = ("Договор аренды", "СПИСОК ЧЛЕНОВ КОМИССИИ", "Иванов", "АКТ", "1;Иванов;12000\n2;Петров;15000")


@pytest.mark.parametrize("text", [RUSSIAN, RUSSIAN.upper(), *SHORT, RUSSIAN * 50])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "koi8-r", "cp866"]
)
def test_russian_is_read_in_every_encoding_also_a_word_alone_and_in_capitals(
    extract: Extract, text: str, encoding: str
) -> None:
    assert extract(text.encode(encoding), "letter.txt").text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(KYRGYZ, "utf-8"), (KYRGYZ, "utf-16-le"), (KYRGYZ, "kz1048"), (KYRGYZ, "ptcp154"), (UZBEK, "utf-8"),
     (UZBEK, "utf-16-be"), ("Résumé des dépenses à Genève, été 2021", "cp1252"), ("Contract for road works", "ascii")],
)  # fmt: skip
def test_other_languages_are_read_in_the_encodings_that_have_their_letters(
    extract: Extract, text: str, encoding: str
) -> None:
    assert extract(text.encode(encoding), "letter.txt").text == text


def test_a_word_document_gives_its_text_notes_headers_and_comments_with_runs_put_together(extract: Extract) -> None:
    found = extract(papers.word(document="договор", footnotes="сноска", header1="заголовок", comments="замечание",
                                endnotes="концевая", styles="Heading"))  # fmt: skip
    assert found.kind == "word"
    assert set(found.text.split()) == {"договор", "сноска", "заголовок", "замечание", "концевая", "конец"}


def test_a_sheet_gives_its_strings_numbers_names_and_comments_but_no_number_of_a_string(extract: Extract) -> None:
    found = extract(papers.sheet(["смета", "аванс"], name="Расходы", number="48151623"))
    assert found.kind == "sheet"
    assert set(found.text.split()) == {"Расходы", "смета", "аванс", "48151623", "вписано", "примечание"}


def test_slides_give_their_text_and_the_speaker_s_notes(extract: Extract) -> None:
    found = extract(papers.slides("План застройки", "сказать о деньгах"))
    assert (found.kind, found.text) == ("slides", "План застройки\nсказать о деньгах")


@pytest.mark.parametrize(("kind", "said"), [("text", "word"), ("spreadsheet", "sheet"), ("presentation", "slides")])
def test_open_document_gives_its_text_and_headers(extract: Extract, kind: str, said: str) -> None:
    found = extract(papers.odf(kind, "келишим", "колонтитул", "Чыгымдар"))
    assert found.kind == said
    assert {"келишим", "ещё", "колонтитул", "Чыгымдар"} <= set(found.text.split())


def test_a_pdf_gives_its_pages_and_names_those_that_are_pictures(extract: Extract) -> None:
    found = extract(papers.pdf("Договор о строительстве", "", "Ўзбекистон"))
    assert (found.kind, found.pages) == ("pdf", (1,))
    assert "Договор о строительстве" in found.text and "Ўзбекистон" in found.text


def test_a_page_gives_what_is_seen_on_it_and_no_scripts(extract: Extract) -> None:
    page = "<html><head><meta charset=windows-1251><title>Имя</title><script>var secret</script><style>p{}</style>"
    page += "<body><p>пер<b>вый</b><p>вто&shy;рой &amp; <img alt='схема'></body>"
    found = extract(page.encode("cp1251"))
    assert (found.kind, found.text.split()) == ("html", ["Имя", "первый", "второй", "&", "схема"])


def test_a_mail_gives_its_headers_text_and_what_is_attached_also_in_archives_and_mails(extract: Extract) -> None:
    inner = papers.mail("внутри", "Вложенное", attached={"a.docx": papers.word(document="документ")})
    attached = {"смета.xlsx": papers.sheet(["смета"]), "b.zip": papers.package({"в/m.eml": inner})}
    whole = papers.mail("Текст письма", "О дороге", html="<p>в<i>ид</i>", charset="koi8-r", attached=attached)
    found = extract(whole)
    assert found.kind == "mail"
    for words in ("Subject: О дороге", "Айгүл", "Текст письма", "вид", "смета.xlsx", "смета", "внутри", "документ"):
        assert words in found.text


def test_each_mail_of_an_mbox_is_read(extract: Extract) -> None:
    two = [b"From a@example.org Thu Jan  1 00:00:00 2026\n" + papers.mail(f"письмо {n}", f"тема {n}") for n in (1, 2)]
    found = extract(b"\n".join(two), "box")
    assert found.kind == "mail"
    assert all(f"письмо {n}" in found.text and f"тема {n}" in found.text for n in (1, 2))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"Rar!\x1a\x07\x00", "archive of a kind"),
        (b"%PDF-1.7 nothing of the kind", "damaged"),
        (b"PK\x03\x04 and no more", "damaged"),
        (papers.package({"[Content_Types].xml": "<a/>", "word/document.xml": "<w:p"}), "none of its parts"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_with_the_reason(extract: Extract, document: bytes, reason: str) -> None:
    with pytest.raises(ConfinedRefused, match=reason):
        extract(document)


def test_a_bomb_in_a_package_is_refused_before_it_is_unpacked(extract: Extract) -> None:
    with pytest.raises(ConfinedRefused, match="unpacked it is larger"):
        extract(papers.package({"[Content_Types].xml": "<a/>", "word/document.xml": bytes(401 << 20)}))


def test_a_member_that_lies_about_its_size_does_not_unpack_beyond_it(extract: Extract) -> None:
    whole = bytearray(papers.package({"a.txt": b"x" * 5_000_000}))
    small = (100).to_bytes(4, "little")
    whole = whole.replace((5_000_000).to_bytes(4, "little"), small)
    found = extract(bytes(whole))
    assert (found.text, found.left) == ("", ("a part of it is damaged",))


def endless_pdf(content: bytes, pages: int = 1) -> bytes:
    """A PDF whose tree of pages holds itself, that claims any number of pages, and whose content calls itself."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[3 0 R 2 0 R]>>" % pages,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>/Length 5>>"
        b"stream\n/X Do\nendstream",
    ]  # fmt: skip
    whole = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, one) for n, one in enumerate(objects, 1))
    return whole + b"trailer\n<</Root 1 0 R/Size 6>>\n%%EOF\n"


@pytest.mark.parametrize(
    "document",
    [endless_pdf(b"/X Do"), endless_pdf(b"/X Do", 2_000_000_000), endless_pdf(b"q " * 400_000 + b"/X Do")],
    ids=["calls itself", "claims two billion pages", "nests for ever"],
)
def test_an_endless_pdf_costs_its_own_child_and_not_the_next_document(worker: Worker, document: bytes) -> None:
    _checked(worker, document, "a.pdf")
    assert decode(worker.run(["слово".encode()], b"a.txt")).text == "слово"


def test_archives_in_archives_end(extract: Extract) -> None:
    nested = papers.package({"a.txt": "слово"})
    for _ in range(20):
        nested = papers.package({"a.zip": nested})
    assert "documents more than 5 deep" in "".join(extract(nested).left)


def test_a_billion_laughs_are_refused_or_stay_unexpanded(extract: Extract) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    document = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><x>&l19;</x>'
    with pytest.raises(ConfinedRefused, match="none of its parts"):
        extract(papers.package({"[Content_Types].xml": "<a/>", "word/document.xml": document}))
    assert "lollol" not in extract(document.encode()).text


def test_more_text_than_is_kept_is_cut_and_that_is_said(extract: Extract) -> None:
    found = extract(("слово " * 1_200_000).encode(), "a.txt")
    assert len(found.text.encode()) <= MAX_TEXT
    assert "only the first 4 MiB" in found.left[0]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "utf-16-le"])
def test_a_long_text_is_read_to_a_point_and_a_binary_not_at_all(extract: Extract, encoding: str) -> None:
    found = extract(("x" + "слово " * 3_000_000).encode(encoding), "a.txt")
    assert found.text.startswith("xслово слово") and "only the first 4 MiB" in found.left[0]
    assert extract(os.urandom(30 << 20), "a.txt").text == ""


def test_marks_that_stand_apart_only_by_what_is_taken_out_are_no_row_without_end(extract: Extract) -> None:
    found = extract(("a" + "\u0301\u200b\u0316\u200b" * 300_000 + " конец").encode(), "a.txt")
    assert found.text.endswith("конец") and len(found.text) < 50
    assert extract("и\u200b\u0306".encode(), "a.txt").text == "й"


def test_what_is_inside_has_a_time_of_its_own() -> None:
    with Worker(Job("tests.support.hostile_jobs", "spin_inside")) as child:
        for _ in range(2):
            assert child.run([b"x"]) == b"inner outer"


def test_one_thing_inside_that_takes_too_long_hides_nothing_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "share", lambda: 0.2)
    slow = b"{\\rtf1 " + b"{}" * 2_000_000
    mail = papers.mail("начало", "Тема", attached={"a.rtf": slow, "b.txt": "дальше".encode()})
    found = decode(job.extract(mail, b"a.eml"))
    assert "начало" in found.text and "дальше" in found.text
    assert found.left == ("something inside took too long",)


def test_a_bad_mail_among_others_hides_none_of_them(extract: Extract) -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3000))
    between = b"From a@example.org Sat Jan  1 10:00:00 2022\n"
    bad = b"Subject: bad\nMIME-Version: 1.0\n" + deep + "Content-Type: text/plain\n\nспрятанное\n\n".encode()
    found = extract(between + bad + between + "Subject: next\n\nдальше\n".encode(), "a.mbox")
    assert "Subject: bad" in found.text and "спрятанное" in found.text and "дальше" in found.text
    assert found.left == ("its parts are too deep in each other: they are read as plain text",)


def test_a_line_of_megabytes_between_mails_is_gone_through_once(extract: Extract) -> None:
    first = b"From a@example.org Sat Jan  1 10:00:00 2022\nSubject: one\n\nx\n\nFrom " + b"a" * 3_000_000
    assert extract(first + b"\n\nFrom b@example.org 11:00\nSubject: two\n\ny\n", "a.mbox").text.endswith("\ny")


@pytest.mark.parametrize("charset", ["zlib_codec", "hex", "rot13", "no-such"])
def test_what_is_no_encoding_of_text_is_not_taken_for_one(extract: Extract, charset: str) -> None:
    head = f"Subject: a\nFrom: b@example.org\nContent-Type: text/plain; charset={charset}\n\n".encode()
    assert "решение суда" in extract(head + "решение суда".encode("cp1251"), "a.eml").text


def test_no_control_characters_come_out(extract: Extract) -> None:
    found = extract("\x1b[31mкрас\u00adный\x07 \ufeffдом\u200b".encode(), "a.txt")
    assert found.text == "[31mкрасный дом"


@given(st.binary(max_size=2000), st.sampled_from(["a.txt", "a.eml", "a.xml", "a.pdf", "a.docx", "a.csv"]))
@settings(max_examples=60)
def test_any_bytes_are_text_or_refused(document: bytes, name: str) -> None:
    with Worker_of_all() as child:
        _checked(child, document, name)


@pytest.mark.parametrize("seed", range(4))
def test_real_documents_with_bytes_changed_are_text_or_refused(worker: Worker, seed: int) -> None:
    rng = random.Random(seed)
    whole = [papers.pdf("Договор"), papers.word(document="договор"), papers.mail("a", "b", attached={"c.txt": b"d"}),
             papers.odf("text", "слово"), papers.package({"a/b.html": "<p>слово"})]  # fmt: skip
    for document in whole:
        for _ in range(15):
            changed = bytearray(document)
            for _ in range(rng.randrange(1, 30)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            _checked(worker, bytes(changed[: rng.randrange(1, len(changed))] if rng.random() < 0.3 else changed), "x")


def _checked(child: Worker, document: bytes, name: str) -> None:
    try:
        answer = decode(child.run([document], name.encode()))
    except ConfinedFailed:
        return
    assert len(answer.text.encode()) <= MAX_TEXT


class Worker_of_all:  # noqa: N801  # one child for all examples of a property
    _child: Worker | None = None

    def __enter__(self) -> Worker:
        cls = type(self)
        if cls._child is None:
            cls._child = Worker(Job("vault.extracting.job", "extract"), QUICK)
        return cls._child

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture(scope="module", autouse=True)
def _no_child_is_left() -> Iterator[None]:
    yield
    if Worker_of_all._child is not None:
        Worker_of_all._child.close()


def test_what_a_child_answers_is_believed_only_in_its_form() -> None:
    with pytest.raises(ConfinedFailed):
        decode(b"\xc1")
    with pytest.raises(ConfinedFailed):
        decode(b"\x94\xa3pdf\xa1a\x90\x91\xff")  # a page with a negative number


@given(st.binary(max_size=60))
def test_a_picture_is_taken_to_the_last_byte_or_not(junk: bytes) -> None:
    good = b"P5\n3 2\n255\n" + bytes(6)
    assert is_plain_pgm(good)
    assert not is_plain_pgm(good + b"x") and not is_plain_pgm(good[:-1]) and not is_plain_pgm(b"P6" + good[2:])
    assert not is_plain_pgm(junk)


def pieces(document: bytes) -> object:
    return lambda: [document]


def test_the_reader_says_in_which_state_each_document_is() -> None:
    sound = b"ID3" + bytes(100)
    with Reader() as reader:
        read = lambda name, doc: reader.read(name, len(doc), pieces(doc))  # type: ignore[arg-type]  # noqa: E731
        assert (read(b"a.txt", b"word").state, read(b"a.txt", b"word").text) == (READ, "word")
        assert read(b"a.txt", b"").state == EMPTY
        assert (read(b"a.mp3", sound).state, read(b"a.mp3", sound).kind) == (EMPTY, "audio")
        assert read(b"a.pdf", b"%PDF-1.7").state == FAILED
        assert read(b"a.png", papers.picture("слово")).state == WAITING
        mixed = read(b"a.pdf", papers.pdf("слово", ""))
        assert (mixed.state, mixed.text.strip()) == (WAITING, "слово")
        assert reader.read(b"a.txt", 300 << 20, lambda: pytest.fail("read all the same")).state == LARGE


def test_a_document_that_kills_its_child_costs_itself() -> None:
    with Reader(limits=Limits(seconds=20, cpu_seconds=1, memory=700 << 20, output=32 << 20)) as reader:
        slow = b"From: " + b"=?koi8-r?q?a?= " * 400_000 + b"\nSubject: a\n\n"
        heavy = papers.package({f"{n}.txt": zlib.compress(os.urandom(10)) + bytes(30 << 20) for n in range(10)})
        for document in (slow, heavy):
            assert reader.read(b"x", len(document), pieces(document)).state in (FAILED, READ, EMPTY)  # type: ignore[arg-type]
        assert reader.read(b"a.txt", 4, lambda: [b"word"]).text == "word"
