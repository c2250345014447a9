# SPDX-License-Identifier: Apache-2.0
"""Help and complaints about what was typed, in the language that is spoken.

Typer asks gettext for the headings of its help and for little else. This module puts the rest through it: texts and
placeholders of commands and options when a command is about to run or to be explained, and the sentences in which the
parser says what it did not understand, which are recognised by their English form. English help is what Typer makes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from gettext import gettext as _
from typing import Any

from typer.core import TyperCommand, TyperGroup

from vault.cli.values import take_as_typed
from vault.language import ENGLISH, later, spoken
from vault.overheard import recognised

COMPLAINTS = (
    later("Missing command."),
    later("Missing argument {name}."),
    later("Missing option {name}."),
    later("No such command {name}."),
    later("No such command {name}. Did you mean {names}?"),
    later("No such option: {name}"),
    later("No such option: {name} (Possible options: {names})"),
    later("Option {name} requires an argument."),
    later("Option {name} requires {count} arguments."),
    later("Option {name} does not take a value."),
    later("Got unexpected extra argument(s) ({names})"),
    later("Invalid value for {name}: {why}"),
    later("Invalid value: {why}"),
    later("Value error, {why}"),
    later("{value} is not one of {choices}."),
    later("Input should be a valid integer, unable to parse string as an integer"),
    later("Input should be a valid number, unable to parse string as a number"),
    later("Input should be greater than or equal to {limit}"),
    later("Input should be less than or equal to {limit}"),
)
"""What Typer's parser says, and what checks numbers for it."""
OF_TYPER = (
    later("Usage: "), later("[OPTIONS]"), later("COMMAND [ARGS]..."), later("Arguments"), later("Options"),
    later("Commands"), later("default: {default}"), later("required"), later("env var: {var}"), later("(dynamic)"),
    later("Show this message and exit."), later("Aborted!"),
)  # fmt: skip
"""What Typer's help is made of, beside what this program says of its commands."""


def paragraphs(text: str) -> Iterator[str]:
    """A help text as it is translated: paragraph by paragraph, each in one line."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if words := " ".join(paragraph.split()):
            yield words


def complaint(text: str) -> str:
    """What the parser said, in the language that is spoken; as it is when it is none of ``COMPLAINTS``."""
    text = text.replace("Value error, ", "")  # what checks values says it before each reason
    return text if spoken() == ENGLISH else recognised(text, COMPLAINTS)


_Mixed: Any = object


class _Translated(_Mixed):  # type: ignore[misc]
    """Mixed into commands and groups. While English is spoken it changes nothing."""

    help: str | None
    params: list[Any]
    _done = False

    def _translate(self) -> None:
        if self._done or spoken() == ENGLISH:
            return
        self._done = True
        self.help = "\n\n".join(_(paragraph) for paragraph in paragraphs(self.help or ""))
        for parameter in self.params:
            text = getattr(parameter, "help", None)
            if text:
                parameter.help = _(" ".join(text.split()))
            if parameter.metavar:
                parameter.metavar = _(parameter.metavar)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Called before anything of the command is parsed or shown."""
        self._translate()
        return super().make_context(*args, **more)

    def get_help_option(self, ctx: Any) -> Any:
        """``--help`` itself."""
        option = super().get_help_option(ctx)
        take_as_typed([option])
        if option is not None and option.help:
            option.help = _(option.help)
        return option

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command's name."""
        pieces = [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]
        return [_(piece) if piece in OF_TYPER else piece for piece in pieces]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The first line of help."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=_("Usage: "))

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, for the list of commands; a translation is never cut, and goes on in the next line."""
        if spoken() == ENGLISH or not self.help:
            return str(super().get_short_help_str(limit))
        first = next(paragraphs(self.help), "")
        text = first if self._done else _(first)
        sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
        return sentence if sentence[-1:] in ("?", "!") else sentence.removesuffix(".") + "."


class Command(_Translated, TyperCommand):
    """A command whose arguments have plain names in its help: ``PATH...``, not ``{PATH}... <list[str]>``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        take_as_typed(self.params)
        for parameter in self.params:
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: None


class Family(_Translated, TyperGroup):
    """Commands under one name, in the order in which they were added."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        take_as_typed(self.params)
