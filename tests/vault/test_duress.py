# SPDX-License-Identifier: Apache-2.0
"""The duress passphrase: what it destroys, what it leaves, what it shows, and what a power cut leaves of it."""

from __future__ import annotations

import errno
import mmap
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keys import keyring, layout
from keys.duress import areas, arrangement
from keys.identity import Identity
from keys.keyring import DuressSlot
from keys.secret import Secret
from tests.support.duress import COLLEAGUE, DECOY, DURESS, RecordingDisk, opens, set_up, with_duress
from tests.support.newsroom import CHEAP, PASSPHRASE, add_paths, files_below, newsroom, unlock
from tests.support.stopping import Stopped, StoppingDisk
from vault import decoys
from vault.cases import create_case, list_cases
from vault.disk import Disk
from vault.errors import AlreadyThere, BadInput, DoesNotOpen, NotAllowed, NotFound, Wiped

SECTOR = 512


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A vault with a duress passphrase."""
    return with_duress(tmp_path / "vault")


def keyring_of(folder: str) -> bytes:
    return (Path(folder) / "keyring").read_bytes()


def compartment_of(data: bytes, compartment: int) -> bytes:
    return b"".join(data[offset : offset + size] for offset, size in areas((compartment,)))


def homes(folder: str) -> tuple[int, int, int]:
    """The real compartment, the decoys', and the one with the duress slots."""
    with unlock(folder) as vault:
        real = vault.opened.home[0]
        places = decoys._arrangement(vault)
    return real, places.decoys, places.slots


# What it does


def test_it_destroys_what_all_real_journalists_have_and_opens_the_decoy(folder: str) -> None:
    with unlock(folder, DECOY) as decoy:
        expected = decoy.me
        with unlock(folder, DURESS) as under_duress:
            assert under_duress.me == expected
            assert [e.label for e in under_duress.roster().entries] == ["Айгүл"]
            assert list_cases(under_duress) == ([], [])
    assert not opens(folder, PASSPHRASE)
    assert not opens(folder, COLLEAGUE)


def test_both_passphrases_of_the_decoy_open_it_as_often_as_they_are_typed(folder: str) -> None:
    for passphrase in (DURESS, DECOY, DURESS, DECOY):
        with unlock(folder, passphrase) as vault:
            assert vault.my_entry().label == "Айгүл"


def test_the_decoy_passphrase_destroys_nothing(folder: str) -> None:
    before = files_below(folder)
    unlock(folder, DECOY).close()
    assert files_below(folder) == before
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE)


def test_every_byte_that_could_open_the_real_compartment_is_new_and_no_other_is(folder: str) -> None:
    before, (real, *others) = keyring_of(folder), homes(folder)
    unlock(folder, DURESS).close()
    after = keyring_of(folder)
    for offset, size in areas((real,)):
        assert all(before[i : i + 64] != after[i : i + 64] for i in range(offset, offset + size, 64))
    assert all(compartment_of(before, c) == compartment_of(after, c) for c in {0, 1, 2, 3} - {real})
    assert before[: layout.KILL_AREA_SIZE] == after[: layout.KILL_AREA_SIZE]
    assert real not in others


def test_a_session_that_is_open_elsewhere_stops_writing(folder: str) -> None:
    with unlock(folder) as real:
        unlock(folder, DURESS).close()
        with pytest.raises(Wiped):
            real.check_alive()
        with pytest.raises(Wiped), real.changing():
            raise AssertionError("not reached")


def test_decoy_cases_are_ordinary_cases(folder: str, tmp_path: Path) -> None:
    (tmp_path / "menu.txt").write_bytes(b"plov, samsa")
    with unlock(folder, DECOY) as decoy:
        create_case(decoy, "Recipes")
        add_paths(decoy, tmp_path / "menu.txt", case="Recipes")
    with unlock(folder, DURESS) as under_duress:
        (case,), _ = list_cases(under_duress)
        assert case.name == "Recipes"
        create_case(under_duress, "More recipes")
    with unlock(folder, DECOY) as decoy:
        assert [case.name for case in list_cases(decoy)[0]] == ["More recipes", "Recipes"]


