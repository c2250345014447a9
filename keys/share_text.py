# SPDX-License-Identifier: Apache-2.0
"""A share of a key as its holder gets it: a short text, signed by whose key it is, sealed to the holder's card.

    sandyk share 1
    set <32 hex digits, the same in all shares of a split>
    share 2 of 5
    needed 3
    made 2026-11-21
    owner <the ten words of the owner's card>
    signing <base64 of the owner's Ed25519 key>
    name <what the owner chose to be called here>          only if they chose to
    words <33 words>
    signature <base64 of 64 bytes>

Below an empty line follows what a person should know who opens it with another age program; it is read by nobody else.
Line feeds fill all of it up to 1,024 bytes, so that no size tells a name (docs/format.md §3.6). The signature, by the
signing key, covers every line above it. Who that is, is the reader's to judge.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import date
from gettext import gettext as _

from keys import age, labels
from keys.armor import ArmorWriter
from keys.canonical import decode_base64, decode_number, encode_base64, is_newer
from keys.card import Card
from keys.errors import BadSignature, Malformed, MalformedShare, NewerFormat
from keys.identity import Identity
from keys.names import parse_name
from keys.primitives import KEY_SIZE, SIGNATURE_SIZE
from keys.shares import LEAST_THRESHOLD, MAX_SHARES, Share, parse_share
from keys.signing import verify_signature
from keys.words import FINGERPRINT_WORDS

TEXT_SIZE = 1024
"""Bytes of plaintext, always."""
MAX_SEALED_SIZE = 16 << 10
"""Bytes of a sealed share that are read at most; one of this program's has about 3,800 as text."""
MAX_OWNER_NAME = 40
"""Characters of the name in a share, so that all of it fits."""

_FIRST_LINE = "sandyk share 1"
_README = """\
One share of a key, held for the person named above. Keep it. Read its words to nobody else,
and to them only when you know their voice. sandyk key check FILE tells if it is whole.
"""
_SET = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PLACE = re.compile(r"([0-9]+) of ([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class HeldShare:
    """A share and what it says of itself. The signature verified; whose key made it, the caller judges."""

    share: Share
    set_id: bytes
    """16 random bytes."""
    count: int
    """How many shares there are, 2 to 16."""
    made: date
    owner: tuple[str, ...]
    """The ten words of the owner's card."""
    signing: bytes
    """The owner's Ed25519 key, 32 bytes."""
    name: str | None = None


def seal_share(held: HeldShare, owner: Identity, holder: Card) -> bytes:
    """An armored age file for the holder alone. ValueError for a name that is too long."""
    if held.name is not None and len(held.name) > MAX_OWNER_NAME:
        raise ValueError("a name in a share has at most 40 characters")
    signed = _signed_text(held)
    signature = encode_base64(owner.sign(labels.SHARE_SIGNATURE, signed))
    text = signed + f"signature {signature}\n\n{_README}".encode("ascii")
    if len(text) > TEXT_SIZE:
        raise ValueError("more than fits into a share")
    return _armored(age.seal(text.ljust(TEXT_SIZE, b"\n"), [holder.recipient]))


def open_share(untrusted: bytes, holder: Identity) -> HeldShare:
    """The share in an age file, armored or not.

    Raises MalformedAge, NoMatch, Damaged, MalformedShare, NewerFormat, and BadSignature.
    """
    return parse_text(age.unseal(untrusted, [holder.age], limit=TEXT_SIZE))


def parse_text(untrusted: bytes) -> HeldShare:
    """The share in its text, with the signature checked. Raises MalformedShare, NewerFormat and BadSignature."""
    head = untrusted.partition(b"\n\n")[0] + b"\n"
    first = head.partition(b"\n")[0]
    if is_newer(first, _FIRST_LINE):
        raise NewerFormat(_("a share of a key"))
    try:
        lines = head.decode("utf-8").split("\n")[:-1]
        held, untrusted_signature = _read(lines)
        signed = _signed_text(held)
        if signed + f"signature {encode_base64(untrusted_signature)}\n".encode("ascii") != head:
            raise MalformedShare(_("this share is written in another way than this program writes one"))
        verify_signature(labels.SHARE_SIGNATURE, signed, untrusted_signature, held.signing)
    except MalformedShare:
        raise
    except (Malformed, UnicodeError) as exc:
        raise MalformedShare(_("this is not a share of a key")) from exc
    except BadSignature as exc:
        raise BadSignature(_("this share was changed after it was made: its signature does not verify")) from exc
    return held


def looks_like_text(untrusted: bytes) -> bool:
    """Whether this begins as the text of a share does."""
    return untrusted.startswith(b"sandyk share ")


def _signed_text(held: HeldShare) -> bytes:
    name = () if held.name is None else (f"name {held.name}",)
    lines = (
        _FIRST_LINE,
        f"set {held.set_id.hex()}",
        f"share {held.share.index} of {held.count}",
        f"needed {held.share.threshold}",
        f"made {held.made.isoformat()}",
        f"owner {' '.join(held.owner)}",
        f"signing {encode_base64(held.signing)}",
        *name,
        f"words {held.share.words.expose().decode('ascii')}",
    )
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _read(lines: list[str]) -> tuple[HeldShare, bytes]:
    """The share as its lines say, and its signature, unverified. Raises Malformed."""
    if not lines or lines[0] != _FIRST_LINE or len(lines) not in (9, 10):
        raise Malformed(_("not the lines of a share"))
    rest = iter(lines[1:])
    set_id = next(rest).removeprefix("set ")
    place = _PLACE.fullmatch(next(rest).removeprefix("share "))
    needed = decode_number(next(rest).removeprefix("needed "))
    made = _date(next(rest).removeprefix("made "))
    owner = tuple(next(rest).removeprefix("owner ").split(" "))
    signing = decode_base64(next(rest).removeprefix("signing "), size=KEY_SIZE)
    name = parse_name(next(rest).removeprefix("name ")) if len(lines) == 10 else None
    share = parse_share(next(rest).removeprefix("words "))
    signature = decode_base64(next(rest).removeprefix("signature "), size=SIGNATURE_SIZE)
    if not _SET.fullmatch(set_id) or place is None or len(owner) != FINGERPRINT_WORDS:
        raise Malformed(_("a line of a share that says something else"))
    index, count = decode_number(place[1]), decode_number(place[2])
    if (index, needed) != (share.index, share.threshold):
        raise Malformed(_("a share whose words say another number"))
    if not LEAST_THRESHOLD <= needed <= count <= MAX_SHARES or index > count:
        raise Malformed(_("numbers that no split has"))
    return HeldShare(share, bytes.fromhex(set_id), count, made, owner, signing, name), signature


def _date(untrusted: str) -> date:
    try:
        return date.fromisoformat(untrusted)
    except ValueError as exc:
        raise Malformed(_("not a date")) from exc


def _armored(sealed: bytes) -> bytes:
    out = io.BytesIO()
    armor = ArmorWriter(out)
    armor.write(sealed)
    armor.finish()
    return out.getvalue()
