# SPDX-License-Identifier: Apache-2.0
"""The side that asks for the words of documents: one after the other, each in a process of its own.

Parses nothing and opens no file of anybody's. A document that crashes or hangs its process costs itself, and is a
``Reading`` like any other. The libraries are found, but never loaded, here.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _
from importlib import metadata
from itertools import chain
from typing import Annotated

from msgspec import Meta, MsgspecError, msgpack

from vault import kinds
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed, ConfinedRefused, LibraryMissing
from vault.extracting.answer import (
    DEEPER,
    EMPTY,
    FAILED,
    LARGE,
    MAX_TEXT,
    MAX_WAITING,
    READ,
    WAITING,
    Answer,
    decode,
    decode_pictures,
)
from vault.extracting.ocr import Ocr
from vault.extracting.pgm import MAX_PIXELS, PAGES_AT_ONCE, is_plain_pgm, may_hold_words

READER = "sandyk read 2"
"""A new number when more would be read of the same document."""
LIMITS = Limits(seconds=60, cpu_seconds=50, memory=2 << 30, output=32 << 20)
MAX_DOCUMENT = LIMITS.input
"""Bytes of a document that is read."""
PATIENCE = 1800
"""Seconds for all pictures of one document: a page takes seconds, and a hostile one as long as it may."""
_EXTRACT = Job("vault.extracting.job", "extract")
_ALONE = Job("vault.extracting.job", "extract_alone")
_PICTURES = Job("vault.extracting.job", "pictures")
_PAGES = Job("vault.extracting.pdf", "pages")
_SCAN = Job("vault.extracting.pictures", "scan")
_DRAWING = Limits(seconds=120, cpu_seconds=100, memory=2 << 30, output=PAGES_AT_ONCE * (MAX_PIXELS + 100))
_COLLECTING = Limits(seconds=60, cpu_seconds=50, memory=2 << 30, output=80 << 20)
_Pages = Annotated[tuple[bytes, ...], Meta(max_length=PAGES_AT_ONCE)]
"""What is judged of an answer before it is taken apart: a child can say of 40 MB that they are 20 million pictures."""
_LEFT = "; "
UNREAD_PICTURES = "pictures inside were not read: tesseract can read them"
"""What the detail of a document says that is to be tried again once tesseract is there."""
_LIBRARIES = ("pypdfium2", "olefile", "xlrd", "compressed_rtf")

Pieces = Callable[[], Iterable[bytes]]
"""Gives the bytes of a document, each time anew: a large one is never in memory here."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one document: a state of ``vault.extracting.answer``, a kind, the text, and what was not read."""

    state: str
    kind: str
    text: str = ""
    detail: str = ""
    pictures: int = 0
    """How many pictures were read: each takes seconds."""


