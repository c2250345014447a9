# SPDX-License-Identifier: Apache-2.0
"""Sealed records: the form that access files, books, rosters and receipts share (docs/format.md §4.2).

    age file of:  signature 64 | length 4, big-endian | body | zeros

The body is one MessagePack value of a shape that its owner gives, in the one spelling that msgspec writes. The
signature covers the body; it is there because whoever knows a recipient can seal to it. The
whole is padded to a power of two. Owns no meaning: who may sign is the owner's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Annotated, Generic, TypeVar

import msgspec

from keys import age
from keys.canonical import is_newer
from keys.card import MAX_CARD_SIZE
from keys.errors import MalformedRecord, NewerFormat
from keys.identity import ID_SIZE, Identity
from keys.names import MAX_NAME
from keys.primitives import KEY_SIZE, SIGNATURE_SIZE
from keys.signing import verify_signature

Id = Annotated[bytes, msgspec.Meta(min_length=ID_SIZE, max_length=ID_SIZE)]
Key = Annotated[bytes, msgspec.Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
CardText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CARD_SIZE)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""Since 1970."""

_LENGTH_SIZE = 4
_START = SIGNATURE_SIZE + _LENGTH_SIZE

_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def seal_record(
    body: msgspec.Struct, label: str, signer: Identity, recipients: Sequence[age.Recipient], *, least: int, limit: int
) -> bytes:
    """An age file, padded to a power of two, at least ``least`` and at most ``limit`` bytes of plaintext.

    Raises MalformedRecord rather than write what ``open_record`` would refuse.
    """
    encoded = msgspec.msgpack.encode(body)
    _decode(encoded, type(body))
    signed = signer.sign(label, encoded) + len(encoded).to_bytes(_LENGTH_SIZE, "big") + encoded
    size = max(least, 1 << (len(signed) - 1).bit_length())
    if size > limit:
        raise MalformedRecord(_("too much for one file"))
    return age.seal(signed.ljust(size, b"\0"), recipients)


def open_record(
    untrusted: bytes,
    identity: Identity,
    shape: type[_Shape],
    label: str,
    *,
    signer: Callable[[_Shape], bytes],
    limit: int,
    newer: type[_Shape] | None = None,
) -> _Shape:
    """The body of a record, with the signature checked against the key that ``signer`` finds for it.

    ``newer`` is the shape of the next version, where there is one: a body of either is taken.
    Raises MalformedAge, NoMatch, Damaged, MalformedRecord, NewerFormat and BadSignature.
    """
    return open_signed_record(untrusted, [identity.age], shape, label, signer=signer, limit=limit, newer=newer).body


@dataclass(frozen=True, slots=True)
class SignedRecord(Generic[_Shape]):
    """A record whose signature verified, with what it takes to show that to others."""

    body: _Shape
    encoded: bytes
    """The bytes of the body: with a label and a NUL before them, they are what was signed."""
    signature: bytes


def open_signed_record(
    untrusted: bytes,
    identities: Sequence[age.Identity],
    shape: type[_Shape],
    label: str,
    *,
    signer: Callable[[_Shape], bytes],
    limit: int,
    newer: type[_Shape] | None = None,
) -> SignedRecord[_Shape]:
    """``open_record`` for a record that others are to check as well, opened with any of ``identities``."""
    plaintext = age.unseal(untrusted, identities, limit=limit)
    untrusted_signature = plaintext[:SIGNATURE_SIZE]
    end = _START + int.from_bytes(plaintext[SIGNATURE_SIZE:_START], "big")
    untrusted_encoded, padding = plaintext[_START:end], plaintext[end:]
    if len(plaintext) < end or any(padding):
        raise MalformedRecord(_("a record that does not fill its file as it should"))
    untrusted_body = _decode(untrusted_encoded, shape, newer)
    verify_signature(label, untrusted_encoded, untrusted_signature, signer(untrusted_body))
    return SignedRecord(untrusted_body, untrusted_encoded, untrusted_signature)


def _decode(untrusted: bytes, shape: type[_Shape], newer: type[_Shape] | None = None) -> _Shape:
    try:
        body: _Shape = msgspec.msgpack.decode(untrusted, type=shape if newer is None else shape | newer)
        canonical = msgspec.msgpack.encode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as exc:
        _refuse_newer(untrusted, newer or shape)
        raise MalformedRecord(_("not a {tag}").format(tag=shape.__struct_config__.tag)) from exc
    if canonical != untrusted:
        raise MalformedRecord(
            _("a {tag} in another spelling than this program's").format(tag=shape.__struct_config__.tag)
        )
    return body


class _Kind(msgspec.Struct):
    """What every version of every record begins with."""

    kind: str


def _refuse_newer(untrusted: bytes, shape: type[msgspec.Struct]) -> None:
    """Raise NewerFormat when this is what ``shape`` is, of a higher version. The signature cannot be checked then."""
    try:
        kind = msgspec.msgpack.decode(untrusted, type=_Kind).kind
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return
    ours = str(shape.__struct_config__.tag)
    if is_newer(kind, ours):
        raise NewerFormat(_("a record of the kind “{kind}”").format(kind=kind))
