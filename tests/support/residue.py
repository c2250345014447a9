# SPDX-License-Identifier: Apache-2.0
"""Looking for secrets in the raw image of a file system: every 16 bytes of each, at every place, in many spellings.

Sixteen bytes in a row of a secret contain eight that begin at a multiple of eight in the image. So the image is read
as numbers of eight bytes, compared with all numbers that the secrets are made of, and what agrees is looked at closely.
"""

from __future__ import annotations

import base64
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

SHORTEST = 16
"""Bytes in a row that count as a trace of a secret."""
_WORD = 8
_PIECE = 4 << 20
_OVERLAP = 64 << 10
_ALIGNED_FROM = 4096
"""Secrets of this size lie at multiples of eight in their file, and so on the medium: fewer numbers to compare."""
_SPELLED_UP_TO = 512
"""Nobody prints a whole keyring: only shorter secrets are looked for in text form."""


def spellings(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """The secret itself, in hexadecimal, and in base64 at each of the three places where it can begin."""
    yield "as it is", secret
    if len(secret) > _SPELLED_UP_TO:
        return
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        inner = text[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        yield f"base64, {shift}", inner
        yield f"base64url, {shift}", inner.translate(bytes.maketrans(b"+/", b"-_"))


def text_spellings(text: str) -> dict[str, bytes]:
    """What a text looks like as bytes: UTF-8 and UTF-16."""
    return {f"{text} (utf-8)": text.encode(), f"{text} (utf-16)": text.encode("utf-16-le")}


class Search:
    """For secrets by their names. Each has at least 16 bytes."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._needles: list[tuple[str, bytes]] = []
        self._places: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for name, secret in secrets.items():
            if len(secret) < SHORTEST or len(set(secret)) < 5:
                raise ValueError(f"too short or too even to be told from chance: {name}")
            for how, needle in dict(spellings(secret)).items():
                self._add(f"{name}" if how == "as it is" else f"{name} ({how})", needle)
        self._words = frozenset(self._places)

    def _add(self, name: str, needle: bytes) -> None:
        number = len(self._needles)
        self._needles.append((name, needle))
        for at in range(0, len(needle) - _WORD + 1, _WORD if len(needle) >= _ALIGNED_FROM else 1):
            self._places[int.from_bytes(needle[at : at + _WORD], sys.byteorder)].append((number, at))

    def in_file(self, image: Path) -> set[str]:
        """The names of the secrets of which a trace is anywhere in a file; holes are not read, they are zeros."""
        found: set[str] = set()
        with image.open("rb", buffering=0) as f:
            for start, end in _data(f.fileno()):
                for at in range(start - start % 4096, end, _PIECE):
                    f.seek(at)
                    self._search(f.read(min(_PIECE + _OVERLAP, end - at)), found)
        return found

    def in_bytes(self, data: bytes) -> set[str]:
        """The same, for bytes whose first has a place divisible by eight."""
        found: set[str] = set()
        self._search(data, found)
        return found

    def _search(self, data: bytes, found: set[str]) -> None:
        """Add the names of the secrets that are in ``data``; those that are known to be there cost nothing more."""
        whole = memoryview(data)[: len(data) - len(data) % _WORD].cast("Q")
        for word in self._words.intersection(whole):
            wanted = [(n, within) for n, within in self._places[word] if self._needles[n][0] not in found]
            if not wanted:
                continue
            for at in _places_of(data, word.to_bytes(_WORD, sys.byteorder)):
                found |= {self._needles[n][0] for n, within in wanted if self._agree(data, at, n, within) >= SHORTEST}

    def _agree(self, data: bytes, at: int, number: int, within: int) -> int:
        """How many bytes around a place are those of a secret, up to what counts."""
        needle = self._needles[number][1]
        low = 0
        while low < SHORTEST and low < min(at, within) and data[at - low - 1] == needle[within - low - 1]:
            low += 1
        high = _WORD
        longest = min(len(data) - at, len(needle) - within, SHORTEST)
        while high < longest and data[at + high] == needle[within + high]:
            high += 1
        return low + high


def _places_of(data: bytes, word: bytes) -> Iterator[int]:
    at = data.find(word)
    while at >= 0:
        if at % _WORD == 0:
            yield at
        at = data.find(word, at + 1)


def _data(fd: int) -> Iterator[tuple[int, int]]:
    """The parts of a sparse file that are not holes."""
    size, at = os.fstat(fd).st_size, 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole follows
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at
