# SPDX-License-Identifier: Apache-2.0
"""Every example of README.md, run as a reader would type it, with the real command at a real terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from keys import age
from tests.support.tools import need
from tests.support.transcripts import blocks, environment, play, type_in

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="types at a Unix terminal")


def documents_in(folder: Path) -> None:
    (folder / "documents").mkdir()
    (folder / "documents" / "letter.txt").write_text("from the ministry\n")
    (folder / "documents" / "тизме.csv").write_text("1,2\n")
    (folder / "photo.jpg").write_bytes(bytes(range(256)))


def test_every_example_does_what_the_readme_says(tmp_path: Path) -> None:
    documents_in(tmp_path)
    assert play(README, tmp_path) > 20


def test_the_first_day_has_the_ten_commands_that_it_promises() -> None:
    (day,) = [block for block in blocks(README, "console") if "$ sandyk init --name Bermet" in block]
    assert len(re.findall(r"^\$ sandyk ", day, re.MULTILINE)) == 10


def test_an_editor_opens_a_bundle_with_the_stock_commands_of_the_readme(tmp_path: Path) -> None:
    """Where age is older than 1.3, and knows no post-quantum keys, this program stands in for the first command."""
    for tool in ("tar", "sha256sum"):
        need(tool)
    documents_in(tmp_path)
    here, key = tmp_path / "home-here", age.HybridIdentity.generate()
    (tmp_path / "key.txt").write_bytes(key.encode().expose() + b"\n")
    for command in (
        "sandyk init",
        'sandyk case new "road works"',
        'sandyk add "road works" documents',
        f'sandyk export "road works" -o bundle.age --recipient {key.recipient}',
    ):
        output, code = type_in(command, tmp_path, here)
        assert code == 0, output
    (commands,) = blocks(README, "stock")
    first, rest = commands.split("\n", 1)
    assert first == "age -d -i key.txt -o bundle.tar bundle.age"
    if not _stock_age_opens(first, tmp_path):
        (tmp_path / "bundle.tar").write_bytes(age.unseal((tmp_path / "bundle.age").read_bytes(), [key], limit=1 << 30))
    done = subprocess.run(
        ["/bin/sh", "-ec", rest], cwd=tmp_path, env=environment(here), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK\n") >= 10
    assert len([line for line in done.stdout.splitlines() if line.startswith("data/")]) == 2
    output, code = type_in("sandyk open bundle.age -o opened --identity key.txt", tmp_path, here)
    assert code == 13, "whole, but nobody vouches for the sender: " + output
    assert (next((tmp_path / "opened").glob("bundle-*")) / "data" / "0001" / "letter.txt").is_file()


def _stock_age_opens(command: str, folder: Path) -> bool:
    return not subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, check=False).returncode


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
