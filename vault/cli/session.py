# SPDX-License-Identifier: Apache-2.0
"""What every command shares: its options, the way to an open vault, and how answers are printed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import exits
from vault.disk import Disk
from vault.errors import BadInput, DoesNotOpen
from vault.language import spoken
from vault.layout import KEYRING
from vault.names import json_safe, printable
from vault.place import VARIABLE, NoPlace, vault_folder
from vault.refusals import refusal

if TYPE_CHECKING:
    from keys.secret import Secret
    from vault.vaults import Vault
    from vault.whereabouts import Tally

VaultOption = Annotated[
    str | None, typer.Option("--vault", metavar="DIR", help="The vault's folder.", show_default=False)
]
PassphraseOption = Annotated[
    str | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", show_default=False,
        help="Read the passphrase from a file's first line; - for standard input.",
    ),
]  # fmt: skip
NewPassphraseOption = Annotated[
    str | None,
    typer.Option(
        "--new-passphrase-file", metavar="FILE", show_default=False,
        help="Read the new passphrase from a file's first line; - for standard input.",
    ),
]  # fmt: skip
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="FILE", show_default=False,
        help="The file with the outside half, on a stick, or tpm:INDEX; else SANDYK_TOKEN.",
    ),
]  # fmt: skip
class WordsChoice(str, Enum):  # noqa: UP042  # Typer shows the values of a str Enum
    """The languages that have words for passphrases."""

    en = "en"
    ky = "ky"
    ru = "ru"
    uz = "uz"


WordsOption = Annotated[
    WordsChoice | None,
    typer.Option(
        "--words", show_default=False, help="Language of a passphrase that is made for you; else the one spoken."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A name, sealed inside the vault.")]


_SAID_FIRST: ContextVar[str | None] = ContextVar("_SAID_FIRST", default=None)


def vault_said_first(vault: str | None) -> None:
    """Remember ``--vault`` from before the command: `sandyk --vault DIR list`, as `panic` takes it too."""
    _SAID_FIRST.set(vault)


def named_vault(vault: str | None) -> str | None:
    """The folder that was named, before the command or after it; None for one's usual vault."""
    return vault or _SAID_FIRST.get()


def folder_of(vault: str | None) -> str:
    """The vault's folder. Raises BadInput when there is no telling."""
    first = _SAID_FIRST.get()
    if vault is not None and first is not None:
        raise BadInput(_("--vault is given twice"))
    try:
        return vault_folder(vault or first)
    except NoPlace as exc:
        raise BadInput(
            _("there is no telling where the vault is: {reason}").format(reason=exc), _("say it: --vault DIR")
        ) from exc


def lies_a_vault() -> bool:
    """Whether a vault was named before the command or by a variable, or lies where it is looked for."""
    if named_vault(None) is not None or os.environ.get(VARIABLE):
        return True
    try:
        return os.path.lexists(os.path.join(folder_of(None), KEYRING))
    except BadInput:
        return False


@contextmanager
def opened(
    vault: str | None, passphrase_file: str | None, token: str | None, *, afresh: bool = False
) -> Iterator[Vault]:
    """The open vault: finds it before asking for a passphrase, and forgets the keys afterwards.

    An agent that holds the keys saves the question, unless a passphrase or an outside half was named, or ``afresh``:
    for what must not be possible at a machine that somebody left unlocked.
    """
    from keys.memory import harden
    from vault.vaults import LockedVault

    harden()
    locked = LockedVault.at(folder_of(vault), disk=Disk())
    if not afresh and passphrase_file is None and token is None:
        from vault.agent.client import resume

        held = resume(locked)
        if held is not None:
            with _telling(held):
                yield held
            return
    outside_half = read_token(token)
    passphrase = read_passphrase(passphrase_file)
    try:
        with hinting_at_token(token, outside_half):
            unlocked = locked.unlock(passphrase, outside_half)
    finally:
        passphrase.close()
    with _telling(unlocked):
        yield unlocked


@contextmanager
def _telling(unlocked: Vault) -> Iterator[None]:
    """Use the vault, and say afterwards, also when it failed, what came up on the way."""
    unlocked.waiting = _say_once(_("another sandyk is working in this case: waiting for it to finish"))
    try:
        with unlocked:
            yield
    finally:
        for notice in unlocked.notices:
            terminal.say(_("note: {notice}").format(notice=one_line(notice)))


def _say_once(text: str) -> Callable[[], None]:
    told = iter((text,))

    def say() -> None:
        for line in told:
            terminal.say(line)

    return say


def read_passphrase(passphrase_file: str | None) -> Secret:
    """From the file that was named, else from the person at the terminal."""
    if passphrase_file is not None:
        return terminal.read_passphrase_file(passphrase_file)
    return terminal.ask_passphrase()


