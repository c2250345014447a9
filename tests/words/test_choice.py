# SPDX-License-Identifier: Apache-2.0
"""Which language is spoken: who decides, that it holds for every way of saying something, and what it never breaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from tests.support import standby
from tests.support.commands import SCRIPT, Desk, one
from tests.support.fake_vault import make_fake_vault
from vault import language
from vault.language import of_the_environment, take_option

__all__ = ["one"]

NO_VAULT = {
    "en": "sandyk: there is no vault in this folder", "ky": "сандык жок", "ru": "нет сейфа", "uz": "sandiq yo‘q",
}  # fmt: skip
"""What each says of an empty folder, or a piece of it."""


def said(tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment of its own, with no vault anywhere."""
    around = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **environment}
    return standby.run_for_text([str(SCRIPT), *words], env=around, cwd=tmp_path)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ky_KG.UTF-8"}, "ky"),
        ({"LANG": "ru"}, "ru"),
        ({"LANG": "uz_UZ.UTF-8@cyrillic"}, "uz"),
        ({"LANG": "ky_KG.UTF-8", "LC_MESSAGES": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ky_KG.UTF-8", "LC_MESSAGES": "ru_RU.UTF-8", "LC_ALL": "uz_UZ"}, "uz"),
        ({"LANG": "ky_KG.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:ky:ru"}, "ky"),
        ({"LANG": "ru_RU.UTF-8", "LANGUAGE": ""}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "SANDYK_LANG": "ky"}, "ky"),
        ({"LANG": "ru_RU.UTF-8", "SANDYK_LANG": "en"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "SANDYK_LANG": "klingon"}, "ru"),
    ],
)
def test_the_first_that_is_set_decides(environment: dict[str, str], expected: str) -> None:
    assert of_the_environment(environment) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["list"], (["list"], None)),
        (["--lang", "ky", "list"], (["list"], "ky")),
        (["list", "--lang=ky", "--json"], (["list", "--json"], "ky")),
        (["list", "--lang", "ky", "--lang", "ru"], (["list"], "ru")),
        (["list", "--lang"], (["list"], "")),
        (["--lang", "panic"], (["panic"], "panic")),
        (["--lang=panic"], ([], "panic")),
        (["add", "CASE", "--", "--lang", "ky"], (["add", "CASE", "--", "--lang", "ky"], None)),
        (["--language", "ky"], (["--language", "ky"], None)),
    ],
)
def test_the_option_is_taken_out_wherever_it_stands_but_not_behind_a_double_dash(
    words: list[str], expected: tuple[list[str], str | None]
) -> None:
    assert take_option(words) == expected


@pytest.mark.parametrize("spoken", language.LANGUAGES)
def test_an_error_is_said_in_the_language_that_was_asked_for(tmp_path: Path, spoken: str) -> None:
    for words, environment in (
        (("--lang", spoken, "verify"), {"LANG": "de_DE.UTF-8"}),
        (("verify", f"--lang={spoken}"), {"SANDYK_LANG": "ru" if spoken != "ru" else "ky"}),
        (("verify",), {"SANDYK_LANG": spoken, "LANG": "ru_RU.UTF-8"}),
        (("verify",), {"LANG": f"{spoken}_XX.UTF-8"}),
    ):
        run = said(tmp_path, *words, PYTHONUTF8="1", **environment)
        assert run.returncode == 10 and NO_VAULT[spoken] in run.stderr, (words, environment, run.stderr)


def test_a_language_that_is_not_spoken_is_named_and_nothing_is_done(tmp_path: Path) -> None:
    for words in (("--lang", "xx", "init", "--name", "A"), ("init", "--name", "A", "--lang")):
        run = said(tmp_path, *words)
        assert run.returncode == 2 and "no such language" in run.stderr and "en, ky, ru or uz" in run.stderr
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variable", ["LANGUAGE", "LC_ALL", "LANG"])
@pytest.mark.parametrize("spelled", ["{folder}", "../../../../../../../../../..{folder}", "de:{folder}"])
@pytest.mark.parametrize("domain", ["messages", language.DOMAIN])
def test_a_path_in_the_place_of_a_language_brings_in_no_catalogue_of_strangers(
    tmp_path: Path, variable: str, spelled: str, domain: str
) -> None:
    foreign = Catalog()
    foreign.add("hint: {command} --help", "hint: {command.__class__}")
    folder = tmp_path / "LC_MESSAGES"
    folder.mkdir()
    with open(folder / f"{domain}.mo", "wb") as f:
        write_mo(f, foreign)
    for more, hint in ({}, "hint: sandyk --help"), ({"SANDYK_LANG": "ru"}, "подсказка: sandyk --help"):
        done = said(tmp_path, "lisst", PYTHONUTF8="1", **{variable: spelled.format(folder=tmp_path), **more})
        assert hint in done.stderr.splitlines()


