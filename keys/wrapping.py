# SPDX-License-Identifier: Apache-2.0
"""The native keys of age and how each wraps a file key (https://age-encryption.org/v1).

Hybrid (mlkem768x25519, the default), X25519 and scrypt. The private keys exist only inside
``Secret``s and while one call runs: once a seed is closed, its identity opens nothing more.
Which kinds may share a file is not decided here but in ``keys.recipients``.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys import bech32
from keys.errors import MalformedAge, WeakCost
from keys.header import FILE_KEY_SIZE, Stanza, base64_size, decode_base64, encode_base64
from keys.primitives import hkdf
from keys.secret import Secret

SEED_SIZE = 32
CEILING_WORK_FACTOR = 22
"""4 GiB of memory for one try; age itself accepts no more."""

_X25519_SIZE = 32
_MLKEM_PUBLIC_SIZE = 1184
_MLKEM_SEED_SIZE = 64
_MLKEM_CIPHERTEXT_SIZE = 1088
_HYBRID_PUBLIC_SIZE = _MLKEM_PUBLIC_SIZE + _X25519_SIZE
_ENC_SIZE = _MLKEM_CIPHERTEXT_SIZE + _X25519_SIZE
_BODY_SIZE = FILE_KEY_SIZE + 16
_SALT_SIZE = 16
_HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
_X25519_INFO = "age-encryption.org/v1/X25519"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_WORK_FACTOR = re.compile(r"[1-9][0-9]?", re.ASCII)
_ZERO_NONCE = bytes(12)
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class _PublicKey:
    """A recipient with a text form."""

    raw: bytes = field(repr=False)
    PREFIX: ClassVar[str]
    KIND: ClassVar[str]

    @classmethod
    def parse(cls, untrusted_text: str) -> Self:
        """From its text form, which begins with ``PREFIX`` and ``1``. Raises MalformedAge."""
        return cls(bech32.decode(cls.PREFIX, untrusted_text))

    def __str__(self) -> str:
        return bech32.encode(self.PREFIX, self.raw)

    @property
    def kind(self) -> str:
        """The first argument of its stanzas."""
        return self.KIND


@dataclass(frozen=True, slots=True)
class _Seed:
    """An identity made of 32 random bytes."""

    seed: Secret
    PREFIX: ClassVar[str]

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_SIZE:
            raise MalformedAge(_("an identity has {seed_size} bytes").format(seed_size=SEED_SIZE))

    @classmethod
    def generate(cls) -> Self:
        """A new one, from the operating system's generator."""
        return cls(Secret.random(SEED_SIZE))

    @classmethod
    def parse(cls, untrusted_text: str) -> Self:
        """From its text form, which begins with ``PREFIX`` and ``1``. Raises MalformedAge, never showing the text."""
        return cls(Secret(bech32.decode(cls.PREFIX, untrusted_text)))

    def encode(self) -> Secret:
        """The text form in ASCII."""
        return Secret(bech32.encode(self.PREFIX, self.seed.expose()).encode("ascii"))


@dataclass(frozen=True, slots=True)
class HybridRecipient(_PublicKey):
    """The public half of a post-quantum hybrid key: ML-KEM-768 (1,184 bytes), then X25519 (32 bytes).

    Raises MalformedAge when the bytes are no such key.
    """

    PREFIX: ClassVar[str] = "age1pq"
    KIND: ClassVar[str] = "mlkem768x25519"

    def __post_init__(self) -> None:
        self._key()

    @property
    def stanza_size(self) -> int:
        """1,557 bytes."""
        return _stanza_size(self.KIND, "=" * base64_size(_ENC_SIZE))

    def wrap(self, file_key: bytes) -> Stanza:
        """HPKE SealBase (RFC 9180 §6.1) with an empty aad. Raises MalformedAge for a key of low order."""
        try:
            sealed = _SUITE.encrypt(file_key, self._key(), _HYBRID_INFO)
        except ValueError as exc:
            raise MalformedAge(_("a recipient of low order")) from exc
        enc, body = sealed[:_ENC_SIZE], sealed[_ENC_SIZE:]
        return Stanza((self.KIND, encode_base64(enc)), body)

    def _key(self) -> MLKEM768X25519PublicKey:
        if len(self.raw) != _HYBRID_PUBLIC_SIZE:
            raise MalformedAge(
                _("a hybrid recipient has {hybrid_public_size} bytes").format(hybrid_public_size=_HYBRID_PUBLIC_SIZE)
            )
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC_SIZE])
        except ValueError as exc:  # a coefficient that is not reduced (FIPS 203 §7.2)
            raise MalformedAge(_("a hybrid recipient whose ML-KEM half is no key")) from exc
        return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(self.raw[_MLKEM_PUBLIC_SIZE:]))