def read_new_passphrase(passphrase_file: str | None, words: WordsChoice | None = None) -> Secret:
    """A new passphrase: from the file, or typed twice, or generated of words of a language; else of the one spoken.

    Raises BadInput, NoTerminal.
    """
    from keys.errors import WeakPassphrase
    from keys.words import generate_passphrase, normalise_new

    try:
        if passphrase_file is not None:
            return normalise_new(terminal.read_passphrase_file(passphrase_file).expose().decode())
        language = spoken() if words is None else words.value
        return terminal.ask_new_passphrase(lambda: generate_passphrase(language=language), _how_to_type(language))
    except WeakPassphrase as exc:
        raise BadInput(str(exc), _("nothing was changed; a few words that mean nothing together are good")) from exc


def _how_to_type(language: str) -> str:
    if language in ("ky", "ru"):
        return _("Every letter of it is on the plain Russian keyboard: switch to that to type it.")
    return _("Every letter of it is on a plain Latin keyboard: switch to that to type it.")


def read_token(path: str | None) -> Secret | None:
    """The outside half in a file or in the TPM. Raises BadInput.

    None also when SANDYK_TOKEN names one that cannot be had now: a decoy must open after the stick was thrown away.
    """
    word = token_word(path)
    if word is None:
        return None
    from vault.halves import obtain

    try:
        return obtain(word)
    except BadInput:
        if path is not None:
            raise
        return None


@contextmanager
def hinting_at_token(given: str | None, outside_half: Secret | None) -> Iterator[None]:
    """When nothing opens, say that SANDYK_TOKEN names what could not be had; when something does, say nothing."""
    try:
        yield
    except DoesNotOpen as exc:
        if given is None and outside_half is None and token_word(None) is not None:
            exc.hints = (*exc.hints, _("SANDYK_TOKEN names an outside half that cannot be read now: is the stick in?"))
        raise


def token_word(given: str | None) -> str | None:
    """Where the outside half is: what was said, else SANDYK_TOKEN, as long as that is not empty."""
    return given if given is not None else os.environ.get("SANDYK_TOKEN") or None


def read_text(path: str, limit: int) -> bytes:
    """A small file that the user named, or standard input for ``-``. Raises BadInput."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(path, "rb") as f:
                data = f.read(limit + 1)
    except OSError as exc:
        raise BadInput(_("{path} cannot be read: {reason}").format(path=printable(path), reason=refusal(exc))) from exc
    if len(data) > limit:
        raise BadInput(_("{path} is too large to be what it should be").format(path=printable(path)))
    return data


def answer(document: dict[str, Any], *, as_json: bool, lines: Iterator[str] | list[str] | tuple[str, ...] = ()) -> None:
    """Print the one JSON document, or the lines for a person."""
    if as_json:
        # JSON between programs is UTF-8 whatever the locale says (RFC 8259, section 8.1).
        text = json_safe(json.dumps(document, ensure_ascii=False, indent=1)) + "\n"
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
    else:
        for line in lines:
            print(line)


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in aligned columns; the last one is not padded."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join([cell.ljust(w) for cell, w in zip(row[:-1], widths, strict=False)] + [row[-1]])


def name_unusable(unusable: Sequence[tuple[bytes, str]]) -> None:
    """Say which cases could not be looked into and why; ends the command with the code for a part."""
    for case_id, reason in unusable:
        terminal.say(
            _("case {case_id} cannot be used: {reason}").format(case_id=case_id.hex()[:8], reason=one_line(reason))
        )
    if unusable:
        raise typer.Exit(exits.PARTLY)


def unusable_documents(unusable: Sequence[tuple[bytes, str]]) -> list[dict[str, str]]:
    """The same, as JSON shows it."""
    return [{"id": case_id.hex(), "problem": reason} for case_id, reason in unusable]


def surroundings(folder: str) -> tuple[list[dict[str, str]], list[str]]:
    """What around the vault's folder is worth a warning: as JSON shows it, and as lines."""
    from vault.surroundings import look, warnings

    found = warnings(look(folder))
    return [{"kind": w.kind, "text": w.text} for w in found], [
        _("warning: {text}").format(text=one_line(w.text)) for w in found
    ]


def tally_text(tally: Tally) -> str:
    """How many documents are where, for a person."""
    return _("{safe} safe abroad, {sent} on their way, {here} only here").format(
        safe=tally.safe, sent=tally.sent, here=tally.here
    )


def tally_document(tally: Tally) -> dict[str, int]:
    """The same, as JSON shows it."""
    return {"safe": tally.safe, "sent": tally.sent, "only_here": tally.here}


def one_line(text: str) -> str:
    """A message as it may be printed. Names in it are escaped already; this is the net below."""
    return text if text.isprintable() else printable(text)


def quoted(path: str) -> str:
    """A path as one word of a command line, as this system's shells take it."""
    if os.name != "nt":
        return shlex.quote(path)
    return f'"{path}"' if set(path) & set(" &()^;,%$'`") else path  # no name has a quotation mark there


def shown_path(path: bytes | str) -> str:
    """A path of evidence, fit for a terminal."""
    return printable(os.fsencode(path) if isinstance(path, str) else path)
