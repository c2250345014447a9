# SPDX-License-Identifier: Apache-2.0
"""Where sealed bytes are read from at any place: the ``RandomAccess`` seam and a file behind it.

Judges nothing: an ``OSError`` reaches the caller, and a file that is shorter than it was
shows as a short answer, which the reader of the age format refuses.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol, Self

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class RandomAccess(Protocol):
    """Bytes that can be read at any place, from several threads at once."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer only where the bytes end."""


class FileAccess:
    """A file, by its path or by a descriptor that stays the caller's. Its size is taken once."""

    def __init__(self, file: str | os.PathLike[str] | int) -> None:
        self._owned = not isinstance(file, int)
        self._fd = file if isinstance(file, int) else os.open(file, _READ_FLAGS)
        self._lock = threading.Lock()
        try:
            self._size = os.fstat(self._fd).st_size
        except OSError:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes in the file when it was opened."""
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer only at the end of the file."""
        pieces = []
        while size > 0 and (piece := self._read_once(offset, size)):
            pieces.append(piece)
            offset += len(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file if it was opened here. Safe to call twice."""
        if self._owned:
            self._owned = False
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    if hasattr(os, "pread"):

        def _read_once(self, offset: int, size: int) -> bytes:
            return os.pread(self._fd, size, offset)

    else:  # Windows: a descriptor has one position, which threads must not move under each other

        def _read_once(self, offset: int, size: int) -> bytes:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.read(self._fd, size)


class PathAccess:
    """A file that is opened anew for each read: for hundreds at a time, more than a process may hold open."""

    def __init__(self, path: str) -> None:
        self._path = path
        with FileAccess(path) as f:
            self._size = f.size

    @property
    def size(self) -> int:
        """Bytes in the file when it was first opened."""
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer only at the end of the file."""
        with FileAccess(self._path) as f:
            return f.read_at(offset, size)


class Cursor:
    """Reads any ``RandomAccess`` from its beginning to its end, as a stream."""

    def __init__(self, source: RandomAccess) -> None:
        self._source = source
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        data = self._source.read_at(self._offset, size)
        self._offset += len(data)
        return data
