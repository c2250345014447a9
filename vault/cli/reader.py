# SPDX-License-Identifier: Apache-2.0
"""`reader`: the page with which an editor opens bundles in a browser."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from vault.cli.session import JsonOption, answer
from vault.names import printable
from vault.terminal import say


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("reader")(reader)


def reader(
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the page there.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A page that opens bundles in a browser, offline, for editors without sandyk.

    Without -o only its SHA-256 is shown, for whoever asks later what it must be.
    """
    from vault import readerpage

    if output is not None:
        readerpage.write(output)
    digest = readerpage.digest()
    written = [_("reader page written to {output}").format(output=printable(output))] if output is not None else []
    answer({"file": output, "sha256": digest}, as_json=as_json, lines=[*written, f"SHA-256 {digest}"])
    if output is not None and not as_json:
        say(_("Give it to the editor by another way than the bundles: a page that somebody exchanged steals keys."))
        say(_("Read the SHA-256 to them by voice. What they type to compare, in the folder where the page is:"))
        say(_("  Windows: certutil -hashfile reader.html SHA256"))
        say(_("  macOS:   shasum -a 256 reader.html"))
        say(_("  Linux:   sha256sum reader.html"))
