# SPDX-License-Identifier: Apache-2.0
"""What is derived from the secrets of a journalist's machine and of a case (docs/format.md §1).

    chunk id key         = HKDF(epoch 1's age seed, "sandyk chunk id v1")
    index key            = HKDF(device secret | current epoch's age seed, "sandyk index v1")
    text key             = HKDF(device secret | an epoch's age seed, "sandyk text v1")
    device id            = HKDF(device secret, "sandyk device v1", salt = case id), 16 bytes
    compartment identity = HKDF(device secret, "sandyk compartment v1"), 64 bytes

HKDF-SHA-256 (RFC 5869), 32 bytes where nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys import labels
from keys.identity import ID_SIZE, IDENTITY_SIZE, Identity
from keys.primitives import hkdf
from keys.secret import Secret

if TYPE_CHECKING:
    from keys.access import CaseKeys


def chunk_id_key(keys: CaseKeys) -> Secret:
    """The key of BLAKE3 for chunk ids, 32 bytes: the same in all epochs, so that equal chunks are stored once.

    Former members keep it. It lets them tell whether a chunk id, should they ever see one, stands for bytes they have.
    """
    return Secret(hkdf(keys.epochs[0].age_seed.expose(), labels.CHUNK_ID))


def index_key(device_secret: Secret, keys: CaseKeys) -> Secret:
    """The raw SQLCipher key, 32 bytes: needs this machine's keyring and the case's current epoch."""
    return Secret(hkdf(device_secret.expose() + keys.epochs[-1].age_seed.expose(), labels.INDEX))


def text_key(device_secret: Secret, epoch: Identity) -> Secret:
    """The raw SQLCipher key, 32 bytes, of what was read in documents: as the index', for any epoch.

    A file that a new epoch came to is encrypted again, not thrown away: reading pictures may have taken hours.
    """
    return Secret(hkdf(device_secret.expose() + epoch.age_seed.expose(), labels.TEXT))


def device_id(device_secret: Secret, case_id: bytes) -> bytes:
    """16 bytes that tell this machine's packs from another's within a case, and mean nothing in another case."""
    return hkdf(device_secret.expose(), labels.DEVICE, salt=case_id, size=ID_SIZE)


def compartment_identity(device_secret: Secret) -> Identity:
    """The identity that a compartment's roster is sealed to and signed by: all who share the device secret have it."""
    return Identity.decode(hkdf(device_secret.expose(), labels.COMPARTMENT, size=IDENTITY_SIZE))
