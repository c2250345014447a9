# SPDX-License-Identifier: Apache-2.0
"""Writing past the cache: the bytes are the same wherever the file system refuses, and however they come."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.support.mounts import mounted
from vault.appending import BUFFER_SIZE, Appender
from vault.disk import Disk
from vault.lanes import Lane


def is_direct(fd: int) -> bool:
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0))


class Watching(Disk):
    """Notes of each write how long it was and whether it passed the cache by."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, bool]] = []

    def write(self, fd: int, data: bytes | bytearray | memoryview, path: str) -> None:
        self.writes.append((len(data), is_direct(fd)))
        super().write(fd, data, path)


def write(disk: Disk, path: Path, content: bytes, piece: int, *, beside: bool = False) -> None:
    """Write a file in pieces, of which each is overwritten when it was taken; ``beside``: in a thread."""
    fd = disk.create(str(path))
    try:
        with Lane("writes") as lane:
            out = Appender(disk, fd, str(path), lane=lane if beside else None)
            for start in range(0, len(content), piece):
                taken = bytearray(content[start : start + piece])
                out.write(taken)
                taken[:] = bytes(len(taken))
            out.finish()
        disk.sync(fd, str(path))
    finally:
        os.close(fd)


SIZES = (0, 1, 4096, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 2 * BUFFER_SIZE, 3 * BUFFER_SIZE + 4097)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [65_552, BUFFER_SIZE, 3 * BUFFER_SIZE])
@pytest.mark.parametrize("beside", [False, True])
def test_a_file_holds_what_was_written(tmp_path: Path, size: int, piece: int, beside: bool) -> None:
    content = os.urandom(size)
    write(Disk(), tmp_path / "file", content, piece, beside=beside)
    assert (tmp_path / "file").read_bytes() == content


def test_a_short_file_goes_the_ordinary_way(tmp_path: Path) -> None:
    disk = Watching()
    write(disk, tmp_path / "file", bytes(50_000), 1000)
    assert disk.writes == [(50_000, False)]


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="there is no O_DIRECT here")
def test_the_end_of_a_file_goes_the_ordinary_way(tmp_path: Path) -> None:
    disk = Watching()
    write(disk, tmp_path / "file", bytes(2 * BUFFER_SIZE + 7), 1 << 20)
    assert [size for size, _ in disk.writes] == [BUFFER_SIZE, BUFFER_SIZE, 7]
    assert not disk.writes[-1][1]


def test_where_there_is_no_passing_the_cache_the_file_is_the_same(tmp_path: Path) -> None:
    content = os.urandom(2 * BUFFER_SIZE + 7)
    (tmp_path / "small").mkdir()
    with mounted(tmp_path / "small", "-t", "ramfs", "none") as folder:
        write(Disk(), Path(folder) / "file", content, 1 << 20)
        assert (Path(folder) / "file").read_bytes() == content


@pytest.mark.parametrize("taken", [0, 4096, 5000])
@pytest.mark.parametrize("beside", [False, True])
def test_a_file_system_that_refuses_late_gets_the_rest_the_ordinary_way(
    tmp_path: Path, taken: int, beside: bool
) -> None:
    """Some say EINVAL only at the write, or after a write that took less than was given."""

    class Late(Disk):
        def write(self, fd: int, data: bytes | bytearray | memoryview, path: str) -> None:
            if is_direct(fd):
                fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT)
                os.write(fd, memoryview(data)[:taken])
                raise OSError(errno.EINVAL, "no", path)
            super().write(fd, data, path)

    content = os.urandom(3 * BUFFER_SIZE + 7)
    write(Late(), tmp_path / "file", content, 1 << 20, beside=beside)
    assert (tmp_path / "file").read_bytes() == content


@pytest.mark.parametrize("beside", [False, True])
def test_any_other_error_is_the_callers(tmp_path: Path, beside: bool) -> None:
    class Full(Disk):
        def write(self, fd: int, data: bytes | bytearray | memoryview, path: str) -> None:
            raise OSError(errno.ENOSPC, "full", path)

    with pytest.raises(OSError, match="full"):
        write(Full(), tmp_path / "file", bytes(BUFFER_SIZE), 1 << 20, beside=beside)
