# SPDX-License-Identifier: Apache-2.0
"""Being run at once when the order comes, while other programs want the processor: what the system permits of that.

With idle processors it changes nothing. With busy ones an ordinary process waits for its turn when the signal comes,
and again after each wait for the drive, which took longer than the drive did (docs/performance.md). Best effort, in
this order: SCHED_FIFO (sched(7); root, or a limit RLIMIT_RTPRIO), else a short slice of the ordinary scheduler, which
anybody may ask for (``sched_runtime`` of sched_setattr(2), since Linux 6.12). And the first place in the queue of the
drive, where its scheduler keeps one (ioprio_set(2)); and the program kept in memory, where the limit allows all of it
(mlockall(2)). Nothing is raised: without any of it the guard does the same. Linux only. Children inherit the place
in the queue alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from contextlib import suppress

_NUMBERS = {"x86_64": (314, 251), "aarch64": (274, 30)}
"""sched_setattr and ioprio_set (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h)."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr (linux/sched/types.h): size, policy, flags, nice, priority, runtime, deadline, period."""
_RESET_ON_FORK = 1
_SLICE_NS = 100_000
"""The shortest that the kernel grants."""
_WHO_PROCESS = 1
_REAL_TIME, _BEST_EFFORT = 1 << 13, 2 << 13
"""Classes of I/O, each with its first place, 0 (linux/ioprio.h)."""
_MCL_CURRENT = 1


def hurry() -> None:
    """Ask for all that there is."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).mlockall(_MCL_CURRENT)
    numbers = _NUMBERS.get(platform.machine())
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        if numbers is not None:
            _set_slice(numbers[0], _SLICE_NS)
    if numbers is not None and not _set_io_class(numbers[1], _REAL_TIME):
        _set_io_class(numbers[1], _BEST_EFFORT)


def calm() -> None:
    """Back to the ordinary scheduler and memory: the moment is over, and what follows may take long."""
    if sys.platform == "linux":
        ctypes.CDLL(None).munlockall()
        with suppress(OSError):  # without the right to take the flag away again it has to stay
            os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _set_slice(number: int, nanoseconds: int) -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, _RESET_ON_FORK, nice, 0, nanoseconds, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)


def _set_io_class(number: int, io_class: int) -> bool:
    return bool(ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, io_class) == 0)
