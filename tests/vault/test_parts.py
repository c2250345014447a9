# SPDX-License-Identifier: Apache-2.0
"""Bundles in parts: every part is known by itself, any enough of them give back the whole, and nothing else does."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import age
from keys.crowd import round_up
from tests.support import bundles
from tests.support.partition import (
    BLOCK,
    LEAST_TAR,
    a_bundle,
    cut_into,
    documents_in,
    find,
    forged,
    found,
    join,
    read_all,
    seal_part,
    terms_of,
    write,
)
from tests.support.stopping import count_steps, crash_points
from vault.carriers import CARRIERS, file_size
from vault.disk import Disk
from vault.errors import BadInput, DamagedBundle, DiskFailed, LibraryMissing, PartsMissing
from vault.part_reader import BadPart, JoinedParts
from vault.part_writer import WrittenSet, write_parts
from vault.parts import MAX_PARTS, TRAILER_SIZE, cut, parse_trailer
from vault.repair import Repair
from vault.sealing import write_new
from vault.tar import Sink

FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck))
CROWD = round_up([bundles.EDITOR.recipient])


@functools.cache
def _set(data: int, repair: int) -> tuple[bytes, tuple[bytes, ...]]:
    """A bundle's tar, and the files of its parts by number."""
    tar = a_bundle(2 * data)
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder), tar, data, repair)
        return tar, tuple(Path(part.path).read_bytes() for part in written.parts)


def lay(folder: Path, parts: dict[int, bytes]) -> list[Path]:
    """Put parts into a folder, under names in random order."""
    paths = []
    for number, content in parts.items():
        path = folder / f"{random.randbytes(4).hex()}-{number}.age"
        path.write_bytes(content)
        paths.append(path)
    return paths


def whole(data: int, repair: int) -> tuple[bytes, dict[int, bytes]]:
    tar, files = _set(data, repair)
    return tar, dict(enumerate(files, 1))


# How a tar is cut


@FEW
@given(st.integers(LEAST_TAR, 1 << 40), st.integers(1 << 20, 1 << 34), st.integers(0, 20))
def test_every_part_fits_and_no_smaller_number_of_parts_would_do(tar: int, part_size: int, repair: int) -> None:
    try:
        how = cut(tar, CROWD, part_size, repair)
    except BadInput:
        one_larger = part_size // (BLOCK + 16) * BLOCK * (MAX_PARTS - repair)
        assert tar > one_larger - 256 * 3 * BLOCK
        return
    assert age.sealed_size(how.body + TRAILER_SIZE, CROWD) <= part_size
    assert how.data + how.repair <= MAX_PARTS
    assert (how.data - 1) * how.body < tar <= how.data * how.body
    if how.data > 1:
        body_of_fewer = -(-tar // ((how.data - 1) * BLOCK)) * BLOCK
        assert age.sealed_size(body_of_fewer + TRAILER_SIZE, CROWD) > part_size


def test_the_least_size_that_a_refusal_names_is_accepted() -> None:
    tar = 10_000_000_000
    with pytest.raises(BadInput) as refused:
        cut(tar, CROWD, 20_000_000, 10)
    (hint,) = refused.value.hints
    least = file_size(hint.split()[-1])
    assert cut(tar, CROWD, least, 10).data == MAX_PARTS - 10
    with pytest.raises(BadInput):
        cut(tar, CROWD, least - 100_000, 10)


@pytest.mark.parametrize(("part_size", "repair"), [((1 << 20) - 1, 0), (1 << 30, 256), (1 << 30, -1), (1 << 40, 256)])
def test_tiny_parts_and_too_many_are_refused(part_size: int, repair: int) -> None:
    with pytest.raises(BadInput):
        cut(LEAST_TAR, CROWD, part_size, repair)


@pytest.mark.parametrize(
    ("text", "size"),
    [("20M", 20_000_000), ("100MB", 100_000_000), ("1MiB", 1 << 20), ("2g", 2 * 10**9), ("5000000", 5_000_000),
     ("700K", 700_000), ("3GiB", 3 << 30), ("mail", 18_000_000), ("Signal", 100_000_000)],
)  # fmt: skip
def test_sizes_are_read_as_a_carrier_counts_them(text: str, size: int) -> None:
    assert file_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-5M", "1.5M", "20 M", "5iB", "1e9", "١M", "fax", "9" * 13, "5MM", "5Bi"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        file_size(text)


def test_carriers_hold_the_numbers_of_the_document() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs/format-bundle.md").read_text("utf-8")
    for name, size in CARRIERS.items():
        assert f"| `{name}` | {size:,} |".replace(",", " ") in document
    assert CARRIERS["mail"] * 78 / 57 < 25_000_000
    assert CARRIERS["signal"] < 1.05**378 < 100 << 20


# What is written


def test_parts_are_age_files_of_exactly_one_size_with_names_that_say_nothing(tmp_path: Path) -> None:
    tar = a_bundle(6)
    written = write(tmp_path / "new", tar, 3, 2)
    files = sorted((tmp_path / "new").iterdir())
    assert [part.number for part in written.parts] == [1, 2, 3, 4, 5]
    assert sorted(part.path for part in written.parts) == list(map(str, files))
    assert {file.stat().st_size for file in files} == {written.part_size}
    assert all(len(bytes.fromhex(file.stem)) == 4 and file.suffix == ".age" for file in files)
    assert all(file.read_bytes().startswith(b"age-encryption.org/v1\n") for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_no_two_parts_share_a_byte_sequence_but_the_first_line() -> None:
    """Though a tar of NULs has the same body in each part."""
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder), bytes(LEAST_TAR), 2, 2)
        contents = [Path(part.path).read_bytes() for part in written.parts]
    pieces = [content[i : i + 64] for content in contents for i in range(64, len(content) - 64, 64)]
    assert len(pieces) == len(set(pieces))


