# SPDX-License-Identifier: Apache-2.0
"""A medium that does not give some bytes of a pack: what lies there is named, what lies beside it is read."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.newsroom import contents, copy_out, file, files_below, pack_paths
from vault.sources import Problem
from vault.store import CaseStore
from vault.verifying import verify

DOCUMENTS = {name: os.urandom(300_000) for name in (b"first", b"second", b"third")}


@pytest.fixture
def worn(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> CaseStore:
    """A case whose pack has a bad sector in the middle of the second of three documents."""
    file(store, DOCUMENTS)
    pack = max(pack_paths(store), key=lambda path: path.stat().st_size)
    file_number, sector = pack.stat().st_ino, range(448 << 10, (448 << 10) + 4096)
    usual = os.pread

    def failing(fd: int, size: int, offset: int) -> bytes:
        if os.fstat(fd).st_ino == file_number and offset < sector.stop and sector.start < offset + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return usual(fd, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    store.forget_cached()
    return store


def test_only_the_document_in_a_bad_sector_does_not_come_out_and_its_new_place_is_not_blamed(
    worn: CaseStore, tmp_path: Path
) -> None:
    (problem,) = [result for result in copy_out(worn, tmp_path / "out") if isinstance(result, Problem)]
    assert problem.name == b"second"
    assert "cannot be read: Input/output error" in problem.reason
    assert "written" not in problem.reason
    assert files_below(tmp_path / "out") == {"first": DOCUMENTS[b"first"], "third": DOCUMENTS[b"third"]}


def test_verify_names_the_document_in_a_bad_sector_and_no_other(worn: CaseStore) -> None:
    verdict = verify(worn)
    assert [one.item.name for one in verdict.damaged] == [b"second"]
    assert "cannot be read: Input/output error" in verdict.damaged[0].reason


def test_a_medium_that_reads_again_has_lost_nothing(worn: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    verify(worn)
    monkeypatch.undo()
    assert verify(worn).whole
    assert contents(worn) == DOCUMENTS
