# SPDX-License-Identifier: Apache-2.0
"""What a cleaning job answers: the copy, what was taken out of it, and what was not.

Values only. The child that answers has read a hostile document, so whoever takes a reply up decodes it strictly and
treats its words as untrusted.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, MsgspecError, Struct, msgpack

from vault.errors import ConfinedFailed

Words = Annotated[str, Meta(min_length=1, max_length=200)]
Several = Annotated[tuple[Words, ...], Meta(max_length=60)]


class Reply(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``removed`` and ``left`` name kinds of things in plain English, sorted, each once."""

    content: bytes
    removed: Several
    left: Several


def reply(content: bytes, removed: set[str], left: set[str]) -> Reply:
    """A reply in its one spelling."""
    return Reply(content, tuple(sorted(removed)), tuple(sorted(left)))


def encode(answer: Reply) -> bytes:
    """As MessagePack."""
    return msgpack.encode(answer)


def decode(untrusted: bytes) -> Reply:
    """The reverse. Raises ConfinedFailed."""
    try:
        return msgpack.decode(untrusted, type=Reply)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfinedFailed("the process that cleaned it answered nonsense") from exc
