# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong with a vault, one class per cause.

    VaultError                  hint: lines that a frightened person can act on
    ├── NoVault                 no vault in this folder
    ├── DoesNotOpen             no journalist's slot opens with this passphrase (and outside half)
    ├── Wiped                   the vault was wiped, perhaps while it was open
    ├── Busy                    another process holds what we need
    ├── NotFound                no case, item, contact or journalist by this name or id
    │   └── Ambiguous           more than one
    ├── AlreadyThere            the name is taken, or a file would be overwritten
    ├── NotAllowed              one is no member of the case, or may not do this to oneself
    ├── UnsafeName              a name that would leave the folder it is placed in
    ├── BadInput                an argument or a typed value that cannot be meant
    ├── ReadFailed              a file that was to be filed could not be read, or changed meanwhile
    ├── DiskFailed              the medium refused: full, gone, read-only
    ├── PartsMissing            a bundle came in parts, and too few of them are here
    ├── LibraryMissing          an optional part of the program is not installed
    ├── NewerFormat             a file says that a newer version of this program made it; nothing vouches for that
    ├── TimestampFailed         no time stamp was to be had, and nothing was done without it
    ├── ConfinedFailed          the confined process that was to read a document gave no answer
    │   └── ConfinedRefused     it said why it will not
    ├── Damaged                 bytes that were changed, reordered or cut off
    │   ├── DamagedPack         a pack or its manifest
    │   ├── DamagedBundle       a bundle, or a tar or bag inside that breaks the rules
    │   └── DamagedVault        the header, the keyring, an access file, a book or a roster
    └── NotTrusted              what was read is whole, but nobody we trust vouches for it
        ├── BrokenSignature     a signature that does not verify
        ├── BrokenTimestamp     a time stamp that is not one over the signature, or not by whom it must be
        ├── UnknownSigner       a good signature by a key that is no verified contact
        └── Resealed            a bundle that was sealed for others and passed on

These never print, never exit and know no exit codes: ``vault.cli.exits`` owns that table.
"""

from __future__ import annotations

from gettext import gettext as _


class VaultError(Exception):
    """Base of every error that ``vault`` raises on purpose. ``hints`` say what to do."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


class NoVault(VaultError):
    """Raised when no vault lies in the folder."""


class DoesNotOpen(VaultError):
    """Raised when a passphrase, with the outside half that was given or without, opens no slot."""


class Wiped(VaultError):
    """Raised when a vault was wiped, before or while it was open."""


class Busy(VaultError):
    """Raised when another process keeps holding a lock."""


class NotFound(VaultError):
    """Raised when a name or id means nothing here."""


class Ambiguous(NotFound):
    """Raised when a name or id prefix means more than one thing."""


class AlreadyThere(VaultError):
    """Raised when a name is taken or a file would be overwritten."""


class NotAllowed(VaultError):
    """Raised when one is no member of a case, or would lock oneself out."""


class UnsafeName(VaultError):
    """Raised when a name would leave the folder it is placed in."""


class BadInput(VaultError):
    """Raised when an argument or a typed value cannot be meant."""


class ReadFailed(VaultError):
    """Raised when a file that was to be filed cannot be read, or changed while it was read."""


class DiskFailed(VaultError):
    """Raised when the medium refuses: full, gone, read-only, failing."""


class PartsMissing(VaultError):
    """Raised when too few parts of a bundle are here to join them."""


class LibraryMissing(VaultError):
    """Raised when what was asked for needs a library that comes with an extra, and it is not installed."""


class TimestampFailed(VaultError):
    """Raised when a time stamp was asked for and none was to be had: no server, no answer, a refusal."""


class NewerFormat(VaultError):
    """Raised when a file says that it is of a version of its format which this program does not know yet.

    Nothing vouches for that number: whoever can write to the file, or a bit that fell over, can make it. So the hints
    send nobody to the first update that is offered to them. ``hints`` are more, for this kind of file.
    """

    def __init__(self, what: str, *hints: str) -> None:
        super().__init__(
            _("made by a newer sandyk than this one, by its own word: {what}").format(what=what),
            _("nothing was changed. If a newer sandyk was in use, bring this one up to date, from where you got it"),
            _("if none was, it is damage, or somebody wants you to install something: do not, and ask by voice"),
            *hints,
        )


class ConfinedFailed(VaultError):
    """Raised when the confined process that was to read a document crashed, hung, ran into a limit or lied."""


class ConfinedRefused(ConfinedFailed):
    """Raised when a confined process says why it will not take a document. Its words are untrusted."""


class Damaged(VaultError):
    """Raised when bytes were changed, reordered or cut off."""


class DamagedPack(Damaged):
    """Raised when a pack or its manifest is damaged."""


class DamagedBundle(Damaged):
    """Raised when a bundle, or the tar or bag inside it, breaks the rules of docs/format-bundle.md."""


class DamagedVault(Damaged):
    """Raised when the header, the keyring, an access file, a book or a roster is damaged."""


class NotTrusted(VaultError):
    """Raised when what was read is whole, but nobody we trust vouches for it."""


class BrokenSignature(NotTrusted):
    """Raised when a signature does not verify."""


class BrokenTimestamp(NotTrusted):
    """Raised when a time stamp is damaged, over something else, or not vouched for by the roots that were given."""


class UnknownSigner(NotTrusted):
    """Raised when a good signature was made by a key that is no verified contact."""


class Resealed(NotTrusted):
    """Raised when a bundle was sealed for others and passed on by one of them."""
