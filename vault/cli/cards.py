# SPDX-License-Identifier: Apache-2.0
"""Cards as people hand them on: files, and QR codes whose texts a phone gives."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault.cli.session import read_text
from vault.errors import BadInput, NewerFormat
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from keys.card import Card

QrOption = Annotated[
    str | None,
    typer.Option(
        "--qr", metavar="FILE", show_default=False,
        help="Also as QR codes: a new FILE.svg or FILE.png to print or show; - for this terminal.",
    ),
]  # fmt: skip
_KIND = "CARD"


def read_card(path: str) -> Card:
    """The card in a file (``-`` for standard input), as its text or as the texts of its QR codes.

    Raises BadInput, Damaged, MalformedCard, NewerFormat.
    """
    from keys.card import MAX_CARD_SIZE, parse_card
    from keys.errors import NewerFormat as KeysNewer
    from vault import qr_text

    untrusted = read_text(path, MAX_CARD_SIZE)
    if qr_text.looks_like_lines(untrusted):
        untrusted = qr_text.content_of(untrusted, _KIND, limit=MAX_CARD_SIZE)
    try:
        return parse_card(untrusted)
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc


def check_place(path: str | None, *, as_json: bool) -> None:
    """Refuse what cannot be drawn to before anything is asked. Raises BadInput."""
    if path == "-" and as_json:
        raise BadInput(_("standard output holds one JSON document: name a file for the QR codes"))
    if path is not None and path != "-" and not path.lower().endswith((".svg", ".png")):
        raise BadInput(_("QR codes are drawn into a file that ends in .svg or .png, or with - on this terminal"))


def draw(text: str, path: str) -> int:
    """Draw a card's QR codes; how many there are. Raises AlreadyThere, DiskFailed."""
    from vault import qr, qr_text
    from vault.disk import Disk
    from vault.sealing import write_new

    lines = qr_text.lines_of(_KIND, text.encode("ascii"))
    if path == "-":
        typer.echo(qr.terminal(lines), nl=False, color=True)
    else:
        picture = qr.svg(lines) if path.lower().endswith(".svg") else qr.png(lines)
        write_new(path, picture, disk=Disk())
    text = (
        _("{count} QR codes above: scan each with a phone, and paste their texts into one file, in any order")
        if path == "-"
        else _("{count} QR codes in {path}: scan each with a phone, and paste their texts into one file, in any order")
    )
    say(text.format(count=len(lines), path=printable(path)))
    say(_("whoever has that file: sandyk contact add NAME FILE; then compare the words by voice"))
    return len(lines)
