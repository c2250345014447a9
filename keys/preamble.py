# SPDX-License-Identifier: Apache-2.0
"""The public text file VAULT: what one try of a passphrase costs, and the salt (docs/format.md §2.1).

    sandyk vault 1
    argon2id memory-kib=196608 passes=4 lanes=1
    salt <base64 of 16 bytes>

Nothing in it is secret, and nothing vouches for it: a cost below the floor or above the ceiling is refused
before anything is computed, and a changed salt or cost only makes every passphrase fail.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from gettext import gettext as _

from keys.canonical import decode_base64, decode_number, encode_base64, is_newer
from keys.errors import Malformed, MalformedKeyring, NewerFormat
from keys.primitives import FLOOR, SALT_SIZE, Cost, check_cost

MAX_HEADER_SIZE = 256
_FIRST_LINE = "sandyk vault 1"


@dataclass(frozen=True, slots=True)
class Header:
    """What one try costs, and a salt of 16 bytes."""

    cost: Cost
    salt: bytes

    @classmethod
    def fresh(cls, cost: Cost) -> Header:
        """A header for a new vault, with a random salt."""
        return cls(cost, os.urandom(SALT_SIZE))

    def encode(self) -> bytes:
        """Three lines of ASCII."""
        return (
            f"{_FIRST_LINE}\n"
            f"argon2id memory-kib={self.cost.memory_kib} passes={self.cost.passes} lanes=1\n"
            f"salt {encode_base64(self.salt)}\n"
        ).encode("ascii")


def parse_header(untrusted: bytes, *, floor: Cost = FLOOR) -> Header:
    """The header, which must be exactly what ``encode`` writes.

    Raises MalformedKeyring, NewerFormat for a higher version than 1, and WeakCost for a cost outside floor and ceiling.
    """
    if is_newer(untrusted[:MAX_HEADER_SIZE].partition(b"\n")[0], _FIRST_LINE):
        raise NewerFormat(_("a vault"))
    try:
        header = _read_header(untrusted)
    except (Malformed, ValueError) as exc:
        raise MalformedKeyring(_("the file VAULT is not one that this program wrote")) from exc
    check_cost(header.cost, floor=floor)
    if header.encode() != untrusted:
        raise MalformedKeyring(_("the file VAULT is not one that this program wrote"))
    return header


def _read_header(untrusted: bytes) -> Header:
    if len(untrusted) > MAX_HEADER_SIZE:
        raise MalformedKeyring(_("too long"))
    first_line, cost_line, salt_line, rest = untrusted.decode("ascii").split("\n")
    name, memory, passes, lanes = cost_line.split(" ")
    if (first_line, name, lanes, rest) != (_FIRST_LINE, "argon2id", "lanes=1", ""):
        raise MalformedKeyring(_("an unknown version"))
    cost = Cost(decode_number(memory.removeprefix("memory-kib=")), decode_number(passes.removeprefix("passes=")))
    return Header(cost, decode_base64(salt_line.removeprefix("salt "), size=SALT_SIZE))
