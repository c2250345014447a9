# SPDX-License-Identifier: Apache-2.0
"""What all cases together say: it puts the public counter right, and alone decides whether a wipe may be armed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.secret import Secret
from tests.support.newsroom import (
    DAY,
    add_paths,
    clock_from,
    file,
    found_abroad,
    newsroom,
    pack_paths,
    store_of,
    unlock,
)
from vault import arming, counter, layout
from vault.abroad import confirm, look
from vault.cases import create_case, find_case, grant, revoke
from vault.counter import Counter
from vault.disk import Disk
from vault.errors import BadInput, NotAllowed
from vault.filing import counting
from vault.model import EVENT_EXPORTED, EVENT_RECEIPT, Event
from vault.vaults import Vault
from vault.whereabouts import Tally

COLLEAGUE = "a colleague's own words"
DISK = Disk()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "vault")) as opened:
        yield opened


def filed(vault: Vault, count: int, case: str = "Mine") -> tuple[bytes, ...]:
    with store_of(vault, case) as store:
        before = set(store.index.item_ids())
        file(store, {f"{case} {len(before) + n}".encode(): b"%d" % n for n in range(count)})
        return tuple(sorted(set(store.index.item_ids()) - before))


def record(vault: Vault, kind: str, items: tuple[bytes, ...], case: str = "Mine") -> None:
    """An event of that kind. That it is true is tested with receipts (test_receipts.py)."""
    with store_of(vault, case) as store:
        store.record(Event(vault.clock(), kind, items, ""))


def all_safe(vault: Vault, count: int = 2, case: str = "Mine") -> tuple[bytes, ...]:
    items = filed(vault, count, case)
    record(vault, EVENT_EXPORTED, items, case)
    record(vault, EVENT_RECEIPT, items, case)
    return items


def why(vault: Vault, ns: int = DAY) -> str | None:
    return arming.why_not_armed(vault.folder, ns, disk=DISK)


def count(vault: Vault, known: Counter) -> None:
    counter.write(vault.folder, DISK, known)


def test_the_cases_of_a_journalist_are_counted_one_by_one_and_together(vault: Vault) -> None:
    create_case(vault, "Second")
    record(vault, EVENT_EXPORTED, filed(vault, 3))
    all_safe(vault, 2, "Second")
    filed(vault, 1, "Second")
    sight = look(vault)
    assert {one.case.name: (one.tally.safe, one.tally.sent, one.tally.here) for one in sight.cases} == {
        "Mine": (0, 3, 0), "Second": (2, 0, 1),
    }  # fmt: skip
    assert (sight.tally.total, sight.complete, sight.unseen) == (6, True, 0)


# The public counter


@pytest.mark.parametrize(
    "wrong", [Counter(), Counter(1, 9, 0, "2030-01-01", "-"), Counter(99, 99, 99, "2030-01-01", "2030-01-01")]
)
def test_a_counter_that_a_power_cut_left_wrong_is_put_right_in_either_direction(vault: Vault, wrong: Counter) -> None:
    record(vault, EVENT_EXPORTED, filed(vault, 1))
    all_safe(vault, 2)
    filed(vault, 1)
    count(vault, wrong)
    look(vault)
    assert counter.read(vault.folder, DISK) == Counter(4, 3, 2, "2025-11-21", "2025-11-21")


def test_a_counter_that_makes_no_sense_is_put_right(vault: Vault) -> None:
    filed(vault, 1)
    Path(vault.folder, "counter").write_bytes(b"\xff")
    look(vault)
    assert counter.read(vault.folder, DISK) == Counter(1)


def test_of_cases_that_one_cannot_read_the_counter_is_believed_unless_it_contradicts_what_one_can(
    vault: Vault,
) -> None:
    vault.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
    filed(vault, 5)
    count(vault, Counter(7, 20, 20))
    with unlock(vault.folder, COLLEAGUE) as other:
        create_case(other, "Theirs")
        all_safe(other, 2, "Theirs")
        sight = look(other)
        assert (sight.unseen, sight.complete, sight.tally.total) == (1, False, 2)
        assert counter.read(vault.folder, DISK) == Counter(7, 7, 7, "2025-11-21", "2025-11-21")
        count(vault, Counter())
        look(other)
        assert counter.read(vault.folder, DISK) == Counter(2, 2, 2, "2025-11-21", "2025-11-21")


def test_looking_writes_nothing_when_the_counter_is_right(vault: Vault) -> None:
    all_safe(vault)
    look(vault)
    before = Path(vault.folder, "counter").stat()
    look(vault)
    assert Path(vault.folder, "counter").stat().st_ino == before.st_ino


# Arming


def test_when_every_document_is_safe_by_receipt_a_wipe_may_be_armed(vault: Vault) -> None:
    all_safe(vault)
    assert "nobody found" in (why(vault) or "")
    confirm(vault, look(vault).tally, 0)
    assert why(vault) is None


def test_what_the_public_counter_says_changes_nothing(vault: Vault) -> None:
    filed(vault, 1)
    count(vault, Counter(1, 1, 1, "2025-11-21", "2025-11-21"))
    with pytest.raises(NotAllowed, match="1 document"):
        confirm(vault, Tally(1, 0, 0), 0)
    assert why(vault) is not None


def test_a_document_that_is_only_here_cannot_be_confirmed_by_any_word(vault: Vault) -> None:
    all_safe(vault)
    filed(vault, 1)
    for told in (0, 1, 3):
        with pytest.raises(NotAllowed, match=r"1 document\(s\) are only here \(Mine 1\)"):
            confirm(vault, look(vault).tally, told)
    assert not Path(vault.folder, "abroad").exists()


def test_what_is_on_its_way_is_confirmed_only_by_the_exact_number(vault: Vault) -> None:
    all_safe(vault)
    record(vault, EVENT_EXPORTED, filed(vault, 3))
    for told in (0, 2, 4, 5):
        with pytest.raises(BadInput, match="3 document"):
            confirm(vault, look(vault).tally, told)
    assert not Path(vault.folder, "abroad").exists()
    confirm(vault, look(vault).tally, 3)
    assert why(vault) is None


def test_what_changed_since_the_person_was_told_cannot_be_confirmed(vault: Vault) -> None:
    shown = look(vault).tally
    all_safe(vault)
    with pytest.raises(NotAllowed, match="changed meanwhile"):
        confirm(vault, shown, 0)


def test_an_empty_vault_cannot_be_confirmed(vault: Vault) -> None:
    with pytest.raises(NotAllowed, match="nothing was filed"):
        confirm(vault, Tally(), 0)


@pytest.mark.parametrize("damage", ["pack", "access", "quarantine"])
def test_what_cannot_be_read_cannot_be_confirmed(vault: Vault, damage: str) -> None:
    """It may hold documents that are only here."""
    all_safe(vault)
    create_case(vault, "Second")
    with store_of(vault, "Second") as store:
        path = Path(store.folder) / "access" / "000001.age" if damage == "access" else pack_paths(store)[0]
        Path(store.folder, "index").unlink()
    path.write_bytes(path.read_bytes()[:-1])
    if damage == "quarantine":
        aside = path.parents[1] / layout.QUARANTINE
        aside.mkdir()
        path.rename(aside / f"{path.stem}-0123abcd.age")
    with pytest.raises(NotAllowed, match="not everything"):
        confirm(vault, look(vault).tally, 0)
    assert why(vault) is not None


def test_each_journalist_confirms_their_own_cases_and_only_all_of_them_arm(vault: Vault) -> None:
    vault.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
    all_safe(vault)
    with unlock(vault.folder, COLLEAGUE) as other:
        create_case(other, "Theirs")
        all_safe(other, 1, "Theirs")
        confirm(vault, look(vault).tally, 0)
        assert "1 case(s) were not found" in (why(vault) or "")
        confirm(other, look(other).tally, 0)
        assert why(vault) is None


def test_filing_disarms_before_the_document_is_there(vault: Vault, tmp_path: Path) -> None:
    all_safe(vault)
    confirm(vault, look(vault).tally, 0)
    (tmp_path / "letter").write_bytes(b"the only copy")
    add_paths(vault, tmp_path / "letter")
    assert "since something was filed" in (why(vault) or "")


def test_copying_out_and_exporting_leave_it_armed(vault: Vault) -> None:
    items = all_safe(vault)
    confirm(vault, look(vault).tally, 0)
    record(vault, "copied out", items)
    record(vault, EVENT_EXPORTED, items)
    assert why(vault) is None


def test_what_a_colleague_recorded_before_they_left_still_arms(vault: Vault) -> None:
    entry = vault.add_journalist("Бакыт", Secret(COLLEAGUE.encode()))
    case = grant(vault, find_case(vault, "Mine"), entry.card, "Бакыт")
    items = filed(vault, 2)
    with unlock(vault.folder, COLLEAGUE) as other:
        record(other, EVENT_EXPORTED, items)
        record(other, EVENT_RECEIPT, items)
    revoke(vault, case, entry.card, "Бакыт")
    confirm(vault, look(vault).tally, 0)
    assert why(vault) is None


class _Locked(Disk):
    """A disk that notes, whenever the record comes or goes, whether the lock of the vault's case is held."""

    def __init__(self) -> None:
        self.held: list[bool] = []

    def replace(self, path: str, data: bytes) -> None:
        self._note(path)
        super().replace(path, data)

    def unlink(self, path: str) -> None:
        self._note(path)
        super().unlink(path)

    def _note(self, path: str) -> None:
        if os.path.basename(path) == "abroad":
            (case,) = Path(path).parent.glob("cases/*/lock")
            try:
                with Disk().lock(str(case), wait=False):
                    self.held.append(False)
            except BlockingIOError:
                self.held.append(True)


