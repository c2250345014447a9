# SPDX-License-Identifier: Apache-2.0
"""A second run over an unchanged folder reads nothing, and whatever could make that wrong makes it read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.newsroom import listing, newsroom, pack_paths, store_of, unlock
from vault.disk import Disk
from vault.filing import Outcome, add
from vault.marks import SETTLED_NS, mark_of
from vault.sources import About, FileIncoming, walk
from vault.vaults import Vault
from vault.verifying import verify

LATER = SETTLED_NS + 1_000_000_000
"""How far in the future the clock of these vaults runs: for it, files that were just made are settled."""


class NoInput:
    def read(self, size: int = -1, /) -> bytes:
        return b""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "vault"), clock=lambda: time.time_ns() + LATER) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, one of them larger than a chunk, one empty."""
    made = tmp_path / "leak"
    made.mkdir()
    (made / "memo").write_text("text")
    (made / "film").write_bytes(os.urandom(3 << 20))
    (made / "void").write_text("")
    return made


def run(vault: Vault, path: Path, *, about: About = About(), rehash: bool = False, move: bool = False) -> Outcome:
    return add(
        vault, "Mine", [os.fsencode(path)], about=about, move=move, stdin=NoInput(), stdin_name=b"-",
        progress=lambda documents, size: None, rehash=rehash,
    )  # fmt: skip


def was_read(outcome: Outcome, name: bytes) -> bool:
    """Whether a file's bytes were read in a run: then its status at opening is known."""
    (one,) = [one for one in outcome.filed if one.incoming.name == name]
    assert isinstance(one.incoming, FileIncoming)
    return bool(one.incoming._seen)


def which_were_read(outcome: Outcome) -> set[bytes]:
    return {one.incoming.name for one in outcome.filed if was_read(outcome, one.incoming.name)}


EVERY = {b"leak/memo", b"leak/film", b"leak/void"}


def test_an_unchanged_folder_is_not_read_again_and_reported_as_before(vault: Vault, folder: Path) -> None:
    first = run(vault, folder)
    assert which_were_read(first) == EVERY
    again = run(vault, folder)
    assert which_were_read(again) == set()
    assert {(one.incoming.name, one.size, one.sha256) for one in again.filed} == {
        (one.incoming.name, one.size, one.sha256) for one in first.filed
    }
    assert all(one.item is None for one in again.filed)
    with store_of(vault) as store:
        assert len(listing(store)) == 3


@pytest.mark.parametrize("whole", [0, 1])
def test_whoever_stops_a_run_is_told_how_much_of_it_is_filed_and_the_next_files_the_rest(
    tmp_path: Path, whole: int
) -> None:
    class Stopping(Disk):
        """Ctrl-C comes when so many packs of the run are in their place."""

        left = -1

        def publish(self, temporary: str, path: str) -> None:
            if path.endswith(".age"):
                if self.left == 0:
                    raise KeyboardInterrupt
                self.left -= 1
            super().publish(temporary, path)

    big = tmp_path / "big"
    big.mkdir()
    for number in range(4):
        (big / str(number)).write_bytes(os.urandom(20 << 20))
    disk = Stopping()
    with unlock(newsroom(tmp_path / "vault"), disk=disk) as vault:
        disk.left = whole
        with pytest.raises(KeyboardInterrupt):
            run(vault, big)
        disk.left = -1
        with store_of(vault) as store:
            filed = len(listing(store))
        assert (filed > 0) == (whole > 0)
        assert vault.notices == [
            f"{filed} document(s) of this command are filed and safe, the others are not filed; run it again: nothing "
            "is filed twice"
        ]
        assert sum(one.item is not None for one in run(vault, big).filed) == 4 - filed


def test_rehash_reads_everything(vault: Vault, folder: Path) -> None:
    run(vault, folder)
    assert which_were_read(run(vault, folder, rehash=True)) == EVERY


def test_move_reads_everything_before_it_removes_anything(vault: Vault, folder: Path) -> None:
    run(vault, folder)
    moved = run(vault, folder, move=True)
    assert which_were_read(moved) == EVERY
    assert list(folder.iterdir()) == []


def grow(path: Path) -> None:
    path.write_text("text, and more")


def rewrite_with_the_old_time(path: Path) -> None:
    """Same size and mtime; the time of change is what nobody can set back."""
    before = path.stat()
    path.write_text("tixt")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    """Another file under the name, of the same size and time."""
    other = path.with_name("other")
    other.write_text("tixt")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("change", [grow, rewrite_with_the_old_time, replace, touch])
