# SPDX-License-Identifier: Apache-2.0
"""Making a vault: every file at its final size, and the header last, so that half a vault is never taken for one.

Rosters and books exist from the first day in full number, sealed to keys that nobody
has, so that their count does not say how many people use the vault.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _

from keys import keyring
from keys.book import Book, seal_book
from keys.errors import KeysError
from keys.errors import NewerFormat as KeysNewer
from keys.identity import Identity
from keys.keyring import Header, JournalistSlot
from keys.layout import COMPARTMENTS, KEYRING_SIZE, PAIRS_PER_COMPARTMENT
from keys.primitives import DEFAULT, FLOOR, SALT_SIZE, Cost
from keys.roster import Roster, seal_roster
from keys.secret import Secret
from vault import layout
from vault.colleagues import introduced
from vault.counter import Counter
from vault.disk import Disk
from vault.errors import AlreadyThere, DamagedVault, DiskFailed, NewerFormat, NoVault, VaultError
from vault.medium import set_nocow
from vault.refusals import refusal

MAX_PEOPLE_FILE = 16 << 20
"""Bytes of a roster or book on the disk that are read at most."""


class DiskKeyring:
    """The keyring file as ``keys.keyring`` wants it: read whole, overwritten in place, never renamed."""

    def __init__(self, folder: str, disk: Disk) -> None:
        self._path = os.path.join(folder, layout.KEYRING)
        self._disk = disk

    def read(self) -> bytes:
        """All KEYRING_SIZE bytes. Raises OSError."""
        return self._disk.read(self._path, limit=KEYRING_SIZE)

    def overwrite(self, offset: int, data: bytes) -> None:
        """In place and synced. Raises OSError."""
        self._disk.overwrite(self._path, offset, data)

    def create(self, data: bytes) -> None:
        """Write every byte of a new file (an unwritten extent would make later overwrites a change of metadata)."""
        fd = self._disk.create(self._path)
        try:
            set_nocow(fd)
            self._disk.write(fd, data, self._path)
            self._disk.sync(fd, self._path)
        finally:
            os.close(fd)
        self._disk.sync_folder(os.path.dirname(self._path))


def found(
    folder: str, passphrase: Secret, token: Secret | None, *, disk: Disk, label: str,
    now_ns: int, cost: Cost = DEFAULT, floor: Cost = FLOOR,
) -> None:  # fmt: skip
    """Make a vault with its first journalist. Raises AlreadyThere, DiskFailed."""
    try:
        _make_folders(folder, disk)
        header = Header(cost, os.urandom(SALT_SIZE))
        file = DiskKeyring(folder, disk)
        file.create(keyring.create())
        slot = JournalistSlot(Identity.generate(), Secret.random(), os.urandom(16))
        opened = keyring.first(file, header, slot, passphrase, token, floor=floor)
        _write_people(folder, disk, opened, label, now_ns)
        disk.replace(os.path.join(folder, layout.COUNTER), Counter().encode())
        # From here on it is a vault.
        disk.replace(os.path.join(folder, layout.HEADER), header.encode())
    except OSError as exc:
        raise DiskFailed(
            _("the vault cannot be made: {reason}").format(reason=refusal(exc)),
            _("nothing was filed; remove what is in the folder"),
        ) from exc


def why_no_header(folder: str) -> VaultError:
    """What to say of a folder without a header: that no vault is there, or that the header is missing."""
    if layout.is_vault(folder):
        return DamagedVault(
            _("the vault's file VAULT is missing: nothing opens without it"),
            _("it is not secret: a copy of it, from a backup or an older copy of the folder, brings the vault back"),
            _("if the vault was never finished or half wiped, `sandyk panic` destroys what is left, for ever"),
        )
    return NoVault(
        _("there is no vault in this folder"), _("`sandyk init` makes one"), _("another folder: --vault DIR")
    )


def refuse_taken(folder: str) -> None:
    """Raise AlreadyThere when a vault, or anything else, is in the folder."""
    if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        if layout.is_vault(folder):
            raise AlreadyThere(
                _("a vault is there already"), _("another folder: --vault DIR"), _("to destroy it: sandyk panic")
            )
        raise AlreadyThere(_("the folder is not empty"), _("a vault needs a folder of its own: --vault DIR"))


def _make_folders(folder: str, disk: Disk) -> None:
    refuse_taken(folder)
    if layout.vault_around(os.path.dirname(os.path.realpath(folder))) is not None:
        raise AlreadyThere(
            _("this folder lies inside another vault, whose emergency wipe would leave it alone"),
            _("another folder: --vault DIR"),
        )
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    if not os.path.isdir(folder):
        disk.make_folder(folder)
    os.chmod(folder, 0o700)
    for name in (layout.ROSTERS, layout.BOOKS, layout.CASES, layout.OUTBOX):
        disk.make_folder(os.path.join(folder, name))


def _write_people(folder: str, disk: Disk, opened: keyring.OpenSlot, label: str, now_ns: int) -> None:
    mine = opened.journalist
    roster = Roster().with_entry(opened.pair, label, mine.identity.card(), now_ns)
    for compartment in range(COMPARTMENTS):
        data = nobodys_roster()
        if compartment == mine.compartment:
            data = seal_roster(roster, mine.device_secret)
        disk.replace(roster_path(folder, compartment), data)
    for number in range(COMPARTMENTS * PAIRS_PER_COMPARTMENT):
        if number == book_number(opened):
            disk.replace(book_path(folder, number), seal_book(introduced(Book(), roster), mine.identity))
        else:
            disk.replace(book_path(folder, number), empty_book())
    _date_alike(folder, roster_path(folder, 0), disk)


def write_person_file(folder: str, path: str, data: bytes, disk: Disk) -> None:
    """Replace a roster or book, and date all of them alike: the dates must not say whose was written.

    Dating sets the time of change (ctime) of all of them too. What still tells is the birth time and the inode number
    of the new file, where the file system keeps them. Raises OSError from the writing alone.
    """
    disk.replace(path, data)
    _date_alike(folder, path, disk)


def _date_alike(folder: str, path: str, disk: Disk) -> None:
    rosters = [roster_path(folder, compartment) for compartment in range(COMPARTMENTS)]
    books = [book_path(folder, number) for number in range(COMPARTMENTS * PAIRS_PER_COMPARTMENT)]
    with suppress(OSError):  # one that is missing is found out when it is read
        disk.date([*rosters, *books], os.stat(path).st_mtime_ns)


@contextmanager
def reading_people(what: str) -> Iterator[None]:
    """Read a roster or book: whatever fails is raised as NewerFormat or DamagedVault, which names ``what``."""
    try:
        yield
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc
    except KeysError as exc:
        raise DamagedVault(_("{what} is damaged: {reason}").format(what=what, reason=exc)) from exc
    except OSError as exc:
        raise DamagedVault(_("{what} cannot be read: {reason}").format(what=what, reason=refusal(exc))) from exc


def nobodys_roster() -> bytes:
    """A roster that nobody can open, as every unused compartment has one."""
    return seal_roster(Roster(), Secret.random())


def roster_path(folder: str, compartment: int) -> str:
    """The file that says who has a slot in a compartment."""
    return os.path.join(folder, layout.ROSTERS, f"{compartment}.age")


def book_path(folder: str, number: int) -> str:
    """The file with one journalist's contacts and cases."""
    return os.path.join(folder, layout.BOOKS, f"{number:02}.age")


def book_number(opened: keyring.OpenSlot | keyring.HeldSlot) -> int:
    """Which book belongs to whom a slot opens: one for each pair, 0 to 63."""
    compartment, pair = opened.home
    return compartment * PAIRS_PER_COMPARTMENT + pair


def empty_book() -> bytes:
    """A book that nobody can open, as every unused pair has one."""
    return seal_book(Book(), Identity.generate())
