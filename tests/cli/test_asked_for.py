# SPDX-License-Identifier: Apache-2.0
"""Which commands are looked at before one runs: the one that is named, all of them where more is asked for."""

from __future__ import annotations

import pytest
from typer.main import get_command

from vault.cli.app import app, with_what_is_asked_for

NAMES = sorted(str(one.name) for one in (*app.registered_commands, *app.registered_groups))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "completion"])
def test_a_command_is_the_same_alone_as_among_all(name: str) -> None:
    asked = get_command(with_what_is_asked_for(["--vault", "show", name, "list"]))
    assert list(asked.commands) == [name]
    alone, among = asked.commands[name], get_command(app).commands[name]
    assert [p.name for p in alone.params] == [p.name for p in among.params]
    assert sorted(getattr(alone, "commands", {})) == sorted(getattr(among, "commands", {}))


@pytest.mark.parametrize("typed", [[], ["--help"], ["serch"], ["completion", "bash"], ["--", "search"]])
def test_without_a_known_command_and_for_completion_all_are_there(typed: list[str]) -> None:
    assert with_what_is_asked_for(typed) is app
