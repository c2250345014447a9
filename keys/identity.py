# SPDX-License-Identifier: Apache-2.0
"""An identity: the secret that reads what is sealed to somebody, and signs in their pseudonym.

Owns docs/format.md §3.1: two independent 32-byte seeds, one of an age hybrid identity (ML-KEM-768 with
X25519, C2SP age), one of an Ed25519 key (RFC 8032) and, derived from the same, an ML-DSA-65 key (FIPS 204;
docs/decisions/0036-proof.md says why that is sound). No name is inside. Whom it belongs to, and
whether somebody may do what they signed, is the caller's to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as _

from keys import labels, mldsa, primitives
from keys.age import HybridIdentity, HybridRecipient
from keys.card import Card, make_card
from keys.errors import Malformed
from keys.secret import Secret
from keys.signing import signed_bytes, verify_signature

__all__ = ["IDENTITY_SIZE", "ID_SIZE", "SEED_SIZE", "Identity", "signed_bytes", "verify_signature"]

SEED_SIZE = 32
IDENTITY_SIZE = 2 * SEED_SIZE
ID_SIZE = 16
"""Bytes of the random ids of journalists and cases."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Two seeds of 32 bytes. Shows neither; ``close()`` zeroes both."""

    age_seed: Secret
    signing_seed: Secret

    def __post_init__(self) -> None:
        if len(self.age_seed) != SEED_SIZE or len(self.signing_seed) != SEED_SIZE:
            raise Malformed(_("an identity is made of two seeds of 32 bytes"))

    @classmethod
    def generate(cls) -> Identity:
        """A new identity from the operating system's generator."""
        return cls(Secret.random(SEED_SIZE), Secret.random(SEED_SIZE))

    @classmethod
    def decode(cls, untrusted: bytes) -> Identity:
        """The identity of 64 bytes: age seed, then signing seed. Raises Malformed for another size."""
        if len(untrusted) != IDENTITY_SIZE:
            raise Malformed(_("an identity is 64 bytes"))
        return cls(Secret(untrusted[:SEED_SIZE]), Secret(untrusted[SEED_SIZE:]))

    def encode(self) -> Secret:
        """64 bytes: age seed, then signing seed."""
        return Secret(self.age_seed.expose() + self.signing_seed.expose())

    @property
    def age(self) -> HybridIdentity:
        """What opens age files that were sealed to ``recipient``."""
        if not len(self.age_seed):
            raise ValueError("this identity was closed")
        return HybridIdentity(self.age_seed)

    @property
    def recipient(self) -> HybridRecipient:
        """The public half of ``age``."""
        return self.age.recipient

    @property
    def signing_public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return primitives.signing_public(self.signing_seed.expose())

    def sign(self, label: str, message: bytes) -> bytes:
        """A 64-byte Ed25519 signature over ``signed_bytes(label, message)``."""
        return primitives.sign(signed_bytes(label, message), self.signing_seed.expose())

    @property
    def mldsa_public(self) -> bytes:
        """The ML-DSA-65 public key, 1952 bytes. A card names its SHA-256."""
        return mldsa.public_of(self._mldsa_seed())

    def sign_mldsa(self, message: bytes, context: str) -> bytes:
        """A 3309-byte ML-DSA-65 signature over ``message`` for a purpose that ``context`` names."""
        return mldsa.sign(message, context, self._mldsa_seed())

    def card(self, *, case_id: bytes | None = None, epoch: int | None = None) -> Card:
        """The public half, signed by itself: a person's card, or with id and epoch the card of a case."""
        return make_card(self, case_id=case_id, epoch=epoch)

    def close(self) -> None:
        """Zero both seeds. The identity is of no use afterwards."""
        self.age_seed.close()
        self.signing_seed.close()

    def _mldsa_seed(self) -> Secret:
        return Secret(primitives.hkdf(self.signing_seed.expose(), labels.MLDSA))

    def __repr__(self) -> str:
        return "Identity(<redacted>)"
