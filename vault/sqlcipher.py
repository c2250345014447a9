# SPDX-License-Identifier: Apache-2.0
"""What every SQLCipher file of ours needs before and after SQLite itself: a safe place, and errors told apart.

Says nothing to people: whoever owns the file knows what is lost when it does not open, and what to do.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from sqlcipher3 import dbapi2 as sqlite


class Trouble(Enum):
    """What an error of SQLite means for the file."""

    BUSY = auto()
    """Another process keeps it."""
    DISK = auto()
    """The disk is full, read-only or failing."""
    UNUSABLE = auto()
    """Damaged, of another key, or no database."""


def is_file_or_made(path: str) -> bool:
    """Whether a plain file is there, if need be a new one with mode 0600; False for anything else in its place.

    SQLite would make it with the umask's mode, follow a link and wait for a pipe. Raises OSError.
    """
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))
        return True


def is_no_file(path: str) -> bool:
    """Whether a link, a folder or the like lies there. SQLite opens none of them beside its file. Raises OSError."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def trouble(exc: sqlite.DatabaseError) -> Trouble:
    """What it is about, by SQLite's words for it."""
    text = str(exc)
    if isinstance(exc, sqlite.OperationalError):
        if "locked" in text or "busy" in text:
            return Trouble.BUSY
        if any(word in text for word in ("full", "readonly", "I/O", "unable to open")):
            return Trouble.DISK
    return Trouble.UNUSABLE


@contextmanager
def committed(db: sqlite.Connection) -> Iterator[None]:
    """Commit the transaction that was begun, or roll it back when the body raises."""
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite ends it by itself on a full disk, and would refuse (lang_transaction)
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