def test_the_passphrase_changed_under_duress_is_the_one_that_was_typed(folder: str) -> None:
    """To whoever makes one change it, it is a passphrase like any other: the old one stops, the new one opens."""
    with unlock(folder, DURESS) as vault:
        vault.change_passphrase(Secret(b"what they made me type"))
    assert not opens(folder, DURESS)
    for passphrase in ("what they made me type", DECOY):
        with unlock(folder, passphrase) as vault:
            assert vault.my_entry().label == "Айгүл"


# What it shows


def look_around(folder: str, passphrase: str) -> list[tuple[str, str]]:
    """Everything that a command asks of the disk which opens the vault, reads and writes."""
    disk = RecordingDisk(folder)
    with unlock(folder, passphrase, disk=disk) as vault:
        vault.roster()
        vault.book()
        list_cases(vault)
        vault.change_book(lambda book: book)
    return disk.seen


def test_after_the_destruction_the_disk_sees_what_an_ordinary_unlock_of_the_decoy_does(folder: str) -> None:
    ordinary = look_around(folder, DECOY)
    under_duress = look_around(folder, DURESS)
    again = look_around(folder, DURESS)
    destruction = [("overwrite", "keyring"), ("sync", "keyring")] * 2 + [("date", "keyring")]
    assert under_duress == again
    start = next(n for n, (operation, _) in enumerate(under_duress) if operation == "overwrite")
    assert under_duress[start : start + len(destruction)] == destruction
    assert under_duress[:start] + under_duress[start + len(destruction) :] == ordinary
    assert {operation for operation, _ in ordinary} == {"read", "lock, wait=False", "lock, wait=True"}


def test_a_real_unlock_and_a_decoy_s_are_the_same_to_the_disk(folder: str) -> None:
    def without_numbers(seen: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(operation, path.rpartition("/")[0] or path) for operation, path in seen]

    assert without_numbers(look_around(folder, COLLEAGUE)) == without_numbers(look_around(folder, DECOY))


def test_the_keyring_keeps_its_date_and_the_vault_its_files_and_sizes(folder: str) -> None:
    os.utime(os.path.join(folder, "keyring"), ns=(10**18, 10**18))
    before = {name: len(data) for name, data in files_below(folder).items()}
    unlock(folder, DURESS).close()
    assert os.stat(os.path.join(folder, "keyring")).st_mtime_ns == 10**18
    assert {name: len(data) for name, data in files_below(folder).items()} == before


def people_dates(folder: str) -> set[int]:
    return {path.stat().st_mtime_ns for kind in ("rosters", "books") for path in (Path(folder) / kind).iterdir()}


