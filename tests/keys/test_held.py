# SPDX-License-Identifier: Apache-2.0
"""What is held of an opened slot: its bytes, what they do not say, and when they stop counting."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import keyring, layout
from keys.errors import KeysError, MalformedKeyring, NoMatch, Wiped
from keys.held import HELD_SIZE, decode_held, held
from keys.identity import Identity
from keys.keyring import JournalistSlot

KEYRING = keyring.create()


class _File:
    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def read(self) -> bytes:
        return bytes(self.data)

    def overwrite(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data


@given(st.integers(0, 3), st.integers(0, 15), st.binary(min_size=112, max_size=112))
def test_decoding_undoes_encoding(compartment: int, pair: int, secrets: bytes) -> None:
    journalist = JournalistSlot.new(Identity.decode(secrets[16:80]))
    once = held(KEYRING, (compartment, pair), journalist).encode()
    assert len(once) == HELD_SIZE
    again = decode_held(bytes(once))
    assert (again.home, again.journalist.identity) == ((compartment, pair), journalist.identity)
    assert again.encode() == once


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_are_the_one_encoding_of_what_they_decode_to(untrusted: bytes) -> None:
    try:
        slot = decode_held(untrusted)
    except KeysError:
        return
    assert slot.encode() == untrusted


@pytest.mark.parametrize("place", [64, 255])
def test_a_place_that_no_keyring_has_is_refused(place: int) -> None:
    with pytest.raises(MalformedKeyring):
        decode_held(bytes([place]) + bytes(HELD_SIZE - 1))


@pytest.mark.parametrize(
    ("offset", "error"),
    [
        (0, Wiped),
        (layout.KILL_AREA_SIZE - 1, Wiped),
        (layout.REGIONS_OFFSET + 2 * layout.REGION_SIZE, Wiped),
        (layout.SLOTS_OFFSET + (2 * 32 + 2 * 7) * layout.SLOT_SIZE, NoMatch),
        (layout.SLOTS_OFFSET + (2 * 32 + 2 * 7 + 2) * layout.SLOT_SIZE - 1, NoMatch),
        (layout.SLOTS_OFFSET + (2 * 32 + 2 * 7 + 2) * layout.SLOT_SIZE, None),
        (layout.SLOTS_OFFSET, None),
        (layout.REGIONS_OFFSET, None),
    ],
)
def test_it_counts_while_kill_area_region_and_home_pair_are_the_same(
    offset: int, error: type[Exception] | None
) -> None:
    file = _File(KEYRING)
    slot = held(KEYRING, (2, 7), JournalistSlot.new(Identity.generate()))
    file.overwrite(offset, bytes([KEYRING[offset] ^ 1]))
    if error is None:
        keyring.check_held(file, slot)
    else:
        with pytest.raises(error):
            keyring.check_held(file, slot)


def test_a_keyring_of_another_size_is_a_wiped_one() -> None:
    slot = held(KEYRING, (0, 0), JournalistSlot.new(Identity.generate()))
    with pytest.raises(Wiped):
        keyring.check_held(_File(os.urandom(16)), slot)


def test_it_shows_no_secret() -> None:
    slot = held(KEYRING, (0, 0), JournalistSlot.new(Identity.generate()))
    assert slot.journalist.device_secret.expose().hex() not in repr(slot)
    slot.close()
    with pytest.raises(ValueError, match="closed"):
        slot.journalist.device_secret.expose()
