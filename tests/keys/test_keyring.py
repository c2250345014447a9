# SPDX-License-Identifier: Apache-2.0
"""The keyring: what opens, what does not, and what a power cut at any instant leaves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import keyring, layout, slots
from keys.errors import (
    Damaged,
    Full,
    KeysError,
    MalformedKeyring,
    NewerFormat,
    NoMatch,
    WeakCost,
    WeakPassphrase,
    Wiped,
)
from keys.identity import Identity
from keys.keyring import DuressSlot, Header, JournalistSlot, OpenSlot, parse_header
from keys.primitives import FLOOR, Cost, argon2id
from keys.secret import Secret

CHEAP = Cost(8, 1)
HEADER = Header(CHEAP, bytes(range(16)))
OLD, NEW, HERS = Secret(b"the old passphrase"), Secret(b"the new passphrase"), Secret(b"her passphrase")
TOKEN, OTHER_TOKEN = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
SECTOR = 512


class PowerLost(Exception):
    """The machine stopped here."""


class MemoryKeyring:
    """A keyring file in memory that can lose power before, or in the middle of, one of its writes."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.writes = 0
        self.stop_at: int | None = None
        self.sectors: Callable[[int], bool] = lambda _: False

    def read(self) -> bytes:
        return bytes(self.data)

    def overwrite(self, offset: int, data: bytes) -> None:
        assert offset + len(data) <= len(self.data)
        if self.writes == self.stop_at:
            for i in range(0, len(data), SECTOR):
                if self.sectors(i // SECTOR):
                    self.data[offset + i : offset + i + SECTOR] = data[i : i + SECTOR]
            raise PowerLost
        self.data[offset : offset + len(data)] = data
        self.writes += 1


def crash_points(
    operation: Callable[[MemoryKeyring], object], before: bytes
) -> Iterator[tuple[tuple[int, str], MemoryKeyring]]:
    """The file after power was lost at each write of ``operation``, with none, some or all of its sectors written."""
    whole = MemoryKeyring(before)
    operation(whole)
    assert whole.writes > 0
    rng = random.Random(1)
    torn = [("none", set()), *((f"first {n}", set(range(n))) for n in range(1, 16))]
    torn += [(f"last of 8, from {n}", set(range(n, 16))) for n in range(1, 8)]
    torn += [(f"random {n}", {s for s in range(16) if rng.random() < 0.5}) for n in range(6)]
    for write in range(whole.writes):
        for name, written in torn:
            file = MemoryKeyring(before)
            file.stop_at, file.sectors = write, written.__contains__
            with pytest.raises(PowerLost):
                operation(file)
            file.stop_at = None
            yield (write, name), file


def journalist() -> JournalistSlot:
    return JournalistSlot.new(Identity.generate())


def unlock(file: MemoryKeyring, passphrase: Secret, token: Secret | None = None) -> OpenSlot:
    return keyring.unlock(file, HEADER, passphrase, token, floor=CHEAP)


def opens(file: MemoryKeyring, passphrase: Secret, token: Secret | None = None) -> bool:
    try:
        unlock(file, passphrase, token)
    except (NoMatch, Damaged):
        return False
    return True


@pytest.fixture
def file() -> MemoryKeyring:
    return MemoryKeyring(keyring.create())


@pytest.fixture
def opened(file: MemoryKeyring) -> OpenSlot:
    return keyring.first(file, HEADER, journalist(), OLD, floor=CHEAP)


def add(file: MemoryKeyring, opened: OpenSlot, passphrase: Secret, pair: int | None = None) -> int:
    pair = keyring.free_pair(opened, ()) if pair is None else pair
    keyring.add(file, HEADER, opened, pair, journalist(), passphrase, floor=CHEAP)
    return pair


# Opening


def test_nothing_opens_a_new_keyring(file: MemoryKeyring) -> None:
    assert len(file.data) == 1 << 20
    with pytest.raises(NoMatch):
        unlock(file, OLD)


def test_what_was_put_in_comes_out(file: MemoryKeyring) -> None:
    slot = journalist()
    opened = keyring.first(file, HEADER, slot, OLD, floor=CHEAP)
    again = unlock(file, OLD)
    assert again == opened
    assert again.journalist.identity == slot.identity
    assert again.journalist.device_secret == slot.device_secret
    assert again.journalist.journalist_id == slot.journalist_id
    assert again.journalist.compartment == again.compartment == again.slot // 32
    with pytest.raises(NoMatch):
        unlock(file, NEW)


def test_an_outside_half_is_needed_and_the_right_one(file: MemoryKeyring) -> None:
    opened = keyring.first(file, HEADER, journalist(), OLD, TOKEN, floor=CHEAP)
    assert opened.journalist.needs_token
    assert unlock(file, OLD, TOKEN) == opened
    for token in (None, OTHER_TOKEN):
        with pytest.raises(NoMatch):
            unlock(file, OLD, token)


def test_a_token_that_is_not_needed_does_no_harm(file: MemoryKeyring, opened: OpenSlot) -> None:
    assert unlock(file, OLD, TOKEN) == opened
    assert not opened.journalist.needs_token


def test_where_a_passphrase_opens_with_and_without_the_token_the_token_decides(
    file: MemoryKeyring, opened: OpenSlot
) -> None:
    """Nobody can tell, when the second is added without the token, that the first exists."""
    pair = keyring.free_pair(opened, ())
    keyring.add(file, HEADER, opened, pair, journalist(), HERS, TOKEN, floor=CHEAP)
    other = keyring.free_pair(opened, {pair})
    keyring.add(file, HEADER, opened, other, journalist(), HERS, floor=CHEAP)
    assert unlock(file, HERS, TOKEN).pair == pair
    assert unlock(file, HERS).pair == other


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("passphrase", [OLD, NEW, HERS])
def test_every_try_computes_all_commitments_and_decrypts_once(
    file: MemoryKeyring, opened: OpenSlot, passphrase: Secret, token: Secret | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """128 commitments without a token and 256 with one, whether the first slots match, later ones or none."""
    add(file, opened, HERS)
    counts = {"commitment": 0, "slot_key": 0, "aead_open": 0}

    def counting(name: str) -> None:
        original = getattr(slots, name)

        def counted(*args: object) -> object:
            counts[name] += 1
            return original(*args)

        monkeypatch.setattr(slots, name, counted)

    for name in counts:
        counting(name)
    opens(file, passphrase, token)
    tries = 128 if token is None else 256
    assert counts == {"commitment": tries, "slot_key": tries, "aead_open": 1}


def test_secrets_do_not_show_when_an_open_slot_is_printed(opened: OpenSlot) -> None:
    shown = repr(opened)
    for secret in (opened.journalist.device_secret, opened.journalist.filler_seed, opened.journalist.identity.encode()):
        assert repr(secret.expose()) not in shown and secret.expose().hex() not in shown
    assert shown.count("redacted") == 3


def test_closing_an_open_slot_closes_its_secrets(opened: OpenSlot) -> None:
    opened.close()
    for secret in (opened.journalist.device_secret, opened.journalist.filler_seed, opened.journalist.identity.age_seed):
        assert len(secret) == 0


# Damage


@settings(max_examples=60)
@given(st.booleans(), st.integers(0, (1 << 32) - 1), st.integers(1, 255))
def test_any_changed_byte_of_kill_area_or_region_kills_every_passphrase(in_region: bool, at: int, change: int) -> None:
    file = MemoryKeyring(keyring.create())
    opened = keyring.first(file, HEADER, journalist(), OLD, floor=CHEAP)
    if in_region:
        file.data[slots.region_offset(opened.compartment) + at % layout.REGION_SIZE] ^= change
    else:
        file.data[at % layout.KILL_AREA_SIZE] ^= change
    with pytest.raises(NoMatch):
        unlock(file, OLD)
    assert not keyring.still_alive(file, opened)


def test_the_regions_of_other_compartments_do_not_matter(file: MemoryKeyring, opened: OpenSlot) -> None:
    for compartment in set(range(4)) - {opened.compartment}:
        file.data[slots.region_offset(compartment)] ^= 1
    assert unlock(file, OLD) == opened
    assert keyring.still_alive(file, opened)


def test_every_flipped_byte_of_a_slot_is_noticed() -> None:
    """In nonce or commitment the slot is not found; behind them it is damaged."""
    key = bytes(range(32))
    slot = slots.seal_slot(slots.encode_payload(journalist()), key, bytes(24))
    for i in range(layout.SLOT_SIZE):
        flipped = slot[:i] + bytes([slot[i] ^ 1]) + slot[i + 1 :]
        nonce, commitment, _ = slots.split_slot(flipped)
        if i < 56:
            assert slots.commitment(key, nonce) != commitment
        else:
            with pytest.raises(Damaged):
                slots.open_slot(flipped, key)


@pytest.mark.parametrize(("at", "error"), [(0, NoMatch), (30, NoMatch), (56, Damaged), (4095, Damaged)])
def test_a_damaged_slot_is_told_from_a_wrong_passphrase(
    file: MemoryKeyring, opened: OpenSlot, at: int, error: type[KeysError]
) -> None:
    file.data[layout.SLOTS_OFFSET + opened.slot * layout.SLOT_SIZE + at] ^= 0x80
    with pytest.raises(error):
        unlock(file, OLD)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, (1 << 20) + 1])
