# SPDX-License-Identifier: Apache-2.0
"""Filing: everything that can be read is filed whole, once, and in bounded memory; the rest is named."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.newsroom import (
    add_paths,
    contents,
    file,
    incoming,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
)
from vault import intake as intakes
from vault.errors import ReadFailed
from vault.model import ORIGIN_FILE
from vault.sources import CHUNK_SIZE, About, FileIncoming, Problem, walk
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import verify


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of two chunks, so that a few megabytes make many."""
    monkeypatch.setattr(intakes, "PACK_SIZE", 2 * CHUNK_SIZE)
    monkeypatch.setattr(intakes, "LITTLE", 1)


def stored_chunks(store: CaseStore) -> list[bytes]:
    return [chunk.id for path in pack_paths(store) for chunk in read_manifest(store, path).chunks]


ANY_NAME = st.binary(min_size=1, max_size=60).filter(lambda name: b"\0" not in name)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(ANY_NAME, st.binary(max_size=2000), max_size=12))
def test_whatever_is_filed_reads_back(tmp_path_factory: pytest.TempPathFactory, documents: dict[bytes, bytes]) -> None:
    with unlock(newsroom(tmp_path_factory.mktemp("v") / "vault")) as vault, store_of(vault) as store:
        done = file(store, documents)
        assert contents(store) == documents
        assert [one.incoming.name for one in done.filed] == list(documents)
        assert verify(store).whole


NAMES = (
    "Протокол.pdf".encode(),
    "🗂️".encode(),
    b"n" * 255,
    b"two\nlines",
    b"\xff\x80",
    b"..hidden",
    "\u0451".encode(),
    "\u0435\u0308".encode(),
)
"""The last two look the same: ё in one character and in two."""


def test_files_of_any_name_are_filed_under_it(vault: Vault, tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"in")
    os.mkdir(folder)
    for number, name in enumerate(NAMES):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(bytes(number))
    outcome = add_paths(vault, folder)
    assert outcome.problems == []
    with store_of(vault) as store:
        assert contents(store) == {b"in/" + name: bytes(number) for number, name in enumerate(NAMES)}


