# SPDX-License-Identifier: Apache-2.0
"""Room that is held is really taken, on file systems with fallocate and without, and given back."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.support.mounts import mounted
from vault.disk import Disk
from vault.room import held

MIB = 1 << 20


def refuse(code: int) -> None:
    """What musl's posix_fallocate does where the file system has none."""
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", [None, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_what_is_held_is_taken_from_the_file_system_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    if code is not None:
        monkeypatch.setattr(os, "posix_fallocate", lambda fd, offset, size: refuse(code), raising=False)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=8m", "none") as folder:
        before = shutil.disk_usage(folder).free
        with held(Disk(), folder, 3 * MIB):
            assert before - shutil.disk_usage(folder).free >= 3 * MIB
        assert (shutil.disk_usage(folder).free, os.listdir(folder)) == (before, [])


@pytest.mark.parametrize("code", [None, errno.EOPNOTSUPP, errno.EIO])
def test_room_that_is_not_there_is_refused_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    if code is not None:
        monkeypatch.setattr(os, "posix_fallocate", lambda fd, offset, size: refuse(code), raising=False)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "none") as folder:
        words = "nput/output" if code == errno.EIO else "space"
        with pytest.raises(OSError, match=words), held(Disk(), folder, 3 * MIB):
            raise AssertionError("not held")
        assert os.listdir(folder) == []
