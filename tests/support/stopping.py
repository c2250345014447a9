# SPDX-License-Identifier: Apache-2.0
"""A disk that stops the world before its n-th change, to walk through every crash point of an operation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.newsroom import unlock
from vault.disk import Disk
from vault.vaults import Vault


class Stopped(BaseException):
    """What a power cut looks like from inside: nothing catches it, and no cleanup may run on the disk."""


class StoppingDisk(Disk):
    """A real disk that raises Stopped instead of its ``stop_before``-th change (from 0) and every later one."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.steps: list[str] = []
        self._stop_before = stop_before

    def step(self, operation: str, path: str) -> None:
        """Count the change, or stop here."""
        if self._stop_before is not None and len(self.steps) >= self._stop_before:
            raise Stopped
        self.steps.append(operation)


def count_steps(operation: Callable[[Disk], object]) -> int:
    """How many changes an operation makes when nothing stops it."""
    disk = StoppingDisk()
    operation(disk)
    return len(disk.steps)


def crash_points(operation: Callable[[Disk], object], steps: int) -> Iterator[int]:
    """Run the operation once for every point at which it can stop; yields after each, with the point's number."""
    for n in range(steps):
        try:
            operation(StoppingDisk(n))
        except Stopped:
            yield n
        else:
            raise AssertionError(f"the operation did not reach change {n}")


def stopped_at_each_change(
    base: str, tmp_path: Path, operation: Callable[[Vault], object]
) -> Iterator[tuple[int, str]]:
    """The folder of a vault for each point at which the operation can stop, and one where it did not."""

    def run(folder: str, disk: Disk) -> None:
        with unlock(folder, disk=disk) as vault:
            operation(vault)

    whole = str(tmp_path / "whole")
    shutil.copytree(base, whole)
    steps = count_steps(lambda disk: run(whole, disk))
    assert steps > 2
    for n in range(steps):
        folder = str(tmp_path / f"stopped-{n}")
        shutil.copytree(base, folder)
        try:
            run(folder, StoppingDisk(n))
        except Stopped:
            yield n, folder
        else:
            raise AssertionError(f"the operation did not reach change {n}")
        shutil.rmtree(folder)
    yield steps, whole
