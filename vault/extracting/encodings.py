# SPDX-License-Identifier: Apache-2.0
"""Bytes of plain text as text: by their mark, as UTF-8 or UTF-16, else by the guess of ``vault.decoding``.

In confined children only.
"""

from __future__ import annotations

import codecs
import encodings.aliases
from contextlib import suppress

from vault.decoding import CYRILLIC, WESTERN, likeliest, without_mark

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
"""UTF-32 before UTF-16: its little-endian mark begins with the other's."""
_SAMPLE = 64 << 10
"""Bytes that an encoding is guessed from."""


def warm_up() -> None:
    """Load all codecs."""
    for name in {*encodings.aliases.aliases.values(), *CYRILLIC, WESTERN}:
        with suppress(LookupError, ImportError):  # some are for Windows alone
            codecs.lookup(name)
    decode("Проверка текста".encode("cp1251") * 20)


def decode(untrusted: bytes, declared: str = "", *, cut: bool = False) -> str:
    """The text. ``declared`` is what somebody says of its encoding; ``cut``: it may end in the middle of a letter.

    Always an answer; wrong bytes become U+FFFD.
    """
    for mark, name in _MARKS:
        if untrusted.startswith(mark):
            return untrusted[len(mark) :].decode(name, "replace")
    # UTF-16 first: without a mark it is valid UTF-8 in all of its bytes.
    for candidate in (without_mark(untrusted[:_SAMPLE]), "utf-8", declared):
        with suppress(UnicodeError, LookupError, ValueError):
            if candidate:
                b" ".decode(candidate, "ignore")  # LookupError for what is no encoding of text, as zlib is
                return codecs.getincrementaldecoder(candidate)().decode(untrusted, final=not cut)
    return untrusted.decode(likeliest(untrusted[:_SAMPLE]), "replace")
