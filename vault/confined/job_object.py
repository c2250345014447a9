# SPDX-License-Identifier: Apache-2.0
"""What Windows lets a process give up by itself: a job object with limits, which it cannot leave.

Limits on memory, processor time and processes; no clipboard and no handles of other programs' windows; and whatever it
started ends with it. It still reads files, writes them and reaches the network as any program of the user does: that
takes a container made by whoever starts it, which is not built. Sources: learn.microsoft.com, Job Objects,
JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECT_BASIC_LIMIT_INFORMATION and JOBOBJECT_BASIC_UI_RESTRICTIONS.
"""

from __future__ import annotations

import ctypes
import sys

from vault.confined.protocol import Limits

_EXTENDED_LIMITS, _UI_RESTRICTIONS = 9, 4
_PROCESS_TIME, _ACTIVE_PROCESSES, _PROCESS_MEMORY = 0x2, 0x8, 0x100
_DIE_ON_UNHANDLED_EXCEPTION, _KILL_ON_CLOSE = 0x400, 0x2000
"""The first: nobody is asked in a window what to do about a crash."""
_ALL_OF_THE_SCREEN = 0xFF
_PER_SECOND = 10**7
"""Of the 100 nanoseconds in which Windows counts processor time."""
_kept: list[object] = []
"""The job's handle: its last one closes when this process ends, and ends what is left in the job."""


class _Basic(ctypes.Structure):
    """``JOBOBJECT_BASIC_LIMIT_INFORMATION``."""

    _fields_ = (
        ("process_time", ctypes.c_int64), ("job_time", ctypes.c_int64), ("flags", ctypes.c_uint32),
        ("smallest_set", ctypes.c_size_t), ("largest_set", ctypes.c_size_t), ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t), ("priority", ctypes.c_uint32), ("scheduling", ctypes.c_uint32),
    )  # fmt: skip


class _Extended(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``."""

    _fields_ = (
        ("basic", _Basic), ("counters", ctypes.c_uint64 * 6), ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t), ("peak_process", ctypes.c_size_t), ("peak_job", ctypes.c_size_t),
    )  # fmt: skip


def enter(limits: Limits, *, processes: int) -> list[str]:
    """Put this process into a job of its own: the names of the limits that Windows took, as rlimits have them.

    Nothing elsewhere, and where Windows takes no such limits. ``processes`` may be in the job, this one included.
    """
    if sys.platform != "win32":
        return []
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateJobObjectW.restype = kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    kernel32.SetInformationJobObject.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32)
    kernel32.AssignProcessToJobObject.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    job = kernel32.CreateJobObjectW(None, None)
    if not job:
        return []
    asked = _Extended(process_memory=limits.memory)
    asked.basic.process_time = limits.cpu_seconds * _PER_SECOND
    asked.basic.processes = processes
    asked.basic.flags = (
        _PROCESS_TIME | _ACTIVE_PROCESSES | _PROCESS_MEMORY | _DIE_ON_UNHANDLED_EXCEPTION | _KILL_ON_CLOSE
    )
    screen = ctypes.c_uint32(_ALL_OF_THE_SCREEN)
    kernel32.SetInformationJobObject(job, _UI_RESTRICTIONS, ctypes.byref(screen), ctypes.sizeof(screen))
    taken = kernel32.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(asked), ctypes.sizeof(asked))
    if not (taken and kernel32.AssignProcessToJobObject(job, kernel32.GetCurrentProcess())):
        kernel32.CloseHandle(ctypes.c_void_p(job))
        return []
    _kept.append(job)
    return ["NPROC", "CPU", "AS"]
