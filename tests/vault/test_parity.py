# SPDX-License-Identifier: Apache-2.0
"""Parity of a pack: damage within its strength is mended byte for byte; all else is refused and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stopping import Stopped, StoppingDisk, count_steps
from vault.disk import Disk
from vault.errors import BadInput, Damaged, DamagedPack, NewerFormat
from vault.mending import Unmendable, check_parity, mend, write_parity
from vault.parity import BLOCK_SIZE, MAGIC, MAX_HEAD_SIZE, MAX_PACK_FILE, MAX_ROWS, Head, encode_head, parse_head
from vault.parity import shape_for as shape_of

PACK = bytes(range(16))
PERCENT = 5


def accept(_path: str) -> None:
    """A judge that believes everything: what is proven here is what parity alone can do."""


class Place:
    """A file, its parity, and what the file held."""

    def __init__(self, folder: Path, size: int, percent: int = PERCENT) -> None:
        self.folder = folder
        self.content = os.urandom(size)
        self.path, self.parity = str(folder / "pack"), str(folder / "par")
        Path(self.path).write_bytes(self.content)
        write_parity(Disk(), PACK, self.path, self.parity, percent)

    def harm(self, start: int, length: int) -> None:
        """Flip every bit of a stretch."""
        held = bytearray(Path(self.path).read_bytes())
        held[start : start + length] = bytes(b ^ 0xFF for b in held[start : start + length])
        Path(self.path).write_bytes(held)

    def head(self) -> Head:
        """What the parity file says at its beginning."""
        held = Path(self.parity).read_bytes()
        return parse_head(held, PACK, len(held))

    def mend(self) -> int:
        return mend(Disk(), PACK, self.path, self.parity, accept)

    def is_as_it_was(self) -> bool:
        return Path(self.path).read_bytes() == self.content

    def nothing_else_is_there(self) -> bool:
        return sorted(os.listdir(self.folder)) == ["pack", "par"]


@settings(max_examples=40)
@given(size=st.integers(1, 700_000), percent=st.sampled_from((1, 5, 30, 100)), where=st.floats(0, 1))
def test_a_stretch_as_long_as_the_parity_s_rows_is_mended(
    tmp_path_factory: pytest.TempPathFactory, size: int, percent: int, where: float
) -> None:
    place = Place(tmp_path_factory.mktemp("parity"), size, percent)
    shape = shape_of(size, percent)
    blocks = shape.parity * shape.columns
    start = int(where * max(0, shape.blocks - blocks)) * BLOCK_SIZE
    place.harm(start, blocks * BLOCK_SIZE)
    assert place.mend() == min(blocks, shape.blocks - start // BLOCK_SIZE)
    assert place.is_as_it_was()
    assert place.nothing_else_is_there()


@given(size=st.integers(1, MAX_PACK_FILE), percent=st.integers(1, 100))
def test_a_layout_holds_the_file_has_the_strength_and_fits_the_code(size: int, percent: int) -> None:
    shape = shape_of(size, percent)
    assert shape.rows * shape.row_size >= size
    assert shape.rows + shape.parity <= MAX_ROWS
    assert shape.parity * 100 >= shape.rows * percent
    assert shape.head_size <= MAX_HEAD_SIZE


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_other_percentages_are_refused(percent: int) -> None:
    with pytest.raises(BadInput):
        shape_of(1000, percent)


def test_the_code_is_the_one_of_the_document(tmp_path: Path) -> None:
    """Computed byte by byte in GF(2^8), without zfec, from what docs/format-bundle.md §10.2 says."""
    place = Place(tmp_path, 3 * BLOCK_SIZE, 100)
    shape = place.head().shape
    assert (shape.rows, shape.parity, shape.columns) == (3, 3, 1)
    exp, log = [0] * 512, [0] * 256
    x = 1
    for i in range(255):
        exp[i] = exp[i + 255] = x
        log[x] = i
        x = (x << 1) ^ (0x11D if x & 0x80 else 0)

    def mul(a: int, b: int) -> int:
        return exp[log[a] + log[b]] if a and b else 0

    def weight(at: int, i: int, points: list[int]) -> int:
        """Lagrange: the polynomial that is 1 at point i, 0 at the other points, taken at ``at``."""
        product = 1
        for j, point in enumerate(points):
            if j != i:
                product = mul(product, mul(at ^ point, exp[255 - log[points[i] ^ point]]))
        return product

    points = [0, *(exp[i] for i in range(5))]
    parity = Path(place.parity).read_bytes()[shape.head_size :]
    for row in range(3):
        factors = [weight(points[3 + row], i, points[:3]) for i in range(3)]
        for offset in (0, 1, 2047, 4095):
            want = 0
            for i in range(3):
                want ^= mul(factors[i], place.content[i * BLOCK_SIZE + offset])
            assert parity[row * BLOCK_SIZE + offset] == want


@pytest.mark.parametrize("kept", [0, 1, 200_000, 299_999])
def test_a_pack_that_was_cut_off_or_grew_is_mended_or_refused(tmp_path: Path, kept: int) -> None:
    place = Place(tmp_path, 300_000)
    os.truncate(place.path, kept)
    before = Path(place.path).read_bytes()
    try:
        place.mend()
    except Unmendable:
        assert kept < 290_000
        assert Path(place.path).read_bytes() == before
    else:
        assert place.is_as_it_was()
    assert place.nothing_else_is_there()


def test_bytes_that_were_added_at_the_end_are_taken_away(tmp_path: Path) -> None:
    place = Place(tmp_path, 300_000)
    with open(place.path, "ab") as f:
        f.write(b"more")
    place.mend()
    assert place.is_as_it_was()


def test_more_damage_than_the_parity_bears_is_said_and_changes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, 300_000)
    place.harm(0, 100_000)
    before = Path(place.path).read_bytes()
    with pytest.raises(Unmendable):
        place.mend()
    assert Path(place.path).read_bytes() == before
    assert place.nothing_else_is_there()


def test_a_judge_that_refuses_keeps_the_damaged_pack(tmp_path: Path) -> None:
    place = Place(tmp_path, 100_000)
    place.harm(5, 1)
    before = Path(place.path).read_bytes()

    def refuse(path: str) -> None:
        assert Path(path).read_bytes() == place.content
        raise DamagedPack("not a pack")

    with pytest.raises(DamagedPack):
        mend(Disk(), PACK, place.path, place.parity, refuse)
    assert Path(place.path).read_bytes() == before
    assert place.nothing_else_is_there()


def test_stopped_anywhere_the_pack_is_the_old_or_the_mended_one(tmp_path: Path) -> None:
    place = Place(tmp_path, 50_000)
    place.harm(10, 10)
    damaged = Path(place.path).read_bytes()
    steps = count_steps(lambda disk: mend(disk, PACK, place.path, place.parity, accept))
    states = set()
    for n in range(steps):
        Path(place.path).write_bytes(damaged)
        with pytest.raises(Stopped):
            mend(StoppingDisk(n), PACK, place.path, place.parity, accept)
        held = Path(place.path).read_bytes()
        assert held in (damaged, place.content)
        states.add(held == place.content)
        place.mend()
        assert place.is_as_it_was()
    assert states == {True, False}


# The parity file itself


@settings(max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_in_the_parity_is_found_and_still_mends(
    tmp_path_factory: pytest.TempPathFactory, at: float, bit: int
) -> None:
    place = Place(tmp_path_factory.mktemp("parity"), 60_000)
    held = bytearray(Path(place.parity).read_bytes())
    held[int(at * len(held))] ^= 1 << bit
    Path(place.parity).write_bytes(held)
    with pytest.raises((Damaged, NewerFormat)):
        check_parity(PACK, place.path, place.parity, PERCENT)
    place.harm(BLOCK_SIZE, 1)
    place.mend()
    assert place.is_as_it_was()


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda rest: MAGIC + PACK + rest))
def test_bytes_that_are_no_parity_are_refused(untrusted: bytes) -> None:
    with pytest.raises(Damaged):
        parse_head(untrusted, PACK, len(untrusted))


def test_a_layout_that_would_take_all_memory_is_refused_before_it_is_believed() -> None:
    claims = ((1 << 62, 200, 10, 1 << 31), (4096, 1, 1, (1 << 32) - 1), (1, 0, 1, 1), (9, 1, 0, 1))
    for size, rows, parity, columns in claims:
        fixed = MAGIC + PACK + size.to_bytes(8, "big") + bytes(32) + rows.to_bytes(2, "big") + parity.to_bytes(2, "big")
        with pytest.raises(Damaged):
            parse_head(fixed + columns.to_bytes(4, "big") + bytes(64), PACK, 1 << 40)


def test_another_pack_s_parity_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path, 5000)
    with pytest.raises(Damaged, match="another pack"):
        mend(Disk(), bytes(16), place.path, place.parity, accept)


def test_parity_that_promises_something_else_mends_nothing(tmp_path: Path) -> None:
    """A head whose seal is right, as anybody can make it, over a digest of another file."""
    place = Place(tmp_path, 5000)
    head = place.head()
    forged = encode_head(Head(PACK, bytes(32), head.shape, head.digests))
    held = Path(place.parity).read_bytes()
    Path(place.parity).write_bytes(forged + held[len(forged) : -len(forged)] + forged)
    place.harm(0, 1)
    with pytest.raises(Unmendable):
        place.mend()
    assert place.nothing_else_is_there()


def test_a_newer_version_is_not_called_damage(tmp_path: Path) -> None:
    place = Place(tmp_path, 5000)
    held = Path(place.parity).read_bytes()
    Path(place.parity).write_bytes(held.replace(MAGIC, b"sandyk parity 2\n"))
    with pytest.raises(NewerFormat, match="newer"):
        place.mend()


def test_a_pipe_or_a_link_in_a_parity_s_place_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path, 5000)
    os.unlink(place.parity)
    os.mkfifo(place.parity)
    with pytest.raises(Damaged):
        place.mend()
    os.unlink(place.parity)
    os.symlink("/dev/zero", place.parity)
    with pytest.raises(OSError):
        place.mend()
