# SPDX-License-Identifier: Apache-2.0
"""Setting up a duress passphrase with its decoy, and taking it away again (docs/decisions/0030).

Owns the order: the decoy's slot, its book, the decoys' roster, and the duress slot last, so that a duress passphrase
never leads to a decoy that is not whole. Set up again after an interruption, with the same decoy passphrase, it
goes on where it was; set up again later it gives the same decoy another duress passphrase.

It refuses to say whether a duress passphrase exists to anybody but those whom it would destroy: the decoys' roster
opens with a secret derived from theirs. What somebody should know before they set one up is the command line's to say.
"""

from __future__ import annotations

import os
from gettext import gettext as _
from typing import TYPE_CHECKING

from keys import duress, keyring
from keys.book import Book, seal_book
from keys.errors import Full, KeysError, NameTaken, NoMatch, WeakPassphrase
from keys.errors import NewerFormat as KeysNewer
from keys.identity import Identity
from keys.keyring import DuressSlot, JournalistSlot
from keys.layout import PAIRS_PER_COMPARTMENT
from keys.roster import Roster, open_roster, seal_roster
from keys.secret import Secret
from vault.colleagues import introduced
from vault.errors import AlreadyThere, BadInput, DamagedVault, NewerFormat, NotAllowed, NotFound
from vault.founding import MAX_PEOPLE_FILE, book_path, empty_book, roster_path, write_person_file
from vault.refusals import refusal
from vault.sharing import erase_slot

if TYPE_CHECKING:
    from vault.vaults import Vault


def set_up(vault: Vault, mine: Secret, decoy: Secret, duress_passphrase: Secret, label: str) -> None:
    """Make ``duress_passphrase`` destroy the compartment of whoever opened the vault, and open a decoy.

    ``mine`` is the passphrase that opened the vault; ``decoy`` opens the decoy and destroys nothing: that of a decoy
    made before, or a new one for a decoy called ``label``.

    Raises BadInput for passphrases that are too alike, NotAllowed when one is in use or no place is left, AlreadyThere
    for a label that another decoy has, DamagedVault, Wiped, DiskFailed. Until it returns nothing is promised.
    """
    refuse_alike(mine, decoy, duress_passphrase)
    with vault.changing():
        roster = _decoys_roster(vault) or Roster()
        compartment, pair = vault.opened.home
        lies = (_arrangement(vault).slots, pair)
        _refuse_used(vault, duress_passphrase, lies)
        home, slot = _decoy(vault, decoy, roster, label)
        _make_whole(vault, roster, home, slot, label)
        keyring.erase(vault.keyring_file, vault.opened, lies)
        _place(vault, lies, DuressSlot(slot, home[1], lies[0], (compartment,)), duress_passphrase)


def refuse_alike(mine: Secret, decoy: Secret, duress_passphrase: Secret) -> None:
    """Return, or raise BadInput when one of the three passphrases could be typed by mistake for another."""
    for one, other, problem in (
        (
            mine,
            decoy,
            _("the decoy passphrase is too much like your own: a slip of the finger would be enough"),
        ),
        (
            mine,
            duress_passphrase,
            _("the duress passphrase is too much like your own: a slip of the finger would be enough"),
        ),
        (
            decoy,
            duress_passphrase,
            _("the duress passphrase is too much like the decoy passphrase: a slip of the finger would be enough"),
        ),
    ):
        if duress.too_alike(one, other):
            raise BadInput(
                problem,
                _("at least {least_distance} characters must differ; nothing was changed").format(
                    least_distance=duress.LEAST_DISTANCE
                ),
            )


def take_away(vault: Vault, decoy: Secret | None = None) -> None:
    """Make one's duress passphrase open nothing; with the decoy's passphrase, the decoy too.

    Whether there was one nobody can tell without it: afterwards there is none. Raises NotFound when nobody in this
    compartment ever set one up, NotAllowed when ``decoy`` opens no decoy of theirs, DamagedVault, Wiped, DiskFailed.
    """
    with vault.changing():
        roster = _decoys_roster(vault)
        if roster is None:
            raise NotFound(_("no duress passphrase is set up here"))
        opened = None if decoy is None else vault.opened_by(decoy)
        if decoy is not None and (opened is None or opened.home[0] != _arrangement(vault).decoys):
            raise NotAllowed(_("this is no passphrase of a decoy of yours"), _("nothing was changed"))
        forget_duress_slot(vault, vault.opened.home[1])
        if opened is not None:
            keyring.erase(vault.keyring_file, vault.opened, opened.home)
            _write(vault, _book(vault, opened.home), empty_book())
            entry = roster.by_pair(opened.home[1])
            if entry is not None:
                erase_slot(vault, opened.home[0], entry)
                roster = roster.without_pair(entry.pair)
            _save(vault, roster)


