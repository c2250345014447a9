# SPDX-License-Identifier: Apache-2.0
"""Why a system refused, in words: ``OSError`` says it in English, whatever language is spoken."""

from __future__ import annotations

import os
from gettext import gettext as _

from vault.errors import DiskFailed
from vault.language import later
from vault.windows_files import is_open_elsewhere

KNOWN = (
    later("No such file or directory"),
    later("Permission denied"),
    later("Operation not permitted"),
    later("No space left on device"),
    later("Disk quota exceeded"),
    later("Read-only file system"),
    later("Input/output error"),
    later("Is a directory"),
    later("Not a directory"),
    later("File exists"),
    later("Directory not empty"),
    later("Device or resource busy"),
    later("Too many levels of symbolic links"),
    later("File name too long"),
    later("File too large"),
    later("Too many open files"),
    later("Too many open files in system"),
    later("Cannot allocate memory"),
    later("Invalid argument"),
    later("No such device"),
    later("No such device or address"),
    later("Invalid cross-device link"),
    later("Stale file handle"),
    later("Text file busy"),
    later("Operation not supported"),
    later("Function not implemented"),
    later("Resource temporarily unavailable"),
    later("Broken pipe"),
    later("Connection refused"),
    later("Connection reset by peer"),
    later("Connection timed out"),
    later("Network is unreachable"),
    later("No route to host"),
    later("Name or service not known"),
    later("Temporary failure in name resolution"),
    later("No address associated with hostname"),
    later("nodename nor servname provided, or not known"),
    later("Exec format error"),
    later("timed out"),
    later("not a regular file"),
    later("larger than it may be"),
)
"""What Linux, macOS and ``vault.disk`` say most; anything else stays as the system says it."""


def disk_refused(error: OSError, *, filed: int | None) -> DiskFailed:
    """Of a vault's disk: how many documents were filed before; None when something was to be noted, not filed."""
    return DiskFailed(
        _("the vault's disk refused: {reason}").format(reason=refusal(error).lower()),
        _("the custody record of the case does not note it")
        if filed is None
        else _("{filed} document(s) of this command are filed and safe; the rest is not filed").format(filed=filed),
        _("make room or put the medium back, then run the command again: nothing is filed twice"),
    )


def refusal(error: OSError) -> str:
    """The reason alone, without number and file name; the kind of error when the system gives none."""
    if is_open_elsewhere(error):
        return _("Another program has it open")
    if getattr(error, "winerror", None) and error.errno and (known := os.strerror(error.errno)) in KNOWN:
        return _(known)  # Windows says it in its own language
    return _(error.strerror) if error.strerror else str(error) or type(error).__name__
