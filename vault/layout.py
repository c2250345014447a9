# SPDX-License-Identifier: Apache-2.0
"""What lies where in a vault folder (docs/format.md §1), and nothing else. ``panic`` imports this.

    VAULT                        public text: format version, passphrase cost, salt
    keyring                      everything that opens anything
    counter                      public text: how many items, how many left sealed; names nothing
    lock                         empty; held while keyring, rosters or books change
    rosters/<0..3>.age           who has a slot, one file for each compartment
    books/<00..63>.age           contacts and case names, one file for each pair of slots
    cases/<32 hex>/access/<epoch, 6 digits>.age
    cases/<32 hex>/packs/<32 hex>.age
    cases/<32 hex>/index, index-wal, index-shm
    cases/<32 hex>/lock          empty; held while a pack is given its place in the chain
    outbox/<8 hex>.age           sealed drops that wait to leave

A file that is not whole yet ends in ``.new``.
"""

from __future__ import annotations

import os
import re

HEADER = "VAULT"
KEYRING = "keyring"
COUNTER = "counter"
LOCK = "lock"
ROSTERS = "rosters"
BOOKS = "books"
CASES = "cases"
ACCESS = "access"
PACKS = "packs"
INDEX = "index"
OUTBOX = "outbox"

_PATTERNS = tuple(
    re.compile(pattern + r"(-[0-9a-f]{8}\.new)?", re.ASCII)
    for pattern in (
        r"VAULT",
        r"keyring",
        r"counter",
        r"lock",
        r"rosters/[0-3]\.age",
        r"books/[0-6][0-9]\.age",
        r"cases/[0-9a-f]{32}/access/[0-9]{6}\.age",
        r"cases/[0-9a-f]{32}/packs/[0-9a-f]{32}\.age",
        r"cases/[0-9a-f]{32}/index(-wal|-shm|-journal)?",
        r"cases/[0-9a-f]{32}/lock",
        r"outbox/[0-9a-f]{8}\.age",
    )
)


def is_ours(relative: str) -> bool:
    """Whether a file at this path below the vault folder (with ``/``) is one that this program writes.

    ``panic`` deletes nothing else, so that a vault made in the wrong folder takes no stranger's file with it.
    """
    return any(p.fullmatch(relative) for p in _PATTERNS)


def is_vault(folder: str) -> bool:
    """Whether a vault, whole or half wiped, lies in this folder."""
    return any(os.path.lexists(os.path.join(folder, name)) for name in (HEADER, KEYRING))
