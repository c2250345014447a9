# SPDX-License-Identifier: Apache-2.0
"""An outside half inside the machine's TPM 2.0: a place for 32 bytes that can be taken away for good.

Owns the use of Debian's ``tpm2-tools``: which NV index, with which attributes (TCG TPM 2.0 Library, part 2, TPMA_NV),
and what is said when it fails. The bytes go through pipes, never through an argument, the environment or a file.
It stays in the machine, so it does not stop who has machine and passphrase; it makes images of the disk
worthless, and what flash memory kept of old slots with them (docs/decisions/0031).

The tools reach the TPM as ``TPM2TOOLS_TCTI`` says, else through /dev/tpmrm0. Between a discrete TPM and the processor
the bytes travel in clear: docs/threat-model.md says so.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from keys.keyring import new_token, parse_token
from keys.secret import Secret
from keys.slots import TOKEN_SIZE

FIRST_INDEX, LAST_INDEX = 0x01800000, 0x01BFFFFF
"""NV indices that belong to the owner of the machine (TCG, Registry of Reserved TPM 2.0 Handles and Localities)."""

_ATTRIBUTES = "authread|authwrite|no_da"
"""Read and written with the index's own empty password; wrong tries elsewhere (dictionary lockout) do not shut it."""
_TAKEN = b"0x14C"  # TPM_RC_NV_DEFINED, as the tools print it
_TRIES = 8
_SECONDS = 30


class NoTpm(OSError):
    """Raised when the TPM or its tools cannot be used, or have nothing at this index."""


@dataclass(frozen=True, slots=True)
class TpmHalf:
    """The outside half at an NV index of this machine's TPM."""

    index: int

    def __post_init__(self) -> None:
        if not FIRST_INDEX <= self.index <= LAST_INDEX:
            raise ValueError("an index outside the owner's range")

    def __str__(self) -> str:
        return f"tpm:0x{self.index:08x}"

    def obtain(self) -> Secret:
        """What the index holds. Raises NoTpm, MalformedKeyring."""
        return parse_token(_run("tpm2_nvread", self._name, "-C", self._name, "-s", str(TOKEN_SIZE)))

    def take_away(self) -> None:
        """Overwrite the index with zeros and undefine it: the half is gone. Raises NoTpm."""
        with suppress(NoTpm):  # that it is undefined is what counts
            self._write(bytes(TOKEN_SIZE))
        _run("tpm2_nvundefine", self._name, "-C", "o")

    @property
    def _name(self) -> str:
        return f"0x{self.index:08x}"

    def _write(self, data: bytes) -> None:
        _run("tpm2_nvwrite", self._name, "-C", self._name, "-i", "-", given=data)


def make() -> tuple[TpmHalf, Secret]:
    """Put a new outside half into the TPM, at an index that was free. Raises NoTpm."""
    half = _define()
    data = new_token()
    try:
        half._write(data)
        if half.obtain() != Secret(data):
            raise NoTpm("the TPM does not give back what was put into it")
    except BaseException:
        with suppress(NoTpm):
            half.take_away()
        raise
    return half, Secret(data)


def _define() -> TpmHalf:
    for attempt in range(_TRIES):
        half = TpmHalf(FIRST_INDEX + secrets.randbelow(LAST_INDEX - FIRST_INDEX + 1))
        try:
            _run("tpm2_nvdefine", half._name, "-C", "o", "-s", str(TOKEN_SIZE), "-a", _ATTRIBUTES)
        except _Taken:
            if attempt + 1 == _TRIES:
                raise
        else:
            return half
    raise AssertionError("the last attempt returns or raises")


class _Taken(NoTpm):
    pass


def _run(tool: str, *words: str, given: bytes = b"") -> bytes:
    """What a tool wrote to standard output. Raises NoTpm with the tool's last words."""
    try:
        done = subprocess.run([tool, *words], input=given, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise NoTpm(f"{tool} is not installed") from None
    except subprocess.TimeoutExpired:
        # The exception would carry what the tool was given and what it said so far.
        raise NoTpm(f"the TPM did not answer within {_SECONDS} seconds") from None
    if done.returncode == 0:
        return done.stdout
    lines = [line for line in done.stderr.decode("ascii", "replace").splitlines() if line.startswith("ERROR")]
    said = lines[0].partition(":")[2].strip()[:200] if lines else os.strerror(0)
    raise (_Taken if _TAKEN in done.stderr else NoTpm)(f"{tool}: {said}")
