# SPDX-License-Identifier: Apache-2.0
"""Writing a new file without the room that long runs of zeros would take: holes, as in sparse files.

Disk images and memory dumps are mostly zeros, and may be larger than the disk that they are copied to. Owns where a
hole is left; what is read from the file is the same either way (lseek(2): "allows the file offset to be set beyond the
end of the file"). Where a file system has no holes, it writes the zeros itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

LEAST = 64 << 10
"""Bytes of zeros that are worth a hole: below, a file in pieces costs more than it saves."""
PAGE = 4096
"""Holes begin and end at multiples of this in what is handed over: file systems allocate by such blocks."""
_ZEROS = bytes(PAGE)
_STRIDE = LEAST - PAGE
"""Wherever so many bytes of zeros begin, a page looked at in such steps lies in them."""


class NewFile(Protocol):
    """A new, empty file that is written from its beginning to its end."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Append all of ``data``. Raises OSError."""

    def skip(self, size: int, /) -> object:
        """Append so many zeros, and take no room for them. Raises OSError."""


class PlainFile:
    """A new file by its descriptor, which stays the caller's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes | memoryview, /) -> None:
        """See NewFile."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def skip(self, size: int, /) -> None:
        """See NewFile."""
        os.ftruncate(self._fd, os.lseek(self._fd, size, os.SEEK_CUR))


class HoleWriter:
    """Appends to a new, empty file. ``finish`` once at the end, or zeros there may be missing. Raises OSError."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._zeros = 0  # that were handed over last, and not written yet

    def write(self, data: bytes) -> int:
        """Take all of ``data``."""
        if len(data) < LEAST and not self._zeros:
            self._file.write(data)
            return len(data)
        for start, end, empty in _runs(data):
            if empty:
                self._zeros += end - start
            else:
                self._settle()
                self._file.write(data[start:end] if end - start < len(data) else data)
        return len(data)

    def finish(self) -> None:
        """Give the file its length."""
        self._settle()

    def _settle(self) -> None:
        zeros, self._zeros = self._zeros, 0
        if zeros >= LEAST:
            self._file.skip(zeros)
        elif zeros:
            self._file.write(bytes(zeros))


def _runs(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """What lies where: stretches of bytes, and stretches of zeros that are long, or touch the beginning or the end."""
    size, told, page = len(data), 0, 0
    last = (size - 1) // PAGE * PAGE  # always looked at: what is zero there may go on in the next piece
    while page < size:
        start = end = page
        while end < size and _is_empty(data, end):
            end = min(end + PAGE, size)
        while end > page and start > told and _is_empty(data, start - PAGE):
            start -= PAGE
        if end > page and (end - start >= LEAST or start == 0 or end == size):
            if start > told:
                yield told, start, False
            yield start, end, True
            told = end
        page = min(end + _STRIDE, last) if end < last else size
    if told < size:
        yield told, size, False


def _is_empty(data: bytes, page: int) -> bool:
    return data.startswith(_ZEROS, page) or (page + PAGE > len(data) and not any(data[page:]))
