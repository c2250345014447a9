# SPDX-License-Identifier: Apache-2.0
"""One slot of a keyring: what it holds, and how it becomes 4096 random-looking bytes.

Owns docs/format.md §2.2 and §2.3. Pure: it neither reads nor writes the file, and knows nothing of
pairs or of which slot to take; ``keys.keyring`` does.

    E_c        = BLAKE2b-256(person "sandyk E", c | K | R_c)            c: compartment, 1 byte
    A          = Argon2id(passphrase, salt)                              ``keys.primitives``
    KEK        = BLAKE2b-256(key A, "kek" | slot number | E_c | X)       2 bytes, big-endian; X: 32 bytes or nothing
    commitment = BLAKE2b-256(key KEK, "commit" | nonce)
    slot       = nonce 24 | commitment 32 | XChaCha20-Poly1305(KEK, nonce, payload 4024) + 16

The commitment finds the slot without decrypting, and binds it to one key: Poly1305 alone does
not (Len, Grubbs, Ristenpart, "Partitioning Oracle Attacks", USENIX Security 2021).

Payload, 4024 bytes:

    offset  size
         0     1  version, 1
         1     1  kind: 1 journalist, 2 duress, 3 recovery
         2     1  compartment, 0-3: the one the slot lies in
         3     1  flags: bit 0, the slot needs an outside half
         4     1  duress: compartments to destroy, one bit each; else 0
         5     1  duress: the decoy's own compartment, 0-3; else 0
         6     1  duress: the decoy's own pair there, 0-15; recovery: the journalist's own pair; journalist: 0
         7     1  zero
         8    16  journalist id
        24    32  age seed
        56    32  signing seed
        88    32  device secret
       120    32  filler seed
       152  3872  zero

A duress payload holds the journalist that is opened afterwards, in the same places: who they are, and by
compartment and pair whose roster and book they use. The slot itself lies elsewhere (``keys.duress``). A recovery
payload holds a journalist of the same compartment, and opens with what shares of a key give (``keys.shares``).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import assert_never

from keys import labels, layout
from keys.errors import MalformedKeyring, NewerFormat
from keys.identity import ID_SIZE, IDENTITY_SIZE, SEED_SIZE, Identity
from keys.primitives import AEAD_NONCE_SIZE, AEAD_TAG_SIZE, KEY_SIZE, aead_open, aead_seal, blake2b
from keys.secret import Secret

PAYLOAD_VERSION = 1
PAYLOAD_SIZE = layout.SLOT_SIZE - AEAD_NONCE_SIZE - KEY_SIZE - AEAD_TAG_SIZE
TOKEN_SIZE = 32

_JOURNALIST = 1
_DURESS = 2
_RECOVERY = 3
_NEEDS_TOKEN = 1
_ID_AT = 8
_IDENTITY_AT = _ID_AT + ID_SIZE
_DEVICE_AT = _IDENTITY_AT + IDENTITY_SIZE
_FILLER_AT = _DEVICE_AT + SEED_SIZE
_USED = _FILLER_AT + SEED_SIZE


@dataclass(frozen=True, slots=True)
class JournalistSlot:
    """A journalist: who they are, and the secret that this compartment's journalists share on this machine.

    ``compartment``, ``needs_token`` and ``filler_seed`` say where and how the slot lies in the file. Whoever writes a
    slot sets them (``keyring.first``, ``add``, ``change_passphrase``), whatever they were before.
    """

    identity: Identity
    device_secret: Secret
    journalist_id: bytes
    compartment: int = 0
    needs_token: bool = False
    filler_seed: Secret = field(default_factory=Secret.random)

    def __post_init__(self) -> None:
        if len(self.device_secret) != SEED_SIZE or len(self.filler_seed) != SEED_SIZE:
            raise MalformedKeyring(_("a device secret and a filler seed have 32 bytes"))
        if len(self.journalist_id) != ID_SIZE or not 0 <= self.compartment < layout.COMPARTMENTS:
            raise MalformedKeyring(_("a journalist's id has 16 bytes, and a compartment is one of four"))

    @classmethod
    def new(
        cls, identity: Identity, *, device_secret: Secret | None = None, needs_token: bool = False
    ) -> JournalistSlot:
        """A slot with a random journalist id, and a random device secret unless the compartment has one already."""
        secret = Secret.random() if device_secret is None else device_secret
        return cls(identity, secret, os.urandom(ID_SIZE), needs_token=needs_token)

    def close(self) -> None:
        """Zero every secret in it."""
        self.identity.close()
        self.device_secret.close()
        self.filler_seed.close()


@dataclass(frozen=True, slots=True)
class DuressSlot:
    """What a duress passphrase does: destroy these compartments, then open this journalist, who lives in another.

    ``decoy.compartment`` and ``pair`` are where the decoy's own slot, roster and book are; ``compartment`` is where
    this slot lies, which survives, so that the passphrase opens the decoy as often as it is typed.
    """

    decoy: JournalistSlot
    pair: int
    compartment: int
    destroy: tuple[int, ...]
    """Compartments, ascending, at least one, neither the decoy's nor the slot's own."""

    def __post_init__(self) -> None:
        if not self.destroy or list(self.destroy) != sorted(set(self.destroy)):
            raise MalformedKeyring(_("compartments to destroy are named once, in order"))
        if {self.compartment, self.decoy.compartment} & set(self.destroy):
            raise MalformedKeyring(_("a duress slot never destroys its own compartment, or its decoy's"))
        if not {self.compartment, *self.destroy} <= set(range(layout.COMPARTMENTS)):
            raise MalformedKeyring(_("a compartment is one of four"))
        if not 0 <= self.pair < layout.PAIRS_PER_COMPARTMENT:
            raise MalformedKeyring(_("a pair is one of sixteen"))

    def close(self) -> None:
        """Zero every secret in it."""
        self.decoy.close()


@dataclass(frozen=True, slots=True)
class RecoverySlot:
    """A second way to a journalist, for whoever gathers enough shares of a key: only to give them a new passphrase.

    It lies in a pair of its own in the journalist's compartment, so that what destroys the one destroys the other.
    """

    journalist: JournalistSlot
    pair: int
    """The journalist's own pair, 0 to 15."""

    def __post_init__(self) -> None:
        if not 0 <= self.pair < layout.PAIRS_PER_COMPARTMENT:
            raise MalformedKeyring(_("a pair is one of sixteen"))

    @property
    def compartment(self) -> int:
        """0 to 3."""
        return self.journalist.compartment

    def close(self) -> None:
        """Zero every secret in it."""
        self.journalist.close()


