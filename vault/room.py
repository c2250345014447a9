# SPDX-License-Identifier: Apache-2.0
"""Room among packs that is held for what must be written later: so that it fails before the long work, not after it.

Held as far as the file system keeps its word: one that compresses, copies on writing or has quotas may take room back.
What is held is a file that says nothing, under a name of the kind that the next run sweeps away, if this one is killed.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vault.disk import TEMPORARY_SUFFIX, Disk

_PIECE = 1 << 20
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What posix_fallocate says where the file system or the kernel has no such thing, and the C library does not write in
its place, as glibc does (posix_fallocate(3), Notes): musl does not."""


@contextmanager
def held(disk: Disk, folder: str, size: int) -> Iterator[None]:
    """Hold ``size`` bytes of the file system of a folder until the ``with`` statement ends. Raises OSError."""
    # The name of a pack that is not whole (docs/format.md §1.2): a wipe deletes what it knows, and nothing else.
    path = os.path.join(folder, f"{secrets.token_hex(16)}.age-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    fd = disk.create(path)
    try:
        _take(disk, fd, size, path)
        yield
    finally:
        os.close(fd)
        with suppress(OSError):  # a wiped vault has it no more
            disk.unlink(path)


def _take(disk: Disk, fd: int, size: int, path: str) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
            return
        except OSError as exc:
            if exc.errno not in _CANNOT:
                raise
    for offset in range(0, size, _PIECE):
        disk.write(fd, os.urandom(min(_PIECE, size - offset)), path)  # not zeros, which may be kept in no room at all
