# SPDX-License-Identifier: Apache-2.0
"""The raid card, and the rehearsal of a person."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tools import need
from vault.raidcard import LANGUAGES, pdf, text
from vault.rehearsal import Score, rehearse


class Person:
    """Somebody who types lines, one each time they are asked, a second apart."""

    def __init__(self, *lines: str) -> None:
        self.lines, self.time, self.seen = list(lines), 0.0, []

    def ask(self, prompt: str) -> str:
        self.time += 1.0
        return self.lines.pop(0)

    def rehearse(self, folder: Path) -> Score:
        return rehearse(
            str(folder / "vault"), ask=self.ask, say=self.seen.append, wait=lambda seconds: None,
            clock=lambda: self.time,
        )  # fmt: skip


def test_the_clock_stops_when_the_right_command_was_typed_and_counts_mistakes(tmp_path: Path) -> None:
    score = Person("sandyk panick", "panic", "sandyk panic --now").rehearse(tmp_path)
    assert (score.typed, score.safe, score.mistakes) == (3.0, 3.0, 2)


@pytest.mark.parametrize(
    "line", ["", "panic", "sandyk", "sandyk panic --drill", "sandyk panic --help", "sandyk panic now", "sudo panic"]
)
def test_what_would_not_have_wiped_the_vault_does_not_stop_the_clock(tmp_path: Path, line: str) -> None:
    assert Person(line, "sandyk panic").rehearse(tmp_path).mistakes == 1


def test_a_rehearsal_leaves_nothing_behind_and_touches_no_vault(tmp_path: Path) -> None:
    real = tmp_path / "vault"
    real.mkdir()
    (real / "VAULT").write_text("mine")
    Person("sandyk panic").rehearse(tmp_path)
    assert os.listdir(tmp_path) == ["vault"]
    assert (real / "VAULT").read_text() == "mine"


def test_a_rehearsal_that_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        Person("wrong").rehearse(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_score_is_worse_the_longer_it_took() -> None:
    verdicts = [Score(seconds, seconds, 0).verdict for seconds in (1, 5, 20)]
    assert len(set(verdicts)) == 3
    assert "slow" in verdicts[2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_printed_card_says_what_the_text_says_on_one_page(language: str, tmp_path: Path) -> None:
    tool = need("pdftotext")
    (tmp_path / "card.pdf").write_bytes(pdf(language))
    pages = subprocess.run([tool, "-layout", tmp_path / "card.pdf", "-"], capture_output=True, check=True).stdout
    assert pages.count(b"\f") == 1
    words = re.findall(r"\w+", text(language))
    assert re.findall(r"\w+", pages.decode()) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_names_the_command_and_the_words_to_wait_for(language: str) -> None:
    assert "sandyk panic" in text(language)
    assert text(language).count("KEYS GONE") >= 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_prints_the_card_in_the_language_that_is_asked_for(language: str) -> None:
    command = [sys.executable, "-m", "vault", "card", "raid", "--lang", language]
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == text(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_shows_the_card_in_its_own_language(language: str) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guide" / language / "raid-card.md"
    assert text(language) in guide.read_text("utf-8")
