# SPDX-License-Identifier: Apache-2.0
"""Copying out, and removing originals: never outside the folder, never over something else, never too early."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.mounts import mounted
from tests.support.newsroom import (
    add_paths,
    copy_out,
    file,
    files_below,
    listing,
    newsroom,
    on_disk,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
    write_pack,
)
from vault.cases import find_case
from vault.disk import Disk
from vault.errors import DiskFailed, VaultError
from vault.filing import Outcome
from vault.model import EVENT_COPIED_OUT, EVENT_MOVED, Event, Item
from vault.names import SafePath
from vault.outside import OutFolder
from vault.removing import remove
from vault.retrieving import CopiedOut, get, remove_originals
from vault.sources import Problem
from vault.store import CaseStore
from vault.vaults import Vault
from vault.verifying import verify


def reasons(results: list[CopiedOut | Problem]) -> dict[bytes, str]:
    return {result.name: result.reason for result in results if isinstance(result, Problem)}


def everything_below(folder: Path) -> dict[bytes, bytes]:
    """True names, as bytes."""
    found = {}
    for where, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, os.fsencode(folder))] = f.read()
    return found


DOCUMENTS = {"иш/протокол.pdf".encode(): b"1" * 5000, b"b": b"", b"\xff\x80/two\nlines": b"2", b"n" * 255: b"3"}


def test_everything_comes_out_under_its_name(store: CaseStore, tmp_path: Path) -> None:
    file(store, DOCUMENTS)
    assert reasons(copy_out(store, tmp_path / "out")) == {}
    assert everything_below(tmp_path / "out") == DOCUMENTS
    assert [row.event.kind for row in store.index.events()][-1] == EVENT_COPIED_OUT


def test_from_a_vault_that_cannot_be_written_documents_come_out_and_that_it_was_not_noted_is_said(
    tmp_path: Path,
) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        file(store, DOCUMENTS)
    with (
        mounted(tmp_path / "ro", "-o", "bind,ro", folder) as read_only,
        unlock(read_only) as vault,
        store_of(vault) as store,
    ):
        told = reasons(copy_out(store, tmp_path / "out"))
        assert set(told) == {b"custody record"}
        assert f"the {len(DOCUMENTS)} document(s) that were copied out could not be noted" in told[b"custody record"]
    assert everything_below(tmp_path / "out") == DOCUMENTS


def test_what_was_copied_out_before_it_was_stopped_is_noted(store: CaseStore, tmp_path: Path) -> None:
    """And nothing else: what was in other threads' hands lies there whole, and is noted with the rest."""
    file(store, {b"%d" % number: os.urandom(3 << 20) for number in range(40)})
    results = get(store, listing(store), str(tmp_path / "out"))
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    *_, last = store.index.events()
    assert last.event.kind == EVENT_COPIED_OUT
    noted = {store.index.items_by_id([i])[i].name for i in last.event.items}
    assert noted == set(everything_below(tmp_path / "out"))
    assert 0 < len(noted) < 40


def test_what_could_not_be_noted_is_not_called_unfiled(tmp_path: Path) -> None:
    """Whoever took a receipt or made a case filed nothing, and is not told how much of it is filed."""
    folder = newsroom(tmp_path / "vault")
    with (
        mounted(tmp_path / "ro", "-o", "bind,ro", folder) as read_only,
        unlock(read_only) as vault,
        store_of(vault) as store,
        pytest.raises(DiskFailed) as caught,
    ):
        store.record(Event(store.now(), EVENT_COPIED_OUT, (), ""))
    assert "the custody record of the case does not note it" in caught.value.hints


def test_the_time_of_a_file_comes_back(vault: Vault, tmp_path: Path) -> None:
    for number, time in enumerate((1, -5_000_000_000, 1_600_000_000_123_456_789)):
        (tmp_path / f"file{number}").write_text(str(number))
        os.utime(tmp_path / f"file{number}", ns=(time, time))
        add_paths(vault, tmp_path / f"file{number}")
    with store_of(vault) as store:
        copy_out(store, tmp_path / "out")
        for item in listing(store):
            assert (tmp_path / "out" / os.fsdecode(item.name)).stat().st_mtime_ns == item.mtime_ns


