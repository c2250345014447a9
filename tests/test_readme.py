# SPDX-License-Identifier: Apache-2.0
"""Every example of README.md, run as a reader would type it, with the real command at a real terminal.

A line that begins with a prompt is typed; the lines below it must appear in what comes back, in this order, with ``…``
for anything. ``abroad$`` and ``source$`` are other people's machines: other home folders, the same current folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from keys import age
from tests.support.tools import need

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BIN = Path(sys.executable).parent
PASSPHRASE = "seven words that were made up for this"

ANSWERS = {
    r"New passphrase \(.*\): ": PASSPHRASE,
    r"The same once more: ": PASSPHRASE,
    r"Passphrase: ": PASSPHRASE,
    r"Did they read exactly these words to you, by voice\? \[y/N\] ": "y",
}
PROMPT = re.compile(r"(?:(\w+)\$|\$) (.+)")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="types at a Unix terminal")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str, list[str]]]:
    """Whose machine, what is typed, what must come back."""
    found: list[tuple[str, str, list[str]]] = []
    for line in "".join(blocks("console")).splitlines():
        if match := PROMPT.fullmatch(line):
            found.append((match[1] or "here", match[2], []))
        else:
            found[-1][2].append(line)
    return found


def environment(home: Path) -> dict[str, str]:
    """A fresh machine with nothing but the program."""
    home.mkdir(exist_ok=True)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb", "COLUMNS": "200"}


def type_in(command: str, folder: Path, home: Path) -> tuple[str, int]:
    """Run a line in a shell, answer what it asks, and give what it printed and its exit code."""
    child = pexpect.spawn(
        "/bin/sh", ["-c", command], cwd=str(folder), env=environment(home), encoding="utf-8", timeout=60,
        dimensions=(50, 400),
    )  # fmt: skip
    output, prompts = "", list(ANSWERS)
    while (which := child.expect([*prompts, pexpect.EOF])) < len(prompts):
        output += child.before or ""
        child.sendline(ANSWERS[prompts[which]])
    output += child.before or ""
    child.close()
    return output.replace("\r\n", "\n"), child.exitstatus or 0


def documents_in(folder: Path) -> None:
    (folder / "documents").mkdir()
    (folder / "documents" / "letter.txt").write_text("from the ministry\n")
    (folder / "documents" / "тизме.csv").write_text("1,2\n")
    (folder / "photo.jpg").write_bytes(bytes(range(256)))


def test_every_example_does_what_the_readme_says(tmp_path: Path) -> None:
    documents_in(tmp_path)
    assert len(examples()) > 20
    for machine, command, expected in examples():
        output, code = type_in(command, tmp_path, tmp_path / f"home-{machine}")
        wanted = next((int(m[1]) for line in expected if (m := re.fullmatch(r"\[exit code (\d+)\]", line))), 0)
        assert code == wanted, f"{command}: {output}"
        at = 0
        for piece in [p for line in expected if not line.startswith("[exit") for p in line.split("…") if p]:
            at = output.find(piece, at)
            assert at >= 0, f"{command!r} does not say {piece!r} in this place: {output}"
            at += len(piece)


def test_the_first_day_has_the_ten_commands_that_it_promises() -> None:
    (day,) = [block for block in blocks("console") if "$ sandyk init --name Bermet" in block]
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
    (commands,) = blocks("stock")
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
