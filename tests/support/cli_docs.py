# SPDX-License-Identifier: Apache-2.0
"""Keeps docs/cli.md and the command line the same: `python -m tests.support.cli_docs` writes the help texts into it.

What stands between the markers is written by the program; everything else by hand:

    <!-- help: sandyk add -->     the text of `sandyk add --help`
    <!-- exit codes -->           the table of vault.cli.exits

A command that has no section yet gets one at the end.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

from tests.support import standby

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

_HELP = re.compile(r"<!-- help: (?P<command>[a-z ]+) -->\n```text\n(?P<text>.*?)```\n", re.DOTALL)
_CODES = re.compile(r"<!-- exit codes -->\n(?P<table>(\|.*\n)*)")
_FIELD = re.compile(r"^\| `(?P<name>[a-z0-9_.\[\]]+)` \|", re.MULTILINE)


def commands() -> list[str]:
    """Every command that can be typed, as ``sandyk case new``, the groups among them, in the order of help."""
    from typer.main import get_command

    from vault.cli.app import app

    found: list[str] = []

    def walk(command: Any, path: str) -> None:
        found.append(path)
        if hasattr(command, "commands"):
            for name in command.list_commands(None):
                walk(command.commands[name], f"{path} {name}")

    walk(get_command(app), "sandyk")
    return found


@functools.cache
def help_of(command: str) -> str:
    """What the command prints for ``--help``, at a width of 80."""
    _, *words = command.split()
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "LC_ALL": standby.UTF8, "COLUMNS": "80"}
    run = standby.run([str(standby.SCRIPT), *words, "--help"], env=environment, cwd=PAGE.parent)
    run.check_returncode()
    return run.stdout.decode()


def documented_help(page: str) -> dict[str, str]:
    """The help texts in the page, by command."""
    return {match["command"]: match["text"] for match in _HELP.finditer(page)}


def documented_codes(page: str) -> str:
    """The table of exit codes in the page."""
    match = _CODES.search(page)
    return match["table"] if match else ""


def table_of_codes() -> str:
    """The same table as the program has it."""
    from vault.cli.exits import MEANINGS

    rows = [f"| {code} | {meaning} |" for code, meaning in sorted(MEANINGS.items())]
    return "\n".join(["| code | meaning |", "|---:|---|", *rows]) + "\n"


def documented_fields(command: str) -> set[str]:
    """The JSON fields that the page lists for a command, such as ``items[].id``. ``command`` is without `sandyk`."""
    page = PAGE.read_text("utf-8")
    start = page.find(f"<!-- help: sandyk {command} -->")
    assert start >= 0, f"docs/cli.md has no section for {command}"
    end = page.find("\n### ", start)
    return {match["name"] for match in _FIELD.finditer(page, start, end if end >= 0 else len(page))}


def fields_of(document: Any, path: str = "") -> set[str]:
    """The paths of all fields in a JSON document; ``[]`` stands for every element of a list."""
    if isinstance(document, dict):
        found = set()
        for key, value in document.items():
            inner = f"{path}.{key}" if path else key
            found |= {inner} | fields_of(value, inner)
        return found
    if isinstance(document, list):
        return set().union(*(fields_of(element, f"{path}[]") for element in document))
    return set()


def refreshed(page: str) -> str:
    """The page with every help text and the table as the program has them now."""
    for command in commands():
        if f"<!-- help: {command} -->" not in page:
            page = f"{page.rstrip()}\n\n### `{command}`\n\n<!-- help: {command} -->\n```text\n```\n"
    page = _HELP.sub(lambda m: f"<!-- help: {m['command']} -->\n```text\n{help_of(m['command'])}```\n", page)
    return _CODES.sub(lambda m: f"<!-- exit codes -->\n{table_of_codes()}", page)


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text("utf-8")), "utf-8")