def test_data_parts_are_slices_of_the_tar_and_their_trailer_is_the_last_block(tmp_path: Path) -> None:
    tar, parts = whole(3, 2)
    body = cut_into(3, 2, len(tar)).body
    for number in (1, 2, 3):
        plaintext = age.unseal(parts[number], [bundles.EDITOR.age], limit=1 << 24)
        assert len(plaintext) == body + TRAILER_SIZE
        assert plaintext[:body] == tar[(number - 1) * body : number * body].ljust(body, b"\0")
        lines = plaintext[body:].decode().split("\n")
        assert lines[:2] == ["", "sandyk part 1"]
        assert lines[3] == f"number {number:03}"
        assert lines[8] == f"sha256 {hashlib.sha256(plaintext[:body]).hexdigest()}"
    assert body % BLOCK == 0


def test_repair_parts_are_what_the_document_says_computed_without_zfec() -> None:
    _, parts = whole(3, 2)
    bodies = {
        number: age.unseal(content, [bundles.EDITOR.age], limit=1 << 24)[:-TRAILER_SIZE]
        for number, content in parts.items()
    }
    for j in (1, 2):
        row = coefficients(3, 3 + j - 1)
        for place in (0, 1, 65_536, len(bodies[1]) - 1, 12_345):
            total = 0
            for i in (1, 2, 3):
                total ^= times(row[i - 1], bodies[i][place])
            assert bodies[3 + j][place] == total


def times(a: int, b: int) -> int:
    """A product in GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def power(exponent: int) -> int:
    return functools.reduce(lambda value, _: times(value, 2), range(exponent), 1)


def coefficients(data: int, row: int) -> list[int]:
    """A row of V × (first rows of V)⁻¹ (docs/format-bundle.md §10.2), by solving c × (first rows) = row of V."""

    def v(r: int) -> list[int]:
        return [1] + [0] * (data - 1) if r == 0 else [power((r - 1) * column) for column in range(data)]

    # Columns of the first rows are equations: sum over i of c[i] × V[i][column] = V[row][column].
    wanted = v(row)
    equations = [[v(i)[column] for i in range(data)] + [wanted[column]] for column in range(data)]
    for pivot in range(data):
        swap = next(r for r in range(pivot, data) if equations[r][pivot])
        equations[pivot], equations[swap] = equations[swap], equations[pivot]
        inverse = next(x for x in range(1, 256) if times(x, equations[pivot][pivot]) == 1)
        equations[pivot] = [times(inverse, x) for x in equations[pivot]]
        for r in range(data):
            if r != pivot:
                factor = equations[r][pivot]
                equations[r] = [x ^ times(factor, y) for x, y in zip(equations[r], equations[pivot], strict=True)]
    return [equation[-1] for equation in equations]


class _Failing(Disk):
    """A disk that fails at one of its steps, and keeps count of them."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self, operation: str, path: str) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise OSError(28, "No space left on device", path)


