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


def harden() -> None:
    """No core dumps; on Linux also no tracing by the same user, and no swap if the memory limit allows all of it.

    ``mlockall`` for future memory under a finite limit would make ordinary allocations fail later
    (mlockall(2)), so it is left out there.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
            if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
                libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
