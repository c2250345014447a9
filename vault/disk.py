# SPDX-License-Identifier: Apache-2.0
"""The hands: every change this program makes to a disk goes through one ``Disk``.

Standard library only, because ``panic`` uses it. It judges nothing and catches nothing:
an ``OSError`` reaches the caller, who knows what was being done. ``step`` is called
before each operation that changes the disk; tests override it to stop there, and so
walk through every point at which a machine can lose power. ``contextlib``, ``secrets`` and ``typing`` are
left out on purpose: each takes longer to import than the wipe needs to destroy the keys.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat

TYPE_CHECKING = False  # the same as typing's, without its import: this module is on the way of the emergency wipe
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # so that a FIFO put in a file's place cannot make an open wait for ever
_DIRECT = getattr(os, "O_DIRECT", 0)

FLUSHABLE = os.O_RDONLY if os.name != "nt" else os.O_RDWR | _BINARY
"""How a file is opened to be synced: Windows does it only for who may write (FlushFileBuffers)."""

DIRECT_BLOCK = 4096
"""Bytes to which a transfer past the cache is aligned: no drive of today has larger blocks (open(2), O_DIRECT)."""
_NO_DIRECT = (errno.EINVAL, errno.EOPNOTSUPP)
"""What open(2) or the transfer says where there is no O_DIRECT: ramfs, older tmpfs, some FUSE and network systems."""

NAMED_WHILE_OPEN = os.name != "nt"
"""Whether a file gets its name before it is closed: until then its lock keeps ``sweep`` away. Windows cannot."""
_TRIES = 8
TEMPORARY_SUFFIX = ".new"
"""Ends the name of a file that is not whole yet. Readers ignore such files; the next writer removes them."""


class Disk:
    """Operations on a real file system. Paths are ``str``; files are created with mode 0600, folders 0700."""

    patience = 2.0
    """On Windows, for how many seconds a name is tried again that somebody has open."""

    def step(self, operation: str, path: str) -> None:
        """Called before each change, with the operation's name. Does nothing here."""

    def read(self, path: str, *, limit: int) -> bytes:
        """The whole file, which must be a regular file of at most ``limit`` bytes. Raises OSError."""
        fd = os.open(path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY)
        with os.fdopen(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            data = f.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, "larger than it may be", path)
        return data

    def make_folder(self, path: str) -> None:
        """Create one folder, durably. Raises FileExistsError."""
        self.step("mkdir", path)
        os.mkdir(path, 0o700)
        self.sync_folder(os.path.dirname(path))

    def create(self, path: str) -> int:
        """A descriptor for a new file, for reading and writing, which holds the file's lock. Raises FileExistsError."""
        self.step("create", path)
        for _ in range(_TRIES):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY, 0o600)
            try:
                take_lock(fd, wait=True)
            except OSError:
                return fd  # only ``sweep`` looks at the lock, and only to spare files that are being written
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # another process swept it between the two calls
        raise OSError(errno.EAGAIN, "removed again and again while it was being made", path)

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
        self._patiently(lambda: os.replace(temporary, path))
        self.sync_folder(os.path.dirname(path))

    def publish_new(self, temporary: str, path: str) -> None:
        """Like ``publish``, but never in place of another file. Raises FileExistsError.

        By a link, which cannot replace. Where there are none (FAT), what appears at the last moment is replaced.
        """
        self.step("rename", path)
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # no links here; the latter where the platform cannot even ask
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, "exists", path) from None
            self._patiently(lambda: os.replace(temporary, path))
        else:
            os.unlink(temporary)
        self.sync_folder(os.path.dirname(path))

    def replace(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path`` so that a reader, at any instant, sees the old or the new file whole."""
        temporary = f"{path}-{os.urandom(4).hex()}{TEMPORARY_SUFFIX}"
        fd = self.create(temporary)
        try:
            try:
                self.write(fd, data, temporary)
                self.sync(fd, temporary)
                if NAMED_WHILE_OPEN:
                    self.publish(temporary, path)
            finally:
                os.close(fd)
            if not NAMED_WHILE_OPEN:
                self.publish(temporary, path)
        except OSError:
            _unlink_quietly(temporary)  # the first error is the one that says what happened
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

    def date(self, paths: Sequence[str], mtime_ns: int) -> None:
        """Give files this time of last change and access, in nanoseconds since 1970. Links are not followed."""
        self.step("date", paths[0])
        for path in paths:
            os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=os.utime not in os.supports_follow_symlinks)

    def sweep(self, folder: str, is_ours: Callable[[str], bool] = lambda _name: True) -> None:
        """Remove temporary files that nobody is writing any more, if ``is_ours`` says so of their names."""
        with os.scandir(folder) as entries:
            stale = [e.path for e in entries if e.name.endswith(TEMPORARY_SUFFIX) and is_ours(e.name)]
        for path in stale:
            try:
                fd = os.open(path, os.O_RDWR | _NOFOLLOW | _CLOEXEC | _BINARY)
            except OSError:
                continue
            try:
                take_lock(fd, wait=False)
                self.unlink(path)
            except OSError:
                continue
            finally:
                os.close(fd)

    def overwrite_through(self, path: str, offset: int, data: mmap.mmap | bytes) -> bool:
        """Overwrite bytes of an existing file in place, past the system's cache where possible, and sync.

        ``data`` in an anonymous ``mmap`` is aligned as O_DIRECT wants it; anything else goes through the cache.
        Returns whether the cache was passed by. The file never grows, moves or is created, a link is not
        followed. Raises OSError, also when the range is not wholly inside the file.
        """
        aligned = isinstance(data, mmap.mmap) and offset % DIRECT_BLOCK == 0 and len(data) % DIRECT_BLOCK == 0
        if aligned and _DIRECT:
            try:
                self._overwrite_once(path, offset, data, _DIRECT)
                return True
            except OSError as error:
                if error.errno not in _NO_DIRECT:
                    raise
        self._overwrite_once(path, offset, data, 0)
        return False

    def _overwrite_once(self, path: str, offset: int, data: mmap.mmap | bytes, flags: int) -> None:
        fd = os.open(path, os.O_WRONLY | flags | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or offset + len(data) > status.st_size:
                raise OSError(errno.EFBIG, "an overwrite never extends a file", path)
            self.step("overwrite", path)
            os.lseek(fd, offset, os.SEEK_SET)
            with memoryview(data) as whole:
                done = 0
                while done < len(whole):
                    done += os.write(fd, whole[done:])
            self.sync(fd, path)  # one flush; O_DSYNC would be another, and each waits for the drive and the processor
        finally:
            os.close(fd)

    def read_through(self, path: str, offset: int, size: int) -> tuple[bytes, bool]:
        """Bytes of a file, from the medium and not from the cache where possible; and whether that was so."""
        if _DIRECT and offset % DIRECT_BLOCK == 0 and size % DIRECT_BLOCK == 0:
            try:
                return _read_once(path, offset, size, _DIRECT), True
            except OSError as error:
                if error.errno not in _NO_DIRECT:
                    raise
        return _read_once(path, offset, size, 0), False

    def unlink(self, path: str) -> None:
        """Remove a name. Raises FileNotFoundError."""
        self.step("unlink", path)
        self._patiently(lambda: os.unlink(path))

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder. Raises OSError when something is still inside."""
        self.step("rmdir", path)
        os.rmdir(path)

    def _patiently(self, change: Callable[[], None]) -> None:
        if os.name != "nt":
            change()
            return
        from vault.windows_files import patiently

        patiently(change, self.patience)

    def lock(self, path: str, *, wait: bool = True) -> Lock:
        """``with`` this: hold an advisory lock on a file, created if needed. Raises BlockingIOError if not ``wait``."""
        return Lock(path, wait=wait)


class Lock:
    """An advisory lock on a file, held between ``__enter__`` and ``__exit__``."""

    def __init__(self, path: str, *, wait: bool) -> None:
        self._path, self._wait, self._fd = path, wait, -1

    def __enter__(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | _NOFOLLOW | _CLOEXEC | _BINARY, 0o600)
        try:
            take_lock(fd, wait=self._wait)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)  # closing lets go of the lock


