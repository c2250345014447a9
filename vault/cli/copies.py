# SPDX-License-Identifier: Apache-2.0
"""What `export` says and asks about clean working copies. Decides nothing: ``vault.working_copies`` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import overheard, terminal
from vault.cli import exits
from vault.cli.session import one_line, shown_path
from vault.errors import BadInput
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from vault.cases import Case
    from vault.vaults import Vault
    from vault.working_copies import Copies, WorkingCopy

CleanOption = Annotated[
    bool,
    typer.Option("--clean", help="Also send working copies without what tells who made them, where and with what."),
]
CleanOnlyOption = Annotated[
    bool,
    typer.Option(
        "--clean-only", help="Send such copies instead, without folder names; what cannot be cleaned stays here."
    ),
]


@dataclass(frozen=True, slots=True)
class Working:
    """What goes into the bundle: items by name or id, or all of the case; and the copies, if any were asked for."""

    references: list[str]
    only: bool = False
    found: Copies | None = None

    def documents(self) -> dict[str, Any]:
        """The fields of the JSON document."""
        copies, problems = (self.found.copies, self.found.problems) if self.found else ([], [])
        return {
            "copies": [_document(copy) for copy in copies],
            "not_cleaned": [{"name": shown_path(one.name), "reason": one.reason} for one in problems],
        }

    def lines(self) -> Iterator[str]:
        """What was taken out of which document, and what no copy can hide."""
        if self.found is None or not self.found.copies:
            return
        for copy in self.found.copies:
            yield f"{shown_path(copy.item.name)}: {_taken_out(copy)}"
        yield (
            _(
                "clean copies show what their originals show: faces, places, watermarks; and a laboratory "
                "may still tell the camera or printer"
            )
        )

    def end(self) -> None:
        """Exit as partly done when something was asked for alone, could not be cleaned, and so was left out."""
        if self.only and self.found is not None and self.found.problems:
            raise typer.Exit(exits.PARTLY)


def make(unlocked: Vault, case: Case, references: Sequence[str], *, clean: bool, clean_only: bool) -> Working:
    """The copies that were asked for, each document without one named. Raises BadInput, ConfinedRefused, …"""
    if not (clean or clean_only):
        return Working(list(references))
    if clean and clean_only:
        raise BadInput(_("--clean and --clean-only cannot both be meant"), _("--clean-only leaves the originals here"))
    from vault import working_copies

    with terminal.progress(_("cleaning")) as advance:
        found = working_copies.make(unlocked, case, references, progress=advance)
    not_cleaned = (
        _("not cleaned, left out: {name}: {reason}")
        if clean_only
        else _("not cleaned, the original goes alone: {name}: {reason}")
    )
    for problem in found.problems:
        say(not_cleaned.format(name=shown_path(problem.name), reason=one_line(overheard.reason(problem.reason))))
    if any(copy.made for copy in found.copies):
        say_what_does_not_hold()
    return Working(working_copies.to_export(found, references, only=clean_only), clean_only, found)


def say_what_does_not_hold() -> None:
    """A note where this system has no sandbox for what reads documents."""
    from vault.confined.worker import confinement

    holds = confinement()
    if not (holds.no_files and holds.no_network and holds.no_programs):
        say(_("note: this system holds what reads documents by a process of its own and limits, and not by a sandbox"))


def _document(copy: WorkingCopy) -> dict[str, Any]:
    return {
        "id": copy.item.id.hex(), "name": shown_path(copy.item.name), "sha256": copy.item.sha256.hex(),
        "original": copy.original.id.hex(), "original_sha256": copy.original.sha256.hex(), "made_by": copy.by,
        "taken_out": list(copy.removed), "left_in": list(copy.left), "new": copy.made,
    }  # fmt: skip


def _taken_out(copy: WorkingCopy) -> str:
    removed, left = ", ".join(map(overheard.kind, copy.removed)), ", ".join(map(overheard.kind, copy.left))
    if copy.removed:
        text = _("taken out: {removed}; left in: {left}") if copy.left else _("taken out: {removed}")
    elif copy.left:
        text = _("nothing known had to be taken out; left in: {left}")
    else:
        text = _("nothing known had to be taken out")
    return printable(text.format(removed=removed, left=left))
