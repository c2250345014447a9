# SPDX-License-Identifier: Apache-2.0
"""Marks: what a file that was filed is known by when it is met again unchanged (docs/decisions/0040-second-runs.md).

    mark = BLAKE2b-128(person "sandyk mark", device | inode | size | mtime | ctime | name | what is said of it)

A judge: it reads no file. The index keeps marks, encrypted, as a cache. A mark tells that the file
system says nothing changed, not that nothing did; ``add --rehash`` reads everything.
"""

from __future__ import annotations

import hashlib
import os

from keys import labels
from vault.sources import About, FileIncoming, Incoming

MARK_SIZE = 16
SETTLED_NS = 2_000_000_000
"""A file that changed so shortly before it was looked at has no mark: it could change again within one tick of the
file system's clock, and look the same. FAT has the coarsest, 2 seconds (the "racy git" rule, with room)."""
_HAS_CHANGE_TIME = os.name != "nt"
"""On Windows ``st_ctime`` is when a file was made; any program may set every other time back."""


def mark_of(incoming: Incoming, about: About, now_ns: int) -> bytes:
    """The mark of a file as it was found in its folder, ``now_ns`` being the time; nothing when it may have none."""
    status = incoming.status if isinstance(incoming, FileIncoming) else None
    if status is None or not _HAS_CHANGE_TIME or not status.st_ino:
        return b""
    if max(status.st_mtime_ns, status.st_ctime_ns) > now_ns - SETTLED_NS:
        return b""
    parts = [
        b"%d %d %d %d %d" % (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns),
        incoming.name,
    ]
    if about:
        parts += [about.note.encode(), about.source.encode(), *(tag.encode() for tag in about.tags)]
    whole = b"".join([b"%d:%b," % (len(part), part) for part in parts])  # no two lists of parts read the same
    return hashlib.blake2b(whole, digest_size=MARK_SIZE, person=labels.MARK_PERSON).digest()