def test_a_file_of_another_size_is_no_keyring(size: int) -> None:
    with pytest.raises(MalformedKeyring):
        unlock(MemoryKeyring(bytes(size)), OLD)
    with pytest.raises(MalformedKeyring):
        keyring.first(MemoryKeyring(bytes(size)), HEADER, journalist(), OLD, floor=CHEAP)


def test_a_slot_moved_to_another_place_does_not_open(file: MemoryKeyring, opened: OpenSlot) -> None:
    start = layout.SLOTS_OFFSET + opened.slot * layout.SLOT_SIZE
    slot = bytes(file.data[start : start + layout.SLOT_SIZE])
    for place in range(layout.SLOTS):
        start = layout.SLOTS_OFFSET + place * layout.SLOT_SIZE
        file.data[start : start + layout.SLOT_SIZE] = bytes(layout.SLOT_SIZE) if place == opened.slot else slot
    with pytest.raises(NoMatch):
        unlock(file, OLD)


@pytest.mark.parametrize(("compartment", "needs_token"), [(2, False), (1, True)])
def test_a_slot_that_lies_about_its_place_or_token_is_refused(
    file: MemoryKeyring, compartment: int, needs_token: bool
) -> None:
    liar = replace(journalist(), compartment=compartment, needs_token=needs_token)
    stretched = argon2id(OLD.expose(), HEADER.salt, CHEAP, floor=CHEAP)
    key = slots.slot_key(stretched, 40, slots.environment(file.read(), 1), b"")
    file.overwrite(layout.SLOTS_OFFSET + 40 * 4096, slots.seal_slot(slots.encode_payload(liar), key, bytes(24)))
    with pytest.raises(MalformedKeyring):
        unlock(file, OLD)


