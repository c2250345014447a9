# SPDX-License-Identifier: Apache-2.0
"""Help, complaints and tables in each language, as they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from keys.words import generate_passphrase
from tests.support import standby
from tests.support.cli_docs import commands
from tests.support.commands import SCRIPT, Desk, one
from tests.words.test_catalogues import texts
from tools import words
from vault.cli.help import COMPLAINTS, OF_TYPER
from vault.cli.session import table
from vault.overheard import KINDS, REASONS, recognised
from vault.terminal import means_yes

__all__ = ["one"]

LANGUAGES = words.LANGUAGES


def run(*arguments: str, cwd: str = "/", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command on a terminal of 80 columns that is none."""
    around = {"PATH": os.environ["PATH"], "HOME": cwd, "COLUMNS": "80", "PYTHONUTF8": "1", **environment}
    return standby.run_for_text([str(SCRIPT), *arguments], env=around, cwd=Path(cwd))


EVERY_HELP = """
import contextlib, io, json, os, sys
os.environ["COLUMNS"] = "80"
from vault import language, panic
language.speak(sys.argv[1])
from typer.main import get_command
from vault.cli.app import app
run, shown = get_command(app), {}
for command in sys.argv[2:]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run([*command.split()[1:], "--help"], prog_name="sandyk", standalone_mode=False)
    shown[command] = out.getvalue()
print(json.dumps(shown))
"""
"""All of them in one process: what the console script does for each of them, without starting it each time."""


@cache
def every_help(language: str) -> dict[str, str]:
    """What each command prints for ``--help``; but ``panic``, which prints its own."""
    asked = [command for command in commands() if command != "sandyk panic"]
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP, language, *asked], capture_output=True, text=True, encoding="utf-8",
        env={"PATH": os.environ["PATH"], "HOME": "/", "COLUMNS": "80", "PYTHONUTF8": "1"}, cwd=words.ROOT, check=True,
    )  # fmt: skip
    shown: dict[str, str] = json.loads(done.stdout)
    return shown | {"sandyk panic": run("panic", "--help", "--lang", language).stdout}


def help_in(language: str, command: str) -> str:
    """What a command prints for ``--help``."""
    return every_help(language)[command]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_script_shows_the_same_help(language: str) -> None:
    for command in ("sandyk", "sandyk case grant"):
        assert run(*command.split()[1:], "--help", "--lang", language).stdout == help_in(language, command)


@cache
def english_of(language: str) -> frozenset[str]:
    """English texts of several words that have another form in the language."""
    return frozenset(
        str(m.id) for m in texts(language) if m.id != m.string and len(str(m.id).split()) > 2 and "{" not in str(m.id)
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", commands())
def test_help_has_no_english_sentence_and_keeps_to_eighty_columns(command: str, language: str) -> None:
    shown = help_in(language, command)
    joined = " ".join(shown.split())
    left = [text for text in english_of(language) if " ".join(text.split()) in joined]
    assert not left, left
    wide = [line for line in shown.splitlines() if len(line) > 80]
    assert not wide, wide


def test_the_help_of_the_wipe_keeps_to_eighty_columns_in_english_too() -> None:
    """It has no Typer to wrap it."""
    wide = [line for line in help_in("en", "sandyk panic").splitlines() if len(line) > 80]
    assert not wide, wide


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", commands())
def test_help_has_the_same_options_and_commands_in_every_language(command: str, language: str) -> None:
    def names(text: str) -> set[str]:
        text = re.sub(r"(?<=\w)-\n\s+", "-", text)  # a line may end at a hyphen
        return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*|^  [a-z-]+(?=  )", text, re.MULTILINE))

    assert names(help_in("en", command)) <= names(help_in(language, command))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "typed",
    ["add", "add --nothing", "guard --idle 0", "guard --idle x", "guard --action z", "nothing", "lst", "lisst",
     "export --volme", "init a b", "add --note", "lock --json=3"],
)  # fmt: skip
def test_what_was_not_understood_is_said_in_the_language(tmp_path: Path, typed: str, language: str) -> None:
    english, said = (run(*typed.split(), "--lang", spoken, cwd=str(tmp_path)) for spoken in ("en", language))
    assert english.returncode == said.returncode == 2
    assert english.stderr.splitlines()[0] != said.stderr.splitlines()[0], said.stderr
    assert "Value error" not in english.stderr, "that is a word of the library that checks values"
    left_over = r"\b(the|no such|did you mean|possible|missing|requires|invalid|should|not one of)\b"
    assert not re.search(left_over, said.stderr, re.IGNORECASE)


