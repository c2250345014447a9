# SPDX-License-Identifier: Apache-2.0
"""Names of evidence: kept, placed, bundled and shown without doing harm."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vault import names
from vault.errors import UnsafeName
from vault.names import SafePath, bag_name, is_bag_name, json_safe, printable

ANY_NAME = st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))

VISIBLE_FORMAT = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Signs of category Cf that are drawn: Arabic and Kaithi number signs, the end of an ayah."""


def _dangerous(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in VISIBLE_FORMAT


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("Протокол допроса.pdf", "Протокол допроса.pdf"),
        ("сүрөт 👩‍👩‍👧 1.jpg", "сүрөт 👩‍👩‍👧 1.jpg"),
        ("и\u0306.txt", "й.txt"),
        ("a/b\\c:d*e?f.txt", "a_b_c_d_e_f.txt"),
        ("100%.doc", "100_.doc"),
        ("line\nbreak\r.txt", "line_break_.txt"),
        ("\x1b[31mred.txt", "_[31mred.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("LPT1 .log", "_LPT1 .log"),
        ("com².a", "_com².a"),
        ("console.txt", "console.txt"),
        ("name. . ", "name"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("", "file"),
        (" ", "file"),
    ],
)
def test_a_name_in_a_bundle_looks_as_promised(original: str, expected: str) -> None:
    assert bag_name(original.encode()) == expected


def test_bytes_that_are_no_text_become_underscores() -> None:
    assert bag_name(b"\xd0\xcf\xf0\xe8\xe2.doc") == "_____.doc"  # cp1251 for a Russian word


@given(ANY_NAME)
@example(b"CON" + b" " * 130 + b"x.txt")
@example(b"a" * 119 + b" .pdf")
@example(b"x" * 200)
@example("е".encode() * 100 + b".jpeg")
@example(b"." + b"a" * 130)
def test_every_name_becomes_a_bag_name_and_stays_one(original: bytes) -> None:
    name = bag_name(original)
    assert is_bag_name(name)
    assert bag_name(name.encode()) == name
    assert unicodedata.normalize("NFC", name) == name
    names.check_part(name.encode())
    names.check_part_for_windows(name.encode())


@given(st.text("абвгдежзийклмнопрстуфхцчшщъыьэюяңөү", min_size=70, max_size=120), st.sampled_from(["pdf", "docx"]))
def test_a_cut_name_keeps_its_extension_and_its_beginning(stem: str, extension: str) -> None:
    name = bag_name(f"{stem}.{extension}".encode())
    assert name.endswith("." + extension)
    assert stem.startswith(name.removesuffix("." + extension))
    assert len(name.encode()) >= 110


@pytest.mark.parametrize(
    "name",
    ["", ".", "a.", "a ", " a", "a%b", "a/b", "NUL", "nul.txt", "a\u202eb", "a\x00", "a\nb", "я" * 61, "a\ud800"],
)
def test_a_name_that_breaks_a_rule_is_no_bag_name(name: str) -> None:
    assert not is_bag_name(name)


@pytest.mark.parametrize(
    "path",
    [
        *(b"", b"/", b"/etc/passwd", b"..", b"../a", b"a/../b", b"a/..", b".", b"./a", b"a/./b", b"a//b", b"a/"),
        *(b"a\0b", b"a" * 256, b"/".join([b"ab"] * 1400)),
    ],
)
def test_a_path_that_could_leave_its_folder_is_refused(path: bytes) -> None:
    with pytest.raises(UnsafeName):
        SafePath.parse(path)


@given(st.binary(max_size=60))
def test_a_safe_path_keeps_its_bytes_and_stays_below(raw: bytes) -> None:
    try:
        path = SafePath.parse(raw)
    except UnsafeName:
        return
    assert bytes(path) == raw
    if os.name != "nt":
        placed = os.fsencode(path.under("/folder"))
        assert placed == b"/folder/" + raw
        assert os.path.normpath(placed) == placed


def test_the_parts_of_a_safe_path_are_checked_however_it_is_made() -> None:
    with pytest.raises(UnsafeName):
        SafePath((b"a/..", b"b"))
    with pytest.raises(UnsafeName):
        SafePath(())


def test_names_keep_their_true_bytes() -> None:
    for raw in (b"line\nbreak", b"\xff\xfe", b"a\\b", b"-rf", b"~root", b"%41"):
        assert bytes(SafePath((raw,))) == raw


@pytest.mark.parametrize(
    "part", [b"C:", b"a:b", b"a\\b", b"..\\a", b"nul", b"Aux.txt", b"a.", b"a ", b"\xff", b"a?", b"a\nb", b"com1"]
)
def test_what_windows_reads_differently_is_refused_there(part: bytes) -> None:
    with pytest.raises(UnsafeName):
        names.check_part_for_windows(part)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Кыргызстан ❤️.pdf", "Кыргызстан ❤️.pdf"),
        (b"a\nb\tc\rd", "a\\nb\\tc\\rd"),
        (b"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\u009b31m"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\u00a0", "a\\u200bb\\u00a0"),
        ("\\x1b", "\\\\x1b"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\xff"),
    ],
)
def test_a_shown_name_escapes_what_cannot_be_seen(name: bytes | str, shown: str) -> None:
    assert printable(name) == shown


@given(ANY_NAME)
def test_a_shown_name_is_one_line_without_escape_sequences(raw: bytes) -> None:
    shown = printable(raw)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(_dangerous(c) for c in shown)


@given(st.binary(max_size=30), st.binary(max_size=30))
@example(b"\xff", b"\\xff")
@example("\u0080".encode(), b"\x80")
def test_two_names_never_look_the_same(a: bytes, b: bytes) -> None:
    assert (printable(a) == printable(b)) == (a == b)


@given(st.text())
def test_json_keeps_its_meaning_when_made_safe(text: str) -> None:
    safe = json_safe(json.dumps({"n": text}, ensure_ascii=False))
    safe.encode("utf-8")
    assert json.loads(safe) == {"n": text}
    assert not any(_dangerous(c) for c in safe if c not in "\u200c\u200d")


def test_every_dangerous_category_of_this_unicode_version_is_in_the_written_list() -> None:
    missing = [
        hex(code)
        for code in range(0x110000)
        if _dangerous(chr(code)) and not names._NOT_ON_TERMINALS.match(chr(code))
    ]
    assert missing == []
