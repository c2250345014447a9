# SPDX-License-Identifier: Apache-2.0
"""The public counter: how many documents were filed here, how many left sealed, and on which day.

It is a text in clear that names nothing, so that ``panic`` can say what is safe abroad
without opening anything. It is a courtesy, not a record: what it says may be behind by an
interrupted command, and nobody vouches for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace

from vault import layout
from vault.disk import Disk

_MAX_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Counter:
    """``filed`` documents in all cases, ``sealed`` of them covered by an export, the last one on ``last_sealed``."""

    filed: int = 0
    sealed: int = 0
    last_sealed: str = "-"

    def encode(self) -> bytes:
        """The file's text."""
        return (
            f"sandyk counter 1\nfiled {self.filed}\nsealed {self.sealed}\nlast-sealed {self.last_sealed}\n".encode()
        )


def parse(untrusted: bytes) -> Counter:
    """The counter in these bytes; zeros when they make no sense."""
    with suppress(ValueError, UnicodeDecodeError):
        first, filed, sealed, last = untrusted.decode("ascii").splitlines()
        if first == "sandyk counter 1":
            return Counter(
                int(filed.removeprefix("filed ")), int(sealed.removeprefix("sealed ")),
                last.removeprefix("last-sealed ")[:10],
            )  # fmt: skip
    return Counter()


def read(folder: str, disk: Disk) -> Counter:
    """The vault's counter; zeros when there is none."""
    try:
        return parse(disk.read(os.path.join(folder, layout.COUNTER), limit=_MAX_SIZE))
    except OSError:
        return Counter()


def change(folder: str, disk: Disk, *, filed: int = 0, sealed: int = 0, day: str | None = None) -> None:
    """Add to the counter. The caller holds the vault's lock. A disk that refuses is ignored: nothing hangs on it."""
    now = read(folder, disk)
    then = replace(now, filed=now.filed + filed, sealed=now.sealed + sealed, last_sealed=day or now.last_sealed)
    with suppress(OSError):
        disk.replace(os.path.join(folder, layout.COUNTER), then.encode())