def test_a_file_that_changed_in_any_way_is_read(vault: Vault, folder: Path, change: Callable[[Path], None]) -> None:
    run(vault, folder)
    change(folder / "memo")
    again = run(vault, folder)
    assert which_were_read(again) == {b"leak/memo"}
    with store_of(vault) as store:
        contents = {b"".join(store.read(item)) for item in listing(store) if item.name == b"leak/memo"}
    assert (folder / "memo").read_bytes() in contents


def test_a_file_that_changed_a_moment_ago_is_not_trusted(tmp_path: Path, folder: Path) -> None:
    """It could change again within one tick of the file system's clock, and look the same."""
    with unlock(newsroom(tmp_path / "v"), clock=time.time_ns) as vault:
        run(vault, folder)
        assert which_were_read(run(vault, folder)) == EVERY


def test_a_file_from_the_future_is_not_trusted(vault: Vault, folder: Path) -> None:
    ahead = time.time_ns() + 10 * LATER
    os.utime(folder / "memo", ns=(ahead, ahead))
    run(vault, folder)
    assert which_were_read(run(vault, folder)) == {b"leak/memo"}


def test_a_file_that_changes_between_being_found_and_being_read_gets_no_mark(vault: Vault, folder: Path) -> None:
    with store_of(vault) as store:
        for name in ("memo", "film"):
            found = list(walk([os.fsencode(folder / name)], keep_out=""))
            (folder / name).write_bytes(b"tixt" if name == "memo" else os.urandom(3 << 20))
            store.file(found)
            assert list(store.index.items_of_marks(marks_of(found))) == []


def marks_of(found: list[object]) -> list[bytes]:
    return [mark_of(one, About(), time.time_ns() + LATER) for one in found if isinstance(one, FileIncoming)]


def test_a_mark_whose_pack_is_gone_is_not_trusted(vault: Vault, folder: Path) -> None:
    with store_of(vault) as store:
        before = set(pack_paths(store))
    run(vault, folder)
    with store_of(vault) as store:
        for path in set(pack_paths(store)) - before:
            path.unlink()
    # The empty document lies in no pack's chunks: its name is all there is of it.
    assert which_were_read(run(vault, folder)) >= EVERY - {b"leak/void"}


def test_what_verify_found_damaged_is_read_and_filed_again(vault: Vault, folder: Path) -> None:
    run(vault, folder)
    with store_of(vault) as store:
        path = pack_paths(store)[-1]
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2] ^= 1
        path.write_bytes(whole)
        assert not verify(store).whole
    again = run(vault, folder)
    assert which_were_read(again) == EVERY
    with store_of(vault) as store:
        films = [item for item in listing(store) if item.name == b"leak/film"]
        assert b"".join(store.read(films[-1])) == (folder / "film").read_bytes()


def test_a_rebuilt_index_has_no_marks(vault: Vault, folder: Path) -> None:
    run(vault, folder)
    with store_of(vault) as store:
        store.rebuild()
    assert which_were_read(run(vault, folder)) == EVERY
    assert which_were_read(run(vault, folder)) == set()


def test_another_name_or_something_new_to_say_is_another_mark(vault: Vault, folder: Path, tmp_path: Path) -> None:
    run(vault, folder)
    noted = run(vault, folder, about=About(note="looked at"))
    assert which_were_read(noted) == EVERY
    assert all(one.item is not None for one in noted.filed)
    assert which_were_read(run(vault, folder, about=About(note="looked at"))) == set()
    assert which_were_read(run(vault, folder)) == set()
    folder.rename(tmp_path / "renamed")
    assert len(which_were_read(run(vault, tmp_path / "renamed"))) == 3


def test_notes_and_tags_that_read_the_same_together_have_different_marks(folder: Path) -> None:
    (found,) = [one for one in walk([os.fsencode(folder / "memo")], keep_out="") if isinstance(one, FileIncoming)]
    now = time.time_ns() + LATER
    said = [About("ab", "c"), About("a", "bc"), About("abc"), About("", "abc"), About(tags=("a", "bc")),
            About(tags=("ab", "c")), About(tags=("abc",)), About()]  # fmt: skip
    assert len({mark_of(found, about, now) for about in said}) == len(said)


def test_the_index_tells_nothing_of_where_files_came_from(vault: Vault, folder: Path, tmp_path: Path) -> None:
    run(vault, folder)
    with store_of(vault) as store:
        rows = list(store.index._db.execute("SELECT * FROM marks"))
        assert len(rows) == 3
        assert all(len(mark) == 16 for mark, _ in rows)
        everything = [
            repr(list(store.index._db.execute(f"SELECT * FROM {table}")))
            for (table,) in list(store.index._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        ]
    assert "leak/memo" in "".join(everything)
    assert not any(os.fsdecode(tmp_path.name) in rows for rows in everything)
