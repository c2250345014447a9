# SPDX-License-Identifier: Apache-2.0
"""Receipts at both ends: an editor gives one for what was opened, a journalist takes it for what was exported.

Owns who is believed (docs/format-bundle.md §8): a receipt counts when somebody signed it whose words this journalist
compared, to whom that very export was sealed, and who keeps their keys elsewhere. Anything else is refused and leaves
nothing in the record; the file stays, and can be taken later. Gives none before the documents are on the medium.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _
from typing import TypeVar

from keys.card import Card
from keys.errors import BadSignature, KeysError, NoMatch
from keys.errors import NewerFormat as KeysNewer
from keys.receipt import MAX_FILE_SIZE, SignedReceipt, open_receipt, seal_receipt
from vault import abroad, whereabouts
from vault.bundle import Signer, Tags, key_digest
from vault.cases import Case, list_cases, open_store
from vault.contacts import name_of
from vault.disk import FLUSHABLE, Disk
from vault.elsewhere import expect_outside_vaults
from vault.errors import (
    AlreadyThere,
    BadInput,
    BrokenSignature,
    DamagedBundle,
    DiskFailed,
    DoesNotOpen,
    NewerFormat,
    NotAllowed,
    NotFound,
    NotTrusted,
    UnknownSigner,
)
from vault.model import EVENT_EXPORT_BEGUN, EVENT_EXPORTED, EVENT_RECEIPT, Event, ItemId
from vault.names import printable
from vault.opening import Opened, identities_of
from vault.refusals import refusal
from vault.sealing import write_new
from vault.store import CaseStore
from vault.vaults import Vault
from vault.whereabouts import Tally, Where

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken:
    """A receipt that counts. ``new`` of its ``items`` were not safe abroad before; ``tally`` is the case's now."""

    case: str
    editor: str
    items: int
    new: int
    opened_ns: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Shown:
    """A receipt as it can be told: whose, and why it would not count; what it says is in ``signed``.

    ``names``: the documents' names where they are known here, by SHA-256.
    """

    signed: SignedReceipt
    name: str | None
    objection: str | None
    case: str | None
    names: dict[bytes, bytes]


def check_place(path: str) -> None:
    """Raise AlreadyThere, BadInput when no receipt can be written there: asked before anything is opened."""
    expect_outside_vaults(path)
    if os.path.lexists(path):
        raise AlreadyThere(
            _("{path} is there already").format(path=printable(path)),
            _("another name for the receipt; nothing was opened"),
        )
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise BadInput(
            _("there is no folder for the receipt {path}").format(path=printable(path)), _("nothing was opened")
        )


def give(vault: Vault, opened: Opened, path: str, *, in_folder: bool) -> None:
    """Write the signed receipt for a bundle that was opened, sealed for its sender. ``in_folder``: not into a case.

    Raises NotAllowed when there is nobody to give it to, AlreadyThere, DiskFailed; the documents stay in any case.
    """
    tags, signer = _receivable(vault, opened)
    if in_folder:
        _make_durable(opened.place, vault.disk)
    sealed = seal_receipt(
        tags.bundle_id, tags.tag_manifest_sha256, [item.sha256 for item in tags.items], vault.clock(),
        editor=vault.me, sender=signer.card.recipient,
    )  # fmt: skip
    write_new(path, sealed, disk=vault.disk)


def _receivable(vault: Vault, opened: Opened) -> tuple[Tags, Signer]:
    tags, sender = opened.tags, opened.sender
    if tags is None or tags.signer is None or sender is None:
        raise NotAllowed(_("no receipt was written: nothing in what you opened says who sent it"))
    if tags.signer.public == vault.me.signing_public:
        raise NotAllowed(_("no receipt was written: you sealed this yourself"))
    if not sender.trusted:
        raise NotAllowed(
            _("no receipt was written: it would tell an unknown sender that you opened this, and when"),
            _(
                "compare the sender's words by voice, verify them, then open it again with --receipt into "
                "another folder"
            ),
        )
    if key_digest(vault.me.recipient.raw) not in tags.sealed_for:
        raise NotAllowed(_("no receipt was written: this was not sealed for your own key"))
    return tags, tags.signer


def _make_durable(folder: str, disk: Disk) -> None:
    """Sync everything below a folder, and the folders above it: what a receipt says is there survives a power cut."""
    try:
        for base, __, names in os.walk(folder, onerror=_fail):
            for name in names:
                path = os.path.join(base, name)
                fd = os.open(path, FLUSHABLE)
                try:
                    disk.sync(fd, path)
                finally:
                    os.close(fd)
            disk.sync_folder(base)
        above = os.path.dirname(os.path.abspath(folder))
        while above != os.path.dirname(above):
            with suppress(PermissionError):  # a folder that one may not read is none that was made just now
                disk.sync_folder(above)
            above = os.path.dirname(above)
    except OSError as exc:
        raise DiskFailed(
            _("no receipt was written: the documents could not be synced to the disk: {reason}").format(
                reason=refusal(exc)
            )
        ) from exc


def _fail(error: OSError) -> None:
    raise error