Payload = JournalistSlot | DuressSlot | RecoverySlot


def journalist_of(payload: Payload) -> JournalistSlot:
    """The journalist that a payload opens."""
    match payload:
        case DuressSlot():
            return payload.decoy
        case RecoverySlot():
            return payload.journalist
        case JournalistSlot():
            return payload
        case _:
            assert_never(payload)


def encode_payload(payload: Payload) -> bytes:
    """4024 bytes, secret."""
    journalist = journalist_of(payload)
    if isinstance(payload, DuressSlot):
        mask = sum(1 << c for c in payload.destroy)
        place = (_DURESS, payload.compartment, journalist.needs_token, mask, journalist.compartment, payload.pair)
    elif isinstance(payload, RecoverySlot):
        place = (_RECOVERY, payload.compartment, journalist.needs_token, 0, 0, payload.pair)
    else:
        place = (_JOURNALIST, journalist.compartment, journalist.needs_token, 0, 0, 0)
    used = (
        bytes([PAYLOAD_VERSION, *place]).ljust(_ID_AT, b"\0")
        + journalist.journalist_id
        + journalist.identity.encode().expose()
        + journalist.device_secret.expose()
        + journalist.filler_seed.expose()
    )
    return used.ljust(PAYLOAD_SIZE, b"\0")


