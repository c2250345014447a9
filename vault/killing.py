# SPDX-License-Identifier: Apache-2.0
"""Overwriting the keyring in place: the one act of the emergency wipe that matters.

The kill area enters every derivation (docs/format.md §2), so its 16 KiB are enough, and they go first. Nothing is
renamed, extended, truncated or created: on any of these the old bytes would live on in free blocks. A keyring that is
a link is never followed. Loaded before the keys are gone, therefore small; the standard library only.
"""

from __future__ import annotations

import os
import stat

from keys.layout import KEYRING_SIZE, KILL_AREA_SIZE
from vault.disk import Disk, noise
from vault.language import later
from vault.language import said as _
from vault.layout import KEYRING

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from vault.wiping import Tally

_TRIES = 3
"""How often the kill area is written when it reads back differently: another wipe may run at the same time."""
_MAX_KEYRING = 64 << 20
"""Bytes of a keyring of the wrong size that are overwritten; more was never ours."""


class Kill:
    """What became of the keyring. The keys are gone when ``problem`` is empty."""

    __slots__ = ("_written", "overwritten", "past_the_cache", "problem", "size", "verified")

    def __init__(self, *, written: bytes = b"", problem: str = "") -> None:
        self._written, self.problem = written, problem
        self.size = self.overwritten = len(written)
        self.verified = self.past_the_cache = False


def kill_keys(disk: Disk, keyring: str) -> Kill:
    """Overwrite the kill area and sync. A file that may not be written is made writable and tried again."""
    try:
        return _kill_once(disk, keyring)
    except PermissionError:
        from vault.wiping import permit

        permit(keyring)
    except OSError as error:
        return Kill(problem=_why(error))
    try:
        return _kill_once(disk, keyring)
    except OSError as error:
        return Kill(problem=_why(error))


def overwrite_rest(disk: Disk, keyring: str, kill: Kill, tally: Tally) -> None:
    """Slots and regions, to the end of the file, whatever its size. Does nothing if the kill area was not reached."""
    if kill.problem:
        return
    try:
        size = os.lstat(keyring).st_size
        end = min(size, _MAX_KEYRING)
        while kill.overwritten < end:
            step = min(KEYRING_SIZE - KILL_AREA_SIZE, end - kill.overwritten)
            disk.overwrite_through(keyring, kill.overwritten, noise(step))
            kill.overwritten += step
        if size > end:
            tally.note(
                _("only the first {end} bytes of a keyring of {size} bytes were overwritten").format(end=end, size=size)
            )
    except OSError as error:
        tally.fail(later("overwrite the rest of the"), KEYRING, error)


def verify_killed(disk: Disk, keyring: str, kill: Kill) -> None:
    """Note whether the kill area reads back as written, and whether it was read past the system's cache."""
    if kill.problem:
        return
    try:
        for attempt in range(_TRIES):
            found, past_the_cache = disk.read_through(keyring, 0, kill.size)
            if found == kill._written:
                kill.verified, kill.past_the_cache = True, past_the_cache
                return
            if attempt + 1 < _TRIES:
                data = noise(kill.size)
                disk.overwrite_through(keyring, 0, data)
                kill._written = data[:]
    except OSError:
        return


def _kill_once(disk: Disk, keyring: str) -> Kill:
    try:
        status = os.lstat(keyring)
    except FileNotFoundError:
        return Kill(problem=later("there is no keyring file here"))
    if stat.S_ISLNK(status.st_mode):
        return Kill(problem=later("the keyring is a link, and what a link points to is never overwritten"))
    if not stat.S_ISREG(status.st_mode):
        return Kill(problem=later("the keyring is not a file"))
    size = min(status.st_size, KILL_AREA_SIZE)
    if not size:
        return Kill(problem=later("the keyring is empty"))
    data = noise(size)
    disk.overwrite_through(keyring, 0, data)
    return Kill(written=data[:])


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
