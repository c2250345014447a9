# SPDX-License-Identifier: Apache-2.0
"""`view`: a document in the terminal, or in a program that finds it in memory alone."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from vault import terminal
from vault.cli import exits
from vault.cli.session import PassphraseOption, TokenOption, VaultOption, folder_of, one_line, opened
from vault.errors import BadInput, DiskFailed, NotAllowed
from vault.language import later
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from vault.alternate_screen import Screen
    from vault.decoding import Text
    from vault.view_places import ViewFolder
    from vault.viewer import Held
    from vault.viewing import Picture

_COPY = later("`sandyk get ITEM -o DIR` copies it to a place of your choice")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("view")(view)


def view(
    reference: Annotated[str, typer.Argument(metavar="ITEM", help="An item's id, the beginning of one, or its path.")],
    case_name: Annotated[str | None, typer.Option("--case", metavar="CASE", help="Only in this case.")] = None,
    program: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="PROGRAM", show_default=False,
            help="Show it in this program, from a folder in memory; its options may follow in quotation marks.",
        ),
    ] = None,
    network: Annotated[bool, typer.Option("--network", help="Let the program use the network.")] = False,
    on_disk: Annotated[
        bool,
        typer.Option("--on-disk", help="Where there is no folder in memory, use one on the disk, which keeps traces."),
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", show_default=False, help="Read it as text in this encoding."),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
) -> None:  # fmt: skip
    """Look at a document without leaving it on this machine.

    Text and pictures are shown in the terminal, which is cleared afterwards. Anything else needs a program, which finds
    the document in a folder in memory that is gone when it ends, and by lock and panic. Nothing is noted in the custody
    record, unless --on-disk wrote it to a disk.
    """
    if os.name != "posix":  # and nobody types a passphrase for it
        raise NotAllowed(_("view is not built for this system"), _(_COPY))
    if program is None:
        _in_terminal(reference, case_name, encoding, vault, passphrase_file, token)
        return
    if encoding is not None:
        raise BadInput(_("--encoding is for texts in the terminal, --with for programs"))
    code = _with_program(reference, case_name, program, network, on_disk, vault, passphrase_file, token)
    if code:
        say(_("the program ended with exit code {code}").format(code=code))
        raise typer.Exit(exits.FAILED)


def _in_terminal(
    reference: str, case_name: str | None, encoding: str | None, vault: str | None, passphrase_file: str | None,
    token: str | None,
) -> None:  # fmt: skip
    from vault import filing, viewing
    from vault.cases import open_store
    from vault.decoding import decode

    if not sys.stdout.isatty():
        raise BadInput(_("standard output is no terminal, where view shows it"), _("into a pipe: sandyk get ITEM -o -"))
    if encoding is not None:
        decode(b"", encoding)  # an encoding that nobody knows is said before anybody types a passphrase
    mark = _mark(vault)
    with ExitStack() as stack:
        with opened(vault, passphrase_file, token) as unlocked:
            case, item = filing.find_item(unlocked, case_name, reference)
            # Nothing is put there: it is how `lock` and panic find what is shown here, and end it.
            stack.enter_context(viewing.one_view(mark, size=0, on_disk=True))
            with open_store(unlocked, case) as store:
                document = viewing.read(store, item)
        _show(item.name, document, encoding)


def _show(name: bytes, document: bytes, encoding: str | None) -> None:
    from vault import pager, viewing
    from vault.alternate_screen import alternate_screen
    from vault.decoding import Text

    size = os.get_terminal_size(sys.stdout.fileno())
    try:
        shown = viewing.for_terminal(document, size.columns, size.lines - 1, encoding)
    except NotAllowed as exc:
        exc.hints = (*exc.hints, _("in a program, from memory alone: sandyk view ITEM --with PROGRAM"))
        raise
    with alternate_screen() as screen:
        if isinstance(shown, Text):
            pager.read(screen, shown.text, _title(name, shown))
        else:
            _show_picture(screen, name, shown)


def _show_picture(screen: Screen, name: bytes, shown: Picture) -> None:
    from vault import halfblocks, pager

    full = os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    lines = halfblocks.lines(
        shown.pixels, shown.width, shown.height, colours=1 << 24 if full else 256, block="\u2580" if unicode else " "
    )
    status = _("any key closes it: {name}").format(name=printable(name))
    screen.draw(list(lines), pager.fitting(status, screen.size[0]))
    while not screen.key():
        continue  # of another size: what it makes of the picture is the terminal's


def _title(name: bytes, shown: Text) -> str:
    if shown.guessed:
        return _("{name} ({encoding} by its looks, else: --encoding)").format(
            name=printable(name), encoding=shown.encoding
        )
    return printable(name)


def _with_program(
    reference: str, case_name: str | None, program: str, network: bool, on_disk: bool, vault: str | None,
    passphrase_file: str | None, token: str | None,
) -> int:  # fmt: skip
    from vault import filing, view_places, viewer, viewing
    from vault.cases import open_store

    words = viewing.program_words(program)
    if not on_disk and next(view_places.memory_places(), None) is None:
        raise _with_ways_out(NotAllowed(_("no file system in memory was found on this machine")))
    mark = _mark(vault)
    with ExitStack() as stack:
        with opened(vault, passphrase_file, token) as unlocked:
            case, item = filing.find_item(unlocked, case_name, reference)
            try:
                view = stack.enter_context(viewing.one_view(mark, size=item.size, on_disk=on_disk))
            except NotAllowed as exc:
                raise _with_ways_out(exc) from exc
            with open_store(unlocked, case) as store:
                path = viewing.write(store, item, view)
        _say_where(view)  # the vault is closed: nobody needs its keys while the program runs
        folder = folder_of(vault)
        code = viewer.show(
            view, path, words, network=network, hide=viewing.to_hide(folder),
            started=lambda held: _say_what_holds(held, network, folder), handed_over=_wait_for_person,
        )  # fmt: skip
    say(_("closed: the document, and what the program wrote beside it, are removed"))
    return code


def _with_ways_out(error: NotAllowed) -> NotAllowed:
    error.hints = (
        _("--on-disk puts it on the disk, where parts of it stay in free space after it is removed"),
        _(_COPY),
    )
    return error


def _say_where(view: ViewFolder) -> None:
    from vault import viewing
    from vault.medium import Extents, gather

    if not view.in_memory:
        say(_("the document lies in clear on the disk, in {folder}").format(folder=printable(view.path)))
        say(_("it is overwritten and removed afterwards; the disk may keep old copies until it uses the space anew"))
        return
    say(_("the document lies in memory only, in {folder}").format(folder=printable(view.path)))
    note = viewing.swap_note(gather(view.path, Extents(), None))
    if note is not None:
        say(_("note: {text}").format(text=one_line(note)))


def _say_what_holds(held: Held, network: bool, folder: str) -> None:
    from vault.viewing import agent_answers

    if not held.hidden and agent_answers(folder):
        say(_("note: an agent holds the keys, and the program could ask it for them: sandyk lock, and view it again"))
    if held.files:
        say(_("the system lets the program write to no file elsewhere; what it tells other programs is not held back"))
    else:
        say(_("note: this system cannot keep the program from writing elsewhere; its home folder goes too"))
    if network or held.network:
        return
    if held.tcp:
        say(_("note: the program has no TCP; other ways through the network could not be closed"))
    else:
        say(_("note: nothing keeps the program from the network"))


def _wait_for_person() -> None:
    """The program ended at once, or another one has the document open."""
    say(_("the program ended at once, or handed the document to one that was running already"))
    say(_("note: one that needs a message bus gets one of its own with --with 'dbus-run-session -- PROGRAM'"))
    try:
        terminal.ask(_("When you have closed it, press Enter: "))
    except terminal.NoTerminal:
        say(_("nobody is at the terminal to be asked: the document is removed now"))


def _mark(vault: str | None) -> str | None:
    """Of the vault's views. What an earlier one left behind, because it was killed, is removed first."""
    from vault import view_sweep
    from vault.agent.process import mark_at
    from vault.layout import KEYRING

    mark = mark_at(os.path.join(folder_of(vault), KEYRING))
    for folder, problem in view_sweep.sweep(mark, stale_only=True):
        if problem:
            raise DiskFailed(
                _("what an earlier view left could not be removed: {reason}").format(reason=problem),
                _("it lies in {folder}").format(folder=printable(folder)),
            )
        say(_("note: an earlier view was killed; what it left is removed now"))
    return mark
