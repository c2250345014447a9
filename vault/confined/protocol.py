# SPDX-License-Identifier: Apache-2.0
"""What goes through the pipes between a worker and its child, and the limits that both know.

    request    argument length 4 | argument | (length 4 | bytes) … | length 4 = 0        into the child
    response   kind 1 | length 8 | bytes                                                 out of it
    ending     exit code of the process that answered, signed 4; -n: died by signal n    on a pipe of its own

Lengths are unsigned and big-endian. A response is written by a process that has read a hostile document: it is judged
by ``worker`` and by whoever asked. An ending is written by that process' parent, which has read none. No I/O here.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import astuple, dataclass

LENGTH = struct.Struct("!I")
HEAD = struct.Struct("!cQ")
ENDING = struct.Struct("!i")

DONE = b"D"
"""The job's result."""
REFUSED = b"R"
"""The job says, in words, why it will not."""
FAILED = b"F"
"""The job ended by an exception that it did not expect: the name of its class."""

PIECE = 1 << 20
MAX_WORDS = 2000
"""Of a refusal, in bytes."""
NO_MORE = 64
"""The exit code of a process that found no further request."""

FORKS = sys.platform == "linux"
"""Whether one child forks a process for each document. Elsewhere each document has a newly started one: forking after
libraries were loaded is not safe on macOS, and there is no fork on Windows."""


@dataclass(frozen=True, slots=True)
class Job:
    """A function ``(untrusted: bytes, argument: bytes) -> bytes`` of a module that only children import.

    The module may have a ``warm_up()``, which loads whatever it would load later: once confined nothing can be.
    """

    module: str
    function: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost. ``seconds`` by the wall, ``cpu_seconds`` of processor time; sizes in bytes."""

    seconds: int = 120
    cpu_seconds: int = 60
    memory: int = 2 << 30
    """Address space, libraries included."""
    input: int = 256 << 20
    output: int = 256 << 20

    def encode(self) -> str:
        """As one word of a command line."""
        return ",".join(str(number) for number in astuple(self))

    @classmethod
    def decode(cls, word: str) -> Limits:
        """The reverse. Raises ValueError, TypeError."""
        return cls(*(int(number) for number in word.split(",")))


class Refused(Exception):
    """Raised by a job that will not take a document; the text says why, in words for a journalist."""
