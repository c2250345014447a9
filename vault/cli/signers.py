# SPDX-License-Identifier: Apache-2.0
"""What commands print of whoever signed a bundle, and of what to do when nobody trusted did."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from vault.senders import Sender


def signer_document(sender: Sender | None) -> dict[str, Any] | None:
    """Who signed, as JSON shows it."""
    if sender is None:
        return None
    return {
        "name": sender.name, "kind": sender.kind, "words": sender.words, "trusted": sender.trusted,
        "remark": sender.remark,
    }  # fmt: skip


def signed_line(sender: Sender | None) -> str:
    """Who signed, as one line."""
    if sender is None:
        return _("unsigned: nothing in it shows who made it")
    if sender.name is None:
        return _("signed by an unknown key: {words}: {remark}").format(words=sender.words, remark=sender.remark)
    return _("signed by {name}: {remark}").format(name=printable(sender.name), remark=sender.remark)


def say_how_to_trust(sender: Sender, card: str = "") -> None:
    """What to do so that somebody who is not trusted may be, as lines of hints. ``card``: the file with theirs."""
    card = card or _("CARD")
    say(_("hint: let the sender read their words to you by voice: {words}").format(words=sender.words))
    if sender.name is not None:
        say(_("hint: if they are the same: sandyk contact verify {name}").format(name=printable(sender.name)))
    elif sender.instead_of is not None:
        name = printable(sender.instead_of)
        say(
            _("hint: if they are the same: sandyk contact remove {name}, sandyk contact add {name} {card}").format(
                name=name, card=card
            )
        )
        say(_("hint: then: sandyk contact verify {name}").format(name=name))
    else:
        say(
            _("hint: if they are the same: sandyk contact add NAME {card}, then sandyk contact verify NAME").format(
                card=card
            )
        )
