# SPDX-License-Identifier: Apache-2.0
"""Nothing may wipe a vault by itself while what was filed may exist nowhere else: the record that a guard reads.

How that record comes about, from the cases themselves, is tested in test_abroad.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stopping import count_steps, crash_points
from vault import arming, layout
from vault.arming import Abroad, forget, parse, remember, why_not_armed
from vault.disk import Disk

DISK = Disk()
NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**9
DAY_NS = 86_400 * 10**9
ONE, TWO = "0" * 31 + "1", "0" * 31 + "2"
RECORD = Abroad(((ONE, date(2026, 11, 20)), (TWO, date(2026, 11, 19))))


def make_case(folder: Path, name: str, *, pack: bool = True) -> None:
    packs = folder / "cases" / name / "packs"
    packs.mkdir(parents=True)
    if pack:
        (packs / f"{'1b' * 16}.age").write_bytes(b"x")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What of a vault can be seen without keys: two cases that hold something, and an empty outbox."""
    make_case(tmp_path, ONE)
    make_case(tmp_path, TWO)
    (tmp_path / "outbox").mkdir()
    return tmp_path


def why(folder: Path, days_later: int = 0) -> str:
    return why_not_armed(str(folder), NOW + days_later * DAY_NS, disk=DISK) or ""


def found(folder: Path, *cases: str, days_later: int = 0) -> None:
    remember(str(folder), cases, NOW + days_later * DAY_NS, disk=DISK)


def test_when_every_case_was_found_abroad_a_wipe_may_be_armed(folder: Path) -> None:
    found(folder, ONE, TWO)
    assert (folder / "abroad").read_text() == f"sandyk abroad 1\ncase {ONE} 2026-11-20\ncase {TWO} 2026-11-20\n"
    assert why_not_armed(str(folder), NOW, disk=DISK) is None


def test_without_a_record_nothing_is_armed(folder: Path) -> None:
    assert "nobody found" in why(folder)


def test_a_case_that_only_another_journalist_can_read_needs_its_own_look(folder: Path) -> None:
    found(folder, ONE)
    assert "1 case(s) were not found" in why(folder)
    found(folder, TWO)
    assert not why(folder)


def test_a_case_that_came_later_disarms_once_it_holds_something(folder: Path) -> None:
    found(folder, ONE, TWO)
    make_case(folder, "0" * 31 + "3", pack=False)
    assert not why(folder)
    make_case(folder, "0" * 31 + "4")
    assert "1 case(s)" in why(folder)


def test_a_case_that_is_gone_neither_disarms_nor_stays_in_the_record(folder: Path) -> None:
    found(folder, ONE, TWO)
    (folder / "cases" / TWO / "packs" / f"{'1b' * 16}.age").unlink()
    assert not why(folder)
    found(folder, ONE)
    assert TWO not in (folder / "abroad").read_text()


def test_it_counts_for_thirty_days_from_the_oldest_look(folder: Path) -> None:
    found(folder, ONE)
    found(folder, TWO, days_later=20)
    assert not why(folder, 30)
    assert "30 days" in why(folder, 31)
    found(folder, ONE, days_later=31)
    assert not why(folder, 31)


def test_a_clock_that_was_set_back_disarms(folder: Path) -> None:
    found(folder, ONE, TWO)
    assert not why(folder, -1)
    assert "future" in why(folder, -2)


def test_a_drop_that_waits_in_the_outbox_disarms(folder: Path) -> None:
    found(folder, ONE, TWO)
    (folder / "outbox" / "0123abcd.age").write_bytes(b"x")
    assert "outbox" in why(folder)


@pytest.mark.parametrize("name", ["outbox", "cases"])
def test_a_folder_that_cannot_be_looked_into_disarms(folder: Path, name: str) -> None:
    found(folder, ONE, TWO)
    (folder / name).rename(folder / "elsewhere")
    assert "cannot be looked into" in why(folder)


def test_the_public_counter_arms_nothing_and_disarms_nothing(folder: Path) -> None:
    """Who can write into the folder can write the counter, and a power cut leaves it wrong for ever."""
    for text in (b"sandyk counter 1\nfiled 3\nsealed 3\nsafe 3\nlast-sealed -\nlast-safe -\n", b"\xff", b""):
        (folder / "counter").write_bytes(text)
        assert "nobody found" in why(folder)
    found(folder, ONE, TWO)
    (folder / "counter").write_bytes(b"sandyk counter 1\nfiled 3\nsealed 9\nsafe 0\nlast-sealed -\nlast-safe -\n")
    assert not why(folder)


def test_what_is_taken_away_stays_away(folder: Path) -> None:
    found(folder, ONE, TWO)
    forget(str(folder), disk=DISK)
    forget(str(folder), disk=DISK)
    assert "nobody found" in why(folder)


def test_stopped_anywhere_the_old_record_stays_or_the_new_one_is_whole(folder: Path) -> None:
    new = Abroad(((ONE, date(2026, 11, 20)), (TWO, date(2026, 11, 20))))
    path = folder / "abroad"

    def write(disk: Disk) -> None:
        remember(str(folder), [TWO], NOW, disk=disk)

    path.write_bytes(RECORD.encode())
    for _ in crash_points(write, count_steps(write) - 1):
        assert parse(path.read_bytes()) in (RECORD, new)
        path.write_bytes(RECORD.encode())


@given(st.dictionaries(st.binary(min_size=16, max_size=16).map(bytes.hex), st.dates(), min_size=1, max_size=20))
def test_a_record_survives_its_encoding(cases: dict[str, date]) -> None:
    record = Abroad(tuple(sorted(cases.items())))
    assert parse(record.encode()) == record


def test_every_truncation_and_every_flipped_bit_is_refused_or_another_record() -> None:
    data = RECORD.encode()
    for size in range(len(data)):
        shorter = parse(data[:size])
        assert shorter is None or shorter.encode() == data[:size]
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        found = parse(bytes(changed))
        assert found is None or found.encode() == bytes(changed)


@pytest.mark.parametrize(
    "untrusted",
    [
        b"sandyk abroad 1\n", RECORD.encode() + b"\n", RECORD.encode() + RECORD.encode().partition(b"\n")[2],
        f"sandyk abroad 1\ncase {TWO} 2026-11-20\ncase {ONE} 2026-11-20\n".encode(),
        f"sandyk abroad 1\ncase {ONE} 2026-11-31\n".encode(), f"sandyk abroad 1\ncase {'A' * 32} 2026-11-20\n".encode(),
        f"sandyk abroad 1\ncase {ONE} ٢٠٢٦-١١-١٩\n".encode(), b"sandyk abroad 1\nverified-abroad 2026-11-20\nfiled 3\n",
    ],
)  # fmt: skip
def test_a_record_in_another_form_is_none(untrusted: bytes) -> None:
    assert parse(untrusted) is None


@given(st.binary(max_size=120))
def test_no_bytes_make_a_record_that_would_not_encode_to_them(untrusted: bytes) -> None:
    found = parse(b"sandyk abroad 1\n" + untrusted)
    assert found is None or found.encode() == b"sandyk abroad 1\n" + untrusted


def test_the_record_is_a_file_that_panic_removes() -> None:
    assert layout.is_ours(layout.ABROAD)
    assert timedelta(days=arming.GOOD_FOR_DAYS) == timedelta(days=30)
