# SPDX-License-Identifier: Apache-2.0
"""`key`: shares of one's key for people abroad. The way back in with them is ``vault.cli.recovering``'s."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli.recovering import register as register_recovering
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    opened,
    read_text,
    table,
)
from vault.errors import BadInput, NotAllowed
from vault.names import printable
from vault.terminal import say, time_text

if TYPE_CHECKING:
    from keys.share_set import ShareSet
    from vault.holding import Received
    from vault.vaults import Vault

FileArgument = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The share as it came, or the texts of its QR codes; - for stdin."),
]
HolderArgument = Annotated[str, typer.Argument(metavar="HOLDER", help="Who has a share, as `key list` names them.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    key = typer.Typer(no_args_is_help=True, help="Shares of your key, for a forgotten passphrase.")
    key.command("split")(split)
    key.command("list")(list_shares)
    key.command("ask")(ask)
    key.command("check")(check)
    key.command("show")(show)
    register_recovering(key)
    key.command("revoke")(revoke)
    app.add_typer(key, name="key")


def split(
    to: Annotated[list[str], typer.Option("--to", metavar="CONTACT", help="Who gets a share; repeat it for each.")],
    threshold: Annotated[int, typer.Option("--threshold", metavar="N", help="How many shares are needed together.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FOLDER", help="Write the sealed shares there.")],
    count: Annotated[
        int | None,
        typer.Option("--shares", metavar="N", show_default=False, help="How many shares; as many as there are --to."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", show_default=False,
            help="What the shares call you; without it only the words of your card are in them.",
        ),
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Each share also as QR codes to print, an SVG file.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also to contacts whose words you did not compare.")
    ] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Give people shares of a key that let you back in together.

    For a forgotten passphrase: enough holders read you their words, and you choose a new one. After an emergency wipe
    no share opens anything. Shares made before open nothing from then on.
    """
    from vault import sharing

    if count is not None and count != len(to):
        raise BadInput(
            _("{count} shares need {count} people, and {named} are named").format(count=count, named=len(to)),
            _("each person gets one share: name each with --to"),
        )
    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        people = sharing.recipients(unlocked, to, unverified=unverified)
        for person in people:
            if person.here:
                text = _("note: the keys of {name} are in this same vault, and go when yours go")
                say(text.format(name=printable(person.name)))
        made = sharing.split(unlocked, people, threshold, output, name=name, sheets=qr)
        needs_half = unlocked.needs_outside_half
    answer(
        {
            "set": made.set_id.hex(), "threshold": threshold, "replaced": made.replaced,
            "shares": [
                {"holder": file.holder, "number": number, "file": file.path, "qr": file.sheet}
                for number, file in enumerate(made.files, 1)
            ],
        },
        as_json=as_json,
        lines=(
            *(
                _("share {number} for {name}: {path}").format(
                    number=number, name=printable(file.holder), path=printable(file.path)
                )
                for number, file in enumerate(made.files, 1)
            ),
            _("any {threshold} of these {count} people can let you back in; fewer cannot").format(
                threshold=threshold, count=len(made.files)
            ),
            *([_("the shares that you made before open nothing any more")] if made.replaced else ()),
            *([_("your outside half is needed as well: it is in no share")] if needs_half else ()),
            _("send each file to its person; then ask whether it opens: sandyk key ask NAME"),
            _("that many of them, with this disk or a copy of it, can also open it without you"),
            _("after sandyk panic no share opens anything, and without this vault's files neither"),
        ),
    )  # fmt: skip