def test_a_disk_that_fails_at_any_step_leaves_nothing_behind(tmp_path: Path) -> None:
    tar = a_bundle(4)
    for at in itertools.count(1):
        folder = tmp_path / "out"
        disk = _Failing(at)
        try:
            write(folder, tar, 2, 2, disk=disk)
        except DiskFailed as exc:
            assert "no space left" in str(exc)
            assert not folder.exists(), disk.steps
            continue
        assert len(list(folder.iterdir())) == 4
        assert at > 20
        return


def test_after_a_power_cut_every_file_with_a_parts_name_is_a_whole_part(tmp_path: Path) -> None:
    """At every change that the writer makes. Names are given when the last file was synced, and not before."""
    tar = a_bundle(4)
    steps = count_steps(lambda disk: write(tmp_path / "whole", tar, 2, 1, disk=disk))
    numbers = itertools.count()
    some = 0
    for n in crash_points(lambda disk: write(tmp_path / str(next(numbers)), tar, 2, 1, disk=disk), steps):
        names = list((tmp_path / str(n)).glob("*"))
        parts = [path for path in names if path.suffix == ".age"]
        assert all(re.fullmatch(r"[0-9a-f]{8}\.age-[0-9a-f]{12}\.new", p.name) for p in names if p not in parts)
        assert all(found(path).left_out == () for path in parts)
        assert len({path.name.partition("-")[0] for path in names}) == 3 or not parts
        some += 0 < len(parts) < 3
    assert some


def test_what_a_killed_run_left_half_written_goes_with_the_next_run_and_whole_parts_stay(tmp_path: Path) -> None:
    tar = a_bundle(4)
    (tmp_path / "whole").mkdir()
    steps = count_steps(lambda disk: write(tmp_path / "whole", tar, 2, 1, disk=disk))
    seen: set[str] = set()
    for _ in crash_points(lambda disk: write(tmp_path, tar, 2, 1, disk=disk), steps):
        before = {path.name for path in tmp_path.glob("*.age")}
        seen |= {path.name for path in tmp_path.glob("*.new")}
        written = {Path(part.path).name for part in write(tmp_path, tar, 2, 1).parts}
        assert {path.name for path in tmp_path.iterdir()} == {*before, *written, "whole"}
    assert len(seen) > steps / 2


def test_a_run_leaves_the_parts_of_one_that_is_at_work_alone(tmp_path: Path) -> None:
    tar = a_bundle(4)

    def beside(parts: WrittenSet) -> None:
        assert not any(Path(part.path).exists() for part in parts.parts)
        write(tmp_path, tar, 2, 1)

    how = cut_into(2, 1, len(tar))
    done = write_parts(str(tmp_path), how, lambda: CROWD, lambda sink: sink.write(tar), disk=Disk(), when_whole=beside)
    assert len(list(tmp_path.iterdir())) == 6
    assert all(found(Path(part.path)).left_out == () for part in done.parts)


def test_a_single_file_written_to_the_same_folder_meanwhile_takes_no_part_away(tmp_path: Path) -> None:
    tar = a_bundle(4)

    def pieces(sink: Sink) -> None:
        sink.write(tar)  # all parts but the last are closed now
        write_new(str(tmp_path / "00112233.age"), b"another export", disk=Disk())

    done = write_parts(str(tmp_path), cut_into(4, 0, len(tar)), lambda: CROWD, pieces, disk=Disk())
    assert [Path(part.path).exists() for part in done.parts] == [True] * 4
    assert len(list(tmp_path.iterdir())) == 5


