# SPDX-License-Identifier: Apache-2.0
"""Shares of a key: making them, and taking them back (docs/decisions/0054-key-shares.md).

Owns the order: the files first, then the roster's line, then the slot, then the book, so that no slot opens with shares
that nobody has, and a slot that is not finished is named by the roster. The shares of before open nothing from the
moment the new slot is begun. A set of shares is a way past a forgotten passphrase, never past an emergency wipe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from gettext import gettext as _
from typing import TYPE_CHECKING

from keys import keyring
from keys.book import Book, seal_book
from keys.card import Card
from keys.errors import Full
from keys.identity import ID_SIZE
from keys.keyring import RecoverySlot
from keys.names import tidy_name
from keys.roster import Roster, RosterEntry, seal_roster
from keys.secret import Secret
from keys.share_set import Holder, ShareSet
from keys.share_text import MAX_OWNER_NAME, HeldShare, seal_share
from keys.shares import (
    LEAST_THRESHOLD,
    MAX_SHARES,
    SECRET_SIZE,
    check_key,
    slot_passphrase,
)
from keys.shares import split as split_secret
from vault import layout, qr_text
from vault.errors import (
    AlreadyThere,
    BadInput,
    DamagedVault,
    DiskFailed,
    NewerFormat,
    NotAllowed,
    NotFound,
    UnknownSigner,
    VaultError,
)
from vault.founding import book_number, book_path, roster_path, write_person_file
from vault.interrupts import undisturbed
from vault.names import printable
from vault.refusals import refusal

if TYPE_CHECKING:
    from vault.vaults import Vault

QR_KIND = "SHARE"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a share is for: what they are called, and their card."""

    name: str
    card: Card
    here: bool = False
    """Whether they are a journalist of this same vault."""


@dataclass(frozen=True, slots=True)
class ShareFile:
    """Who gets a share, and where it was written."""

    holder: str
    path: str
    sheet: str | None
    """The SVG file with its QR codes, if any were wanted."""


@dataclass(frozen=True, slots=True)
class SharesMade:
    """What ``split`` did."""

    set_id: bytes
    files: tuple[ShareFile, ...]
    """Share 1, 2, …"""
    replaced: bool
    """Whether there were shares before, which open nothing any more."""


def recipients(vault: Vault, names: Sequence[str], *, unverified: bool) -> list[Recipient]:
    """Whom these names mean. Raises what ``contacts.person`` raises.

    Raises UnknownSigner for a contact whose words were not compared, unless ``unverified``: their share might go to
    whoever put another card in the place of theirs.
    """
    from vault.contacts import person  # which needs vault.vaults, and that needs this module

    found, roster = [], vault.roster()
    for name in names:
        known, card, verified = person(vault, name)
        if not verified and not unverified:
            raise UnknownSigner(
                _("the words of {name} were not compared: nothing was made").format(name=printable(known)),
                _("first: sandyk contact verify {name}; or say --unverified").format(name=printable(known)),
            )
        found.append(Recipient(known, card, roster.by_label(known) is not None))
    return found