def test_setting_it_up_changes_neither_the_number_nor_the_sizes_of_files_nor_their_dates(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    before = {name: len(data) for name, data in files_below(folder).items()}
    with unlock(folder) as vault:
        set_up(vault)
    assert {name: len(data) for name, data in files_below(folder).items()} == before
    assert len(people_dates(folder)) == 1


@pytest.mark.parametrize("who", [PASSPHRASE, DECOY, DURESS])
def test_rosters_and_books_have_one_date_whoever_wrote_one_of_them(folder: str, who: str) -> None:
    os.utime(os.path.join(folder, "books", "00.age"), ns=(1, 1))
    with unlock(folder, who) as vault:
        create_case(vault, "New")
        assert len(people_dates(folder)) == 1
        vault.add_journalist("Нурлан", Secret(b"somebody new is here"))
        assert len(people_dates(folder)) == 1
        vault.remove_journalist("Нурлан")
    assert len(people_dates(folder)) == 1


def chi_square(data: bytes) -> float:
    """Of 256 byte values against the uniform distribution: 255 degrees of freedom, standard deviation 22.6."""
    expected = len(data) / 256
    return sum((data.count(bytes([value])) - expected) ** 2 / expected for value in range(256))


class MemoryKeyring:
    """A keyring file that costs no disk."""

    def __init__(self) -> None:
        self.data = bytearray(keyring.create())

    def read(self) -> bytes:
        return bytes(self.data)

    def overwrite(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data


def slots_by_kind() -> dict[str, bytes]:
    """A new keyring with a real, a decoy and a duress slot, all of one passphrase's history; its slots by kind."""
    file, header, change = MemoryKeyring(), keyring.Header(CHEAP, os.urandom(16)), Secret(b"another than before")
    new = keyring.JournalistSlot.new
    real = keyring.first(file, header, new(Identity.generate()), Secret(PASSPHRASE.encode()), floor=CHEAP)
    real = keyring.change_passphrase(file, header, real, change, floor=CHEAP)
    places = arrangement(real.journalist.device_secret, real.compartment)
    decoy = replace(new(Identity.generate()), compartment=places.decoys)
    keyring.place(file, header, real, (places.decoys, 7), decoy, Secret(DECOY.encode()), floor=CHEAP)
    duress = DuressSlot(decoy, 7, places.slots, (real.compartment,))
    keyring.place(file, header, real, (places.slots, real.pair), duress, Secret(DURESS.encode()), floor=CHEAP)
    used = {}
    for kind, passphrase in (("real", change), ("decoy", Secret(DECOY.encode())), ("duress", Secret(DURESS.encode()))):
        used[kind] = keyring.unlock(file, header, passphrase, floor=CHEAP).slot
        used[f"filler of {kind}"] = used[kind] ^ 1
    used["unused"] = next(slot for slot in range(128) if slot not in used.values())
    return {kind: file.read()[layout.SLOTS_OFFSET :][slot * 4096 : (slot + 1) * 4096] for kind, slot in used.items()}


def test_real_decoy_duress_filler_and_unused_slots_look_alike() -> None:
    """Over many keyrings: each kind has every byte value as often, and no block of 16 bytes comes twice."""
    keyrings = [slots_by_kind() for _ in range(40)]
    for kind in keyrings[0]:
        assert 120 < chi_square(b"".join(slots[kind] for slots in keyrings)) < 410, kind
    blocks = [slot[i : i + 16] for slots in keyrings for slot in slots.values() for i in range(0, 4096, 16)]
    assert len(set(blocks)) == len(blocks) == 40 * 7 * 256


# Interrupted


def copies(folder: str, tmp_path: Path) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield shutil.copytree(folder, tmp_path / f"copy {number}")


def test_a_power_cut_at_any_change_leaves_the_decoy_and_the_next_time_finishes(folder: str, tmp_path: Path) -> None:
    counting = StoppingDisk()
    unlock(shutil.copytree(folder, tmp_path / "counted"), DURESS, disk=counting).close()
    assert len(counting.steps) == 5
    each, alive = copies(folder, tmp_path), []
    for n in range(len(counting.steps)):
        copy = next(each)
        with pytest.raises(Stopped):
            unlock(copy, DURESS, disk=StoppingDisk(n))
        assert opens(copy, DECOY)
        alive.append(opens(copy, PASSPHRASE))
        unlock(copy, DURESS).close()
        assert opens(copy, DECOY) and not opens(copy, PASSPHRASE) and not opens(copy, COLLEAGUE)
    assert alive == [True, False, False, False, False]


class TornDisk(Disk):
    """Loses power within the ``n``-th overwriting, when some of its sectors are written."""

    def __init__(self, n: int, written: Callable[[int], bool]) -> None:
        self._n, self._written = n, written

    def overwrite_through(self, path: str, offset: int, data: mmap.mmap | bytes) -> bool:
        if self._n:
            self._n -= 1
            return super().overwrite_through(path, offset, data)
        with open(path, "r+b") as f:
            for at in range(0, len(data), SECTOR):
                if self._written(at // SECTOR):
                    f.seek(offset + at)
                    f.write(data[at : at + SECTOR])
        raise Stopped


@pytest.mark.parametrize("write", [0, 1])
@pytest.mark.parametrize("sectors", ["none", "first", "last", "one", "some"])
def test_a_torn_write_leaves_the_decoy_and_one_sector_is_enough(
    folder: str, tmp_path: Path, write: int, sectors: str
) -> None:
    rng = random.Random(sectors)
    count = layout.REGION_SIZE // SECTOR
    written = {
        "none": set(), "first": {0}, "last": {count - 1}, "one": {rng.randrange(count)},
        "some": {n for n in range(count) if rng.random() < 0.5},
    }[sectors]  # fmt: skip
    with pytest.raises(Stopped):
        unlock(folder, DURESS, disk=TornDisk(write, written.__contains__))
    assert opens(folder, DECOY)
    assert opens(folder, PASSPHRASE) == opens(folder, COLLEAGUE) == (write == 0 and not written)
    unlock(folder, DURESS).close()
    assert opens(folder, DECOY) and not opens(folder, PASSPHRASE)


class RefusingDisk(Disk):
    """A medium that cannot be overwritten."""

    def __init__(self, code: int, times: int = 1000) -> None:
        self._code, self.times = code, times

    def overwrite_through(self, path: str, offset: int, data: mmap.mmap | bytes) -> bool:
        if self.times:
            self.times -= 1
            raise OSError(self._code, os.strerror(self._code), path)
        return super().overwrite_through(path, offset, data)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOSPC])
def test_where_nothing_can_be_written_the_decoy_opens_and_nothing_is_said(
    folder: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = files_below(folder)
    with unlock(folder, DURESS, disk=RefusingDisk(code)) as vault:
        assert vault.my_entry().label == "Айгүл"
    assert files_below(folder) == before
    assert capfd.readouterr() == ("", "")


def test_it_waits_for_nobody(folder: str) -> None:
    with Disk().lock(os.path.join(folder, "lock")):
        unlock(folder, DURESS).close()
    assert not opens(folder, PASSPHRASE)


def test_an_area_that_fails_does_not_spare_the_others(folder: str) -> None:
    with unlock(folder, DURESS, disk=RefusingDisk(errno.EIO, times=1)):
        pass
    assert not opens(folder, PASSPHRASE) and not opens(folder, COLLEAGUE)


def test_a_keyring_marked_as_not_to_be_written_is_overwritten_and_stays_marked(folder: str) -> None:
    path = os.path.join(folder, "keyring")
    os.chmod(path, 0o400)
    unlock(folder, DURESS, disk=RefusingDisk(errno.EACCES, times=1)).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o400
    assert not opens(folder, PASSPHRASE)


# Setting it up


def test_both_sides_live_on_beside_each_other(folder: str) -> None:
    """Colleagues come, change and go on either side; the other side and the duress passphrase do not notice."""
    real, decoy_compartment, lies = homes(folder)
    for who, mine, others in ((PASSPHRASE, real, decoy_compartment), (DECOY, decoy_compartment, real)):
        before, people = keyring_of(folder), files_below(folder)
        with unlock(folder, who) as vault:
            for n in range(14 if who == PASSPHRASE else 15):
                vault.add_journalist(f"n{n}", Secret(f"number {n} of {who}".encode()))
            with pytest.raises(NotAllowed):
                vault.add_journalist("one too many", Secret(b"there is no place left"))
            vault.change_passphrase(Secret(b"changed, and then back"))
            vault.change_passphrase(Secret(who.encode()))
        with unlock(folder, f"number 3 of {who}") as vault:
            vault.change_book(lambda book: book)
        after = keyring_of(folder)
        assert compartment_of(after, mine) != compartment_of(before, mine)
        assert all(compartment_of(after, c) == compartment_of(before, c) for c in (others, lies))
        roster = f"rosters/{others}.age"
        assert files_below(folder)[roster] == people[roster]
        with unlock(folder, who) as vault:
            for n in range(2):
                vault.remove_journalist(f"n{n}")
    with unlock(folder, DECOY) as vault:
        assert len(vault.roster().entries) == 14
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE)
    unlock(folder, DURESS).close()
    assert not opens(folder, PASSPHRASE) and opens(folder, "number 14 of " + DECOY)


def test_two_journalists_have_a_duress_passphrase_each(folder: str, tmp_path: Path) -> None:
    with unlock(folder, COLLEAGUE) as vault:
        set_up(vault, COLLEAGUE, "the other decoy of two", "all of it into the fire", "Бек")
    for n, passphrase in enumerate((DURESS, "all of it into the fire")):
        copy = str(shutil.copytree(folder, tmp_path / str(n)))
        with unlock(copy, passphrase) as vault:
            assert [e.label for e in sorted(vault.roster().entries, key=lambda e: e.label)] == ["Айгүл", "Бек"]
        assert not opens(copy, PASSPHRASE) and not opens(copy, COLLEAGUE)


def test_a_journalist_who_is_removed_keeps_no_duress_passphrase(folder: str) -> None:
    with unlock(folder, COLLEAGUE) as vault:
        vault.remove_journalist("Айгүл")
    assert not opens(folder, DURESS)
    assert opens(folder, COLLEAGUE) and opens(folder, DECOY)


def test_removing_somebody_erases_nothing_elsewhere_where_no_duress_was_set_up(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault:
        vault.add_journalist("Бек", Secret(COLLEAGUE.encode()))
        before = keyring_of(folder)
        vault.remove_journalist("Бек")
        after, real = keyring_of(folder), vault.opened.home[0]
    assert all(compartment_of(after, c) == compartment_of(before, c) for c in {0, 1, 2, 3} - {real})


@pytest.mark.parametrize(
    ("mine", "decoy", "duress"),
    [
        (PASSPHRASE, "corect horse!", DURESS),
        (PASSPHRASE, DECOY, "correct hrose"),
        (PASSPHRASE, DECOY, DECOY + "s!"),
        (PASSPHRASE, DECOY, DECOY),
        (PASSPHRASE, PASSPHRASE, DURESS),
    ],
)
def test_passphrases_that_a_slip_could_confuse_are_refused(tmp_path: Path, mine: str, decoy: str, duress: str) -> None:
    folder = newsroom(tmp_path / "vault")
    before = files_below(folder)
    with unlock(folder) as vault, pytest.raises(BadInput):
        set_up(vault, mine, decoy, duress)
    assert files_below(folder) == before


def test_a_passphrase_that_opens_something_else_is_refused_and_nothing_changes(folder: str) -> None:
    with unlock(folder, COLLEAGUE) as vault:
        set_up(vault, COLLEAGUE, "the other decoy of two", "all of it into the fire", "Бек")
    before = files_below(folder)
    with unlock(folder) as vault:
        for decoy, duress in (
            (COLLEAGUE, "something quite else"),  # a real journalist's
            ("all of it into the fire", "something quite else"),  # a duress passphrase is no decoy's
            (DECOY, COLLEAGUE),
            (DECOY, "the other decoy of two"),
            (DECOY, "all of it into the fire"),  # a colleague's own
        ):
            with pytest.raises(NotAllowed):
                set_up(vault, PASSPHRASE, decoy, duress)
        with pytest.raises(AlreadyThere):
            set_up(vault, PASSPHRASE, "a third decoy of mine", "something quite else", "Бек")
    assert files_below(folder) == before


def test_set_up_again_with_the_same_decoy_it_changes_the_duress_passphrase_alone(folder: str) -> None:
    with unlock(folder, DECOY) as decoy:
        create_case(decoy, "Recipes")
    with unlock(folder) as vault:
        set_up(vault, duress="something quite else", label="whatever is said now")
    assert not opens(folder, DURESS)
    with unlock(folder, "something quite else") as vault:
        assert [case.name for case in list_cases(vault)[0]] == ["Recipes"]
        assert [e.label for e in vault.roster().entries] == ["Айгүл"]
    assert not opens(folder, PASSPHRASE)


def test_set_up_again_with_the_same_duress_passphrase_it_stays(folder: str) -> None:
    with unlock(folder) as vault:
        set_up(vault)
    unlock(folder, DURESS).close()
    assert not opens(folder, PASSPHRASE)


def test_taken_away_it_opens_nothing_and_the_decoy_still_does(folder: str) -> None:
    with unlock(folder) as vault:
        decoys.take_away(vault)
    assert not opens(folder, DURESS)
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE) and opens(folder, DECOY)


def test_taken_away_with_its_decoy_nothing_is_left_of_either(folder: str) -> None:
    sizes = {name: len(data) for name, data in files_below(folder).items()}
    with unlock(folder) as vault:
        for wrong in (COLLEAGUE, PASSPHRASE, DURESS, "opens nothing at all"):
            before = files_below(folder)
            if wrong != DURESS:
                with pytest.raises(NotAllowed):
                    decoys.take_away(vault, Secret(wrong.encode()))
                assert files_below(folder) == before
        decoys.take_away(vault, Secret(DECOY.encode()))
        assert not opens(folder, DURESS) and not opens(folder, DECOY)
        decoys.take_away(vault)  # to make sure once more does no harm
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE)
    assert {name: len(data) for name, data in files_below(folder).items()} == sizes


