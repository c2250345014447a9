# SPDX-License-Identifier: Apache-2.0
"""Counting copies of known bytes in another process's memory, as root sees it (proc(5), /proc/PID/mem)."""

from __future__ import annotations

import os

import pytest

_PIECE = 4 << 20


def need_root_on_linux() -> None:
    """Skip where other processes' memory cannot be read."""
    if not os.path.exists("/proc/self/mem") or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to read another process's memory")


def copies_in(number: int, needle: bytes) -> int:
    """How often ``needle`` occurs in the readable memory of a process. What the kernel keeps back is left out."""
    count = 0
    with open(f"/proc/{number}/maps", encoding="ascii", errors="replace") as maps:
        regions = [line.split(maxsplit=5) for line in maps]
    fd = os.open(f"/proc/{number}/mem", os.O_RDONLY)
    try:
        for fields in regions:
            if "r" not in fields[1] or (len(fields) > 5 and fields[5].startswith(("[vvar", "[vsyscall"))):
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            count += _count(fd, start, end, needle)
    finally:
        os.close(fd)
    return count


def _count(fd: int, start: int, end: int, needle: bytes) -> int:
    count, at, tail = 0, start, b""
    while at < end:
        try:
            piece = os.pread(fd, min(_PIECE, end - at), at)
        except OSError:
            break
        if not piece:
            break
        data = tail + piece
        count += data.count(needle)
        tail = data[-(len(needle) - 1) :]
        at += len(piece)
    return count
