# SPDX-License-Identifier: Apache-2.0
"""The way back in for somebody who forgot their passphrase: enough shares of their key, and then a new passphrase.

Reads shares as their holders gave them, opens the recovery slot, and nothing else: what the vault holds is for the new
passphrase to open. After an emergency wipe no share opens anything, and nobody can change that.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from gettext import gettext as _

from keys.armor import looks_armored
from keys.keyring import RecoverySlot
from keys.secret import Secret
from keys.share_text import looks_like_text, parse_text
from keys.shares import Combined, Share, parse_share, possibilities, slot_passphrase
from vault.errors import BadInput, DamagedVault, DoesNotOpen, NewerFormat
from vault.names import printable
from vault.vaults import LockedVault, Vault

MAX_SHARE_FILE = 16 << 10
_AGE = b"age-encryption.org/"


def share_in(untrusted: bytes) -> Share:
    """The share in a file that its holder opened: all of its text, or its 33 words alone.

    Raises BadInput for one that is still sealed, MalformedShare, BadSignature, NewerFormat.
    """
    # As editors and mails of Windows keep it; the signature is checked over the lines as they were signed.
    untrusted = untrusted.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    if untrusted.startswith(_AGE) or looks_armored(untrusted):
        raise BadInput(
            _("this share is still sealed"),
            _("whoever it was sealed for opens it, and gives you its words: sandyk key show FILE"),
        )
    if looks_like_text(untrusted):
        return parse_text(untrusted).share
    return parse_share(untrusted.decode("utf-8", "replace"))


def open_with_shares(
    locked: LockedVault, shares: Sequence[Share], token: Secret | None, *, clock: Callable[[], int] = time.time_ns
) -> Vault:
    """The vault, open for nothing but ``Vault.restore``.

    Shares that do not belong to those that open it are named in its notices. Raises SharesMissing, MalformedShare,
    DamagedVault, Wiped, and DoesNotOpen when the shares open nothing here.
    """
    for found in possibilities(shares):
        with found.secret, slot_passphrase(found.secret) as passphrase, suppress(DoesNotOpen):
            vault = locked.unlock(passphrase, token, clock=clock)
            if isinstance(vault.opened.payload, RecoverySlot):
                for text in _remarks(vault, found, shares):
                    vault.notice(text)
                return vault
            vault.close()
    raise _opens_nothing(token)


def _remarks(vault: Vault, found: Combined, given: Sequence[Share]) -> Iterator[str]:
    """Which of the shares that were given are false, or of another split, and who has the true ones.

    By their places among those given: what number a false share bears, whoever made it up chose.
    """
    names: dict[int, str] = {}
    with suppress(DamagedVault, NewerFormat):  # a damaged book must not keep anybody out
        made = vault.book().shares
        names = {} if made is None else {number: holder.name for number, holder in enumerate(made.holders, 1)}
    for share in found.others:
        place = given.index(share) + 1
        if share.identifier != found.used[0].identifier or share.threshold != found.used[0].threshold:
            yield _("share {place} of those given is of another split; it was not used").format(place=place)
        elif share.index in names:
            text = _("share {place} of those given is false; {name} has the true one of its number, {number}")
            yield text.format(place=place, number=share.index, name=printable(names[share.index]))
        else:
            yield _("share {place} of those given is false; it opens without it").format(place=place)


def _opens_nothing(token: Secret | None) -> DoesNotOpen:
    half = () if token is not None else (_("if the passphrase needed an outside half, so do the shares: --token FILE"),)
    return DoesNotOpen(
        _("these shares fit together, and open nothing in this vault"),
        _("they are of another vault, or others were made since, or these were used or taken back"),
        _("if this vault was wiped, no shares can open it: that is what a wipe is for"),
        *half,
    )
