# SPDX-License-Identifier: Apache-2.0
"""`remove` and `compact`: documents out of a case, and its packs put together."""

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
from vault.language import later
from vault.names import printable
from vault.terminal import say, size_text

if TYPE_CHECKING:
    from vault.cases import Case
    from vault.compacting import Compacted
    from vault.model import Item
    from vault.removing import Removed

WHAT_STAYS = (
    later(
        "what is left: this medium may keep old blocks until it reuses them; who opens the case can read what is in "
        "them"
    ),
    later("every other copy of the vault still has these documents, and so have backups, images and bundles"),
    later(
        "the record keeps their ids, and when they were filed, exported and removed; a clean copy of them is a "
        "document of its own, and stays until it is removed too"
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("remove")(remove_items)
    app.command("compact")(compact_case)


def remove_items(
    references: Annotated[list[str], typer.Argument(metavar="ITEM", help="Ids, beginnings of ids, or paths.")],
    case_name: Annotated[
        str | None, typer.Option("--case", metavar="CASE", help="Look for items only in this case.")
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Why; it stays in the custody record for all members. What is typed here stays in the shell's "
            "history.",
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove documents from a case, for all its members.

    The packs that hold them are written anew without them. The custody record says which ids were removed, when, why
    and by whom, and not their names. What other documents share with them stays. It cannot be undone, and reaches no
    other copy. If it is interrupted, run it again; what is not found then is gone from every list, and `sandyk compact`
    drops what may be left of its bytes.
    """
    from vault.filing import choose_items
    from vault.removing import check_reason, remove

    check_reason(reason)
    done: list[Removed] = []
    with opened(vault, passphrase_file, token) as unlocked:
        chosen = choose_items(unlocked, case_name, references)
        if not yes and not _agreed(chosen):
            say(_("nothing was removed"))
            raise typer.Exit(exits.FAILED)
        for case, items in chosen:
            with terminal.progress(_("removing")) as advance:
                done.append(remove(unlocked, case, items, reason=reason, progress=advance))
    answer({"cases": [_document(one) for one in done]}, as_json=as_json, lines=_lines(done))
    if any(one.left for one in done):
        raise typer.Exit(exits.PARTLY)


def _agreed(chosen: list[tuple[Case, list[Item]]]) -> bool:
    for case, items in chosen:
        for item in items:
            say(f"{printable(case.name)}: {item.id.hex()[:8]} {size_text(item.size)} {shown_path(item.name)}")
    count = sum(len(items) for __, items in chosen)
    return terminal.confirm(
        _("Remove {count} document(s) for all members? It cannot be undone.").format(count=count),
        _("in a script: --yes"),
    )


def _document(done: Removed) -> dict[str, Any]:
    return {
        "case": done.case,
        "removed": [{"id": item.id.hex(), "name": shown_path(item.name)} for item in done.items],
        "packs": done.packs,
        "freed": done.freed,
        "sharing": done.sharing,
        "exported": done.exported,
        "left": [{"pack": f.about, "what": f.what} for f in done.left],
    }


def _lines(done: list[Removed]) -> list[str]:
    lines = []
    for one in done:
        lines.append(
            _("{case}: removed {count} document(s); {packs} pack(s) were written anew").format(
                case=printable(one.case), count=len(one.items), packs=one.packs
            )
        )
        lines += [
            _("pack {about} still has bytes of them: {what}").format(about=f.about, what=one_line(f.what))
            for f in one.left
        ]
        if one.sharing:
            lines.append(
                _("{sharing} of them have bytes in common with documents that stay: these bytes stay, too").format(
                    sharing=one.sharing
                )
            )
        if one.exported:
            lines.append(
                _("{exported} of them were exported: those bundles still have them").format(exported=one.exported)
            )
    return [*lines, *map(_, WHAT_STAYS)]


def compact_case(
    case_name: Annotated[str, typer.Argument(metavar="CASE", help="A case's name or id.")],
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put small packs of a case together, and drop what no document needs.

    Each new pack is read back before the old ones go. If other copies of the vault file into this case, bring their
    packs here first: they may rely on what would be dropped.
    """
    from vault.cases import find_case
    from vault.compacting import compact

    with opened(vault, passphrase_file, token) as unlocked, terminal.progress(_("compacting")) as advance:
        done = compact(unlocked, find_case(unlocked, case_name), progress=advance)
    answer(
        {"case": done.case, "packs_before": done.before, "packs": done.after, "freed": done.freed,
         "left": [{"pack": f.about, "what": f.what} for f in done.left]},
        as_json=as_json,
        lines=[_compacted(done)]
        + [_("  left as it is: pack {about}: {what}").format(about=f.about, what=one_line(f.what)) for f in done.left],
    )  # fmt: skip
    if done.left:
        raise typer.Exit(exits.PARTLY)


def _compacted(done: Compacted) -> str:
    text = (
        _("{case}: {before} pack(s) before, {after} now; {size} less")
        if done.freed >= 0
        else _("{case}: {before} pack(s) before, {after} now; {size} more")
    )
    return text.format(case=printable(done.case), before=done.before, after=done.after, size=size_text(abs(done.freed)))
