# SPDX-License-Identifier: Apache-2.0
"""`receipt`: what an editor signed comes back, and marks documents as safe abroad."""

from __future__ import annotations

import os
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    one_line,
    opened,
    shown_path,
    tally_document,
    tally_text,
)
from vault.errors import DiskFailed
from vault.names import printable
from vault.refusals import refusal
from vault.terminal import time_text

if TYPE_CHECKING:
    from keys.receipt import SignedReceipt
    from vault.receipts import Shown

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A receipt, as the editor's `open --receipt` wrote.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    receipt = typer.Typer(no_args_is_help=True, help="Receipts of editors: what is safe abroad.")
    receipt.command("take")(take)
    receipt.command("show")(show)
    app.add_typer(receipt, name="receipt")


def take(
    file: FileArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a receipt, and record which documents are safe abroad by it.

    It counts when somebody signed it whose words you compared, and the bundle was sealed for them. The file stays; you
    may take it twice.
    """
    from vault import receipts

    with opened(vault, passphrase_file, token) as unlocked:
        taken = receipts.take(unlocked, file)
    text = (
        _("signed by {editor}: {items} document(s) verified there, {before} of them safe before")
        if taken.new < taken.items
        else _("signed by {editor}: {items} document(s) verified there")
    )
    answer(
        {
            "case": taken.case, "editor": taken.editor, "items": taken.items, "new": taken.new,
            "opened_ns": taken.opened_ns, **tally_document(taken.tally),
        },
        as_json=as_json,
        lines=(
            text.format(editor=printable(taken.editor), items=taken.items, before=taken.items - taken.new),
            _("opened {opened_ns} by their clock").format(opened_ns=time_text(taken.opened_ns)),
            f"{printable(taken.case)}: {tally_text(taken.tally)}",
            _("keep the file: it is the proof, the record has its hash (sandyk receipt show)"),
        ),
    )  # fmt: skip


def show(
    file: FileArgument,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", show_default=False,
            help="Write it there in clear, to be checked with OpenSSL. It names the editor's key.",
        ),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """What a receipt says, who signed it, and whether it counts. Nothing is recorded."""
    from vault import receipts

    with opened(vault, passphrase_file, token) as unlocked:
        shown = receipts.show(unlocked, file)
        if output is not None:
            _write(shown.signed, output)
    answer(_document(shown), as_json=as_json, lines=_lines(shown, output))


def _write(signed: SignedReceipt, folder: str) -> None:
    from vault import receipt_proof
    from vault.disk import Disk
    from vault.elsewhere import expect_outside_vaults
    from vault.sealing import write_new

    expect_outside_vaults(folder)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as exc:
        raise DiskFailed(
            _("the folder {folder} cannot be made: {reason}").format(
                folder=printable(folder), reason=refusal(exc)
            )
        ) from exc
    for name, content in receipt_proof.files(signed).items():
        write_new(os.path.join(folder, name), content, disk=Disk())


def _document(shown: Shown) -> dict[str, Any]:
    receipt = shown.signed.receipt
    return {
        "counts": shown.objection is None, "objection": shown.objection, "case": shown.case,
        "editor": {"name": shown.name, "words": " ".join(receipt.editor.words), "key": receipt.editor.signing.hex()},
        "bundle": receipt.bundle_id.hex(), "manifest_sha256": receipt.tag_manifest_sha256.hex(),
        "opened_ns": receipt.opened_ns, "statement_sha256": shown.signed.digest.hex(),
        "documents": [
            {"sha256": digest.hex(), "name": shown_path(shown.names[digest]) if digest in shown.names else None}
            for digest in receipt.documents
        ],
    }  # fmt: skip


def _lines(shown: Shown, output: str | None) -> list[str]:
    receipt = shown.signed.receipt
    words = " ".join(receipt.editor.words)
    lines = [
        _("bundle {bundle_id}: {count} document(s)").format(
            bundle_id=receipt.bundle_id.hex(), count=len(receipt.documents)
        ),
        _("opened {opened_ns}, by the clock of the one who signed").format(opened_ns=time_text(receipt.opened_ns)),
        _("signed by {name}: {words}").format(name=printable(shown.name), words=words)
        if shown.name
        else _("signed by an unknown key: {words}").format(words=words),
        _("it counts")
        if shown.objection is None
        else _("it does NOT count: {objection}").format(objection=one_line(shown.objection)),
        *(f"{digest.hex()}  {shown_path(shown.names.get(digest, b''))}".rstrip() for digest in receipt.documents),
    ]
    return (
        [*lines, _("written to {output}, in clear: receipt.txt says how to check it").format(output=printable(output))]
        if output
        else lines
    )
