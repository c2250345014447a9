# SPDX-License-Identifier: Apache-2.0
"""QR codes as one sheet: SVG or PNG to print and to show, or half blocks for a terminal. Drawn by segno.

What is in them is a caller's (``vault.qr_text``). Each code is of version 13 at most, so that the camera of a cheap
phone reads it from a screen, and a terminal of 80 columns holds it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import zip_longest
from types import SimpleNamespace

import segno

QUIET = 4
"""Light modules around each code that ISO/IEC 18004 asks for."""
GAP = 8
"""The same on a sheet: more, so that a phone sees one code at a time."""
COLUMNS = 2
MODULE_MM = 1
"""Six codes of version 13 are 170 × 255 mm: an A4 page."""
PIXELS = 6
_BLACK_ON_WHITE, _RESET = "\x1b[30;107m", "\x1b[0m"


def svg(texts: Sequence[str]) -> bytes:
    """A sheet in millimetres."""
    out = io.BytesIO()
    _sheet(texts).save(out, kind="svg", border=0, scale=MODULE_MM, unit="mm", light="white")
    return out.getvalue()


def png(texts: Sequence[str]) -> bytes:
    """A sheet of pixels."""
    out = io.BytesIO()
    _sheet(texts).save(out, kind="png", border=0, scale=PIXELS)
    return out.getvalue()


def terminal(texts: Sequence[str]) -> str:
    """The codes one below the other, black on white whatever the terminal's colours are."""
    lines = []
    for code in _codes(texts):
        rows = [bytes(row) for row in code.matrix_iter(border=QUIET)]
        blank = bytes(len(rows[0]))
        for upper, lower in zip_longest(rows[::2], rows[1::2], fillvalue=blank):
            blocks = "".join(" ▀▄█"[top + 2 * bottom] for top, bottom in zip(upper, lower, strict=True))
            lines.append(f"{_BLACK_ON_WHITE}{blocks}{_RESET}\n")
        lines.append("\n")
    return "".join(lines)


def _codes(texts: Sequence[str]) -> list[segno.QRCode]:
    """One code for each text, all of one size."""
    made = [_code(text) for text in texts]
    largest = max(int(code.version) for code in made)
    return [_code(text, largest) for text in texts]


def _code(text: str, version: int | None = None) -> segno.QRCode:
    return segno.make_qr(text, version=version, error="M", mode="alphanumeric", boost_error=False)


def _sheet(texts: Sequence[str]) -> segno.QRCode:
    """All codes as one picture, which segno draws like a code."""
    tiles = [[bytes(row) for row in code.matrix_iter(border=GAP)] for code in _codes(texts)]
    columns = min(COLUMNS, len(tiles))
    empty = [bytes(len(row)) for row in tiles[0]]
    tiles += [empty] * (-len(tiles) % columns)
    matrix = tuple(
        bytearray(b"".join(rows))
        for start in range(0, len(tiles), columns)
        for rows in zip(*tiles[start : start + columns], strict=True)
    )
    drawing = SimpleNamespace(matrix=matrix, version=1, error=None, mask=0, segments=())
    return segno.QRCode(drawing)  # type: ignore[call-arg]  # the constructor is documented, and missing in the stub
