# SPDX-License-Identifier: Apache-2.0
"""What commands print of time stamps, and the options of those that ask for one or check one."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli.session import read_text
from vault.errors import BadInput
from vault.terminal import say

if TYPE_CHECKING:
    from vault.bundle import Tags
    from vault.timestamp import Roots, Stamp
    from vault.timestamping import Stamper

TimestampOption = Annotated[
    str | None,
    typer.Option(
        "--timestamp", metavar="URL", show_default=False,
        help="Have a server (RFC 3161) time stamp the signature. It learns a hash, where it is asked from, and when.",
    ),
]  # fmt: skip
RootsOption = Annotated[
    str | None,
    typer.Option(
        "--tsa-ca", metavar="FILE", show_default=False, help="Roots, in PEM, by which to check a time stamp.",
    ),
]  # fmt: skip


def stamper(url: str | None, tsa_ca: str | None) -> Stamper | None:
    """What has a signature time stamped by the server that was named. Raises BadInput. Asks nobody yet."""
    if url is None:
        if tsa_ca is not None:
            raise BadInput(_("--tsa-ca checks a time stamp: say by whom with --timestamp URL"))
        return None
    from vault.timestamping import Stamper, server_at  # nowhere else: it is what can open a connection

    server = server_at(url)
    say(_("note: {text}").format(text=server.told()))
    return Stamper(server, roots=roots_in(tsa_ca))


def roots_in(tsa_ca: str | None) -> Roots:
    """The certificates in the file that was named, if one was. Raises BadInput."""
    from vault.timestamp import MAX_ROOTS_SIZE, read_roots

    return () if tsa_ca is None else read_roots(read_text(tsa_ca, MAX_ROOTS_SIZE))


def stamp_document(stamp: Stamp | None) -> dict[str, Any] | None:
    """A time stamp as JSON shows it."""
    if stamp is None:
        return None
    return {
        "time": stamp.time.strftime("%Y-%m-%dT%H:%M:%SZ"), "accuracy_us": stamp.accuracy_us, "name": stamp.name,
        "serial": str(stamp.serial), "policy": stamp.policy, "checked_against": list(stamp.checked_against),
    }  # fmt: skip


def stamp_lines(stamp: Stamp | None, tags: Tags | None = None) -> list[str]:
    """A time stamp for a person. ``tags``: of a bundle that was opened, which may hold one that was not read."""
    if stamp is None:
        if tags is None or tags.untrusted_timestamp is None:
            return []
        return [_("time stamp: not examined, for rfc3161-client is not installed: pip install 'sandyk[timestamps]'")]
    text = (
        _(
            "time stamp over the signature: {time} UTC, by {name}; the server's certificate leads to a root that "
            "was given"
        )
        if stamp.checked_against
        else _(
            "time stamp over the signature: {time} UTC, by {name}, as it says: not checked against a root (sandyk "
            "verify FILE --tsa-ca ROOTS)"
        )
    )
    return [text.format(time=f"{stamp.time:%Y-%m-%d %H:%M:%S}", name=stamp.name or _("a server"))]
