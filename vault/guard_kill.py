# SPDX-License-Identifier: Apache-2.0
"""The resident first step of the emergency wipe: the keyring is open and the random bytes lie ready.

What ``vault.killing`` does in one go is split here into what takes time, done when the guard is armed, and what is
left for the moment itself: one write and one sync. Nothing is created, renamed or extended. ``vault.panic`` does the
rest afterwards, and does this step again by the keyring's name.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import time
from gettext import gettext as _

from keys.layout import KEYRING_SIZE, KILL_AREA_OFFSET, KILL_AREA_SIZE
from vault import layout
from vault.disk import full_sync
from vault.errors import DiskFailed
from vault.language import later
from vault.refusals import refusal

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_FLAGS = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
_DIRECT = getattr(os, "O_DIRECT", 0)


class ReadyKill:
    """Holds the keyring open for writing. ``fire`` may be called from a signal handler, and again."""

    def __init__(self, folder: str) -> None:
        """Raises DiskFailed when the keyring cannot be opened for writing, or is none."""
        self._folder, self._path = folder, os.path.join(folder, layout.KEYRING)
        self._noise = mmap.mmap(-1, KILL_AREA_SIZE)
        self._noise[:] = os.urandom(KILL_AREA_SIZE)
        self._fds: list[int] = []
        self._folder_fd = -1
        self.milliseconds: float | None = None
        """How long ``fire`` took until the medium had said that the bytes are there; None: not fired, or it failed."""
        self.problem = ""
        try:
            if _DIRECT:
                self._open(_DIRECT)
            self._open(0)
            self._folder_fd = os.open(folder, os.O_RDONLY | _CLOEXEC)
        except OSError as exc:
            self.close()
            raise DiskFailed(
                _("the keyring cannot be held open for writing: {reason}").format(reason=refusal(exc)),
                _("the wipe is not armed"),
            ) from exc

    def fire(self) -> None:
        """Overwrite the kill area in place and sync: past the cache if the file system can. Raises nothing.

        ``problem`` stays in English until it is shown: no catalogue is looked for before the keys are gone.
        """
        began = time.perf_counter()
        self.problem = later("the keyring is not open")
        for fd in self._fds:
            try:
                if os.pwrite(fd, self._noise, KILL_AREA_OFFSET) != KILL_AREA_SIZE:
                    self.problem = later("the medium took a part of it only")
                    continue
                full_sync(fd)
            except OSError as error:
                self.problem = error.strerror or type(error).__name__
                continue
            self.problem = ""
            self.milliseconds = (time.perf_counter() - began) * 1000
            return

    def same_file(self) -> bool:
        """Whether the keyring's name still leads to the file that is held open."""
        try:
            return os.path.samestat(os.fstat(self._fds[-1]), os.lstat(self._path))
        except (OSError, IndexError):
            return False

    def same_vault(self) -> bool:
        """Whether what lies under the vault's name is the vault that is held, or what another wipe has left of it.

        Numbers of files are not given away twice while they are held open. Whatever is moved there after this look
        is not seen.
        """
        if self.same_file():
            return True
        try:
            if not os.path.lexists(self._folder):
                return os.fstat(self._fds[-1]).st_nlink == 0  # else it was not wiped but moved
            same_folder = os.path.samestat(os.fstat(self._folder_fd), os.stat(self._folder))
        except (OSError, IndexError):
            return False
        return same_folder and not os.path.lexists(self._path)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        fds, self._fds, self._folder_fd = [*self._fds, self._folder_fd], [], -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _open(self, flags: int) -> None:
        try:
            fd = os.open(self._path, _FLAGS | flags)
        except OSError as error:
            if flags and error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                return  # no O_DIRECT on this file system; the other descriptor does it
            raise
        self._fds.append(fd)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != KEYRING_SIZE:
            raise OSError(errno.EINVAL, "it is not a file of 1 MiB", self._path)