# Several journalists


def test_sixteen_journalists_fit_and_no_more(file: MemoryKeyring, opened: OpenSlot) -> None:
    taken = {opened.pair}
    passphrases = [OLD]
    for n in range(15):
        pair = keyring.free_pair(opened, frozenset(taken))
        assert pair not in taken
        passphrases.append(Secret(f"passphrase number {n}".encode()))
        add(file, opened, passphrases[-1], pair)
        taken.add(pair)
    with pytest.raises(Full):
        keyring.free_pair(opened, taken)
    found = [unlock(file, passphrase) for passphrase in passphrases]
    assert {slot.compartment for slot in found} == {opened.compartment}
    assert {slot.pair for slot in found} == set(range(16))


def test_the_opened_pair_is_never_free(opened: OpenSlot) -> None:
    others = set(range(16)) - {opened.pair, (opened.pair + 1) % 16}
    assert {keyring.free_pair(opened, others) for _ in range(20)} == {(opened.pair + 1) % 16}


@pytest.mark.parametrize("pair", [-1, 16])
def test_a_pair_that_does_not_exist_is_refused(file: MemoryKeyring, opened: OpenSlot, pair: int) -> None:
    before = file.read()
    with pytest.raises(ValueError, match="pair"):
        add(file, opened, HERS, pair)
    with pytest.raises(ValueError, match="pair"):
        keyring.remove(file, opened, pair)
    with pytest.raises(ValueError, match="pair"):
        add(file, opened, HERS, opened.pair)
    assert file.read() == before


