# SPDX-License-Identifier: Apache-2.0
"""docs/guide: what its pages have people type works, and all languages have the same pages with the same commands."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from keys.primitives import FLOOR
from keys.secret import Secret
from tests.support.telling_documents import picture
from tests.support.transcripts import PASSPHRASE, examples, play
from vault.disk import Disk
from vault.founding import found

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
LANGUAGES = ("en", "ru", "ky", "uz")
SPOKEN = LANGUAGES
"""In which languages the answers stand on the pages, as the program gives them."""
PAGES = sorted(page.name for page in (GUIDE / "en").glob("*.md"))

HERE = """
$ sandyk case new Naryn
$ sandyk add Naryn documents
"""
MET = """
$ sandyk card export -o bermet.card
abroad$ sandyk card export -o aizada.card
$ sandyk contact add Aizada aizada.card
$ sandyk contact verify Aizada
abroad$ sandyk contact add Bermet bermet.card
abroad$ sandyk contact verify Bermet
"""
SAFE = """
$ sandyk export Naryn -o for-aizada.age --to Aizada
abroad$ sandyk open for-aizada.age -o opened --receipt receipt.age
$ sandyk receipt take receipt.age
abroad$ sandyk case new Naryn
abroad$ sandyk open for-aizada.age --into Naryn
"""
STAGES = {"nothing": "", "here": HERE, "both": "", "met": MET, "safe": SAFE}
"""What was done before a page begins; each stage goes on from the one before it."""

BEGINS = {
    "first-day.md": "nothing",
    "raid-card.md": "nothing",
    "editor-abroad.md": "here",
    "filing.md": "here",
    "finding.md": "here",
    "words-by-voice.md": "both",
    "exporting.md": "met",
    "before-a-search.md": "safe",
    "after-a-search.md": "safe",
}
"""From which stage a page with commands to run goes on."""

needs_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="types at a Unix terminal")


def _vault(home: Path, label: str) -> None:
    """A vault where the program looks for one, made as `init` makes it but for the cost of a try."""
    folder = home / ".local" / "share" / "sandyk"
    folder.parent.mkdir(parents=True)
    found(str(folder), Secret(PASSPHRASE.encode()), None, disk=Disk(), label=label, now_ns=1, cost=FLOOR)


def _papers(folder: Path) -> None:
    for name in ("documents/letter.txt", "documents/тизме.csv", "papers/minutes.txt", "letter.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("from the ministry of roads\n" if name == "documents/letter.txt" else f"{name}\n")
    (folder / "photos").mkdir()
    for name in ("photos/bridge.png", "photo.png"):
        (folder / name).write_bytes(picture("PNG"))
    (folder / "STICK").mkdir()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each stage a folder with the machines' homes in it."""
    made: dict[str, Path] = {}
    before = None
    for name, commands in STAGES.items():
        folder = tmp_path_factory.mktemp("stages") / name
        if before is None:
            folder.mkdir()
            _papers(folder)
        else:
            shutil.copytree(before, folder, symlinks=True)
        if name == "here":
            _vault(folder / "home-here", "Bermet")
        if name == "both":
            _vault(folder / "home-abroad", "Aizada")
        play(f"```console\n{commands.strip()}\n```\n" if commands else "", folder)
        made[name] = before = folder
    return made


def _text(language: str, page: str) -> str:
    return (GUIDE / language / page).read_text("utf-8")


@needs_a_terminal
@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("page", sorted(BEGINS))
def test_what_a_page_has_people_type_does_what_it_says(
    page: str, language: str, stages: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(stages[BEGINS[page]], tmp_path / "desk", symlinks=True)
    assert play(_text(language, page), folder, language) > 0


def test_every_page_with_commands_to_run_is_run() -> None:
    assert {page for page in PAGES if examples(_text("en", page))} == set(BEGINS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_pages(language: str) -> None:
    assert sorted(page.name for page in (GUIDE / language).iterdir()) == PAGES


def _typed(language: str, page: str) -> list[tuple[str, str]]:
    """The commands of a page, without what is told of documents in one's own words, and which language a card is in."""
    return [
        (each.machine, re.sub(r"--lang \w+", "--lang", re.sub(r'"[^"]*"', '""', each.command)))
        for each in examples(_text(language, page))
    ]


def _indented(language: str, page: str) -> list[str]:
    """The first two words of each line that is to be typed and is not run here, but for what is told in own words."""
    lines = re.findall(r"^    (\S.*)$", re.sub(r"^```.*?^```$", "", _text(language, page), flags=re.M | re.S), re.M)
    return [" ".join(line.split()[:2]) for line in lines if not re.match(r"note: |source: ", line)]


def _commands_named(language: str, page: str) -> set[str]:
    """What stands between backquotes and begins with the program's name."""
    return set(re.findall(r"`(sandyk [^`]+)`", " ".join(_text(language, page).split())))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_headings_and_commands(language: str, page: str) -> None:
    levels = [re.findall(r"^(#+) ", _text(each, page), re.MULTILINE) for each in ("en", language)]
    assert levels[0] == levels[1]
    assert _typed("en", page) == _typed(language, page)
    assert _indented("en", page) == _indented(language, page)
    assert _commands_named("en", page) == _commands_named(language, page)


@pytest.mark.parametrize("page", ["README.md", *(f"{each}/{page}" for each in LANGUAGES for page in PAGES)])
def test_every_link_leads_somewhere(page: str) -> None:
    """The English page may be meant where there is no translation; the reader's own language comes first."""
    here = GUIDE / page
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", here.read_text("utf-8")):
        assert (here.parent / target).exists(), target
