# SPDX-License-Identifier: Apache-2.0
"""The judge of where a case's documents are: safe abroad, on their way, or only here, as far as its record tells.

No I/O. *Only here*: in no export. *On its way*: exported, and nothing came back. *Safe abroad*: an editor's signed
receipt names its hash. It also judges what a receipt is worth for an export, and owns the text that both leave in the
custody record (docs/format.md §6.2). Where a document truly is, nobody can say from here: an editor may have lost it
since. Whether the editor is known, it does not judge: that is in no case's record (``vault.receipts``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from gettext import gettext as _

from keys.age import HybridRecipient, X25519Recipient
from keys.card import Card
from keys.receipt import Receipt, SignedReceipt
from vault.errors import NotTrusted
from vault.index import EventRow
from vault.language import later
from vault.model import EVENT_EXPORT_BEGUN, EVENT_EXPORTED, EVENT_RECEIPT, Event, ItemId

_SHOWN_OF_RECIPIENT = len("age1pq1") + 24
"""24 characters are 120 bits of a key: enough to tell whose it is."""
_EXPORT = re.compile(r"bundle ([0-9a-f]{32}) manifest ([0-9a-f]{64}) for (.+)", re.ASCII | re.DOTALL)
_RECEIPT = re.compile(r"bundle ([0-9a-f]{32}) statement ([0-9a-f]{64}) by (.+)", re.ASCII | re.DOTALL)


class Where(Enum):
    """Where a document is, as far as the case's record tells."""

    SAFE = later("safe abroad")
    SENT = later("on its way")
    HERE = later("only here")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many documents are where, and when the last export and the last receipt that counts were recorded."""

    safe: int = 0
    sent: int = 0
    here: int = 0
    last_sealed_ns: int | None = None
    last_safe_ns: int | None = None

    @property
    def total(self) -> int:
        """All documents."""
        return self.safe + self.sent + self.here

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.safe + other.safe, self.sent + other.sent, self.here + other.here,
            _later(self.last_sealed_ns, other.last_sealed_ns), _later(self.last_safe_ns, other.last_safe_ns),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportNote:
    """What an event ``exported`` or ``export begun`` says: which bundle, which content, for whom (``known_as``)."""

    bundle_id: bytes
    tag_manifest_sha256: bytes
    whom: tuple[str, ...]

    def __str__(self) -> str:
        return f"bundle {self.bundle_id.hex()} manifest {self.tag_manifest_sha256.hex()} for {'; '.join(self.whom)}"


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """What an event ``receipt taken`` says: for which bundle, SHA-256 of the signed statement, whose (ten words)."""

    bundle_id: bytes
    statement_sha256: bytes
    editor: str

    def __str__(self) -> str:
        return f"bundle {self.bundle_id.hex()} statement {self.statement_sha256.hex()} by {self.editor}"


def read_export(event: Event) -> ExportNote | None:
    """What an event says of an export; None when it is none, or says nothing that can be read."""
    match = _EXPORT.fullmatch(event.detail) if event.kind in (EVENT_EXPORTED, EVENT_EXPORT_BEGUN) else None
    if match is None:
        return None
    return ExportNote(bytes.fromhex(match[1]), bytes.fromhex(match[2]), tuple(match[3].split("; ")))


def read_receipt(event: Event) -> ReceiptNote | None:
    """What an event says of a receipt; None when it is none, or says nothing that can be read."""
    match = _RECEIPT.fullmatch(event.detail) if event.kind == EVENT_RECEIPT else None
    return ReceiptNote(bytes.fromhex(match[1]), bytes.fromhex(match[2]), match[3]) if match else None


def note_of(signed: SignedReceipt) -> ReceiptNote:
    """What is to be recorded of a receipt that counts."""
    return ReceiptNote(signed.receipt.bundle_id, signed.digest, known_as(signed.receipt.editor))


def known_as(card: Card) -> str:
    """What the record calls somebody whose card one has: its ten words."""
    return " ".join(card.words)


def shown_recipient(recipient: HybridRecipient | X25519Recipient) -> str:
    """The beginning of a recipient of somebody whose card one does not have."""
    return f"{str(recipient)[:_SHOWN_OF_RECIPIENT]}…"


def known_by_recipient(recipient: HybridRecipient | X25519Recipient) -> str:
    """What the record calls them."""
    return f"recipient {shown_recipient(recipient)}"


def where(items: Iterable[bytes], events: Sequence[EventRow], vouched: Collection[int]) -> dict[bytes, Where]:
    """Where each item is. ``vouched``: the packs whose events count (``vault.custody``). A former member can still sign
    what is dated back to their time, and it must neither arm a wipe nor hide what is only here."""
    found = dict.fromkeys(items, Where.HERE)
    for kind, place in ((EVENT_EXPORTED, Where.SENT), (EVENT_RECEIPT, Where.SAFE)):
        for row in events:
            if row.event.kind == kind and row.pack.n in vouched:
                found.update((item, place) for item in row.event.items if item in found)
    return found


def tally(
    total: int, places: Mapping[bytes, Where], events: Iterable[EventRow], vouched: Collection[int]
) -> Tally:
    """The documents counted, of ``total``, and the last times, from the same events."""
    counts = Counter(places.values())
    here = total - counts[Where.SAFE] - counts[Where.SENT]
    sealed = safe = None
    for row in events:
        if row.event.kind == EVENT_EXPORTED and row.pack.n in vouched:
            sealed = _later(sealed, row.event.at_ns)
        elif row.event.kind == EVENT_RECEIPT and row.pack.n in vouched:
            safe = _later(safe, row.event.at_ns)
    return Tally(counts[Where.SAFE], counts[Where.SENT], here, sealed, safe)


def unfinished(rows: Sequence[EventRow], vouched: Collection[int]) -> list[Event]:
    """Exports that were begun since the last one that was finished, and of which nothing came after."""
    counted = [row.event for row in rows if row.pack.n in vouched]
    after = [read_export(event) if event.kind == EVENT_EXPORTED else read_receipt(event) for event in counted]
    settled = {note.bundle_id for note in after if note is not None}
    last = max((event.at_ns for event in counted if event.kind == EVENT_EXPORTED), default=None)
    return [
        event
        for event in counted
        if event.kind == EVENT_EXPORT_BEGUN and (last is None or event.at_ns > last)
        and (note := read_export(event)) and note.bundle_id not in settled
    ]  # fmt: skip


def confirmed(receipt: Receipt, export: Event, note: ExportNote, hashes: Mapping[bytes, bytes]) -> tuple[ItemId, ...]:
    """The items of an export that a receipt for its bundle names. ``hashes``: the SHA-256 of each item of the case.

    Raises NotTrusted when the receipt is for other content, by somebody the export was not for, or names a document
    that was not in it: then nothing of it counts.
    """
    if receipt.tag_manifest_sha256 != note.tag_manifest_sha256:
        raise NotTrusted(
            _(
                "this receipt is for a bundle of the same identifier and other content: it counts for "
                "nothing"
            ),
            _("ask the editor by voice which file they opened"),
        )
    if not {known_as(receipt.editor), known_by_recipient(receipt.editor.recipient)} & set(note.whom):
        raise NotTrusted(
            _("this export was not sealed for whoever signed the receipt: {editor}").format(
                editor=known_as(receipt.editor)
            ),
            _("the custody record says for whom it was: sandyk log"),
        )
    named = set(receipt.documents)
    unread = sum(item not in hashes for item in export.items)  # in packs that cannot be read here now
    if len(named - {hashes[item] for item in export.items if item in hashes}) > unread:
        raise NotTrusted(
            _("this receipt names documents that were not in that export: nothing of it is believed"),
            _("ask the editor by voice which file they opened"),
        )
    return tuple(ItemId(item) for item in export.items if hashes.get(item) in named)


def _later(one: int | None, other: int | None) -> int | None:
    return max((ns for ns in (one, other) if ns is not None), default=None)