def test_a_passphrase_that_opens_something_already_is_refused(file: MemoryKeyring, opened: OpenSlot) -> None:
    add(file, opened, HERS)
    before = file.read()
    for taken in (OLD, HERS):
        with pytest.raises(WeakPassphrase):
            add(file, opened, taken)
        with pytest.raises(WeakPassphrase):
            keyring.change_passphrase(file, HEADER, opened, taken, floor=CHEAP)
    assert file.read() == before


def test_a_removed_journalist_is_out_and_the_others_are_not(file: MemoryKeyring, opened: OpenSlot) -> None:
    pair = add(file, opened, HERS)
    keyring.remove(file, opened, pair)
    assert not opens(file, HERS)
    assert unlock(file, OLD) == opened


def test_the_first_journalist_may_land_in_any_compartment_and_pair() -> None:
    base = keyring.create()
    found = [keyring.first(MemoryKeyring(base), HEADER, journalist(), OLD, floor=CHEAP) for _ in range(80)]
    assert {slot.compartment for slot in found} == {0, 1, 2, 3}
    assert len({slot.pair for slot in found}) > 8
    assert {slot.slot % 2 for slot in found} == {0, 1}


# Changing a passphrase


def test_after_a_change_only_the_new_passphrase_opens(file: MemoryKeyring, opened: OpenSlot) -> None:
    changed = keyring.change_passphrase(file, HEADER, opened, NEW, floor=CHEAP)
    assert unlock(file, NEW) == changed
    assert changed.slot == opened.slot ^ 1
    assert changed.journalist.identity == opened.journalist.identity
    assert changed.journalist.filler_seed != opened.journalist.filler_seed
    assert not opens(file, OLD)
    assert not keyring.finish_interrupted(file, changed)


def test_a_change_can_be_repeated_back_and_forth(file: MemoryKeyring, opened: OpenSlot) -> None:
    now = opened
    for passphrase in (NEW, OLD, NEW, OLD):
        now = keyring.change_passphrase(file, HEADER, now, passphrase, floor=CHEAP)
        assert unlock(file, passphrase) == now
    assert now.slot == opened.slot


def test_a_token_can_be_taken_into_use_and_put_away_with_the_same_passphrase(
    file: MemoryKeyring, opened: OpenSlot
) -> None:
    with_token = keyring.change_passphrase(file, HEADER, opened, OLD, TOKEN, floor=CHEAP)
    assert unlock(file, OLD, TOKEN) == with_token
    assert not opens(file, OLD)
    keyring.change_passphrase(file, HEADER, with_token, OLD, floor=CHEAP)
    assert opens(file, OLD)


def test_a_change_writes_in_place_and_only_within_its_pair(file: MemoryKeyring, opened: OpenSlot) -> None:
    before = file.read()
    keyring.change_passphrase(file, HEADER, opened, NEW, floor=CHEAP)
    start = layout.SLOTS_OFFSET + (opened.slot & ~1) * layout.SLOT_SIZE
    end = start + 2 * layout.SLOT_SIZE
    assert len(file.data) == len(before)
    assert file.data[:start] == before[:start] and file.data[end:] == before[end:]


def test_two_people_at_once_do_not_lock_each_other_out(file: MemoryKeyring, opened: OpenSlot) -> None:
    """Somebody who unlocked before a change cannot undo it afterwards: his view is out of date, and that is said."""
    stale = unlock(file, OLD)
    keyring.change_passphrase(file, HEADER, opened, NEW, floor=CHEAP)
    after = file.read()
    with pytest.raises(NoMatch):
        keyring.finish_interrupted(file, stale)
    with pytest.raises(NoMatch):
        keyring.change_passphrase(file, HEADER, stale, HERS, floor=CHEAP)
    with pytest.raises(NoMatch):
        add(file, stale, HERS)
    assert file.read() == after and opens(file, NEW)


def test_a_new_slot_that_does_not_read_back_leaves_the_old_one_alone(file: MemoryKeyring, opened: OpenSlot) -> None:
    class LyingDisk(MemoryKeyring):
        def overwrite(self, offset: int, data: bytes) -> None:
            super().overwrite(offset, data[:100] + bytes(len(data) - 100))

    lying = LyingDisk(file.read())
    with pytest.raises(Damaged):
        keyring.change_passphrase(lying, HEADER, opened, NEW, floor=CHEAP)
    assert unlock(lying, OLD) == opened
    assert lying.writes == 1


# Losing power


