# SPDX-License-Identifier: Apache-2.0
"""The primitives are the published ones, and fail with our errors."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import primitives
from keys.canonical import decode_base64, decode_number, encode_base64
from keys.errors import BadSignature, Damaged, Malformed, WeakCost
from keys.primitives import CEILING, DEFAULT, FLOOR, Cost, aead_open, aead_seal, argon2id, check_cost

CHEAP = Cost(8, 1)


@settings(max_examples=20)
@given(st.binary(max_size=64), st.binary(min_size=16, max_size=16), st.integers(8, 64), st.integers(1, 3))
def test_argon2id_agrees_with_another_implementation(passphrase: bytes, salt: bytes, kib: int, passes: int) -> None:
    other = Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=kib).derive(passphrase)
    assert argon2id(passphrase, salt, Cost(kib, passes), floor=CHEAP) == other


def test_two_threads_may_derive_at_once() -> None:
    """Argon2id with lanes has hung when two threads used it together; one lane does not."""
    cost = Cost(1024, 3)
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(argon2id, b"passphrase", bytes(16), cost, floor=CHEAP) for _ in range(16)]
        assert len({m.result(timeout=60) for m in made}) == 1


@pytest.mark.parametrize(
    "cost",
    [
        Cost(FLOOR.memory_kib - 1, FLOOR.passes),
        Cost(FLOOR.memory_kib, FLOOR.passes - 1),
        Cost(CEILING.memory_kib + 1, FLOOR.passes),
        Cost(FLOOR.memory_kib, CEILING.passes + 1),
        Cost(0, 0),
        Cost(-1, -1),
    ],
)
def test_a_cost_outside_floor_and_ceiling_is_refused_before_any_work(cost: Cost) -> None:
    with pytest.raises(WeakCost):
        argon2id(b"", bytes(16), cost)


@pytest.mark.parametrize("cost", [FLOOR, DEFAULT, CEILING])
def test_floor_default_and_ceiling_are_accepted(cost: Cost) -> None:
    check_cost(cost)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to RLIMIT_AS")
def test_too_little_memory_is_our_error() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, before[1]))
    try:
        with pytest.raises(WeakCost, match="machine"):
            argon2id(b"passphrase", bytes(16), Cost(3 << 20, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_hkdf_is_rfc_5869() -> None:
    """Appendix A.3 of RFC 5869, the one case whose salt and info are empty."""
    made = primitives.hkdf(bytes([0x0B] * 22), "", size=42)
    assert made.hex() == ("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


def test_ed25519_is_rfc_8032() -> None:
    """Test 2 of RFC 8032 §7.1."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert primitives.signing_public(seed) == public
    assert primitives.sign(b"\x72", seed) == signature
    primitives.verify(b"\x72", signature, public)


def test_every_flipped_byte_of_a_signature_or_key_is_refused() -> None:
    seed = bytes(range(32))
    public, signature = primitives.signing_public(seed), primitives.sign(b"message", seed)
    for i in range(64):
        with pytest.raises(BadSignature):
            primitives.verify(b"message", _flip(signature, i), public)
    for i in range(32):
        with pytest.raises(BadSignature):
            primitives.verify(b"message", signature, _flip(public, i))
    with pytest.raises(BadSignature):
        primitives.verify(b"massage", signature, public)


@pytest.mark.parametrize(("signature", "public"), [(63, 32), (65, 32), (0, 32), (64, 31), (64, 33), (64, 32)])
def test_signatures_and_keys_of_any_size_and_of_zeros_are_bad_not_a_crash(signature: int, public: int) -> None:
    with pytest.raises(BadSignature):
        primitives.verify(b"message", bytes(signature), bytes(public))


def test_xchacha20_poly1305_is_the_draft() -> None:
    """draft-irtf-cfrg-xchacha-03 §A.3.1: the first 16 bytes of its ciphertext; its tag covers data we do not use."""
    key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
    sealed = aead_seal(b"Ladies and Gentlemen", nonce, key)
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert aead_open(sealed, nonce, key) == b"Ladies and Gentlemen"


def test_every_flipped_byte_and_every_truncation_of_a_ciphertext_is_damage() -> None:
    sealed = aead_seal(b"plaintext", bytes(24), bytes(32))
    for i in range(len(sealed)):
        with pytest.raises(Damaged):
            aead_open(_flip(sealed, i), bytes(24), bytes(32))
        with pytest.raises(Damaged):
            aead_open(sealed[:i], bytes(24), bytes(32))


@given(st.binary(max_size=40))
def test_base64_has_one_spelling(raw: bytes) -> None:
    assert decode_base64(encode_base64(raw), size=len(raw)) == raw


@pytest.mark.parametrize(
    "text", ["QUJDRB==", "QUJDRA", "QUJDRA==\n", " QUJDRA==", "QUJD RA==", "QUJDRA=", "Ää==", "QUJD"]
)
def test_other_spellings_and_sizes_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode_base64(text, size=4)
    assert decode_base64("QUJDRA==", size=4) == b"ABCD"


@given(st.integers(0, 10**18 - 1))
def test_numbers_have_one_spelling(number: int) -> None:
    assert decode_number(str(number)) == number


@pytest.mark.parametrize("text", ["", "00", "01", "+1", "-1", "1_0", " 1", "1\n", "٣", "1e3", "1" + "0" * 18])
def test_other_spellings_of_numbers_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode_number(text)


def _flip(data: bytes, i: int) -> bytes:
    return data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
