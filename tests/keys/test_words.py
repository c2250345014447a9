# SPDX-License-Identifier: Apache-2.0
"""Passphrases and fingerprints in words."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import words
from keys.errors import Malformed, WeakPassphrase
from keys.words import fingerprint_words, generate_passphrase, normalise, normalise_new


def test_the_list_has_7776_different_lower_case_words() -> None:
    listed = words._list()
    assert len(listed) == len(set(listed)) == 7776 == words.WORDS
    assert all(re.fullmatch("[a-z]+(-[a-z]+)?", word) for word in listed)
    assert (listed[0], listed[-1]) == ("abacus", "zoom")


def test_the_list_names_its_author_and_licence() -> None:
    from importlib import resources

    text = resources.files("keys").joinpath("data/eff_large_wordlist.txt").read_text("ascii")
    assert "Electronic Frontier Foundation" in text and "creativecommons.org/licenses/by/3.0/us/" in text


def test_a_generated_passphrase_is_seven_words_of_the_list_and_never_the_same() -> None:
    made = [generate_passphrase().expose().decode() for _ in range(50)]
    assert len(set(made)) == 50
    assert all(len(p.split(" ")) == 7 and set(p.split(" ")) <= set(words._list()) for p in made)


def test_a_generated_passphrase_survives_being_typed() -> None:
    made = generate_passphrase(9)
    assert normalise_new("  " + made.expose().decode().replace(" ", "  ") + "\n") == made


@pytest.mark.parametrize("count", [6, 1, 0, -1])
def test_fewer_than_seven_words_are_refused(count: int) -> None:
    with pytest.raises(WeakPassphrase):
        generate_passphrase(count)


@given(st.binary(min_size=32, max_size=32))
def test_ten_words_are_the_digest_modulo_7776_to_the_tenth(digest: bytes) -> None:
    number = 0
    for word in fingerprint_words(digest):
        number = number * 7776 + words._list().index(word)
    assert len(fingerprint_words(digest)) == 10
    assert number == int.from_bytes(digest, "big") % 7776**10


def test_fingerprint_words_of_known_digests() -> None:
    assert fingerprint_words(bytes(32)) == ("abacus",) * 10
    assert fingerprint_words(bytes(31) + b"\x01") == ("abacus",) * 9 + ("abdomen",)


def test_a_digest_of_another_size_has_no_words() -> None:
    with pytest.raises(ValueError, match="32-byte"):
        fingerprint_words(bytes(31))


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: t.split()))
def test_normalising_is_stable_and_deaf_to_composition(typed: str) -> None:
    once = normalise(typed)
    assert normalise(once.expose().decode()) == once
    assert normalise(unicodedata.normalize("NFD", typed)) == once


def test_a_passphrase_in_kyrgyz_is_the_same_composed_or_not() -> None:
    assert normalise("Ё ү ң й") == normalise(" Ё\tү ң  й \r\n")


def test_eleven_characters_are_refused_for_a_new_passphrase_but_still_tried_on_an_old_vault() -> None:
    with pytest.raises(WeakPassphrase):
        normalise_new("elevenchars")
    assert normalise("elevenchars").expose() == b"elevenchars"
    assert normalise_new("twelve chars").expose() == b"twelve chars"


def test_white_space_does_not_lengthen_a_new_passphrase() -> None:
    with pytest.raises(WeakPassphrase):
        normalise_new("a b" + " " * 30)


@pytest.mark.parametrize("typed", ["", " \t\u00a0\u2003"])
def test_an_empty_passphrase_is_refused(typed: str) -> None:
    with pytest.raises(WeakPassphrase):
        normalise(typed)


def test_bytes_that_are_not_text_are_refused_without_quoting_them() -> None:
    with pytest.raises(Malformed) as caught:
        normalise("correct horse \udcff battery")
    assert "horse" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