def test_power_lost_while_the_first_journalist_is_made(file: MemoryKeyring) -> None:
    """The passphrase opens or does not; when it opens, the pair can be put in order."""
    slot = journalist()
    states = set()
    for point, torn in crash_points(lambda f: keyring.first(f, HEADER, slot, OLD, floor=CHEAP), file.read()):
        alive = opens(torn, OLD)
        states.add(alive)
        if alive:
            now = unlock(torn, OLD)
            assert now.journalist.identity == slot.identity, point
            keyring.finish_interrupted(torn, now)
            assert not keyring.finish_interrupted(torn, now), point
            assert unlock(torn, OLD) == now, point
    assert states == {True, False}


def test_power_lost_while_somebody_is_added_harms_nobody_else(file: MemoryKeyring, opened: OpenSlot) -> None:
    states = set()
    for point, torn in crash_points(lambda f: add(f, opened, HERS), file.read()):
        assert unlock(torn, OLD) == opened, point
        states.add(opens(torn, HERS))
    assert states == {True, False}


def test_power_lost_while_a_passphrase_changes_never_locks_out(file: MemoryKeyring, opened: OpenSlot) -> None:
    """Old, both or new opens, never neither; and once finished, exactly the one that was used."""
    states = set()

    def change(f: MemoryKeyring) -> None:
        keyring.change_passphrase(f, HEADER, opened, NEW, floor=CHEAP)

    for point, torn in crash_points(change, file.read()):
        alive = (opens(torn, OLD), opens(torn, NEW))
        states.add(alive)
        assert any(alive), point
        for used, other in ((OLD, NEW), (NEW, OLD)):
            if not opens(torn, used):
                continue
            finished = MemoryKeyring(torn.read())
            now = unlock(finished, used)
            assert now.journalist.identity == opened.journalist.identity, point
            keyring.finish_interrupted(finished, now)
            assert opens(finished, used) and not opens(finished, other), point
            assert not keyring.finish_interrupted(finished, now), point
    assert states == {(True, False), (True, True), (False, True)}


def test_power_lost_while_a_change_is_finished_changes_nothing_that_opens(
    file: MemoryKeyring, opened: OpenSlot
) -> None:
    file.stop_at = 3
    with pytest.raises(PowerLost):
        keyring.change_passphrase(file, HEADER, opened, NEW, floor=CHEAP)
    assert opens(file, OLD) and opens(file, NEW)
    now = unlock(file, NEW)
    file.stop_at = None
    for point, torn in crash_points(lambda f: keyring.finish_interrupted(f, now), file.read()):
        assert unlock(torn, NEW) == now, point
        keyring.finish_interrupted(torn, now)
        assert not opens(torn, OLD), point


def test_a_change_that_was_interrupted_can_be_tried_again_with_the_same_passphrase(
    file: MemoryKeyring, opened: OpenSlot
) -> None:
    for point, torn in crash_points(
        lambda f: keyring.change_passphrase(f, HEADER, opened, NEW, floor=CHEAP), file.read()
    ):
        if opens(torn, OLD):
            keyring.change_passphrase(torn, HEADER, unlock(torn, OLD), NEW, floor=CHEAP)
        assert opens(torn, NEW) and not opens(torn, OLD), point


def test_power_lost_while_somebody_is_removed_harms_nobody_else(file: MemoryKeyring, opened: OpenSlot) -> None:
    pair = add(file, opened, HERS)
    for point, torn in crash_points(lambda f: keyring.remove(f, opened, pair), file.read()):
        assert unlock(torn, OLD) == opened, point
        keyring.remove(torn, opened, pair)
        assert not opens(torn, HERS), point


# Wiped under us