def test_two_versions_of_one_path_both_come_out(store: CaseStore, tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        file(store, {b"in/report.txt": content, b"n" * 255: content, b"dir.d/bare": content,
                     "ж".encode() * 127: content, b".hidden": content})  # fmt: skip
    assert reasons(copy_out(store, tmp_path / "out")) == {}
    found = everything_below(tmp_path / "out")
    assert sorted(found.values()) == [b"1"] * 5 + [b"2"] * 5 + [b"3"] * 5
    ids = {item.id.hex()[:8].encode() for item in listing(store)}
    assert b"in/report.txt" in found and b"dir.d/bare" in found
    assert sum(b"in/report." + mark + b".txt" in found for mark in ids) == 2
    assert sum(b"dir.d/bare." + mark in found for mark in ids) == 2


def test_nothing_is_overwritten_unless_one_says_so(store: CaseStore, tmp_path: Path) -> None:
    file(store, {b"a": b"new", b"b": b"b"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("mine")
    assert set(reasons(copy_out(store, tmp_path / "out"))) == {b"a"}
    assert files_below(tmp_path / "out") == {"a": b"mine", "b": b"b"}
    assert reasons(copy_out(store, tmp_path / "out", force=True)) == {}
    assert files_below(tmp_path / "out") == {"a": b"new", "b": b"b"}


def test_a_link_in_a_documents_place_is_not_followed(store: CaseStore, tmp_path: Path) -> None:
    file(store, {b"a": b"new"})
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "victim")
    assert set(reasons(copy_out(store, tmp_path / "out"))) == {b"a"}
    copy_out(store, tmp_path / "out", force=True)
    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "out" / "a").read_text() == "new"


@pytest.mark.parametrize("kind", ["link to a folder", "dangling link", "file"])
@pytest.mark.parametrize("force", [False, True])
def test_what_lies_in_a_folders_place_leads_nowhere(store: CaseStore, tmp_path: Path, kind: str, force: bool) -> None:
    file(store, {b"sub/a": b"1", b"deep/er/a": b"2", b"good": b"3"})
    out = tmp_path / "out"
    out.mkdir()
    (out / "deep").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for place in (out / "sub", out / "deep" / "er"):
        if kind == "file":
            place.write_text("mine")
        else:
            place.symlink_to(tmp_path / ("elsewhere" if "folder" in kind else "nowhere"))
    assert set(reasons(copy_out(store, out, force=force))) == {b"sub/a", b"deep/er/a"}
    assert everything_below(tmp_path / "elsewhere") == {}
    assert not (tmp_path / "nowhere").exists()
    assert (out / "good").read_text() == "3"


HOSTILE = (b"../up", b"/absolute", b"a/../../up", b"..", b".", b"a//b", b"a/", b"a\0b", b"n" * 256, b"./a", b"a/./b")


def test_a_hostile_name_that_a_member_signed_leads_nowhere(store: CaseStore, tmp_path: Path) -> None:
    file(store, {b"good": b"content"})
    example = read_manifest(store, pack_paths(store)[-1])
    chunk = b"content"
    for name in HOSTILE:
        sequence, previous = store.index.end_of_chain(example.device)
        items = (replace(example.items[0], id=os.urandom(16), name=name),)
        next_one = replace(example, sequence=sequence + 1, previous=previous)
        hostile = replace(next_one, pack=os.urandom(16), items=items, events=())
        write_pack(store, hostile, (chunk,), store._me)
        store.catch_up()
    assert {item.name for item in listing(store)} == {b"good", *HOSTILE}
    before = set(tmp_path.iterdir())
    results = copy_out(store, tmp_path / "out" / "deep", force=True)
    assert set(reasons(results)) == set(HOSTILE)
    assert everything_below(tmp_path / "out") == {b"deep/good": b"content"}
    assert set(tmp_path.iterdir()) == {*before, tmp_path / "out"}


def test_a_damaged_document_leaves_no_file(store: CaseStore, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    file(store, {b"bad": content})
    file(store, {b"good": b"1"})
    path = pack_paths(store)[1]
    whole = bytearray(path.read_bytes())
    whole[len(whole) - 300_000] ^= 1  # in the last third: the beginning of the document reads well
    path.write_bytes(whole)
    assert set(reasons(copy_out(store, tmp_path / "out"))) == {b"bad"}
    assert everything_below(tmp_path / "out") == {b"good": b"1"}


def test_a_damaged_document_does_not_replace_what_is_there(store: CaseStore, tmp_path: Path) -> None:
    file(store, {b"bad": b"x" * 100})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bad").write_text("mine")
    pack_paths(store)[1].write_bytes(b"")
    assert set(reasons(copy_out(store, tmp_path / "out", force=True))) == {b"bad"}
    assert everything_below(tmp_path / "out") == {b"bad": b"mine"}


def test_whatever_stops_the_filling_leaves_nothing(tmp_path: Path) -> None:
    class Stop(BaseException): ...

    def fill(sink: object) -> None:
        sink(b"half")  # type: ignore[operator]
        raise Stop

    with pytest.raises(Stop):
        OutFolder(str(tmp_path / "out")).write(SafePath.parse(b"sub/file"), fill)
    assert everything_below(tmp_path / "out") == {}


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiskFailed):
        OutFolder(str(tmp_path / "file"))


# A full disk


def test_a_full_disk_while_copying_out_is_named_and_leaves_no_half_file(store: CaseStore, tmp_path: Path) -> None:
    large = os.urandom(3 << 20)
    file(store, {b"small": b"1", b"large": large})
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "none") as folder:
        results = reasons(copy_out(store, Path(folder)))
        assert set(results) == {b"large"}
        assert "no space" in results[b"large"].lower()
        assert everything_below(Path(folder)) == {b"small": b"1"}


