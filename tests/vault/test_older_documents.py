# SPDX-License-Identifier: Apache-2.0
"""Documents of the formats before 2007, RTF and Outlook's mails: what is in them, and what damaged ones cost."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import compressed_rtf
import olefile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import old_papers, papers
from tests.support.old_papers import compound, converted, old_word, outlook
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed, ConfinedRefused
from vault.extracting.answer import Answer, decode, decode_pictures

QUICK = Limits(seconds=20, cpu_seconds=10, output=80 << 20)
RUSSIAN = "Прошу выдать копию решения суда о строительстве объездной дороги."
KYRGYZ = "Өкмөт мүчөлөрү жаңы жол жөнүндө чечим кабыл алышты."


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(Job("vault.extracting.job", "extract"), QUICK) as child:
        yield child


@pytest.fixture(scope="module")
def collector() -> Iterator[Worker]:
    with Worker(Job("vault.extracting.job", "pictures"), QUICK) as child:
        yield child


def read(worker: Worker, document: bytes, name: str = "x") -> Answer:
    return decode(worker.run([document], name.encode()))


def flat(ending: str) -> str:
    """What LibreOffice is given for a document of each ending; it writes each once."""
    if ending == "xls":
        rows: list[list[str | float]] = [["имя", "сумма"], ["Кашкарбаева", 48151623.0], ["өкмөт", 1.5]]
        return old_papers.flat_sheet(rows, name="Расходы", comment="примечание кассира", title="Смета")
    shown = papers.picture("ПОСТАНОВЛЕНИЕ")
    if ending == "ppt":
        slides = ["План застройки", "Budget of Ҳоким"]
        return old_papers.flat_slides(slides, notes="сказать о деньгах", title="Доклад", picture=shown)
    return old_papers.flat_text(f"{RUSSIAN} {KYRGYZ}", note="сноска внизу", comment="замечание юриста",
                                header="колонтитул", box="в рамке", title="Заглавие", picture=shown)  # fmt: skip


@pytest.mark.parametrize("ending", ["doc", "rtf"])
def test_libreoffice_s_doc_and_rtf_give_text_notes_headers_comments_and_boxes(worker: Worker, ending: str) -> None:
    found = read(worker, converted(flat(ending), ending))
    assert (found.kind, found.left) == ("word", ())
    for words in (RUSSIAN, KYRGYZ, "сноска внизу", "замечание юриста", "колонтитул", "в рамке", "Заглавие"):
        assert words in found.text


def test_libreoffice_s_xls_gives_names_cells_numbers_and_notes(worker: Worker) -> None:
    found = read(worker, converted(flat("xls"), "xls"))
    assert (found.kind, found.left) == ("sheet", ())
    words = ["Расходы", "имя", "сумма", "Кашкарбаева", "48151623", "өкмөт", "1.5", "примечание кассира", "Смета"]
    assert found.text.splitlines() == words


def test_libreoffice_s_ppt_gives_slides_and_the_speaker_s_notes(worker: Worker) -> None:
    found = read(worker, converted(flat("ppt"), "ppt"))
    assert (found.kind, found.left) == ("slides", ())
    assert {"План застройки", "Budget of Ҳоким", "сказать о деньгах", "Доклад"} <= set(found.text.splitlines())


@pytest.mark.parametrize("ending", ["doc", "rtf", "ppt"])
def test_a_picture_in_an_old_document_is_kept_for_tesseract(worker: Worker, collector: Worker, ending: str) -> None:
    document = converted(flat(ending), ending)
    assert read(worker, document).pictures == 1
    (picture,) = decode_pictures(collector.run([document], b"x"))
    assert picture.pages == () and picture.content.startswith(b"\x89PNG")


# What LibreOffice does not write


def test_pieces_of_one_and_two_bytes_are_put_together_in_order(worker: Worker) -> None:
    found = read(worker, old_word("Договор «", b"Company \x93Ltd\x94", "» о дороге\rКонец"))
    assert found.text == "Договор «Company “Ltd”» о дороге\nКонец"


@pytest.mark.parametrize("encoding", ["cp1251", "kz1048"])
def test_pieces_of_one_byte_that_look_cyrillic_are_read_as_that(worker: Worker, encoding: str) -> None:
    text = RUSSIAN if encoding == "cp1251" else KYRGYZ
    assert read(worker, old_word(text.encode(encoding), "\rконец")).text == f"{text}\nконец"


def test_western_letters_stay_western(worker: Worker) -> None:
    text = "Résumé des dépenses à Genève, été 2021"
    assert read(worker, old_word(text.encode("cp1252"))).text == text


@pytest.mark.parametrize("flags", [0, 0x0004])
def test_word_6_and_95_are_read_saved_fast_or_whole(worker: Worker, flags: int) -> None:
    found = read(worker, old_word(RUSSIAN.encode("cp1251"), b"\r\xca\xee\xed\xe5\xf6", identity=0xA5DC, flags=flags))
    assert found.text == f"{RUSSIAN}\nКонец"


def test_fields_cells_and_hyphens_end_and_join_words_as_they_are_seen(worker: Worker) -> None:
    found = read(worker, old_word("один\x07два\x07\rсм. \x13 HYPERLINK \x14ссылка\x15 пере\x1fнос из\x1eза"))
    assert found.text == "один\nдва\nсм. HYPERLINK ссылка перенос из-за"


def test_rtf_letters_are_those_of_its_page_its_fonts_and_unicode(worker: Worker) -> None:
    fonts = rb"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Times Cyr;}}"
    cyrillic = "".join(f"\\'{byte:02x}" for byte in "дорога".encode("cp1251")).encode()
    body = rb"{\f0 a\'f1o }{\f1 " + cyrillic + rb"}\par \uc1\u1256?\u1257?\uc0\u1198 \par"
    found = read(worker, rb"{\rtf1\ansi\ansicpg1252\deff0" + fonts + body + rb"}")
    assert (found.kind, found.text) == ("word", "año дорога\nӨөҮ")
    usual = rb"{\rtf1\ansi\ansicpg1252\deff1" + fonts + rb"{\f0 a \plain " + cyrillic + rb"}}"
    assert read(worker, usual).text == "a дорога"
    plain = rb"{\rtf1\ansi\ansicpg1251 " + "решение суда".encode("cp1251") + rb"\par}"
    assert read(worker, plain).text == "решение суда"


def test_rtf_gives_what_people_see_and_not_what_programs_keep(worker: Worker) -> None:
    document = rb"""{\rtf1{\*\generator Riched20;}{\info{\title title}{\*\company office}}{\stylesheet{\s1 heading;}}
{\header head}{\*\unknown silent}text{\footnote note}{\*\annotation remark}{\field{\*\fldinst HYPERLINK "http://x"}
{\fldrslt link}}{\pict\pngblip 00ff}{\*\shpinst{\sp{\sn name}{\sv value}}{\shptxt box}}\bin5 }}}}}end}"""
    words = 'title office head text note remark HYPERLINK "http://x" link box end'
    assert set(read(worker, document).text.split()) == set(words.split())


def test_a_mail_of_outlook_gives_headers_text_and_what_is_attached_also_mails(worker: Worker) -> None:
    inner = outlook({"0037001F": "Вложенное", "10130102": "<p>в<i>ид</i>".encode("cp1251")}, page=1251)
    attached = {"смета.xlsx": papers.sheet(["смета"]), "письмо": inner}
    mail = outlook(
        {"0037001F": "О дороге", "0C1A001F": "Айгүл", "0C1F001E": b"a@example.org", "0E04001F": "Редакция",
         "1000001E": RUSSIAN.encode("cp1251")},
        people=["Бакыт"], attached=attached, page=1251, sent=1_700_000_000,
    )  # fmt: skip
    found = read(worker, compound(mail))
    assert (found.kind, found.left) == ("mail", ())
    for words in ("Subject: О дороге", "From: Айгүл", "From: a@example.org", "To: Редакция", "Бакыт", RUSSIAN,
                  "14 Nov 2023", "смета.xlsx", "смета", "Вложенное", "вид"):  # fmt: skip
        assert words in found.text


def test_groups_deeper_than_are_told_apart_end_where_they_end(worker: Worker) -> None:
    deep = rb"{\rtf1 before{\*\silent " + b"{" * 5_000 + b"x" + b"}" * 5_000 + b"y} behind}"
    assert read(worker, deep).text == "before behind"


def test_plain_text_that_says_something_else_hides_no_html(worker: Worker) -> None:
    mail = outlook({"1000001F": "Поздравляю с праздником", "1013001F": "<p>Аванс перечислен"})
    assert read(worker, compound(mail)).text == "Поздравляю с праздником\nАванс перечислен"


def test_a_mail_whose_text_is_compressed_rtf_alone_is_read(worker: Worker) -> None:
    packed = compressed_rtf.compress(rb"{\rtf1\ansi\ansicpg1251 " + RUSSIAN.encode("cp1251") + rb"\par}")
    assert RUSSIAN in read(worker, compound(outlook({"0037001F": "Тема", "10090102": packed}))).text


def test_a_file_that_was_dropped_into_a_document_is_read(worker: Worker) -> None:
    content = "тайная смета".encode()
    native = b"\2\0smeta.txt\0C:\\smeta.txt\0\0\0\3\0" + struct.pack("<I", 4) + b"C:\\\0"
    native = struct.pack("<I", len(native)) + native + struct.pack("<I", len(content)) + content
    dropped = compound({"\x01Ole10Native": native})
    parts = {"[Content_Types].xml": "<a/>", "word/document.xml": "<w><t>договор</t></w>",
             "word/embeddings/oleObject1.bin": dropped}  # fmt: skip
    found = read(worker, papers.package(parts))
    assert (found.text.splitlines(), found.left) == (["договор", "smeta.txt", "тайная смета"], ())
    doc = olefile.OleFileIO(old_word("снаружи"))
    streams = {name: doc.openstream(name).read() for name in ("WordDocument", "1Table")}
    found = read(worker, compound({**streams, "ObjectPool": {"_1": {"\x01Ole10Native": native}}}))
    assert found.text.splitlines() == ["снаружи", "smeta.txt", "тайная смета"]


def test_a_document_in_a_storage_of_another_is_read(worker: Worker) -> None:
    book = olefile.OleFileIO(converted(flat("xls"), "xls")).openstream("Workbook").read()
    outer = olefile.OleFileIO(old_word("снаружи"))
    streams = {name: outer.openstream(name).read() for name in ("WordDocument", "1Table")}
    found = read(worker, compound({**streams, "ObjectPool": {"_1": {"Workbook": book}}}))
    assert found.kind == "word" and {"снаружи", "Кашкарбаева"} <= set(found.text.split())


# What is refused


def without_streams(document: bytes) -> bytes:
    """The file with a folder that leads to itself."""
    changed = bytearray(document)
    struct.pack_into("<I", changed, document.index("Root Entry".encode("utf-16-le")) + 76, 0)
    return bytes(changed)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (compound({"EncryptedPackage": b"x" * 40, "EncryptionInfo": b"y"}), "it is encrypted"),
        (old_word("тайна", flags=0x0300), "it is encrypted"),
        (compound({"PowerPoint Document": b"", "Current User": struct.pack("<HHIII", 0, 0xFF6, 20, 20, 0xF3D1C4DF)}),
         "it is encrypted"),
        (compound({"VisioDocument": b"x" * 40}), "not read here"),
        (without_streams(old_word("тайна")), "it is damaged"),
        (old_word(b"a", identity=0xA5DB), "older than Word 6"),
        (compound({"WordDocument": b"\xec\xa5"}), "cut off"),
        (compound({"Workbook": b"no workbook at all"}), "no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "no compound file"),
        (papers.package({"[Content_Types].xml": "<a/>", "xl/workbook.bin": b"x"}), "xlsb"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_with_the_reason(worker: Worker, document: bytes, reason: str) -> None:
    with pytest.raises(ConfinedRefused, match=reason):
        read(worker, document)


def test_pieces_that_share_bytes_do_not_become_many(worker: Worker) -> None:
    pieces = 40_000
    places = struct.pack(f"<{pieces + 1}I", *range(0, 6000 * pieces + 1, 6000))
    places += struct.pack("<HIH", 0, 0x600, 0) * pieces
    clx = b"\x02" + struct.pack("<I", len(places)) + places
    main = bytearray(0x600)
    struct.pack_into("<HH", main, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", main, 10, 0x0200)
    struct.pack_into("<II", main, 0x01A2, 0, len(clx))
    with pytest.raises(ConfinedRefused, match="unpacked it is larger"):
        read(worker, compound({"WordDocument": bytes(main) + bytes(1_000_000), "1Table": clx}))


def damaged(document: bytes, seed: int, cut: float) -> bytes:
    rng, changed = random.Random(seed), bytearray(document)
    for _ in range(rng.randrange(1, 30)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: int(len(changed) * cut)])


def whole(form: str) -> bytes:
    """A sound document of each form, with LibreOffice or without."""
    if form == "msg":
        return compound(outlook({"0037001F": "Тема", "1000001F": RUSSIAN}, attached={"a.doc": old_word("вложено")}))
    if form == "word6":
        return old_word(RUSSIAN.encode("cp1251"), identity=0xA5DC)
    return converted(flat(form), form)


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.floats(0.05, 1), st.sampled_from(["doc", "rtf", "xls", "ppt", "msg", "word6"]))
def test_damaged_documents_are_text_or_refused_and_the_next_one_is_read(
    worker: Worker, seed: int, cut: float, form: str
) -> None:
    document = damaged(whole(form), seed, cut)
    try:
        read(worker, document, f"paper.{form}")
    except ConfinedRefused:
        pass
    except ConfinedFailed as exc:
        assert "its reader gave up" in str(exc)  # by an exception: neither a crash nor a time without end
    assert read(worker, b"{\\rtf1 next}").text == "next"


@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_any_rtf_is_text(worker: Worker, body: bytes) -> None:
    assert isinstance(read(worker, b"{\\rtf1 " + body).text, str)


def test_text_is_kept_when_what_comes_behind_it_is_damaged(worker: Worker) -> None:
    doc = olefile.OleFileIO(old_word("договор"))
    streams = {name: doc.openstream(name).read() for name in ("WordDocument", "1Table")}
    sound = compound({**streams, "Data": b"x" * 20_000})
    broken = bytearray(sound)
    struct.pack_into("<I", broken, len(broken) - 512 + 4 * 5, 9_999)  # behind its sixth sector the stream goes nowhere
    found = read(worker, bytes(broken))
    assert (found.text, found.left) == ("договор", ("a part of it is damaged",))
    broken = bytearray(sound)
    struct.pack_into("<I", broken, sound.index(struct.pack("<Q", 20_000)), 500 << 20)  # it says that it is so long
    found = read(worker, bytes(broken))
    assert found.text == "договор"
    assert found.left == ("unpacked it is larger than 400 MiB",)
