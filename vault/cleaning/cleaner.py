# SPDX-License-Identifier: Apache-2.0
"""The side that asks for clean copies: which code takes which document, and what a copy says of how it was made.

Looks at a document's first bytes to choose, and parses nothing. The libraries are found, but never loaded, here.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from contextlib import ExitStack
from gettext import gettext as _
from importlib import metadata

from vault.cleaning.reply import Reply, decode
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedRefused, LibraryMissing

CLEANER = "sandyk clean 1"
"""A new number when a copy of the same document would come out otherwise."""

_HEAD = 1024
"""A PDF may begin anywhere in as many bytes (ISO 32000-1, annex H.3)."""
_IMAGES = Job("vault.cleaning.images", "clean")
_PDF = Job("vault.cleaning.pdf", "clean")
_OFFICE = Job("vault.cleaning.office", "clean")
_USES = {_IMAGES: ("pillow",), _PDF: ("pikepdf",), _OFFICE: ("pillow", "lxml")}
_BEGINS = (
    (re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|II[*+]\0|MM\0[*+]|RIFF....WEBP", re.S), _IMAGES),
    (re.compile(rb"PK\x03\x04"), _OFFICE),
)
_REASONS = (
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an older Office format: save it as docx, xlsx or pptx"),
    (re.compile(rb"....ftyp(heic|heix|mif1|msf1|avif)", re.S), "a HEIC or AVIF picture: save it as JPEG or PNG"),
    (re.compile(rb"....ftyp|\x1aE\xdf\xa3|OggS|ID3|fLaC|RIFF....(WAVE|AVI )|\xff[\xf2-\xfb]", re.S),
     "sound and video cannot be cleaned here"),
    (re.compile(rb"\{\\rtf"), "RTF: save it as docx or OpenDocument"),
)  # fmt: skip


class Cleaner:
    """Makes clean copies, one after the other. Use it in a ``with`` statement. Raises LibraryMissing."""

    def __init__(self, limits: Limits = Limits()) -> None:
        missing = [name for name in ("PIL", "pikepdf", "lxml") if importlib.util.find_spec(name) is None]
        if missing:
            raise LibraryMissing(
                _("clean copies need Pillow and pikepdf, which are not installed"),
                _("install them with: pip install 'sandyk[clean]'"),
                _("nothing was changed or sent"),
            )
        self.limits, self._stack = limits, ExitStack()
        self._workers: dict[Job, Worker] = {}

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clean(self, pieces: Sequence[bytes]) -> tuple[Reply, str]:
        """The copy of a document, and what made it. Raises ConfinedRefused, ConfinedFailed: then there is none."""
        job = _job_for(_head(pieces))
        if job not in self._workers:
            self._workers[job] = self._stack.enter_context(Worker(job, self.limits))
        return decode(self._workers[job].run(pieces)), made_by(job)


def made_by(job: Job) -> str:
    """The cleaner and the versions of what it uses, in one line without a semicolon."""
    return ", ".join((CLEANER, *(f"{name} {metadata.version(name)}" for name in _USES[job])))


def present_makers() -> frozenset[str]:
    """What a copy that was made today would say that it was made by, one for each kind of document."""
    return frozenset(map(made_by, _USES))


def _head(pieces: Sequence[bytes]) -> bytes:
    head = b""
    for piece in pieces:
        head += piece[: _HEAD - len(head)]
        if len(head) == _HEAD:
            break
    return head


def _job_for(untrusted_head: bytes) -> Job:
    for pattern, job in _BEGINS:
        if pattern.match(untrusted_head):
            return job
    if b"%PDF-" in untrusted_head:
        return _PDF
    for pattern, reason in _REASONS:
        if pattern.match(untrusted_head):
            raise ConfinedRefused(reason)
    raise ConfinedRefused("of a kind that cannot be cleaned here")
