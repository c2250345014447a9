# SPDX-License-Identifier: Apache-2.0
"""Writing into a folder that the user chose: never beside it, never over something else, never half a file.

Every folder on the way is opened without following symbolic links, so that a link that
lies in wait inside the folder cannot lead out of it. A file has a temporary name until
it is whole, and is locked while it has: what a run that was killed left under such a name is
removed by the next one that writes into the same folder.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from gettext import gettext as _

from vault.disk import take_lock
from vault.elsewhere import expect_outside_vaults
from vault.errors import AlreadyThere, DiskFailed, UnsafeName
from vault.holes import HoleWriter, PlainFile
from vault.names import SafePath, printable
from vault.refusals import refusal

_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_TEMPORARY = re.compile(rb"\.sandyk-[0-9a-f]{16}")
_TRIES = 8
_AT = os.open in os.supports_dir_fd and os.mkdir in os.supports_dir_fd


class OutFolder:
    """A folder to write into, in no vault. Created if it is not there. Raises BadInput, DiskFailed."""

    def __init__(self, path: str) -> None:
        expect_outside_vaults(path)
        self.path = path
        self._swept: set[tuple[bytes, ...]] = set()
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
        except OSError as exc:
            raise DiskFailed(
                _("the folder {path} cannot be made: {reason}").format(path=printable(path), reason=refusal(exc))
            ) from exc

    def writer(self) -> OutWriter:
        """For many files, to be used by one thread, in a ``with`` statement."""
        return OutWriter(self.path, self._swept)

    def write(
        self, path: SafePath, fill: Callable[[Callable[[bytes], object]], None], *,
        force: bool = False, mtime_ns: int | None = None,
    ) -> str:  # fmt: skip
        """See OutWriter."""
        with self.writer() as writer:
            return writer.write(path, fill, force=force, mtime_ns=mtime_ns)


class OutWriter:
    """Writes one file after another. The folder of the last one stays open: most files go where the last one went."""

    def __init__(self, path: str, swept: set[tuple[bytes, ...]]) -> None:
        self.path = path
        self._swept = swept
        self._last: tuple[tuple[bytes, ...], _Place] | None = None

    def __enter__(self) -> OutWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._last is not None:
            self._last[1].close()
            self._last = None

    def write(
        self, path: SafePath, fill: Callable[[Callable[[bytes], object]], None], *,
        force: bool = False, mtime_ns: int | None = None,
    ) -> str:  # fmt: skip
        """Write one file: ``fill`` is called with a function that takes bytes, and may raise to leave nothing behind.

        Returns the path as text. Raises AlreadyThere unless ``force``, UnsafeName, DiskFailed.
        """
        where = os.path.join(self.path, os.fsdecode(b"/".join(path.parts)))
        try:
            self._write_in(self._parent(path), path.parts[-1], fill, force, mtime_ns)
        except FileExistsError as exc:
            raise AlreadyThere(
                _("{where} is there already").format(where=printable(where)), _("--force overwrites it")
            ) from exc
        except OSError as exc:
            raise DiskFailed(
                _("{where} cannot be written: {reason}").format(where=printable(where), reason=refusal(exc))
            ) from exc
        return where

    def _write_in(
        self, at: _Place, name: bytes, fill: Callable[[Callable[[bytes], object]], None],
        force: bool, mtime_ns: int | None,
    ) -> None:  # fmt: skip
        if not force and at.exists(name):
            raise FileExistsError(errno.EEXIST, "exists")
        temporary, fd = at.create()
        try:
            with os.fdopen(fd, "wb", buffering=0) as f:
                out = HoleWriter(PlainFile(f.fileno()))
                fill(out.write)
                out.finish()
                if mtime_ns is not None:
                    target = f.fileno() if os.utime in os.supports_fd else at.full(temporary)
                    with suppress(OSError, OverflowError):
                        os.utime(target, ns=(mtime_ns, mtime_ns))
            at.publish(temporary, name, force=force)
        except BaseException:
            with suppress(OSError):
                at.unlink(temporary)
            raise

    def _parent(self, path: SafePath) -> _Place:
        """The folder that a file goes into, made on the way; without descriptors it is looked for links each time."""
        if self._last is not None and self._last[0] == path.parts[:-1] and _AT:
            return self._last[1]
        self._leave()
        place = _Place(os.fsencode(self.path), os.open(self.path, os.O_RDONLY | _DIRECTORY | _CLOEXEC) if _AT else None)
        try:
            for part in path.parts[:-1]:
                place.enter(part)
        except BaseException:
            place.close()
            raise
        self._last = path.parts[:-1], place
        if path.parts[:-1] not in self._swept:
            self._swept.add(path.parts[:-1])
            place.sweep()
        return place


class _Place:
    """A folder, by descriptor where the system can, else by path with a check for links."""

    def __init__(self, path: bytes, fd: int | None) -> None:
        self._path, self._fd = path, fd

    def full(self, name: bytes) -> bytes:
        return os.path.join(self._path, name)

    def _name(self, name: bytes) -> bytes:
        return name if self._fd is not None else self.full(name)

    def enter(self, name: bytes) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._name(name), 0o700, dir_fd=self._fd)
        if self._fd is None:
            if os.path.islink(self.full(name)) or not os.path.isdir(self.full(name)):
                raise UnsafeName(_("{path} is in the way").format(path=printable(self.full(name))))
        else:
            try:
                inner = os.open(name, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC, dir_fd=self._fd)
            except NotADirectoryError as exc:
                raise UnsafeName(_("{path} is in the way").format(path=printable(self.full(name)))) from exc
            except OSError as exc:
                if os.path.islink(self.full(name)):
                    raise UnsafeName(_("{path} is a symbolic link").format(path=printable(self.full(name)))) from exc
                raise
            os.close(self._fd)
            self._fd = inner
        self._path = self.full(name)

    def exists(self, name: bytes) -> bool:
        try:
            os.stat(self._name(name), dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def create(self) -> tuple[bytes, int]:
        """A new file under a temporary name, locked so that no other run sweeps it away."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
        for __ in range(_TRIES):
            name = b".sandyk-" + secrets.token_hex(8).encode()
            fd = os.open(self._name(name), flags, 0o600, dir_fd=self._fd)
            with suppress(OSError):  # where there are no locks, nobody sweeps
                take_lock(fd, wait=True)
            if os.fstat(fd).st_nlink:
                return name, fd
            os.close(fd)  # swept between the two calls
        raise OSError(errno.EAGAIN, "removed again and again while it was being made")

    def sweep(self) -> None:
        """Remove what a run that was killed left here: files under our temporary names that nobody is writing."""
        with os.scandir(self._path if self._fd is None else self._fd) as entries:
            names = [name for entry in entries if _TEMPORARY.fullmatch(name := os.fsencode(entry.name))]
        for name in names:
            with suppress(OSError):
                self._sweep_one(name)

    def _sweep_one(self, name: bytes) -> None:
        fd = os.open(self._name(name), os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY, dir_fd=self._fd)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                take_lock(fd, wait=False)  # fails when it is being written
                self.unlink(name)
        finally:
            os.close(fd)

    def publish(self, temporary: bytes, name: bytes, *, force: bool) -> None:
        """Give the file its name. Without ``force`` by a link, which cannot replace; FAT has no links."""
        old, new = self._name(temporary), self._name(name)
        if not force:
            try:
                os.link(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)
            except FileExistsError:
                raise
            except (OSError, NotImplementedError):  # no links here; the latter where the platform cannot even ask
                if self.exists(name):
                    raise FileExistsError(errno.EEXIST, "exists") from None
            else:
                os.unlink(old, dir_fd=self._fd)
                return
        os.replace(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def unlink(self, name: bytes) -> None:
        os.unlink(self._name(name), dir_fd=self._fd)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
