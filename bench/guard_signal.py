# SPDX-License-Identifier: Apache-2.0
"""How long after a signal the kill area of a keyring is overwritten and flushed: 200 runs on a scratch file.

    python -m bench.guard_signal [FOLDER]

One process holds the keyring as an armed guard does; another notes the time, sends SIGUSR1, and is told the time at
which the first had overwritten and flushed. FOLDER says on which file system; on one in memory what is left is the
program's own part.
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
from vault.guard_kill import ReadyKill

RUNS = 200
_BETWEEN = 0.02


def main() -> int:
    """Print the median, the 95th percentile and the worst, in milliseconds."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        with open(os.path.join(folder, "keyring"), "wb") as f:
            f.write(os.urandom(KEYRING_SIZE))
            os.fsync(f.fileno())
        times = sorted(_measure(folder))
    print(f"p50 {times[RUNS // 2]:.2f} ms, p95 {times[RUNS * 95 // 100]:.2f} ms, worst {times[-1]:.2f} ms")
    return 0


def _measure(folder: str) -> list[float]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _guard(folder, writer)
    times = []
    try:
        os.read(reader, 1)
        for _ in range(RUNS):
            time.sleep(_BETWEEN)
            began = time.monotonic_ns()
            os.kill(child, signal.SIGUSR1)
            times.append((int.from_bytes(os.read(reader, 8), "big") - began) / 1e6)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return times


def _guard(folder: str, writer: int) -> None:
    kill = ReadyKill(folder)

    def on_order(_number: int, _frame: FrameType | None) -> None:
        kill.fire()
        os.write(writer, time.monotonic_ns().to_bytes(8, "big"))

    signal.signal(signal.SIGUSR1, on_order)
    os.write(writer, b"r")
    while True:
        select.select([], [], [], 0.25)


if __name__ == "__main__":
    sys.exit(main())
