# SPDX-License-Identifier: Apache-2.0
"""A folder that is being filled under a name that says so, and what an earlier run left of the same bundle.

The name is ``<root>-<8 hex>.partial`` until ``finish`` gives the folder its own. While it is filled it is locked, so
that another run keeps its hands off. What a crash left is used only when its bag-info.txt is, byte for byte, that of
the bundle at hand: folders of other bundles are not touched. Nothing else in a leftover is believed, for somebody may
have put links or other documents there: each document is opened without following a link, hashed whole through that
descriptor, and only then moved over. The rest goes with the leftover when the folder is finished.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _
from io import BufferedWriter
from typing import Literal

from vault.bagit import INFO_NAME
from vault.disk import sync_file_system, take_lock
from vault.elsewhere import expect_outside_vaults
from vault.errors import AlreadyThere
from vault.interrupts import undisturbed
from vault.names import printable
from vault.windows_files import patiently

PIECE = 1 << 20
SUFFIX = ".partial"

_NAME = re.compile(r"(?P<root>bundle-[0-9a-f]{8})-[0-9a-f]{8}\.partial", re.ASCII)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # so that a FIFO in a document's place cannot make an open wait for ever
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | getattr(os, "O_BINARY", 0)
_AT = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd
"""Whether a file can be reached from a folder's descriptor: without that, leftovers are not used (Windows)."""


def may_go_on(folder: str) -> bool:
    """Whether something lies in the folder that an earlier run of some bundle may have left."""
    with suppress(OSError), os.scandir(folder) as entries:
        return _AT and any(_NAME.fullmatch(entry.name) for entry in entries)
    return False


