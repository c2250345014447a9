# SPDX-License-Identifier: Apache-2.0
"""Words for people: passphrases to remember, fingerprints to read aloud.

Owns the word lists and the one way in which a typed passphrase becomes bytes. English is the EFF large list,
7776 words, 12.92 bits each; Kyrgyz, Russian and Uzbek have lists of 1296 words, 10.34 bits each, that need no
letter beyond the plain Russian or Latin keyboard (licences in the files, reasons in
docs/decisions/0050-languages.md). What is compared by voice is English for everybody: both sides must see the
same words. It judges only the length of a typed passphrase: how guessable it is nobody can compute, which is
why generated ones are offered.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from gettext import gettext as _
from importlib import resources

from keys.errors import Malformed, WeakPassphrase
from keys.secret import Secret

WORDS = 7776
LEAST_WORDS = 7
"""90 bits: with Argon2id in front, out of reach of anybody who guesses offline."""
LIST_OF = {
    "en": "eff_large_wordlist.txt", "ky": "words_ky.txt", "ru": "words_ru.txt", "uz": "words_uz.txt",
}  # fmt: skip
"""The lists by language, in ``keys/data``."""
SHORT_WORDS = 1296
LEAST_SHORT_WORDS = 9
"""93 bits, of the lists with 1296 words."""
LEAST_CHARACTERS = 12
FINGERPRINT_WORDS = 10
DIGEST_SIZE = 32


def generate_passphrase(words: int | None = None, language: str = "en") -> Secret:
    """So many random words with single spaces between them, as UTF-8; without a number as few as are enough.

    12.92 bits a word in English, 10.34 in ``ky``, ``ru`` and ``uz``. Raises WeakPassphrase below 7 words, or 9.
    """
    least = LEAST_WORDS if language == "en" else LEAST_SHORT_WORDS
    count = least if words is None else words
    if count < least:
        raise WeakPassphrase(_("a generated passphrase has at least {least_words} words").format(least_words=least))
    return Secret(" ".join(secrets.choice(_list(language)) for __ in range(count)).encode())


def fingerprint_words(digest32: bytes) -> tuple[str, ...]:
    """Ten words that stand for a 32-byte digest, to be compared by voice.

    The digest as a big-endian integer, modulo 7776**10, in base 7776, most significant word
    first: 129 of its 256 bits, as uniform as the digest. Enough that nobody finds a second key
    with the words of a given one; not meant against somebody who makes both keys himself.
    """
    return spoken_words(digest32, FINGERPRINT_WORDS)


def spoken_words(digest32: bytes, count: int) -> tuple[str, ...]:
    """So many words that stand for 32 bytes: as an integer modulo 7776**count, the most significant word first."""
    if len(digest32) != DIGEST_SIZE:
        raise ValueError("words to be spoken are made of a 32-byte digest")
    listed, rest, words = _list(), int.from_bytes(digest32, "big"), []
    for _place in range(count):
        rest, digit = divmod(rest, WORDS)
        words.append(listed[digit])
    return tuple(reversed(words))


def parse_spoken(untrusted: str, count: int) -> tuple[str, ...]:
    """So many words of the list, as they were heard and typed. Raises Malformed."""
    words = tuple(untrusted.casefold().split())
    unknown = [number for number, word in enumerate(words, 1) if word not in _list()]
    if unknown:
        raise Malformed(_("word {number} is not in the list of words").format(number=unknown[0]))
    if len(words) != count:
        raise Malformed(
            _("there are {number} words, and {expected} are expected").format(number=len(words), expected=count)
        )
    return words


def normalise(typed: str) -> Secret:
    """The bytes of a typed passphrase: NFC, no white space around it, single spaces inside, UTF-8.

    So it opens the vault however the keyboard composed its letters, and whether the words were
    read from paper with one space or two. Raises WeakPassphrase when nothing is left, Malformed
    when it is not text (a lone surrogate, which a terminal makes of bytes that are not UTF-8).
    """
    return _encode(_tidy(typed))


def normalise_new(typed: str) -> Secret:
    """``normalise`` for a passphrase that is being chosen: raises WeakPassphrase under 12 characters."""
    tidy = _tidy(typed)
    if len(tidy) < LEAST_CHARACTERS:
        raise WeakPassphrase(
            _("a passphrase has at least {least_characters} characters").format(least_characters=LEAST_CHARACTERS)
        )
    return _encode(tidy)


def _tidy(typed: str) -> str:
    # NFC last: taking white space away can bring a letter and its accent together.
    return unicodedata.normalize("NFC", " ".join(typed.split()))


def _encode(tidy: str) -> Secret:
    if not tidy:
        raise WeakPassphrase(_("an empty passphrase opens nothing"))
    if any("\ud800" <= c <= "\udfff" for c in tidy):  # asked first: a UnicodeEncodeError would quote the passphrase
        raise Malformed(_("the passphrase is not text"))
    return Secret(tidy.encode("utf-8"))


@cache
def _list(language: str = "en") -> tuple[str, ...]:
    text = resources.files("keys").joinpath("data", LIST_OF[language]).read_text("utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))
