# SPDX-License-Identifier: Apache-2.0
"""What `export` and `open` say and ask where somebody has only older or other programs: an age before 1.3, or 7-Zip."""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli.session import lies_a_vault
from vault.errors import BadInput
from vault.names import printable
from vault.terminal import NoTerminal

if TYPE_CHECKING:
    from keys.secret import Secret

ClassicOption = Annotated[
    bool,
    typer.Option("--classic", help="For recipients that begin with age1 but not age1pq1, of age before 1.3."),
]
ZipOption = Annotated[
    bool,
    typer.Option("--zip", help="An encrypted ZIP instead, for 7-Zip; a passphrase is made and shown once."),
]
ZipPassphraseOption = Annotated[
    str | None,
    typer.Option(
        "--zip-passphrase-file", metavar="FILE", show_default=False,
        help="Read the passphrase of a ZIP from a file's first line.",
    ),
]  # fmt: skip


def expect_one_way(
    *, to: list[str] | None, recipients: list[str], classic: bool, as_zip: bool, in_parts: bool
) -> None:  # fmt: skip
    """Raise BadInput when the options of `export` do not go together."""
    if classic and to:
        raise BadInput(
            _("{name} has a post-quantum key, which cannot share a file with keys of the older kind").format(
                name=printable(to[0])
            ),
            _("--classic takes --recipient and --recipients-file alone; seal for contacts in a file of their own"),
        )
    if as_zip and (to or recipients or classic):
        raise BadInput(
            _("a ZIP is for whoever has its passphrase, and not for contacts or recipients"),
            _("leave out --to, --recipient, --recipients-file and --classic; or leave out --zip"),
        )
    if as_zip and in_parts:
        raise BadInput(_("a ZIP is one file: leave out --volume-size"))


def new_zip_passphrase(wanted: bool, *, as_json: bool) -> Secret | None:
    """A passphrase for a ZIP, or None if none is wanted. Raises NoTerminal when nobody could be told it."""
    if not wanted:
        return None
    from vault.zipped import new_words

    if not as_json:
        try:
            terminal.expect_somebody()
        except NoTerminal:
            raise NoTerminal(
                _("there is no terminal to show the passphrase of the ZIP on, so nothing was sealed"),
                _("in a script: --json, and the passphrase is in the document"),
            ) from None
    return new_words()


def notes(*, classic: bool, as_zip: bool) -> list[str]:
    """What is lost by sealing in this way."""
    lost = []
    if classic:
        lost.append(
            _(
                "note: not sealed against quantum computers: whoever keeps the file may read it once there are any "
                "large enough"
            )
        )
    if as_zip:
        lost += [
            _("note: weaker than age: everybody who learns the passphrase can read it, and pass it on in your name"),
            _("note: say the passphrase by another way than the ZIP goes, best by voice; nobody can recover it"),
        ]
    return lost


def outside_lines(*, as_zip: bool, classic: bool, contacts: bool, me_too: bool) -> list[str]:
    """Who can open what was sealed, what shows of it from outside, and what remains to be done.

    ``contacts`` says whether it is for somebody whose card is known, and who thus has a vault to sign a receipt with.
    """
    if as_zip:
        return [
            _(
                "whoever has the passphrase can open it. From outside it shows its size, rounded up, and "
                "that it is an encrypted ZIP; not what is in it, nor by whom"
            ),
            _("on its way, not safe yet: for a ZIP nobody can make a receipt"),
        ]
    return [
        _(
            "only they can open it. From outside it shows its size and how many it is for, both rounded up; not "
            "whom, nor by whom"
        )
        if me_too
        else _(
            "only they can open it; you cannot. From outside it shows its size and how many it is for, both rounded "
            "up; not whom, nor by whom"
        ),
        _receipt_line(classic=classic, contacts=contacts),
    ]


def _receipt_line(*, classic: bool, contacts: bool) -> str:
    if classic:
        return _("on its way, not safe yet: for a recipient of the older kind nobody can make a receipt")
    if not contacts:
        return _(
            "on its way, not safe yet: only whoever opens it with the key of a vault of their own can make a receipt"
        )
    return _("on its way, not safe yet: ask them for a receipt (open FILE --receipt), and take it: sandyk receipt take")


def show_zip_passphrase(words: Secret) -> None:
    """Show the passphrase of the ZIP, once. Raises NoTerminal; then nobody can open the ZIP, and it must not stay."""
    try:
        terminal.show_once(_("The passphrase of the ZIP:"), words, _("It is not shown again, and is stored nowhere."))
    except NoTerminal as exc:
        raise NoTerminal(
            _("the terminal went away before the passphrase of the ZIP was shown"),
            _("the ZIP was removed, and the record says nothing of it; run the command again at a terminal"),
        ) from exc


def needs_no_vault(files: Sequence[str], *vault: str | None) -> bool:
    """Whether this is a ZIP, which its passphrase alone opens, and there is no vault that could tell who the sender is.

    ``vault``: what was said of one, its folder first.
    """
    from vault.sealed_files import is_zip

    return len(files) == 1 and not any(vault) and not lies_a_vault() and is_zip(files[0])


def ask_zip_passphrase(passphrase_file: str | None) -> Secret:
    """The passphrase of a ZIP that is to be opened. Raises BadInput, NoTerminal."""
    if passphrase_file is not None:
        return terminal.read_passphrase_file(passphrase_file)
    return terminal.ask_passphrase(_("Passphrase of the ZIP: "), _("in a script: --zip-passphrase-file FILE"))
