# SPDX-License-Identifier: Apache-2.0
"""A vault and the people in it: locked first, then open for one journalist.

``LockedVault.at(folder).unlock(passphrase)`` gives a ``Vault``; there is no other way to one. Owns
the keyring's, rosters' and books' place in the write order; cases are ``vault.cases``'s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from gettext import gettext as _

from keys import keyring
from keys.book import Book, Colleague, open_book, seal_book
from keys.errors import Full, KeysError, NoMatch, WeakPassphrase
from keys.errors import NewerFormat as KeysNewer
from keys.errors import Wiped as KeysWiped
from keys.identity import Identity
from keys.keyring import DuressSlot, Header, HeldSlot, JournalistSlot, OpenSlot, parse_header
from keys.primitives import FLOOR, Cost
from keys.roster import Roster, RosterEntry, open_roster, seal_roster
from keys.secret import Secret
from vault import colleagues, decoys, duress, layout, sharing
from vault.disk import Disk
from vault.errors import (
    AlreadyThere,
    DamagedVault,
    DiskFailed,
    DoesNotOpen,
    NewerFormat,
    NotAllowed,
    NotFound,
    VaultError,
    Wiped,
)
from vault.founding import (
    MAX_PEOPLE_FILE,
    DiskKeyring,
    book_number,
    book_path,
    empty_book,
    reading_people,
    roster_path,
    why_no_header,
    write_person_file,
)
from vault.refusals import refusal

MAX_HEADER_SIZE = 4096


class LockedVault:
    """A vault as it lies on the disk: nothing of it can be read yet."""

    def __init__(self, folder: str, header: Header, disk: Disk, floor: Cost) -> None:
        self.folder = folder
        self._header, self._disk, self._floor = header, disk, floor

    @classmethod
    def at(cls, folder: str, *, disk: Disk, floor: Cost = FLOOR) -> LockedVault:
        """The vault in a folder. Raises NoVault, Wiped, DamagedVault."""
        path = os.path.join(folder, layout.HEADER)
        try:
            untrusted = disk.read(path, limit=MAX_HEADER_SIZE)
        except FileNotFoundError:
            raise why_no_header(folder) from None
        except OSError as exc:
            raise DamagedVault(
                _("the vault's header cannot be read: {reason}").format(reason=refusal(exc))
            ) from exc
        if not os.path.lexists(os.path.join(folder, layout.KEYRING)):
            raise Wiped(_("this vault was wiped: its keys are gone"), _("`sandyk panic` removes what is left of it"))
        try:
            return cls(folder, parse_header(untrusted, floor=floor), disk, floor)
        except KeysNewer as exc:
            raise NewerFormat(
                exc.what, _("if the vault opens with an older copy of the file VAULT, this one was damaged")
            ) from exc
        except KeysError as exc:
            raise DamagedVault(
                _("the vault's header is damaged: {reason}").format(reason=exc),
                _("a copy of the file VAULT mends this"),
            ) from exc

    def unlock(
        self, passphrase: Secret, token: Secret | None = None, *, clock: Callable[[], int] = time.time_ns
    ) -> Vault:
        """The open vault. Raises DoesNotOpen, DamagedVault, Wiped."""
        if not len(passphrase):
            raise DoesNotOpen(_("nothing here opens without a passphrase"))
        file = DiskKeyring(self.folder, self._disk)
        try:
            opened = keyring.unlock(file, self._header, passphrase, token, floor=self._floor)
        except NoMatch as exc:
            hints = [_("check the keyboard's language and Caps Lock")]
            if token is None:
                hints.append(_("if this journalist uses an outside half, give it with --token FILE"))
            else:
                hints.append(_("is the outside half the one that belongs to this passphrase? another opens nothing"))
            raise DoesNotOpen(_("nothing here opens with this passphrase"), *hints) from exc
        except KeysNewer as exc:
            raise NewerFormat(exc.what) from exc
        except KeysError as exc:
            raise DamagedVault(_("the keyring is damaged: {reason}").format(reason=exc)) from exc
        except FileNotFoundError as exc:
            raise Wiped(_("this vault was wiped: its keys are gone")) from exc
        except OSError as exc:
            raise DiskFailed(_("the keyring cannot be read: {reason}").format(reason=refusal(exc))) from exc
        if isinstance(opened.payload, DuressSlot):
            duress.destroy(self.folder, opened.payload.destroy, self._disk)
        return Vault(self.folder, self._header, opened, token, self._disk, clock, self._floor)

    def resume(self, untrusted: HeldSlot, *, clock: Callable[[], int] = time.time_ns) -> Vault:
        """The vault, opened again with what was held of a slot that ``unlock`` opened before.

        It can do everything but change who opens the vault. Raises Wiped, and DoesNotOpen when the passphrase was
        changed or removed since.
        """
        try:
            keyring.check_held(DiskKeyring(self.folder, self._disk), untrusted)
        except NoMatch as exc:
            raise DoesNotOpen(_("the passphrase was changed or removed since this vault was opened")) from exc
        except (KeysWiped, OSError) as exc:
            raise Wiped(_("this vault was wiped: its keys are gone")) from exc
        return Vault(self.folder, self._header, untrusted, None, self._disk, clock, self._floor)


class Vault:
    """A vault that one journalist opened. Close it after use."""

    def __init__(
        self, folder: str, header: Header, opened: OpenSlot | HeldSlot, token: Secret | None,
        disk: Disk, clock: Callable[[], int], floor: Cost,
    ) -> None:  # fmt: skip
        self.folder, self.disk, self.clock = folder, disk, clock
        self.header, self.floor, self._opened = header, floor, opened
        self._token = token if opened.journalist.needs_token else None
        self.keyring_file = DiskKeyring(folder, disk)
        self._book_path = book_path(folder, book_number(opened))
        self.notices: list[str] = []
        """What the journalist should be told, one line each: what others changed, what cannot be used."""
        self.waiting: Callable[[], None] = lambda: None
        """Called when another process has kept a case for long, perhaps more than once."""
        self._finish_what_was_interrupted()
        self._look_at_colleagues()

    @property
    def _slot(self) -> JournalistSlot:
        return self._opened.journalist

    @property
    def opened(self) -> OpenSlot:
        """The slot that a passphrase opened. Raises NotAllowed when an agent's keys opened the vault."""
        if isinstance(self._opened, HeldSlot):
            raise NotAllowed(
                _("the keys that an agent holds change nobody's passphrase"), _("give the passphrase itself")
            )
        return self._opened

    @property
    def home(self) -> tuple[int, int]:
        """Compartment and pair of whoever opened the vault."""
        return self._opened.home

    @property
    def me(self) -> Identity:
        """The identity of the journalist who opened the vault."""
        return self._slot.identity

    @property
    def device_secret(self) -> Secret:
        """What this machine adds to the key of every index."""
        return self._slot.device_secret

    def close(self) -> None:
        """Zero the keys. Safe to call twice."""
        self._slot.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Close it. What failed because the vault was wiped meanwhile, whatever it looked like, is raised as Wiped."""
        try:
            if isinstance(error, (VaultError, OSError)) and self._was_wiped():
                raise Wiped(_("the vault was wiped while it was open; nothing more is written")) from error
        finally:
            self.close()

    def _was_wiped(self) -> bool:
        try:
            return not keyring.still_alive(self.keyring_file, self._opened)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # a medium that cannot be read is not known to be wiped

    def _sweep(self, case_folder: str | None) -> None:
        folders = ["", f"{layout.ROSTERS}/", f"{layout.BOOKS}/", f"{layout.OUTBOX}/"]
        if case_folder is not None:
            folders.append(f"{layout.CASES}/{os.path.basename(case_folder)}/{layout.ACCESS}/")
        for folder in folders:
            ours = partial(_is_ours_in, folder)
            with suppress(OSError):  # what cannot be removed was there before, and is sealed
                self.disk.sweep(os.path.join(self.folder, *folder.split("/")[:-1]), ours)

    def check_alive(self) -> None:
        """Return, or raise Wiped when the kill area is no longer the one that the vault was opened with."""
        try:
            alive = keyring.still_alive(self.keyring_file, self._opened)
        except OSError:
            alive = False
        if not alive:
            raise Wiped(_("the vault was wiped while it was open; nothing more is written"))

    def notice(self, text: str) -> None:
        """Remember something to tell the journalist, once. Names in it are escaped already."""
        if text not in self.notices:
            self.notices.append(text)

    @contextmanager
    def changing(self, case_folder: str | None = None) -> Iterator[None]:
        """Hold the vault's lock while people or keys change, those of a case among them. Raises Wiped, DiskFailed.

        What a crash left half written where such changes are made is removed first.
        """
        self.check_alive()
        try:
            with self.disk.lock(os.path.join(self.folder, layout.LOCK)):
                self.check_alive()
                self._sweep(case_folder)
                yield
        except OSError as exc:
            if self._was_wiped():
                raise Wiped(_("the vault was wiped while it was open; nothing more is written")) from exc
            raise DiskFailed(
                _("the disk refused: {reason}").format(reason=refusal(exc)),
                _("what was there before is unchanged"),
            ) from exc

    def _finish_what_was_interrupted(self) -> None:
        """An earlier change of passphrase that was stopped leaves the old one alive: end it now, if we may write."""
        if isinstance(self._opened, HeldSlot):
            return  # no passphrase was typed that could be the one to stay
        try:
            with self.disk.lock(os.path.join(self.folder, layout.LOCK), wait=False):
                keyring.finish_interrupted(self.keyring_file, self._opened)
        except (OSError, NoMatch):
            # A read-only medium, or somebody is changing it just now; the next unlock tries again.
            return

    def _look_at_colleagues(self) -> None:
        """Tell who is new in the roster or has other keys than before, and remember who is seen for the first time."""
        try:
            book, roster = self.book(), self.roster()
        except (DamagedVault, NewerFormat):
            return  # what needs them says so
        for remark in colleagues.remarks(book, roster):
            self.notice(remark)
        if colleagues.pinned(book, roster) == book:
            return
        try:
            with self.disk.lock(os.path.join(self.folder, layout.LOCK), wait=False):
                self.check_alive()
                self._write(self._book_path, seal_book(colleagues.pinned(self.book(), roster), self.me))
        except (OSError, DamagedVault, NewerFormat):
            # A read-only medium, or somebody is changing people just now: the next unlock tries again.
            return

    def opened_by(self, passphrase: Secret, token: Secret | None = None) -> OpenSlot | None:
        """What a passphrase opens that is given for something new; None for nothing. Raises DamagedVault, DiskFailed.

        A duress passphrase destroys here too, before anybody is told that it is in use: else whoever holds the decoy
        could ask for it here without paying for the answer. Only what it would take from the one who is
        asking, it leaves: they repeated their own by mistake (docs/decisions/0032).
        """
        try:
            found = keyring.unlock(self.keyring_file, self.header, passphrase, token, floor=self.floor)
        except NoMatch:
            return None
        except KeysError as exc:
            raise DamagedVault(_("the keyring is damaged: {reason}").format(reason=exc)) from exc
        except OSError as exc:
            raise DiskFailed(_("the keyring cannot be read: {reason}").format(reason=refusal(exc))) from exc
        if isinstance(found.payload, DuressSlot) and self.home[0] not in found.payload.destroy:
            duress.destroy(self.folder, found.payload.destroy, self.disk)
        return found

    # Journalists

    def roster(self) -> Roster:
        """Who has a slot in this compartment. Raises DamagedVault."""
        with reading_people(_("the list of journalists")):
            untrusted = self.disk.read(roster_path(self.folder, self._slot.compartment), limit=MAX_PEOPLE_FILE)
            return open_roster(untrusted, self.device_secret)

    def my_entry(self) -> RosterEntry:
        """The entry of the journalist who opened the vault."""
        entry = self.roster().by_pair(self.home[1])
        if entry is None:
            raise DamagedVault(_("the list of journalists does not name you"))
        return entry

    def add_journalist(self, label: str, passphrase: Secret, token: Secret | None = None) -> RosterEntry:
        """Give somebody a slot and an identity of their own. Raises AlreadyThere, NotAllowed when all places are taken.

        The list comes first: an entry without a slot opens nothing and can be removed; a slot that no list
        names would be a way in that nobody knows of.
        """
        if self.opened_by(passphrase, token) is not None:
            raise WeakPassphrase(keyring.in_use())
        with self.changing():
            roster = self.roster()
            if roster.by_label(label) is not None:
                raise AlreadyThere(_("a journalist of this name is there already"))
            try:
                pair = keyring.free_pair(self.opened, roster.pairs)
            except Full as exc:
                raise NotAllowed(str(exc)) from exc
            slot = JournalistSlot(Identity.generate(), self.device_secret, os.urandom(16))
            extended = roster.with_entry(pair, label, slot.identity.card(), self.clock())
            entry = extended.by_pair(pair) or self.my_entry()
            self._save_roster(extended)
            book = self._with_colleague(colleagues.known_as(entry))
            self._write(self._book_of(pair), seal_book(colleagues.introduced(book, extended), slot.identity))
            try:
                keyring.add(
                    self.keyring_file, self.header, self.opened, pair, slot, passphrase, token, floor=self.floor
                )
            except KeysError:
                self._save_roster(roster)
                raise
            return entry

    def change_passphrase(self, passphrase: Secret) -> None:
        """Change one's own passphrase, in place; an outside half stays. Until it returns the old one may still open."""
        self.opened_by(passphrase, self._token)  # which may destroy; the keyring refuses what is in use
        with self.changing():
            self._opened = keyring.change_passphrase(
                self.keyring_file, self.header, self.opened, passphrase, self._token, floor=self.floor
            )

    def restore(self, passphrase: Secret) -> None:
        """Give whoever's recovery slot was opened a new passphrase. The shares of their key open nothing any more."""
        self.opened_by(passphrase, self._token)  # as in change_passphrase
        with self.changing():
            used, token = self.opened, self._token
            self._opened = keyring.restore(self.keyring_file, self.header, used, passphrase, token, floor=self.floor)
            sharing.use_up(self, used)

    @property
    def outside_half(self) -> Secret | None:
        """What one's passphrase needs besides, if it needs it."""
        return self._token

    @property
    def needs_outside_half(self) -> bool:
        """Whether one's passphrase opens nothing without an outside half."""
        return self.opened.journalist.needs_token

    def change_outside_half(self, passphrase: Secret, token: Secret | None) -> None:
        """Make one's slot need this outside half from now on, or none; ``passphrase`` is the present one, and stays.

        Until it returns the slot may still open as it did; shares of one's key open nothing from now on. Raises
        DoesNotOpen when another passphrase was given.
        """
        with self.changing():
            try:
                again = keyring.unlock(self.keyring_file, self.header, passphrase, self._token, floor=self.floor)
            except NoMatch as exc:
                raise DoesNotOpen(
                    _("this is not the passphrase that opened the vault"), _("nothing was changed")
                ) from exc
            if again.slot != self.opened.slot:
                raise DoesNotOpen(_("this is not the passphrase that opened the vault"), _("nothing was changed"))
            sharing.end_with_outside_half(self)
            self._opened = keyring.change_passphrase(
                self.keyring_file, self.header, self.opened, passphrase, token, floor=self.floor
            )
            self._token = token

    def opens_with(self, passphrase: Secret, token: Secret | None) -> bool:
        """Whether these open one's own pair of slots now; False also when that cannot be found out."""
        try:
            found = keyring.unlock(self.keyring_file, self.header, passphrase, token, floor=self.floor)
        except (KeysError, OSError):
            return False
        return found.slot // 2 == self.opened.slot // 2

    def remove_journalist(self, label: str) -> RosterEntry:
        """Destroy somebody's slot and book. Raises NotFound, NotAllowed for oneself. Cases are for the caller."""
        with self.changing():
            roster = self.roster()
            entry = roster.by_label(label)
            if entry is None:
                raise NotFound(_("no journalist of this name"), _("`sandyk journalist list` shows who is there"))
            if entry.pair == self.home[1]:
                raise NotAllowed(_("you cannot remove yourself"), _("another journalist can"))
            decoys.forget_duress_slot(self, entry.pair)
            sharing.erase_slot(self, self.home[0], entry)
            keyring.remove(self.keyring_file, self.opened, entry.pair)
            self._write(self._book_of(entry.pair), empty_book())
            self._save_roster(roster.without_pair(entry.pair))
            known = self.book().colleague(entry.label)
            if known is not None:
                self._with_colleague(replace(known, here=False))
            return entry

    def _with_colleague(self, colleague: Colleague) -> Book:
        """Remember a colleague whom one brought in or removed oneself; the caller holds the lock. Returns the book."""
        try:
            book = self.book().with_colleague(colleague)
        except Full:
            return self.book()
        self._write(self._book_path, seal_book(book, self.me))
        return book

    def _book_of(self, pair: int) -> str:
        mine = book_number(self._opened)
        return book_path(self.folder, mine - self.home[1] + pair)

    def _save_roster(self, roster: Roster) -> None:
        data = seal_roster(roster, self.device_secret)
        self._write(roster_path(self.folder, self._slot.compartment), data)

    def _write(self, path: str, data: bytes) -> None:
        write_person_file(self.folder, path, data, self.disk)

    # The book

    def book(self) -> Book:
        """The journalist's contacts and case names. Raises DamagedVault."""
        with reading_people(_("your book of contacts and cases")):
            return open_book(self.disk.read(self._book_path, limit=MAX_PEOPLE_FILE), self.me)

    def change_book(self, change: Callable[[Book], Book]) -> Book:
        """Read, change and write the book under the vault's lock. Returns the new one."""
        with self.changing():
            before = self.book()
            after = change(before)
            if after != before:
                self._write(self._book_path, seal_book(after, self.me))
            return after


def _is_ours_in(folder: str, name: str) -> bool:
    return layout.is_ours(folder + name)
