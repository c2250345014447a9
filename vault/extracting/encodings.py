# SPDX-License-Identifier: Apache-2.0
"""Bytes of plain text as text: by their mark, as UTF-8, as UTF-16, else by what charset-normalizer finds.

In confined children only. The library tells apart what can be; where several Cyrillic encodings can, letters decide: a
short text in capitals is one of the cases in which it guesses wrong.
"""

from __future__ import annotations

import codecs
import encodings.aliases
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

from charset_normalizer import from_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
"""UTF-32 before UTF-16: its little-endian mark begins with the other's."""
_CYRILLIC = ("cp1251", "koi8_r", "cp866", "kz1048", "ptcp154", "mac_cyrillic", "iso8859_5")
"""What people in Kyrgyzstan and around have: kz1048 and ptcp154 are cp1251 with letters of Turkic languages."""
_LATIN = "cp1252"
_SAMPLE = 64 << 10
"""Bytes that an encoding is guessed from."""
_UTF16_SHARE = 0.9
"""Of the letters in a text of ours the higher byte is 0 or 4 (Latin, Cyrillic), and nearly never the lower."""
_BY_FREQUENCY = ("щэцюёъфшўқғҳ", "жхчйьыгязңөү", "бупмдквлр", "сниеаот")
_COMMON = {letter: weight for weight, letters in enumerate(_BY_FREQUENCY) for letter in letters}
"""Letters of Russian from rare to frequent; Kyrgyz and Uzbek differ less than one encoding from another."""


def warm_up() -> None:
    """Load all codecs and the library's tables."""
    for name in {*encodings.aliases.aliases.values(), *_CYRILLIC, _LATIN}:
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
    for name in (_utf_16(untrusted[:_SAMPLE]), "utf-8", declared):
        with suppress(UnicodeError, LookupError, ValueError):
            if name:
                return codecs.getincrementaldecoder(name)().decode(untrusted, final=not cut)
    return untrusted.decode(_guess(untrusted[:_SAMPLE]), "replace")


def _utf_16(sample: bytes) -> str:
    """The name of the UTF-16 that this is without a mark; nothing for other text."""
    half = len(sample) // 2
    if half < 2:
        return ""
    for name, high in (("utf-16-le", sample[1 : 2 * half : 2]), ("utf-16-be", sample[0 : 2 * half : 2])):
        if high.count(0) + high.count(4) >= _UTF16_SHARE * half:
            return name
    return ""


def _guess(sample: bytes) -> str:
    if b"\0" in sample:
        return "latin-1"
    best = from_bytes(sample, cp_isolation=[*_CYRILLIC, _LATIN]).best()
    if best is not None and best.encoding == _LATIN:
        return _LATIN
    readable = [name for name in _CYRILLIC if _can(sample, name)]
    return max(readable, key=lambda name: _likely(sample.decode(name))) if readable else _CYRILLIC[0]


def _can(sample: bytes, name: str) -> bool:
    with suppress(UnicodeError):
        sample.decode(name)
        return True
    return False


def _likely(text: str) -> float:
    """How much its letters are those of a Cyrillic text, and its capitals where they belong."""
    return _weights(text.lower()) - 2 * sum(1 for a, b in pairwise(text) if a.islower() and b.isupper())


def _weights(letters: Iterable[str]) -> float:
    return sum(_COMMON.get(letter, -1) for letter in letters if not letter.isascii())
