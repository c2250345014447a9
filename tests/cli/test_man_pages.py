# SPDX-License-Identifier: Apache-2.0
"""docs/man: the pages are those of the program as it is, and the programs that show them find nothing wrong."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.cli_docs import commands
from tests.support.tools import need
from tools import make_man

PAGES = sorted(make_man.FOLDER.glob("*.1"))
ROOT = Path(__file__).resolve().parents[2]


def shown(page: Path) -> str:
    """A page as a terminal of 80 columns shows it, on one line."""
    run = subprocess.run([need("mandoc"), "-Tutf8", "-O", "width=78", page], capture_output=True, check=True)
    return " ".join(subprocess.run([need("col"), "-b"], input=run.stdout, capture_output=True, check=True)
                    .stdout.decode().split())  # fmt: skip


def test_the_pages_are_what_the_program_says_now() -> None:
    """`make docs` writes them anew."""
    run = subprocess.run(
        [sys.executable, "-c", "from tools import make_man as m; print(*[p.name for p in m.stale(m.made_now())])"],
        capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert run.stdout.decode().split() == []


def test_each_command_has_a_page() -> None:
    first = {f"sandyk-{command.split()[1]}.1" for command in commands()[1:]}
    assert {page.name for page in PAGES} == first | {"sandyk.1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_wrong(page: Path) -> None:
    run = subprocess.run([need("mandoc"), "-Tlint", "-W", "style", page], capture_output=True)
    assert (run.stdout, run.stderr, run.returncode) == (b"", b"", 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_groff_warns_of_nothing(page: Path) -> None:
    run = subprocess.run([need("groff"), "-man", "-ww", "-Tutf8", "-z", page], capture_output=True)
    assert (run.stderr, run.returncode) == (b"", 0)


def test_man_shows_a_page() -> None:
    run = subprocess.run([need("man"), "--warnings", "-l", make_man.FOLDER / "sandyk-export.1"], capture_output=True,
                         check=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})  # fmt: skip
    assert run.stderr == b""
    assert b"sandyk-export - seal documents of a case for people" in run.stdout


def test_what_is_typed_is_shown_as_it_is_typed() -> None:
    """A hyphen stays the one of the keyboard, and a quotation mark is not bent."""
    text = shown(make_man.FOLDER / "sandyk-key.1")
    assert "--passphrase-file FILE" in text and "-o, --output FOLDER" in text
    assert "sandyk key recover [OPTIONS] [SHARE]..." in text
    assert "first line; - for standard input" in text


def test_every_command_s_sentences_are_in_its_page() -> None:
    from typer.main import get_command

    from vault.cli.app import app
    from vault.cli.tree import command_tree

    for command in command_tree(get_command(app)).walk():
        if command.path:
            text = shown(make_man.FOLDER / f"sandyk-{command.path[0]}.1")
            for option in command.options:
                assert all(name in text for name in option.names), (command.path, option.names)
            assert " ".join(command.help.split()) in text, command.path


def test_the_wheel_brings_the_pages_to_where_man_looks(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", tmp_path, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "/data/share/man/man1/" in name}
    assert names == {page.name for page in PAGES}