def list_shares(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who has shares of your key, and when each was last known to open."""
    from vault import sharing

    with opened(vault, passphrase_file, token) as unlocked:
        shares, unfinished = sharing.standing(unlocked)
    answer(_document(shares, unfinished=unfinished), as_json=as_json, lines=_lines(shares, unfinished=unfinished))


def _document(shares: ShareSet | None, *, unfinished: bool) -> dict[str, Any]:
    return {
        "set": shares.set_id.hex() if shares else None,
        "made_ns": shares.made_ns if shares else None,
        "threshold": shares.threshold if shares else None,
        "unfinished": unfinished,
        "shares": [
            {"number": number, "holder": holder.name, "asked": holder.challenge, "checked_ns": holder.checked_ns}
            for number, holder in enumerate(shares.holders if shares else (), 1)
        ],
    }


def _lines(shares: ShareSet | None, *, unfinished: bool) -> list[str]:
    if unfinished:
        return [
            _("shares were begun and not finished; some of them may open something"),
            _("make them anew: sandyk key split; or take them back: sandyk key revoke"),
        ]
    if shares is None:
        return [_("no shares of a key of yours open anything; sandyk key split makes them")]
    rows = [
        (
            str(number), printable(holder.name),
            _("never asked") if holder.checked_ns is None
            else _("opened on {date}").format(date=time_text(holder.checked_ns)),
        )
        for number, holder in enumerate(shares.holders, 1)
    ]  # fmt: skip
    head = _("set {set_id}, made on {date}; any {threshold} of {count} let you back in").format(
        set_id=shares.shown_id, date=time_text(shares.made_ns), threshold=shares.threshold, count=len(shares.holders)
    )
    return [head, *table(rows), _("shares of any other set open nothing here any more")]


def standing_of(unlocked: Vault) -> tuple[dict[str, Any] | None, list[str]]:
    """For `status`: how many shares are out, and when one was last known to open. None, and no line, without any."""
    from vault import sharing

    shares, unfinished = sharing.standing(unlocked)
    if shares is None:
        return None, _lines(None, unfinished=True) if unfinished else []
    checked = [holder.checked_ns for holder in shares.holders if holder.checked_ns is not None]
    last = max(checked, default=None)
    line = _("shares of your key: set {set_id}; any {threshold} of {count} let you back in; {checked}").format(
        set_id=shares.shown_id, threshold=shares.threshold, count=len(shares.holders),
        checked=_("never asked") if last is None
        else _("{number} of them answered, the last on {date}").format(number=len(checked), date=time_text(last)),
    )  # fmt: skip
    return {
        "set": shares.set_id.hex(), "made_ns": shares.made_ns, "threshold": shares.threshold,
        "count": len(shares.holders), "answered": len(checked), "last_checked_ns": last,
    }, [line]  # fmt: skip


def ask(
    holder: HolderArgument,
    answered: Annotated[
        str | None,
        typer.Option("--answer", metavar="WORDS", show_default=False, help="The four words that they answered."),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a holder whether their share still opens.

    Four words to read to them, new each time; with --answer the four words that their `key check` gave. Nothing of the
    share is said.
    """
    from vault import asking

    with opened(vault, passphrase_file, token) as unlocked:
        if answered is None:
            number, challenge = asking.ask(unlocked, holder)
            document = {"holder": holder, "number": number, "challenge": challenge, "opens": None}
            lines = [
                _("read to {name}, who has share {number}: {challenge}").format(
                    name=printable(holder), number=number, challenge=challenge
                ),
                _("they run: sandyk key check FILE --challenge WORDS, and read four words to you"),
                _("then: sandyk key ask {name} --answer WORDS").format(name=printable(holder)),
            ]
        else:
            number = asking.take_answer(unlocked, holder, answered)
            document = {"holder": holder, "number": number, "challenge": None, "opens": True}
            lines = [
                _("whoever answered has share {number}, and it opens").format(number=number),
                _("that it was {name}, only their voice tells you").format(name=printable(holder)),
            ]
    answer(document, as_json=as_json, lines=lines)


def check(
    file: FileArgument,
    challenge: Annotated[
        str | None,
        typer.Option("--challenge", metavar="WORDS", show_default=False, help="Four words that its owner read out."),
    ] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Whether a share that you hold is whole, and of which set, without its words.

    Whether that set still opens anything, its owner knows. With --challenge also four words to answer with, which show
    the owner that you have it.
    """
    from keys.share_set import SHOWN_ID

    with opened(vault, passphrase_file, token) as unlocked:
        received = _received(unlocked, file)
        reply = None if challenge is None else received.answer(challenge)
    held = received.held
    answer(
        {
            "owner": received.owner, "verified": received.verified, "name": held.name, "words": " ".join(held.owner),
            "set": held.set_id.hex(), "number": held.share.index, "count": held.count,
            "threshold": held.share.threshold, "made": held.made.isoformat(), "answer": reply,
        },
        as_json=as_json,
        lines=(
            _(
                "this share is whole: number {number} of {count} in set {set_id}, of {date}; {threshold} are needed"
            ).format(
                number=held.share.index, count=held.count, set_id=held.set_id.hex()[:SHOWN_ID],
                date=held.made.isoformat(), threshold=held.share.threshold,
            ),
            *_whose(received),
            _("whether its set still opens anything, only its owner can tell: sandyk key list shows which one does"),
            *([_("answer with: {answer}").format(answer=reply)] if reply else ()),
        ),
    )  # fmt: skip


def show(
    file: FileArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
) -> None:
    """Show the words of a share that you hold, to be read to its owner.

    On the terminal alone, until you press a key: they are not printed into a file or another program.
    """
    terminal.expect_somebody(_("the words are shown on a terminal only; another age program opens the file too"))
    with opened(vault, passphrase_file, token) as unlocked:
        received = _received(unlocked, file)
    for line in _whose(received):
        say(line)
    say(
        _("{threshold} such shares, with their disk or a copy of it, open all that they have there").format(
            threshold=received.held.share.threshold
        )
    )
    question = _("Did they ask you for it, and do you know their voice?")
    if not terminal.confirm(question):
        raise BadInput(_("nothing was shown"), _("call them back at a number that you have had for long"))
    _show_words(received)


def _show_words(received: Received) -> None:
    """The words, on the terminal's other screen until a key is pressed; where there is none, on this one."""
    words = received.held.share.words.expose().decode("ascii").split()
    rows = [
        " ".join(f"{number:2} {word:8}" for number, word in enumerate(words[at : at + 5], at + 1))
        for at in range(0, len(words), 5)
    ]
    heading = _("Share {number}:").format(number=received.held.share.index)
    below = _("They type them at: sandyk key recover. Four letters of each word are enough.")
    from vault.alternate_screen import alternate_screen

    try:
        with alternate_screen() as screen:
            typed = b""
            while not typed:
                screen.draw([heading, "", *rows, "", below], _("press a key: the words go from the screen"))
                typed = screen.key()
    except NotAllowed:
        from keys.secret import Secret

        with Secret("\n    ".join(rows).encode("ascii")) as shown:
            terminal.show_once(heading, shown, below, _("this terminal keeps them: clear it, or close it"))


def _received(unlocked: Vault, file: str) -> Received:
    from vault.holding import MAX_READ, receive

    return receive(unlocked, read_text(file, MAX_READ))


def _whose(received: Received) -> list[str]:
    name, words = received.held.name, " ".join(received.words)
    if received.owner is None:
        lines = [
            _("whose it is cannot be told: no card that you keep has its key; it gives the words {words}").format(
                words=words
            ),
            _("anybody can write these words: keep its owner's card (sandyk contact add), and check it again"),
        ]
    elif received.verified:
        lines = [_("it is of {name}").format(name=printable(received.owner))]
    else:
        lines = [
            _("it is of {name}, whose words you did not compare: {words}").format(
                name=printable(received.owner), words=words
            )
        ]
    if name is not None:
        lines.append(_("they call themselves {name} in it").format(name=printable(name)))
    return lines


def revoke(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the shares of your key open nothing here any more."""
    from vault import sharing

    with opened(vault, passphrase_file, token, afresh=True) as unlocked:
        sharing.revoke(unlocked)
    answer(
        {"revoked": True},
        as_json=as_json,
        lines=(
            _("the shares of your key open nothing here any more"),
            _("a copy of the keyring made before (a backup, a snapshot, a disk image) still opens with enough of them"),
        ),
    )