WRITERS: list[Callable[[MemoryKeyring, OpenSlot], object]] = [
    lambda f, o: add(f, o, HERS),
    lambda f, o: keyring.change_passphrase(f, HEADER, o, NEW, floor=CHEAP),
    lambda f, o: keyring.finish_interrupted(f, o),
    lambda f, o: keyring.remove(f, o, 0),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("how", ["kill area", "region", "shorter", "gone"])
def test_nothing_is_written_into_a_wiped_keyring(
    file: MemoryKeyring, opened: OpenSlot, write: Callable[[MemoryKeyring, OpenSlot], object], how: str
) -> None:
    class Gone(MemoryKeyring):
        def read(self) -> bytes:
            raise FileNotFoundError

    match how:
        case "kill area":
            file.data[: layout.KILL_AREA_SIZE] = random.Random(2).randbytes(layout.KILL_AREA_SIZE)
        case "region":
            file.data[slots.region_offset(opened.compartment)] ^= 1
        case "shorter":
            file.data = file.data[: layout.KILL_AREA_SIZE]
        case "gone":
            file = Gone(file.data)
    before, writes = bytes(file.data), file.writes
    with pytest.raises(Wiped):
        write(file, opened)
    assert bytes(file.data) == before and file.writes == writes
    assert not keyring.still_alive(file, opened)


def test_a_wipe_between_two_writes_stops_the_second(file: MemoryKeyring, opened: OpenSlot) -> None:
    class WipedAfterOneWrite(MemoryKeyring):
        def overwrite(self, offset: int, data: bytes) -> None:
            super().overwrite(offset, data)
            self.data[: layout.KILL_AREA_SIZE] = bytes(layout.KILL_AREA_SIZE)

    wiped = WipedAfterOneWrite(file.read())
    with pytest.raises(Wiped):
        keyring.change_passphrase(wiped, HEADER, opened, NEW, floor=CHEAP)
    assert wiped.writes == 1


@pytest.mark.parametrize("write", WRITERS)
def test_whenever_a_wipe_comes_nothing_is_written_after_it_is_seen(
    file: MemoryKeyring, opened: OpenSlot, write: Callable[[MemoryKeyring, OpenSlot], object]
) -> None:
    class WipedBeforeRead(MemoryKeyring):
        countdown = 0

        def read(self) -> bytes:
            self.countdown -= 1
            if self.countdown == 0:
                self.data[: layout.KILL_AREA_SIZE] = bytes(layout.KILL_AREA_SIZE)
            return super().read()

        def overwrite(self, offset: int, data: bytes) -> None:
            assert self.countdown > 0, "written into a wiped keyring"
            super().overwrite(offset, data)

    file.data[layout.SLOTS_OFFSET + (opened.slot ^ 1) * layout.SLOT_SIZE] ^= 1  # gives finish_interrupted work
    whole = WipedBeforeRead(file.read())
    whole.countdown = 1000
    write(whole, opened)
    for read in range(1, 1001 - whole.countdown):
        wiped = WipedBeforeRead(file.read())
        wiped.countdown = read
        with pytest.raises(Wiped):
            write(wiped, opened)


def test_every_single_write_asks_first_whether_the_keyring_is_alive(file: MemoryKeyring, opened: OpenSlot) -> None:
    """However long something took since the file was last read."""
    writes = file.writes
    keyring._write(file, opened.slot, bytes(layout.SLOT_SIZE), opened.alive)
    file.data[0] ^= 1
    with pytest.raises(Wiped):
        keyring._write(file, opened.slot, bytes(layout.SLOT_SIZE), opened.alive)
    assert file.writes == writes + 1


# What the bytes tell


def test_no_part_of_the_file_tells_how_many_slots_are_used() -> None:
    """Chi-square over byte values (255 degrees of freedom), of a full and an empty keyring, whole and slot by slot.

    The bounds are those that random bytes pass 999,999 times in a million, for each of the figures.
    """
    file = MemoryKeyring(keyring.create())
    opened = keyring.first(file, HEADER, journalist(), OLD, floor=CHEAP)
    for pair in set(range(16)) - {opened.pair}:
        add(file, opened, Secret(f"passphrase number {pair}".encode()), pair)
    keyring.change_passphrase(file, HEADER, opened, NEW, floor=CHEAP)
    for data in (file.read(), keyring.create()):
        assert 155 < chi_square(data) < 384
        for slot in range(layout.SLOTS):
            start = layout.SLOTS_OFFSET + slot * layout.SLOT_SIZE
            assert 140 < chi_square(data[start : start + layout.SLOT_SIZE]) < 410, slot
        blocks = [data[i : i + 16] for i in range(0, len(data), 16)]
        assert len(set(blocks)) == len(blocks)


def test_the_chi_square_of_what_is_not_random_is_out_of_bounds() -> None:
    assert chi_square(slots.encode_payload(journalist())) > 10_000
    assert chi_square(bytes(range(256)) * 16) < 1


def chi_square(data: bytes) -> float:
    expected = len(data) / 256
    return sum((data.count(value) - expected) ** 2 / expected for value in range(256))


# The header and the token


def test_the_header_looks_like_this() -> None:
    assert Header(Cost(262144, 3), bytes(range(16))).encode() == (
        b"sandyk vault 1\nargon2id memory-kib=262144 passes=3 lanes=1\nsalt AAECAwQFBgcICQoLDA0ODw==\n"
    )


@given(st.integers(8, 1 << 22), st.integers(1, 64), st.binary(min_size=16, max_size=16))
def test_a_header_survives_being_written_and_read(memory: int, passes: int, salt: bytes) -> None:
    header = Header(Cost(memory, passes), salt)
    assert parse_header(header.encode(), floor=CHEAP) == header


def test_every_truncation_and_every_flipped_byte_of_a_header_is_refused_or_another_valid_header() -> None:
    """Nothing vouches for a header: a changed digit or salt can be valid, and then reads as what it says."""
    text = Header(Cost(262144, 12), bytes(range(16))).encode()
    for i in range(len(text)):
        with pytest.raises(MalformedKeyring):
            parse_header(text[:i], floor=CHEAP)
        for bit in range(8):
            flipped = text[:i] + bytes([text[i] ^ (1 << bit)]) + text[i + 1 :]
            try:
                assert parse_header(flipped, floor=CHEAP).encode() == flipped
            except (MalformedKeyring, NewerFormat, WeakCost):
                continue


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t + b"\n",
        lambda t: t.replace(b"\n", b"\r\n"),
        lambda t: t.replace(b"=3", b"=03"),
        lambda t: t.replace(b"memory-kib=", b""),
        lambda t: t.replace(b"salt ", b""),
        lambda t: t.replace(b"lanes=1", b"lanes=4"),
        lambda t: t.replace(b"vault 1", b"vault 02"),
        lambda t: t.replace(b"vault 1", b"vault 0"),
        lambda t: t.replace(b"argon2id", b"argon2i"),
        lambda t: t.replace(b"AAEC", b"\xff\xff\xff\xff"),
        lambda t: t + b" " * 300,
        lambda t: b"",
        lambda t: b"\n\n\n",
    ],
)
def test_another_spelling_of_a_header_is_refused(spoil) -> None:
    with pytest.raises(MalformedKeyring):
        parse_header(spoil(Header(Cost(262144, 3), bytes(range(16))).encode()))


