# SPDX-License-Identifier: Apache-2.0
"""How long after a signal the kill area of a keyring is overwritten and flushed: 200 signals, on a scratch file.

    python -m bench.guard_signal [FOLDER]

One process holds the keyring as an armed guard does; another notes the time, sends SIGUSR1, and is told the time at
which the first had overwritten and flushed. FOLDER says on which file system; on one in memory what is left is the
program's own part. Beside each signal, as the floor, one fdatasync of a file to which nothing was written: what the
drive takes to flush, with nothing before it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
from types import FrameType

from keys.layout import KEYRING_SIZE
from vault.guard_hurry import hurry
from vault.guard_kill import ReadyKill

RUNS = 200
_BETWEEN = 0.02


def main() -> int:
    """Print the median, the 95th percentile and the worst of both, in milliseconds."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        with open(os.path.join(folder, "keyring"), "wb") as f:
            f.write(os.urandom(KEYRING_SIZE))
            os.fsync(f.fileno())
        for name, times in zip(("signal to flushed", "fdatasync alone"), _measure(folder), strict=True):
            times.sort()
            p50, p95, worst = times[RUNS // 2], times[RUNS * 95 // 100], times[-1]
            print(f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, worst {worst:.2f} ms")
    return 0


def _measure(folder: str) -> tuple[list[float], list[float]]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _guard(folder, writer)
    times, floor = list[float](), list[float]()
    idle = os.open(os.path.join(folder, "keyring"), os.O_WRONLY)
    try:
        os.read(reader, 1)
        for _ in range(RUNS):
            time.sleep(_BETWEEN)
            began = time.monotonic_ns()
            os.kill(child, signal.SIGUSR1)
            times.append((int.from_bytes(os.read(reader, 8), "big") - began) / 1e6)
            time.sleep(_BETWEEN)
            began = time.monotonic_ns()
            os.fdatasync(idle)
            floor.append((time.monotonic_ns() - began) / 1e6)
    finally:
        os.close(idle)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return times, floor


def _guard(folder: str, writer: int) -> None:
    kill = ReadyKill(folder)

    def on_order(_number: int, _frame: FrameType | None) -> None:
        kill.fire()
        os.write(writer, time.monotonic_ns().to_bytes(8, "big"))

    signal.signal(signal.SIGUSR1, on_order)
    hurry()
    os.write(writer, b"r")
    while True:
        select.select([], [], [], 0.25)


if __name__ == "__main__":
    sys.exit(main())
