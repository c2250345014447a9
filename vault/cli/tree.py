# SPDX-License-Identifier: Apache-2.0
"""The commands as values: their names, options and help, read from the application that runs them.

What is made of it (shell completion, the manual pages) never goes stale, and names nothing but commands and options:
no case, no document, nobody. ``panic`` has no options in the application (``vault.entry`` runs it before that is
loaded); its own help text is read for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from vault.panic import HELP as PANIC_HELP


class Value(StrEnum):
    """What may be completed where a value belongs."""

    NONE = "none"
    """No value: a flag."""
    SECRET = "secret"  # noqa: S105  # no password: what nobody but the vault knows
    """A value that only the vault, or the person, knows: nothing is offered."""
    FILE = "file"
    FOLDER = "folder"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command."""

    names: tuple[str, ...]
    """As they are typed, the short one first."""
    value: Value
    metavar: str
    """What the help calls its value; empty for a flag."""
    help: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """What is typed after a command without an option's name."""

    metavar: str
    value: Value
    help: str
    required: bool
    many: bool
    """Whether it may be repeated."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandShape:
    """A command, or a group of them."""

    path: tuple[str, ...]
    """The words after ``sandyk``; empty for the program itself."""
    short: str
    """One sentence."""
    help: str
    """Paragraphs with empty lines between them."""
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[CommandShape, ...] = ()

    def walk(self) -> Iterator[CommandShape]:
        """This one and every one below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


_FILES = {"FILE", "PATH", "CARD", "CASE-CARD", "SHARE", "PROGRAM", "CASE|FILE"}
_FOLDERS = {"DIR", "FOLDER"}
_LANGUAGES = ("en", "ky", "ru", "uz")
_PANIC_OPTION = re.compile(r"^  (?P<name>--[a-z-]+)(?: (?P<value>[A-Z]+|tpm:INDEX))?  +(?P<help>\S.*)$")


def command_tree(application: Any) -> CommandShape:
    """The shape of an application, which is a Typer's command as ``typer.main.get_command`` gives it."""
    return _shape(application, None, ())


def _shape(command: Any, parent: Any, path: tuple[str, ...]) -> CommandShape:
    name = path[-1] if path else "sandyk"
    context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
    below = tuple(
        _shape(command.commands[name], context, (*path, name))
        for name in (command.list_commands(context) if hasattr(command, "commands") else ())
    )
    panicking = path == ("panic",)
    parameters = command.get_params(context)
    return CommandShape(
        path=path,
        short=_first_sentence(command.help or ""),
        help=_panic_help() if panicking else (command.help or "").strip(),
        options=_panic_options() if panicking else tuple(
            _option(each, context) for each in parameters if each.param_type_name == "option" and not each.hidden
        ),
        arguments=tuple(_argument(each) for each in parameters if each.param_type_name == "argument"),
        commands=below,
    )  # fmt: skip


def _first_sentence(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())


def _option(parameter: Any, context: Any) -> Option:
    _usage, text = parameter.get_help_record(context)
    # The library keeps the names of --help in a set, in whatever order.
    names = tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=lambda name: name.startswith("--")))
    choices = _choices(parameter)
    if parameter.is_flag or parameter.count or parameter.name == "help":
        return Option(names, Value.NONE, "", text)
    metavar = str(parameter.metavar or "|".join(choices) or "VALUE")
    return Option(names, _value(metavar, choices), metavar, text, choices)


def _argument(parameter: Any) -> Argument:
    choices, metavar = _choices(parameter), str(parameter.metavar or parameter.name.upper())
    many = parameter.nargs == -1
    return Argument(metavar, _value(metavar, choices), parameter.help or "", parameter.required, many, choices)


def _choices(parameter: Any) -> tuple[str, ...]:
    kind = parameter.type_descriptor.annotation if getattr(parameter, "type_descriptor", None) else None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(each.value) for each in kind)
    return _LANGUAGES if "--lang" in parameter.opts else ()


def _value(metavar: str, choices: tuple[str, ...]) -> Value:
    if choices:
        return Value.CHOICE
    if metavar in _FOLDERS:
        return Value.FOLDER
    return Value.FILE if metavar in _FILES else Value.SECRET


def _panic_help() -> str:
    """The sentences of panic's own help, without its lists of usages and options."""
    return PANIC_HELP.split("\n\n")[1].strip() + "\n\n" + PANIC_HELP.strip().split("\n\n")[-1]


def _panic_options() -> tuple[Option, ...]:
    found: list[Option] = []
    for line in PANIC_HELP.splitlines():
        if match := _PANIC_OPTION.match(line):
            value = match["value"] or ""
            kind = _value(value, ()) if value else Value.NONE
            text = match["help"][0].upper() + match["help"][1:]
            found.append(Option((match["name"],), kind, value, text))
        elif found and line.startswith(" " * 4) and line.strip() and not line.lstrip().startswith("sandyk"):
            last = found.pop()
            found.append(Option(last.names, last.value, last.metavar, f"{last.help} {line.strip()}"))
    return tuple(found)