@pytest.mark.parametrize("words", [("--lang", "xx"), ("--lang",), ("--lang=",)])
def test_a_slip_in_the_language_never_stops_the_emergency_wipe(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "vault"
    make_fake_vault(str(folder))
    run = said(tmp_path, "panic", "--vault", str(folder), *words)
    assert run.returncode == 0 and run.stdout.startswith("KEYS GONE") and not folder.exists()


def test_a_language_that_was_forgotten_never_stops_the_emergency_wipe(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    make_fake_vault(str(folder))
    run = said(tmp_path, "--vault", str(folder), "--lang", "panic")
    assert run.returncode == 0 and run.stdout.startswith("KEYS GONE") and not folder.exists()


@pytest.mark.parametrize("spoken", ["ky", "ru", "uz"])
def test_the_emergency_wipe_reports_in_the_language_and_begins_with_the_words_of_the_raid_card(
    tmp_path: Path, spoken: str
) -> None:
    folder = tmp_path / "vault"
    make_fake_vault(str(folder))
    run = said(tmp_path, "panic", "--lang", spoken, "--vault", str(folder), PYTHONUTF8="1")
    assert run.returncode == 0 and run.stdout.startswith("KEYS GONE") and not folder.exists()
    english = said(tmp_path, "panic", "--drill", "--lang", "en", PYTHONUTF8="1").stdout
    sentences = {line.strip(" |-") for line in english.splitlines() if " the " in line}
    left_over = {line.strip(" |-") for line in run.stdout.splitlines()} & sentences
    assert len(sentences) > 5 and not left_over


@pytest.mark.parametrize("damage", [b"", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 24])
def test_a_damaged_catalogue_stops_neither_the_emergency_wipe_nor_its_report(tmp_path: Path, damage: bytes) -> None:
    """With a copy of the program whose Kyrgyz catalogue was written over."""
    program = tmp_path / "program"
    root = Path(language.__file__).resolve().parents[1]
    for package in ("keys", "vault"):
        shutil.copytree(root / package, program / package, ignore=shutil.ignore_patterns("__pycache__"))
    (program / "vault/locale/ky/LC_MESSAGES/sandyk.mo").write_bytes(damage)
    folder = tmp_path / "vault"
    make_fake_vault(str(folder))
    run = subprocess.run(
        [sys.executable, "-m", "vault", "panic", "--lang", "ky", "--vault", str(folder)],
        capture_output=True, text=True, cwd=program, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0 and run.stdout.startswith("KEYS GONE") and not folder.exists(), run.stderr
    assert "NOT guaranteed, and why:" in run.stdout


def test_a_rehearsal_in_any_language_knows_that_the_keys_are_gone(tmp_path: Path) -> None:
    for spoken in language.LANGUAGES:
        run = said(tmp_path, "panic", "--drill", "--json", "--lang", spoken, "--vault", str(tmp_path / "vault"))
        assert run.returncode == 0 and json.loads(run.stdout)["passed"], (spoken, run.stdout, run.stderr)


def test_json_has_the_same_names_values_and_times_in_every_language(one: Desk) -> None:
    one.run("add", "Road works", one.write("a.txt"), "--tag", "bridge")
    documents = {}
    for spoken in language.LANGUAGES:
        shown = one.json("list", "--lang", spoken)
        detail = one.json("show", shown["items"][0]["id"], "--lang", spoken)
        documents[spoken] = (shown, detail, one.json("log", "--lang", spoken))
    assert all(document == documents["en"] for document in documents.values())


def test_what_is_written_is_the_same_in_every_language(one: Desk) -> None:
    """The custody record is evidence: what it says of a document does not hang on who filed it in which language."""
    for spoken in language.LANGUAGES:
        one.run("add", "Road works", one.write(f"{spoken}.txt", spoken), "--lang", spoken)
    events = one.json("log")["events"]
    assert {(event["event"], event["detail"]) for event in events if event["event"] == "filed"} == {("filed", "")}


@pytest.mark.parametrize("spoken", ["ky", "ru"])
def test_a_terminal_that_knows_no_cyrillic_gets_escapes_and_never_an_end(tmp_path: Path, spoken: str) -> None:
    run = subprocess.run(
        [SCRIPT, "--lang", spoken, "verify"], capture_output=True, stdin=subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict",
        },
    )  # fmt: skip
    assert run.returncode == 10 and run.stderr.isascii() and b"\\u0" in run.stderr and b"Traceback" not in run.stderr
