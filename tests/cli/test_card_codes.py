# SPDX-License-Identifier: Apache-2.0
"""Cards from screen to phone to another desk, as QR codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.commands import Desk
from tests.vault.test_qr import scanned


def test_a_person_and_a_case_are_handed_over_through_a_camera(bundle: tuple[Desk, Desk, str]) -> None:
    one, editor, _ = bundle
    editor.run("contact", "remove", "news")
    for name, more, kind in (("news by camera", (), "person"), ("their case", ("--case", "Road works"), "case")):
        sheet = Path(one.home / f"{kind}.png")
        words = one.json("card", "export", *more, "--qr", str(sheet))
        texts = scanned(sheet)
        assert words["codes"] == len(texts) == 6
        added = editor.run("contact", "add", name, "-", stdin=b"\n".join(reversed(texts)))
        assert words["words"] in added.out
    pasted = editor.write("pasted.txt", b"\n".join(texts))
    assert editor.json("card", "show", pasted)["kind"] == "case"
    editor.run("drop", pasted, editor.write("letter.txt"), "-o", str(editor.home))
    missing = editor.run("contact", "add", "half", "-", stdin=b"\n".join(texts[1:]), code=2).err
    assert re.search(r"1 of 6 QR codes are missing: \d", missing)


def test_codes_on_the_terminal_are_drawn_with_their_own_colours_and_the_card_is_not_printed_besides(one: Desk) -> None:
    done = one.run("card", "export", "--qr", "-")
    assert done.out.count("\x1b[30;107m") == 6 * 39
    assert "recipient" not in done.out
    assert "6 QR codes above" in done.err


@pytest.mark.parametrize("words", [("--qr", "card.jpg"), ("--qr", "-", "--json"), ("--qr", "card")])
def test_what_cannot_be_drawn_to_is_refused(one: Desk, words: tuple[str, ...]) -> None:
    one.run("card", "export", *words, code=2)
    assert not list(one.home.glob("card*"))


def test_a_file_that_is_there_is_not_overwritten_by_codes(one: Desk) -> None:
    path = one.write("mine.svg", b"mine")
    one.run("card", "export", "--qr", path, code=1)
    one.run("card", "export", "--qr", str(one.home / "no" / "such.svg"), code=1)
    assert Path(path).read_bytes() == b"mine"
