# SPDX-License-Identifier: Apache-2.0
"""The hands: every change this program makes to a disk goes through one ``Disk``.

Standard library only, because ``panic`` uses it. It judges nothing and catches nothing:
an ``OSError`` reaches the caller, who knows what was being done. ``step`` is called
before each operation that changes the disk; tests override it to stop there, and so
walk through every point at which a machine can lose power.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)

TEMPORARY_SUFFIX = ".new"
"""Ends the name of a file that is not whole yet. Readers ignore such files; the next writer removes them."""


class Disk:
    """Operations on a real file system. Paths are ``str``; files are created with mode 0600, folders 0700."""

    def step(self, operation: str, path: str) -> None:
        """Called before each change, with the operation's name. Does nothing here."""

    def read(self, path: str, *, limit: int) -> bytes:
        """The whole file, which must be a regular file of at most ``limit`` bytes. Raises OSError."""
        fd = os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC | _BINARY)
        with os.fdopen(fd, "rb") as f:
            data = f.read(limit + 1)
        if len(data) > limit:
            raise OSError(27, "larger than it may be", path)  # 27: EFBIG
        return data

    def make_folder(self, path: str) -> None:
        """Create one folder, durably. Raises FileExistsError."""
        self.step("mkdir", path)
        os.mkdir(path, 0o700)
        self.sync_folder(os.path.dirname(path))

    def create(self, path: str) -> int:
        """A descriptor for a new file, for reading and writing. Raises FileExistsError."""
        self.step("create", path)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY, 0o600)

    def write(self, fd: int, data: bytes | bytearray | memoryview, path: str) -> None:
        """Append all of ``data`` at the descriptor's position."""
        self.step("write", path)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int, path: str) -> None:
        """Return once the file's bytes are on the medium, as far as the medium tells the truth."""
        self.step("sync", path)
        full_sync(fd)

    def sync_folder(self, path: str) -> None:
        """Make names in a folder durable. Where folders cannot be opened (Windows), the file system does it."""
        self.step("sync-folder", path)
        if not _DIRECTORY:
            return
        fd = os.open(path or ".", os.O_RDONLY | _DIRECTORY | _CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def publish(self, temporary: str, path: str) -> None:
        """Give a whole, synced file its final name, durably."""
        self.step("rename", path)
        os.replace(temporary, path)
        self.sync_folder(os.path.dirname(path))

    def replace(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path`` so that a reader, at any instant, sees the old or the new file whole."""
        temporary = f"{path}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        fd = self.create(temporary)
        try:
            try:
                self.write(fd, data, temporary)
                self.sync(fd, temporary)
            finally:
                os.close(fd)
            self.publish(temporary, path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def overwrite(self, path: str, offset: int, data: bytes) -> None:
        """Overwrite bytes of an existing file in place and sync; the file never grows or moves."""
        fd = os.open(path, os.O_RDWR | _NOFOLLOW | _CLOEXEC | _BINARY)
        try:
            if offset + len(data) > os.fstat(fd).st_size:
                raise ValueError("an overwrite never extends a file")
            self.step("overwrite", path)
            os.lseek(fd, offset, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            self.sync(fd, path)
        finally:
            os.close(fd)

    def unlink(self, path: str) -> None:
        """Remove a name. Raises FileNotFoundError."""
        self.step("unlink", path)
        os.unlink(path)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder. Raises OSError when something is still inside."""
        self.step("rmdir", path)
        os.rmdir(path)

    @contextmanager
    def lock(self, path: str, *, wait: bool = True) -> Iterator[None]:
        """Hold an advisory lock on a file, which is created if needed. Raises BlockingIOError if not ``wait``."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW | _CLOEXEC | _BINARY, 0o600)
        try:
            _lock(fd, wait)
            yield
        finally:
            os.close(fd)  # closing lets go of the lock


def full_sync(fd: int) -> None:
    """fdatasync; on macOS F_FULLFSYNC, because fsync there stops at the drive's cache (fsync(2), Apple)."""
    try:
        import fcntl

        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    except (ImportError, OSError):
        pass
    getattr(os, "fdatasync", os.fsync)(fd)


def _lock(fd: int, wait: bool) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
