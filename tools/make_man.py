# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages into docs/man, one for the program and one for each of its commands: ``make docs``.

Made of the same tree of commands as completion (``vault.cli.tree``), in English, in the macros of man(7), which groff
and mandoc both read. The same program gives the same bytes. Pages of commands that went away are removed.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from vault.cli.exits import MEANINGS  # noqa: E402
from vault.cli.tree import Argument, CommandShape, Option, command_tree  # noqa: E402
from vault.version import VERSION  # noqa: E402

FOLDER = ROOT / "docs" / "man"
WIDTH = 78
"""Of a line in a page's source; mandoc thinks more than 80 bad style."""
DATE = "2026-11-21"
"""Pages must bear one; a day of making them would change them each time."""

_DESCRIPTION = """\
Sandyk keeps source documents encrypted on a journalist's own machine, makes them unreadable in a fraction of a second
before a search, and seals them for editors abroad with their history and signature.

Young software: nobody outside the project has audited it. What it protects from, and from what it does not, is in the
threat model that comes with the source (docs/threat-model.md).

Passphrases are asked for at the terminal. In a script, --passphrase-file FILE takes the first line of a file, and -
that of standard input. There is no option and no variable that holds a passphrase.

Most commands take --json and print one JSON document; its fields are described in docs/cli.md.
"""
_ENVIRONMENT = (
    ("SANDYK_VAULT", "The vault's folder, where --vault does not name one."),
    ("SANDYK_TOKEN", "The file with the outside half, or tpm:INDEX, where --token does not name one."),
    ("SANDYK_LANG", "en, ky, ru or uz, where --lang does not say; else LANGUAGE, LC_ALL, LC_MESSAGES and LANG decide."),
    ("XDG_DATA_HOME", "Where the vault's folder is on Linux, where nothing else names it; else ~/.local/share."),
)
_FILES = (
    ("~/.local/share/sandyk", "The vault, on Linux. Every file in it is described in docs/format.md."),
    ("~/Library/Application Support/sandyk", "The same on macOS."),
)
_EXAMPLES = (
    (
        "Make a vault and a case, and file a folder:",
        ("sandyk init", "sandyk case new Naryn", "sandyk add Naryn ~/scans"),
    ),
    ("Seal the case for an editor whose words were compared:", ("sandyk export Naryn -o for-aizada.age --to Aizada",)),
    ("Rehearse the emergency wipe, on a vault made for it:", ("sandyk panic --drill",)),
)


def pages(tree: CommandShape) -> dict[str, str]:
    """The name of each file, and what is in it."""
    made = {"sandyk.1": _main_page(tree)}
    made |= {f"sandyk-{command.path[0]}.1": _command_page(command) for command in tree.commands}
    return made


def _main_page(tree: CommandShape) -> str:
    lines = [*_head("sandyk"), ".SH NAME", _line(f"sandyk - {_lowered(tree.short)}"), ".SH SYNOPSIS"]
    lines += [".B sandyk", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]"]
    lines += [".SH DESCRIPTION", *_paragraphs(_DESCRIPTION), ".SH OPTIONS", *_options(tree.options), ".SH COMMANDS"]
    for command in tree.commands:
        lines += [".TP", f".BR sandyk\\-{_escaped(command.path[0])} (1)", _line(command.short)]
    lines += [".SH ENVIRONMENT", *_defined(_ENVIRONMENT), ".SH FILES", *_defined(_FILES), ".SH EXIT STATUS"]
    lines += _defined(
        tuple((str(code), f"{meaning[0].upper()}{meaning[1:]}.") for code, meaning in sorted(MEANINGS.items()))
    )
    lines.append(".SH EXAMPLES")
    for text, commands in _EXAMPLES:
        lines += [_line(text), ".PP", ".RS 4", ".nf", *map(_line, commands), ".fi", ".RE", ".PP"]
    return _joined([*lines[:-1], ".SH SEE ALSO", ".BR age (1),", ".BR tar (1),", ".BR ssh\\-keygen (1)"])


