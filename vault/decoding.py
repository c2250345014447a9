# SPDX-License-Identifier: Apache-2.0
"""Which letters the bytes of a text stand for: a pure judge.

UTF-8 and UTF-16 are recognised by their rules. The one-byte encodings of the Cyrillic world (windows-1251, KOI8-R, 866,
ISO 8859-5, and two with Kyrgyz letters) fit any bytes, so what counts is how the letters look: some come often and some
hardly ever, capitals begin words and do not end them, and no box-drawing stands among them. A library that was tried
(charset-normalizer 3.4) read short Russian texts as Korean. A guess is called one, and can be overruled by name.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from gettext import gettext as _
from math import log2

from vault.errors import BadInput

CYRILLIC = ("cp1251", "koi8_r", "cp866", "iso8859_5", "kz1048", "ptcp154")
"""The likelier ones first: kz1048 and ptcp154 are cp1251 but for the letters of Kyrgyz and its neighbours."""
WESTERN = "cp1252"
_SAMPLE = 1 << 16
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PER_10000 = dict(zip(
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ" "үөңғқҳў",
    (1097, 845, 801, 735, 670, 626, 547, 473, 454, 440, 349, 321, 298, 281, 262, 201, 190, 174, 170, 165, 159, 144, 121,
     97, 94, 73, 64, 48, 36, 32, 26, 4, *7 * (30,)), strict=True,
))  # fmt: skip
"""How often each letter stands in Russian text, as is commonly given for the Russian National Corpus, no more exact
than is needed; and letters of Kyrgyz and Uzbek, which is otherwise near enough."""
_COMMON = {letter: log2(share / 100) for letter, share in _PER_10000.items()}
_NEVER = -8.0
_SIGNS = frozenset("«»—–…№“”„’\xa0ё")
_WORD = re.compile(r"[^\W\d_]+")
_NOT_TEXT = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_FEW, _MOST = 2, 0.005
"""So many control characters, or so many of all characters, may be in a text, and no NUL. Form feeds and escapes, which
are found in printed logs, do not count."""
_LONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text, the name of its encoding, and whether that was guessed from how it looks."""

    text: str
    encoding: str
    guessed: bool


def decode(untrusted: bytes, encoding: str | None = None) -> Text | None:
    """The text in these bytes; None when they are none. ``encoding`` overrules what they look like.

    What does not fit becomes U+FFFD. Raises BadInput for an encoding that nobody knows.
    """
    if encoding is not None:
        return Text(_decoded_as(untrusted, encoding), encoding, guessed=False)
    for bom, name in _BOMS:
        if untrusted.startswith(bom):
            return _unless_binary(Text(_decoded(untrusted, name), name.removesuffix("-sig"), guessed=False))
    wide = without_mark(untrusted[:_SAMPLE])
    if wide is not None:
        return _unless_binary(Text(_decoded(untrusted, wide), wide, guessed=True))
    try:
        return _unless_binary(Text(untrusted.decode("utf-8"), "utf-8", guessed=False))
    except UnicodeDecodeError:
        name = likeliest(untrusted[:_SAMPLE])
        return _unless_binary(Text(_decoded(untrusted, name), name, guessed=True))


def _decoded_as(untrusted: bytes, encoding: str) -> str:
    try:
        info = codecs.lookup(encoding)
    except (LookupError, ValueError, UnicodeError):
        info = None
    if info is None or not info._is_text_encoding:  # rot13, base64 and zip are codecs, too
        raise BadInput(_("no encoding has this name"), _("names are such as utf-8, cp1251, koi8-r, cp866, utf-16"))
    try:
        return _decoded(untrusted, info.name)
    except UnicodeError:  # some, such as idna, have no way to go on behind what does not fit
        raise BadInput(_("the document does not fit this encoding")) from None


def _decoded(untrusted: bytes, encoding: str) -> str:
    return untrusted.decode(encoding, "replace")


def _unless_binary(text: Text) -> Text | None:
    sample = text.text[:_SAMPLE]
    return None if "\0" in sample or len(_NOT_TEXT.findall(sample)) > max(_FEW, _MOST * len(sample)) else text


def without_mark(sample: bytes) -> str | None:
    """The UTF-16 that this is without a mark, if any.

    In one of the two places of each pair the high bytes are nearly all 0 (Latin) or 4 (Cyrillic).
    """
    pairs = len(sample) // 2
    if pairs < 2:
        return None
    for name, high in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        if high.count(0) + high.count(4) > 0.8 * pairs:
            return name
    return None


def likeliest(sample: bytes) -> str:
    """The likeliest one-byte encoding, for bytes that are neither UTF-8 nor UTF-16.

    Letters with accents stand alone in western words; Cyrillic words have several in a row.
    """
    high = len(_HIGH.findall(sample))
    if len(_LONE.findall(sample)) >= 0.5 * high:
        return WESTERN
    return max(CYRILLIC, key=lambda name: _looks(sample.decode(name, "replace")))


def _looks(text: str) -> float:
    """How much a text looks like words in Cyrillic letters: the mean logarithm of how common its letters are, less what
    is odd about their case.
    """
    foreign = [char for char in text if char > "\x7f" and char not in _SIGNS]
    common = sum(_COMMON.get(char.lower(), _NEVER) for char in foreign)
    words = [word for word in _WORD.findall(text) if word[-1] > "\x7f"]
    odd = sum(not (word.islower() or word.isupper() or word.istitle()) for word in words)
    # The small letters of KOI8-R are the capitals of windows-1251 and the other way round; texts in capitals are rare.
    shouted = sum(char.isupper() for char in foreign)
    return (common - 0.4 * shouted) / max(1, len(foreign)) - 2 * odd / max(1, len(words))
