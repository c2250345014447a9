# SPDX-License-Identifier: Apache-2.0
"""The judge of time stamps: what is over the signature and from a trusted server passes, nothing else does."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tools import need
from tests.support.tsa import REFUSAL, authority
from vault import timestamp
from vault.errors import BadInput, BrokenTimestamp

SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nnot looked at\n-----END SSH SIGNATURE-----\n"


@pytest.fixture(scope="module")
def answer() -> tuple[timestamp.Request, bytes]:
    request = timestamp.request_for(SIGNATURE)
    return request, authority().reply(request.der)


@pytest.fixture(scope="module")
def roots() -> tuple[x509.Certificate, ...]:
    return timestamp.read_roots(authority().root.read_bytes())


def test_a_request_holds_the_hash_and_nothing_of_the_signature() -> None:
    request = timestamp.request_for(SIGNATURE)
    assert hashlib.sha256(SIGNATURE).digest() in request.der
    assert request.nonce.to_bytes(8, "big") in request.der
    assert len(request.der) < 80
    assert timestamp.request_for(SIGNATURE).nonce != request.nonce


def test_a_good_answer_gives_time_and_name(answer: tuple[timestamp.Request, bytes]) -> None:
    request, response = answer
    stamp = timestamp.judge(response, SIGNATURE, nonce=request.nonce)
    assert abs(stamp.time - datetime.now(UTC)) < timedelta(hours=1)
    assert (stamp.name, stamp.policy, stamp.accuracy_us) == ("CN=Time,O=Test", "1.2.3.4", 1_500_000)
    assert stamp.checked_against == ()


def test_with_the_true_root_the_server_is_vouched_for(answer: tuple[timestamp.Request, bytes], roots) -> None:
    stamp = timestamp.judge(answer[1], SIGNATURE, roots=roots)
    assert stamp.checked_against == ("CN=Time-Root,O=Test",)
    both = (*roots, *timestamp.read_roots(authority("Other").root.read_bytes()))
    assert len(timestamp.judge(answer[1], SIGNATURE, roots=both).checked_against) == 2


def test_with_a_foreign_root_it_is_refused(answer: tuple[timestamp.Request, bytes]) -> None:
    foreign = timestamp.read_roots(authority("Other").root.read_bytes())
    with pytest.raises(BrokenTimestamp, match="roots vouch for"):
        timestamp.judge(answer[1], SIGNATURE, roots=foreign)


def test_an_answer_over_something_else_or_to_another_request_is_refused(
    answer: tuple[timestamp.Request, bytes]
) -> None:
    request, response = answer
    with pytest.raises(BrokenTimestamp, match="something else"):
        timestamp.judge(response, SIGNATURE + b"\n")
    with pytest.raises(BrokenTimestamp, match="another request"):
        timestamp.judge(response, SIGNATURE, nonce=request.nonce + 1)


def test_a_stamp_over_another_hash_function_is_refused(answer: tuple[timestamp.Request, bytes]) -> None:
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    request = TimestampRequestBuilder().data(SIGNATURE).hash_algorithm(HashAlgorithm.SHA512).build()
    with pytest.raises(BrokenTimestamp, match="something else"):
        timestamp.judge(authority().reply(request.as_bytes()), SIGNATURE)


def test_a_refusal_is_no_time_stamp() -> None:
    with pytest.raises(BrokenTimestamp, match="status 2"):
        timestamp.judge(REFUSAL, SIGNATURE)


def test_a_flipped_bit_in_the_time_or_the_signature_is_refused(
    answer: tuple[timestamp.Request, bytes], roots: tuple[x509.Certificate, ...]
) -> None:
    response = answer[1]
    time = timestamp.judge(response, SIGNATURE).time
    for at in (response.index(time.strftime("%Y%m%d").encode()) + 3, len(response) - 8):
        flipped = bytearray(response)
        flipped[at] ^= 1
        with pytest.raises(BrokenTimestamp):
            timestamp.judge(bytes(flipped), SIGNATURE, roots=roots)


@given(st.data())
@settings(max_examples=150)
def test_hostile_bytes_are_our_error_or_say_no_other_time(
    answer: tuple[timestamp.Request, bytes], roots: tuple[x509.Certificate, ...], data: st.DataObject
) -> None:
    """Some bits of a token are covered by nothing. None of them changes what a checked stamp says."""
    response = bytearray(answer[1])
    for _ in range(data.draw(st.integers(1, 3))):
        response[data.draw(st.integers(0, len(response) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    untrusted = bytes(response[: data.draw(st.integers(0, len(response)))]) if data.draw(st.booleans()) else response
    try:
        stamp = timestamp.judge(bytes(untrusted), SIGNATURE, roots=roots)
    except BrokenTimestamp:
        return
    assert stamp == timestamp.judge(answer[1], SIGNATURE, roots=roots)


@given(st.binary(max_size=200))
def test_noise_is_our_error(noise: bytes) -> None:
    with pytest.raises(BrokenTimestamp):
        timestamp.judge(noise, SIGNATURE)


def test_an_answer_above_the_limit_is_refused_before_it_is_parsed(answer: tuple[timestamp.Request, bytes]) -> None:
    with pytest.raises(BrokenTimestamp, match="larger"):
        timestamp.judge(answer[1] + bytes(timestamp.MAX_SIZE), SIGNATURE)


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates_is_no_file_of_roots(pem: bytes) -> None:
    with pytest.raises(BadInput):
        timestamp.read_roots(pem)


def test_openssl_agrees(answer: tuple[timestamp.Request, bytes], tmp_path: Path) -> None:
    (tmp_path / "stamp.tsr").write_bytes(answer[1])
    (tmp_path / "signature").write_bytes(SIGNATURE)
    verify = [need("openssl"), "ts", "-verify", "-in", "stamp.tsr", "-data", "signature", "-CAfile"]
    for name, agrees in (("Time", True), ("Other", False)):
        run = subprocess.run([*verify, str(authority(name).root)], cwd=tmp_path, capture_output=True)
        assert (run.returncode == 0) is agrees, run.stderr
