# SPDX-License-Identifier: Apache-2.0
"""What is found on a disk and read from it: surprises are named, and never filed by mistake."""

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.newsroom import on_disk
from vault import sources
from vault.errors import ReadFailed
from vault.sources import CHUNK_SIZE, FileIncoming, Problem, StreamIncoming, walk

NAMES = (
    "Протокол №1.pdf".encode(),
    "🗂️ күбөлөр.txt".encode(),
    b"n" * 255,
    b"two\nlines",
    b"\xff\xfe not UTF-8 \x80",
    b"-",
    b"--force",
    b" ",
    b"\x1b[31mred",
)


def found(path: Path | bytes, **more: str) -> tuple[list[bytes], dict[bytes, str]]:
    """Names of the files, and of the problems with their reasons."""
    every = list(walk([os.fsencode(path)], keep_out=more.get("keep_out", "")))
    files = [f.name for f in every if isinstance(f, FileIncoming)]
    return files, {p.name: p.reason for p in every if isinstance(p, Problem)}


def read(incoming: FileIncoming | StreamIncoming) -> bytes:
    return b"".join(piece for piece, _ in incoming.pieces())


def one(path: Path) -> FileIncoming:
    return FileIncoming(os.fsencode(path.name), os.fsencode(path))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_as_the_bytes_it_is(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"in", name)
    os.mkdir(tmp_path / "in")
    with open(path, "wb") as f:
        f.write(b"content")
    assert found(path) == ([name], {})
    assert found(tmp_path / "in") == ([b"in/" + name], {})


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a/z", "c", "a.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("x")
    assert found(tmp_path / "in")[0] == [b"in/a/z", b"in/a.txt", b"in/b/10", b"in/b/2", b"in/c"]


def test_links_pipes_sockets_and_devices_are_named_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_text("outside")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "link to a folder").symlink_to(tmp_path)
    (folder / "dangling").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        (folder / "file").write_text("x")
        files, problems = found(folder)
    assert files == [b"in/file"]
    assert set(problems) == {b"in/link", b"in/link to a folder", b"in/dangling", b"in/pipe", b"in/socket"}
    assert problems[b"in/link"] == "a symbolic link, which is not followed"
    assert found(Path("/dev/null"))[1] == {b"null": "not a regular file"}


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert found(tmp_path / "nothing") == ([], {b"nothing": "there is no such file or folder"})


def test_what_takes_the_place_of_a_file_after_it_was_found_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for kind in ("link", "pipe", "folder", "gone"):
        path.write_text("x")
        incoming = one(path)
        path.unlink()
        if kind == "link":
            path.symlink_to("/etc/hostname")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        with pytest.raises(ReadFailed):
            read(incoming)
        if kind == "folder":
            path.rmdir()
        elif kind != "gone":
            path.unlink()


@pytest.mark.skipif(os.name == "nt", reason="rights are asked of root here")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "closed").mkdir(mode=0)
    assert set(found(tmp_path)[1]) == {os.fsencode(tmp_path.name) + b"/closed"}


SIZES = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 3 * CHUNK_SIZE + 5)


