# SPDX-License-Identifier: Apache-2.0
"""Text of PDFs, by PDFium through pypdfium2: pages, comments, properties, attachments. In confined children only."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from msgspec import msgpack

from vault.confined.protocol import Refused
from vault.extracting.found import Found
from vault.extracting.pgm import MAX_PIXELS, MAX_SIDE, pgm

MAX_PAGES = 20_000
_PROPERTIES = ("Title", "Author", "Subject", "Keywords")
_PASSWORD = raw.FPDF_ERR_PASSWORD
_LEAST_LETTERS = 3
"""A page with fewer is a picture of a page, perhaps with a number on it."""
_MOST_PIXELS = 0.98 * MAX_PIXELS
"""Sides are rounded up."""
_DPI = 300
"""What tesseract's documentation asks for."""


def warm_up() -> None:
    """Load and start the library."""
    pdf = pdfium.PdfDocument.new()
    pdf.new_page(10, 10).render(grayscale=True)
    pdf.close()


def read_pdf(untrusted: bytes, found: Found, inside: Callable[[str, bytes], None]) -> None:
    """All words of the document; pages without any go to ``found.wait``. Raises Refused."""
    with _opened(untrusted) as pdf:
        for key in _PROPERTIES:
            found.add(pdf.get_metadata_value(key))
        for n in range(min(len(pdf), MAX_PAGES)):
            try:
                _read_page(pdf, n, found)
            except pdfium.PdfiumError:
                found.leave("a page of it is damaged")
        if len(pdf) > MAX_PAGES:
            found.leave(f"it has more than {MAX_PAGES:,} pages")
        for n in range(pdf.count_attachments()):
            try:
                attachment = pdf.get_attachment(n)
                inside(attachment.get_name(), bytes(attachment.get_data()))
            except pdfium.PdfiumError:
                found.leave("an attachment of it is damaged")


def _read_page(pdf: pdfium.PdfDocument, number: int, found: Found) -> None:
    with closing(pdf[number]) as page:
        with closing(page.get_textpage()) as on_page:
            text = on_page.get_text_range(errors="replace")
        for comment in _comments(page):
            found.add(comment)
        if sum(map(str.isalnum, text)) < _LEAST_LETTERS:
            found.wait(number)
        found.add(text)


def _comments(page: pdfium.PdfPage) -> Iterator[str]:
    """What stands in annotations (ISO 32000-1 §12.5.2: /Contents)."""
    for n in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, n)
        if not annotation:
            continue
        try:
            size = raw.FPDFAnnot_GetStringValue(annotation, b"Contents", None, 0)
            if size <= 2:
                continue
            buffer = ctypes.create_string_buffer(size)
            units = ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR))
            raw.FPDFAnnot_GetStringValue(annotation, b"Contents", units, size)
            yield buffer.raw[:size].decode("utf-16-le", "replace")
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def pages(untrusted: bytes, argument: bytes) -> bytes:
    """The job that draws pages for tesseract: numbers in, PGMs out, both in MessagePack. Raises Refused."""
    return msgpack.encode(_draw(untrusted, msgpack.decode(argument, type=tuple[int, ...])))


def _draw(untrusted: bytes, numbers: Sequence[int]) -> tuple[bytes, ...]:
    """Pages in shades of grey, at 300 dots per inch unless that is too large."""
    drawn = []
    with _opened(untrusted) as pdf:
        for number in numbers:
            with closing(pdf[number]) as page:
                width, height = page.get_size()
                in_all, on_a_side = _MOST_PIXELS / max(1.0, width * height), (MAX_SIDE - 1) / max(1.0, width, height)
                scale = min(_DPI / 72, in_all**0.5, on_a_side)
                with closing(page.render(scale=scale, grayscale=True)) as bitmap:
                    drawn.append(pgm(bitmap.width, bitmap.height, bytes(bitmap.buffer), bitmap.stride))
    return tuple(drawn)


@contextmanager
def _opened(untrusted: bytes) -> Iterator[pdfium.PdfDocument]:
    try:
        pdf = pdfium.PdfDocument(untrusted)
    except pdfium.PdfiumError as exc:
        locked = getattr(exc, "err_code", None) == _PASSWORD
        raise Refused("it is encrypted" if locked else "it is damaged, or no PDF") from exc
    with closing(pdf):
        yield pdf
