# SPDX-License-Identifier: Apache-2.0
"""ML-DSA-65: one key, one purpose, one spelling; and anybody's OpenSSL agrees."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import mldsa
from keys.errors import BadSignature, Malformed
from keys.secret import Secret
from tests.support.tools import need_openssl_mldsa

SEED = Secret(bytes(range(32)))
PUBLIC = mldsa.public_of(SEED)
OTHER = mldsa.public_of(Secret(bytes(32)))
SIGNATURE = mldsa.sign(b"message", "purpose", SEED)


def test_keys_and_signatures_have_the_sizes_of_the_standard() -> None:
    assert (len(PUBLIC), len(SIGNATURE)) == (mldsa.PUBLIC_SIZE, mldsa.SIGNATURE_SIZE) == (1952, 3309)


@given(st.binary(max_size=300), st.text("abc.@", min_size=1, max_size=255))
@settings(max_examples=20)
def test_what_is_signed_verifies(message: bytes, context: str) -> None:
    mldsa.verify(message, context, mldsa.sign(message, context, SEED), PUBLIC)


@pytest.mark.parametrize(
    ("message", "context", "signature", "public"),
    [
        (b"massage", "purpose", SIGNATURE, PUBLIC),
        (b"message", "purposE", SIGNATURE, PUBLIC),
        (b"message", "purpose", SIGNATURE, OTHER),
        (b"message", "purpose", SIGNATURE[:-1], PUBLIC),
        (b"message", "purpose", SIGNATURE + b"\0", PUBLIC),
        (b"message", "purpose", b"", PUBLIC),
        (b"message", "purpose", bytes(3309), PUBLIC),
        (b"message", "purpose", SIGNATURE, PUBLIC[:-1]),
        (b"message", "purpose", SIGNATURE, b""),
        (b"message", "purpose", SIGNATURE, b"\xff" * 1952),
    ],
)
def test_anything_else_is_a_bad_signature(message: bytes, context: str, signature: bytes, public: bytes) -> None:
    with pytest.raises(BadSignature):
        mldsa.verify(message, context, signature, public)


@given(st.integers(0, 3309 * 8 - 1))
@settings(max_examples=60)
def test_a_flipped_bit_is_a_bad_signature(bit: int) -> None:
    flipped = bytearray(SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        mldsa.verify(b"message", "purpose", bytes(flipped), PUBLIC)


def test_two_signatures_of_one_message_differ() -> None:
    """Hedged: a fault or a leak while signing twice does not give two results to compare."""
    assert mldsa.sign(b"message", "purpose", SEED) != SIGNATURE


@pytest.mark.parametrize("context", ["", "a" * 256, "қ"])
def test_a_context_that_is_none_signs_nothing(context: str) -> None:
    with pytest.raises(ValueError, match=r"context|ascii"):
        mldsa.sign(b"message", context, SEED)


def test_the_pem_is_the_one_that_the_library_writes() -> None:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it says that Diffie-Hellman will go, which nobody uses here
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    key = MLDSA65PublicKey.from_public_bytes(PUBLIC)
    assert key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == mldsa.encode_pem(PUBLIC)


@given(st.binary(min_size=1952, max_size=1952))
def test_a_pem_gives_back_its_key(public: bytes) -> None:
    assert mldsa.parse_pem(mldsa.encode_pem(public)) == public


@given(st.binary(max_size=100), st.integers(0, 2725), st.integers(0, 2725))
def test_a_pem_in_any_other_spelling_is_refused(noise: bytes, start: int, end: int) -> None:
    pem = mldsa.encode_pem(PUBLIC)
    for untrusted in (noise, pem[:start], pem + noise if noise else b"", pem[:start] + b"\n" + pem[start:]):
        if untrusted != pem:
            with pytest.raises(Malformed):
                mldsa.parse_pem(untrusted)


@pytest.mark.parametrize("public", [b"", PUBLIC[:-1], PUBLIC + b"\0"])
def test_what_is_no_key_has_no_pem(public: bytes) -> None:
    with pytest.raises(Malformed):
        mldsa.encode_pem(public)


def test_openssl_verifies_ours_and_we_verify_openssl_s(tmp_path: Path) -> None:
    openssl = need_openssl_mldsa()
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(SIGNATURE)
    (tmp_path / "key.pem").write_bytes(mldsa.encode_pem(PUBLIC))

    def run(command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([openssl, *command.split()], cwd=tmp_path, capture_output=True)

    verify = "pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature -pkeyopt context-string:"
    assert run(verify + "purpose").returncode == 0
    assert run(verify + "another").returncode != 0
    assert run("genpkey -algorithm ML-DSA-65 -out theirs.pem").returncode == 0
    assert run("pkey -in theirs.pem -pubout -out theirs.pub").returncode == 0
    sign = "pkeyutl -sign -inkey theirs.pem -rawin -in message -out theirs.sig -pkeyopt context-string:purpose"
    assert run(sign).returncode == 0
    public = mldsa.parse_pem((tmp_path / "theirs.pub").read_bytes())
    mldsa.verify(b"message", "purpose", (tmp_path / "theirs.sig").read_bytes(), public)
