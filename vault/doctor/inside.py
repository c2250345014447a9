# SPDX-License-Identifier: Apache-2.0
"""What only the open vault can tell: contacts, the outside half, what is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from gettext import gettext as _

from keys.share_set import ShareSet
from vault import abroad, sharing
from vault.doctor.finding import Finding, good, look, weak
from vault.names import printable
from vault.vaults import Vault

ASK_AGAIN_NS = 365 * 24 * 3600 * 10**9
"""How long nobody asked a holder before that is worth a word: the guide says once or twice a year."""


def judge_contacts(unverified: tuple[str, ...]) -> Finding:
    """Names of contacts whose words nobody compared."""
    if not unverified:
        return good("contacts", _("the words of every contact were compared"))
    names = ", ".join(printable(name) for name in unverified)
    return look(
        "contacts", _("words were not compared with: {names}").format(names=names),
        _("somebody in the middle may have exchanged the card, and read what is sealed to it"),
        _("compare them by voice: sandyk contact verify NAME"),
    )  # fmt: skip


def judge_outside_half(used: bool) -> Finding:
    """Whether one's passphrase needs something that is elsewhere."""
    if used:
        return good("outside-half", _("your passphrase opens nothing without the outside half"))
    return look(
        "outside-half", _("your passphrase opens the vault by itself"),
        _("whoever makes you say it, and has an image of the disk from before the wipe, opens it"),
        _("keep half of the key on a stick, elsewhere: sandyk journalist token add"),
    )  # fmt: skip


def judge_whereabouts(only_here: int, on_their_way: int, unseen: int) -> Iterator[Finding]:
    """Of the documents in one's cases, by the signed records; ``unseen`` cases are somebody else's."""
    if only_here:
        yield look(
            "only-here", _("{count} document(s) of your cases are only here").format(count=only_here),
            _("they are lost with this machine, or by the wipe"), _("sandyk list --only-here, then sandyk export"),
        )  # fmt: skip
    else:
        yield good("only-here", _("every document of your cases is in an export at least"))
    if on_their_way:
        yield look(
            "on-their-way", _("{count} document(s) were exported, and no receipt came back").format(count=on_their_way),
            _("nobody knows whether they arrived"), _("ask the editor for a receipt: sandyk receipt take"),
        )  # fmt: skip
    if unseen:
        yield look(
            "unseen", _("{count} case(s) here are not yours: what is in them was not counted").format(count=unseen),
            _("their documents may be nowhere else"), _("ask their members to run sandyk doctor"),
        )  # fmt: skip


def judge_shares(shares: ShareSet | None, now_ns: int, *, unfinished: bool) -> Iterator[Finding]:
    """The shares of one's key, if there are any; that there are none is nothing to say a word about."""
    if unfinished:
        yield weak(
            "key-shares", _("shares of your key were begun and not finished"),
            _("some of them may open your place in this vault, and nobody knows who has them"),
            _("sandyk key split, or sandyk key revoke"),
        )  # fmt: skip
    if shares is None:
        return
    old = [h.name for h in shares.holders if now_ns - (h.checked_ns or shares.made_ns) > ASK_AGAIN_NS]
    if old:
        yield look(
            "key-shares",
            _("whether their share still opens was not asked for a year: {names}").format(
                names=", ".join(printable(name) for name in old)
            ),
            _("a share that was lost is noticed when it is needed, and that is too late"), _("sandyk key ask NAME"),
        )  # fmt: skip
    else:
        yield good("key-shares", _("every share of your key was made or opened within a year"))


def judge_unusable(unusable: tuple[tuple[bytes, str], ...]) -> Iterator[Finding]:
    """Cases that could not be looked into: ids and reasons."""
    for case_id, reason in unusable:
        yield weak(
            "unusable-case",
            _("case {id} cannot be used: {reason}").format(id=case_id.hex()[:8], reason=printable(reason)),
            _("its documents cannot be read here"), _("sandyk verify --repair"),
        )  # fmt: skip


def look_inside(vault: Vault) -> tuple[Finding, ...]:
    """Everything that is found in an open vault. Raises DamagedVault, DiskFailed."""
    book = vault.book()
    unverified = tuple(contact.name for contact in book.contacts if contact.verified_ns is None)
    sight = abroad.look(vault)
    shares, unfinished = sharing.standing(vault)
    return (
        judge_outside_half(vault.needs_outside_half),
        judge_contacts(unverified),
        *judge_whereabouts(sight.tally.here, sight.tally.sent, sight.unseen),
        *judge_shares(shares, vault.clock(), unfinished=unfinished),
        *judge_unusable(sight.unusable),
    )
