# SPDX-License-Identifier: Apache-2.0
"""Documents of each kind with given words in them, made by hand or with other programs' libraries."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf")
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_O = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)


def need_font() -> Path:
    """A font with Cyrillic letters; skips without it."""
    if not FONT.exists():
        pytest.skip("the fonts of DejaVu are not installed")
    return FONT


def package(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def word(**parts: str) -> bytes:
    """A docx: each part, as ``document`` or ``footnotes``, with one paragraph that is cut into two runs."""
    def part(text: str) -> str:
        runs = f"<w:r><w:t>{text[:3]}</w:t></w:r><w:r><w:t>{text[3:]}</w:t></w:r>"
        return f"<w:document {_W}><w:p>{runs}</w:p><w:p><w:r><w:t>конец</w:t></w:r></w:p></w:document>"

    written = {f"word/{name}.xml": part(text) for name, text in parts.items()}
    return package({"[Content_Types].xml": "<Types/>"} | written)


def sheet(strings: list[str], *, name: str = "Лист", number: str = "1180") -> bytes:
    """An xlsx with shared strings, a number and a string in a cell."""
    shared = "".join(f"<si><t>{text}</t></si>" for text in strings)
    return package({
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook {_S}><sheets><sheet name="{name}" sheetId="1"/></sheets></workbook>',
        "xl/sharedStrings.xml": f"<sst {_S}>{shared}</sst>",
        "xl/worksheets/sheet1.xml": f'<worksheet {_S}><sheetData><row><c t="s"><v>99</v></c><c><v>{number}</v></c>'
        '<c t="inlineStr"><is><t>вписано</t></is></c></row></sheetData></worksheet>',
        "xl/comments1.xml": f"<comments {_S}><comment><text><r><t>примечание</t></r></text></comment></comments>",
    })  # fmt: skip


def slides(text: str, notes: str) -> bytes:
    """A pptx with a slide and the speaker's notes."""
    def one(words: str) -> str:
        return f"<p:sld xmlns:p='x' {_A}><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:sld>"
    return package({"[Content_Types].xml": "<Types/>", "ppt/slides/slide1.xml": one(text),
                    "ppt/notesSlides/notesSlide1.xml": one(notes)})  # fmt: skip


def odf(kind: str, text: str, header: str = "", sheet_name: str = "") -> bytes:
    """An odt, ods or odp by the last word of its media type."""
    table = f'<table:table table:name="{sheet_name}"/>' if sheet_name else ""
    return package({
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {_O}><office:body><text:p>{text[:2]}<text:span>{text[2:]}</text:span>"
        f"<text:s/>ещё</text:p>{table}</office:body></office:document-content>",
        "styles.xml": f"<office:document-styles {_O}><text:p>{header}</text:p></office:document-styles>",
    })  # fmt: skip


def pdf(*texts: str) -> bytes:
    """A PDF with a page for each text; an empty one gets a page without any."""
    made = FPDF()
    made.add_font("serif", fname=str(need_font()))
    for text in texts:
        made.add_page()
        made.set_font("serif", size=14)
        if text:
            made.multi_cell(180, 10, text=text)
    return bytes(made.output())


def picture(*lines: str, form: str = "PNG") -> bytes:
    """A picture of lines of text, as a scanner makes it."""
    image = Image.new("L", (1600, 200 + 100 * len(lines)), 255)
    font = ImageFont.truetype(str(need_font()), 44)
    for n, line in enumerate(lines):
        ImageDraw.Draw(image).text((100, 100 + 100 * n), line, fill=0, font=font)
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def scanned_pdf(*lines: str) -> bytes:
    """A PDF with one page that is a picture."""
    made = FPDF()
    made.add_page()
    made.image(io.BytesIO(picture(*lines)), w=180)
    return bytes(made.output())


def mail(
    text: str, subject: str, *, html: str = "", charset: str = "utf-8", attached: Mapping[str, bytes] = {}
) -> bytes:
    """A mail with files attached."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Айгүл <a@example.org>", "b@example.org", subject
    made.set_content(text, charset=charset)
    if html:
        made.add_alternative(html, subtype="html", charset=charset)
    for name, content in attached.items():
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()