def split(
    vault: Vault, people: Sequence[Recipient], threshold: int, folder: str, *, name: str | None, sheets: bool = False
) -> SharesMade:
    """Give each of these people a share of a new key to one's own place in this vault, as files in a folder.

    The set that was out when this began is replaced; one that somebody else made meanwhile is not (AlreadyThere).
    ``name`` is what the shares call their owner; without it they carry the words of the card alone. ``sheets``: each
    also as QR codes, an SVG file. Raises BadInput, AlreadyThere, NotAllowed when all places are taken, DamagedVault,
    DiskFailed, Wiped.
    """
    _expect_sound(vault, people, threshold)
    entry, name = vault.my_entry(), None if name is None else _short_name(name)
    set_id, now, before = os.urandom(ID_SIZE), vault.clock(), vault.book().shares
    made = datetime.fromtimestamp(now // 10**9, UTC).date()
    with Secret.random(SECRET_SIZE) as secret:
        contents: dict[str, bytes] = {}
        files, holders = [], []
        for share, person in zip(split_secret(secret, threshold=threshold, count=len(people)), people, strict=True):
            held = HeldShare(share, set_id, len(people), made, entry.card.words, vault.me.signing_public, name)
            path = os.path.join(folder, f"{set_id.hex()[:8]}-{share.index}")
            contents[f"{path}.age"] = sealed = seal_share(held, vault.me, person.card)
            if sheets:
                from vault import qr  # loads a library that nothing else here needs

                contents[f"{path}.svg"] = qr.svg(qr_text.lines_of(QR_KIND, sealed))
            files.append(ShareFile(person.name, f"{path}.age", f"{path}.svg" if sheets else None))
            holders.append(Holder(person.name, person.card.fingerprint, check_key(share, set_id)))
        _write_new(folder, contents)
        try:
            replaced = _put_slot(
                vault, secret, before, lambda place: ShareSet(set_id, now, threshold, place, tuple(holders))
            )
        except BaseException:
            with undisturbed():
                if not _is_out(vault, set_id):
                    _take_away(contents)
            raise
    return SharesMade(set_id, tuple(files), replaced)


def _is_out(vault: Vault, set_id: bytes) -> bool:
    """Whether the book says that this set is out: then its files must stay, whatever went wrong afterwards."""
    try:
        shares = vault.book().shares
    except (VaultError, OSError):
        return False
    return shares is not None and shares.set_id == set_id


def standing(vault: Vault) -> tuple[ShareSet | None, bool]:
    """The shares that are out, if any; and whether some were begun and never finished, which may open something."""
    shares = vault.book().shares
    return shares, shares is None and vault.my_entry().recovery is not None


def revoke(vault: Vault) -> None:
    """Make one's own shares open nothing any more. Raises NotFound when there are none, DamagedVault, DiskFailed."""
    with vault.changing():
        if not forget(vault):
            raise NotFound(_("you have no shares of a key out"), _("`sandyk key split` makes them"))


def forget(vault: Vault) -> bool:
    """``revoke`` for a caller who holds the vault's lock; whether there was anything to take back."""
    roster, book, pair = vault.roster(), vault.book(), vault.home[1]
    entry = roster.by_pair(pair)
    if (entry is None or entry.recovery is None) and book.shares is None:
        return False
    _erase(vault, _places(vault, roster, book))
    if entry is not None:
        _save_roster(vault, roster.with_recovery(pair, None))
    _save_book(vault, replace(book, shares=None))
    return True


def use_up(vault: Vault, recovery: keyring.OpenSlot) -> None:
    """After a recovery: make the slot that was used open nothing any more, whatever roster and book look like."""
    keyring.erase(vault.keyring_file, vault.opened, (recovery.compartment, recovery.pair))
    try:
        forget(vault)
    except (DamagedVault, NewerFormat) as exc:
        vault.notice(_("the passphrase was changed, but: {reason}").format(reason=str(exc)))


def end_with_outside_half(vault: Vault) -> None:
    """Take back what would be a way round a new outside half, or needs the one of before, and say so."""
    if forget(vault):
        vault.notice(_("the shares of your key open nothing any more; make new ones: sandyk key split"))


def erase_slot(vault: Vault, compartment: int, entry: RosterEntry) -> None:
    """Overwrite a journalist's recovery slot, if they have one. The roster is the caller's to write."""
    if entry.recovery is not None:
        keyring.erase(vault.keyring_file, vault.opened, (compartment, entry.recovery))


def _expect_sound(vault: Vault, people: Sequence[Recipient], threshold: int) -> None:
    if not LEAST_THRESHOLD <= len(people) <= MAX_SHARES:
        raise BadInput(_("shares are for 2 to 16 people: name each with --to"))
    if not LEAST_THRESHOLD <= threshold <= len(people):
        raise BadInput(
            _("of {count} shares, from 2 to {count} can be needed").format(count=len(people)),
            _("a share that opens something alone would be a second key"),
        )
    if len({person.card.fingerprint for person in people}) < len(people):
        raise BadInput(_("somebody is named twice: each gets one share"))
    if any(person.card.signing == vault.me.signing_public for person in people):
        raise BadInput(_("a share for yourself is lost with your passphrase: choose somebody else"))


def _short_name(name: str) -> str:
    tidy = tidy_name(name)
    if len(tidy) > MAX_OWNER_NAME:
        raise BadInput(_("a name in a share has at most {count} characters").format(count=MAX_OWNER_NAME))
    return tidy


def _put_slot(
    vault: Vault, secret: Secret, before: ShareSet | None, shares_at: Callable[[int], ShareSet]
) -> bool:  # fmt: skip
    """Make the slot; whether there were shares before. Only one of two who do this at once succeeds: the first."""
    with vault.changing():
        roster, book = vault.roster(), vault.book()
        if book.shares is not None and (before is None or before.set_id != book.shares.set_id):
            raise AlreadyThere(
                _("other shares of your key were made at the same time: those open, and none of these were made"),
                _("`sandyk key list` shows who has them; `sandyk key split` once more replaces them"),
            )
        compartment, pair = vault.opened.home
        entry = roster.by_pair(pair) or vault.my_entry()
        place = entry.recovery
        if place is None:
            try:
                place = keyring.free_pair(vault.opened, roster.pairs)
            except Full as exc:
                raise NotAllowed(
                    _("no place is left in this vault for shares of a key"),
                    _("journalists and shares together take at most sixteen places"),
                ) from exc
            _save_roster(vault, roster.with_recovery(pair, place))
        if book.shares is not None:
            _save_book(vault, replace(book, shares=None))
        _erase(vault, {place, *_places(vault, roster, book)})
        payload = RecoverySlot(vault.opened.journalist, pair)
        keyring.place(
            vault.keyring_file, vault.header, vault.opened, (compartment, place), payload, slot_passphrase(secret),
            vault.outside_half, floor=vault.floor,
        )  # fmt: skip
        _save_book(vault, replace(book, shares=shares_at(place)))
        return entry.recovery is not None


def _places(vault: Vault, roster: Roster, book: Book) -> set[int]:
    """The pairs in which one's recovery slot may lie: where the roster says, and where one's own book does.

    They differ where somebody put an older one of the two back. A pair that now is a journalist's, or another's
    recovery slot, was written over when it was given to them.
    """
    pair = vault.home[1]
    mine = roster.by_pair(pair)
    named = set() if mine is None or mine.recovery is None else {mine.recovery}
    remembered = set() if book.shares is None else {book.shares.place}
    return named | (remembered - {pair, *roster.pairs})


def _erase(vault: Vault, places: set[int]) -> None:
    for place in places:
        keyring.erase(vault.keyring_file, vault.opened, (vault.home[0], place))


def _save_roster(vault: Vault, roster: Roster) -> None:
    path = roster_path(vault.folder, vault.home[0])
    write_person_file(vault.folder, path, seal_roster(roster, vault.device_secret), vault.disk)


def _save_book(vault: Vault, book: Book) -> None:
    path = book_path(vault.folder, book_number(vault.opened))
    write_person_file(vault.folder, path, seal_book(book, vault.me), vault.disk)


def _write_new(folder: str, contents: Mapping[str, bytes]) -> None:
    """Make the folder unless it is there, and the files in it, durable; none of them when one cannot be made."""
    if layout.vault_around(folder) is not None:
        raise BadInput(_("the shares do not belong into a vault's folder: name another one with -o"))
    written: list[str] = []
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for path, content in contents.items():
            with open(path, "xb") as f:
                written.append(path)
                f.write(content)
                f.flush()
                os.fsync(f.fileno())
    except BaseException as exc:
        _take_away(written)
        if isinstance(exc, FileExistsError):
            raise AlreadyThere(_("{path} is there already").format(path=printable(folder))) from exc
        if isinstance(exc, OSError):
            raise DiskFailed(
                _("the shares cannot be written: {reason}").format(reason=refusal(exc)), _("nothing was changed")
            ) from exc
        raise


def _take_away(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)
