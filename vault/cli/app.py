# SPDX-License-Identifier: Apache-2.0
"""The Typer application, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from copy import copy
from gettext import gettext as _
from typing import Annotated, Any

import typer

from keys.errors import KeysError
from vault import overheard
from vault.cli import exits
from vault.cli.agent import register as register_agent
from vault.cli.browse import register as register_browse
from vault.cli.casework import register as register_casework
from vault.cli.completion import register as register_completion
from vault.cli.contacts import register as register_contacts
from vault.cli.doctor import register as register_doctor
from vault.cli.evidence import register as register_evidence
from vault.cli.exporting import register as register_exporting
from vault.cli.guard import register as register_guard
from vault.cli.help import Command, Family, complaint
from vault.cli.opening import register as register_opening
from vault.cli.people import register as register_people
from vault.cli.reader import register as register_reader
from vault.cli.receipts import register as register_receipts
from vault.cli.removing import register as register_removing
from vault.cli.repairing import register as register_repairing
from vault.cli.searching import register as register_searching
from vault.cli.session import VaultOption, one_line, vault_said_first
from vault.cli.shares import register as register_shares
from vault.cli.status import register as register_status
from vault.cli.viewing import register as register_viewing
from vault.entry import first_word
from vault.errors import ConfinedFailed, VaultError
from vault.names import printable
from vault.refusals import refusal
from vault.terminal import say

ORDER = (
    "init", "browse", "case", "add", "list", "search", "index", "show", "view", "get", "remove", "verify", "parity",
    "log", "export", "open", "reader", "receipt", "drop", "journalist", "card", "contact", "key", "unlock", "lock",
    "status", "doctor", "rebuild", "compact", "completion", "guard", "drill", "panic",
)  # fmt: skip
"""As help lists them: in the order in which one comes to need them; the emergency last, where it is seen."""

_UsageError: Any = typer.BadParameter.__mro__[1]
"""What Typer raises when the words typed are no command. It exports only this one of its subclasses."""


class Group(Family):
    """The commands, in ``ORDER``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names that help shows."""
        places = {name: place for place, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: places.get(name, len(ORDER) - 2))


app = typer.Typer(
    name="sandyk",
    cls=Group,
    help="A newsroom evidence vault: sealed cases, an emergency wipe, sealed bundles for editors abroad.",
    rich_markup_mode=None,  # plain help: quicker, the same in a terminal, a file and docs/cli.md
    add_completion=False,  # the installer would write this program's name into shell start-up files
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from vault.version import VERSION

        print(f"sandyk {VERSION}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def before_any_command(
    context: typer.Context,
    vault: VaultOption = None,
    lang: Annotated[  # noqa: ARG001  # the way in (vault.entry) has taken it, wherever it stood
        str | None,
        typer.Option(
            "--lang", metavar="LANGUAGE", show_default=False,
            help="en, ky, ru or uz; else SANDYK_LANG, else as the system is set. Anywhere in the line.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  # its callback has printed it
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:  # fmt: skip
    """What stands before the command."""
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(exits.USAGE)
    vault_said_first(vault)


register_people(app)
register_contacts(app)
register_shares(app)
register_browse(app)
register_casework(app)
register_repairing(app)
register_evidence(app)
register_searching(app)
register_viewing(app)
register_removing(app)
register_exporting(app)
register_opening(app)
register_reader(app)
register_receipts(app)
register_agent(app)
register_status(app)
register_doctor(app)
register_guard(app)
register_completion(app)


@app.command("panic", add_help_option=False)
def panic_command() -> None:
    """Make the vault unreadable at once, without a question."""
    # The way in (vault.entry) runs `panic` before this application is loaded: what is here only makes it appear.
    raise typer.Exit(exits.USAGE)


def _speak_the_language(application: typer.Typer) -> None:
    for command in application.registered_commands:
        command.cls = Command
    for group in application.registered_groups:
        group.cls = Family
        if group.typer_instance is not None:
            _speak_the_language(group.typer_instance)


_speak_the_language(app)


def run() -> int:
    """Run the command in ``sys.argv``; the exit code."""
    _print_whatever_the_locale()
    try:
        # On Windows click would put files for every * and values for every $NAME and %NAME%, in notes and searches too.
        code = with_what_is_asked_for(sys.argv[1:])(
            prog_name="sandyk", standalone_mode=False, windows_expand_args=False
        )
    except (VaultError, KeysError) as exc:
        return complain(exc)
    except _UsageError as exc:
        return _not_understood(exc)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        raise
    except OSError as exc:
        name = f"{printable(exc.filename)}: " if isinstance(exc.filename, str | bytes) else ""
        return complain(VaultError(f"{name}{refusal(exc)}"))
    except Exception as exc:  # a defect of ours: say where, and never what, because messages may quote evidence
        return _our_fault(exc)
    if code == exits.INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else exits.DONE


def with_what_is_asked_for(argv: list[str]) -> typer.Typer:
    """The application with the command or family alone that is named, if one is: Typer looks through the parameters of
    all others first, which takes longer than many commands. ``completion`` writes down all of them."""
    name = first_word(argv)
    if name == "completion":
        return app
    asked = copy(app)
    asked.registered_commands = [one for one in app.registered_commands if one.name == name]
    asked.registered_groups = [one for one in app.registered_groups if one.name == name]
    return asked if asked.registered_commands or asked.registered_groups else app


def _print_whatever_the_locale() -> None:
    """A name in Kyrgyz must not end a command on a terminal that is set up for English: escape what it cannot show.

    On Windows files and other programs get UTF-8: the code page there has no Kyrgyz, and the console's is another one.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8" if os.name == "nt" else None, errors="backslashreplace")


def complain(error: VaultError | KeysError) -> int:
    """Print an error and its hints; the exit code."""
    text = overheard.reason(str(error)) if isinstance(error, ConfinedFailed) else str(error)
    say(f"sandyk: {one_line(text)}")
    for hint in getattr(error, "hints", ()):
        say(_("hint: {hint}").format(hint=one_line(hint)))
    return exits.exit_code(error)


def _not_understood(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group alone, such as `sandyk case`
        say(error.format_message())
        return exits.USAGE
    text = complaint(" ".join(error.format_message().split())).removesuffix(".")
    say(f"sandyk: {one_line(text[:1].lower() + text[1:])}")
    command = error.ctx.command_path if error.ctx else "sandyk"
    say(_("hint: {command} --help").format(command=one_line(command)))
    return exits.USAGE


def _our_fault(error: Exception) -> int:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
    say(
        _("sandyk: a defect of this program stopped the command: {kind} in {where}").format(
            kind=type(error).__name__, where=where
        )
    )
    say(_("hint: please report this line; nothing of yours is in it"))
    return exits.FAILED


if __name__ == "__main__":
    sys.exit(run())
