# SPDX-License-Identifier: Apache-2.0
"""Make the raid card's PDFs from its texts (`make raid-card`).

Needs fpdf2 and the fonts DejaVu Sans and DejaVu Sans Bold (Debian: fonts-dejavu-core). The same texts give the
same bytes: the date inside is fixed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

CARDS = Path(__file__).resolve().parent.parent / "vault" / "data" / "raid-card"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
DATE = datetime(2026, 1, 1, tzinfo=UTC)


def make(text: str) -> bytes:
    """One A4 page: the first line large, lines in capitals bold, the rest large enough to read from a metre."""
    page = FPDF(format="A4")
    page.set_creation_date(DATE)
    page.set_auto_page_break(False)
    page.add_font("card", "", FONTS / "DejaVuSans.ttf")
    page.add_font("card", "B", FONTS / "DejaVuSans-Bold.ttf")
    page.add_page()
    page.set_margins(14, 12, 14)
    page.set_y(12)
    for number, line in enumerate(text.splitlines()):
        heading = line.isupper()
        numbered = line[:2] in {"1.", "2.", "3.", "4.", "5."} or line.startswith("    ")
        page.set_font("card", "B" if heading or numbered else "", 24 if number == 0 else 16 if heading else 12)
        page.set_x(14)
        height = 4.5 if not line else 13 if number == 0 else 7
        page.multi_cell(0, height, line.replace("    ", "\u00a0" * 6, 1), align="L")
    if page.y > 290:
        raise SystemExit("the card does not fit on one page")
    return bytes(page.output())


def main() -> None:
    """Write every PDF beside its text."""
    for source in sorted(CARDS.glob("*.txt")):
        source.with_suffix(".pdf").write_bytes(make(source.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
