# SPDX-License-Identifier: Apache-2.0
"""Room among packs that is held for what must be written later: so that it fails before the long work, not after it.

What is held is a file of zeros under a name of the kind that the next run sweeps away, if this one is killed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vault.disk import TEMPORARY_SUFFIX, Disk

_PIECE = 1 << 20


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
        os.posix_fallocate(fd, 0, size)  # where a file system cannot, the C library writes (posix_fallocate(3))
        return
    for offset in range(0, size, _PIECE):
        disk.write(fd, bytes(min(_PIECE, size - offset)), path)
