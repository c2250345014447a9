# SPDX-License-Identifier: Apache-2.0
"""One buffer for one secret: outside the interpreter's heap, out of swap and core dumps, zeroed when closed.

Best effort in this order: memfd_secret(2), whose pages are in no other process's reach, the kernel's own included,
and while which exists the machine does not hibernate; an anonymous mapping with mlock(2), VirtualLock on Windows; an
anonymous mapping. ``kind`` says which it became. The secret is read into it and written from it without a copy in
between.
"""

from __future__ import annotations

import ctypes
import io
import mmap
import os
import sys

PLAIN, LOCKED, SECRET = 0, 1, 2
_MEMFD_SECRET = 447  # <asm-generic/unistd.h>; the same number on every architecture that has the call
_CLOEXEC = os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0


class SecretBuffer:
    """``size`` bytes, zero at first."""

    __slots__ = ("_map", "kind", "size", "view")

    def __init__(self, size: int, *, secretmem: bool = True) -> None:
        self.size = size
        pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        fd = _memfd_secret(pages) if secretmem else None
        if fd is not None:
            try:
                self._map, self.kind = mmap.mmap(fd, pages), SECRET
            finally:
                os.close(fd)
        else:
            self._map = _anonymous(pages)
            self.kind = LOCKED if _lock(self._map, pages) else PLAIN
            for advice in ("MADV_DONTDUMP", "MADV_DONTFORK"):
                if hasattr(mmap, advice):
                    self._map.madvise(getattr(mmap, advice))
        self.view = memoryview(self._map)[:size]

    def fill_from(self, fd: int) -> bool:
        """Read until it is full; whether it became so before the other end closed. Raises OSError."""
        done = 0
        with io.FileIO(fd, closefd=False) as pipe:
            while done < self.size:
                got = pipe.readinto(self.view[done:])
                if not got:
                    return False
                done += got
        return True

    def zero(self) -> None:
        """Overwrite it. Safe to call at any moment, and twice."""
        self.view[:] = bytes(self.size)


def _anonymous(size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _memfd_secret(size: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        fd: int = ctypes.CDLL(None, use_errno=True).syscall(_MEMFD_SECRET, _CLOEXEC)
    except (OSError, AttributeError):
        return None
    if fd < 0:
        return None
    try:
        os.ftruncate(fd, size)
        # Its pages count against RLIMIT_MEMLOCK, and are taken when the mapping is made: try it on one that is let go.
        mmap.mmap(fd, size).close()
    except (OSError, ValueError):
        os.close(fd)
        return None
    return fd


def _lock(mapping: mmap.mmap, size: int) -> bool:
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    if sys.platform == "win32":
        from vault.agent import windows

        return windows.lock_memory(address, size)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return bool(libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0)
    except (OSError, AttributeError):
        return False
