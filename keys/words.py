# SPDX-License-Identifier: Apache-2.0
"""Words for people: passphrases to remember, fingerprints to read aloud.

Owns the word list (EFF large list, 7776 words, 12.92 bits each; licence in the file) and the
one way in which a typed passphrase becomes bytes. It judges only the length of a typed
passphrase: how guessable it is nobody can compute, which is why generated ones are offered.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from importlib import resources

from keys.errors import Malformed, WeakPassphrase
from keys.secret import Secret

WORDS = 7776
LEAST_WORDS = 7
"""90 bits: with Argon2id in front, out of reach of anybody who guesses offline."""
LEAST_CHARACTERS = 12
FINGERPRINT_WORDS = 10
DIGEST_SIZE = 32


def generate_passphrase(words: int = LEAST_WORDS) -> Secret:
    """So many random words with single spaces between them, 12.92 bits a word, as UTF-8.

    Raises WeakPassphrase for fewer than 7 words.
    """
    if words < LEAST_WORDS:
        raise WeakPassphrase(f"a generated passphrase has at least {LEAST_WORDS} words")
    listed = _list()
    return Secret(" ".join(listed[secrets.randbelow(WORDS)] for _ in range(words)).encode("ascii"))


def fingerprint_words(digest32: bytes) -> tuple[str, ...]:
    """Ten words that stand for a 32-byte digest, to be compared by voice.

    The digest as a big-endian integer, modulo 7776**10, in base 7776, most significant word
    first: 129 of its 256 bits, as uniform as the digest. Enough that nobody finds a second key
    with the words of a given one; not meant against somebody who makes both keys himself.
    """
    if len(digest32) != DIGEST_SIZE:
        raise ValueError("a fingerprint is made of a 32-byte digest")
    listed, rest, words = _list(), int.from_bytes(digest32, "big"), []
    for _ in range(FINGERPRINT_WORDS):
        rest, digit = divmod(rest, WORDS)
        words.append(listed[digit])
    return tuple(reversed(words))


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
        raise WeakPassphrase(f"a passphrase has at least {LEAST_CHARACTERS} characters")
    return _encode(tidy)


def _tidy(typed: str) -> str:
    # NFC last: taking white space away can bring a letter and its accent together.
    return unicodedata.normalize("NFC", " ".join(typed.split()))


def _encode(tidy: str) -> Secret:
    if not tidy:
        raise WeakPassphrase("an empty passphrase opens nothing")
    if any("\ud800" <= c <= "\udfff" for c in tidy):  # asked first: a UnicodeEncodeError would quote the passphrase
        raise Malformed("the passphrase is not text")
    return Secret(tidy.encode("utf-8"))


@cache
def _list() -> tuple[str, ...]:
    text = resources.files("keys").joinpath("data/eff_large_wordlist.txt").read_text("ascii")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))
