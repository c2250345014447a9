# SPDX-License-Identifier: Apache-2.0
"""What may be kept of an opened slot while nobody types: whom it opens, and where they are at home.

Owns the value and its bytes. It does not say what opened it, a passphrase or a duress passphrase, nor which slot of the
pair that was: whoever reads an agent's memory or asks it must not see the difference (docs/decisions/0032). So a
decoy's ``HeldSlot`` is the same, byte for byte, whichever of its two passphrases was typed.

    offset  size
         0     1  home: compartment times 16 plus pair, 0-63
         1    32  alive mark of the home compartment (``slots.alive_mark``)
        33    32  SHA-256 of both slots of the home pair, 8192 bytes
        65    16  journalist id
        81    32  age seed
       113    32  signing seed
       145    32  device secret

``keyring.hold`` makes one, ``keyring.check_held`` confirms one against the file.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from gettext import gettext as _

from keys import layout
from keys.errors import MalformedKeyring
from keys.identity import ID_SIZE, IDENTITY_SIZE, SEED_SIZE, Identity
from keys.secret import Secret
from keys.slots import JournalistSlot, alive_mark

_MARK = 32
_SEALED_AT = 1 + _MARK
_ID_AT = _SEALED_AT + _MARK
_IDENTITY_AT = _ID_AT + ID_SIZE
_DEVICE_AT = _IDENTITY_AT + IDENTITY_SIZE
HELD_SIZE = _DEVICE_AT + SEED_SIZE


@dataclass(frozen=True, slots=True)
class HeldSlot:
    """A journalist, and marks by which to see that the keyring is still the one that they were opened from."""

    home: tuple[int, int]
    """Compartment and pair."""
    alive: bytes
    sealed: bytes
    journalist: JournalistSlot
    """``needs_token`` and ``filler_seed`` belong to a slot, not to whom it opens: here they mean nothing."""

    @property
    def compartment(self) -> int:
        """0 to 3."""
        return self.home[0]

    def close(self) -> None:
        """Zero every secret in it."""
        self.journalist.close()

    def encode(self) -> bytearray:
        """177 bytes, secret, for the caller to zero."""
        compartment, pair = self.home
        return bytearray(
            bytes([compartment * layout.PAIRS_PER_COMPARTMENT + pair])
            + self.alive
            + self.sealed
            + self.journalist.journalist_id
            + self.journalist.identity.encode().expose()
            + self.journalist.device_secret.expose()
        )

    def fits(self, keyring: bytes) -> bool:
        """Whether both slots of the home pair of a whole keyring are still the same."""
        return hmac.compare_digest(_pair_digest(keyring, self.home), self.sealed)


def held(keyring: bytes, home: tuple[int, int], journalist: JournalistSlot) -> HeldSlot:
    """What may be kept of ``journalist``, who was opened from this whole keyring and is at home there."""
    return HeldSlot(home, alive_mark(keyring, home[0]), _pair_digest(keyring, home), journalist)


def decode_held(untrusted: bytes) -> HeldSlot:
    """The one value that encodes to these bytes. Raises MalformedKeyring."""
    if len(untrusted) != HELD_SIZE or untrusted[0] >= layout.COMPARTMENTS * layout.PAIRS_PER_COMPARTMENT:
        raise MalformedKeyring(_("a held slot has 177 bytes and a place in the keyring"))
    home = divmod(untrusted[0], layout.PAIRS_PER_COMPARTMENT)
    journalist = JournalistSlot(
        identity=Identity.decode(untrusted[_IDENTITY_AT:_DEVICE_AT]),
        device_secret=Secret(untrusted[_DEVICE_AT:]),
        journalist_id=untrusted[_ID_AT:_IDENTITY_AT],
        compartment=home[0],
    )
    return HeldSlot(home, untrusted[1:_SEALED_AT], untrusted[_SEALED_AT:_ID_AT], journalist)


def _pair_digest(keyring: bytes, home: tuple[int, int]) -> bytes:
    first = home[0] * layout.SLOTS_PER_COMPARTMENT + 2 * home[1]
    at = layout.SLOTS_OFFSET + first * layout.SLOT_SIZE
    return hashlib.sha256(keyring[at : at + 2 * layout.SLOT_SIZE]).digest()
