# SPDX-License-Identifier: Apache-2.0
"""`card raid` and `drill`: a page for the wall, and a rehearsal of the person."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import Annotated

import typer

from vault import terminal
from vault.cli.session import JsonOption, VaultOption, answer, folder_of
from vault.names import printable
from vault.terminal import say


def register(app: typer.Typer, card: typer.Typer) -> None:
    """Add the commands of this module."""
    card.command("raid")(card_raid)
    app.command("drill")(drill)


def card_raid(
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", show_default=False,
            help="Write it there: a PDF if the name ends in .pdf, else text.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """The raid card: what to do when they are at the door, one page for the wall.

    In the language that is spoken: `sandyk card raid --lang ky`.
    """
    from vault.disk import Disk
    from vault.language import spoken
    from vault.raidcard import pdf, text
    from vault.sealing import write_new

    language = spoken()
    if output is None:
        sys.stdout.write(text(language))
        return
    data = pdf(language) if output.lower().endswith(".pdf") else text(language).encode("utf-8")
    write_new(output, data, disk=Disk())
    say(_("raid card written to {output}: print it, fill in the numbers, hang it up").format(output=printable(output)))


def drill(vault: VaultOption = None, as_json: JsonOption = False) -> None:
    """Rehearse the emergency: how long do you need until the keys are gone? The real vault is not touched."""
    from vault.rehearsal import rehearse

    say(
        _("A throw-away vault is made beside yours. When you see the alarm, do what you would do: type `sandyk panic`.")
    )
    say(_("Nothing of your vault is touched. Put your hands where they would be, and wait."))
    score = rehearse(folder_of(vault), ask=terminal.ask, say=say)
    answer(
        {
            "typed_seconds": round(score.typed, 2), "safe_seconds": round(score.safe, 2),
            "mistakes": score.mistakes, "verdict": score.verdict,
        },
        as_json=as_json,
        lines=(
            _("typed after {typed:.1f} s, keys gone after {safe:.1f} s, {mistakes} mistake(s)").format(
                typed=score.typed, safe=score.safe, mistakes=score.mistakes
            ),
            score.verdict,
            _(
                "the same for a key bound to the command: press it when you see the alarm "
                "(docs/guide/en/panic-key.md)"
            ),
        ),
    )  # fmt: skip
