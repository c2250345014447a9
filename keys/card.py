# SPDX-License-Identifier: Apache-2.0
"""Cards: the public half of an identity as a small text file to hand to others (docs/format.md §3.2).

    sandyk card 1
    kind case
    case 00112233445566778899aabbccddeeff
    epoch 3
    recipient age1pq1…
    signing <base64 of the 32-byte Ed25519 key>
    mldsa65 <base64 of SHA-256 of the ML-DSA-65 key>
    signature <base64 of 64 bytes>

A person's card has ``kind person`` and neither case nor epoch. The signature, by the signing key, covers every line
above it: it binds the keys to each other and to the case. It does not say whose card it is.
No name is inside, and a card proves nothing until its words were compared by voice.

Mail programs may add white space around lines, empty lines before and after, and CRLF; those are taken away
before reading. Anything else that differs from what ``encode`` writes is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from gettext import gettext as _
from typing import TYPE_CHECKING, Literal

from keys import labels, mldsa
from keys.age import HybridRecipient
from keys.canonical import decode_base64, decode_number, encode_base64, is_newer
from keys.errors import BadSignature, Malformed, MalformedCard, NewerFormat
from keys.primitives import KEY_SIZE, SIGNATURE_SIZE
from keys.signing import verify_signature
from keys.words import DIGEST_SIZE, fingerprint_words

if TYPE_CHECKING:
    from keys.identity import Identity

MAX_CARD_SIZE = 16 << 10
CASE_ID_SIZE = 16
MAX_EPOCH = 999_999

_FIRST_LINE = "sandyk card 1"
_CASE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Card:
    """A recipient and two signing keys that belong together. Made by ``make_card`` or ``parse_card`` only."""

    recipient: HybridRecipient
    signing: bytes
    """Ed25519 public key, 32 bytes."""
    mldsa_digest: bytes
    """SHA-256 of the ML-DSA-65 public key, 32 bytes: the key itself is 1952, and comes with each signature."""
    signature: bytes
    case_id: bytes | None = None
    """16 bytes for a case, None for a person."""
    epoch: int | None = None
    """1 to 999,999 for a case, None for a person."""

    @property
    def kind(self) -> Literal["person", "case"]:
        """Whether somebody or a case reads what is sealed to it."""
        return "person" if self.case_id is None else "case"

    @property
    def fingerprint(self) -> bytes:
        """32 bytes: SHA-256(label | NUL | kind | recipient 1216 | signing key 32 | ML-DSA digest 32 [| case id 16]).

        The epoch is not in it, but a new epoch has new keys: a case's words change with every epoch.
        """
        keys = self.recipient.raw + self.signing + self.mldsa_digest + (self.case_id or b"")
        return hashlib.sha256(
            labels.CARD_FINGERPRINT.encode("ascii") + b"\0" + self.kind.encode("ascii") + keys
        ).digest()

    @property
    def words(self) -> tuple[str, ...]:
        """The fingerprint in ten words, to compare by voice."""
        return fingerprint_words(self.fingerprint)


def make_card(identity: Identity, *, case_id: bytes | None = None, epoch: int | None = None) -> Card:
    """A card, signed: of a person, or of a case (16-byte id) in an epoch."""
    if (case_id is None) != (epoch is None) or (case_id is not None and len(case_id) != CASE_ID_SIZE):
        raise ValueError("the card of a case needs its 16-byte id and an epoch")
    if epoch is not None and not 1 <= epoch <= MAX_EPOCH:
        raise ValueError("no such epoch")
    digest = mldsa.digest_of(identity.mldsa_public)
    unsigned = Card(identity.recipient, identity.signing_public, digest, b"", case_id, epoch)
    return replace(unsigned, signature=identity.sign(labels.CARD_SIGNATURE, _signed_text(unsigned)))


def encode(card: Card) -> str:
    """ASCII text with LF line ends, about 2.2 kB."""
    return f"{_signed_text(card).decode('ascii')}signature {encode_base64(card.signature)}\n"


def parse_card(untrusted: bytes | str) -> Card:
    """The card in a text, with its self-signature checked. Raises MalformedCard, NewerFormat."""
    lines = _lines(untrusted)
    if is_newer(lines[0], _FIRST_LINE):
        raise NewerFormat(_("a card"))
    try:
        card = _read(lines)
        verify_signature(labels.CARD_SIGNATURE, _signed_text(card), card.signature, card.signing)
    except BadSignature as exc:
        raise MalformedCard(_("the card was changed: its signature does not verify")) from exc
    except Malformed as exc:
        raise MalformedCard(_("not a card: {reason}").format(reason=exc)) from exc
    if encode(card) != "".join(f"{line}\n" for line in lines):
        raise MalformedCard(_("not a card: a line is written in another way than this program writes it"))
    return card


def _signed_text(card: Card) -> bytes:
    lines = [_FIRST_LINE, f"kind {card.kind}"]
    if card.case_id is not None:
        lines += [f"case {card.case_id.hex()}", f"epoch {card.epoch}"]
    lines += [f"recipient {card.recipient}", f"signing {encode_base64(card.signing)}"]
    lines += [f"mldsa65 {encode_base64(card.mldsa_digest)}"]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _lines(untrusted: bytes | str) -> list[str]:
    if len(untrusted) > MAX_CARD_SIZE:
        raise MalformedCard(_("not a card: too long"))
    try:
        text = untrusted.decode("ascii") if isinstance(untrusted, bytes) else untrusted.encode("ascii").decode("ascii")
    except UnicodeError as exc:
        raise MalformedCard(_("not a card: it is not plain ASCII text")) from exc
    return [line.strip(" \t\r") for line in text.strip(" \t\r\n").split("\n")]


def _read(lines: list[str]) -> Card:
    """The card as its lines say, unverified."""
    if not lines or lines[0] != _FIRST_LINE:
        raise Malformed(_("it does not begin with “{first_line}”").format(first_line=_FIRST_LINE))
    kind, rest = _field(lines, 1, "kind"), 2
    case_id = epoch = None
    if kind == "case":
        case_id, epoch, rest = _case_id(_field(lines, 2, "case")), _epoch(_field(lines, 3, "epoch")), 4
    elif kind != "person":
        raise Malformed(_("of an unknown kind"))
    if len(lines) != rest + 4:
        raise Malformed(_("lines are missing, or something follows it"))
    return Card(
        recipient=HybridRecipient.parse(_field(lines, rest, "recipient")),
        signing=decode_base64(_field(lines, rest + 1, "signing"), size=KEY_SIZE),
        mldsa_digest=decode_base64(_field(lines, rest + 2, "mldsa65"), size=DIGEST_SIZE),
        signature=decode_base64(_field(lines, rest + 3, "signature"), size=SIGNATURE_SIZE),
        case_id=case_id,
        epoch=epoch,
    )


def _field(lines: list[str], number: int, name: str) -> str:
    if number >= len(lines) or not lines[number].startswith(f"{name} "):
        raise Malformed(_("the line “{name}” is missing").format(name=name))
    return lines[number].removeprefix(f"{name} ")


def _case_id(untrusted: str) -> bytes:
    if not _CASE_ID.fullmatch(untrusted):
        raise Malformed(_("a case id has 32 hex digits"))
    return bytes.fromhex(untrusted)


def _epoch(untrusted: str) -> int:
    number = decode_number(untrusted)
    if not 1 <= number <= MAX_EPOCH:
        raise Malformed(_("no such epoch"))
    return number
