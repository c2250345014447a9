# SPDX-License-Identifier: Apache-2.0
"""``panic --keep`` while a program has the vault open: what it may still do, which is what the report says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keys.book import Book
from tests.support.newsroom import file, files_below, incoming, newsroom, store_of, unlock
from vault.disk import Disk
from vault.errors import Wiped
from vault.panic import panic
from vault.report import OTHERS_STOP, Report, as_text
from vault.sources import Incoming

PASSING = (".new", "-wal", "-shm")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


def wipe(folder: str) -> Report:
    return panic(folder, keep=True, discard=False)


def differences(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[set[str], set[str], set[str]]:
    """Names that are gone, names that are new, and files that changed."""
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    return before.keys() - after.keys(), after.keys() - before.keys(), changed


def test_closing_brings_an_index_up_to_date_and_takes_its_passing_files_away(folder: str) -> None:
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, {b"memo": b"plov, samsa" * 1000})
        report = wipe(folder)
        before = files_below(folder)
    gone, new, changed = differences(before, files_below(folder))
    assert new == set() and gone
    assert all(name.endswith(PASSING) for name in gone)
    assert all(name.endswith("/index") for name in changed)
    assert OTHERS_STOP[0] in as_text(report)


class _WipedAtTheLastMoment(Disk):
    """Wiped by somebody else after a file was written, before it gets its name."""

    def __init__(self, folder: str) -> None:
        self._folder, self.before = folder, dict[str, bytes]()

    def step(self, operation: str, path: str) -> None:
        if operation == "rename" and not self.before:
            wipe(self._folder)
            self.before = files_below(self._folder)


def test_the_file_that_is_being_written_may_still_appear_and_is_the_last(folder: str) -> None:
    disk = _WipedAtTheLastMoment(folder)
    with pytest.raises(Wiped), unlock(folder, disk=disk) as vault:
        vault.change_book(lambda book: replace(book, cases=()))
        assert disk.before
        vault.change_book(lambda _: Book())
    gone, new, changed = differences(disk.before, files_below(folder))
    assert all(name.endswith(PASSING) for name in gone)
    assert new == set() and len(changed) == 1
    assert next(iter(changed)).startswith("books/")


def test_a_document_that_is_being_filed_is_not_added(folder: str) -> None:
    with pytest.raises(Wiped), unlock(folder) as vault, store_of(vault) as store:
        before = dict[str, bytes]()

        def documents() -> Iterator[Incoming]:
            yield incoming(b"first", b"one" * 100_000)
            wipe(folder)
            before.update(files_below(folder))
            yield incoming(b"second", b"two" * 100_000)

        file(store, documents())
    gone, new, changed = differences(before, files_below(folder))
    assert new == set() and all(name.endswith(PASSING) for name in gone)
    assert all(name.endswith("/index") for name in changed)


def test_without_keep_nothing_is_said_of_what_they_leave(folder: str) -> None:
    assert OTHERS_STOP[0] not in as_text(panic(folder, discard=False))
