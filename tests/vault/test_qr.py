# SPDX-License-Identifier: Apache-2.0
"""QR codes: what a scanner reads from what we draw is what was put in, however people paste it."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.card import encode, parse_card
from keys.identity import Identity
from tests.support.tools import need
from vault import qr
from vault.errors import BadInput, Damaged, VaultError
from vault.qr_text import DATA_PER_LINE, content_of, lines_of, looks_like_lines

PERSON = encode(Identity.decode(bytes(range(64))).card()).encode()
CASE = encode(Identity.decode(bytes(range(64))).card(case_id=bytes(16), epoch=999_999)).encode()
LIMIT = 16 << 10


def scanned(picture: Path) -> list[bytes]:
    """What zbarimg reads."""
    run = subprocess.run(
        [need("zbarimg"), "-q", "--raw", "-Sdisable", "-Sqrcode.enable", str(picture)], capture_output=True, check=True
    )
    return run.stdout.split()


def photographed(source: Path, target: Path, pixels: int) -> None:
    """The picture as a shaky camera sees it: turned, small, blurred and noisy."""
    from PIL import Image, ImageFilter

    with Image.open(source) as opened:
        image = opened.convert("L").rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    image = image.resize((pixels, pixels * image.height // image.width), Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.GaussianBlur(0.8))
    Image.blend(image, Image.effect_noise(image.size, 30), 0.1).save(target)


@pytest.mark.parametrize("card", [PERSON, CASE], ids=["person", "case"])
def test_a_scanner_reads_a_card_from_the_png_also_from_a_bad_photograph(tmp_path: Path, card: bytes) -> None:
    pytest.importorskip("PIL")
    sheet, photograph = tmp_path / "sheet.png", tmp_path / "photograph.png"
    sheet.write_bytes(qr.png(lines_of("CARD", card)))
    assert content_of(b"\n".join(scanned(sheet)), "CARD", limit=LIMIT) == card
    photographed(sheet, photograph, 640)
    assert content_of(b"\n".join(scanned(photograph)), "CARD", limit=LIMIT) == card
    parse_card(card)


def test_a_scanner_reads_it_from_the_svg_in_a_browser(tmp_path: Path) -> None:
    lines = lines_of("CARD", PERSON)
    (tmp_path / "sheet.svg").write_bytes(qr.svg(lines))
    subprocess.run(
        [need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         f"--user-data-dir={tmp_path / 'profile'}", "--window-size=700,1050",
         f"--screenshot={tmp_path / 'sheet.png'}", (tmp_path / "sheet.svg").as_uri()],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert sorted(scanned(tmp_path / "sheet.png")) == sorted(line.encode() for line in lines)


def test_a_scanner_reads_it_from_a_terminal_of_80_columns(tmp_path: Path) -> None:
    lines = lines_of("CARD", CASE)
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", qr.terminal(lines)).splitlines()
    assert max(map(len, drawn)) <= 80
    rows = [row for line in drawn for row in _pixel_rows(line.ljust(80))]
    scale = 5
    wide = ["".join(pixel * scale for pixel in row) for row in rows]
    content = "\n".join(row for row in wide for _ in range(scale))
    (tmp_path / "terminal.pbm").write_text(f"P1\n{80 * scale} {len(rows) * scale}\n{content}\n")
    assert sorted(scanned(tmp_path / "terminal.pbm")) == sorted(line.encode() for line in lines)


def _pixel_rows(line: str) -> list[str]:
    upper = "".join("1" if block in "▀█" else "0" for block in line)
    lower = "".join("1" if block in "▄█" else "0" for block in line)
    return [upper, lower]


def test_the_pictures_say_nothing_but_their_codes(tmp_path: Path) -> None:
    """Neither the time nor the program; and the same card gives the same picture."""
    lines = lines_of("CARD", PERSON)
    assert qr.png(lines) == qr.png(lines)
    assert set(re.findall(rb"(IHDR|tEXt|zTXt|iTXt|tIME|eXIf|pHYs|PLTE|IDAT|IEND)", qr.png(lines))) <= {
        b"IHDR", b"PLTE", b"IDAT", b"IEND",
    }  # fmt: skip
    assert not re.search(rb"<!--|metadata|title|desc|script", qr.svg(lines))


# The texts


@settings(max_examples=60)
@given(st.binary(max_size=9000), st.randoms(use_true_random=False))
def test_texts_in_any_order_repeated_and_broken_anywhere_give_back_the_content(
    content: bytes, chance: random.Random
) -> None:
    lines = list(lines_of("SHARE", content))
    assert all(len(line) <= DATA_PER_LINE + 31 and re.fullmatch(r"[0-9A-Z/-]+", line) for line in lines)
    pasted = [*lines, *chance.sample(lines, chance.randint(0, len(lines)))]
    chance.shuffle(pasted)
    text = chance.choice(["\n", "\r\n\r\n", " ", "\n---\n"]).join(pasted)
    for _ in range(chance.randint(0, 20)):
        place = chance.randint(0, len(text))
        text = text[:place] + chance.choice(["\n", "\r\n", " ", "\t"]) + text[place:]
    text = chance.choice([text, text.lower()])
    assert content_of(text.encode(), "SHARE", limit=9000) == content


def pasted(lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode()


def test_missing_codes_are_named() -> None:
    lines = lines_of("CARD", PERSON)
    with pytest.raises(BadInput, match=f"2 of {len(lines)} QR codes are missing: 2, 4"):
        content_of(pasted([line for number, line in enumerate(lines, 1) if number not in (2, 4)]), "CARD", limit=LIMIT)


def test_codes_of_two_sheets_or_of_another_kind_are_not_mixed() -> None:
    lines, others = lines_of("CARD", PERSON), lines_of("CARD", CASE)
    with pytest.raises(BadInput, match="different sheets"):
        content_of(pasted([*lines[:3], *others[3:]]), "CARD", limit=LIMIT)
    with pytest.raises(BadInput, match="something else: share"):
        content_of(pasted(lines_of("SHARE", b"x")), "CARD", limit=LIMIT)


def test_a_number_with_two_different_texts_is_refused() -> None:
    lines = list(lines_of("CARD", PERSON))
    changed = lines[1][:-1] + ("A" if lines[1][-1] != "A" else "B")
    with pytest.raises(Damaged, match="number 2"):
        content_of(pasted([*lines, changed]), "CARD", limit=LIMIT)


@settings(max_examples=200)
@given(st.data())
def test_a_changed_text_is_refused_or_means_the_same(choose: st.DataObject) -> None:
    whole = pasted(lines_of("CARD", PERSON))
    place = choose.draw(st.integers(0, len(whole) - 1))
    with_change = whole[:place] + choose.draw(st.binary(max_size=3)) + whole[place + choose.draw(st.integers(0, 2)) :]
    try:
        assert content_of(with_change, "CARD", limit=LIMIT) == PERSON
    except VaultError as refused:
        assert isinstance(refused, (BadInput, Damaged))


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=300), st.text(alphabet="SANDYK-CARD1/23ABCF7 \n", max_size=300).map(str.encode)))
def test_any_bytes_give_our_error(untrusted: bytes) -> None:
    looks_like_lines(untrusted)
    with pytest.raises((BadInput, Damaged)):
        content_of(b"SANDYK-CARD-1/1-00000000-" + untrusted, "CARD", limit=100)


def test_a_text_that_unpacks_to_more_than_may_be_is_refused_without_unpacking_it() -> None:
    bomb = lines_of("CARD", bytes(60_000))
    with pytest.raises(Damaged):
        content_of(pasted(bomb), "CARD", limit=LIMIT)
    with pytest.raises(ValueError, match="too large"):
        lines_of("CARD", os.urandom(40_000))


def test_only_what_holds_the_beginning_of_a_code_is_taken_for_one() -> None:
    assert looks_like_lines(b"\xef\xbb\xbf My card:\n sandyk-card-1/6-")
    assert not looks_like_lines(PERSON)
    assert not looks_like_lines(b"")
