# SPDX-License-Identifier: Apache-2.0
"""Outside halves: 32 bytes that are kept apart from the disk, without which a slot does not open (docs/format.md §2.5).

Owns the seam, ``OutsideHalf``, and the plainest half, a file on a stick; ``vault.tpm`` has another. A half says where
the bytes are, never what they are: it may be printed. Whether a slot needs one, the slot says (``keys.slots``).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from gettext import gettext as _
from typing import Protocol

from keys.errors import MalformedKeyring
from keys.keyring import parse_token
from keys.secret import Secret
from keys.slots import TOKEN_SIZE

_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Not to wait for ever on a FIFO, not to hand the stick on to a child, not to translate line ends."""


class OutsideHalf(Protocol):
    """Where an outside half is kept."""

    def obtain(self) -> Secret:
        """The 32 bytes. Raises OSError when they cannot be had now, MalformedKeyring when they are something else."""


@dataclass(frozen=True, slots=True)
class FileHalf:
    """A file of exactly 32 bytes, meant for a stick that is not left in the machine."""

    path: str

    def obtain(self) -> Secret:
        """The file's content. Raises OSError, MalformedKeyring."""
        fd = os.open(self.path, os.O_RDONLY | _FLAGS)
        with os.fdopen(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise MalformedKeyring(_("an outside half is a file"))
            return parse_token(f.read(TOKEN_SIZE + 1))
