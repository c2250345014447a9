# SPDX-License-Identifier: Apache-2.0
"""What the agent and its clients say to each other, as bytes. Pure: reads and writes nothing.

    request  length u32 = 2 | version 2 | operation: 1 GET, 2 LOCK, 3 STATUS
    answer   length u32     | version 2 | 0 done, 1 refused | body
    body     GET     a held slot
             LOCK    nothing
             STATUS  u32 seconds left | u32 seconds until idle | u32 seconds since the last use | u8 memory

    slot     177 bytes: ``keys.held``
    start    u32 lasts | u32 idle | 5 x u64 stamp | u16 + u16 lengths | vault folder | base; then a slot

Numbers are big-endian. One request for each connection. Whatever is not exactly this is refused, and its
length is looked at before anything is read.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from gettext import gettext as _

from vault.errors import Damaged
from vault.language import later

VERSION = 2
GET, LOCK, STATUS = 1, 2, 3
DONE, REFUSED = 0, 1

REQUEST_SIZE = 6
_LENGTH = struct.Struct(">I")
_STATUS = struct.Struct(">IIIB")
_START = struct.Struct(">II5QHH")

SLOT_BLOB_SIZE = 177
"""``keys.held.HELD_SIZE``, which a test compares: the agent loads no cryptography."""
START_SIZE = _START.size
ANSWER_HEAD_SIZE = _LENGTH.size + 2
MAX_ANSWER = 2 + SLOT_BLOB_SIZE

MEMORY = (
    later("ordinary memory"),
    later("memory locked out of swap"),
    later("memory that is mapped for it alone (memfd_secret)"),
)
"""How the agent holds the slot, by the number in a STATUS answer."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What ``stat`` says of the keyring. Another stamp means that somebody wrote to it, or that it is another file."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Start:
    """What the agent is told when it starts, apart from the slot. Times in seconds.

    ``base`` is the runtime folder, on Windows the agent's pipe.
    """

    lasts: int
    idle: int
    stamp: Stamp
    folder: str
    base: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent's answer to STATUS. Times in seconds; ``memory`` is an index into ``MEMORY``."""

    left: int
    idle_left: int
    unused: int
    memory: int


def encode_request(operation: int) -> bytes:
    """Six bytes."""
    return _LENGTH.pack(2) + bytes((VERSION, operation))


def parse_request(untrusted: bytes) -> int | None:
    """The operation; None while bytes are missing. Raises Damaged as soon as it cannot become a request."""
    if untrusted[:5] != encode_request(0)[: min(len(untrusted), 5)] or len(untrusted) > REQUEST_SIZE:
        raise Damaged(_("this is no request"))
    if len(untrusted) < REQUEST_SIZE:
        return None
    if untrusted[5] not in (GET, LOCK, STATUS):
        raise Damaged(_("a request for nothing that is known"))
    return untrusted[5]


def answer_head(status: int, body_size: int = 0) -> bytes:
    """What comes before the body."""
    return _LENGTH.pack(2 + body_size) + bytes((VERSION, status))


def parse_answer_head(untrusted: bytes) -> int:
    """How many bytes of body follow. Raises Damaged, also when the agent refused."""
    if len(untrusted) != ANSWER_HEAD_SIZE:
        raise Damaged(_("the agent's answer was cut off"))
    (size,) = _LENGTH.unpack_from(untrusted)
    if untrusted[4] != VERSION or untrusted[5] != DONE or not 2 <= size <= MAX_ANSWER:
        raise Damaged(_("the agent refused, or its answer makes no sense"))
    return int(size) - 2


def encode_standing(standing: Standing) -> bytes:
    """The body of a STATUS answer."""
    return _STATUS.pack(standing.left, standing.idle_left, standing.unused, standing.memory)


def parse_standing(untrusted: bytes) -> Standing:
    """Raises Damaged."""
    if len(untrusted) != _STATUS.size or untrusted[-1] >= len(MEMORY):
        raise Damaged(_("the agent's answer makes no sense"))
    return Standing(*_STATUS.unpack(untrusted))


def encode_start(start: Start) -> bytes:
    """What goes through the pipe before the slot."""
    s, folder, base = start.stamp, os.fsencode(start.folder), os.fsencode(start.base)
    head = _START.pack(
        start.lasts, start.idle, s.device, s.inode, s.size, s.mtime_ns, s.ctime_ns, len(folder), len(base)
    )
    return head + folder + base


def names_size(untrusted: bytes) -> int:
    """How many bytes of names follow the fixed part of a start message. Raises Damaged."""
    if len(untrusted) != START_SIZE:
        raise Damaged(_("the start message was cut off"))
    *__, folder_size, base_size = _START.unpack(untrusted)
    return int(folder_size + base_size)


def parse_start(untrusted: bytes, untrusted_names: bytes) -> Start:
    """Raises Damaged."""
    if names_size(untrusted) != len(untrusted_names):
        raise Damaged(_("the start message was cut off"))
    lasts, idle, *stamp, folder_size, __ = _START.unpack(untrusted)
    folder, base = untrusted_names[:folder_size], untrusted_names[folder_size:]
    start = Start(lasts, idle, Stamp(*stamp), os.fsdecode(folder), os.fsdecode(base))
    if not (os.path.isabs(start.folder) and os.path.isabs(start.base)) or not lasts or not idle:
        raise Damaged(_("the start message makes no sense"))
    return start
