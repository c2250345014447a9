# SPDX-License-Identifier: Apache-2.0
"""An outside half inside the machine's TPM 2.0: a place for 32 bytes that can be taken away for good.

Owns how one is made and read; ``vault.nv`` runs the tools. The bytes go through pipes, never through an argument, the
environment or a file. It stays in the machine, so it does not stop who has machine and passphrase; it makes images of
the disk worthless, and what flash memory kept of old slots with them (docs/decisions/0031). Between a discrete TPM and
the processor the bytes travel in clear: docs/threat-model.md says so.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass

from keys.keyring import new_token, parse_token
from keys.secret import Secret
from vault import nv
from vault.language import said as _
from vault.nv import FIRST_INDEX, LAST_INDEX, NoTpm

_TRIES = 8


@dataclass(frozen=True, slots=True)
class TpmHalf:
    """The outside half at an NV index of this machine's TPM."""

    index: int

    def __post_init__(self) -> None:
        if not FIRST_INDEX <= self.index <= LAST_INDEX:
            raise ValueError("an index outside the owner's range")

    def __str__(self) -> str:
        return nv.PREFIX + nv.name_of(self.index)

    def obtain(self) -> Secret:
        """What the index holds. Raises NoTpm, MalformedKeyring."""
        name = nv.name_of(self.index)
        return parse_token(nv.run("tpm2_nvread", name, "-C", name, "-s", str(nv.HALF_SIZE)))

    def take_away(self) -> None:
        """Overwrite the index with zeros and undefine it: the half is gone. Raises NoTpm."""
        nv.take_away(self.index)


def make() -> tuple[TpmHalf, Secret]:
    """Put a new outside half into the TPM, at an index that was free. Raises NoTpm."""
    half = _define()
    data = new_token()
    try:
        nv.write(half.index, data)
        if half.obtain() != Secret(data):
            raise NoTpm(_("the TPM does not give back what was put into it"))
    except BaseException:
        with suppress(NoTpm):
            half.take_away()
        raise
    return half, Secret(data)


def _define() -> TpmHalf:
    for attempt in range(_TRIES):
        half = TpmHalf(FIRST_INDEX + secrets.randbelow(LAST_INDEX - FIRST_INDEX + 1))
        try:
            nv.run("tpm2_nvdefine", nv.name_of(half.index), "-C", "o", "-s", str(nv.HALF_SIZE), "-a", nv.ATTRIBUTES)
        except nv.Taken:
            if attempt + 1 == _TRIES:
                raise
        else:
            return half
    raise AssertionError("the last attempt returns or raises")