@pytest.mark.parametrize("template", COMPLAINTS)
def test_a_complaint_is_recognised_by_its_form(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.overheard.spoken", lambda: "ky")
    fields = {name: f"<{name}>" for name in re.findall(r"\{(\w+)\}", template)}
    assert recognised(template.format(**fields), COMPLAINTS).rstrip(".") == template.format(**fields).rstrip(".")


def test_what_typer_says_of_itself_is_in_the_template() -> None:
    known = {str(message.id) for message in words.gathered()}
    assert set(OF_TYPER) | set(COMPLAINTS) | set(KINDS) | set(REASONS) <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_columns_stand_below_each_other_in_any_script(language: str) -> None:
    said = {str(m.id): str(m.string) for m in texts(language)}
    rows = [(said.get(text, text), "x") for text in ("safe abroad", "on its way", "only here", "name", "came in as")]
    assert len({line.rindex("x") for line in table(rows)}) == 1
    # Each letter takes one place: nothing combines, nothing is wide.
    assert all(
        not unicodedata.combining(c) and unicodedata.east_asian_width(c) not in "WF" for cells in rows for c in cells[0]
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_listing_has_dates_and_sizes_as_the_language_writes_them(one: Desk, language: str) -> None:
    one.run("add", "Road works", one.write("a.bin", os.urandom(1536)))
    line = one.run("list", "--lang", language).out
    assert re.search(r"\b\d\d\.\d\d\.20\d\d \d\d:\d\d\b", line), line
    assert "1,5" in line and "1.5" not in line and "only here" not in line, line


SPANS = """
import sys
from vault import language
language.speak(sys.argv[1])
from vault.terminal import span_text
print("|".join(span_text(seconds) for seconds in (45, 90, 600, 7200)))
"""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "45 s|90 s|10 min|2 h"), ("ky", "45 секунд|90 секунд|10 мүнөт|2 саат"),
        ("ru", "45 с|90 с|10 мин|2 ч"), ("uz", "45 soniya|90 soniya|10 daqiqa|2 soat"),
    ],
)  # fmt: skip
def test_a_span_of_time_is_said_in_the_language(language: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPANS, language],
        capture_output=True,
        check=True,
        env={"PYTHONUTF8": "1"},
        cwd=words.ROOT,
    )
    assert done.stdout.decode() == said + "\n"


@pytest.mark.parametrize(
    ("typed", "language", "yes"),
    [
        ("y", "en", True), ("YES", "ru", True), ("да", "en", True), ("Д", "ru", True), ("ооба", "ky", True),
        ("О", "ky", True), ("ha", "uz", True), ("h", "uz", True), ("yes", "uz", True), ("y", "uz", False),
        ("yo‘q", "uz", False), ("yoq", "uz", False), ("нет", "ru", False), ("жок", "ky", False), ("", "ky", False),
        ("n", "en", False), ("yeah", "en", False), ("ooba", "ky", True), ("Da", "ru", True), ("ха", "uz", True),
        ("н", "ru", False), ("ж", "ky", False), ("йўқ", "uz", False), ("net", "ru", False), ("jok", "ky", False),
    ],
)  # fmt: skip
def test_a_yes_in_any_of_the_languages_is_a_yes(
    typed: str, language: str, yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But ``y`` in Uzbek, where it begins the word for no."""
    monkeypatch.setattr("vault.terminal.spoken", lambda: language)
    assert means_yes(typed) is yes


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_to_be_answered_with_yes_is_shown_in_the_language(language: str) -> None:
    said = {str(m.id): str(m.string) for m in texts(language)}
    shown = said["{question} [y/N] "]
    assert shown != "{question} [y/N] " and any(means_yes(word) for word in re.findall(r"[\w‘’']+", shown)[1:])


def test_the_words_that_are_compared_by_voice_are_english_in_every_language(one: Desk) -> None:
    shown = {language: one.json("card", "show", "--lang", language)["words"] for language in ("en", *LANGUAGES)}
    assert len(set(shown.values())) == 1 and shown["en"].isascii()
    assert generate_passphrase().expose().isascii()