def test_a_document_that_changed_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(sink: object) -> None:
        sink.write(bytes(3 * BLOCK))  # type: ignore[attr-defined]
        raise DamagedBundle("changed")

    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "new"):
        with pytest.raises(DamagedBundle):
            write_parts(str(folder), cut_into(2, 0, LEAST_TAR), lambda: CROWD, fails, disk=Disk())
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_a_file_that_appears_under_a_parts_name_at_the_last_moment_is_not_touched(tmp_path: Path) -> None:
    class Raced(Disk):
        """Somebody makes a file of this very name just before the second part gets it."""

        theirs: list[Path] = []  # noqa: RUF012  # one for this class, which one test uses

        def step(self, operation: str, path: str) -> None:
            if operation == "rename" and list(tmp_path.glob("*.age")) and not self.theirs:
                self.theirs.append(Path(path))
                Path(path).write_bytes(b"theirs")

    with pytest.raises(DiskFailed):
        write(tmp_path, bytes(LEAST_TAR), 2, disk=Raced())
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(Raced.theirs[0], b"theirs")]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(BadInput):
        write(tmp_path / "file", bytes(LEAST_TAR), 1)
    with pytest.raises(DiskFailed):
        write(tmp_path / "no" / "such", bytes(LEAST_TAR), 1)
    assert (tmp_path / "file").read_bytes() == b"mine"


# Joining


@pytest.mark.parametrize(("data", "repair"), [(1, 0), (1, 2), (2, 1), (3, 2), (2, 3)])
def test_every_choice_of_enough_parts_gives_back_the_whole(tmp_path: Path, data: int, repair: int) -> None:
    tar, parts = whole(data, repair)
    for count in range(1, data + repair + 1):
        for chosen in itertools.combinations(parts, count):
            folder = tmp_path / "-".join(map(str, chosen))
            folder.mkdir()
            lay(folder, {number: parts[number] for number in chosen})
            if count >= data:
                assert join(found(folder)) == tar
            else:
                with pytest.raises(PartsMissing) as missing:
                    join(found(folder))
                lost = sorted(set(parts) - set(chosen))
                assert f"{len(lost)} of {len(parts)} parts are missing: {', '.join(map(str, lost))}" in str(
                    missing.value
                )


@FEW
@given(st.data())
def test_any_mixture_of_lost_cut_and_changed_parts_is_survived_while_enough_are_whole(choose: st.DataObject) -> None:
    tar, parts = whole(5, 3)
    fates = choose.draw(st.lists(st.sampled_from(["whole", "whole", "lost", "cut", "changed", "twice"]),
                                 min_size=8, max_size=8))  # fmt: skip
    laid: dict[int, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for (number, content), fate in zip(parts.items(), fates, strict=True):
            if fate == "cut":
                content = content[: choose.draw(st.integers(0, len(content) - 1))]
            elif fate == "changed":
                place = choose.draw(st.integers(0, len(content) - 1))
                content = (
                    content[:place]
                    + bytes([content[place] ^ 1 << choose.draw(st.integers(0, 7))])
                    + content[place + 1 :]
                )
            if fate != "lost":
                laid[number] = content
        lay(folder, laid)
        lay(folder, {n: c for (n, c), fate in zip(parts.items(), fates, strict=True) if fate == "twice"})
        good = sum(fate in {"whole", "twice"} for fate in fates)
        if good >= 5:
            assert join(found(folder)) == tar
            return
        with pytest.raises((PartsMissing, BadInput)):
            join(found(folder))


def test_a_flipped_byte_at_any_place_of_a_part_makes_it_count_as_missing(tmp_path: Path) -> None:
    """Each byte of header and trailer, and every thousandth of the body."""
    _, parts = whole(1, 2)
    content = parts[1]
    header = content.index(b"\n---") + 64 + 16
    places = [
        *range(0, header, 7),
        *range(header, len(content), 4001),
        *range(len(content) - TRAILER_SIZE - 16, len(content), 5),
    ]
    path = tmp_path / "part.age"
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x20]) + content[place + 1 :])
        try:
            parts_here = find(path)
        except DamagedBundle:
            continue
        if parts_here is not None:
            joined = JoinedParts(parts_here)
            with pytest.raises(BadPart):
                read_all(joined)
            with pytest.raises(BadPart):
                joined.read(1)


def test_a_truncated_part_is_never_taken_for_a_part(tmp_path: Path) -> None:
    _, parts = whole(1, 2)
    for size in [*range(0, len(parts[1]), 9973), len(parts[1]) - 1]:
        path = tmp_path / f"{size}.age"
        path.write_bytes(parts[1][:size])
        assert find(path) is None


def test_a_damaged_copy_is_replaced_by_a_good_one(tmp_path: Path) -> None:
    tar, parts = whole(3, 0)
    (tmp_path / "0.age").write_bytes(parts[2][: BLOCK * 1] + b"x" + parts[2][BLOCK + 1 :])
    lay(tmp_path, parts)
    assert join(found(tmp_path)) == tar


