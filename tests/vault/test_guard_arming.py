# SPDX-License-Identifier: Apache-2.0
"""Nothing may wipe a vault by itself while what was filed may exist nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stopping import count_steps, crash_points
from vault import arming, layout
from vault.arming import Abroad, confirm, parse, why_not_armed
from vault.counter import Counter
from vault.disk import Disk
from vault.errors import BadInput, NotAllowed

DISK = Disk()
NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**9
DAY_NS = 86_400 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vault's public files: 14 documents, all sealed, the last ones on 18 November."""
    count(tmp_path, Counter(14, 14, "2026-11-18"))
    (tmp_path / "outbox").mkdir()
    return tmp_path


def count(folder: Path, counter: Counter) -> None:
    (folder / "counter").write_bytes(counter.encode())


def test_a_confirmed_copy_of_everything_arms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    assert (folder / "abroad").read_text() == "sandyk abroad 1\nverified-abroad 2026-11-19\nfiled 14\n"
    assert why_not_armed(str(folder), NOW, disk=DISK) is None


def test_without_a_confirmation_nothing_is_armed(folder: Path) -> None:
    assert "nobody confirmed" in (why_not_armed(str(folder), NOW, disk=DISK) or "")


def test_one_document_more_disarms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    count(folder, Counter(15, 14, "2026-11-18"))
    assert "1 of 15 documents" in (why_not_armed(str(folder), NOW, disk=DISK) or "")


def test_exporting_it_does_not_arm_again_until_that_export_is_confirmed(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    count(folder, Counter(15, 15, "2026-11-19"))
    assert "1 documents were filed since" in (why_not_armed(str(folder), NOW, disk=DISK) or "")


def test_a_newer_export_needs_a_newer_confirmation(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    count(folder, Counter(14, 14, "2026-11-20"))
    assert "newer" in (why_not_armed(str(folder), NOW, disk=DISK) or "")
    with pytest.raises(NotAllowed, match="after that day"):
        confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    confirm(str(folder), "2026-11-20", NOW, disk=DISK)
    assert why_not_armed(str(folder), NOW, disk=DISK) is None


def test_a_confirmation_counts_for_thirty_days(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    assert why_not_armed(str(folder), NOW + 29 * DAY_NS, disk=DISK) is None
    assert "30 days" in (why_not_armed(str(folder), NOW + 30 * DAY_NS, disk=DISK) or "")


def test_a_clock_that_was_set_back_disarms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    assert "future" in (why_not_armed(str(folder), NOW - 5 * DAY_NS, disk=DISK) or "")


def test_a_drop_that_waits_in_the_outbox_disarms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    (folder / "outbox" / "0123abcd.age").write_bytes(b"x")
    assert "outbox" in (why_not_armed(str(folder), NOW, disk=DISK) or "")


def test_an_outbox_that_cannot_be_looked_into_disarms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    (folder / "outbox").rmdir()
    assert "outbox" in (why_not_armed(str(folder), NOW, disk=DISK) or "")


@pytest.mark.parametrize("counter", [Counter(), Counter(14, 13, "2026-11-18"), Counter(-3, 0, "-")])
def test_what_was_not_all_sealed_cannot_be_confirmed(folder: Path, counter: Counter) -> None:
    count(folder, counter)
    with pytest.raises(NotAllowed):
        confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    assert not (folder / "abroad").exists()


def test_a_counter_that_is_lost_or_makes_no_sense_disarms(folder: Path) -> None:
    confirm(str(folder), "2026-11-19", NOW, disk=DISK)
    (folder / "counter").write_bytes(b"\xff")
    assert why_not_armed(str(folder), NOW, disk=DISK) is not None
    (folder / "counter").unlink()
    assert why_not_armed(str(folder), NOW, disk=DISK) is not None


@pytest.mark.parametrize(
    "typed", ["", "yes", "19.11.2026", "2026-11-31", "20261119", "2026-W47-4", "2026-11-19 ", "٢٠٢٦-١١-١٩"]
)
def test_what_is_no_day_is_refused(folder: Path, typed: str) -> None:
    with pytest.raises(BadInput, match="no day"):
        confirm(str(folder), typed, NOW, disk=DISK)


@pytest.mark.parametrize("typed", ["2026-10-20", "2026-11-22", "2025-11-19", "9999-12-31"])
def test_a_day_long_ago_or_to_come_is_refused(folder: Path, typed: str) -> None:
    with pytest.raises(BadInput, match="last 30 days"):
        confirm(str(folder), typed, NOW, disk=DISK)
    assert not (folder / "abroad").exists()


def test_stopped_anywhere_the_old_record_stays_or_the_new_one_is_whole(folder: Path) -> None:
    path = folder / "abroad"
    old, new = (Abroad((datetime.fromtimestamp(NOW // 10**9, UTC) - timedelta(days=n)).date(), 14) for n in (2, 0))

    def write(disk: Disk) -> None:
        confirm(str(folder), new.day.isoformat(), NOW, disk=disk)

    path.write_bytes(old.encode())
    for _ in crash_points(write, count_steps(write) - 1):
        assert parse(path.read_bytes()) in (old, new)
        path.write_bytes(old.encode())


@given(st.dates(), st.integers(0, 10**17))
def test_a_record_survives_its_encoding(day: object, filed: int) -> None:
    record = Abroad(day, filed)  # type: ignore[arg-type]
    assert parse(record.encode()) == record


def test_every_truncation_and_every_flipped_bit_is_refused_or_another_record() -> None:
    record = Abroad(datetime(2026, 11, 19, tzinfo=UTC).date(), 14)
    data = record.encode()
    for size in range(len(data)):
        assert parse(data[:size]) is None
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        found = parse(bytes(changed))
        assert found is None or found.encode() == bytes(changed)


@given(st.binary(max_size=80))
def test_no_bytes_make_a_record_that_would_not_encode_to_them(untrusted: bytes) -> None:
    found = parse(untrusted)
    assert found is None or found.encode() == untrusted


def test_the_record_is_a_file_that_panic_removes() -> None:
    assert layout.is_ours(layout.ABROAD)
    assert arming.GOOD_FOR_DAYS == 30