def take(vault: Vault, path: str) -> Taken:
    """Verify a receipt and record which documents are safe abroad by it. Taking it again changes nothing.

    Raises BadInput, DoesNotOpen, DamagedBundle, BrokenSignature, UnknownSigner, NotTrusted, NotAllowed, NotFound;
    nothing is recorded then.
    """
    signed = read(vault, path)
    editor = _known_editor(vault, signed.receipt.editor)

    def record(case: Case, store: CaseStore, items: tuple[ItemId, ...]) -> Taken:
        before = abroad.see(case, store).places
        if not _is_recorded(store, signed, items):
            store.record(Event(vault.clock(), EVENT_RECEIPT, tuple(items), str(whereabouts.note_of(signed))))
        new = sum(before[item] is not Where.SAFE for item in items)
        return Taken(case.name, editor, len(items), new, signed.receipt.opened_ns, abroad.see(case, store).tally)

    taken = _at_export(vault, signed, record)
    abroad.look(vault)
    return taken


def show(vault: Vault, path: str) -> Shown:
    """What a receipt says, and why it would not count here, if so. Raises as ``read`` does."""
    signed = read(vault, path)
    name = name_of(vault, signed.receipt.editor.signing)

    def names_of(case: Case, store: CaseStore, items: tuple[ItemId, ...]) -> Shown:
        named = filter(None, map(store.item, items))
        return Shown(signed, name, None, case.name, {item.sha256: item.name for item in named})

    try:
        _known_editor(vault, signed.receipt.editor)
        return _at_export(vault, signed, names_of)
    except (NotTrusted, NotAllowed, NotFound) as exc:
        return Shown(signed, name, str(exc), None, {})


def read(vault: Vault, path: str) -> SignedReceipt:
    """The receipt in a file that is sealed for this journalist or one of their cases, its signature verified.

    Raises BadInput, DoesNotOpen, DamagedBundle, BrokenSignature.
    """
    shown = printable(path)
    try:
        with open(path, "rb") as f:
            untrusted = f.read(MAX_FILE_SIZE + 1)
    except OSError as exc:
        raise BadInput(
            _("{shown} cannot be read: {reason}").format(shown=shown, reason=refusal(exc).lower())
        ) from exc
    if len(untrusted) > MAX_FILE_SIZE:
        raise DamagedBundle(_("{shown} is too large to be a receipt").format(shown=shown))
    try:
        return open_receipt(untrusted, identities_of(vault))
    except NoMatch as exc:
        raise DoesNotOpen(
            _("{shown} is sealed for somebody else").format(shown=shown), _("whoever exported the bundle can take it")
        ) from exc
    except BadSignature as exc:
        raise BrokenSignature(
            _("{shown} has a signature that is not its editor's: it counts for nothing").format(shown=shown)
        ) from exc
    except KeysNewer as exc:
        raise NewerFormat(shown) from exc
    except KeysError as exc:
        raise DamagedBundle(
            _("{shown} is no receipt, or it is damaged: {reason}").format(shown=shown, reason=exc)
        ) from exc


def _known_editor(vault: Vault, card: Card) -> str:
    """The name of whoever signed. Raises NotAllowed for keys of this vault, UnknownSigner for one not compared."""
    words = " ".join(card.words)
    if any(entry.card.signing == card.signing for entry in vault.roster().entries):
        raise NotAllowed(
            _("this receipt is by a journalist of this vault: what they opened may be lost with it"),
            _("it counts when somebody opens the bundle whose keys are elsewhere"),
        )
    contact = vault.book().contact_by_key(card.signing)
    if contact is None or contact.card.fingerprint != card.fingerprint:
        raise UnknownSigner(
            _("this receipt is by a key that you do not know: {words}").format(
                words=words
            ), _("nothing was recorded; keep the file"),
            _(
                "let the editor read their words to you by voice; sandyk contact add, contact verify, then "
                "take it again"
            ),
        )  # fmt: skip
    if contact.verified_ns is None:
        name = printable(contact.name)
        raise UnknownSigner(
            _("this receipt is by {name}, whose words were not compared yet").format(
                name=name
            ), _("nothing was recorded; keep the file"),
            _("let {name} read these words to you by voice: {words}").format(
                name=name, words=words
            ), _("then: sandyk contact verify {name}").format(name=name),
        )  # fmt: skip
    return contact.name


def _at_export(vault: Vault, signed: SignedReceipt, then: Callable[[Case, CaseStore, tuple[ItemId, ...]], T]) -> T:
    """Call ``then`` with the case of the export that a receipt is for, and the items it names.

    A member could record an export that never was under the same identifier: of several, one that agrees is enough.
    So is one that was begun and never recorded as finished: that somebody opened it shows that it was.
    Raises NotFound, and NotTrusted when none agrees.
    """
    refused: NotTrusted | None = None
    for case in list_cases(vault)[0]:
        with open_store(vault, case) as store:
            for row in store.index.events(EVENT_EXPORTED, EVENT_EXPORT_BEGUN):
                note = whereabouts.read_export(row.event)
                if note is None or note.bundle_id != signed.receipt.bundle_id:
                    continue
                hashes = {item.id: item.sha256 for item in store.index.items()}
                try:
                    items = whereabouts.confirmed(signed.receipt, row.event, note, hashes)
                except NotTrusted as exc:
                    refused = refused or exc
                    continue
                return then(case, store, items)
    raise refused or NotFound(
        _("no case of yours has a record of the bundle that this receipt is for"),
        _("if a colleague exported it from a case that you are no member of, they can take it"),
    )


def _is_recorded(store: CaseStore, signed: SignedReceipt, items: tuple[ItemId, ...]) -> bool:
    """Whether an event that counts says of this very statement that it names all of these items."""
    note, vouched = whereabouts.note_of(signed), abroad.vouched_packs(store)
    return any(
        row.pack.n in vouched and whereabouts.read_receipt(row.event) == note and set(items) <= set(row.event.items)
        for row in store.index.events(EVENT_RECEIPT)
    )
