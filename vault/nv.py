# SPDX-License-Identifier: Apache-2.0
"""The memory of the machine's TPM 2.0, through Debian's ``tpm2-tools``: running them, and taking an index away.

Owns which NV indices are used, with which attributes (TCG TPM 2.0 Library, part 2, TPMA_NV), what names one, and how
the tools' errors become ours. ``vault.tpm`` keeps outside halves there; the emergency wipe takes one away, therefore
the standard library only. The tools reach the TPM as ``TPM2TOOLS_TCTI`` says, else through /dev/tpmrm0.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from vault.language import said as _

FIRST_INDEX, LAST_INDEX = 0x01800000, 0x01BFFFFF
"""NV indices that belong to the owner of the machine (TCG, Registry of Reserved TPM 2.0 Handles and Localities)."""
HALF_SIZE = 32
"""Bytes of an outside half: ``keys.slots.TOKEN_SIZE``, which a test compares."""
ATTRIBUTES = "authread|authwrite|no_da"
"""Read and written with the index's own empty password; wrong tries elsewhere (dictionary lockout) do not shut it."""
PREFIX = "tpm:"
SECONDS = 30.0
"""How long a tool may take, unless its caller has less time."""

_TAKEN = b"0x14C"  # TPM_RC_NV_DEFINED, as the tools print it
_DEVICES = ("/dev/tpmrm0", "/dev/tpm0")
_LISTED = re.compile(r"^(0x[0-9a-fA-F]+):\n((?:[ \t]+.*\n?)*)", re.MULTILINE)


class NoTpm(OSError):
    """Raised when the TPM or its tools cannot be used, or have nothing at this index."""


class Taken(NoTpm):
    """Raised when an index that was to be defined is there already."""


def index_named(word: str) -> int:
    """The index that ``tpm:0x01812345`` names. Raises ValueError for anything else."""
    index = int(word.removeprefix(PREFIX), 16)
    if not word.startswith(PREFIX) or not FIRST_INDEX <= index <= LAST_INDEX:
        raise ValueError("an index outside the owner's range")
    return index


def name_of(index: int) -> str:
    """As the tools write it: ``0x01812345``."""
    return f"0x{index:08x}"


def write(index: int, data: bytes, *, seconds: float = SECONDS) -> None:
    """Write all of an index. Raises NoTpm."""
    run("tpm2_nvwrite", name_of(index), "-C", name_of(index), "-i", "-", given=data, seconds=seconds)


def take_away(index: int, *, seconds: float = 2 * SECONDS) -> None:
    """Overwrite an index with zeros and undefine it. Takes so many seconds at most. Raises NoTpm."""
    until = time.monotonic() + seconds
    with suppress(NoTpm):  # that it is undefined is what counts
        write(index, bytes(HALF_SIZE), seconds=seconds / 2)
    run("tpm2_nvundefine", name_of(index), "-C", "o", seconds=max(0.1, until - time.monotonic()))


def may_be_here() -> bool:
    """Whether this machine shows a TPM, or the tools were told of one."""
    return bool(os.environ.get("TPM2TOOLS_TCTI")) or any(os.path.exists(device) for device in _DEVICES)


def like_halves(*, seconds: float = SECONDS) -> tuple[int, ...]:
    """Indices of the size and with the attributes of an outside half. Whose they are nobody can tell. Raises NoTpm."""
    untrusted = run("tpm2_nvreadpublic", seconds=seconds).decode("ascii", "replace")
    found = []
    for name, body in _LISTED.findall(untrusted):
        friendly = re.search(r"attributes:\s+friendly: (\S+)", body)
        flags = set(friendly[1].split("|")) - {"written"} if friendly else set()
        is_size = re.search(rf"size: {HALF_SIZE}$", body, re.MULTILINE)
        if is_size and flags == set(ATTRIBUTES.split("|")) and FIRST_INDEX <= int(name, 16) <= LAST_INDEX:
            found.append(int(name, 16))
    return tuple(found)


def run(tool: str, *words: str, given: bytes = b"", seconds: float = SECONDS) -> bytes:
    """What a tool wrote to standard output. Raises NoTpm with the tool's last words, Taken."""
    import subprocess

    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen([tool, *words], stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise NoTpm(
            _("{tool} is not installed").format(tool=tool) if missing else f"{tool}: {error.strerror}"
        ) from None
    try:
        out, err = process.communicate(given, timeout=seconds)
    except subprocess.TimeoutExpired:
        # The exception would carry what the tool was given and what it said so far. Nobody waits for the end of a
        # process that may hang in the kernel: there may be no time.
        process.kill()
        raise NoTpm(_("the TPM did not answer within {seconds} seconds").format(seconds=f"{seconds:.1f}")) from None
    if process.returncode == 0:
        return out
    lines = [line for line in err.decode("ascii", "replace").splitlines() if line.startswith("ERROR")]
    said = lines[0].partition(":")[2].strip()[:200] if lines else _("it failed without a reason")
    raise (Taken if _TAKEN in err else NoTpm)(f"{tool}: {said}")
