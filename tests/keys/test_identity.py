# SPDX-License-Identifier: Apache-2.0
"""An identity reads and signs, and shows nothing of itself."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import age, labels, mldsa
from keys.errors import BadSignature, Malformed
from keys.identity import Identity, signed_bytes, verify_signature
from keys.secret import Secret

ME = Identity.decode(bytes(range(64)))


def test_what_is_sealed_to_the_recipient_opens_with_the_identity() -> None:
    sealed = age.seal(b"document", [ME.recipient])
    assert age.unseal(sealed, [ME.age], limit=100) == b"document"


@given(st.binary(min_size=64, max_size=64))
def test_encoding_and_decoding_are_inverse(raw: bytes) -> None:
    assert Identity.decode(raw).encode().expose() == raw


def test_the_first_half_is_the_age_seed_and_the_second_the_signing_seed() -> None:
    assert ME.age_seed.expose() == bytes(range(32))
    assert ME.signing_seed.expose() == bytes(range(32, 64))


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(Malformed):
        Identity.decode(bytes(size))
    if size != 32:
        with pytest.raises(Malformed):
            Identity(Secret(bytes(32)), Secret(bytes(size)))


def test_two_generated_identities_differ_in_both_halves() -> None:
    a, b = Identity.generate(), Identity.generate()
    assert a.age_seed != b.age_seed and a.signing_seed != b.signing_seed
    assert a.age_seed != a.signing_seed


def test_the_second_signature_is_by_a_key_derived_from_the_signing_seed_alone() -> None:
    """HKDF of RFC 5869 computed here, so that nobody changes the derivation unnoticed."""
    extracted = hmac.digest(bytes(32), ME.signing_seed.expose(), "sha256")
    seed = hmac.digest(extracted, b"sandyk mldsa v1\x01", "sha256")
    assert ME.mldsa_public == mldsa.public_of(Secret(seed))
    mldsa.verify(b"message", "purpose", ME.sign_mldsa(b"message", "purpose"), ME.mldsa_public)
    other_reader = Identity(Secret(bytes(32)), ME.signing_seed)
    assert other_reader.mldsa_public == ME.mldsa_public != Identity.generate().mldsa_public


def test_no_printed_form_shows_a_secret() -> None:
    assert repr(ME) == str(ME) == "Identity(<redacted>)"


def test_closing_closes_both_seeds() -> None:
    identity = Identity.generate()
    identity.close()
    signing = (lambda: identity.sign(labels.CARD_SIGNATURE, b""), lambda: identity.sign_mldsa(b"", "purpose"))
    for use in (identity.encode, lambda: identity.recipient, *signing):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_signature_for_one_purpose_serves_no_other() -> None:
    signature = ME.sign(labels.CARD_SIGNATURE, b"message")
    verify_signature(labels.CARD_SIGNATURE, b"message", signature, ME.signing_public)
    with pytest.raises(BadSignature):
        verify_signature(labels.ACCESS_SIGNATURE, b"message", signature, ME.signing_public)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_no_message_under_one_label_is_signed_as_a_message_under_another(a: bytes, b: bytes) -> None:
    assert signed_bytes("sandyk a v1", a) != signed_bytes("sandyk a v11", b)
    assert signed_bytes("sandyk a v1", a) != signed_bytes("sandyk a b v1", b)


@pytest.mark.parametrize("label", ["", "SSHSIG", "sandyk card", "sandyk card v1\0", "sandyk card v0", "sandyk Card v1"])
def test_what_is_no_label_signs_nothing(label: str) -> None:
    with pytest.raises(ValueError, match="not a label"):
        ME.sign(label, b"")


def test_every_label_of_a_signature_has_its_form_and_no_label_is_used_twice() -> None:
    values = [v for k, v in vars(labels).items() if k.isupper()]
    assert len(set(values)) == len(values)
    signing = [v for k, v in vars(labels).items() if k.endswith("_SIGNATURE")]
    assert len(signing) >= 4
    for label in signing:
        assert signed_bytes(label, b"").startswith(label.encode())