def test_a_full_disk_while_filing_loses_nothing_and_can_be_run_again(tmp_path: Path) -> None:
    source = newsroom(tmp_path / "vault")
    documents = tmp_path / "in"
    documents.mkdir()
    for number in range(6):
        (documents / str(number)).write_bytes(os.urandom(1 << 20))
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=10m", "none") as disk:
        os.rename(source, source + "-before")
        folder = os.path.join(disk, "vault")
        os.system(f"cp -r {source}-before {folder}")
        with unlock(folder) as vault:
            add_paths(vault, documents / "0")
            with pytest.raises(DiskFailed) as failed:
                add_paths(vault, documents)
            assert any("filed and safe" in hint for hint in failed.value.hints)
            with store_of(vault) as store:
                assert {item.name for item in listing(store)} == {b"0"}
                assert verify(store).whole
                assert [name for name in os.listdir(store.folder + "/packs") if not name.endswith(".age")] == []
            os.system(f"mount -o remount,size=40m {disk}")
            outcome = add_paths(vault, documents)
            assert (len(outcome.filed), outcome.problems) == (6, [])
            with store_of(vault) as store:
                assert len(listing(store)) == 7
                assert verify(store).whole


# Originals


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_text(name * 1000)
    return folder


def kept(outcome: Outcome) -> dict[bytes, str]:
    return {problem.name: problem.reason for problem in outcome.problems}


def test_originals_are_removed_once_they_were_read_back(vault: Vault, originals: Path, tmp_path: Path) -> None:
    (originals / "link").symlink_to("a")
    outcome = add_paths(vault, originals, move=True)
    assert sorted(path.name for path in originals.iterdir()) == ["link"]
    assert [one.incoming.name for one in outcome.moved] == [b"in/a", b"in/b", b"in/c"]
    with store_of(vault) as store:
        assert [row.event.kind for row in store.index.events()][-1] == EVENT_MOVED
        copy_out(store, tmp_path / "out")
    assert everything_below(tmp_path / "out") == {b"in/" + n: n * 1000 for n in (b"a", b"b", b"c")}


