# SPDX-License-Identifier: Apache-2.0
"""Derived keys: the same from the same secrets, different from any others."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys import kdf
from keys.access import CaseKeys
from keys.identity import Identity
from keys.secret import Secret

DEVICE, OTHER_DEVICE = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
FIRST, SECOND = Identity.decode(bytes(range(64))), Identity.decode(bytes(range(1, 65)))
KEYS = CaseKeys(bytes(range(16)), "case", (FIRST,), (), (), 0)
LATER = replace(KEYS, epochs=(FIRST, SECOND))


def expand(secret: bytes, label: bytes, size: int = 32, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), size, salt, label).derive(secret)


def test_each_key_is_the_hkdf_that_the_format_says() -> None:
    assert kdf.chunk_id_key(LATER).expose() == expand(bytes(range(32)), b"sandyk chunk id v1")
    secret = DEVICE.expose() + SECOND.age_seed.expose()
    assert kdf.index_key(DEVICE, LATER).expose() == expand(secret, b"sandyk index v1")
    assert kdf.text_key(DEVICE, SECOND).expose() == expand(secret, b"sandyk text v1")
    assert kdf.device_id(DEVICE, KEYS.case_id) == expand(DEVICE.expose(), b"sandyk device v1", 16, KEYS.case_id)
    made = kdf.compartment_identity(DEVICE).encode().expose()
    assert made == expand(DEVICE.expose(), b"sandyk compartment v1", 64)


def test_chunk_ids_stay_the_same_in_all_epochs() -> None:
    assert kdf.chunk_id_key(KEYS) == kdf.chunk_id_key(LATER)
    assert kdf.chunk_id_key(replace(KEYS, epochs=(SECOND,))) != kdf.chunk_id_key(KEYS)


def test_the_index_needs_this_machine_and_the_current_epoch() -> None:
    keys = [kdf.index_key(device, case) for device in (DEVICE, OTHER_DEVICE) for case in (KEYS, LATER)]
    assert len({key.expose() for key in keys}) == 4
    texts = [kdf.text_key(device, case.epochs[-1]) for device in (DEVICE, OTHER_DEVICE) for case in (KEYS, LATER)]
    assert len({key.expose() for key in (*keys, *texts)}) == 8


def test_a_machine_has_another_id_in_every_case() -> None:
    ids = {kdf.device_id(device, case) for device in (DEVICE, OTHER_DEVICE) for case in (bytes(16), KEYS.case_id)}
    assert len(ids) == 4


def test_every_compartment_has_its_own_identity() -> None:
    assert kdf.compartment_identity(DEVICE) == kdf.compartment_identity(Secret(DEVICE.expose()))
    assert kdf.compartment_identity(DEVICE) != kdf.compartment_identity(OTHER_DEVICE)