def test_record_and_filing_exclude_each_other_by_the_case_s_lock(vault: Vault, tmp_path: Path) -> None:
    """So no document comes between the look and the record, and none after it without taking the record away."""
    all_safe(vault)
    (tmp_path / "letter").write_bytes(b"the only copy")
    disk = _Locked()
    with unlock(vault.folder, disk=disk) as other:
        confirm(other, look(other).tally, 0)
        assert disk.held == [True]
        add_paths(other, tmp_path / "letter")
        assert disk.held == [True, True]


def test_a_confirmation_in_the_middle_of_a_long_run_of_filing_does_not_outlast_it(vault: Vault) -> None:
    all_safe(vault)
    with store_of(vault) as store, counting(vault, store) as coming:
        items = tuple(store.index.items())
        coming(items[:1])
        found_abroad(vault.folder)
        coming(items[1:])
        assert "nobody found" in (why(vault, time.time_ns()) or "")


def test_the_record_of_an_earlier_month_expires(vault: Vault) -> None:
    all_safe(vault)
    confirm(vault, look(vault).tally, 0)
    month = 31 * 86_400 * 10**9
    assert "30 days" in (why(vault, DAY + month) or "")
    with unlock(vault.folder, clock=clock_from(DAY + month)) as later:
        confirm(later, look(later).tally, 0)
    assert why(vault, DAY + month) is None
