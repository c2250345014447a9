# SPDX-License-Identifier: Apache-2.0
"""`doctor`: what is weak about a set-up, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault.cli import exits
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    folder_of,
    one_line,
    opened,
)
from vault.disk import Disk
from vault.names import printable

if TYPE_CHECKING:
    from vault.doctor.finding import Finding


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("doctor")(doctor)


def doctor(
    inside: Annotated[
        bool, typer.Option("--inside", help="Open the vault too, and look at contacts and at what is only here.")
    ] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the set-up, and say in plain words what is weak.

    Where the vault lies, the machine, the terminal, the wipe, what waits. It reads only, and asks for no passphrase
    unless --inside. Each finding is good, something to look at, or weak; with something weak the exit code is 4.
    """
    from vault.doctor import machine, place, probes, use
    from vault.doctor.finding import Level
    from vault.vaults import LockedVault

    folder = folder_of(vault)
    LockedVault.at(folder, disk=Disk())
    look_inside = inside or passphrase_file is not None or token is not None
    found: list[Finding] = [
        *place.judge(probes.place_facts(folder)),
        *machine.judge(probes.machine_facts(folder, encoding=sys.stdout.encoding or "")),
        *use.judge(probes.use_facts(folder)),
        *(_inside(vault, passphrase_file, token) if look_inside else ()),
    ]
    found.sort(key=lambda finding: list(Level).index(finding.level))
    counts = {level.value: sum(finding.level is level for finding in found) for level in Level}
    answer(
        {
            "vault": folder, "opened": look_inside, **counts,
            "findings": [
                {"kind": f.kind, "level": f.level.value, "what": f.what, "why": f.why, "do": f.do} for f in found
            ],
        },
        as_json=as_json,
        lines=list(_lines(folder, found, look_inside)),
    )  # fmt: skip
    if counts[Level.WEAK.value]:
        raise typer.Exit(exits.WEAK)


def _inside(vault: str | None, passphrase_file: str | None, token: str | None) -> tuple[Finding, ...]:
    from vault.doctor.inside import look_inside

    with opened(vault, passphrase_file, token) as unlocked:
        return look_inside(unlocked)


def _lines(folder: str, found: list[Finding], opened_too: bool) -> Iterator[str]:
    from vault.doctor.finding import Level

    headings = {Level.WEAK: _("WEAK"), Level.LOOK: _("look at this"), Level.GOOD: _("good")}
    yield _("vault in {folder}").format(folder=printable(folder))
    for level, heading in headings.items():
        of_level = [finding for finding in found if finding.level is level]
        if of_level:
            yield ""
            yield f"{heading} ({len(of_level)})"
        for finding in of_level:
            yield f"- {one_line(finding.what)}"
            yield from (f"  {one_line(text)}" for text in (finding.why, finding.do) if text)
    yield ""
    if not any(finding.level is Level.WEAK for finding in found):
        yield _("nothing weak was found by these checks; they see less than a searcher does")
    if not opened_too:
        yield _("with your passphrase it also looks at contacts, and at what is only here: sandyk doctor --inside")
