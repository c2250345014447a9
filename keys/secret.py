# SPDX-License-Identifier: Apache-2.0
"""One type for every secret: it has no readable form and forgets on demand.

What Python cannot promise: ``expose()`` hands out ``bytes``, and copies made by the
interpreter or by a C library stay in memory until reused. docs/threat-model.md says so.
"""

from __future__ import annotations

import hmac
import os
from typing import NoReturn


class Secret:
    """Secret bytes that never show themselves.

    ``repr`` and ``str`` are redacted, pickling is refused, comparison takes constant
    time, and the bytes come out only through ``expose()``, so that every use can be found.
    """

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes | bytearray | memoryview) -> None:
        self._bytes = bytearray(value)

    @classmethod
    def random(cls, size: int = 32) -> Secret:
        """A new secret of ``size`` bytes from the operating system's generator."""
        return cls(os.urandom(size))

    def expose(self) -> bytes:
        """The bytes themselves. Raises ValueError once the secret was closed."""
        if not self._bytes:
            raise ValueError("this secret was closed")
        return bytes(self._bytes)

    def close(self) -> None:
        """Zero the buffer and forget it. Safe to call twice."""
        for i in range(len(self._bytes)):
            self._bytes[i] = 0
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes, other._bytes)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key: hashes leak

    def __repr__(self) -> str:
        return "Secret(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")

    def __enter__(self) -> Secret:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
