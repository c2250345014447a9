# SPDX-License-Identifier: Apache-2.0
"""Many packs are unlinked several at a time: the same is gone, and the same is told, as one by one."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fake_vault import CASE, NAMES, make_fake_vault
from vault import wiping
from vault.disk import Disk
from vault.panic import panic
from vault.report import Report, as_text

PACKS = 2 * wiping._MANY


@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = tmp_path / "vault"
    make_fake_vault(str(path))
    for n in range(PACKS):
        (path / CASE / "packs" / f"{n:032x}.age").write_bytes(b"sealed")
    return str(path)


class _Watched(Disk):
    """A real disk that notes which threads removed names, and refuses some."""

    def __init__(self, refuses: tuple[str, ...] = (), error: int = errno.EIO) -> None:
        self.threads, self._refuses, self._error = set[int](), refuses, error

    def unlink(self, path: str) -> None:
        self.threads.add(threading.get_ident())
        if path.endswith(self._refuses or ("\0",)):
            raise OSError(self._error, os.strerror(self._error), path)
        super().unlink(path)


def wipe(folder: str, disk: Disk) -> Report:
    return panic(folder, disk=disk, discard=False)


def test_all_is_gone_and_counted_as_it_is_one_by_one(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _Watched()
    report = wipe(folder, disk)
    assert len(disk.threads) > 2 and not os.path.lexists(folder)
    assert dict(report.destroyed)["packs"] == PACKS + sum("/packs/" in name for name in NAMES)
    assert report.not_done == ()
    make_fake_vault(folder)
    for n in range(PACKS):
        Path(folder, CASE, "packs", f"{n:032x}.age").write_bytes(b"sealed")
    monkeypatch.setattr(wiping, "_MANY", 1 << 30)
    alone = _Watched()
    assert replace(wipe(folder, alone), keys_gone_ms=0.0) == replace(report, keys_gone_ms=0.0)
    assert len(alone.threads) == 1


def test_what_resists_is_named_and_everything_else_goes(folder: str) -> None:
    stubborn = f"{7:032x}.age"
    report = wipe(folder, _Watched((stubborn,)))
    assert report.keys_gone
    assert report.not_done == (f"delete {CASE}/packs/{stubborn}: Input/output error",)
    assert [path.name for path in Path(folder).rglob("*") if path.is_file()] == [stubborn]
    assert stubborn in as_text(report)


def test_what_somebody_else_removed_meanwhile_is_no_failure_and_not_counted(folder: str) -> None:
    class _Raced(_Watched):
        def unlink(self, path: str) -> None:
            if path.endswith(f"{9:032x}.age") and os.path.lexists(path):
                os.unlink(path)
            super().unlink(path)

    report = wipe(folder, _Raced())
    assert report.not_done == () and not os.path.lexists(folder)
    assert dict(report.destroyed)["packs"] == PACKS + sum("/packs/" in name for name in NAMES) - 1


def test_where_no_thread_may_begin_they_go_one_by_one(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    disk = _Watched()
    assert wipe(folder, disk).not_done == ()
    assert len(disk.threads) == 1 and not os.path.lexists(folder)