def noise(size: int) -> mmap.mmap | bytes:
    """Random bytes to overwrite with, aligned for ``overwrite_through`` unless there is no memory for that."""
    try:
        buffer = mmap.mmap(-1, size)
    except OSError:
        return os.urandom(size)
    buffer[:] = os.urandom(size)
    return buffer


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _read_once(path: str, offset: int, size: int, flags: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | flags | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY)
    try:
        os.lseek(fd, offset, os.SEEK_SET)
        if not hasattr(os, "readv"):
            return os.read(fd, size)
        with mmap.mmap(-1, size) as aligned:
            return aligned[: os.readv(fd, [aligned])]
    finally:
        os.close(fd)


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


def sync_file_system(path: str) -> None:
    """Return once all that was written to the file system of this folder is on its medium (syncfs(2)).

    Where a system has no such call, all file systems are synced; on Windows each file below the folder. Raises OSError.
    """
    if os.name == "nt":
        for where, _folders, names in os.walk(path):
            for name in names:
                _sync_file(os.path.join(where, name))
        return
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        syncfs = libc.syncfs
    except (ImportError, AttributeError, OSError, TypeError):
        getattr(os, "sync", lambda: None)()
        return
    fd = os.open(path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
    try:
        if syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(fd)


def _sync_file(path: str) -> None:
    fd = os.open(path, FLUSHABLE)
    try:
        full_sync(fd)
    finally:
        os.close(fd)


def take_lock(fd: int, *, wait: bool) -> None:
    """Lock a file, or on POSIX a folder, until its descriptor is closed. Raises OSError, also when it is locked."""
    try:
        import fcntl
    except ImportError:
        from vault.windows_files import lock

        lock(fd, wait=wait)
        return
    fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
