# SPDX-License-Identifier: Apache-2.0
"""What an extracting job answers, and the states in which a document can be.

Values only. The child that answers has read a hostile document: who takes an answer up decodes it strictly.
"""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

from msgspec import Meta, MsgspecError, Struct, msgpack

from vault.errors import ConfinedFailed

READ = "read"
"""There is text."""
EMPTY = "empty"
"""No text was found in it: sound, video, nothing at all, or of a kind that is not known here."""
FAILED = "failed"
"""It could not be read; the detail says why."""
WAITING = "pictures"
"""It shows pictures that nobody has read yet: tesseract can."""
LARGE = "large"
"""It is larger than what is read."""
STATES = (READ, EMPTY, FAILED, WAITING, LARGE)

MAX_TEXT = 4 << 20
"""Bytes of UTF-8 that are kept of one document: a book of two thousand pages."""
MAX_WAITING = 500
"""Pages of one document that are read as pictures."""
MAX_PICTURES = 200
MAX_KEPT = 64 << 20
"""Pictures inside of one document that are read, and their bytes together."""
MAX_DEPTH = 5
"""Of documents in documents: an archive attached to a mail that is attached to a mail."""
MAX_INSIDE = 5_000
"""Documents in one document."""
DEEPER = f"it holds more than {MAX_INSIDE:,} documents, or documents more than {MAX_DEPTH} deep"
MAX_LEFT = 20

Pages = Annotated[tuple[Annotated[int, Meta(ge=0, le=1_000_000)], ...], Meta(max_length=MAX_WAITING)]
Words = Annotated[str, Meta(min_length=1, max_length=200)]


class Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``kind``: what it turned out to be, a word of ``vault.kinds``. ``left``: what was not read, in plain English.

    ``pages``: numbers of pages, from 0, that show something and have no text; for a picture (0,). ``pictures``: how
    many there are in it, as in a mail or in an office document.
    """

    kind: Annotated[str, Meta(min_length=1, max_length=20)]
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    left: Annotated[tuple[Words, ...], Meta(max_length=MAX_LEFT)]
    pages: Pages
    pictures: Annotated[int, Meta(ge=0, le=MAX_PICTURES)] = 0


class Picture(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A picture inside of a document; with ``pages`` it is a PDF of which these are pictures."""

    pages: Pages
    content: Annotated[bytes, Meta(max_length=MAX_KEPT)]


_Pictures = Annotated[tuple[Picture, ...], Meta(max_length=MAX_PICTURES)]


def encode(answer: Answer) -> bytes:
    """As MessagePack."""
    return msgpack.encode(answer)


def decode(untrusted: bytes) -> Answer:
    """The reverse. Raises ConfinedFailed."""
    answer: Answer = _decoded(untrusted, Answer)
    return answer


def decode_pictures(untrusted: bytes) -> tuple[Picture, ...]:
    """What ``job.pictures`` answers. Raises ConfinedFailed."""
    # How many there are is judged before they are made: of 80 MiB a child can say that they are 25 million.
    pictures: tuple[Picture, ...] = _decoded(untrusted, _Pictures)
    return pictures


def _decoded(untrusted: bytes, form: Any) -> Any:
    try:
        return msgpack.decode(untrusted, type=form)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfinedFailed(_("the process that read it answered nonsense")) from exc