class Reader:
    """Reads documents. Use it in a ``with`` statement, from one thread. Raises LibraryMissing.

    ``ocr``: what reads pictures, if anything does.
    """

    def __init__(self, ocr: Ocr | None = None, limits: Limits = LIMITS, patience: float = PATIENCE) -> None:
        if missing := [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]:
            raise LibraryMissing(
                _("reading documents needs libraries that are not installed: {names}").format(names=", ".join(missing)),
                _("install it with: pip install 'sandyk[text]'"),
                _("names, notes, sources and tags are searched without them"),
            )
        self.limits, self._ocr, self._stack, self._closed = limits, ocr, ExitStack(), False
        self._patience = patience
        self._workers: dict[Job, Worker] = {}
        self._end_program: Callable[[], None] = lambda: None
        self.name = ", ".join((READER, f"pypdfium2 {metadata.version('pypdfium2')}", *((ocr.name,) if ocr else ())))
        """What reads here, in one line, for the record."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the children, whatever they are doing, also from another thread. Safe to call twice."""
        self._closed = True
        self._end_program()
        self._stack.close()

    def _program_started(self, end: Callable[[], None]) -> None:
        self._end_program = end
        if self._closed:
            end()

    def may_read_more(self, kind: str, detail: str, reader: str) -> bool:
        """Whether more would be found now in a document that another ``reader`` read, or something was left of."""
        waits = UNREAD_PICTURES in detail.split(_LEFT) and self.reads_pictures_of(kind)
        return waits or reader.partition(",")[0] != READER

    def reads_pictures_of(self, kind: str) -> bool:
        """Whether a document of this kind that waits for tesseract is to be tried now."""
        return self._ocr is not None and (kind != kinds.IMAGE or importlib.util.find_spec("PIL") is not None)

    def read(self, name: bytes, size: int, pieces: Pieces) -> Reading:
        """Read one document, given its name and its size in bytes. Raises what ``pieces`` raises."""
        kind = kinds.kind_of(name)
        if size > self.limits.input:
            return Reading(LARGE, kind, detail=f"it is larger than {self.limits.input >> 20} MiB")
        document = iter(pieces())
        first = next(document, b"")
        kind = kinds.kind_of(name, first[: kinds.HEAD])
        if kind in (kinds.AUDIO, kinds.VIDEO):
            return Reading(EMPTY, kind)
        try:
            answer, left = self._extracted(name, chain((first,), document), pieces)
            return self._with_pictures(name, answer, pieces, left)
        except ConfinedFailed as exc:
            return Reading(FAILED, kind, detail=str(exc)[:200])

    def _extracted(self, name: bytes, document: Iterable[bytes], pieces: Pieces) -> tuple[Answer, list[str]]:
        """What was found, and what was left: when reading it fails, at least what it says itself."""
        try:
            answer = decode(self._run(_EXTRACT, document, name))
        except ConfinedRefused:
            raise
        except ConfinedFailed as exc:
            try:
                answer = decode(self._run(_ALONE, pieces(), name))
            except ConfinedFailed:
                raise exc from None
            if DEEPER not in answer.left:  # nothing is inside: it fails by itself, and this was luck
                raise
            return answer, [*(set(answer.left) - {DEEPER}), f"what is inside of it was not read: {exc}"[:200]]
        return answer, list(answer.left)

    def _with_pictures(self, name: bytes, answer: Answer, pieces: Pieces, left: list[str]) -> Reading:
        text, pages, inside, count = answer.text, bool(answer.pages), bool(answer.pictures), 0
        if (pages or inside) and self.reads_pictures_of(answer.kind):
            text, count = self._read_pictures(name, answer, pieces, left), len(answer.pages) + answer.pictures
            pages = inside = False
        elif pages:
            left.append("pages of it are pictures: tesseract can read them")
        elif inside:
            left.append(UNREAD_PICTURES)
        has_words = any(character.isalnum() for character in text)
        waiting = pages or (inside and not has_words)
        state = WAITING if waiting else READ if has_words else FAILED if left else EMPTY
        kind = answer.kind if answer.kind in kinds.KINDS else kinds.OTHER
        return Reading(state, kind, text, _LEFT.join(left), count)

    def _read_pictures(self, name: bytes, answer: Answer, pieces: Pieces, left: list[str]) -> str:
        """All text, with that of pictures behind it. What of these could not be read is added to ``left``."""
        parts, room, unread = [answer.text], MAX_TEXT - len(answer.text.encode()), 0
        end = time.monotonic() + self._patience
        try:
            for picture in self._pictures(name, answer, pieces):
                if time.monotonic() > end:
                    raise ConfinedFailed(f"reading it took longer than {self._patience:g} seconds")
                said = self._words_in(picture) if picture else None
                unread += said is None
                parts.append((said or "").encode()[: max(0, room)].decode("utf-8", "ignore").strip())
                room -= len(parts[-1].encode()) + 1
        except ConfinedFailed as exc:
            left.append(f"pages of it that are pictures: {exc}"[:200])
        if unread:
            left.append(f"{unread} picture(s) of it could not be read")
        return "\n".join(filter(None, parts))

    def _words_in(self, picture: bytes) -> str | None:
        if self._ocr is None or self._closed:
            return None
        if not may_hold_words(picture):
            return ""
        try:
            return self._ocr.read(picture, self._program_started)
        except ConfinedFailed:
            return None

    def _pictures(self, name: bytes, answer: Answer, pieces: Pieces) -> Iterator[bytes]:
        """Each picture as a PGM, nothing for one inside that is none. Raises ConfinedFailed."""
        if answer.pages:
            yield from self._drawn(() if answer.kind == kinds.IMAGE else answer.pages, pieces)
        if not answer.pictures:
            return
        for picture in decode_pictures(self._run(_PICTURES, pieces(), name, _COLLECTING)):
            try:
                yield from self._drawn(picture.pages, partial(tuple, [picture.content]))
            except ConfinedFailed:
                if self._closed:
                    raise
                yield b""

    def _drawn(self, pages: Sequence[int], pieces: Pieces) -> Iterator[bytes]:
        """A picture's pages, or with ``pages`` these of a PDF, as PGMs. Raises ConfinedFailed."""
        if not pages:
            for start in range(0, MAX_WAITING, PAGES_AT_ONCE):
                pictures = _judged(self._run(_SCAN, pieces(), msgpack.encode(start), _DRAWING))
                yield from pictures
                if len(pictures) < PAGES_AT_ONCE:
                    return
            raise ConfinedFailed(f"only {MAX_WAITING} pages are read as pictures")
        for start in range(0, len(pages), PAGES_AT_ONCE):
            some = tuple(pages[start : start + PAGES_AT_ONCE])
            yield from _judged(self._run(_PAGES, pieces(), msgpack.encode(some), _DRAWING))

    def _run(self, job: Job, document: Iterable[bytes], argument: bytes, limits: Limits | None = None) -> bytes:
        if self._closed:
            raise ConfinedFailed(_("reading was stopped"))
        if job not in self._workers:
            self._workers[job] = self._stack.enter_context(Worker(job, limits or self.limits))
        return self._workers[job].run(document, argument)


def _judged(untrusted: bytes) -> tuple[bytes, ...]:
    """Pictures that are such. Raises ConfinedFailed."""
    try:
        pictures = msgpack.decode(untrusted, type=_Pages)
    except MsgspecError as exc:
        raise ConfinedFailed(_("the process that read it answered nonsense")) from exc
    if not all(map(is_plain_pgm, pictures)):
        raise ConfinedFailed(_("the process that read it answered nonsense"))
    return pictures
