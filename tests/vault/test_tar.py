# SPDX-License-Identifier: Apache-2.0
"""The strict tar: what we write every tool unpacks; what others write to trick us we refuse."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tools import need
from vault import tar
from vault.errors import DamagedBundle
from vault.tar import BLOCK, Member, TarReader, TarWriter, member_size, tar_size

FILES = (
    ("bundle-00000000/bagit.txt", b"BagIt-Version: 1.0\n"),
    ("bundle-00000000/empty", b""),
    ("bundle-00000000/data/0001/Протокол допроса №7.pdf", os.urandom(1300)),
    ("bundle-00000000/data/0002/" + "y" * 90, b"long name\n" * 100),
    ("bundle-00000000/data/0003/" + "ы" * 60, b"x" * BLOCK),
)


def write(files: tuple[tuple[str, bytes], ...] = FILES, padded_to: Callable[[int], int] | int = 0) -> bytes:
    sink = io.BytesIO()
    writer = TarWriter(sink)
    for path, content in files:
        writer.add(path, len(content))
        writer.write(content)
    writer.finish(padded_to)
    return sink.getvalue()


def read(raw: bytes, **limits: int) -> tuple[tuple[str, bytes], ...]:
    reader = TarReader(io.BytesIO(raw), **limits)
    return tuple((member.path, _content(reader)) for member in reader)


def _content(reader: TarReader) -> bytes:
    pieces = []
    while piece := reader.read(1000):
        pieces.append(piece)
    return b"".join(pieces)


def refuses(raw: bytes, match: str | None = None) -> None:
    with pytest.raises(DamagedBundle, match=match):
        read(raw)


def foreign(*infos: tuple[tarfile.TarInfo, bytes], fmt: int = tarfile.PAX_FORMAT, **more: object) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=fmt, **more) as archive:  # type: ignore[call-overload]
        for info, content in infos:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def test_what_was_written_is_read_back() -> None:
    assert read(write()) == FILES


def test_the_size_is_known_before_anything_is_written() -> None:
    assert tar_size((path, len(content)) for path, content in FILES) == len(write())


def test_padding_reaches_the_size_asked_for_and_is_all_nul() -> None:
    plain = write()
    padded = write(padded_to=lambda size: size + 3_000_001)
    assert len(padded) == len(plain) + 3_000_001
    assert padded[: len(plain)] == plain
    assert not any(padded[len(plain) :])
    assert read(padded) == FILES
    assert len(write(padded_to=1 << 16)) == 1 << 16


def _gnu_tar(archive: Path, folder: Path) -> list[str]:
    return ["tar", "-xf", str(archive), "-C", str(folder)]


def _bsdtar(archive: Path, folder: Path) -> list[str]:
    return ["bsdtar", "-xf", str(archive), "-C", str(folder)]


def _seven_zip(archive: Path, folder: Path) -> list[str]:
    return ["7zz", "x", "-y", f"-o{folder}", str(archive)]


@pytest.mark.parametrize("command", [_gnu_tar, _bsdtar, _seven_zip])
def test_other_programs_unpack_it(tmp_path: Path, command: Callable[[Path, Path], list[str]]) -> None:
    archive, folder = tmp_path / "bundle.tar", tmp_path / "out"
    archive.write_bytes(write(padded_to=1 << 18))
    folder.mkdir()
    args = command(archive, folder)
    args[0] = need(args[0])
    done = subprocess.run(args, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for path, content in FILES:
        assert (folder / path).read_bytes() == content
    assert sum(1 for p in folder.rglob("*") if p.is_file()) == len(FILES)


def test_pythons_tarfile_reads_it_and_finds_nothing_of_this_machine() -> None:
    with tarfile.open(fileobj=io.BytesIO(write())) as archive:
        infos = archive.getmembers()
        found = tuple((i.name, (archive.extractfile(i) or io.BytesIO()).read()) for i in infos)
    assert found == FILES
    assert {(i.uid, i.gid, i.uname, i.gname, i.mtime, i.mode, i.type) for i in infos} == {
        (0, 0, "", "", 0, 0o644, tarfile.REGTYPE)
    }


@pytest.mark.parametrize("size", [tar.USTAR_MAX_SIZE, tar.USTAR_MAX_SIZE + 1, 1 << 40])
def test_sizes_beyond_8_gib_are_announced_so_that_others_read_them(size: int) -> None:
    headers = io.BytesIO()
    TarWriter(headers).add("bundle-00000000/data/0001/video.mp4", size)
    with tarfile.open(fileobj=io.BytesIO(headers.getvalue()), mode="r|") as archive:
        info = archive.next()
    assert info is not None
    assert (info.name, info.size) == ("bundle-00000000/data/0001/video.mp4", size)
    assert next(TarReader(io.BytesIO(headers.getvalue()))) == Member(info.name, size)
    assert member_size(info.name, size) == len(headers.getvalue()) + size + -size % BLOCK


def test_gnu_tar_lists_a_member_beyond_8_gib(tmp_path: Path) -> None:
    size = 9 << 30
    archive = tmp_path / "big.tar"
    with archive.open("wb") as f:
        writer = TarWriter(f)
        writer.add("b/big", size)
        f.seek(size, os.SEEK_CUR)  # a hole
        f.write(tar.END)
    if archive.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("this file system has no holes")
    listed = subprocess.run([need("tar"), "-tvf", str(archive)], capture_output=True, check=True).stdout.split()
    assert str(size).encode() in listed


safe_characters = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\")
safe_parts = st.text(safe_characters, min_size=1, max_size=60)


@given(st.lists(st.tuples(st.lists(safe_parts, min_size=1, max_size=2), st.binary(max_size=1500)), max_size=4))
def test_any_files_with_lawful_names_come_back(parts: list[tuple[list[str], bytes]]) -> None:
    files = tuple((f"b/{n}/" + "/".join(p), content) for n, (p, content) in enumerate(parts))
    try:
        raw = write(files)
    except DamagedBundle:  # a name such as ".." or longer than allowed
        return
    assert read(raw) == files
    assert len(raw) == tar_size((path, len(content)) for path, content in files)


class Dribble(io.BytesIO):
    """Gives less than it is asked for, as pipes and decryptors do."""

    most = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, self.most))


@given(st.integers(1, 3000))
def test_reading_in_any_pieces_gives_the_same(most: int) -> None:
    source = Dribble(write())
    source.most = most
    reader = TarReader(source)
    assert tuple((m.path, _content(reader)) for m in reader) == FILES


def test_members_can_be_skipped() -> None:
    raw = write(padded_to=lambda size: size + 5)
    reader = TarReader(io.BytesIO(raw))
    assert [m.path for m in reader] == [path for path, _ in FILES]
    assert (reader.size, reader.consumed) == (len(raw) - 5, len(raw))


def test_every_truncation_is_our_error() -> None:
    raw = write(FILES[:3])
    for n in range(len(raw)):
        refuses(raw[:n])


def test_every_flipped_byte_is_our_error_or_another_tar_that_we_would_write_so() -> None:
    """A tar has no hash over names and content; what matters is that nothing is read two ways."""
    files = (("b/a", b"x" * 20), ("b/ы", b"y"), ("b/c", b""))
    raw = write(files)
    for i in range(len(raw)):
        flipped = raw[:i] + bytes([raw[i] ^ 0x21]) + raw[i + 1 :]
        try:
            found = read(flipped)
        except DamagedBundle:
            continue
        assert found != files
        assert write(found) == flipped


@given(st.binary(max_size=1600))
def test_any_bytes_are_our_error_or_a_tar(raw: bytes) -> None:
    for start in (b"", write(FILES[:1])[:BLOCK]):
        try:
            found = read(start + raw)
        except DamagedBundle:
            continue
        assert write(found) == (start + raw)[: len(write(found))]


@pytest.mark.parametrize(
    "path",
    ["", "/a", "../a", "a/../b", "a/..", "./a", "a//b", "a/", "a/.", "..", "a\\b", "a\nb", "a\x7fb", "a\0b", "я" * 257],
)
def test_a_path_that_could_escape_is_neither_written_nor_read(path: str) -> None:
    with pytest.raises(DamagedBundle):
        write(((path, b""),))
    refuses(tar._headers(Member(path, 0), 0) + tar.END)


@pytest.mark.parametrize(
    ("first", "second"),
    [("b/a", "b/a"), ("b/a", "b/A"), ("b/Я", "b/я"), ("b/a", "b/a/c"), ("b/a/c", "b/a"), ("b/a/c", "B/A")],
)
def test_one_name_twice_is_neither_written_nor_read(first: str, second: str) -> None:
    with pytest.raises(DamagedBundle):
        write(((first, b""), (second, b"")))
    raw = tar._headers(Member(first, 0), 0) + tar._headers(Member(second, 0), 1) + tar.END
    refuses(raw, "one name")


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
        *(tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, b"g", b"V", b"X"),
    ],
)
def test_anything_but_a_regular_file_is_refused(kind: bytes) -> None:
    refuses(tar._header(b"b/a", 0, kind) + tar.END, "regular file")


def _patched(offset: int, value: bytes) -> bytes:
    """A tar of one file in which a header field was replaced and the checksum made right again."""
    raw = bytearray(write((("b/a", b"hello"),)))
    raw[offset : offset + len(value)] = value
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(raw[156:BLOCK]) + 8 * ord(" "))
    return bytes(raw)


@pytest.mark.parametrize(
    ("field", "offset", "value"),
    [
        ("mode", 100, b"0000755\0"),
        ("mode in another spelling", 100, b"   644 \0"),
        ("user", 108, b"0001750\0"),
        ("group", 116, b"0001750\0"),
        ("time", 136, b"14712345670\0"),
        ("link name", 157, b"/etc/passwd\0"),
        ("name of the user", 265, b"aisuluu\0"),
        ("name of the group", 297, b"aisuluu\0"),
        ("device", 329, b"0000001\0"),
        ("prefix", 345, b"../..\0"),
        ("end of the block", 500, b"hidden"),
        ("behind the name", 50, b"hidden"),
    ],
)
def test_a_header_that_says_more_than_it_may_is_refused(field: str, offset: int, value: bytes) -> None:
    assert read(_patched(0, b"b/b")) == (("b/b", b"hello"),)
    with pytest.raises(DamagedBundle):
        read(_patched(offset, value))


def test_gnu_long_names_and_base_256_sizes_are_refused() -> None:
    refuses(foreign((tarfile.TarInfo("b/" + "a" * 120), b""), fmt=tarfile.GNU_FORMAT))
    header = bytearray(tar._header(b"b/a", 0, b"0"))
    header[124:136] = b"\x80" + bytes(10) + b"\x05"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    refuses(bytes(header) + b"hello".ljust(BLOCK, b"\0") + tar.END, "octal")


def _extended(records: bytes) -> bytes:
    return tar._header(b"PaxHeaders/0", len(records), b"x") + records + bytes(-len(records) % BLOCK)


@pytest.mark.parametrize(
    "records",
    [
        "17 linkpath=/etc\n",
        "11 uid=100\n",
        "22 GNU.sparse.major=1\n",
        "13 path=b/ы\n13 path=b/ы\n",
        "13 path=b/ы\n11 uid=100\n",
        "9999 path=b/ы\n",
        "-1 path=b\n",
        "0 path=b\n",
        "013 path=b/ы\n",
        "13 path=b/ы ",
        "12 path=b/\udcff\n",
        "12 size=+10\n",
        "29 size=99999999999999999999\n",
        "path=b/ы\n",
        "14 path=/b/ы\n",
        "",
        "12 path=b/_\n",
    ],
)
def test_an_extended_header_of_any_other_form_is_refused(records: str) -> None:
    rest = tar._header(b"b/_", 0, b"0") + tar.END
    assert read(_extended("13 path=b/ы\n".encode()) + rest) == (("b/ы", b""),)
    refuses(_extended(records.encode("utf-8", "surrogateescape")) + rest)


def test_an_extended_header_too_large_is_refused_before_it_is_read() -> None:
    huge = tar._header(b"PaxHeaders/0", tar.MAX_PAX_BYTES + 1, b"x")
    refuses(huge, "too large")


def test_a_size_record_may_not_contradict_a_small_size() -> None:
    extended = _extended(tar._record("size", b"5"))
    refuses(extended + tar._header(b"b/a", 0, b"0") + b"hello".ljust(BLOCK, b"\0") + tar.END, "spelled")


def test_what_hides_behind_the_end_or_between_members_is_refused() -> None:
    raw = write(FILES[:1], padded_to=8192)
    refuses(raw[:-1] + b"x", "behind the end")
    refuses(raw + write(FILES[1:2]), "behind the end")
    gap = bytearray(raw)
    gap[BLOCK + 100] = 1
    refuses(bytes(gap), "between")
    refuses(raw[: 2 * BLOCK] + bytes(BLOCK) + b"x" * BLOCK, "two")


def test_more_members_than_allowed_are_refused() -> None:
    assert len(read(write(), max_members=len(FILES))) == len(FILES)
    with pytest.raises(DamagedBundle, match="more than"):
        read(write(), max_members=len(FILES) - 1)


def test_a_writer_keeps_its_word_about_sizes() -> None:
    writer = TarWriter(io.BytesIO())
    writer.add("b/a", 3)
    writer.write(b"ab")
    with pytest.raises(ValueError, match="less"):
        writer.add("b/b", 0)
    with pytest.raises(ValueError, match="less"):
        writer.finish()
    with pytest.raises(ValueError, match="more"):
        writer.write(b"cd")
