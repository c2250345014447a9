# SPDX-License-Identifier: Apache-2.0
"""A picture as lines of text for a terminal: two pixels in each character, one above the other. Pure.

U+2580, the upper half block, in the colour of the upper pixel, on the colour of the lower one (ECMA-48, SGR 38 and 48).
With 24-bit colours where the terminal says so, else with the 6 x 6 x 6 cube of the 256 that xterm has.
"""

from __future__ import annotations

from collections.abc import Iterator

_RESET = "\x1b[0m"
_STEPS = (0, 95, 135, 175, 215, 255)
"""The levels of xterm's cube (256colres.pl in xterm's source)."""
_CUBE = 16
_NEAREST = tuple(min(range(6), key=lambda i: abs(_STEPS[i] - value)) for value in range(256))


def lines(pixels: bytes, width: int, height: int, *, colours: int, block: str = "\u2580") -> Iterator[str]:
    """One line for every two rows of ``pixels``: ``width * height`` times red, green and blue, row by row.

    ``colours`` is 256, or more for 24-bit ones. ``block`` is a space where the terminal has no half block.
    """
    row = 3 * width
    for top in range(0, height, 2):
        upper = pixels[top * row : (top + 1) * row]
        lower = pixels[(top + 1) * row : (top + 2) * row] or bytes(row)
        yield _line(upper, lower, colours, block)


def _line(upper: bytes, lower: bytes, colours: int, block: str) -> str:
    parts: list[str] = []
    before: tuple[str, str] | None = None
    for at in range(0, len(upper), 3):
        pair = (_colour(upper[at : at + 3], colours), _colour(lower[at : at + 3], colours))
        if pair != before:
            front, back = (pair[0], pair[1]) if block != " " else (pair[0], pair[0])
            parts.append(f"\x1b[38;{front};48;{back}m")
            before = pair
        parts.append(block)
    return "".join(parts) + _RESET


def _colour(rgb: bytes, colours: int) -> str:
    red, green, blue = rgb
    if colours > 256:
        return f"2;{red};{green};{blue}"
    return f"5;{_CUBE + 36 * _NEAREST[red] + 6 * _NEAREST[green] + _NEAREST[blue]}"