def test_removals_before_ctrl_c_are_noted(vault: Vault, originals: Path) -> None:
    with store_of(vault) as store:
        filed = store.file(on_disk(originals)).filed
        results = remove_originals(store, filed)
        next(results)
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)
        *_, last = store.index.events()
        assert last.event.kind == EVENT_MOVED
        assert [store.index.items_by_id([i])[i].name for i in last.event.items] == [b"in/a"]
    assert sorted(path.name for path in originals.iterdir()) == ["b", "c"]


def test_removals_that_cannot_be_noted_are_said(tmp_path: Path, originals: Path) -> None:
    class Full(Disk):
        def step(self, operation: str, path: str) -> None:
            if not any(originals.iterdir()) and operation == "create":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    with unlock(newsroom(tmp_path / "vault"), disk=Full()) as vault:
        outcome = add_paths(vault, originals, move=True)
    assert len(outcome.moved) == 3 and list(originals.iterdir()) == []
    assert "the removal of 3 original(s) could not be noted" in kept(outcome)[b"custody record"]


def test_what_was_filed_before_is_removed_too(vault: Vault, originals: Path) -> None:
    add_paths(vault, originals)
    outcome = add_paths(vault, originals, move=True)
    assert (list(originals.iterdir()), outcome.problems) == ([], [])


def test_an_original_stays_when_its_pack_was_damaged_meanwhile(vault: Vault, originals: Path) -> None:
    filed = add_paths(vault, originals / "a").filed
    more = add_paths(vault, originals / "b").filed
    with store_of(vault) as store:
        path = pack_paths(store)[-2]
        whole = bytearray(path.read_bytes())
        whole[-100] ^= 1
        path.write_bytes(whole)
        results = list(remove_originals(store, [*filed, *more]))
    assert sorted(path.name for path in originals.iterdir()) == ["a", "c"]
    assert isinstance(results[0], Problem) and "original stays" in results[0].reason
    assert results[1:] == more


def test_an_original_stays_when_its_pack_is_gone(vault: Vault, originals: Path) -> None:
    filed = add_paths(vault, originals / "a").filed
    with store_of(vault) as store:
        pack_paths(store)[-1].unlink()
        (result,) = remove_originals(store, filed)
        assert isinstance(result, Problem)
        store.rebuild()
        (result,) = remove_originals(store, filed)
        assert isinstance(result, Problem)
    assert (originals / "a").exists()


def test_an_original_that_changed_since_stays(vault: Vault, originals: Path) -> None:
    filed = add_paths(vault, originals).filed
    (originals / "a").write_text("new words")
    seen = (originals / "b").stat()
    (originals / "b").write_text("B" * 1000)
    os.utime(originals / "b", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with store_of(vault) as store:
        results = list(remove_originals(store, filed))
    assert sorted(path.name for path in originals.iterdir()) == ["a", "b"]
    assert [result.reason for result in results if isinstance(result, Problem)] == [
        "filed, but the original stays: it changed since"
    ] * 2


def test_a_file_that_was_named_twice_is_removed_once_and_named_once(vault: Vault, originals: Path) -> None:
    outcome = add_paths(vault, originals / "a", originals / "a", move=True)
    assert not (originals / "a").exists()
    assert len(outcome.moved) == 1
    with store_of(vault) as store:
        assert len(listing(store)) == 1


def test_standard_input_has_no_original(vault: Vault, store: CaseStore) -> None:
    filed = file(store, {b"stdin": b"1"}).filed
    assert list(remove_originals(store, filed)) == []
    assert not any(row.event.kind == EVENT_MOVED for row in store.index.events())


def test_errors_are_ours(store: CaseStore, tmp_path: Path) -> None:
    file(store, {b"a": b"1"})
    (tmp_path / "file").write_text("x")
    with pytest.raises(VaultError):
        copy_out(store, tmp_path / "file")


def kill_in_the_middle(folder: Path, path: str) -> None:
    """A process that writes half a document into the folder and is killed."""
    program = (
        "import os, signal, sys\n"
        "from vault.names import SafePath\n"
        "from vault.outside import OutFolder\n"
        "def fill(sink):\n"
        "    sink(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "OutFolder(sys.argv[1]).write(SafePath.parse(sys.argv[2].encode()), fill)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(folder), path], check=False).returncode == -signal.SIGKILL