@pytest.mark.parametrize("cost", [Cost(8, 1), Cost(FLOOR.memory_kib - 1, 3), Cost(1 << 23, 3), Cost(1 << 18, 65)])
def test_a_cost_outside_the_limits_is_refused_when_the_header_is_read(cost: Cost) -> None:
    with pytest.raises(WeakCost):
        parse_header(Header(cost, bytes(16)).encode())


def test_unlocking_with_a_cheap_header_is_refused_without_the_cheaper_floor(file: MemoryKeyring) -> None:
    with pytest.raises(WeakCost):
        keyring.unlock(file, HEADER, OLD)


def test_tokens_are_32_random_bytes_and_nothing_else() -> None:
    assert len(keyring.new_token()) == 32 and keyring.new_token() != keyring.new_token()
    assert keyring.parse_token(bytes(range(32))) == TOKEN
    for size in (0, 31, 33, 64):
        with pytest.raises(MalformedKeyring):
            keyring.parse_token(bytes(size))


# Payloads

compartments = st.integers(0, 3)
seeds = st.binary(min_size=32, max_size=32).map(Secret)
journalists = st.builds(
    JournalistSlot,
    identity=st.builds(Identity, seeds, seeds),
    device_secret=seeds,
    journalist_id=st.binary(min_size=16, max_size=16),
    compartment=compartments,
    needs_token=st.booleans(),
    filler_seed=seeds,
)
duresses = journalists.flatmap(
    lambda decoy: st.builds(
        DuressSlot,
        st.just(decoy),
        st.integers(0, 15),
        st.just((decoy.compartment + 1) % 4),
        st.sets(st.sampled_from([(decoy.compartment + n) % 4 for n in (2, 3)]), min_size=1).map(sorted).map(tuple),
    )
)


@given(journalists | duresses)
def test_payloads_of_both_kinds_survive_being_written_and_read(payload: slots.Payload) -> None:
    encoded = slots.encode_payload(payload)
    assert len(encoded) == slots.PAYLOAD_SIZE == 4024
    assert slots.decode_payload(encoded) == payload