def test_parts_given_in_any_order_and_folder_and_twice_are_joined(tmp_path: Path) -> None:
    tar, parts = whole(5, 3)
    for name in "ab":
        (tmp_path / name).mkdir()
    first = lay(tmp_path / "a", {4: parts[4], 1: parts[1]})
    second = lay(tmp_path / "b", {5: parts[5], 2: parts[2], 3: parts[3]})
    (link := tmp_path / "link.age").symlink_to(first[0])
    assert join(found(*reversed(second), *first, first[0], link)) == tar
    assert join(found(tmp_path / "b", first[1], first[0])) == tar


def test_other_parts_are_found_beside_a_named_one_and_a_rerun_needs_only_the_new(tmp_path: Path) -> None:
    tar, parts = whole(3, 2)
    (first,) = lay(tmp_path, {2: parts[2]})
    with pytest.raises(PartsMissing):
        join(found(first))
    (second,) = lay(tmp_path, {5: parts[5]})
    with pytest.raises(PartsMissing) as missing:
        join(found(second))
    assert "put 1 more into the same folder" in missing.value.hints[-1]
    (third,) = lay(tmp_path, {1: parts[1]})
    assert found(third).recomputed == (3,)
    assert join(found(third)) == tar


def test_a_named_part_that_turns_out_to_be_bad_is_replaced_by_repair_parts_beside_it(tmp_path: Path) -> None:
    tar, parts = whole(3, 2)
    bad = bytearray(parts[2])
    bad[BLOCK] ^= 1
    named = lay(tmp_path, {1: parts[1], 2: bytes(bad), 3: parts[3]})
    lay(tmp_path, {5: parts[5]})
    assert join(found(*named)) == tar


def test_ten_thousand_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    tar, parts = whole(3, 2)
    named = lay(tmp_path, {n: parts[n] for n in (1, 3, 4)})
    for number in range(10_000):
        size = len(parts[1]) if number < 5 else number % 5
        (tmp_path / f"{number:05}.age").write_bytes(
            b"age-encryption.org/v1\n"[: size or None][:size].ljust(size, b"\0")
        )
    (tmp_path / "folder.age").mkdir()
    os.mkfifo(tmp_path / "pipe.age")
    (tmp_path / "loop.age").symlink_to(tmp_path / "loop.age")
    assert join(found(tmp_path)) == tar
    assert join(found(named[0])) == tar


def test_parts_of_two_bundles_are_told_apart_and_one_is_opened_by_the_name_of_a_part(tmp_path: Path) -> None:
    tar, parts = whole(3, 2)
    _, others = whole(2, 1)
    named = lay(tmp_path, parts)
    lay(tmp_path, others)
    with pytest.raises(BadInput) as refused:
        find(tmp_path)
    assert "2 bundles" in str(refused.value)
    assert any("3 of 3 parts" in hint for hint in refused.value.hints)
    assert any("5 of 5 parts" in hint for hint in refused.value.hints)
    assert join(found(named[2])) == tar


def test_a_part_for_somebody_else_or_of_another_kind_is_named_and_left_out(tmp_path: Path) -> None:
    _, parts = whole(3, 2)
    mine = lay(tmp_path, {n: parts[n] for n in (1, 2)})
    theirs = tmp_path / "theirs.age"
    theirs.write_bytes(age.seal(b"secret", [bundles.OTHER.recipient]))
    plain = tmp_path / "plain.age"
    plain.write_bytes(age.seal(b"a letter", [bundles.EDITOR.recipient]))
    text = tmp_path / "notes.txt"
    text.write_text("notes")
    with pytest.raises(PartsMissing) as missing:
        join(found(*mine, theirs, plain, text))
    reasons = "\n".join(missing.value.hints)
    assert "theirs.age: it is sealed for somebody else" in reasons
    assert "plain.age: it is no part of a bundle" in reasons
    assert "notes.txt: it is no age file" in reasons
    with pytest.raises(BadInput):
        find(theirs, plain)
    with pytest.raises(BadInput):
        find(tmp_path / "gone.age", theirs)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput):
        find(tmp_path / "empty")
    assert find(plain) is None


# Hostile parts, by somebody who may open the set, or who made one