@dataclass(frozen=True, slots=True)
class HybridIdentity(_Seed):
    """The secret half: a 32-byte seed, of which SHAKE-256 makes the ML-KEM and X25519 keys."""

    PREFIX: ClassVar[str] = "AGE-SECRET-KEY-PQ-"

    @property
    def recipient(self) -> HybridRecipient:
        """The public half, computed anew at each call (a fifth of a millisecond)."""
        mlkem, x25519 = self._keys()
        return HybridRecipient(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None. Raises MalformedAge."""
        if stanza.kind != HybridRecipient.KIND:
            return None
        untrusted_enc = decode_base64(_only_argument(stanza), _ENC_SIZE)
        _check_body(stanza)
        mlkem, x25519 = self._keys()
        # HPKE answers a share of low order as if the stanza were somebody else's. It is nobody's:
        # the exchange is tried here first, to tell the two apart.
        _exchange(x25519, untrusted_enc[_MLKEM_CIPHERTEXT_SIZE:])
        try:
            return _SUITE.decrypt(untrusted_enc + stanza.body, MLKEM768X25519PrivateKey(mlkem, x25519), _HYBRID_INFO)
        except InvalidTag:
            return None

    def _keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed.expose()).digest(_MLKEM_SEED_SIZE + _X25519_SIZE)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_SIZE]),
            X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_SIZE:]),
        )


@dataclass(frozen=True, slots=True)
class X25519Recipient(_PublicKey):
    """The public half of a classic age key (32 bytes), for editors whose age is older than 1.3.

    Files sealed to it are not safe from a future quantum computer. Raises MalformedAge when the bytes are no such key.
    """

    PREFIX: ClassVar[str] = "age"
    KIND: ClassVar[str] = "X25519"

    def __post_init__(self) -> None:
        if len(self.raw) != _X25519_SIZE:
            raise MalformedAge(_("an X25519 recipient has {x25519_size} bytes").format(x25519_size=_X25519_SIZE))

    @property
    def stanza_size(self) -> int:
        """98 bytes."""
        return _stanza_size(self.KIND, "=" * base64_size(_X25519_SIZE))

    def wrap(self, file_key: bytes) -> Stanza:
        """To a new ephemeral share. Raises MalformedAge for a key of low order."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        wrap_key = hkdf(_exchange(ephemeral, self.raw), _X25519_INFO, salt=share + self.raw)
        return Stanza((self.KIND, encode_base64(share)), _wrap(file_key, wrap_key))


@dataclass(frozen=True, slots=True)
class X25519Identity(_Seed):
    """The secret half of a classic age key: 32 bytes."""

    PREFIX: ClassVar[str] = "AGE-SECRET-KEY-"

    @property
    def recipient(self) -> X25519Recipient:
        """The public half."""
        return X25519Recipient(self._key().public_key().public_bytes_raw())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None. Raises MalformedAge, also for a share of low order."""
        if stanza.kind != X25519Recipient.KIND:
            return None
        untrusted_share = decode_base64(_only_argument(stanza), _X25519_SIZE)
        _check_body(stanza)
        key = self._key()
        salt = untrusted_share + key.public_key().public_bytes_raw()
        return _unwrap(stanza.body, hkdf(_exchange(key, untrusted_share), _X25519_INFO, salt=salt))

    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.seed.expose())


@dataclass(frozen=True, slots=True)
class ScryptRecipient:
    """Whoever knows a passphrase. Always alone in its file; each try costs 2^work_factor KiB of memory.

    Raises WeakCost for a work factor outside 1..22.
    """

    passphrase: Secret
    work_factor: int = field(default=18, kw_only=True)
    KIND: ClassVar[str] = "scrypt"

    def __post_init__(self) -> None:
        if not 1 <= self.work_factor <= CEILING_WORK_FACTOR:
            raise WeakCost(
                _("an scrypt work factor lies between 1 and {ceiling_work_factor}").format(
                    ceiling_work_factor=CEILING_WORK_FACTOR
                )
            )

    @property
    def kind(self) -> str:
        """``scrypt``."""
        return self.KIND

    @property
    def stanza_size(self) -> int:
        """Depends on the digits of the work factor."""
        return _stanza_size(self.KIND, "=" * base64_size(_SALT_SIZE), str(self.work_factor))

    def wrap(self, file_key: bytes) -> Stanza:
        """With a new salt."""
        salt = os.urandom(_SALT_SIZE)
        body = _wrap(file_key, _scrypt(self.passphrase, salt, self.work_factor))
        return Stanza((self.KIND, encode_base64(salt), str(self.work_factor)), body)


@dataclass(frozen=True, slots=True)
class ScryptIdentity:
    """A passphrase to try. A file that asks for more than ``max_work_factor`` is refused before any work."""

    passphrase: Secret
    max_work_factor: int = field(default=20, kw_only=True)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None when the passphrase is another. Raises MalformedAge."""
        if stanza.kind != ScryptRecipient.KIND:
            return None
        if len(stanza.arguments) != 3:
            raise MalformedAge(_("an scrypt stanza has three arguments"))
        salt = decode_base64(stanza.arguments[1], _SALT_SIZE)
        untrusted_factor = stanza.arguments[2]
        _check_body(stanza)
        if not _WORK_FACTOR.fullmatch(untrusted_factor):
            raise MalformedAge(_("the work factor is no number between 1 and 99"))
        if int(untrusted_factor) > self.max_work_factor:
            raise MalformedAge(
                _("the file asks for 2^{untrusted_factor} scrypt work, over 2^{max_work_factor}").format(
                    untrusted_factor=untrusted_factor, max_work_factor=self.max_work_factor
                )
            )
        return _unwrap(stanza.body, _scrypt(self.passphrase, salt, int(untrusted_factor)))


def _only_argument(stanza: Stanza) -> str:
    if len(stanza.arguments) != 2:
        raise MalformedAge(_("a stanza of kind {kind} has two arguments").format(kind=stanza.kind))
    return stanza.arguments[1]


def _check_body(stanza: Stanza) -> None:
    # Before decrypting, so that no longer body can be made that several keys open (partitioning oracles).
    if len(stanza.body) != _BODY_SIZE:
        raise MalformedAge(
            _("the body of a stanza of kind {kind} has {body_size} bytes").format(
                kind=stanza.kind, body_size=_BODY_SIZE
            )
        )


def _stanza_size(*arguments: str) -> int:
    return len(Stanza(arguments, bytes(_BODY_SIZE)).encode())


def _exchange(secret: X25519PrivateKey, untrusted_share: bytes) -> bytes:
    try:
        return secret.exchange(X25519PublicKey.from_public_bytes(untrusted_share))
    except ValueError as exc:  # the shared secret is all zeros (RFC 7748 §6.1)
        raise MalformedAge(_("an X25519 share of low order")) from exc


def _scrypt(passphrase: Secret, salt: bytes, work_factor: int) -> bytes:
    kdf = Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1)
    try:
        return kdf.derive(passphrase.expose())
    except MemoryError as exc:
        raise MalformedAge(
            _("2^{work_factor} scrypt work needs more memory than this machine has").format(work_factor=work_factor)
        ) from exc


def _wrap(file_key: bytes, wrap_key: bytes) -> bytes:
    # The nonce may be fixed because a wrap key, made with a new share or salt, is used once.
    return ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)


def _unwrap(body: bytes, wrap_key: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        return None
