# SPDX-License-Identifier: Apache-2.0
"""The Typer application, and the one place where an error becomes an exit code."""

from __future__ import annotations

import sys

import typer

from keys.errors import KeysError
from vault.cli import exits
from vault.cli.bundles import register as register_bundles
from vault.cli.casework import register as register_casework
from vault.cli.evidence import register as register_evidence
from vault.cli.people import register as register_people
from vault.cli.session import one_line
from vault.errors import VaultError
from vault.names import printable
from vault.terminal import say

app = typer.Typer(
    name="sandyk",
    help="A newsroom evidence vault: sealed cases, an emergency wipe, sealed bundles for editors abroad.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: quicker, the same in a terminal, a file and docs/cli.md
    add_completion=False,  # the installer would write this program's name into shell start-up files
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
register_people(app)
register_casework(app)
register_evidence(app)
register_bundles(app)


@app.command("panic", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def panic_command() -> None:
    """Destroy the vault's keys at once, without a question. `sandyk panic --help` says more.

    `panic` is run before this application is loaded; this entry only makes it appear among the commands.
    """
    raise typer.Exit(exits.USAGE)


def run() -> int:
    """Run the command in ``sys.argv``; the exit code."""
    try:
        app(standalone_mode=True)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else exits.FAILED
    except (VaultError, KeysError) as exc:
        return complain(exc)
    except OSError as exc:
        name = f"{printable(str(exc.filename))}: " if exc.filename else ""
        return complain(VaultError(f"{name}{exc.strerror or exc}"))
    return exits.DONE


def complain(error: VaultError | KeysError) -> int:
    """Print an error and its hints; the exit code."""
    say(f"sandyk: {one_line(str(error))}")
    for hint in getattr(error, "hints", ()):
        say(f"hint: {one_line(hint)}")
    return exits.exit_code(error)


if __name__ == "__main__":
    sys.exit(run())
