# SPDX-License-Identifier: Apache-2.0
"""Random access to bytes in memory, for tests of whatever reads at any place."""

from __future__ import annotations


class Bytes:
    """A ``RandomAccess`` over bytes, which notes what was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, size: int) -> bytes:
        self.reads.append((offset, size))
        return self._data[offset : offset + size]