def test_what_is_filed_keeps_its_time_note_source_and_tags(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    os.utime(path, ns=(0, -1_500_000_000))
    about = About("жазуу\nэкинчи", "булак", ("тег", "b"))
    add_paths(vault, path, about=about)
    with store_of(vault) as store:
        (item,) = listing(store)
    assert (item.mtime_ns, item.note, item.source, item.tags) == (-1_500_000_000, *about_parts(about))
    assert (item.origin, item.size) == (ORIGIN_FILE, 1)


def about_parts(about: About) -> tuple[str, str, tuple[str, ...]]:
    return about.note, about.source, about.tags


def test_what_cannot_be_filed_is_named_and_the_rest_is_filed(vault: Vault, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_text("a")
    (folder / "b").symlink_to("a")
    os.mkfifo(folder / "c")
    (folder / "d").write_text("")
    outcome = add_paths(vault, folder, tmp_path / "gone", "/dev/null")
    assert [one.incoming.name for one in outcome.filed] == [b"in/a", b"in/d"]
    assert [problem.name for problem in outcome.problems] == [b"in/b", b"in/c", b"gone", b"null"]


class Failing:
    """A document whose reading fails after some pieces."""

    mtime_ns, origin, signer, about = None, ORIGIN_FILE, b"", About()

    def __init__(self, name: bytes, pieces: int) -> None:
        self.name, self._pieces = name, pieces

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        for number in range(self._pieces):
            yield bytes([number]) * CHUNK_SIZE, False
        raise ReadFailed("it changed while it was being read")


@pytest.mark.parametrize("pieces", [0, 1, 5])
def test_a_document_that_fails_midway_is_named_and_no_part_of_it_is_listed(store: CaseStore, pieces: int) -> None:
    done = file(store, [incoming(b"before", b"1"), Failing(b"bad", pieces), incoming(b"after", b"2")])
    assert contents(store) == {b"before": b"1", b"after": b"2"}
    assert done.problems == [Problem(b"bad", "it changed while it was being read")]
    assert verify(store).whole


def test_a_file_that_changes_before_it_is_read_is_filed_as_it_is_then(store: CaseStore, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one")
    found = list(walk([os.fsencode(path)], keep_out=""))
    path.write_text("one two")
    file(store, found)
    assert contents(store) == {b"log": b"one two"}


def test_a_file_that_changes_under_the_reader_is_named_and_not_filed(store: CaseStore, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(3 * CHUNK_SIZE))

    class Changing(FileIncoming):
        def pieces(self) -> Iterator[tuple[bytes, bool]]:
            for piece in super().pieces():
                yield piece
                with open(path, "ab") as f:
                    f.write(b"more")

    done = file(store, [Changing(b"log", os.fsencode(path)), incoming(b"after", b"2")])
    assert [problem.name for problem in done.problems] == [b"log"]
    assert contents(store) == {b"after": b"2"}


# Duplicates


def test_the_same_content_is_stored_once_within_one_run(store: CaseStore) -> None:
    same = os.urandom(5000)
    file(store, {b"a": same, b"b": same, b"c": b"other", b"d": same})
    assert contents(store) == {b"a": same, b"b": same, b"c": b"other", b"d": same}
    assert len(stored_chunks(store)) == 2


def test_the_same_content_is_stored_once_across_runs_and_packs(store: CaseStore) -> None:
    same = os.urandom(5000)
    file(store, {b"a": same})
    file(store, {b"b": same, b"c": b"other"})
    assert contents(store) == {b"a": same, b"b": same, b"c": b"other"}
    assert len(stored_chunks(store)) == 2
    assert verify(store).whole


@pytest.mark.usefixtures("small_packs")
def test_the_same_content_is_stored_once_across_packs_of_one_run(store: CaseStore) -> None:
    parts = [os.urandom(CHUNK_SIZE) for _ in range(5)]
    documents = {b"%d" % n: parts[n % 5] + parts[(n + 1) % 5] + b"end" for n in range(15)}
    file(store, documents)
    assert contents(store) == documents
    assert len(stored_chunks(store)) == len(set(stored_chunks(store))) == 6
    assert len(pack_paths(store)) > 3
    assert verify(store).whole


def test_the_same_name_and_content_is_not_filed_twice(store: CaseStore) -> None:
    file(store, {b"a": b"1"})
    again = file(store, [incoming(b"a", b"1"), incoming(b"a", b"2"), incoming(b"a", b"2"), incoming(b"b", b"1")])
    assert [one.item is None for one in again.filed] == [True, False, True, False]
    assert sorted((item.name, item.size) for item in listing(store)) == [(b"a", 1), (b"a", 1), (b"b", 1)]


@pytest.mark.usefixtures("small_packs")
def test_a_large_document_is_not_filed_twice(store: CaseStore) -> None:
    large = os.urandom(5 * CHUNK_SIZE + 3)
    file(store, [incoming(b"a", large), incoming(b"a", large)])
    again = file(store, {b"a": large})
    assert again.filed[0].item is None
    assert [item.size for item in listing(store)] == [len(large)]


def test_the_same_document_with_something_new_said_of_it_is_filed_again(store: CaseStore) -> None:
    file(store, {b"a": b"1"})
    noted = file(store, [incoming(b"a", b"1", About(note="looked at"))])
    again = file(store, [incoming(b"a", b"1", About(note="looked at")), incoming(b"a", b"1")])
    assert noted.filed[0].item is not None
    assert [one.item for one in again.filed] == [None, None]


def test_empty_documents_are_filed(store: CaseStore) -> None:
    file(store, {b"a": b"", b"b": b"", b"c": b"x"})
    assert contents(store) == {b"a": b"", b"b": b"", b"c": b"x"}
    assert verify(store).whole


# Sizes


@pytest.mark.usefixtures("small_packs")
@pytest.mark.parametrize("size", [CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 11 * CHUNK_SIZE + 77])
def test_a_document_larger_than_a_pack_comes_back(store: CaseStore, size: int) -> None:
    large = os.urandom(size)
    file(store, {b"small": b"s", b"large": large, b"after": b"a"})
    assert contents(store) == {b"small": b"s", b"large": large, b"after": b"a"}
    assert verify(store).whole
    store.rebuild()
    assert contents(store) == {b"small": b"s", b"large": large, b"after": b"a"}


def test_a_real_pack_is_closed_at_its_size(store: CaseStore) -> None:
    large = os.urandom(intakes.PACK_SIZE + CHUNK_SIZE + 5)
    file(store, {b"large": large})
    assert contents(store) == {b"large": large}
    sizes = [path.stat().st_size for path in pack_paths(store)][1:]
    assert len(sizes) == 2
    assert sizes[0] < 1.06 * intakes.PACK_SIZE


def test_content_that_packs_well_lies_packed(store: CaseStore) -> None:
    text = "Баары бир эле сөз. ".encode() * 20_000
    file(store, {b"text": text})
    assert pack_paths(store)[-1].stat().st_size < len(text) / 4
    assert contents(store) == {b"text": text}


@pytest.mark.usefixtures("small_packs")
def test_all_or_nothing_puts_every_item_into_the_last_pack(store: CaseStore) -> None:
    documents = {b"%d" % n: os.urandom(CHUNK_SIZE) for n in range(7)}
    file(store, documents, together=True)
    manifests = [read_manifest(store, path) for path in pack_paths(store)][1:]
    assert [len(manifest.items) for manifest in manifests] == [0] * (len(manifests) - 1) + [7]
    assert contents(store) == documents


def test_all_or_nothing_lists_nothing_when_the_last_document_fails(store: CaseStore) -> None:
    def source() -> Iterator[object]:
        yield incoming(b"a", os.urandom(CHUNK_SIZE))
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        file(store, source(), together=True)  # type: ignore[arg-type]
    assert listing(store) == []
    assert verify(store).whole


_SPARSE = """
import re, sys
from tests.support.newsroom import add_paths, unlock
with unlock(sys.argv[1]) as vault:
    outcome = add_paths(vault, sys.argv[2])
assert not outcome.problems and len(outcome.filed) == 1, outcome
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
"""Not ru_maxrss: that begins with what the process which started this one ever had (getrusage(2) survives execve)."""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak of memory on Linux only")
def test_three_gigabytes_are_filed_in_less_than_300_mib(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    path = tmp_path / "film.mov"
    with path.open("wb") as f:
        f.truncate(3 << 30)
        f.seek(1 << 30)
        f.write(os.urandom(8 << 20))
    run = subprocess.run([sys.executable, "-c", _SPARSE, folder, str(path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 300 << 10
    with unlock(folder) as vault, store_of(vault) as store:
        (item,) = listing(store)
        assert item.size == 3 << 30


# The vault itself


def test_the_vault_is_never_filed_into_itself(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    folder = newsroom(tmp_path / "home" / "vault")
    (tmp_path / "home" / "file").write_text("x")
    with unlock(folder) as vault:
        outcome = add_paths(vault, tmp_path / "home", folder, os.path.join(folder, "keyring"), folder + "/cases")
        assert [one.incoming.name for one in outcome.filed] == [b"home/file"]
        assert {problem.reason for problem in outcome.problems} == {"this is the vault itself"}
        assert len(outcome.problems) == 4


def test_a_relative_path_to_the_vault_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = newsroom(tmp_path / "vault")
    monkeypatch.chdir(folder)
    with unlock(folder) as vault:
        for inside in (".", "keyring", "../vault/VAULT", "cases"):
            outcome = add_paths(vault, inside)
            assert (outcome.filed, len(outcome.problems)) == ([], 1)
