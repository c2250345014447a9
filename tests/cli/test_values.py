# SPDX-License-Identifier: Apache-2.0
"""What was typed becomes the values that Typer would make of it, without what Typer loads to make them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from vault.cli.app import app

TYPED = (None, "text", "7", "-1", "true", b"\xff".decode("utf-8", "surrogateescape"), (), ("a", "7"), ["b"], [])
"""What Typer's parser hands on: a string, several of them, or nothing."""

LOADED = """
import sys
sys.argv[0] = "sandyk"
from vault.entry import main
main()
print(*sorted(set(sys.modules) & {"pydantic", "pydantic_core"}))
"""


def parameters(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for parameter in command.params:
        yield (*path, parameter.name), parameter
    for name, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, (*path, name))


def outcome(coerce: Any, value: Any, parameter: Any) -> object:
    try:
        made = coerce(value, param=parameter, ctx=None)
    except Exception as exc:
        return type(exc).__name__, getattr(exc, "message", "")
    return type(made), made


def test_each_parameter_of_each_command_takes_the_values_that_typer_would_make() -> None:
    for path, parameter in parameters(get_command(app)):
        usual = type(parameter).get_runtime_param(parameter)
        for value in (*TYPED, parameter.default):
            if isinstance(value, str) and (parameter.multiple or parameter.nargs == -1):
                continue  # the parser hands on several
            ours = outcome(parameter.get_runtime_param().coerce, value, parameter)
            assert ours == outcome(usual.coerce, value, parameter), (path, value)


@pytest.mark.parametrize("typed", [("search", "word"), ("case", "list"), ("add", "Case", "x"), ("search", "--help")])
def test_a_command_loads_nothing_to_make_text_of_text(tmp_path: Path, typed: tuple[str, ...]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *typed, "--vault", str(tmp_path / "none")], capture_output=True, text=True
    )
    assert run.stdout.splitlines()[-1] == ""
