# SPDX-License-Identifier: Apache-2.0
"""Keeping a process that holds keys out of core dumps, other programs' reach and, where allowed, swap.

Best effort by nature: docs/threat-model.md says what remains. Standard library only.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # <sys/mman.h>; ONFAULT locks what is used and touches nothing else


def leave_no_dumps() -> None:
    """No core dumps of this process, nor of what it becomes or starts.

    A limit of 0 does not hold for a dump that the system hands to a program (core(5)), as Ubuntu's apport and
    systemd-coredump have it. On Linux a limit of 1 does: it marks processes that are handed to none, and leaves no room
    for a file either (``do_coredump`` in fs/coredump.c of the kernel).
    """
    with suppress(ImportError):
        import resource

        for limit in (1, 0) if sys.platform == "linux" else (0,):
            with suppress(ValueError, OSError):  # somebody set it to 0 already, and it can only be lowered
                resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
                return


def harden() -> None:
    """No core dumps; on Linux also no tracing by the same user, and no swap if the memory limit allows all of it.

    ``mlockall`` for future memory under a finite limit would make ordinary allocations fail later
    (mlockall(2)), so it is left out there.
    """
    leave_no_dumps()
    with suppress(ImportError, ValueError, OSError):
        import resource

        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
            if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
                libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