@pytest.mark.parametrize("payload", [journalist(), DuressSlot(journalist(), 15, 2, (1, 3))])
def test_every_changed_byte_of_a_payload_is_refused_or_a_different_payload(payload: slots.Payload) -> None:
    encoded = slots.encode_payload(payload)
    for i in range(len(encoded)):
        changed = encoded[:i] + bytes([encoded[i] ^ 0xFF]) + encoded[i + 1 :]
        if i in range(8, 152):
            assert slots.decode_payload(changed) != payload
        else:
            with pytest.raises(NewerFormat if i == 0 else MalformedKeyring):
                slots.decode_payload(changed)


def test_every_truncation_of_a_payload_is_refused() -> None:
    encoded = slots.encode_payload(journalist())
    for size in (*range(200), *range(3900, 4024)):
        with pytest.raises(MalformedKeyring):
            slots.decode_payload(encoded[:size])


@pytest.mark.parametrize("destroy", [(), (0,), (3,), (1, 1), (2, 1), (4,), (-1,), (0, 1, 2, 3)])
def test_a_duress_slot_that_would_destroy_itself_or_its_decoy_or_nothing_cannot_be_made(
    destroy: tuple[int, ...],
) -> None:
    with pytest.raises(MalformedKeyring):
        DuressSlot(journalist(), 0, 3, destroy)


@pytest.mark.parametrize(("pair", "compartment"), [(16, 3), (-1, 3), (0, 4), (0, -1)])
def test_a_duress_slot_lies_in_one_of_four_compartments_and_names_one_of_sixteen_pairs(
    pair: int, compartment: int
) -> None:
    with pytest.raises(MalformedKeyring):
        DuressSlot(journalist(), pair, compartment, (1,))


def test_a_duress_slot_moves_with_a_change_and_its_home_does_not(file: MemoryKeyring, opened: OpenSlot) -> None:
    real, decoys, lies = opened.compartment, (opened.compartment + 1) % 4, (opened.compartment + 2) % 4
    decoy = replace(journalist(), compartment=decoys)
    keyring.place(file, HEADER, opened, (lies, 5), DuressSlot(decoy, 9, lies, (real,)), HERS, floor=CHEAP)
    found = unlock(file, HERS)
    for passphrase in (NEW, HERS):
        assert isinstance(found.payload, DuressSlot) and found.payload.destroy == (real,)
        assert (found.compartment, found.pair, found.home) == (lies, 5, (decoys, 9))
        assert found.journalist.identity == decoy.identity
        found = keyring.change_passphrase(file, HEADER, found, passphrase, floor=CHEAP)
        assert unlock(file, passphrase) == found
    keyring.erase(file, opened, (lies, 5))
    assert not opens(file, HERS) and unlock(file, OLD) == opened


def test_whoever_a_duress_slot_opened_adds_and_removes_people_at_home(file: MemoryKeyring, opened: OpenSlot) -> None:
    decoys, lies = (opened.compartment + 1) % 4, (opened.compartment + 2) % 4
    decoy = replace(journalist(), compartment=decoys)
    keyring.place(file, HEADER, opened, (lies, 5), DuressSlot(decoy, 9, lies, (opened.compartment,)), HERS, floor=CHEAP)
    found = unlock(file, HERS)
    assert {keyring.free_pair(found, set(range(16)) - {5, 9}) for _ in range(20)} == {5}
    add(file, found, NEW, 5)
    assert (unlock(file, NEW).compartment, unlock(file, NEW).pair) == (decoys, 5)
    keyring.remove(file, found, 5)
    assert not opens(file, NEW) and unlock(file, HERS) == found


@pytest.mark.parametrize("home", [(4, 0), (-1, 0), (0, 16), (0, -1)])
def test_a_place_that_does_not_exist_is_neither_taken_nor_erased(
    file: MemoryKeyring, opened: OpenSlot, home: tuple[int, int]
) -> None:
    before = file.read()
    with pytest.raises(ValueError, match="pair"):
        keyring.place(file, HEADER, opened, home, journalist(), NEW, floor=CHEAP)
    with pytest.raises(ValueError, match="pair"):
        keyring.erase(file, opened, home)
    assert file.read() == before
