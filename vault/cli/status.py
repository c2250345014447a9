# SPDX-License-Identifier: Apache-2.0
"""`status`: the vault as a whole, without a passphrase, or with it what its cases say."""

from __future__ import annotations

import os
from gettext import gettext as _
from typing import Annotated, Any

import typer

from vault import counter, layout
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    folder_of,
    name_unusable,
    opened,
    shown_path,
    surroundings,
    table,
    tally_document,
    tally_text,
    unusable_documents,
)
from vault.disk import Disk
from vault.names import printable
from vault.terminal import size_text


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("status")(status)


def status(
    each_case: Annotated[
        bool, typer.Option("--cases", help="Open the vault and count, case by case, what is safe abroad.")
    ] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """What can be said of the vault without a passphrase.

    Whether an agent holds its keys, whether a guard watches it, its size, what waits in the outbox, what the public
    counter says. With --cases it opens the vault, and counts in the signed records what is safe abroad, on its way,
    and only here; and says how many shares of your key are out.
    """
    from vault.cli.agent import standing
    from vault.vaults import LockedVault

    folder = folder_of(vault)
    LockedVault.at(folder, disk=Disk())
    counted: dict[str, Any] | None = None
    unusable: list[tuple[bytes, str]] = []
    case_lines = [_("for each case, from its own record: sandyk status --cases")]
    if each_case or passphrase_file is not None or token is not None:
        counted, unusable, case_lines = _counted(vault, passphrase_file, token)
    beside, beside_lines = standing(folder)
    cases = _entries(os.path.join(folder, layout.CASES))
    packs = [
        os.path.join(folder, layout.CASES, case, layout.PACKS, name)
        for case in cases
        for name in _entries(os.path.join(folder, layout.CASES, case, layout.PACKS))
        if name.endswith(".age")
    ]
    size = sum(os.path.getsize(path) for path in packs if os.path.exists(path))
    waiting = [name for name in _entries(os.path.join(folder, layout.OUTBOX)) if name.endswith(".age")]
    known = counter.read(folder, Disk())
    cautions, caution_lines = surroundings(folder)
    answer(
        {
            "vault": folder, **beside, "cases": len(cases), "packs": len(packs), "bytes": size,
            "outbox": [os.path.join(folder, layout.OUTBOX, name) for name in waiting],
            "filed": known.filed, "sealed": known.sealed, "last_sealed": known.last_sealed,
            "safe": known.safe, "last_safe": known.last_safe, "counted": counted,
            "warnings": cautions,
        },
        as_json=as_json,
        lines=(
            _("vault in {folder}").format(folder=printable(folder)),
            *beside_lines,
            _("{count} case(s), {packs} packs, {size}").format(
                count=len(cases), packs=len(packs), size=size_text(size)
            ),
            _("the public counter, which may be behind: {filed} documents filed here").format(filed=known.filed),
            _("  in sealed exports: {sealed}; last export: {last_sealed}").format(
                sealed=known.sealed, last_sealed=known.last_sealed
            ),
            _("  confirmed by an editor's receipt: {safe}; last receipt: {last_safe}").format(
                safe=known.safe, last_safe=known.last_safe
            ),
            *case_lines,
            _("waiting in the outbox: {count}").format(count=len(waiting)),
            *(f"  {shown_path(os.path.join(folder, layout.OUTBOX, name))}" for name in waiting),
            *caution_lines,
        ),
    )  # fmt: skip
    name_unusable(unusable)


def _counted(
    vault: str | None, passphrase_file: str | None, token: str | None
) -> tuple[dict[str, Any], list[tuple[bytes, str]], list[str]]:
    """What the records of one's cases say: for JSON, what cannot be used, and lines."""
    from vault import abroad
    from vault.cli.shares import standing_of

    with opened(vault, passphrase_file, token) as unlocked:
        sight = abroad.look(unlocked)
        shares, share_lines = standing_of(unlocked)
    rows = [(printable(one.case.name), tally_text(one.tally)) for one in sight.cases]
    lines = [
        _("{total} document(s) in your cases: {tally}").format(total=sight.tally.total, tally=tally_text(sight.tally))
    ]
    lines += [f"  {line}" for line in table(rows)] if len(rows) > 1 else []
    if sight.tally.here:
        lines.append(_("to see what is only here: sandyk list --only-here; to seal it for an editor: sandyk export"))
    if sight.unseen:
        lines.append(
            _("{unseen} case(s) here are not yours: what is in them was not counted").format(unseen=sight.unseen)
        )
    lines += share_lines
    document = {
        **tally_document(sight.tally),
        "cases": [{"case": one.case.name, **tally_document(one.tally)} for one in sight.cases],
        "unusable": unusable_documents(sight.unusable), "unseen": sight.unseen, "shares": shares,
    }  # fmt: skip
    return document, list(sight.unusable), lines


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
