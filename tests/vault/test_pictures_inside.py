# SPDX-License-Identifier: Apache-2.0
"""Pictures in mails, archives and office documents: which are found, which tesseract reads, and what bad ones cost."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from tests.support import papers
from tests.support.old_papers import compound, old_word, outlook
from tests.support.tools import need
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed
from vault.extracting import ocr
from vault.extracting.answer import MAX_PICTURES, READ, WAITING, Answer, decode, decode_pictures
from vault.extracting.ocr import Ocr
from vault.extracting.pgm import may_hold_words, pgm
from vault.extracting.reader import UNREAD_PICTURES, Reader, Reading, _judged

QUICK = Limits(seconds=20, cpu_seconds=10, output=80 << 20)


@pytest.fixture(scope="module")
def tesseract() -> Ocr:
    need("tesseract")
    found = ocr.installed()
    if found is None or "rus" not in found.languages:
        pytest.skip("tesseract does not read Russian here")
    return found


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(Job("vault.extracting.job", "extract"), QUICK) as child:
        yield child


def extract(worker: Worker, document: bytes) -> Answer:
    return decode(worker.run([document], b"x"))


def read(reader: Reader, document: bytes, name: bytes = b"x") -> Reading:
    return reader.read(name, len(document), lambda: [document])


def docx_with(picture: bytes, *, media: str = "word/media/image1.png") -> bytes:
    return papers.package({"[Content_Types].xml": "<a/>", "word/document.xml": "<w><t>текст</t></w>", media: picture})


def test_scans_in_mails_archives_and_office_documents_are_read(tesseract: Ocr) -> None:
    scan, fax = papers.scanned_pdf("постановление суда"), papers.picture("протокол обыска", form="JPEG")
    attached = {"scan.pdf": scan, "a.docx": docx_with(papers.picture("договор аренды")),
                "b.zip": papers.package({"c/fax.jpg": fax})}  # fmt: skip
    with Reader(tesseract) as reader:
        found = read(reader, papers.mail("Текст письма", "О дороге", attached=attached))
    assert (found.state, found.detail, found.pictures) == (READ, "", 3)
    for words in ("Текст письма", "постановление суда", "протокол обыска", "договор аренды"):
        assert words in found.text


def test_a_scan_in_a_mail_of_outlook_and_in_open_document_is_read(tesseract: Ocr) -> None:
    letter = compound(outlook({"0037001F": "Тема"}, attached={"scan.png": papers.picture("постановление суда")}))
    odt = papers.package({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a>текст</a>",
                          "Pictures/1.png": papers.picture("договор аренды")})  # fmt: skip
    with Reader(tesseract) as reader:
        assert "постановление суда" in read(reader, letter).text
        assert "договор аренды" in read(reader, odt).text


def test_without_tesseract_text_is_kept_and_what_waits_is_said() -> None:
    with Reader() as reader:
        found = read(reader, docx_with(papers.picture("договор")))
        assert (found.state, found.detail, found.text) == (READ, UNREAD_PICTURES, "текст")
        assert reader.may_read_more(found.kind, found.detail, "sandyk read 0, pypdfium2 5")
        assert not reader.may_read_more(found.kind, found.detail, reader.name)
        alone = read(reader, papers.package({"a.png": papers.picture("договор")}).replace(b"a.png", b"....."))
    assert alone.state == WAITING
    with Reader(Ocr("/bin/false", "/", ("rus",))) as reader:
        assert reader.may_read_more(found.kind, found.detail, reader.name)


def test_a_picture_is_kept_once_and_a_dot_not_at_all(worker: Worker) -> None:
    logo = papers.picture("логотип")
    mail = papers.mail("a", "b", attached={"1.png": logo, "2.png": logo, "dot.gif": b"GIF89a" + bytes(40)})
    assert extract(worker, mail).pictures == 1


def test_more_pictures_than_are_read_are_said(worker: Worker) -> None:
    many = {f"{n}.jpg": b"\xff\xd8\xff" + struct.pack(">I", n) * 60 for n in range(MAX_PICTURES + 5)}
    found = extract(worker, papers.package(many))
    assert found.pictures == MAX_PICTURES and "only 200 pictures inside are read" in found.left[0]


def test_a_picture_inside_that_is_none_costs_itself(tesseract: Ocr) -> None:
    attached = {"bad.png": b"\x89PNG\r\n\x1a\n" + os.urandom(500), "good.png": papers.picture("протокол обыска")}
    with Reader(tesseract) as reader:
        found = read(reader, papers.mail("Текст", "Тема", attached=attached))
    assert "протокол обыска" in found.text and found.detail == "1 picture(s) of it could not be read"


def test_a_picture_too_small_for_a_word_is_not_given_to_tesseract() -> None:
    assert may_hold_words(pgm(40, 12, bytes(480), 40))
    assert not may_hold_words(pgm(39, 12, bytes(468), 39)) and not may_hold_words(pgm(40, 11, bytes(440), 40))


def test_a_planted_attachment_that_ends_its_reader_does_not_hide_the_mail() -> None:
    endless = papers.package({"a.html": "<html>" + "<p>a" * 5_000_000})
    mail = papers.mail("О взятке", "Тема", attached={"planted.zip": endless})
    with Reader(limits=Limits(seconds=60, cpu_seconds=1, output=32 << 20)) as reader:
        found = read(reader, mail)
    assert found.state == READ and "О взятке" in found.text
    assert found.detail == "what is inside of it was not read: reading it took more than 1 seconds of processor time"


def test_a_planted_attachment_that_breaks_its_parser_costs_itself(worker: Worker) -> None:
    broken = bytearray(old_word("x" * 100))
    broken[30:32] = b"\x63\x00"  # sectors of 2 ** 99 bytes
    attached = {"a.doc": bytes(broken), "b.txt": "дальше".encode()}
    found = extract(worker, papers.mail("О взятке", "Тема", attached=attached))
    assert "О взятке" in found.text and "дальше" in found.text and found.left


@pytest.mark.parametrize(("take", "one"), [(decode_pictures, b"\x92\x90\xc4\x00"), (_judged, b"\xc4\x00")])
def test_a_child_that_says_it_has_millions_of_pictures_fills_no_memory_here(
    take: Callable[[bytes], object], one: bytes
) -> None:
    many = b"\xdd" + struct.pack(">I", 2_000_000) + one * 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ConfinedFailed):
            take(many)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_pictures_from_a_child_are_believed_only_in_their_form() -> None:
    assert decode_pictures(b"\x90") == ()
    too_many = b"\xdc\x01\x00" + b"\x92\x90\xc4\x00" * 256
    for nonsense in (b"\xc1", b"\x91\x92\x90\xa1x", b"\x91\x92\x91\xff\xc4\x01x", too_many):
        with pytest.raises(ConfinedFailed):
            decode_pictures(nonsense)
