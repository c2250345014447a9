# SPDX-License-Identifier: Apache-2.0
"""Bech32 (BIP 173) as age uses it: keys as text with a checksum, of any length.

One spelling per value: the prefix decides the case of the whole text, and padding bits must
be zero, so whatever decodes encodes back to the same text. Never shows the text in an
error, because half of the texts that come here are secret keys.
"""

from __future__ import annotations

import base64
import functools
import operator
from gettext import gettext as _

from keys.errors import MalformedAge

MAX_TEXT_SIZE = 4096
"""Characters. The longest key of the age specification, ``age1tagpq1…``, has about 2,010."""

_ALPHABET = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_TO_TEXT = bytes.maketrans(bytes(range(32)), _ALPHABET)
_FROM_TEXT = bytes.maketrans(_ALPHABET, bytes(range(32)))
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""The alphabet of RFC 4648, section 6, which cuts bytes into the same groups of five bits."""
_TO_BASE32 = bytes.maketrans(bytes(range(32)), _BASE32)
_FROM_BASE32 = bytes.maketrans(_BASE32, bytes(range(32)))
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_STEPS = tuple(
    functools.reduce(operator.xor, (g for i, g in enumerate(_GENERATORS) if top >> i & 1), 0) for top in range(32)
)
"""What the five bits that are pushed out of a checksum add to it. A post-quantum key has 2,000 letters, and a book a
thousand keys."""
_CHECKSUM_SIZE = 6


def encode(prefix: str, data: bytes) -> str:
    """``prefix``, ``1``, the data and its checksum; in capitals when the prefix is in capitals."""
    values = _regroup(data)
    polymod = _polymod(_expand(prefix) + values + bytes(_CHECKSUM_SIZE)) ^ 1
    values += bytes(polymod >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_SIZE))
    text = prefix.lower() + "1" + values.translate(_TO_TEXT).decode("ascii")
    return text.upper() if prefix.isupper() else text


def prefix_of(untrusted_text: str) -> str:
    """What stands before the last ``1``: names the kind of key, and is checked by nothing yet."""
    return untrusted_text.rpartition("1")[0]


def decode(prefix: str, untrusted_text: str) -> bytes:
    """The data of a text that carries exactly this prefix, in the prefix's case. Raises MalformedAge."""
    if len(untrusted_text) > MAX_TEXT_SIZE:
        raise MalformedAge(_("longer than any key"))
    body = untrusted_text.removeprefix(prefix + "1")
    if body == untrusted_text or len(body) < _CHECKSUM_SIZE:
        raise MalformedAge(_("not a key that begins with {prefix}1").format(prefix=prefix))
    if prefix.isupper():
        if body != body.upper():
            raise MalformedAge(_("a key of mixed case"))
        body = body.lower()
    letters = body.encode("ascii", "replace")  # by question marks, which no key contains
    if letters.translate(None, _ALPHABET):
        raise MalformedAge(_("a character that no key contains"))
    values = letters.translate(_FROM_TEXT)
    if _polymod(_expand(prefix) + values) != 1:
        raise MalformedAge(_("the key's checksum is wrong: a letter was lost or changed"))
    return _join(values[:-_CHECKSUM_SIZE])


def _expand(prefix: str) -> bytes:
    codes = prefix.lower().encode("ascii")
    return bytes([*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)])


def _polymod(values: bytes) -> int:
    checksum = 1
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _STEPS[checksum >> 25]
    return checksum


def _regroup(data: bytes) -> bytes:
    """Bytes as 5-bit values, the last one filled up with zero bits."""
    return base64.b32encode(data).rstrip(b"=").translate(_FROM_BASE32)


def _join(values: bytes) -> bytes:
    """5-bit values as bytes; what is left over must be fewer than five zero bits."""
    spare = len(values) * 5 % 8
    if spare >= 5 or (spare and values[-1] & ((1 << spare) - 1)):
        raise MalformedAge(_("the key's last letter is not canonical"))
    return base64.b32decode(values.translate(_TO_BASE32) + b"=" * (-len(values) % 8))
