# SPDX-License-Identifier: Apache-2.0
"""Text of Excel's workbooks before 2007 ([MS-XLS]): cells by xlrd, notes and text boxes. In confined children only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import StringIO

import xlrd

from vault.confined.protocol import Refused
from vault.extracting.blips import keep_blips
from vault.extracting.found import Enough, Found
from vault.extracting.ole import XLS, XLS_95, Compound

_TXO, _CONTINUE, _DRAWINGS = 0x01B6, 0x003C, 0x00EB
"""Records ([MS-XLS] 2.4.329, 2.4.58, 2.4.170): the text of a note or a text box stands in what continues the first."""
_TXO_LENGTH = 10
"""Where a TXO says how many characters it has."""
_WIDE = 1
_ENCRYPTED = "encrypted"
"""In xlrd's words for it."""


def read_xls(storage: Compound, found: Found) -> None:
    """All sheets, hidden ones too: their names, their cells, notes, text boxes; pictures are kept. Raises Refused."""
    stream = storage.stream(XLS if XLS in storage.streams else XLS_95)
    try:
        # What xlrd tells of goes to the standard output, through which answers go here.
        book = xlrd.open_workbook(file_contents=stream, logfile=StringIO(), on_demand=True, ragged_rows=True)
    except Exception as exc:  # xlrd tells damage by many classes
        raise Refused("it is encrypted" if _ENCRYPTED in str(exc) else "it is damaged, or no workbook") from exc
    for number in range(book.nsheets):
        try:
            _read_sheet(book, number, found)
        except Enough:
            raise
        except Exception:
            found.leave("a sheet of it is damaged")
    for text in _boxes(stream):
        found.add(text)
    keep_blips(_drawings(stream), found)


def _read_sheet(book: xlrd.Book, number: int, found: Found) -> None:
    found.add(book.sheet_names()[number])
    sheet = book.sheet_by_index(number)
    for row in range(sheet.nrows):
        found.add("\n".join(filter(None, (_cell(book, cell) for cell in sheet.row(row)))))
    book.unload_sheet(number)


def _cell(book: xlrd.Book, cell: xlrd.sheet.Cell) -> str:
    """What stands in a cell; numbers without the blanks and signs that a sheet shows them with."""
    if cell.ctype == xlrd.XL_CELL_TEXT:
        return str(cell.value)
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return str(xlrd.xldate_as_datetime(cell.value, book.datemode))
        except (xlrd.xldate.XLDateError, OverflowError, ValueError):
            return f"{cell.value:.15g}"
    return f"{cell.value:.15g}" if cell.ctype == xlrd.XL_CELL_NUMBER else ""


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record ([MS-XLS] 2.1.4), to the first that is cut off."""
    at = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _boxes(stream: bytes) -> Iterator[str]:
    """Texts of notes and text boxes."""
    left = 0
    for kind, content in _records(stream):
        if kind == _TXO:
            left = struct.unpack_from("<H", content, _TXO_LENGTH)[0] if len(content) >= _TXO_LENGTH + 2 else 0
        elif kind == _CONTINUE and left and content:
            wide = content[0] & _WIDE
            text = content[1:].decode("utf-16-le" if wide else "cp1252", "replace")[:left]
            left -= len(text)
            yield text
        elif kind != _CONTINUE:
            left = 0


def _drawings(stream: bytes) -> bytes:
    """What is drawn in the workbook, put together again: a record has 8,224 bytes at most."""
    parts, kept = [], False
    for kind, content in _records(stream):
        kept = kind == _DRAWINGS or (kept and kind == _CONTINUE)
        if kept:
            parts.append(content)
    return b"".join(parts)
