# SPDX-License-Identifier: Apache-2.0
"""What only the open vault can tell: contacts, the outside half, what is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from gettext import gettext as _

from vault import abroad
from vault.doctor.finding import Finding, good, look, weak
from vault.names import printable
from vault.vaults import Vault


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
    return (
        judge_outside_half(vault.needs_outside_half),
        judge_contacts(unverified),
        *judge_whereabouts(sight.tally.here, sight.tally.sent, sight.unseen),
        *judge_unusable(sight.unusable),
    )
