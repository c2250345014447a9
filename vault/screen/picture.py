# SPDX-License-Identifier: Apache-2.0
"""A picture in the cells of a terminal: two pixels in each, one above the other, as U+2580 in two colours.

The pixels come from a confined child (``vault.viewing``). Where the terminal is not known to take UTF-8 a cell has the
colour of its upper pixel alone, and no glyph.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from vault.viewing import Picture


class Drawn(Widget):
    """A picture that fits the place it was made for."""

    DEFAULT_CSS = "Drawn { width: auto; height: auto; }"

    def __init__(self, picture: Picture, *, glyphs: bool) -> None:
        super().__init__()
        self._picture, self._glyph = picture, "\u2580" if glyphs else " "

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """One cell for each column of pixels."""
        return self._picture.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """One line for each two rows of pixels."""
        return (self._picture.height + 1) // 2

    def render_line(self, y: int) -> Strip:
        """Two rows of pixels."""
        row, top = 3 * self._picture.width, 2 * y
        upper = self._picture.pixels[top * row : (top + 1) * row]
        lower = self._picture.pixels[(top + 1) * row : (top + 2) * row] or upper
        cells = [
            Segment(self._glyph, Style(color=_rgb(upper, at), bgcolor=_rgb(lower if self._glyph != " " else upper, at)))
            for at in range(0, len(upper), 3)
        ]
        return Strip(cells, len(cells))


def _rgb(row: bytes, at: int) -> str:
    return f"#{row[at : at + 3].hex()}"
