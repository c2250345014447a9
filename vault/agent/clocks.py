# SPDX-License-Identifier: Apache-2.0
"""Two clocks: one that goes on while the machine is suspended, and how far it is ahead of the one that does not.

Linux: CLOCK_BOOTTIME and CLOCK_MONOTONIC (clock_gettime(2)). macOS: CLOCK_MONOTONIC goes on, CLOCK_UPTIME_RAW does
not (clock_gettime(3), Apple). Windows: GetTickCount64 goes on, QueryUnbiasedInterruptTime does not. Elsewhere there is
one clock only and a suspension is not seen.
"""

from __future__ import annotations

import sys
import time


def now() -> float:
    """Seconds since an unknown moment, suspended time included where the system counts it."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    if sys.platform == "win32":
        from vault.agent import windows

        return windows.since_start()  # time.monotonic stands still in sleep since Python 3.13
    return time.monotonic()


def awake() -> float:
    """Seconds since an unknown moment, suspended time left out where the system tells it apart."""
    return now() - slept()


def slept() -> float:
    """Seconds that the machine was suspended for since an unknown moment; always 0 where that is not known."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_UPTIME_RAW)
    if sys.platform == "win32":
        from vault.agent import windows

        return windows.since_start() - windows.awake()
    return 0.0