@pytest.mark.parametrize("size", SIZES)
def test_pieces_are_whole_but_the_last_and_only_the_last_says_so(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    streams = (StreamIncoming(b"-", io.BytesIO(content)), StreamIncoming(b"-", Slow(content)))
    for incoming in (one(tmp_path / "file"), *streams):
        pieces = list(incoming.pieces())
        assert b"".join(piece for piece, _ in pieces) == content
        assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
        assert all(len(piece) == CHUNK_SIZE for piece, _ in pieces[:-1])
        assert all(piece for piece, _ in pieces) or size == 0


class Slow:
    """A stream that gives less than one asks for, as pipes do."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._inner.read(min(size, 70_001))


def reading(path: Path) -> Iterator[tuple[bytes, bool]]:
    """The pieces of a file of three pieces, of which the first was taken."""
    path.write_bytes(bytes(2 * CHUNK_SIZE) + b"end")
    os.utime(path, ns=(1, 1))
    pieces = one(path).pieces()
    next(pieces)
    return pieces


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    pieces = reading(tmp_path / "log")
    with open(tmp_path / "log", "ab") as f:
        f.write(b"more")
    with pytest.raises(ReadFailed, match="changed"):
        list(pieces)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    for size in (0, CHUNK_SIZE, CHUNK_SIZE + 7, 2 * CHUNK_SIZE + 2):
        pieces = reading(tmp_path / "log")
        os.truncate(tmp_path / "log", size)
        with pytest.raises(ReadFailed, match="changed"):
            list(pieces)


def test_a_file_that_is_changed_in_place_while_it_is_read_is_refused(tmp_path: Path) -> None:
    pieces = reading(tmp_path / "log")
    with open(tmp_path / "log", "r+b") as f:
        f.write(b"other")
    with pytest.raises(ReadFailed, match="changed"):
        list(pieces)


def test_a_file_that_is_changed_and_dated_back_while_it_is_read_is_refused(tmp_path: Path) -> None:
    pieces = reading(tmp_path / "log")
    with open(tmp_path / "log", "r+b") as f:
        f.write(b"other")
    os.utime(tmp_path / "log", ns=(1, 1))
    with pytest.raises(ReadFailed, match="changed"):
        list(pieces)


def test_an_unreadable_stream_is_a_failed_reading() -> None:
    class Broken:
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(ReadFailed):
        read(StreamIncoming(b"-", Broken()))


def test_nothing_of_the_vault_is_found_from_wherever_one_comes(tmp_path: Path) -> None:
    vault = tmp_path / "home" / "vault"
    (vault / "cases" / "deep").mkdir(parents=True)
    (vault / "keyring").write_text("k")
    (vault / "cases" / "deep" / "pack").write_text("p")
    (tmp_path / "home" / "file").write_text("x")
    keep_out = str(vault)
    assert found(tmp_path / "home", keep_out=keep_out) == ([b"home/file"], {b"home/vault": "this is the vault itself"})
    (tmp_path / "alias").symlink_to(vault)
    for inside in (vault, vault / "keyring", vault / "cases", vault / "cases" / "deep" / "pack",
                   tmp_path / "alias" / "keyring", vault / "cases" / ".." / "keyring"):  # fmt: skip
        files, problems = found(inside, keep_out=keep_out)
        assert (files, list(problems.values())) == ([], ["this is the vault itself"])


def test_a_folder_beside_the_vault_with_a_name_like_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault2").mkdir()
    (tmp_path / "vault2" / "file").write_text("x")
    assert found(tmp_path / "vault2", keep_out=str(tmp_path / "vault")) == ([b"vault2/file"], {})


def test_folders_nested_deeper_than_the_stack_are_walked(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        os.mkdir("n")
        os.chdir("n")
        for _ in range(1500):
            os.mkdir("n")
            os.chdir("n")
        Path("file").write_text("x")
    finally:
        os.chdir(here)
    try:
        files, problems = found(tmp_path / "n")
        assert (files, problems) == ([b"/".join([b"n"] * 1501) + b"/file"], {})
    finally:
        top = tmp_path / "n"
        while top.exists():  # rmtree goes down by recursion too
            (top / "file").unlink(missing_ok=True)
            child = top / "n"
            if child.exists():
                child.rename(tmp_path / "m")
            top.rmdir()
            if (tmp_path / "m").exists():
                (tmp_path / "m").rename(top)


def test_a_path_longer_than_the_format_takes_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "MAX_NAME_SIZE", 20)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a name of more than 20").write_text("x")
    assert list(found(tmp_path / "in")[1].values()) == ["its path is longer than 20 bytes"]


def test_an_original_is_what_was_filed_until_it_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    incoming = one(path)
    assert not incoming.is_still_what_was_filed()
    assert read(incoming) == b"one"
    assert incoming.is_still_what_was_filed()
    other = tmp_path / "other"
    other.write_text("two")
    seen = path.stat()
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    other.replace(path)
    assert not incoming.is_still_what_was_filed()
    path.unlink()
    assert not incoming.is_still_what_was_filed()


def test_an_original_that_was_changed_and_dated_back_is_not_what_was_filed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    incoming = one(path)
    read(incoming)
    seen = path.stat()
    path.write_text("two")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert not incoming.is_still_what_was_filed()


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3), max_size=5, unique=True))
def test_what_is_found_is_what_is_there(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("in")
    for name in names:
        (folder / name).write_text(name)
    base = os.fsencode(folder.name)
    assert [f.name for f in on_disk(folder)] == sorted(base + b"/" + name.encode() for name in names)
