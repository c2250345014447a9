# SPDX-License-Identifier: Apache-2.0
"""Words for passphrases in Kyrgyz, Russian and Uzbek: what the lists are made of, and that what they make opens."""

from __future__ import annotations

import math
import re
import unicodedata
from importlib import resources
from pathlib import Path

import pexpect
import pytest

from keys import words
from keys.errors import WeakPassphrase
from keys.words import generate_passphrase, normalise, normalise_new
from tests.support.commands import SCRIPT, Desk

ON_THE_KEYBOARD = {"ky": "[а-я]", "ru": "[а-я]", "uz": "[a-z]"}
"""[а-я] is without ё, ң, ө and ү: the letters of the plain Russian keyboard."""


@pytest.fixture(params=sorted(ON_THE_KEYBOARD))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_list_has_1296_words_of_three_to_eight_letters_that_the_keyboard_has(language: str) -> None:
    listed = words._list(language)
    assert len(listed) == len(set(listed)) == words.SHORT_WORDS == 6**4
    assert all(re.fullmatch(ON_THE_KEYBOARD[language] + "{3,8}", word) for word in listed)
    assert list(listed) == sorted(listed)


def test_no_two_words_begin_with_the_same_four_letters_or_differ_by_one(language: str) -> None:
    listed = words._list(language)
    assert len({word[:4] for word in listed}) == len(listed)
    # Two words are one letter apart exactly when they are alike with one place left out of one of them or of both.
    seen: dict[tuple[int, int, str], str] = {}
    known = set(listed)
    for word in listed:
        for place in range(len(word)):
            short = word[:place] + word[place + 1 :]
            assert short not in known, f"{word}, {short}"
            other = seen.setdefault((len(word), place, short), word)
            assert other == word, f"{word}, {other}"


def test_a_list_says_whose_it_is_and_that_a_native_reader_should_look(language: str) -> None:
    text = resources.files("keys").joinpath("data", words.LIST_OF[language]).read_text("utf-8")
    assert "Apache-2.0" in text and "taken from no other list" in text and "native reader" in text


def test_a_passphrase_in_any_language_is_worth_as_much_as_seven_english_words() -> None:
    english = words.LEAST_WORDS * math.log2(words.WORDS)
    assert words.LEAST_SHORT_WORDS * math.log2(words.SHORT_WORDS) >= english > 90


def test_a_passphrase_is_nine_words_of_the_list_and_never_the_same(language: str) -> None:
    made = [generate_passphrase(language=language).expose().decode() for _ in range(50)]
    assert len(set(made)) == 50
    assert all(len(p.split(" ")) == 9 and set(p.split(" ")) <= set(words._list(language)) for p in made)
    with pytest.raises(WeakPassphrase):
        generate_passphrase(8, language)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_passphrase_is_the_same_however_a_keyboard_composes_its_letters(language: str, form: str) -> None:
    """Windows sends й in one piece, macOS may send it in two; only the letters count."""
    text = "йод " + generate_passphrase(language=language).expose().decode()
    typed = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert normalise(typed) == normalise_new(text)


@pytest.fixture
def newcomer(tmp_path: Path) -> Desk:
    """Somebody who has no vault yet."""
    for name in ("tmp", "run"):
        (tmp_path / "home" / name).mkdir(parents=True)
    return Desk(tmp_path / "home", tmp_path / "home" / "vault", tmp_path / "passphrase")


def made_at_a_terminal(at: Desk, *more: str) -> str:
    """What ``init`` shows when Enter is pressed instead of a passphrase. It is typed once more, as it must be."""
    command = [str(SCRIPT), "init", "--name", "Kanykei", "--vault", str(at.vault), *more]
    child = pexpect.spawn(
        command[0], command[1:], env=at.environment(), cwd=str(at.home), timeout=60, encoding="utf-8", echo=False,
        dimensions=(50, 200),
    )  # fmt: skip
    try:
        child.expect(r"[^\r\n]+: $")
        child.sendline("")
        child.expect(r"\r\n    ([^\r\n]+)\r\n\r\n")
        passphrase = str(child.match.group(1))
        child.expect(r": $")
        child.sendline(passphrase)
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    return passphrase


def test_a_passphrase_that_was_made_in_a_language_opens_the_vault(newcomer: Desk, language: str) -> None:
    passphrase = made_at_a_terminal(newcomer, "--lang", language)
    assert set(passphrase.split()) <= set(words._list(language)) and len(passphrase.split()) == 9
    newcomer.passphrase.write_text(unicodedata.normalize("NFD", passphrase) + "\n", "utf-8")
    assert newcomer.run("list").code == 0


def test_the_language_of_the_words_can_be_another_than_the_one_spoken(newcomer: Desk) -> None:
    passphrase = made_at_a_terminal(newcomer, "--lang", "ky", "--words", "en")
    assert set(passphrase.split()) <= set(words._list()) and len(passphrase.split()) == 7
