# SPDX-License-Identifier: Apache-2.0
"""Which letters the bytes of a text stand for: documents of offices in Bishkek and Tashkent, in what was used there."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.decoding import CYRILLIC, decode
from vault.errors import BadInput

TEXTS = (
    "Привет", "Акт осмотра", "СПРАВКА\r\nо доходах физического лица", "Бишкек ш.", "Иванов И.И.", "От: Петров",
    "АКТ ОСМОТРА МЕСТА ПРОИСШЕСТВИЯ", "Договор № 15 от 12.03.2020 г. между ООО «Ромашка» и ИП Иванов",
    "Кат: тинтүү эртең менен башталды", "Өкмөт үйү",
    "Съешь же ещё этих мягких французских булок", "подпись: ______ А. Ж. Асанов", "тинтуу эртен менен башталды",
    "ОсОО «Темир»: 1 200 000 сом; ответственный — Бакыт уулу",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("encoding", CYRILLIC)
def test_russian_and_kyrgyz_in_a_one_byte_encoding_are_read_and_called_a_guess(text: str, encoding: str) -> None:
    try:
        untrusted = text.encode(encoding)
    except UnicodeEncodeError:
        pytest.skip(f"{encoding} has no letters for it")
    found = decode(untrusted)
    assert found is not None
    assert (found.text, found.guessed) == (text, True)


@pytest.mark.parametrize("text", [*TEXTS, "Кат: тинтүү 07:15те башталды", "Oʻzbekiston", "plain"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_unicode_is_read_with_a_mark_and_without(text: str, encoding: str) -> None:
    found = decode(text.encode(encoding))
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize("text", ["café déjà vu, naïve élève", "Müßiggang ähnlich für Öl"])
def test_western_accents_are_not_taken_for_cyrillic(text: str) -> None:
    found = decode(text.encode("cp1252"))
    assert found is not None
    assert (found.text, found.encoding) == (text, "cp1252")


def test_whoever_knows_better_names_the_encoding() -> None:
    found = decode("Привет".encode("mac_cyrillic"), "mac-cyrillic")
    assert found is not None
    assert (found.text, found.guessed) == ("Привет", False)


@pytest.mark.parametrize("name", ["klingon", "rot13", "base64", "zip", "", "a\0b"])
def test_what_is_no_encoding_of_texts_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        decode(b"x", name)


@pytest.mark.parametrize(
    "untrusted",
    [b"\x7fELF" + bytes(100), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", os.urandom(4096), b"\xff\xfe\0\0\1\0\2\0\3\0"],
)
def test_what_is_no_text_is_none(untrusted: bytes) -> None:
    assert decode(untrusted) is None


@given(st.binary(max_size=300), st.sampled_from([None, "cp1251", "utf-16", "utf-7", "idna", "punycode"]))
def test_no_bytes_break_it(untrusted: bytes, encoding: str | None) -> None:
    """All that is ever raised is an error of ours, for an encoding that was named and does not fit."""
    try:
        found = decode(untrusted, encoding)
    except BadInput:
        assert encoding in ("idna", "punycode")
    else:
        assert found is None or isinstance(found.text, str)
