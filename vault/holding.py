# SPDX-License-Identifier: Apache-2.0
"""A share of somebody else's key, at whoever holds it: reading it, and answering whether it still opens.

Owns nothing on the disk: a share stays the sealed file that it came as, and its words are handed to the caller alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _

from keys.errors import BadSignature, KeysError, NoMatch
from keys.errors import NewerFormat as KeysNewer
from keys.share_text import MAX_SEALED_SIZE, HeldShare, open_share
from keys.shares import ANSWER_WORDS, answer, check_key
from keys.words import parse_spoken
from vault import qr_text
from vault.contacts import name_of
from vault.errors import BadInput, BrokenSignature, Damaged, DoesNotOpen, NewerFormat
from vault.sharing import QR_KIND
from vault.vaults import Vault

MAX_READ = 2 * MAX_SEALED_SIZE
"""Bytes of a file with a share, or with the texts of its QR codes."""


@dataclass(frozen=True, slots=True)
class Received:
    """A share that one holds, and whose it is as far as one knows."""

    held: HeldShare
    owner: str | None
    """What one calls whoever's key signed it; None for somebody unknown."""
    verified: bool
    """Whether their words were compared, or they are a journalist of this vault."""
    words: tuple[str, ...]
    """Of the card that the key is on, if one has it; else those that the share gives, which anybody can write."""

    def answer(self, untrusted_challenge: str) -> str:
        """Four words to say to the owner's challenge. Raises BadInput when it is not four words of the list."""
        try:
            challenge = " ".join(parse_spoken(untrusted_challenge, ANSWER_WORDS))
        except KeysError as exc:
            raise BadInput(
                _("this is not a challenge: {reason}").format(reason=exc), _("let them read the four words once more")
            ) from exc
        return answer(check_key(self.held.share, self.held.set_id), challenge)


def receive(vault: Vault, untrusted: bytes) -> Received:
    """The share in a sealed file, or in the texts of its QR codes.

    Raises BadInput, DoesNotOpen when it is for somebody else, Damaged, BrokenSignature, NewerFormat.
    """
    if qr_text.looks_like_lines(untrusted):
        untrusted = qr_text.content_of(untrusted, QR_KIND, limit=MAX_SEALED_SIZE)
    try:
        held = open_share(untrusted, vault.me)
    except NoMatch as exc:
        raise DoesNotOpen(
            _("this share was not sealed for you"), _("whoever it is for opens it in their own vault")
        ) from exc
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc
    except BadSignature as exc:
        raise BrokenSignature(str(exc), _("ask its owner, by voice, for another one")) from exc
    except KeysError as exc:
        raise Damaged(
            _("this is not a share of a key, or it was damaged: {reason}").format(reason=exc),
            _("a share is the file as it was sent to you, not what is in it"),
        ) from exc
    contact = vault.book().contact_by_key(held.signing)
    colleague = any(entry.card.signing == held.signing for entry in vault.roster().entries)
    words = contact.card.words if contact is not None else held.owner
    verified = colleague or (contact is not None and contact.verified_ns is not None)
    return Received(held, name_of(vault, held.signing), verified, words)