class PartialFolder:
    """A folder being filled below ``folder``; ``finish`` gives it its own name, ``discard`` removes it."""

    def __init__(self, folder: str) -> None:
        """Raises BadInput for a folder in a vault."""
        expect_outside_vaults(folder)
        self._folder = folder
        self._path = ""
        self._lock = -1
        self._leftovers: list[_Leftover] = []
        self._made: list[str] = []
        """Folders that were not there before, the innermost first."""
        self.root = ""
        """The folder that everything lies in, once the first file is known."""
        self.holds_documents = False
        """Whether a document lies here whole."""

    def append(self, path: str, piece: bytes) -> None:
        """Add to a file below the folder. Pieces of one file come one behind the other."""
        with self.create(path, mode="ab") as f:
            f.write(piece)

    def create(self, path: str, mode: Literal["xb", "ab"] = "xb") -> BufferedWriter:
        """Open a file below the folder; ``path`` begins with the root. Raises AlreadyThere, OSError."""
        self._begin(path.partition("/")[0])
        self.make_folder_of(path)
        return open(self.path(path), mode, opener=lambda name, flags: os.open(name, flags, 0o600))

    def make_folder_of(self, path: str) -> None:
        """Make the folder for a file, if it is not there. Raises OSError."""
        self._make_folder(os.path.dirname(self.path(path)))

    def new_file(self, path: str) -> int:
        """The descriptor of a new file, whose folder is there. Raises OSError."""
        return os.open(self.path(path), _NEW, 0o600)

    def path(self, path: str) -> str:
        """Where a file lies until the folder is finished."""
        return os.path.join(self._path, *path.split("/")[1:])

    def go_on(self) -> None:
        """Look for what earlier runs of this bundle left. To be called when bag-info.txt is here, and verified."""
        if not _AT:
            return
        with open(self.path(f"{self.root}/{INFO_NAME}"), "rb") as f:
            info = f.read()
        with os.scandir(self._folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            match = _NAME.fullmatch(name)
            if match and match["root"] == self.root and (leftover := _Leftover.of(self._folder, name, info)):
                self._leftovers.append(leftover)

    def take(self, path: str, size: int, sha256: bytes, progress: Callable[[int], object]) -> bool:
        """Move a document here from a leftover, if one has it with this size and hash."""
        if not self._leftovers:
            return False
        where = self.path(path)
        self.make_folder_of(path)
        parts = path.split("/")[1:]
        return any(leftover.take(parts, size, sha256, where, progress) for leftover in self._leftovers)

    def finish(self) -> str:
        """Give the folder its name, and remove the leftovers that it replaces; the path. Raises AlreadyThere."""
        place = os.path.join(self._folder, self.root)
        self._expect_free(place)
        sync_file_system(self._path)  # one call for thousands of files, without which a crash could empty them
        try:
            patiently(lambda: os.rename(self._path, place))  # a scanner may look into what has just been written
        except OSError:
            self._expect_free(place)  # another run of the same bundle was quicker
            raise
        with undisturbed():  # what is left of earlier runs is in clear too
            self._let_go()
            for leftover in self._leftovers:
                leftover.remove()
        return place

    def keep(self) -> str | None:
        """Leave the folder as it is, for a later run to go on from; the path. Discards it if no document is whole."""
        if not self.holds_documents:
            self.discard()
            return None
        self._let_go()
        self._close_leftovers()
        return self._path

    def discard(self) -> None:
        """Remove everything that was written. Leftovers stay, as far as nothing was moved from them."""
        with undisturbed():  # else a second Ctrl-C would leave documents in clear
            if self._path:
                shutil.rmtree(self._path, ignore_errors=True)
            for made in self._made:
                with suppress(OSError):  # somebody has put something there
                    os.rmdir(made)
        self._made = []
        self._let_go()
        self._close_leftovers()
        self._path = self.root = ""

    def _begin(self, root: str) -> None:
        if self.root:
            return
        self._expect_free(os.path.join(self._folder, root))
        self._made = _missing(self._folder)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = os.path.join(self._folder, f"{root}-{secrets.token_hex(4)}{SUFFIX}")
        os.mkdir(path, 0o700)
        self.root, self._path = root, path
        if _AT:
            self._lock = os.open(path, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC)
            with suppress(OSError):  # where there are no locks, no leftover is used either
                take_lock(self._lock, wait=False)

    def _expect_free(self, place: str) -> None:
        if os.path.lexists(place):
            raise AlreadyThere(
                _("{place} is there already").format(place=printable(place)),
                _("it was opened before; remove it, or choose another folder"),
            )

    def _make_folder(self, path: str) -> None:
        """``makedirs``, whose ``mode`` holds for the last folder alone. Several threads may make the same one."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        except FileNotFoundError:
            self._make_folder(os.path.dirname(path))
            self._make_folder(path)

    def _let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _close_leftovers(self) -> None:
        for leftover in self._leftovers:
            leftover.close()
        self._leftovers = []


def _missing(folder: str) -> list[str]:
    """This folder and those above it that are not there, the innermost first."""
    missing, folder = [], os.path.abspath(folder)
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


class _Leftover:
    """What a run that did not end left of a bundle. Everything in it is untrusted."""

    def __init__(self, path: str, fd: int) -> None:
        self._path, self._fd = path, fd

    @classmethod
    def of(cls, folder: str, name: str, info: bytes) -> _Leftover | None:
        """The leftover by this name, if nobody is filling it and its bag-info.txt is ``info``."""
        path = os.path.join(folder, name)
        try:
            fd = os.open(path, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC)
        except OSError:
            return None
        leftover = cls(path, fd)
        try:
            with leftover._open([INFO_NAME]) as (__, untrusted):
                take_lock(fd, wait=False)  # first: a run that has just begun holds it before its bag-info.txt is there
                # The run that filled it may have ended since the folder was opened: then it has another name.
                still = os.path.samestat(os.fstat(fd), os.lstat(path))
                if still and os.read(untrusted, len(info) + 1) == info:
                    return leftover
        except OSError:
            pass
        leftover.close()
        return None

    def take(
        self, parts: list[str], size: int, sha256: bytes, where: str, progress: Callable[[int], object]
    ) -> bool:  # fmt: skip
        """Move a document to ``where`` if it is a plain file of ours with this size and hash."""
        try:
            with self._open(parts) as (at, fd):
                status = os.fstat(fd)
                # One name only: with another one, whoever has that could change the file after it was hashed.
                ours = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.getuid()
                if not ours or status.st_size != size or _digest(fd, size, progress) != sha256:
                    return False
                os.fchmod(fd, 0o600)
                os.rename(parts[-1], where, src_dir_fd=at)
                moved = os.stat(where, follow_symlinks=False)
        except OSError:
            return False
        if (moved.st_dev, moved.st_ino) == (status.st_dev, status.st_ino):
            return True
        os.unlink(where)  # another file had taken the name
        return False

    def remove(self) -> None:
        """Remove all of it: what was whole has been moved, or the bundle was opened without."""
        shutil.rmtree(self._path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)

    @contextmanager
    def _open(self, parts: list[str]) -> Iterator[tuple[int, int]]:
        """Descriptors of a file's folder and of the file, with no link on the way. Raises OSError."""
        at = os.dup(self._fd)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC, dir_fd=at)
                os.close(at)
                at = inner
            fd = os.open(parts[-1], os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC, dir_fd=at)
            try:
                yield at, fd
            finally:
                os.close(fd)
        finally:
            os.close(at)


def _digest(fd: int, size: int, progress: Callable[[int], object]) -> bytes:
    """SHA-256 of a file, or of no more of it than one byte above ``size``."""
    digest = hashlib.sha256()
    left = size + 1
    while left and (piece := os.read(fd, min(PIECE, left))):
        digest.update(piece)
        progress(len(piece))
        left -= len(piece)
    return digest.digest()
