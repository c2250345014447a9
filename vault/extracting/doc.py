# SPDX-License-Identifier: Apache-2.0
"""Text of Word's documents before 2007 ([MS-DOC]), and of Word 6 and 95. In confined children only.

No library reads these whole (docs/decisions/0062-older-documents.md). The piece table ([MS-DOC] 2.4.1) lists all that
was typed: the text, footnotes, headers, comments, text boxes. What was deleted in a fast save is in no piece.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vault.confined.protocol import Refused
from vault.decoding import likeliest
from vault.extracting.blips import keep_blips
from vault.extracting.found import Found
from vault.extracting.ole import DOC, Compound

_WORD_97, _WORD_6 = 0xA5EC, 0xA5DC
"""The first two bytes ([MS-DOC] 2.5.2 wIdent); the older one is Word 6's and 95's."""
_COMPLEX, _ENCRYPTED, _TABLE_1 = 0x0004, 0x0100, 0x0200
"""Of the flags at 10: fComplex, fEncrypted, fWhichTblStm."""
_CLX_97, _CLX_6 = 0x01A2, 0x0160
"""Where offset and size of the Clx stand: FibRgFcLcb97.fcClx ([MS-DOC] 2.5.6), and fcClx of Word 6's FIB."""
_TEXT_6 = 0x18
"""Where Word 6 says from where to where its text goes: fcMin, fcMac."""
_PIECES, _PROPERTIES = 2, 1
"""What begins a Pcdt and a Prc in a Clx ([MS-DOC] 2.9.38)."""
_EIGHT_BIT = 1 << 30
"""FcCompressed.fCompressed ([MS-DOC] 2.9.73)."""
_SAMPLE = 64 << 10
_SIGNS = str.maketrans({
    "\x01": " ", "\x02": " ", "\x05": " ", "\x08": " ",  # pictures, references to notes and comments, shapes
    "\x07": "\n", "\x0b": "\n", "\x0c": "\n", "\x0d": "\n", "\x0e": "\n",  # ends of cells, lines, pages, paragraphs
    "\x13": " ", "\x14": " ", "\x15": " ",  # around a field and what it says
    "\x1e": "-", "\x1f": "",  # hyphens that do not break, and that show only at the end of a line
})  # fmt: skip


def read_doc(storage: Compound, found: Found) -> None:
    """All text of the document; pictures are kept. Raises Refused."""
    main = storage.stream(DOC)
    try:
        identity, flags = *struct.unpack_from("<H", main), struct.unpack_from("<H", main, 10)[0]
        if flags & _ENCRYPTED:
            raise Refused("it is encrypted")
        if identity == _WORD_97:
            table = storage.stream("1Table" if flags & _TABLE_1 else "0Table")
            pieces = list(_pieces(table, *struct.unpack_from("<II", main, _CLX_97)))
        elif identity == _WORD_6 and flags & _COMPLEX:
            pieces = list(_pieces(main, *struct.unpack_from("<II", main, _CLX_6)))
        elif identity == _WORD_6:
            first, end = struct.unpack_from("<II", main, _TEXT_6)
            pieces = [(2 * first | _EIGHT_BIT, max(0, end - first))]
        else:
            raise Refused("it is older than Word 6, or damaged")
    except struct.error as exc:
        raise Refused("it is damaged: its beginning is cut off") from exc
    found.add(_text(main, pieces, found, always_eight_bit=identity == _WORD_6))
    for stream in (storage.stream("Data"), main):
        keep_blips(stream, found)


def _pieces(table: bytes, at: int, size: int) -> Iterator[tuple[int, int]]:
    """FcCompressed and characters of each piece, out of a Clx. Raises Refused, struct.error."""
    end = min(len(table), at + size)
    while at < end and table[at] == _PROPERTIES:
        at += 3 + struct.unpack_from("<H", table, at + 1)[0]
    if at >= end or table[at] != _PIECES:
        raise Refused("it is damaged: it has no list of pieces")
    count = (min(struct.unpack_from("<I", table, at + 1)[0], end - at - 5) - 4) // 12
    places = struct.unpack_from(f"<{max(0, count + 1)}I", table, at + 5)
    for n in range(count):
        where = struct.unpack_from("<I", table, at + 5 + 4 * (count + 1) + 8 * n + 2)[0]
        yield where, max(0, places[n + 1] - places[n])


def _text(main: bytes, pieces: list[tuple[int, int]], found: Found, *, always_eight_bit: bool) -> str:
    """The pieces, put together. Those of eight bits have Windows' western letters, unless they look Cyrillic: so does
    what other programs wrote, and Word 6, which says only by its fonts what its letters are."""
    taken: list[tuple[bool, bytes]] = []
    for where, length in pieces:
        narrow = always_eight_bit or bool(where & _EIGHT_BIT)
        start = (where & (_EIGHT_BIT - 1)) // 2 if where & _EIGHT_BIT else where & (_EIGHT_BIT - 1)
        size = length if narrow else 2 * length
        found.unpack(min(size, len(main)))  # pieces may share bytes, and then a few of these become many
        taken.append((narrow, main[start : start + size]))
        if len(taken[-1][1]) < size:
            found.leave("a part of its text is missing")
    narrow_text = b"".join(content for narrow, content in taken if narrow)
    encoding = likeliest(narrow_text[:_SAMPLE]) if any(byte >= 0x80 for byte in narrow_text[:_SAMPLE]) else "cp1252"
    return "".join(
        content.decode(encoding if narrow else "utf-16-le", "replace") for narrow, content in taken
    ).translate(_SIGNS)
