# SPDX-License-Identifier: Apache-2.0
"""Keys as text: BIP 173 without its limit on length, one spelling per value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import bech32
from keys.errors import MalformedAge

PREFIXES = st.sampled_from(["age", "age1pq", "AGE-SECRET-KEY-", "AGE-SECRET-KEY-PQ-"])
CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@pytest.mark.parametrize(
    ("prefix", "data", "text"),
    [
        ("A", b"", "A12UEL5L"),
        ("a", b"", "a12uel5l"),
        (
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
            b"",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        ),
        (
            "abcdef",
            bytes.fromhex("00443214c74254b635cf84653a56d7c675be77df"),
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        ),
    ],
)
def test_the_examples_of_bip_173(prefix: str, data: bytes, text: str) -> None:
    """The valid strings of BIP 173 whose data are whole bytes."""
    assert bech32.encode(prefix, data) == text
    assert bech32.decode(prefix, text) == data


@given(PREFIXES, st.binary(max_size=1300))
def test_decoding_undoes_encoding(prefix: str, data: bytes) -> None:
    """Any bytes survive, at any length up to the longest key."""
    text = bech32.encode(prefix, data)
    assert bech32.decode(prefix, text) == data
    assert bech32.prefix_of(text) == prefix


@given(PREFIXES, st.binary(min_size=1, max_size=40), st.data())
def test_one_changed_letter_is_refused(prefix: str, data: bytes, draw: st.DataObject) -> None:
    """The checksum notices every single typing error, also one of case."""
    text = bech32.encode(prefix, data)
    place = draw.draw(st.integers(0, len(text) - 1))
    letter = draw.draw(st.characters(max_codepoint=0x7F).filter(lambda c: c != text[place]))
    with pytest.raises(MalformedAge):
        bech32.decode(prefix, text[:place] + letter + text[place + 1 :])


@given(PREFIXES, st.text(CHARACTERS, max_size=60))
def test_whatever_decodes_encodes_back(prefix: str, body: str) -> None:
    """No second spelling passes: a body gets a right checksum, and is refused or has whole bytes."""
    text = _with_checksum(prefix, body)
    try:
        data = bech32.decode(prefix, text)
    except MalformedAge:
        spare = len(body) * 5 % 8
        assert spare >= 5 or CHARACTERS.index(body[-1]) & ((1 << spare) - 1)
    else:
        assert bech32.encode(prefix, data) == text


def test_the_other_case_is_refused() -> None:
    """A recipient in capitals and an identity in small letters are not what age writes."""
    with pytest.raises(MalformedAge):
        bech32.decode("age", bech32.encode("age", bytes(32)).upper())
    with pytest.raises(MalformedAge):
        bech32.decode("AGE-SECRET-KEY-", bech32.encode("AGE-SECRET-KEY-", bytes(32)).lower())


@pytest.mark.parametrize(
    "text", ["", "1", "age", "age1", "age1qqqqq", "age1q\N{CYRILLIC SMALL LETTER ER}zry9", "q" * 5000]
)
def test_texts_that_are_no_keys_are_refused(text: str) -> None:
    """Too short, too long, of other letters: our error, never another."""
    with pytest.raises(MalformedAge):
        bech32.decode("age", text)


def _with_checksum(prefix: str, body: str) -> str:
    """The body with the checksum of BIP 173, computed as its reference code does."""
    values = [CHARACTERS.index(c) for c in body]
    codes = [ord(c) for c in prefix.lower()]
    checksum = 1
    for value in [*(c >> 5 for c in codes), 0, *(c & 31 for c in codes), *values, 0, 0, 0, 0, 0, 0]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for i, g in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            checksum ^= g if top >> i & 1 else 0
    checksum ^= 1
    text = f"{prefix.lower()}1{body}" + "".join(CHARACTERS[checksum >> 5 * (5 - i) & 31] for i in range(6))
    return text.upper() if prefix.isupper() else text
