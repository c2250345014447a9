# SPDX-License-Identifier: Apache-2.0
"""`parity`, and what `verify --repair` has to say."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import exits
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    one_line,
    opened,
    shown_path,
)
from vault.names import printable
from vault.terminal import size_text

if TYPE_CHECKING:
    from vault.repairing import Repaired

RepairOption = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Mend damaged packs from their parity, put aside what does not read, and name what is lost. "
        "Nothing is deleted.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("parity")(parity)


def parity(
    case_name: Annotated[str, typer.Argument(metavar="CASE", help="A case's name or id.")],
    percent: Annotated[
        int, typer.Option("--percent", metavar="N", min=0, max=100, help="How much of each pack; 0 removes it again.")
    ] = 5,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write beside each pack what mends it when the disk rots.

    Reads the case back first: only packs that are whole get parity. What is filed later has none until this runs again.
    It does not help when the disk dies, is taken, or somebody deletes: for that, there are copies and exports.
    """
    from vault.cases import find_case, open_store
    from vault.protecting import protect

    with opened(vault, passphrase_file, token) as unlocked:
        case = find_case(unlocked, case_name)
        with open_store(unlocked, case, remark=False) as store, terminal.progress(_("reading")) as advance:
            done = protect(store, percent, disk=unlocked.disk, progress=advance)
    name = printable(case.name)
    lines = [
        _("{name}: parity made for {made} pack(s), {kept} had it: {size} altogether").format(
            name=name, made=done.made, kept=done.kept, size=size_text(done.size)
        )
    ]
    if percent == 0:
        lines = [_("{name}: no pack has parity any more").format(name=name)]
    answer(
        {"case": case.name, "percent": percent, "made": done.made, "kept": done.kept, "removed": done.removed,
         "bytes": done.size, "whole": done.verdict.whole},
        as_json=as_json, lines=lines,
    )  # fmt: skip
    if not done.verdict.whole:
        terminal.say(_("sandyk: not everything in this case is whole; what is damaged got no new parity"))
        terminal.say(_("hint: sandyk verify CASE says what; sandyk verify --repair CASE mends what can be mended"))
        raise typer.Exit(exits.DAMAGED)


def repaired_document(done: Repaired) -> dict[str, Any]:
    """A repair as JSON shows it."""
    return {
        "mended": [pack.hex() for pack in done.mended],
        "put_back": [pack.hex() for pack in done.put_back],
        "put_aside": [pack.hex() for pack in done.put_aside],
        "filed_again": done.saved,
        "lost": [
            {"id": one.item.id.hex(), "name": shown_path(one.item.name), "bytes": one.item.size,
             "sha256": one.item.sha256.hex(), "elsewhere": list(one.elsewhere)}
            for one in done.lost
        ],
    }  # fmt: skip


def repaired_lines(done: Repaired) -> list[str]:
    """The same for a person."""
    lines = [_("  pack {pack}: mended from its parity").format(pack=pack.hex()[:8]) for pack in done.mended]
    lines += [
        _("  pack {pack}: reads again, and is back in its place").format(pack=pack.hex()[:8]) for pack in done.put_back
    ]
    lines += [
        _("  pack {pack}: does not read; moved to the case's folder `quarantine`").format(pack=pack.hex()[:8])
        for pack in done.put_aside
    ]
    if done.saved:
        lines.append(
            _("  {saved} document(s) of damaged packs still read, and were filed again").format(saved=done.saved)
        )
    for one in done.lost:
        lines.append(
            _("  LOST HERE: {name}, SHA-256 {sha256}").format(
                name=shown_path(one.item.name), sha256=one.item.sha256.hex()
            )
        )
        lines += [_("    fetch it from {place}").format(place=one_line(printable(place))) for place in one.elsewhere]
        if not one.elsewhere:
            lines.append(_("    the record knows of no export that has it: look for other copies and the original"))
    return lines