def test_where_none_was_set_up_none_is_taken_away(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    before = files_below(folder)
    with unlock(folder) as vault, pytest.raises(NotFound):
        decoys.take_away(vault)
    assert files_below(folder) == before


def test_a_decoy_of_a_decoy_leaves_the_real_side_alone(folder: str) -> None:
    """Somebody who makes you set one up at the decoy, or who does so by mistake, destroys nothing real."""
    real, *_ = homes(folder)
    before, people = keyring_of(folder), files_below(folder)
    with unlock(folder, DECOY) as vault:
        set_up(vault, DECOY, "a decoy below the decoy", "something quite else")
    unlock(folder, "something quite else").close()
    assert not opens(folder, DECOY)
    assert compartment_of(keyring_of(folder), real) == compartment_of(before, real)
    assert files_below(folder)[f"rosters/{real}.age"] == people[f"rosters/{real}.age"]
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE)


def test_under_duress_one_can_set_one_up_as_in_any_other_vault(folder: str) -> None:
    with unlock(folder, DURESS) as vault:
        set_up(vault, DURESS, "a decoy below the decoy", "something quite else")
    assert opens(folder, DECOY) and opens(folder, DURESS) and opens(folder, "a decoy below the decoy")


def test_setting_up_may_stop_anywhere_and_the_next_time_finishes(tmp_path: Path) -> None:
    base = newsroom(tmp_path / "vault")

    def run(copy: str, disk: Disk) -> None:
        with unlock(copy, disk=disk) as vault:
            set_up(vault)

    counting = StoppingDisk()
    run(str(shutil.copytree(base, tmp_path / "counted")), counting)
    for n in range(len(counting.steps)):
        copy = str(shutil.copytree(base, tmp_path / str(n)))
        with pytest.raises(Stopped):
            run(copy, StoppingDisk(n))
        assert opens(copy, PASSPHRASE)
        beside = str(shutil.copytree(copy, tmp_path / f"{n} again"))
        if opens(copy, DURESS):  # then it leads to a decoy that is whole
            with unlock(copy, DECOY) as vault:
                assert (vault.my_entry().label, vault.book().cases) == ("Айгүл", ())
            assert not opens(copy, PASSPHRASE)
        run(beside, Disk())
        with unlock(beside, DURESS) as vault:
            assert (vault.my_entry().label, vault.book().cases) == ("Айгүл", ())
        assert not opens(beside, PASSPHRASE) and opens(beside, DECOY)
        for used in (copy, beside):
            shutil.rmtree(used)


def test_the_slot_it_is_in_says_whom_it_opens_and_what_it_destroys(folder: str) -> None:
    real, decoy_compartment, lies = homes(folder)
    with unlock(folder) as vault:
        pair = vault.opened.home[1]
    with unlock(folder, DURESS) as vault:
        assert isinstance(vault.opened.payload, DuressSlot)
        assert vault.opened.payload.destroy == (real,)
        assert (vault.opened.compartment, vault.opened.pair) == (lies, pair)
        assert vault.opened.home[0] == decoy_compartment


def test_a_wrong_passphrase_is_still_wrong(folder: str) -> None:
    before = files_below(folder)
    with pytest.raises(DoesNotOpen):
        unlock(folder, DURESS + " ")
    assert files_below(folder) == before
