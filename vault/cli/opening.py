# SPDX-License-Identifier: Apache-2.0
"""`open`: sealed files in."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli import exits, receivers
from vault.cli.parts import joined_document, joined_lines
from vault.cli.receivers import ZipPassphraseOption
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    one_line,
    opened,
    quoted,
    shown_path,
)
from vault.cli.signers import say_how_to_trust, signed_line, signer_document
from vault.cli.stamps import RootsOption, roots_in, stamp_document, stamp_lines
from vault.cli.wildcards import expanded
from vault.errors import BadInput, VaultError
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from vault.opening import Opened


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("open")(open_command)


def open_command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="A bundle, a drop, or any age file sealed for you; a ZIP of sandyk's; or parts of one bundle, or the "
            "folder they are in.",
        ),
    ],
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
    zip_passphrase_file: ZipPassphraseOption = None,
    tsa_ca: RootsOption = None,
    receipt: Annotated[
        str | None,
        typer.Option(
            "--receipt", metavar="FILE", show_default=False,
            help="Afterwards write your signed receipt there, sealed for the sender: send it back.",
        ),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Open a sealed file: verify all of it, and say who signed it.

    What is inside is written to a folder, or filed into a case, only when all of it was verified. Of a bundle in
    parts, one part is enough to name: the others are looked for beside it. A ZIP needs no vault; where there is none,
    no sender is known.
    """
    from keys.memory import harden
    from vault import opening, receipts
    from vault.bundle_layout import CARD
    from vault.cases import find_case

    if output in ("", "-") or (output is None) == (into is None):
        raise BadInput(_("say where to: -o DIR for a folder, or --into CASE"))
    if identity is not None and into is not None:
        raise BadInput(_("a case is in a vault: open it with your passphrase, not with --identity"))
    if receipt is not None and identity is not None:
        raise BadInput(
            _("a receipt is signed with a key from a vault: open it with your passphrase, not with --identity")
        )
    if {passphrase_file, zip_passphrase_file} == {"-"}:
        raise BadInput(_("standard input cannot be both passphrases"))
    if receipt is not None:
        receipts.check_place(receipt)
    roots = roots_in(tsa_ca)
    files = expanded(files)
    zip_passphrase = partial(receivers.ask_zip_passphrase, zip_passphrase_file)
    no_receipt: VaultError | None = None
    alone = into is None and receipt is None and receivers.needs_no_vault(files, vault, passphrase_file, token)
    way = nullcontext(None) if identity is not None or alone else opened(vault, passphrase_file, token)
    with way as unlocked, terminal.progress(_("opening")) as advance:
        if unlocked is None:
            harden()
            keys, sealed = opening.what_to_open_without_vault(files, identity, zip_passphrase)
            result = opening.open_into_folder(sealed, keys, output or ".", None, roots=roots, progress=advance)
        elif into is not None:
            case = find_case(unlocked, into)
            sealed = opening.what_to_open(files, opening.identities_for(unlocked, case), zip_passphrase)
            result = opening.open_into_case(unlocked, case, sealed, roots=roots, progress=advance)
        else:
            keys = opening.identities_of(unlocked)
            sealed = opening.what_to_open(files, keys, zip_passphrase)
            result = opening.open_into_folder(
                sealed, keys, output or ".", unlocked, roots=roots, progress=advance
            )  # fmt: skip
        if unlocked is not None and receipt is not None:
            try:
                receipts.give(unlocked, result, receipt, in_folder=into is None)
            except VaultError as exc:  # the documents are there in any case, and are told of first
                no_receipt = exc
    sender = result.sender
    answer(
        {
            "kind": result.kind, "place": result.place, "title": result.title,
            "signer": signer_document(sender),
            "kept": result.kept,
            "timestamp": stamp_document(result.stamp),
            "receipt": receipt if no_receipt is None else None,
            "parts": joined_document(result.joined),
            "not_examined": [shown_path(name) for name in _not_examined(result)],
            "items": [
                {"name": shown_path(d.name), "path" if output else "id": d.place or None, "bytes": d.size,
                 "sha256": d.sha256.hex()}
                for d in result.documents
            ],
        },
        as_json=as_json,
        lines=[
            *_opened_lines(result, into is not None),
            *(_receipt_lines(receipt, result) if receipt is not None and no_receipt is None else ()),
        ],
    )  # fmt: skip
    if no_receipt is not None:
        _say_why_no_receipt(no_receipt)
    if not result.trusted:
        assert sender is not None
        say(_("sandyk: it is whole, and it was kept; but nobody you trust vouches for it"))
        say_how_to_trust(sender, "" if into is not None else quoted(printable(f"{result.place}/{CARD}")))
        raise typer.Exit(exits.NOT_TRUSTED)
    if no_receipt is not None:
        raise typer.Exit(exits.PARTLY)


def _not_examined(result: Opened) -> tuple[str, ...]:
    return result.tags.not_examined if result.tags else ()


def _receipt_lines(path: str, result: Opened) -> list[str]:
    name = printable(result.sender.name) if result.sender and result.sender.name else _("the sender")
    return [
        _("receipt written to {path}: your signed word that you have these documents").format(path=printable(path)),
        _(
            "send it back to {name}, by any way: only they can open it. They take it with: sandyk receipt take FILE"
        ).format(name=name),
    ]


def _say_why_no_receipt(reason: VaultError) -> None:
    say(f"sandyk: {one_line(str(reason))}")
    for hint in reason.hints:
        say(_("hint: {hint}").format(hint=one_line(hint)))
    say(_("hint: the documents were opened and are there"))


def _opened_lines(result: Opened, filed: bool) -> list[str]:
    count = len(result.documents)
    lines = [_("{kind}: {count} document(s), all verified").format(kind=_(result.kind), count=count)]
    lines += joined_lines(result.joined)
    if filed:
        lines.append(
            _("filed into {place}: {count} document(s)").format(
                place=printable(result.place), count=count - result.filed_before
            )
        )
    else:
        lines.append(_("written to {place}, in clear").format(place=printable(result.place)))
    if result.kept:
        lines.append(_("of these, written by an earlier run and verified again: {kept}").format(kept=result.kept))
    if result.filed_before:
        lines.append(
            _("filed before, under the same name and with the same content: {filed_before}").format(
                filed_before=result.filed_before
            )
        )
    lines += stamp_lines(result.stamp, result.tags)
    if unknown := _not_examined(result):
        lines.append(
            _("not known to this version, so only their SHA-256 was compared: {names}").format(
                names=", ".join(map(printable, unknown))
            )
        )
    return [*lines, signed_line(result.sender)]
