# SPDX-License-Identifier: Apache-2.0
"""What is restored has every byte of what was filed, and takes no room for long runs of zeros."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import bundles
from tests.support.newsroom import add_paths, copy_out, listing, newsroom, store_of, unlock
from vault.holes import LEAST, PAGE, HoleWriter, PlainFile
from vault.retrieving import CopiedOut

MIB = 1 << 20
MEMORY = Path("/dev/shm")

RUNS = st.tuples(st.booleans(), st.one_of(st.integers(0, 3 * LEAST), st.sampled_from((PAGE, LEAST, 2 * LEAST, MIB))))


def written(path: Path, pieces: list[bytes]) -> os.stat_result:
    with open(path, "xb", buffering=0) as f:
        out = HoleWriter(PlainFile(f.fileno()))
        for piece in pieces:
            assert out.write(piece) == len(piece)
        out.finish()
    return os.stat(path)


def room(status: os.stat_result) -> int:
    """Bytes on the disk."""
    return status.st_blocks * 512


@settings(max_examples=200)
@given(st.lists(RUNS, max_size=12), st.lists(st.integers(1, MIB), max_size=8))
def test_whatever_is_written_in_whatever_pieces_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[bool, int]], cuts: list[int]
) -> None:
    content = b"".join(bytes(size) if empty else os.urandom(size) for empty, size in runs)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(content[at : at + cut])
        at += cut
    path = tmp_path_factory.mktemp("holes") / "file"
    written(path, [*pieces, content[at:]])
    assert path.read_bytes() == content
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("piece", [MIB, 1_044_480, 3 * MIB + PAGE])
@pytest.mark.parametrize(
    ("before", "zeros", "after"),
    [(0, 8 * MIB, 0), (5, 8 * MIB, 5), (0, 8 * MIB, 1), (MIB, LEAST + 2 * PAGE, MIB)],
)
def test_a_long_run_of_zeros_takes_no_room(tmp_path: Path, piece: int, before: int, zeros: int, after: int) -> None:
    """At the beginning, at the end, in the middle, over several pieces; on both file systems that are here."""
    content = os.urandom(before) + bytes(zeros) + os.urandom(after)
    for folder in (tmp_path, *([MEMORY] if MEMORY.is_dir() else [])):
        path = folder / f"holes-{os.getpid()}-{piece}-{before}-{after}-{zeros}"
        try:
            status = written(path, [content[i : i + piece] for i in range(0, len(content), piece)])
            assert path.read_bytes() == content
            assert room(status) <= before + after + 4 * PAGE
        finally:
            path.unlink()


def test_short_runs_stay_bytes(tmp_path: Path) -> None:
    content = (bytes(LEAST - PAGE) + b"x" * PAGE) * 20
    assert room(written(tmp_path / "file", [content])) >= len(content)
    assert (tmp_path / "file").read_bytes() == content


def test_a_sparse_file_comes_out_sparse_and_a_dense_one_whole(tmp_path: Path) -> None:
    """Filed, stored once, and copied out: the image of a disk is as small as it was."""
    source = tmp_path / "in"
    source.mkdir()
    with open(source / "image", "wb") as f:
        f.write(b"boot")
        f.seek(50 * MIB + 12_345)
        f.write(os.urandom(100_000))
        f.truncate(90 * MIB + 7)
    (source / "dense").write_bytes(os.urandom(3 * MIB))
    (source / "empty").write_bytes(b"")
    (source / "all zeros").write_bytes(bytes(5 * MIB))
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault:
        add_paths(vault, source)
        with store_of(vault) as store:
            results = copy_out(store, tmp_path / "out")
            assert all(isinstance(one, CopiedOut) for one in results)
            assert len(listing(store)) == 4
    for name in ("image", "dense", "empty", "all zeros"):
        assert (tmp_path / "out" / "in" / name).read_bytes() == (source / name).read_bytes()
    assert room(os.stat(tmp_path / "out" / "in" / "image")) < MIB
    assert room(os.stat(tmp_path / "out" / "in" / "all zeros")) <= PAGE
    assert sum(p.stat().st_size for p in Path(folder).glob("cases/*/packs/*")) < 5 * MIB


def test_a_bundle_opens_into_holes(tmp_path: Path) -> None:
    from vault.opening import open_into_folder

    content = b"begin" + bytes(20 * MIB) + b"end"
    (tmp_path / "sealed.age").write_bytes(bundles.seal([(b"image", content), (b"zeros", bytes(MIB))])[0])
    opened = open_into_folder(
        str(tmp_path / "sealed.age"), [bundles.EDITOR.age], str(tmp_path / "out"), None, progress=lambda n, size: None
    )
    image, zeros = (Path(document.place) for document in opened.documents)
    assert image.read_bytes() == content
    assert room(image.stat()) < MIB
    assert zeros.read_bytes() == bytes(MIB)
    assert room(zeros.stat()) <= PAGE
