# SPDX-License-Identifier: Apache-2.0
"""`export` and `open`: sealed files out and in."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli import exits
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    opened,
    read_text,
    shown_path,
)
from vault.errors import BadInput
from vault.names import printable
from vault.terminal import say, size_text

if TYPE_CHECKING:
    from vault.exporting import Addressee
    from vault.opening import Opened


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("export")(export)
    app.command("open")(open_command)


def export(
    case_name: Annotated[str, typer.Argument(metavar="CASE", help="A case's name or id.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="The sealed file, or a folder for it.")],
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="CONTACT", help="Whom to seal it for; may be repeated.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(
            "--recipient", metavar="AGE1PQ1...",
            help="An age recipient (post-quantum) of somebody without sandyk; may be repeated.",
        ),
    ] = None,
    recipients_file: Annotated[
        str | None,
        typer.Option("--recipients-file", metavar="FILE", show_default=False, help="Such recipients, one a line."),
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option("--item", metavar="ITEM", help="Only this document; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Seal documents of a case for people, signed by you.

    All of the case, or what --item names. Notes and sources go with them.
    """
    from vault import exporting
    from vault.cases import find_case

    bare = list(recipient or ())
    if recipients_file is not None:
        bare += exporting.recipients_in(read_text(recipients_file, exporting.MAX_RECIPIENTS_FILE))
    strangers = exporting.bare_addressees(bare)
    with opened(vault, passphrase_file, token) as unlocked:
        known = exporting.addressees(unlocked, to or ())
        _say_who_is_not_verified(known, strangers)
        people = [*known, *strangers]
        case = find_case(unlocked, case_name)
        with terminal.progress("sealing") as advance:
            done = exporting.export(unlocked, case, item or [], people, output, force=force, progress=advance)
    names = ", ".join(printable(person.name) for person in people)
    others = "only they can open it" if any(p.me for p in people) else "only they can open it; you cannot"
    answer(
        {
            "file": done.path, "bundle": done.summary.bundle_id.hex(), "items": done.summary.items,
            "bytes": done.size, "to": [person.name for person in people],
            "not_verified": [person.name for person in people if not person.verified],
            "manifest_sha256": done.summary.tag_manifest_sha256.hex(),
        },
        as_json=as_json,
        lines=(
            f"sealed {done.summary.items} document(s) for {names} into {printable(done.path)}, {size_text(done.size)}",
            f"{others}. From outside it shows its size and how many it is for, both rounded up; not whom, nor by whom",
        ),
    )  # fmt: skip


def _say_who_is_not_verified(known: list[Addressee], strangers: list[Addressee]) -> None:
    for person in known:
        if not person.verified:
            say(f"note: the words of {printable(person.name)} were not compared yet (sandyk contact verify)")
    for stranger in strangers:
        say(f"note: nobody verified whose key {stranger.name} is")
    if strangers:
        say("note: if somebody put their own key in its place, they can read this: compare all of it over a second way")


def open_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A bundle, a drop, or any age file sealed for you.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write what is inside there.", show_default=False),
    ] = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="CASE", help="File what is inside into a case.", show_default=False)
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            "--identity", metavar="FILE", show_default=False,
            help="Open with an age identity file instead of a vault; no sender is known then.",
        ),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Open a sealed file: verify all of it, and say who signed it.

    What is inside is written to a folder, or filed into a case, only when all of it was verified.
    """
    from keys.memory import harden
    from vault import opening
    from vault.cases import find_case

    if (output is None) == (into is None):
        raise BadInput("say where to: -o DIR for a folder, or --into CASE")
    if identity is not None and into is not None:
        raise BadInput("a case is in a vault: open it with your passphrase, not with --identity")
    way = nullcontext(None) if identity is not None else opened(vault, passphrase_file, token)
    with way as unlocked, terminal.progress("opening") as advance:
        if unlocked is None:
            harden()
            keys = opening.read_identity_file(identity or "")
            result = opening.open_into_folder(file, keys, output or ".", None, progress=advance)
        elif into is not None:
            result = opening.open_into_case(unlocked, find_case(unlocked, into), file, progress=advance)
        else:
            keys = opening.identities_of(unlocked)
            result = opening.open_into_folder(file, keys, output or ".", unlocked, progress=advance)
    sender = result.sender
    answer(
        {
            "kind": result.kind, "place": result.place, "title": result.title,
            "signer": None if sender is None else {
                "name": sender.name, "words": sender.words, "trusted": sender.trusted, "remark": sender.remark,
            },
            "items": [
                {"name": shown_path(d.name), "path" if output else "id": d.place or None, "bytes": d.size,
                 "sha256": d.sha256.hex()}
                for d in result.documents
            ],
        },
        as_json=as_json,
        lines=_opened_lines(result, into is not None),
    )  # fmt: skip
    if not result.trusted:
        assert sender is not None
        say("sandyk: it is whole, and it was kept; but nobody you trust vouches for it")
        say("hint: let the sender read their words to you by voice: " + sender.words)
        if sender.name is None:
            say("hint: if they are the same: sandyk contact add NAME CARD, then sandyk contact verify NAME")
        else:
            say(f"hint: if they are the same: sandyk contact verify {printable(sender.name)}")
        raise typer.Exit(exits.NOT_TRUSTED)


def _opened_lines(result: Opened, filed: bool) -> list[str]:
    count = len(result.documents)
    lines = [f"{result.kind}: {count} document(s), all verified"]
    if filed:
        lines.append(f"filed into {printable(result.place)}: {count - result.filed_before} document(s)")
    else:
        lines.append(f"written to {printable(result.place)}, in clear")
    if result.filed_before:
        lines.append(f"filed before, under the same name and with the same content: {result.filed_before}")
    if result.sender is None:
        lines.append("unsigned: nothing in it shows who made it")
    elif result.sender.name is None:
        lines.append(f"signed by an unknown key: {result.sender.words}")
    else:
        lines.append(f"signed by {printable(result.sender.name)}: {result.sender.remark}")
    return lines
