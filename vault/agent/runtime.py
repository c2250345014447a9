# SPDX-License-Identifier: Apache-2.0
"""Where the processes that run beside a vault leave their socket and their number.

Owns the folder they use (0700, one's own, checked each time) and who holds a place in it: a lock that the kernel lets
go when its holder ends, however it ends. Opens no socket and holds no key. Nothing in it says where the vault lies:
the names come from a hash of its path. On Windows there is no such folder: an agent has a named pipe (``pipes``), which
the kernel takes away when its process ends, and nothing else of ours runs beside a vault. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _

from vault.agent import process
from vault.agent.protocol import Stamp
from vault.errors import NotAllowed
from vault.layout import KEYRING

if sys.platform == "win32":
    from vault.agent import pipes

_NAME = "sandyk"
_SESSIONS = "/run/user"
"""Where pam_systemd(8) makes the folders that XDG_RUNTIME_DIR names."""
_MAX_NOTE = 4096
_TRIES = 100
_BETWEEN_TRIES = 0.02
_MAX_SOCKET_PATH = 100
"""Bytes of a socket's path: sockaddr_un has room for 104 on macOS and the BSDs, 108 on Linux (unix(7))."""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one vault in the runtime folder. ``folder`` is the vault's real path.

    On Windows ``base`` is the agent's pipe, and there are no files.
    """

    folder: str
    base: str

    @property
    def socket(self) -> str:
        """Where the agent listens."""
        if sys.platform == "win32":
            return self.base
        return os.path.join(self.base, f"{self._mark}.sock")

    @property
    def agent(self) -> str:
        """Held by the agent while it lives; holds its process number."""
        if sys.platform == "win32":
            return self.base
        return os.path.join(self.base, f"{self._mark}.agent")

    @property
    def guard(self) -> str:
        """Held by a guard while it watches; its first line is its process number."""
        return os.path.join(self.base, f"{self._mark}.guard")

    @property
    def files(self) -> tuple[str, ...]:
        """Whatever of it may be found on a disk."""
        return () if sys.platform == "win32" else (self.socket, self.agent, self.guard)

    @property
    def _mark(self) -> str:
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]


def place_of(folder: str, environ: Mapping[str, str] = os.environ) -> Place:
    """The place of the vault in ``folder``; makes the runtime folder if needed. Raises NotAllowed, OSError."""
    if sys.platform == "win32":
        status = os.lstat(os.path.join(folder, KEYRING))
        return Place(os.path.realpath(folder), pipes.path_of(process.mark_of(status.st_dev, status.st_ino)))
    base = _base(environ)
    with suppress(FileExistsError):
        os.mkdir(base, 0o700)
    check_own(base)
    place = Place(os.path.realpath(folder), base)
    if len(os.fsencode(place.socket)) > _MAX_SOCKET_PATH:
        raise NotAllowed(
            _("the path of the runtime folder is too long for a socket"), _("set XDG_RUNTIME_DIR or TMPDIR")
        )
    return place


def place_if_any(folder: str, environ: Mapping[str, str] = os.environ) -> Place | None:
    """The same without making anything; None when there is no runtime folder. Raises NotAllowed."""
    if sys.platform == "win32":
        try:
            return place_of(folder)
        except OSError:  # no keyring: nothing that an agent could hold
            return None
    base = _base(environ)
    if not os.path.lexists(base):
        return None
    check_own(base)
    return Place(os.path.realpath(folder), base)


def places(folder: str, environ: Mapping[str, str] = os.environ) -> Iterator[Place]:
    """The place that the vault has in each runtime folder that is there; the one of this environment comes last.

    What was started from a desktop must be found over ssh, by cron and by a hotkey, whose environment names another
    folder. One that is not ours alone cannot have a process of ours in it, and is left out; if it is the one
    of this environment, NotAllowed is raised, after the others.
    """
    if sys.platform != "win32":
        yield from _places_elsewhere(folder, environ)
    place = place_if_any(folder, environ)
    if place is not None:
        yield place


def _places_elsewhere(folder: str, environ: Mapping[str, str]) -> Iterator[Place]:
    own = _base(environ)
    for base in dict.fromkeys((os.path.join(_SESSIONS, str(os.geteuid()), _NAME), _temporary({}), _temporary(environ))):
        if base != own:
            with suppress(OSError, NotAllowed):
                check_own(base)
                yield Place(os.path.realpath(folder), base)


def check_own(path: str) -> None:
    """Return, or raise NotAllowed unless it is a folder, ours, closed to everybody else and no link."""
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise NotAllowed(
            _("the runtime folder {path!a} is not yours alone, so nothing there is trusted").format(path=path),
            _("remove it, or set XDG_RUNTIME_DIR to a folder of yours with mode 0700"),
        )


def hold(path: str, note: str, *, tries: int = _TRIES) -> int | None:
    """Take a place and leave a note in it. Returns the descriptor that holds it, or None when another process does."""
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    for attempt in range(tries):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if attempt + 1 < tries:  # somebody may only be looking
                time.sleep(_BETWEEN_TRIES)
            continue
        os.ftruncate(fd, 0)
        os.pwrite(fd, note.encode(), 0)
        return fd
    os.close(fd)
    return None


def rewrite(fd: int, note: str) -> None:
    """Change the note in a place that one holds."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, note.encode(), 0)


def note_of_holder(path: str) -> str | None:
    """The note of the process that holds a place; None when nobody does. Untrusted: any program of ours may write."""
    if sys.platform == "win32":
        number = pipes.number_at(path) if path.startswith(pipes.PREFIX) else None
        return None if number is None else f"{number}\n"
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, _MAX_NOTE, 0).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def number_of_holder(path: str) -> int | None:
    """The process number of whoever holds a place; None when nobody does, or the note makes no sense."""
    first = (note_of_holder(path) or "").partition("\n")[0]
    return int(first) if first.isascii() and first.isdecimal() and 1 < int(first) < 1 << 31 else None


def wait_until_free(path: str, *, tries: int = _TRIES) -> bool:
    """Wait, a second or two at most, until nobody holds a place; whether that is so."""
    for __ in range(tries):
        if note_of_holder(path) is None:
            return True
        time.sleep(_BETWEEN_TRIES)
    return False


def stamp_of(path: str) -> Stamp:
    """The stamp of a file; a link is not followed. Raises OSError."""
    s = os.lstat(path)
    mask = (1 << 64) - 1
    return Stamp(s.st_dev & mask, s.st_ino & mask, s.st_size, s.st_mtime_ns & mask, s.st_ctime_ns & mask)


def _base(environ: Mapping[str, str]) -> str:
    # "MUST be owned by the user, and he MUST be the only one having read and write access" (XDG Base Directory 0.8).
    given = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given) and os.path.isdir(given):
        return os.path.join(given, _NAME)
    return _temporary(environ)


def _temporary(environ: Mapping[str, str]) -> str:
    temporary = environ.get("TMPDIR", "")
    return os.path.join(temporary if os.path.isabs(temporary) else "/tmp", f"{_NAME}-{os.geteuid()}")  # noqa: S108
