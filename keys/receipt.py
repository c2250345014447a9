# SPDX-License-Identifier: Apache-2.0
"""Receipts: an editor's signed statement that the documents of one bundle were decrypted and verified.

Owns docs/format-bundle.md §8: a sealed record (``keys.record``) for the bundle's sender. It goes back over
carriers that nobody trusts, so nothing in clear names the editor or the bundle. What the statement says is the
editor's word: when, by their clock, and what they then did with the documents, it does not prove. Whether the one
who signed is anybody, and whether such a bundle was ever sent to them, is the caller's to judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Annotated

import msgspec

from keys import age, labels
from keys.card import Card, encode, parse_card
from keys.crowd import round_up
from keys.errors import MalformedRecord
from keys.identity import Identity
from keys.record import CardText, Id, Key, Nanoseconds, open_signed_record, seal_record
from keys.signing import signed_bytes

MAX_DOCUMENTS = 100_000
"""As many as a bundle holds."""
LEAST_SIZE = 16 << 10
MAX_SIZE = 4 << 20
"""Bytes of plaintext: 100,000 hashes of 34 bytes, and the rest."""
MAX_FILE_SIZE = 5 << 20
"""Of the sealed file: a header of at most 128 KiB, and 16 bytes for each 64 KiB."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an editor states."""

    bundle_id: bytes
    """16 bytes."""
    tag_manifest_sha256: bytes
    """32 bytes over the text that the bundle's signature covers: it stands for the whole bundle."""
    documents: tuple[bytes, ...]
    """SHA-256 of each document, in the bundle's order."""
    opened_ns: int
    """Nanoseconds since 1970, by the editor's clock: a claim."""
    editor: Card
    """A person's."""


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt whose signature verified by the key in its card, with what others need to check that again."""

    receipt: Receipt
    statement: bytes
    """What was signed: label | NUL | MessagePack."""
    signature: bytes
    """Ed25519, 64 bytes."""

    @property
    def digest(self) -> bytes:
        """32 bytes: SHA-256 of the statement."""
        return hashlib.sha256(self.statement).digest()


class _Receipt(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sandyk receipt 1"):
    bundle: Id
    tag_manifest: Key
    documents: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=MAX_DOCUMENTS)]
    opened_ns: Nanoseconds
    editor: CardText


def seal_receipt(
    bundle_id: bytes, tag_manifest_sha256: bytes, documents: Sequence[bytes], opened_ns: int, *,
    editor: Identity, sender: age.Recipient,
) -> bytes:  # fmt: skip
    """An age file for the bundle's sender and a dummy, of a size that tells the number of documents to a power of two.

    Raises MalformedRecord for what a reader would refuse.
    """
    body = _Receipt(bundle_id, tag_manifest_sha256, tuple(documents), opened_ns, encode(editor.card()))
    recipients = round_up([sender])
    return seal_record(body, labels.RECEIPT_SIGNATURE, editor, recipients, least=LEAST_SIZE, limit=MAX_SIZE)


def open_receipt(untrusted: bytes, identities: Sequence[age.Identity]) -> SignedReceipt:
    """The receipt in a file, signed by whoever its card belongs to.

    Raises NoMatch, MalformedAge, Damaged, MalformedCard, MalformedRecord and BadSignature.
    """
    signed = open_signed_record(
        untrusted, identities, _Receipt, labels.RECEIPT_SIGNATURE,
        signer=lambda untrusted_body: parse_card(untrusted_body.editor).signing, limit=MAX_SIZE,
    )  # fmt: skip
    body, editor = signed.body, parse_card(signed.body.editor)
    if editor.kind != "person" or encode(editor) != body.editor:
        raise MalformedRecord(_("a receipt by a case, or with a card in another spelling than this program's"))
    receipt = Receipt(body.bundle, body.tag_manifest, body.documents, body.opened_ns, editor)
    return SignedReceipt(receipt, signed_bytes(labels.RECEIPT_SIGNATURE, signed.encoded), signed.signature)