def decode_payload(untrusted: bytes) -> Payload:
    """The one payload that encodes to these bytes. Raises MalformedKeyring, NewerFormat."""
    if len(untrusted) != PAYLOAD_SIZE:
        raise MalformedKeyring(_("a payload has 4024 bytes"))
    version, kind, compartment, flags, mask, home, pair = untrusted[:7]
    if version > PAYLOAD_VERSION:
        raise NewerFormat(_("a slot of the keyring"))
    if version != PAYLOAD_VERSION or kind not in (_JOURNALIST, _DURESS, _RECOVERY):
        raise MalformedKeyring(_("a slot of a version or kind that this program does not know"))
    if flags & ~_NEEDS_TOKEN or any(untrusted[7:_ID_AT]) or any(untrusted[_USED:]):
        raise MalformedKeyring(_("a slot with something where nothing may be"))
    if mask >> layout.COMPARTMENTS or (kind != _DURESS and (mask or home)) or (kind == _JOURNALIST and pair):
        raise MalformedKeyring(_("a slot that destroys what it may not"))
    journalist = JournalistSlot(
        identity=Identity.decode(untrusted[_IDENTITY_AT:_DEVICE_AT]),
        device_secret=Secret(untrusted[_DEVICE_AT:_FILLER_AT]),
        journalist_id=untrusted[_ID_AT:_IDENTITY_AT],
        compartment=home if kind == _DURESS else compartment,
        needs_token=bool(flags & _NEEDS_TOKEN),
        filler_seed=Secret(untrusted[_FILLER_AT:_USED]),
    )
    if kind == _JOURNALIST:
        return journalist
    if kind == _RECOVERY:
        return RecoverySlot(journalist, pair)
    return DuressSlot(journalist, pair, compartment, tuple(c for c in range(layout.COMPARTMENTS) if mask >> c & 1))


def environment(keyring: bytes, compartment: int) -> bytes:
    """E_c, 32 bytes: needs every byte of the kill area and of the compartment's region."""
    return blake2b(bytes([compartment]), *_random_areas(keyring, compartment), person=labels.ENVIRONMENT_PERSON)


def alive_mark(keyring: bytes, compartment: int) -> bytes:
    """32 bytes that change when E_c does, and from which E_c cannot be had: a long-running process may keep them."""
    return blake2b(bytes([compartment]), *_random_areas(keyring, compartment), person=labels.ALIVE_PERSON)


def slot_key(stretched: bytes, slot: int, environment: bytes, outside_half: bytes) -> bytes:
    """KEK, 32 bytes. ``stretched`` is A; ``outside_half`` is X, 32 bytes or empty."""
    return blake2b(b"kek", slot.to_bytes(2, "big"), environment, outside_half, key=stretched)


def commitment(key: bytes, nonce: bytes) -> bytes:
    """What a slot with this nonce carries when ``key`` opens it, 32 bytes."""
    return blake2b(b"commit", nonce, key=key)


def seal_slot(payload: bytes, key: bytes, nonce: bytes) -> bytes:
    """4096 bytes. The nonce is random and used once; 24 bytes make repeats impossible in practice."""
    return nonce + commitment(key, nonce) + aead_seal(payload, nonce, key)


def split_slot(slot: bytes) -> tuple[bytes, bytes, bytes]:
    """Nonce (24), commitment (32) and ciphertext (4040) of 4096 bytes."""
    body = AEAD_NONCE_SIZE + KEY_SIZE
    return slot[:AEAD_NONCE_SIZE], slot[AEAD_NONCE_SIZE:body], slot[body:]


def open_slot(slot: bytes, key: bytes) -> bytes:
    """The payload. Raises Damaged. The caller compared the commitment."""
    nonce, __, ciphertext = split_slot(slot)
    return aead_open(ciphertext, nonce, key)


def filler(seed: Secret) -> bytes:
    """The 4096 bytes that lie in the other slot of a pair: SHAKE-256 of the label and the seed in the live slot.

    Derived instead of drawn, so that whoever opens the live slot can tell whether the other one
    still holds a passphrase that an interrupted change left behind.
    """
    return hashlib.shake_256(labels.FILLER.encode("ascii") + seed.expose()).digest(layout.SLOT_SIZE)


def region_offset(compartment: int) -> int:
    """Where R_c begins in the file."""
    return layout.REGIONS_OFFSET + compartment * layout.REGION_SIZE


def _random_areas(keyring: bytes, compartment: int) -> tuple[memoryview, memoryview]:
    view, start = memoryview(keyring), region_offset(compartment)
    kill_area = view[layout.KILL_AREA_OFFSET : layout.KILL_AREA_OFFSET + layout.KILL_AREA_SIZE]
    return kill_area, view[start : start + layout.REGION_SIZE]
