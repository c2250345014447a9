# SPDX-License-Identifier: Apache-2.0
"""What an extracting job answers, and the states in which a document can be.

Values only. The child that answers has read a hostile document: who takes an answer up decodes it strictly.
"""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

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
MAX_LEFT = 20

Words = Annotated[str, Meta(min_length=1, max_length=200)]


class Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``kind``: what it turned out to be, a word of ``vault.kinds``. ``left``: what was not read, in plain English.

    ``pages``: numbers of pages, from 0, that show something and have no text; for a picture (0,).
    """

    kind: Annotated[str, Meta(min_length=1, max_length=20)]
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    left: Annotated[tuple[Words, ...], Meta(max_length=MAX_LEFT)]
    pages: Annotated[tuple[Annotated[int, Meta(ge=0, le=1_000_000)], ...], Meta(max_length=MAX_WAITING)]


def encode(answer: Answer) -> bytes:
    """As MessagePack."""
    return msgpack.encode(answer)


def decode(untrusted: bytes) -> Answer:
    """The reverse. Raises ConfinedFailed."""
    try:
        return msgpack.decode(untrusted, type=Answer)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfinedFailed(_("the process that read it answered nonsense")) from exc
