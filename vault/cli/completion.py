# SPDX-License-Identifier: Apache-2.0
"""`completion`: a script for a shell, on standard output. It writes nothing into anybody's start-up files."""

from __future__ import annotations

from enum import StrEnum
from gettext import gettext as _
from typing import Annotated

import typer

from vault.terminal import say


class Shell(StrEnum):
    """Which shell completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("completion")(completion)


def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
) -> None:
    """Print a script that completes commands and options in a shell.

    It completes names of commands, options and files, and nothing that is in a vault. At a terminal it says where the
    script goes; nothing is installed.
    """
    import sys

    from vault.cli.completion_scripts import SCRIPTS
    from vault.cli.tree import command_tree

    script = SCRIPTS[shell.value](command_tree(context.find_root().command))
    sys.stdout.flush()
    sys.stdout.buffer.write(script.encode("utf-8"))  # a script is UTF-8 whatever the locale says
    if sys.stdout.isatty():
        for line in _where(shell):
            say(line)


def _where(shell: Shell) -> list[str]:
    commands = {
        Shell.BASH: "sandyk completion bash > ~/.local/share/bash-completion/completions/sandyk",
        Shell.ZSH: "sandyk completion zsh > ~/.zfunc/_sandyk",
        Shell.FISH: "sandyk completion fish > ~/.config/fish/completions/sandyk.fish",
        Shell.POWERSHELL: "sandyk completion powershell >> $PROFILE",
    }
    lines = [_("to keep it: {command}").format(command=commands[shell])]
    if shell is Shell.ZSH:
        lines.append(_("and in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)"))
    return [*lines, _("whoever finds that file sees that sandyk was here; `sandyk panic --traces` removes it")]
