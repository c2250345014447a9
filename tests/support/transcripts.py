# SPDX-License-Identifier: Apache-2.0
"""Documents as transcripts: what stands in ``console`` blocks, run as a reader would type it.

A line that begins with a prompt is typed, at a real terminal; the lines below it must appear in what comes back, in
this order, with ``…`` for anything, however wide columns are. ``[exit code N]`` says how it ends, else with 0.
``abroad$`` and ``source$`` are other people's machines: other home folders, the same current folder. ``<!-- $ … -->``
is typed too, and not shown.
"""

from __future__ import annotations

import gettext
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pexpect
from pexpect.fdpexpect import fdspawn
from pexpect.spawnbase import SpawnBase

from tests.support import standby
from tests.support.agents import runtime_folder

BIN = Path(sys.executable).parent
PASSPHRASE = "seven words that were made up for this"
ANOTHER = "seven more of them, for somebody else"

LOCALE = Path(__file__).resolve().parents[2] / "vault" / "locale"
QUESTIONS = (
    "New passphrase (press Enter and one is made for you): ",
    "The same once more: ",
    "Passphrase: ",
    "Did they read exactly these words to you, by voice?",
)
SIZE = (50, 400)
"""Rows and columns of the terminal."""
YES = {"en": "y", "ru": "д", "ky": "о", "uz": "h"}
PROMPT = re.compile(r"(?:(\w+)\$|\$) (.+)")
UNSEEN = re.compile(r"^<!-- ((?:\w+)?\$ .+) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """Whose machine, what is typed, and the lines that must come back."""

    machine: str
    command: str
    expected: tuple[str, ...]

    @property
    def code(self) -> int:
        """The exit code that the document promises."""
        return next((int(m[1]) for line in self.expected if (m := re.fullmatch(r"\[exit code (\d+)\]", line))), 0)

    @property
    def pieces(self) -> list[str]:
        """What must come back, in this order."""
        lines = [_narrow(line) for line in self.expected if not line.startswith("[exit")]
        return [piece for line in lines for piece in line.split("…") if piece]


def _narrow(text: str) -> str:
    """A text whose columns are one space apart: how wide a table is depends on what is in it."""
    return re.sub(" {2,}", " ", text)


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def examples(text: str) -> list[Example]:
    """What a document has its reader type, with what is typed unseen, in the order in which it stands there."""
    found: list[Example] = []
    for line in "".join(blocks(UNSEEN.sub(r"```console\n\1\n```", text), "console")).splitlines():
        if match := PROMPT.fullmatch(line):
            found.append(Example(match[1] or "here", match[2], ()))
        else:
            last = found.pop()
            found.append(Example(last.machine, last.command, (*last.expected, line)))
    return found


def answers(language: str, *, to_somebody_new: bool) -> dict[str, str]:
    """What to type at each question, by what it looks like in a language."""
    said = gettext.translation("sandyk", LOCALE, [language], fallback=True).gettext
    *passphrases, words = (re.escape(said(question)) for question in QUESTIONS)
    new, again, old = passphrases
    chosen = ANOTHER if to_somebody_new else PASSPHRASE
    return {new: chosen, again: chosen, old: PASSPHRASE, words + r" \[.*\] ": YES[language]}


def environment(home: Path) -> dict[str, str]:
    """A fresh machine with nothing but the program."""
    home.mkdir(exist_ok=True)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb", "COLUMNS": "200"}


def type_in(command: str, folder: Path, home: Path, language: str = "en", **runtime: str) -> tuple[str, int]:
    """Run a line at a terminal, answer what it asks, and give what it printed and its exit code."""
    around = {**environment(home), "SANDYK_LANG": language, **runtime}
    typed = answers(language, to_somebody_new=" journalist add " in command)
    # What a shell would only split into words and hand on.
    words = [] if re.search(r"""[^\w\s"./:-]""", command) else shlex.split(command)
    if words[:1] == ["sandyk"] and standby.can_be_forked([str(standby.SCRIPT), *words[1:]], around):
        output, code = _converse_with_a_fork(words[1:], folder, around, typed)
    else:
        child = pexpect.spawn(
            "/bin/sh", ["-c", command], cwd=str(folder), env=around, encoding="utf-8", timeout=60, dimensions=SIZE,
        )  # fmt: skip
        output = _converse(child, typed)
        child.close()
        code = child.exitstatus or 0
    return output.replace("\r\n", "\n"), code


def _converse_with_a_fork(
    words: list[str], folder: Path, around: dict[str, str], typed: dict[str, str]
) -> tuple[str, int]:  # fmt: skip
    screen, ended = standby.start_at_a_terminal([str(standby.SCRIPT), *words], SIZE, env=around, cwd=folder)
    child = fdspawn(screen, encoding="utf-8", timeout=60)
    output = _converse(child, typed)
    child.close()
    return output, standby.exit_code(ended)


def _converse(child: SpawnBase, typed: dict[str, str]) -> str:
    """Answer what is asked until the end; all that was said."""
    output, prompts = "", list(typed)
    while (which := child.expect([*prompts, pexpect.EOF])) < len(prompts):
        output += child.before or ""
        child.sendline(typed[prompts[which]])
    return output + (child.before or "")


def play(text: str, folder: Path, language: str = "en") -> int:
    """Type everything that a document has its reader type, and compare. Gives how many lines that were."""
    played = examples(text)
    with runtime_folder() as runtime:
        for example in played:
            home = folder / f"home-{example.machine}"
            output, code = type_in(example.command, folder, home, language, XDG_RUNTIME_DIR=str(runtime))
            assert code == example.code, f"{example.command}: {output}"
            at, output = 0, _narrow(output)
            for piece in example.pieces:
                at = output.find(piece, at)
                assert at >= 0, f"{example.command!r} does not say {piece!r} in this place: {output}"
                at += len(piece)
    return len(played)
