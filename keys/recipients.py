# SPDX-License-Identifier: Apache-2.0
"""Recipients and identities as such: what they can do, how text becomes one, who may share a file.

Owns the rules of https://age-encryption.org/v1 that concern more than one key: hybrid and
classic recipients do not mix, and a passphrase stands alone. Does no cryptography itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from typing import Protocol

from keys import bech32
from keys.errors import MalformedAge, NoMatch
from keys.header import Header, Stanza
from keys.wrapping import HybridIdentity, HybridRecipient, ScryptRecipient, X25519Identity, X25519Recipient

MAX_IDENTITY_FILE_SIZE = 64 << 10


class Recipient(Protocol):
    """Somebody a file can be sealed to."""

    @property
    def kind(self) -> str:
        """The first argument of its stanzas. Recipients of different kinds never share a file."""

    @property
    def stanza_size(self) -> int:
        """The size of its stanza in bytes."""

    def wrap(self, file_key: bytes) -> Stanza:
        """A new stanza that only the matching identity can unwrap."""


class Identity(Protocol):
    """Something that opens files."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None when it is somebody else's. Raises MalformedAge for a bad stanza of its own kind."""


def parse_recipient(untrusted_text: str) -> HybridRecipient | X25519Recipient:
    """From ``age1pq1…`` or ``age1…``. Raises MalformedAge."""
    match bech32.prefix_of(untrusted_text):
        case HybridRecipient.PREFIX:
            return HybridRecipient.parse(untrusted_text)
        case X25519Recipient.PREFIX:
            return X25519Recipient.parse(untrusted_text)
    raise MalformedAge(_("not a recipient: it begins with neither age1pq1 nor age1"))


def parse_identity(untrusted_text: str) -> HybridIdentity | X25519Identity:
    """From ``AGE-SECRET-KEY-PQ-1…`` or ``AGE-SECRET-KEY-1…``. Raises MalformedAge, which does not show the text."""
    match bech32.prefix_of(untrusted_text):
        case HybridIdentity.PREFIX:
            return HybridIdentity.parse(untrusted_text)
        case X25519Identity.PREFIX:
            return X25519Identity.parse(untrusted_text)
    raise MalformedAge(_("not an identity: it begins with neither AGE-SECRET-KEY-PQ-1 nor AGE-SECRET-KEY-1"))


def parse_identity_file(untrusted: bytes) -> tuple[HybridIdentity | X25519Identity, ...]:
    """The identities of a file as ``age-keygen`` writes it: one a line, with ``#`` comments and empty lines.

    Raises MalformedAge for anything else, for a file without identities, and above 64 KiB.
    """
    if len(untrusted) > MAX_IDENTITY_FILE_SIZE:
        raise MalformedAge(_("too large for a file of identities"))
    identities = []
    for number, line in enumerate(untrusted.split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if not line or line.startswith(b"#"):
            continue
        try:
            identities.append(parse_identity(line.decode("ascii")))
        except (MalformedAge, UnicodeDecodeError) as exc:
            # Only our own message may pass on: a UnicodeDecodeError carries the line, which may be a secret key.
            reason = str(exc) if isinstance(exc, MalformedAge) else _("not ASCII")
            raise MalformedAge(_("line {number}: {reason}").format(number=number, reason=reason)) from None
    if not identities:
        raise MalformedAge(_("a file without identities"))
    return tuple(identities)


def check_together(recipients: Sequence[Recipient]) -> None:
    """Raise MalformedAge unless these recipients may share one file.

    A classic recipient would undo what the hybrid ones promise, and a passphrase promises that
    only those who know it wrote the file.
    """
    if not recipients:
        raise MalformedAge(_("an age file needs a recipient"))
    kinds = {recipient.kind for recipient in recipients}
    if len(kinds) > 1:
        raise MalformedAge(_("recipients of different kinds cannot share a file: ") + ", ".join(sorted(kinds)))
    if ScryptRecipient.KIND in kinds and len(recipients) > 1:
        raise MalformedAge(_("a passphrase is always the only recipient"))


def unwrap_file_key(header: Header, identities: Sequence[Identity]) -> bytes:
    """The file key that the first matching identity finds, with the header's MAC checked.

    Raises MalformedAge, NoMatch or Damaged.
    """
    if len(header.stanzas) > 1 and any(stanza.kind == ScryptRecipient.KIND for stanza in header.stanzas):
        raise MalformedAge(_("a passphrase is always the only recipient"))
    for identity in identities:
        for stanza in header.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                header.verify_mac(file_key)
                return file_key
    raise NoMatch(_("none of these keys opens the file"))