def test_what_a_killed_run_left_is_removed_by_the_next_into_the_same_folder(tmp_path: Path) -> None:
    """In the folders that it writes into; half a document never has the document's name."""
    for path in ("a", "sub/a", "other/a"):
        kill_in_the_middle(tmp_path, path)
    assert len(everything_below(tmp_path)) == 3
    assert all(Path(os.fsdecode(name)).name.startswith(".sandyk-") for name in everything_below(tmp_path))
    with OutFolder(str(tmp_path)).writer() as out:
        out.write(SafePath.parse(b"sub/b"), lambda sink: sink(b"whole"))
        out.write(SafePath.parse(b"b"), lambda sink: sink(b"whole"))
    left = everything_below(tmp_path)
    assert {name for name, content in left.items() if content == b"whole"} == {b"b", b"sub/b"}
    assert [name.partition(b"/")[0] for name, content in left.items() if content == b"half"] == [b"other"]


def test_a_file_that_another_run_is_writing_is_not_swept_away(tmp_path: Path) -> None:
    def fill(sink: Callable[[bytes], object]) -> None:
        sink(b"one")
        OutFolder(str(tmp_path)).write(SafePath.parse(b"second"), lambda inner: inner(b"two"))

    OutFolder(str(tmp_path)).write(SafePath.parse(b"first"), fill)
    assert everything_below(tmp_path) == {b"first": b"one", b"second": b"two"}


def test_only_files_under_our_temporary_names_are_swept(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".sandyk-0123456789abcdef").symlink_to(precious)
    (out / ".sandyk-1123456789abcdef").mkdir()
    os.mkfifo(out / ".sandyk-2123456789abcdef")
    for name in (".sandyk-3123456789abcdeg", ".sandyk-4123456789abcdef0", "x.sandyk-5123456789abcdef"):
        (out / name).write_text("mine")
    (out / ".sandyk-6123456789abcdef").write_text("half")
    before = {path.name for path in out.iterdir()} - {".sandyk-6123456789abcdef"}
    OutFolder(str(out)).write(SafePath.parse(b"new"), lambda sink: sink(b"x"))
    assert {path.name for path in out.iterdir()} == before | {"new"}
    assert precious.read_text() == "x"


def test_what_is_removed_or_written_anew_meanwhile_costs_nothing_else(
    vault: Vault, store: CaseStore, tmp_path: Path
) -> None:
    """One document is removed after it was asked for, and the pack of all of them written anew by that."""
    file(store, {b"d/%d" % n: b"%d" % n for n in range(300)})
    everything = listing(store)
    gone = everything[7]

    def asked() -> Iterator[Item]:
        yield from everything
        remove(vault, find_case(vault, "Mine"), [gone], reason="")
        store.catch_up()

    results = list(get(store, asked(), str(tmp_path / "out")))
    names = {one.item.name for one in results if isinstance(one, CopiedOut)}
    assert names == {item.name for item in everything if item is not gone}
    assert [(one.name, one.reason) for one in results if isinstance(one, Problem)] == [
        (gone.id.hex().encode(), "it was removed meanwhile")
    ]
    (copied,) = [row.event for row in store.index.events(EVENT_COPIED_OUT)]
    assert set(copied.items) == {item.id for item in everything if item is not gone}
