# SPDX-License-Identifier: Apache-2.0
"""`export`: sealed files out."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import copies, parts, receivers, stamps
from vault.cli.copies import CleanOnlyOption, CleanOption
from vault.cli.parts import RepairOption, VolumeOption
from vault.cli.receivers import ClassicOption, ZipOption
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    opened,
    read_text,
)
from vault.cli.stamps import RootsOption, TimestampOption
from vault.errors import BadInput, DiskFailed
from vault.names import printable
from vault.refusals import refusal
from vault.terminal import say, size_text

if TYPE_CHECKING:
    from vault.exporting import Addressee, Exported


class SignAs(StrEnum):
    """With whose key a bundle is signed."""

    ME = "me"
    NEWSROOM = "newsroom"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("export")(export)


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
    no_sources: Annotated[
        bool, typer.Option("--no-sources", help="Leave out who or what each document came from.")
    ] = False,
    no_thumbnails: Annotated[
        bool, typer.Option("--no-thumbnails", help="No small pictures in the bundle's catalogue.")
    ] = False,
    sign_as: Annotated[
        SignAs, typer.Option("--as", help="Who signs: you, or the newsroom with the case's key, naming none of you.")
    ] = SignAs.ME,
    timestamp: TimestampOption = None,
    tsa_ca: RootsOption = None,
    clean: CleanOption = False,
    clean_only: CleanOnlyOption = False,
    classic: ClassicOption = False,
    as_zip: ZipOption = False,
    volume_size: VolumeOption = None,
    repair: RepairOption = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Seal documents of a case for people, signed by you or by the newsroom.

    All of the case, or what --item names. Notes and sources go with them, but for --no-sources.
    """
    from vault import exporting
    from vault.cases import find_case

    if output in ("", "-"):
        raise BadInput(_("say where to: -o FILE, or a folder for it"))
    stamper = stamps.stamper(timestamp, tsa_ca)
    in_parts = parts.wanted(volume_size, repair, force=force)
    bare = list(recipient or ())
    if recipients_file is not None:
        bare += exporting.recipients_in(read_text(recipients_file, exporting.MAX_RECIPIENTS_FILE))
    receivers.expect_one_way(to=to, recipients=bare, classic=classic, as_zip=as_zip, in_parts=in_parts is not None)
    strangers = exporting.bare_addressees(bare, classic=classic)
    zip_passphrase = receivers.new_zip_passphrase(as_zip, as_json=as_json)
    with opened(vault, passphrase_file, token) as unlocked:
        known = exporting.addressees(unlocked, to or ())
        _say_who_is_not_verified(known, strangers)
        people = exporting.each_once([*known, *strangers])
        case = find_case(unlocked, case_name)
        working = copies.make(unlocked, case, item or (), clean=clean, clean_only=clean_only)
        with ExitStack() as bar:
            advance = bar.enter_context(terminal.progress(_("sealing")))

            def document(sealed: Exported) -> dict[str, Any]:
                return {
                    "file": sealed.path if sealed.parts is None else None,
                    "parts": parts.written_document(sealed.parts),
                    "bundle": sealed.summary.bundle_id.hex(), "items": sealed.summary.items,
                    "timestamp": stamps.stamp_document(stamper.stamp if stamper else None),
                    "signed_as": sign_as.value, "words": sealed.words, "bytes": sealed.size,
                    "to": [person.name for person in people],
                    "not_verified": [person.name for person in people if not person.verified],
                    "manifest_sha256": sealed.summary.tag_manifest_sha256.hex(), "only_here": sealed.only_here,
                    "passphrase": zip_passphrase.expose().decode() if zip_passphrase else None,
                    **working.documents(),
                }  # fmt: skip

            def when_whole(sealed: Exported) -> None:
                bar.close()
                if zip_passphrase and as_json:
                    _print_now(document(sealed))
                elif zip_passphrase:
                    receivers.show_zip_passphrase(zip_passphrase)

            done = exporting.export(
                unlocked, case, working.references, people, output, as_newsroom=sign_as is SignAs.NEWSROOM,
                sources=not no_sources, folders=not clean_only, thumbnails=not no_thumbnails, force=force,
                in_parts=in_parts, zip_passphrase=zip_passphrase, stamp=stamper,
                when_whole=when_whole, progress=advance,
            )  # fmt: skip
    for note in receivers.notes(classic=classic, as_zip=as_zip):
        say(note)
    if no_sources:
        say(_("note: sources were left out; notes, tags, names and the documents themselves may still tell them"))
    names = ", ".join(printable(person.name) for person in people) or _(exporting.WHOEVER)
    if not (zip_passphrase and as_json):  # that one is printed: with it goes all that opens the ZIP
        answer(
            document(done),
            as_json=as_json,
            lines=(
                _("sealed {items} document(s) for {names} into {path}, {size}").format(
                    items=done.summary.items, names=names, path=printable(done.path), size=size_text(done.size)
                ),
                *_signed_lines(sign_as, done.words),
                *stamps.stamp_lines(stamper.stamp if stamper else None),
                *parts.written_lines(done.parts),
                *working.lines(),
                *receivers.outside_lines(
                    as_zip=as_zip, classic=classic, contacts=bool(known), me_too=done.for_me
                ),
                *_still_only_here(case.name, done.only_here),
            ),
        )
    working.end()


def _print_now(document: dict[str, Any]) -> None:
    """Print the JSON document while the ZIP has no name yet. Raises DiskFailed when nobody took it: nothing stays."""
    try:
        answer(document, as_json=True)
        sys.stdout.flush()
    except OSError as exc:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what was not taken would be tried again at the end
        raise DiskFailed(
            _("the passphrase of the ZIP could not be printed: {reason}").format(reason=refusal(exc).lower()),
            _("the ZIP was removed, and the record says nothing of it; run the command again"),
        ) from exc


def _signed_lines(sign_as: SignAs, words: str) -> list[str]:
    if sign_as is SignAs.ME:
        return []
    return [
        _(
            "signed with the key of the case, as the newsroom: it names none of its members' keys, unless "
            "it is for them"
        ),
        _("whoever receives it compares these words with you by voice: {words}").format(words=words),
    ]


def _still_only_here(case: str, count: int) -> list[str]:
    return (
        [_("still only here in {case}: {count} document(s)").format(case=printable(case), count=count)] if count else []
    )


def _say_who_is_not_verified(known: list[Addressee], strangers: list[Addressee]) -> None:
    for person in known:
        if not person.verified:
            say(
                _("note: the words of {name} were not compared yet (sandyk contact verify)").format(
                    name=printable(person.name)
                )
            )
    for stranger in strangers:
        say(_("note: nobody verified whose key {name} is").format(name=stranger.name))
    if strangers:
        say(
            _(
                "note: if somebody put their own key in its place, they can read this: compare all of it over "
                "a second way"
            )
        )
