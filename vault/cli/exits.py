# SPDX-License-Identifier: Apache-2.0
"""Exit codes: the one table. docs/cli.md prints it, and a test walks every error class."""

from __future__ import annotations

from keys import errors as keys_errors
from vault import errors

DONE = 0
FAILED = 1
USAGE = 2
PARTLY = 3
WEAK = 4
NO_VAULT = 10
DOES_NOT_OPEN = 11
DAMAGED = 12
NOT_TRUSTED = 13
BUSY = 14
WIPED = 15
INTERRUPTED = 130

MEANINGS = {
    DONE: "done",
    FAILED: "failed",
    USAGE: "the command was not understood, or an argument cannot be meant",
    PARTLY: "partly done; each failure is named",
    WEAK: "`doctor` found something weak; nothing went wrong",
    NO_VAULT: "no vault here",
    DOES_NOT_OPEN: "does not open with this passphrase, outside half or identity",
    DAMAGED: "damaged",
    NOT_TRUSTED: "a signature is broken, or nobody you trust made it",
    BUSY: "another process holds what is needed",
    WIPED: "wiped",
    INTERRUPTED: "stopped by Ctrl-C",
}

_CODES: dict[type[Exception], int] = {
    errors.VaultError: FAILED,
    errors.NoVault: NO_VAULT,
    errors.DoesNotOpen: DOES_NOT_OPEN,
    errors.Wiped: WIPED,
    errors.Busy: BUSY,
    errors.NotFound: FAILED,
    errors.Ambiguous: USAGE,
    errors.AlreadyThere: FAILED,
    errors.NotAllowed: FAILED,
    errors.UnsafeName: FAILED,
    errors.BadInput: USAGE,
    errors.ReadFailed: FAILED,
    errors.DiskFailed: FAILED,
    errors.PartsMissing: FAILED,
    errors.LibraryMissing: FAILED,
    errors.NewerFormat: FAILED,
    errors.TimestampFailed: FAILED,
    errors.ConfinedFailed: FAILED,
    errors.Damaged: DAMAGED,
    errors.NotTrusted: NOT_TRUSTED,
    keys_errors.KeysError: FAILED,
    keys_errors.Malformed: DAMAGED,
    keys_errors.NewerFormat: FAILED,
    keys_errors.NoMatch: DOES_NOT_OPEN,
    keys_errors.Damaged: DAMAGED,
    keys_errors.BadSignature: NOT_TRUSTED,
    keys_errors.WeakCost: DAMAGED,
    keys_errors.WeakPassphrase: USAGE,
    keys_errors.Full: FAILED,
    keys_errors.NameTaken: FAILED,
    keys_errors.NotFound: FAILED,
    keys_errors.SharesMissing: FAILED,
    keys_errors.Wiped: WIPED,
}


def exit_code(error: Exception) -> int:
    """The exit code for one of our errors: that of its nearest ancestor in the table."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
