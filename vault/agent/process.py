# SPDX-License-Identifier: Apache-2.0
"""Agents by their processes, whatever environment they were started in, and by whatever path the vault was named.

Owns the mark that an agent carries in its command line, the search for it in /proc, and ending what bears it. The mark
is a hash of which file the keyring is (device and inode), so it is the same through every link and mount, and a
process that no runtime folder leads to is found by it. Seen are processes of this user that /proc shows: none in
another PID namespace, none where /proc hides those that may not be traced (hidepid, proc(5)), none on systems
without /proc. On Windows the mark names a pipe (``pipes``), and whoever of this user has that is the agent. Standard
library only: the emergency wipe uses it once the keys are gone.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import sys
import time

from vault.agent.protocol import LOCK, encode_request
from vault.language import later

if sys.platform == "win32":
    from vault.agent import pipes

_PROC = "/proc"
_U64 = (1 << 64) - 1
_MODULE = "vault.agent"
_GRACE = 0.05
"""Seconds that an agent has to zero its slot by itself."""
_GRACE_WINDOWS = 0.5
"""The same there, where a process takes longer to end."""
_PATIENCE = 2.0
"""Seconds after which a process that was killed is given up: one that hangs in the kernel."""


def mark_of(device: int, inode: int) -> str:
    """Sixteen hexadecimal digits for a keyring, by what ``stat`` says of it."""
    device, inode = device & _U64, inode & _U64  # as the agent is told them; ReFS has more bits (stat_result)
    return hashlib.sha256(f"sandyk agent {device} {inode}".encode("ascii")).hexdigest()[:16]


def mark_at(keyring: str) -> str | None:
    """The mark of the keyring at a path, a link not followed; None when there is none."""
    try:
        status = os.lstat(keyring)
    except OSError:
        return None
    return mark_of(status.st_dev, status.st_ino)


def arguments(mark: str) -> tuple[str, ...]:
    """What follows the interpreter and its options in an agent's command line."""
    return ("-m", _MODULE, mark)


def find(mark: str | None) -> tuple[int, ...]:
    """The numbers of this user's processes that bear a mark, as far as /proc shows them; none for no mark.

    0 on Windows for one that cannot be asked for its number.
    """
    if mark is None:
        return ()
    if sys.platform == "win32":
        number = pipes.number_at(pipes.path_of(mark))
        return () if number is None else (number,)
    try:
        names = os.listdir(_PROC)
    except OSError:
        return ()
    return tuple(int(name) for name in names if name.isdecimal() and _bears(int(name), mark))


def end(mark: str | None) -> tuple[tuple[int, str], ...]:
    """Let every process that bears a mark zero its slot and end, or kill it: each number, and "" or why not."""
    if sys.platform == "win32":
        if mark is None:
            return ()
        one = pipes.end(pipes.path_of(mark), encode_request(LOCK), grace=_GRACE_WINDOWS, patience=_PATIENCE)
        return () if one is None else (one,)
    outcome: list[tuple[int, str]] = []
    running: dict[int, int] = {}
    for number in find(mark):
        try:
            fd = os.pidfd_open(number)
        except ProcessLookupError:
            outcome.append((number, ""))
        except (OSError, AttributeError) as error:  # a kernel before 5.3, or a Python built for one
            outcome.append((number, getattr(error, "strerror", None) or type(error).__name__))
        else:
            running[fd] = number
    # Held by descriptor; one that took the number of an agent that ended meanwhile is another process.
    of_others = [fd for fd, number in running.items() if mark is None or not _bears(number, mark)]
    for fd in of_others:
        outcome.append((running.pop(fd), ""))
        os.close(fd)
    for order, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _PATIENCE)):
        for fd in running:
            _send(fd, order)
        for fd in _ended(list(running), patience):
            outcome.append((running.pop(fd), ""))
            os.close(fd)
    for fd, number in running.items():
        outcome.append((number, later("it does not end")))
        os.close(fd)
    return tuple(outcome)


def _bears(number: int, mark: str) -> bool:
    """Whether a process is this user's and was started as an agent with this mark."""
    try:
        with open(f"{_PROC}/{number}/cmdline", "rb") as f:
            words = f.read(4096).split(b"\0")
        if tuple(words[-4:-1]) != tuple(os.fsencode(word) for word in arguments(mark)):
            return False
        # Not by the owner of the folder in /proc, who is root: an agent lets nobody trace it (proc(5), prctl(2)).
        with open(f"{_PROC}/{number}/status", "rb") as f:
            users = next(line for line in f.read(4096).split(b"\n") if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return False
    return int(users.split()[1]) == os.geteuid()


def _send(fd: int, order: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(fd, order)
    except OSError:
        return  # it has ended; or it is not ours to end, which its not ending says


def _ended(fds: list[int], patience: float) -> list[int]:
    """Wait until all of these processes have ended, or patience has; which of them have."""
    until = time.monotonic() + patience
    waiting, over = list(fds), list[int]()
    while waiting:
        ready, _, _ = select.select(waiting, [], [], max(0.0, until - time.monotonic()))
        if not ready:
            break
        over += ready
        waiting = [fd for fd in waiting if fd not in ready]
    return over
