# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong with a key, one class per cause.

    KeysError
    ├── Malformed              bytes that are not what they claim to be (wrong shape, not canonical, over a limit)
    │   ├── MalformedAge       an age header, stanza, armor or recipient that breaks the specification
    │   ├── MalformedCard      a card whose text breaks docs/format.md §3, or whose self-signature does not verify
    │   ├── MalformedKeyring   a keyring or VAULT header of the wrong size or form
    │   ├── MalformedRecord    an access file, book or roster that opened but breaks docs/format.md §4
    │   ├── MalformedSignature an SSHSIG that cannot be parsed
    │   ├── MalformedShare     words that are no share of a key, or a file of one that breaks docs/format.md §3.6
    │   └── NewerFormat        says of itself that it is of a higher version than this program knows: no damage
    ├── NoMatch                well-formed, but none of the identities or passphrases offered opens it
    ├── Damaged                opened, but an authentication tag says that bytes were changed or cut off
    ├── BadSignature           well-formed signature that does not verify
    ├── WeakCost               a password-hashing cost below the floor, or above what a machine should be asked for
    ├── WeakPassphrase         a typed passphrase that is too short to be worth anything
    ├── Full                   no free place is left for another journalist, member or name
    ├── NameTaken              a name, card or case that is already there under another entry
    ├── NotFound               nothing has this name or id
    ├── SharesMissing          too few shares of a key, one of them twice, or of different splits
    └── Wiped                  the kill area changed under us: the vault was wiped while it was open

These never print, never exit and know no exit codes; the command line owns that table.
"""

from __future__ import annotations

from gettext import gettext as _


class KeysError(Exception):
    """Base of every error that ``keys`` raises on purpose."""


class Malformed(KeysError):
    """Raised when bytes or text are not what they claim to be."""


class MalformedAge(Malformed):
    """Raised when an age file, recipient or identity breaks the age v1 specification."""


class MalformedCard(Malformed):
    """Raised when a card is not well formed or its self-signature does not verify."""


class MalformedKeyring(Malformed):
    """Raised when a keyring or VAULT header has the wrong size or form."""


class MalformedRecord(Malformed):
    """Raised when what an access file, book or roster holds is not of the form it must have."""


class MalformedSignature(Malformed):
    """Raised when an SSHSIG cannot be parsed."""


class NewerFormat(Malformed):
    """Raised when something says that it is of a higher version of its format than this program knows.

    ``what`` names the thing for a person. Nothing vouches for it before it could be read: it may be damaged.
    """

    def __init__(self, what: str) -> None:
        super().__init__(_("made by a newer sandyk than this one, by its own word: {what}").format(what=what))
        self.what = what


class MalformedShare(Malformed):
    """Raised when words are no share of a key. ``place`` is how many of them were right, where that is known."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


class NoMatch(KeysError):
    """Raised when no identity or passphrase that was offered opens the file."""


class Damaged(KeysError):
    """Raised when an authentication tag shows that bytes were changed, reordered or cut off."""


class BadSignature(KeysError):
    """Raised when a well-formed signature does not verify."""


class WeakCost(KeysError):
    """Raised when a password-hashing cost lies outside the accepted range."""


class WeakPassphrase(KeysError):
    """Raised when a typed passphrase is too short to be worth anything."""


class Full(KeysError):
    """Raised when no free place is left for another journalist, member or name."""


class NameTaken(KeysError):
    """Raised when a name, card or case is already there under another entry."""


class NotFound(KeysError):
    """Raised when nothing has the name or id that was asked for."""


class SharesMissing(KeysError):
    """Raised when shares of a key are too few, of different splits, or the same one twice."""


class Wiped(KeysError):
    """Raised when the kill area changed under an open vault: somebody wiped it."""
