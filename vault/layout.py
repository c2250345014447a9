# SPDX-License-Identifier: Apache-2.0
"""What lies where in a vault folder (docs/format.md §1), and nothing else. ``panic`` imports this.

    VAULT                        public text: format version, passphrase cost, salt
    keyring                      everything that opens anything
    counter                      public text: how many items, how many left sealed, how many are safe; names nothing
    abroad                       public text: which cases were found to be abroad, and when
    lock                         empty; held while keyring, rosters or books change
    rosters/<0..3>.age           who has a slot, one file for each compartment
    books/<00..63>.age           contacts and case names, one file for each pair of slots
    cases/<32 hex>/access/<epoch, 6 digits>.age
    cases/<32 hex>/packs/<32 hex>.age
    cases/<32 hex>/parity/<32 hex>.par          what mends a pack that rots, if somebody asked for it
    cases/<32 hex>/quarantine/<32 hex>-<8 hex>.age  packs that did not read, put aside
    cases/<32 hex>/index, index-wal, index-shm, index-journal
    cases/<32 hex>/text, text-wal, text-shm, text-journal       what was read inside documents, for search
    cases/<32 hex>/lock          empty; held while a pack is given its place in the chain
    outbox/<8 hex>.age           sealed drops that wait to leave

A file that is not whole yet ends in ``-<8 hex>.new``. Written without regular expressions: compiling them
would take longer than everything else that the emergency wipe does before the keys are gone.
"""

from __future__ import annotations

import os

HEADER = "VAULT"
KEYRING = "keyring"
COUNTER = "counter"
ABROAD = "abroad"
LOCK = "lock"
ROSTERS = "rosters"
BOOKS = "books"
CASES = "cases"
ACCESS = "access"
PACKS = "packs"
PARITY = "parity"
QUARANTINE = "quarantine"
INDEX = "index"
TEXT = "text"
OUTBOX = "outbox"

_NEW = ".new"
_AGE = ".age"
PARITY_SUFFIX = ".par"
_HEX = frozenset("0123456789abcdef")
_DIGITS = frozenset("0123456789")
_AT_THE_TOP = frozenset((HEADER, KEYRING, COUNTER, ABROAD, LOCK))
BESIDE = ("", "-wal", "-shm", "-journal")
"""What SQLite puts behind the name of a database, for the files beside it."""
_IN_A_CASE = frozenset((LOCK, *(name + more for name in (INDEX, TEXT) for more in BESIDE)))


def is_ours(relative: str) -> bool:
    """Whether a file at this path below the vault folder (with ``/``) is one that this program writes.

    ``panic`` deletes nothing else, so that a vault made in the wrong folder takes no stranger's file with it.
    """
    folder, _, name = relative.rpartition("/")
    name = _whole_name(name)
    kind = _kind_of_folder(folder)
    if kind == "":
        return name in _AT_THE_TOP
    if kind == CASES + "/":
        return name in _IN_A_CASE
    if kind == PARITY:
        return name.endswith(PARITY_SUFFIX) and _is(name[: -len(PARITY_SUFFIX)], 32, _HEX)
    if not name.endswith(_AGE):
        return False
    name = name[: -len(_AGE)]
    match kind:
        case "rosters":
            return _is(name, 1, _DIGITS) and name < "4"
        case "books":
            return _is(name, 2, _DIGITS) and name < "64"
        case "outbox":
            return _is(name, 8, _HEX)
        case "access":
            return _is(name, 6, _DIGITS)
        case "packs":
            return _is(name, 32, _HEX)
        case "quarantine":
            return name[32:33] == "-" and _is(name[:32], 32, _HEX) and _is(name[33:], 8, _HEX)
    return False


def is_our_folder(relative: str) -> bool:
    """Whether a folder at this path below the vault folder (with ``/``) is one that this program makes."""
    return relative != "" and _kind_of_folder(relative) is not None


def is_vault(folder: str) -> bool:
    """Whether a vault, whole or half wiped, lies in this folder."""
    return any(os.path.lexists(os.path.join(folder, name)) for name in (HEADER, KEYRING))


def vault_around(folder: str) -> str | None:
    """The vault that a folder is, or lies in, through all links; the folder need not be there. None: in no vault."""
    above = os.path.realpath(folder)
    while not all(os.path.lexists(os.path.join(above, name)) for name in (HEADER, KEYRING)):
        higher = os.path.dirname(above)
        if higher == above:
            return None
        above = higher
    return above


def _kind_of_folder(relative: str) -> str | None:
    """``""`` the vault itself, ``cases/`` one case, else the folder's last name; None for a stranger's."""
    if relative in ("", ROSTERS, BOOKS, CASES, OUTBOX):
        return relative
    first, *rest = relative.split("/")
    if first != CASES or not _is(rest[0], 32, _HEX):
        return None
    if len(rest) == 1:
        return CASES + "/"
    return rest[1] if len(rest) == 2 and rest[1] in (ACCESS, PACKS, PARITY, QUARANTINE) else None


def _whole_name(name: str) -> str:
    """The name a file will have once it is whole: without ``-<8 hex>.new``."""
    stem = name[: -len(_NEW)] if name.endswith(_NEW) else ""
    return stem[:-9] if stem[-9:-8] == "-" and _is(stem[-8:], 8, _HEX) else name


def _is(text: str, length: int, alphabet: frozenset[str]) -> bool:
    return len(text) == length and alphabet.issuperset(text)
