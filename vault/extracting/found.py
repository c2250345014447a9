# SPDX-License-Identifier: Apache-2.0
"""The text that is gathered from one document, within its limits. In confined children only."""

from __future__ import annotations

import re
from hashlib import sha256

from vault.confined.protocol import Refused
from vault.extracting.answer import (
    DEEPER,
    MAX_DEPTH,
    MAX_INSIDE,
    MAX_KEPT,
    MAX_LEFT,
    MAX_PICTURES,
    MAX_TEXT,
    MAX_WAITING,
    Answer,
    Picture,
)
from vault.spelling import normalised

MAX_UNPACKED = 400 << 20
"""Bytes that are unpacked of one document, with all that is inside of it."""
LEAST_PICTURE = 200
"""Bytes: a picture of fewer is a dot, a line or a bullet."""

_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff\ud800-\udfff]")
"""Not seen by anybody, and in the middle of words; a lone surrogate is no text at all."""
CUT = f"only the first {MAX_TEXT >> 20} MiB of its text are kept"


class Enough(Exception):
    """Raised when no more text is kept: what is left need not be read."""


class Found:
    """Text, and what was not read. ``budget`` is what may still be unpacked, shared by all that is inside."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MAX_TEXT
        self.left: dict[str, None] = {}
        self.pages: list[int] = []
        self.pictures: dict[bytes, Picture] = {}
        self._kept = 0
        self.depth = 0
        self._inside = 0
        self._unpacked = 0

    def add(self, text: str) -> None:
        """Keep a piece of text, as a line or lines of its own. Raises Enough."""
        tidied = _LINES.sub("\n", _BLANKS.sub(" ", normalised(_CONTROLS.sub("", text)))).strip()
        if not tidied:
            return
        size = len(tidied.encode()) + 1
        if size > self._room:
            self._parts.append(tidied.encode()[: self._room].decode("utf-8", "ignore"))
            self._room = 0
            self.leave(CUT)
            raise Enough
        self._parts.append(tidied)
        self._room -= size

    @property
    def has_text(self) -> bool:
        """Whether anything was kept."""
        return bool(self._parts)

    def leave(self, words: str) -> None:
        """Say that something is not read, and why."""
        if len(self.left) < MAX_LEFT:
            self.left[words[:200]] = None

    def wait(self, page: int) -> None:
        """A page without text."""
        if len(self.pages) < MAX_WAITING:
            self.pages.append(page)
        else:
            self.leave(f"only {MAX_WAITING} pages are read as pictures")

    def keep_picture(self, content: bytes, pages: tuple[int, ...] = ()) -> None:
        """A picture inside, or with ``pages`` a PDF of which these are pictures: once, however often it is there."""
        digest = sha256(content).digest()
        if len(content) < LEAST_PICTURE or digest in self.pictures:
            return
        if len(self.pictures) >= MAX_PICTURES or self._kept + len(content) > MAX_KEPT:
            self.leave(f"only {MAX_PICTURES} pictures inside are read, of together {MAX_KEPT >> 20} MiB")
            return
        self.pictures[digest] = Picture(pages, content)
        self._kept += len(content)

    def unpack(self, size: int) -> None:
        """Account for so many bytes unpacked. Raises Refused: a few bytes that become many are an attack."""
        self._unpacked += size
        if self._unpacked > MAX_UNPACKED:
            raise Refused(f"unpacked it is larger than {MAX_UNPACKED >> 20} MiB")

    def enter(self) -> bool:
        """Whether one more document inside may be read."""
        self._inside += 1
        if self.depth < MAX_DEPTH and self._inside <= MAX_INSIDE:
            return True
        self.leave(DEEPER)
        return False

    def answer(self, kind: str) -> Answer:
        """All of it."""
        return Answer(kind, "\n".join(self._parts), tuple(self.left), tuple(self.pages), len(self.pictures))