def _command_page(command: CommandShape) -> str:
    name = f"sandyk-{command.path[0]}"
    lines = [*_head(name), ".SH NAME", _line(f"{name} - {_lowered(command.short)}"), ".SH SYNOPSIS"]
    leaves = [each for each in command.walk() if not each.commands]
    for number, leaf in enumerate(leaves):
        lines += [".br"] * bool(number) + [_synopsis(leaf)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help)]
    if command.commands:
        lines.append(".SH COMMANDS")
        for each in list(command.walk())[1:]:
            lines += [f".SS {_escaped(' '.join(('sandyk', *each.path)))}", *_paragraphs(each.help)]
            lines += [] if each.commands else [*_arguments(each.arguments), *_options(each.options)]
    else:
        lines += [*([".SH ARGUMENTS", *_arguments(command.arguments)] if command.arguments else [])]
        lines += [".SH OPTIONS", *_options(command.options)]
    lines += [".SH EXIT STATUS", "As in", ".BR sandyk (1).", ".SH SEE ALSO", ".BR sandyk (1)"]
    return _joined(lines)


def _head(name: str) -> list[str]:
    return [
        '.\\" Written by tools/make_man.py from the program itself. SPDX-License-Identifier: Apache-2.0',
        f'.TH {_escaped(name.upper())} 1 "{DATE}" "sandyk {VERSION}" "Sandyk"',
        ".nh",  # words that are typed are not to be broken
        ".ad l",
    ]


def _synopsis(leaf: CommandShape) -> str:
    words = [f"\\fB{_escaped(' '.join(('sandyk', *leaf.path)))}\\fR", "[\\fIOPTIONS\\fR]"]
    for argument in leaf.arguments:
        word = f"\\fI{_escaped(argument.metavar)}\\fR"
        words.append((word if argument.required else f"[{word}]") + "..." * argument.many)
    return " ".join(words)


def _arguments(arguments: tuple[Argument, ...]) -> list[str]:
    lines = []
    for argument in arguments:
        lines += [".TP", f".I {_escaped(argument.metavar)}", _line(argument.help)]
    return lines


def _options(options: tuple[Option, ...]) -> list[str]:
    lines = []
    for option in options:
        names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in option.names)
        value = f" \\fI{_escaped(option.metavar)}\\fR" if option.metavar else ""
        lines += [".TP", f"{names}{value}", _line(option.help)]
    return lines


def _defined(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [line for term, text in rows for line in (".TP", f".B {_escaped(term)}", _line(text))]


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines += [".PP", _line(" ".join(paragraph.split()))]
    return lines[1:]


def _lowered(text: str) -> str:
    return (text[:1].lower() + text[1:]).removesuffix(".")


def _line(text: str) -> str:
    """Lines of text; one that begins with a dot or an apostrophe would be taken for a macro."""
    lines = textwrap.wrap(_escaped(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line[0] in {".", "'"} else line for line in lines)


def _escaped(text: str) -> str:
    """Hyphens as they are typed, and the few letters above ASCII by name, so that any terminal shows them."""
    escaped = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")
    )
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in escaped.replace("~", "\\(ti"))


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def stale(made: dict[str, str]) -> Iterator[Path]:
    """Pages that are not what they should be, missing ones and those of commands that went away among them."""
    for path in sorted({*FOLDER.glob("*.1"), *(FOLDER / name for name in made)}):
        if not path.exists() or made.get(path.name) != path.read_text("utf-8"):
            yield path


def made_now() -> dict[str, str]:
    """The pages as the program has them now."""
    from typer.main import get_command

    from vault.cli.app import app

    return pages(command_tree(get_command(app)))


def main() -> None:
    """Write what is stale."""
    made = made_now()
    FOLDER.mkdir(exist_ok=True)
    for path in list(stale(made)):
        if path.name in made:
            path.write_text(made[path.name], "utf-8")
        else:
            os.unlink(path)


if __name__ == "__main__":
    main()
