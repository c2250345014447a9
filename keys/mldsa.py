# SPDX-License-Identifier: Apache-2.0
"""ML-DSA-65 (FIPS 204): the signature that a quantum computer does not forge, beside Ed25519.

Owns the sizes, the context of a signature and the PEM of a public key (RFC 9881: a SubjectPublicKeyInfo whose
DER has one prefix for every key). The algorithm is OpenSSL's, through ``cryptography``: the "pure" form,
hedged, so two signatures of one message differ. Keys are seeds of 32 bytes. It decides nothing about who may sign:
whoever verifies must have the public key, or its SHA-256, from somewhere they trust.
"""

from __future__ import annotations

import base64
import hashlib
from gettext import gettext as _

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from keys.errors import BadSignature, Malformed
from keys.secret import Secret

PUBLIC_SIZE = 1952
SIGNATURE_SIZE = 3309
"""FIPS 204, table 2."""
MAX_PEM_SIZE = 4096
"""A key takes 2,726."""

# SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.3.18 }, BIT STRING (1952 bytes) }: RFC 9881 sections 2 and 4.
_SPKI_PREFIX = bytes.fromhex("308207b2300b0609608648016503040312038207a100")
_BEGIN = b"-----BEGIN PUBLIC KEY-----\n"
_END = b"-----END PUBLIC KEY-----\n"
_LINE_WIDTH = 64  # RFC 7468 section 2


def public_of(seed: Secret) -> bytes:
    """The public key, 1952 bytes, of a 32-byte seed."""
    return _private(seed).public_key().public_bytes_raw()


def digest_of(public: bytes) -> bytes:
    """SHA-256 of a public key: what a card names instead of the key itself."""
    return hashlib.sha256(public).digest()


def sign(message: bytes, context: str, seed: Secret) -> bytes:
    """A signature, 3309 bytes, over ``message`` for a purpose: ``context`` is 1 to 255 bytes of ASCII."""
    return _private(seed).sign(message, context=_context(context))


def verify(message: bytes, context: str, untrusted_signature: bytes, public: bytes) -> None:
    """Return, or raise BadSignature: ``sign`` turned round."""
    if len(untrusted_signature) != SIGNATURE_SIZE or len(public) != PUBLIC_SIZE:
        raise BadSignature(_("an ML-DSA-65 signature or key of the wrong size"))
    try:
        MLDSA65PublicKey.from_public_bytes(public).verify(untrusted_signature, message, context=_context(context))
    except InvalidSignature as exc:
        raise BadSignature(_("the ML-DSA-65 signature does not verify")) from exc


def encode_pem(public: bytes) -> bytes:
    """The public key as OpenSSL 3.5 and later read it."""
    if len(public) != PUBLIC_SIZE:
        raise Malformed(_("an ML-DSA-65 public key has {public_size} bytes").format(public_size=PUBLIC_SIZE))
    text = base64.b64encode(_SPKI_PREFIX + public)
    lines = [text[i : i + _LINE_WIDTH] + b"\n" for i in range(0, len(text), _LINE_WIDTH)]
    return b"".join([_BEGIN, *lines, _END])


def parse_pem(untrusted: bytes) -> bytes:
    """The public key in a PEM that is spelled as ``encode_pem`` spells it. Raises Malformed."""
    inner = untrusted.removeprefix(_BEGIN).removesuffix(_END)
    if len(untrusted) > MAX_PEM_SIZE:
        raise Malformed(_("longer than an ML-DSA-65 public key"))
    try:
        der = base64.b64decode(inner.replace(b"\n", b""), validate=True)
    except ValueError as exc:
        raise Malformed(_("not a public key in PEM")) from exc
    public = der.removeprefix(_SPKI_PREFIX)
    if len(public) != PUBLIC_SIZE or encode_pem(public) != untrusted:
        raise Malformed(_("not an ML-DSA-65 public key as this program writes it"))
    return public


def _private(seed: Secret) -> MLDSA65PrivateKey:
    return MLDSA65PrivateKey.from_seed_bytes(seed.expose())


def _context(context: str) -> bytes:
    """A context is fixed in the code; one that is empty or too long would be a mistake there."""
    encoded = context.encode("ascii")
    if not 1 <= len(encoded) <= 255:
        raise ValueError("a context has 1 to 255 bytes")
    return encoded
