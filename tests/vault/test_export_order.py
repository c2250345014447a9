# SPDX-License-Identifier: Apache-2.0
"""Between a bundle that is whole and a record that says it was sent: nothing counts as sent that nobody can open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bundles import EDITOR
from tests.support.mounts import mounted
from tests.support.newsroom import file, newsroom, store_of, unlock
from vault.cases import find_case
from vault.disk import TEMPORARY_SUFFIX
from vault.errors import DiskFailed
from vault.exporting import Addressee, InParts, each_once, export
from vault.model import EVENT_EXPORTED
from vault.vaults import Vault

TO = Addressee("editor", EDITOR.recipient, "ten words", True)


class Away(Exception):
    """Raised where a terminal would have gone away."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "here")) as vault:
        with store_of(vault) as store:
            file(store, {b"one": b"1", b"two": os.urandom(2_000_000)})
        yield vault


def recorded(vault: Vault) -> int:
    """How many exports the case's record tells of."""
    with store_of(vault) as store:
        return len(list(store.index.events(EVENT_EXPORTED)))


def test_the_file_is_whole_and_nothing_is_recorded_when_the_sender_is_told(here: Vault, tmp_path: Path) -> None:
    seen = []

    def tell(path: str) -> None:
        seen.append((path, os.path.getsize(path), recorded(here)))

    done = export(here, find_case(here, "Mine"), [], [TO], str(tmp_path / "out.age"), before_record=tell)
    assert seen == [(done.path, done.size, 0)]
    assert recorded(here) == 1


@pytest.mark.parametrize("in_parts", [None, InParts(1 << 20)])
def test_when_the_sender_cannot_be_told_nothing_stays_and_nothing_is_recorded(
    here: Vault, tmp_path: Path, in_parts: InParts | None
) -> None:
    def tell(path: str) -> None:
        raise Away

    with pytest.raises(Away):
        export(
            here, find_case(here, "Mine"), [], [TO], str(tmp_path / "out"), in_parts=in_parts, before_record=tell
        )  # fmt: skip
    assert not (tmp_path / "out").is_file()
    assert not in_parts or os.listdir(tmp_path / "out") == []
    assert recorded(here) == 0


def test_room_for_the_record_is_held_while_the_bundle_is_written_and_given_back(here: Vault, tmp_path: Path) -> None:
    def lying_about() -> list[str]:
        return [str(path) for path in Path(here.folder).rglob(f"*{TEMPORARY_SUFFIX}")]

    seen: list[str] = []
    case = find_case(here, "Mine")
    export(here, case, [], [TO], str(tmp_path / "out.age"), before_record=lambda path: seen.extend(lying_about()))
    assert len(seen) == 1
    assert lying_about() == []


def test_a_disk_too_full_to_record_is_found_out_before_anything_is_sealed(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=16m", "none") as folder,
        unlock(newsroom(Path(folder) / "here")) as vault,
    ):
        with store_of(vault) as store:
            file(store, {b"one": b"1"})
        filler = Path(folder) / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - (256 << 10)))
        with pytest.raises(DiskFailed, match="no room to record"):
            export(vault, find_case(vault, "Mine"), [], [TO], str(tmp_path / "out.age"))
        assert not (tmp_path / "out.age").exists()
        filler.unlink()
        assert recorded(vault) == 0
        export(vault, find_case(vault, "Mine"), [], [TO], str(tmp_path / "out.age"))


def test_the_same_key_twice_is_one_person_by_the_first_name_given() -> None:
    other = Addressee("other", EDITOR.recipient, "age1pq1…", False)
    third = Addressee("third", type(EDITOR).generate().recipient, "more words", True)
    assert each_once([TO, other, third, TO]) == [TO, third]
    assert each_once([third, other, TO]) == [third, other]
