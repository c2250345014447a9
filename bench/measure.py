# SPDX-License-Identifier: Apache-2.0
"""Runs one shell command to its end and says what it took: time, processor, peak memory, and who else was busy."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict, dataclass


class Failed(Exception):
    """Raised when a measured command failed, or did not do what it should: its time means nothing."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """``wall`` and ``cpu`` in seconds; ``rss`` in MB, the largest single process; ``other``: how much of one
    core everybody else used meanwhile."""

    wall: float
    cpu: float
    rss: float
    other: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def run(command: str, environment: dict[str, str] | None = None, *, sync: str | None = None) -> Measurement:
    """Run ``bash -c command``; with ``sync``, the time ends when the file system below that folder is on its medium.

    Raises Failed. The peak memory cannot read below this program's own (getrusage(2), ru_maxrss is kept over exec).
    """
    if sync:
        command = f"{{ {command}\n}} && {sync_command(sync)}"
    busy, start = _busy_seconds(), time.perf_counter()
    child = subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", command], env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout
    with child.stdout:
        output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"exit code {child.returncode}: {command}\n{output.decode(errors='replace')[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Measurement(wall, cpu, rss, max(0.0, _busy_seconds() - busy - cpu) / wall)


def sync_command(folder: str) -> str:
    """A shell command that returns when what was written below ``folder`` is on its medium."""
    return f"sync -f {shlex.quote(folder)}" if sys.platform == "linux" else "sync"


def _busy_seconds() -> float:
    """Processor seconds that all processes together have used since the start of the machine; 0 where not told."""
    try:
        with open("/proc/stat", "rb") as f:
            fields = [int(field) for field in f.readline().split()[1:9]]
    except OSError:
        return 0.0
    idle = sum(fields[3:5])  # proc(5): idle and iowait
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")
