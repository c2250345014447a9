# SPDX-License-Identifier: Apache-2.0
"""Writing a long new file past the system's cache: packs, bundles and films are not read again soon, and fresh cache
pages cost more than encrypting what goes into them (docs/performance.md).

Owns the aligned buffers and the way back to ordinary writing where a file system has no O_DIRECT (open(2)). Past the
cache a write waits for the drive: with a lane, whoever makes the bytes does not wait along.
Does not sync: who publishes the file does that.
"""

from __future__ import annotations

import errno
import mmap
import os

from vault.disk import DIRECT_BLOCK, Disk
from vault.lanes import Lane

BUFFER_SIZE = 4 << 20
"""Bytes written at a time: less costs throughput, more gained nothing. A multiple of 4,096, as O_DIRECT wants."""
_DIRECT = getattr(os, "O_DIRECT", 0)


class Appender:
    """A sink for a new file that ``Disk.create`` made, from its beginning. ``finish`` writes what is held back.

    A file shorter than the buffer is written as any other. Raises OSError, in a later call if a lane writes.
    """

    def __init__(
        self, disk: Disk, fd: int, path: str, *, buffer_size: int = BUFFER_SIZE, lane: Lane | None = None
    ) -> None:
        """``buffer_size``: bytes, a multiple of 4,096. A ``lane`` writes one buffer while another one is filled."""
        self._disk, self._fd, self._path, self._lane = disk, fd, path, lane
        self._view = memoryview(mmap.mmap(-1, buffer_size))  # aligned to a page
        self._other = memoryview(mmap.mmap(-1, buffer_size)) if lane else self._view
        self._held = self._written = 0
        self._direct = False
        self._may_be_direct = bool(_DIRECT)

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of ``data``, which may be changed as soon as this returns."""
        view = memoryview(data)
        while view:
            taken = min(len(view), len(self._view) - self._held)
            self._view[self._held : self._held + taken] = view[:taken]
            self._held += taken
            view = view[taken:]
            if self._held == len(self._view):
                self._settle()
                self._turn_direct()
                self._flush_beside()
        return len(data)

    def skip(self, size: int, /) -> None:
        """Leave a hole of so many bytes, which reads as zeros."""
        self._settle()
        self._turn_ordinary()  # what is held may be no whole block
        self._flush()
        self._written = os.lseek(self._fd, size, os.SEEK_CUR)
        os.ftruncate(self._fd, self._written)

    def finish(self) -> None:
        """Write the rest; to be called once, before the file is synced."""
        self._settle()
        self._turn_ordinary()  # the end of the file is no whole block
        self._flush()

    def _settle(self) -> None:
        """Wait until the lane has written what it was given: it and the caller have the same descriptor and state."""
        if self._lane:
            self._lane.wait()

    def _flush_beside(self) -> None:
        if self._lane is None:
            self._flush()
            return
        full = self._view
        self._held, self._view, self._other = 0, self._other, full
        self._lane.do(lambda: self._write(full))

    def _flush(self) -> None:
        self._write(self._view[: self._held])
        self._held = 0

    def _write(self, data: memoryview) -> None:
        start = self._written
        try:
            self._disk.write(self._fd, data, self._path)
        except OSError as exc:
            if not self._direct or exc.errno != errno.EINVAL:
                raise
            # Refused only now, or after a write that took less than a block: the rest goes the ordinary way.
            self._may_be_direct = False
            self._turn_ordinary()
            done = os.lseek(self._fd, 0, os.SEEK_CUR) - start
            self._disk.write(self._fd, data[done:], self._path)
        self._written += len(data)

    def _turn_direct(self) -> None:
        if self._may_be_direct and not self._direct and self._written % DIRECT_BLOCK == 0:
            self._direct = self._may_be_direct = _set_direct(self._fd, True)

    def _turn_ordinary(self) -> None:
        if self._direct:
            _set_direct(self._fd, False)
            self._direct = False


def _set_direct(fd: int, on: bool) -> bool:
    """Whether the descriptor could be told to pass the cache by (fcntl(2), F_SETFL; EINVAL where there is none)."""
    import fcntl

    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
    except OSError:
        if not on:
            raise
        return False
    return True