def forget_duress_slot(vault: Vault, pair: int) -> None:
    """Erase the duress slot of the journalist with this pair, if anybody in the compartment ever set one up.

    A journalist who is removed must not keep a passphrase that destroys the vault of those who stay.
    """
    if _decoys_roster(vault) is not None:
        keyring.erase(vault.keyring_file, vault.opened, (_arrangement(vault).slots, pair))


def _decoy(vault: Vault, passphrase: Secret, roster: Roster, label: str) -> tuple[tuple[int, int], JournalistSlot]:
    """The decoy's compartment and pair, and what its slot holds: the one that the passphrase opens, or a new one."""
    compartment = _arrangement(vault).decoys
    known = vault.opened_by(passphrase)
    if known is not None:
        if known.compartment != compartment or not isinstance(known.payload, JournalistSlot):
            raise NotAllowed(
                _("the decoy passphrase opens something else already"), _("choose another; nothing was changed")
            )
        return known.home, known.journalist
    if roster.by_label(label) is not None:
        raise AlreadyThere(
            _("there is a decoy of this name, and this is not its passphrase"),
            _("give its passphrase, or another --name"),
        )
    try:
        # Never over the slot that is open right now: a decoy may be asked for from within a decoy.
        mine = {vault.opened.pair} if vault.opened.compartment == compartment else set()
        home = (compartment, keyring.any_pair(roster.pairs | mine))
    except Full as exc:
        raise NotAllowed(_("no place is left for another decoy")) from exc
    slot = JournalistSlot(Identity.generate(), _decoys_secret(vault), os.urandom(16), compartment)
    _place(vault, home, slot, passphrase)
    return home, slot


def _make_whole(vault: Vault, roster: Roster, home: tuple[int, int], slot: JournalistSlot, label: str) -> None:
    """Give the decoy its book and its line in the roster, unless it has them."""
    if roster.by_pair(home[1]) is not None:
        return
    try:
        roster = roster.with_entry(home[1], label, slot.identity.card(), vault.clock())
    except NameTaken as exc:
        raise AlreadyThere(_("there is a decoy of this name already"), _("another one: --name NAME")) from exc
    _write(vault, _book(vault, home), seal_book(introduced(Book(), roster), slot.identity))
    _save(vault, roster)


def _refuse_used(vault: Vault, passphrase: Secret, home: tuple[int, int]) -> None:
    """Raise NotAllowed when the passphrase opens anything but the duress slot that is about to be replaced."""
    known = vault.opened_by(passphrase)
    if known is not None and (known.compartment, known.pair) != home:
        raise NotAllowed(_("the duress passphrase is in use here already"), _("choose another"))


def _place(vault: Vault, home: tuple[int, int], payload: keyring.Payload, passphrase: Secret) -> None:
    try:
        keyring.place(vault.keyring_file, vault.header, vault.opened, home, payload, passphrase, floor=vault.floor)
    except WeakPassphrase as exc:
        raise NotAllowed(str(exc), _("nothing was changed")) from exc


def _decoys_roster(vault: Vault) -> Roster | None:
    """The roster of one's compartment's decoys; None while nobody has any. Raises DamagedVault."""
    path = roster_path(vault.folder, _arrangement(vault).decoys)
    try:
        return open_roster(vault.disk.read(path, limit=MAX_PEOPLE_FILE), _decoys_secret(vault))
    except NoMatch:
        return None
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc
    except KeysError as exc:
        raise DamagedVault(_("a list of journalists is damaged: {reason}").format(reason=exc)) from exc
    except OSError as exc:
        raise DamagedVault(
            _("a list of journalists cannot be read: {reason}").format(reason=refusal(exc))
        ) from exc


def _save(vault: Vault, roster: Roster) -> None:
    # Also an empty one stays readable: somebody whose decoy went with another's may still have a duress slot to forget.
    _write(vault, roster_path(vault.folder, _arrangement(vault).decoys), seal_roster(roster, _decoys_secret(vault)))


def _write(vault: Vault, path: str, data: bytes) -> None:
    write_person_file(vault.folder, path, data, vault.disk)


def _book(vault: Vault, home: tuple[int, int]) -> str:
    return book_path(vault.folder, home[0] * PAIRS_PER_COMPARTMENT + home[1])


def _arrangement(vault: Vault) -> duress.Arrangement:
    return duress.arrangement(vault.device_secret, vault.opened.home[0])


def _decoys_secret(vault: Vault) -> Secret:
    return duress.decoys_secret(vault.device_secret, vault.opened.home[0])
