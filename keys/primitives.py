# SPDX-License-Identifier: Apache-2.0
"""The few primitives that keys are made of, each by its own name.

Nothing here is ours: Argon2id (RFC 9106), XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03)
and Ed25519 (RFC 8032) come from libsodium through PyNaCl, BLAKE2b (RFC 7693) and SHA-256
from the standard library, HKDF-SHA-256 (RFC 5869) from ``cryptography``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from gettext import gettext as _

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.exceptions import RuntimeError as SodiumFailed

from keys.errors import BadSignature, Damaged, WeakCost

KEY_SIZE = 32
AEAD_NONCE_SIZE = 24
AEAD_TAG_SIZE = 16
SIGNATURE_SIZE = 64
SALT_SIZE = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try of a passphrase costs: Argon2id with one lane.

    One lane, because libsodium computes no more, and because lanes run in threads whose
    use from two Python threads at once has hung other implementations.
    """

    memory_kib: int
    passes: int


FLOOR = Cost(64 << 10, 3)
"""The least a vault may ask for: 64 MiB and 3 passes, the memory of RFC 9106's second recommended option."""
DEFAULT = Cost(192 << 10, 4)
"""What a new vault asks for: about half a second on a laptop, and with the rest of a command less than 300 MB."""
CEILING = Cost(4 << 20, 64)
"""The most a header may ask for, so that a hostile one cannot take the machine down."""


def argon2id(passphrase: bytes, salt: bytes, cost: Cost, *, floor: Cost = FLOOR) -> bytes:
    """Stretch a passphrase to 32 bytes (RFC 9106), with a 16-byte salt.

    Raises WeakCost before computing anything, and when this machine cannot give that much memory.
    """
    check_cost(cost, floor=floor)
    try:
        return bindings.crypto_pwhash_alg(
            KEY_SIZE, passphrase, salt, cost.passes, cost.memory_kib << 10, bindings.crypto_pwhash_ALG_ARGON2ID13
        )
    except SodiumFailed as exc:
        raise WeakCost(
            _("this machine cannot give the {memory_kib} MiB that one try needs").format(
                memory_kib=cost.memory_kib >> 10
            )
        ) from exc


def check_cost(cost: Cost, *, floor: Cost = FLOOR) -> None:
    """Raise WeakCost unless floor <= cost <= CEILING in both numbers."""
    if cost.memory_kib < floor.memory_kib or cost.passes < floor.passes:
        raise WeakCost(
            _("a passphrase may not cost less than {memory_kib} MiB and {passes} passes").format(
                memory_kib=floor.memory_kib >> 10, passes=floor.passes
            )
        )
    if cost.memory_kib > CEILING.memory_kib or cost.passes > CEILING.passes:
        raise WeakCost(
            _("a passphrase may cost at most {memory_kib} GiB and {passes} passes").format(
                memory_kib=CEILING.memory_kib >> 20, passes=CEILING.passes
            )
        )


def blake2b(*parts: bytes | memoryview, key: bytes = b"", person: bytes = b"") -> bytes:
    """BLAKE2b-256 over the parts, which the caller must keep unambiguous (fixed sizes)."""
    h = hashlib.blake2b(digest_size=KEY_SIZE, key=key, person=person)
    for part in parts:
        h.update(part)
    return h.digest()


def hkdf(secret: bytes, label: str, *, salt: bytes = b"", size: int = KEY_SIZE) -> bytes:
    """HKDF-SHA-256 (RFC 5869) with a label of docs/format.md §1 as its info."""
    return HKDF(algorithm=SHA256(), length=size, salt=salt or None, info=label.encode("ascii")).derive(secret)


def aead_seal(plaintext: bytes, nonce: bytes, key: bytes) -> bytes:
    """XChaCha20-Poly1305: plaintext plus 16 bytes."""
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, None, nonce, key)


def aead_open(ciphertext: bytes, nonce: bytes, key: bytes) -> bytes:
    """The plaintext, or Damaged."""
    if len(ciphertext) < AEAD_TAG_SIZE:  # PyNaCl would ask for an array of negative size
        raise Damaged(_("too short to be authentic"))
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, None, nonce, key)
    except CryptoError as exc:
        raise Damaged(_("authentication failed")) from exc


def signing_public(seed: bytes) -> bytes:
    """The Ed25519 public key (32 bytes) of a 32-byte seed."""
    public, __ = bindings.crypto_sign_seed_keypair(seed)
    return public


def sign(message: bytes, seed: bytes) -> bytes:
    """A detached Ed25519 signature, 64 bytes (RFC 8032)."""
    __, secret = bindings.crypto_sign_seed_keypair(seed)
    return bindings.crypto_sign(message, secret)[:SIGNATURE_SIZE]


def verify(message: bytes, signature: bytes, public: bytes) -> None:
    """Return, or raise BadSignature."""
    if len(signature) != SIGNATURE_SIZE or len(public) != KEY_SIZE:
        raise BadSignature(_("a signature or key of the wrong size"))
    try:
        bindings.crypto_sign_open(signature + message, public)
    except CryptoError as exc:
        raise BadSignature(_("the signature does not verify")) from exc