def swap_body(content: bytes, body: bytes) -> bytes:
    """A part opened and sealed again with another body, by one of those who can open it."""
    plaintext = age.unseal(content, [bundles.EDITOR.age], limit=1 << 24)
    return age.seal(body + plaintext[-TRAILER_SIZE:], round_up([bundles.EDITOR.recipient]))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_body_that_another_reader_exchanged_counts_as_missing(tmp_path: Path, number: int) -> None:
    tar, parts = whole(3, 2)
    body = bytearray(age.unseal(parts[number], [bundles.EDITOR.age], limit=1 << 24)[:-TRAILER_SIZE])
    body[70_000] ^= 1
    lay(tmp_path, {**parts, number: swap_body(parts[number], bytes(body))})
    (tmp_path / "bad").mkdir()
    assert join(found(tmp_path)) == tar
    lay(tmp_path / "bad", {n: parts[n] for n in (1, 2, 3, 4) if n != number})
    lay(tmp_path / "bad", {number: swap_body(parts[number], bytes(body))})
    assert join(found(tmp_path / "bad")) == tar


def test_with_nothing_to_spare_an_exchanged_body_is_named(tmp_path: Path) -> None:
    tar, parts = whole(3, 0)
    (bad,) = lay(tmp_path, {2: swap_body(parts[2], bytes(cut_into(3, 0, len(tar)).body))})
    lay(tmp_path, {1: parts[1], 3: parts[3]})
    with pytest.raises(PartsMissing) as missing:
        join(found(tmp_path))
    assert "1 of 3 parts are missing: 2" in str(missing.value)
    assert f"{bad}: somebody who may open it put another content into it" in missing.value.hints[0]


def test_a_part_of_another_set_is_no_part_of_this_one(tmp_path: Path) -> None:
    """Nobody but the run that made the set can sign a part of it."""
    tar, parts = whole(3, 0)
    terms = found(*lay(tmp_path, parts)).terms
    body = bytes(terms.body)
    fake = seal_part(tmp_path / "fake.age", forged(terms, 2, body))
    with pytest.raises(DamagedBundle, match="signature does not verify"):
        find(fake)
    assert join(found(tmp_path)) == tar


