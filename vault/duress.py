# SPDX-License-Identifier: Apache-2.0
"""What typing a duress passphrase does to the disk, before anything else (docs/decisions/0030).

Owns the destruction and nothing else: ``LockedVault.unlock`` calls it and goes on as it does for any passphrase.
It says nothing, waits for no lock and raises nothing, whatever the disk answers: an error here would show which
passphrase was typed to the person who made one type it. On a medium that cannot be written the decoy opens all
the same and nothing is destroyed; docs/threat-model.md says so.
"""

from __future__ import annotations

import os
import stat

from keys import duress
from vault import layout
from vault.disk import Disk, noise


def destroy(folder: str, compartments: tuple[int, ...], disk: Disk) -> None:
    """Overwrite what opens these compartments, in place and synced, and leave the keyring dated as it was.

    Done again with each unlock, so that an interrupted one is finished. Each area is tried even if another failed.
    """
    path = os.path.join(folder, layout.KEYRING)
    before = _status(path)
    for offset, size in duress.areas(compartments):
        _overwrite(disk, path, offset, size)
    if before is not None:
        try:
            disk.date([path], before.st_mtime_ns)
        except OSError:
            return


def _overwrite(disk: Disk, path: str, offset: int, size: int) -> None:
    try:
        disk.overwrite_through(path, offset, noise(size))
    except PermissionError:
        _overwrite_protected(disk, path, offset, size)
    except OSError:
        return


def _overwrite_protected(disk: Disk, path: str, offset: int, size: int) -> None:
    """The same for a keyring that is marked as not to be written: the mark is taken away and put back."""
    status = _status(path)
    if status is None:
        return
    mode = stat.S_IMODE(status.st_mode)
    try:
        os.chmod(path, mode | stat.S_IWUSR)
        try:
            disk.overwrite_through(path, offset, noise(size))
        finally:
            os.chmod(path, mode)
    except OSError:
        return


def _status(path: str) -> os.stat_result | None:
    """Of a regular file; None for a link, which is never followed, and for anything else."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