@pytest.mark.parametrize(
    "changes",
    [{"data": 0}, {"data": 999, "repair": 0}, {"repair": 255}, {"body": 0}, {"body": BLOCK + 1}, {"body": 10**14},
     {"tar": 0}, {"tar": 10**14}, {"tar": 10**15 - 1}, {"tar": LEAST_TAR - 1}, {"data": 1}, {"body": 4 * BLOCK}],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused_though_signed(tmp_path: Path, changes: dict[str, int]) -> None:
    terms = terms_of(2, 1, LEAST_TAR)
    good = seal_part(tmp_path / "good.age", forged(terms, 1, bytes(terms.body)))
    assert found(good).terms == terms
    bad = seal_part(tmp_path / "bad.age", forged(terms, 1, bytes(terms.body), **changes))
    with pytest.raises(DamagedBundle):
        find(bad)


@pytest.mark.parametrize("number", [0, 4, 999])
def test_a_number_outside_of_the_set_is_refused(tmp_path: Path, number: int) -> None:
    terms = terms_of(2, 1, LEAST_TAR)
    with pytest.raises(DamagedBundle):
        find(seal_part(tmp_path / "bad.age", forged(terms, number, bytes(terms.body))))


def test_a_body_of_another_size_than_claimed_is_refused(tmp_path: Path) -> None:
    terms = terms_of(2, 1, LEAST_TAR)
    for size in (0, BLOCK, terms.body - 1, terms.body + 1, terms.body + BLOCK):
        with pytest.raises(DamagedBundle):
            find(seal_part(tmp_path / "bad.age", forged(terms, 1, bytes(size))))


@FEW
@given(st.integers(0, TRAILER_SIZE - 1), st.binary(min_size=1, max_size=1))
def test_a_trailer_has_one_spelling(place: int, byte: bytes) -> None:
    terms = terms_of(2, 1, LEAST_TAR)
    trailer = forged(terms, 1, b"", sha256=bytes(32))
    changed = trailer[:place] + byte + trailer[place + 1 :]
    assert parse_trailer(trailer, terms.plaintext).number == 1
    if changed != trailer:
        with pytest.raises(DamagedBundle):
            parse_trailer(changed, terms.plaintext)


def test_two_different_parts_with_one_number_count_as_missing(tmp_path: Path) -> None:
    tar = a_bundle(4)
    terms = terms_of(2, 1, len(tar))
    bodies = [tar[: terms.body], tar[terms.body :].ljust(terms.body, b"\0")]
    bodies += Repair(2, 1).encode(bodies, [3])
    for number, body in enumerate(bodies, 1):
        seal_part(tmp_path / f"{number}.age", forged(terms, number, body))
    seal_part(tmp_path / "second 1.age", forged(terms, 1, bytes(terms.body)))
    parts = found(tmp_path)
    assert parts.recomputed == (1,)
    assert [file.reason for file in parts.left_out] == ["another part with another content is number 1 too"] * 2
    assert join(parts) == tar


def test_bytes_behind_the_end_of_the_tar_are_refused(tmp_path: Path) -> None:
    tar = a_bundle(9)
    assert len(tar) % BLOCK, "the last body has room"
    terms = terms_of(2, 0, len(tar))
    padded = bytearray(tar.ljust(2 * terms.body, b"\0"))
    padded[-1] = 1
    for number in (1, 2):
        body = bytes(padded[(number - 1) * terms.body : number * terms.body])
        seal_part(tmp_path / f"{number}.age", forged(terms, number, body))
    with pytest.raises(DamagedBundle, match="hidden"):
        read_all(JoinedParts(found(tmp_path)))


# Without zfec, and with limits


def test_without_zfec_a_set_opens_when_all_data_parts_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar, parts = whole(3, 2)
    paths = lay(tmp_path, parts)
    monkeypatch.setitem(sys.modules, "zfec", None)
    assert join(found(tmp_path)) == tar
    next(path for path in paths if path.stem.endswith("-2")).unlink()
    with pytest.raises(LibraryMissing) as missing:
        join(found(tmp_path))
    assert any("sandyk[repair]" in hint for hint in missing.value.hints)
    with pytest.raises(LibraryMissing):
        write(tmp_path / "new", tar, 3, 1)
    assert not (tmp_path / "new").exists()


def test_all_256_parts_are_joined_with_a_few_files_open_and_little_memory(tmp_path: Path) -> None:
    """In a process of its own that may open 40 files, with eight data parts missing."""
    tar = os.urandom(248 * BLOCK)
    written = write(tmp_path / "parts", tar, 248, 8)
    for part in random.Random(1).sample(written.parts[:248], 8):
        Path(part.path).unlink()
    key = tmp_path / "key"
    key.write_bytes(bundles.EDITOR.encode().expose())
    script = (
        "import hashlib, re, resource, sys\n"
        "from keys.identity import Identity\n"
        "from vault.part_reader import JoinedParts, find_parts\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "me = Identity.decode(open(sys.argv[1], 'rb').read()).age\n"
        "joined, digest = JoinedParts(find_parts([sys.argv[2]], [me])), hashlib.sha256()\n"
        "while piece := joined.read(1 << 20):\n"
        "    digest.update(piece)\n"
        "print(digest.hexdigest(), re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(key), str(tmp_path / "parts")], capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    digest, kilobytes = run.stdout.split()
    assert digest == hashlib.sha256(tar).hexdigest()
    assert int(kilobytes) < 200_000


def test_the_joined_bundle_is_verified_like_any_other(tmp_path: Path) -> None:
    _, parts = whole(3, 2)
    lay(tmp_path, parts)
    assert documents_in(join(found(tmp_path)))[:5] == list(bundles.DOCUMENTS)


class _Forgetful(Disk):
    """A medium that gives back another byte than was written to it: what fake sticks do."""

    def __init__(self, place: int) -> None:
        self._place = place

    def sync(self, fd: int, path: str) -> None:
        super().sync(fd, path)
        place = os.fstat(fd).st_size + self._place
        os.pwrite(fd, bytes([os.pread(fd, 1, place)[0] ^ 1]), place)


@pytest.mark.parametrize("place", [-1, -BLOCK])
def test_a_medium_that_gives_back_other_bytes_is_noticed_before_repair_parts_are_made_of_them(
    tmp_path: Path, place: int
) -> None:
    """In a trailer or in a body."""
    with pytest.raises(DiskFailed, match="other bytes"):
        write(tmp_path / "stick", bytes(LEAST_TAR), 2, 1, disk=_Forgetful(place))
    assert not (tmp_path / "stick").exists()
