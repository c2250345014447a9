# SPDX-License-Identifier: Apache-2.0
"""Checks a bundle that stays sealed: reads it to its end, writes nothing of it anywhere, and says what was found.

What the checks mean for somebody who has to rely on them is ``vault.bundle_report``'s to say. Anything that breaks the
rules of docs/format-bundle.md is raised, not reported: of a bundle that is not whole nothing is said.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Literal

from keys import age
from vault import timestamp
from vault.bundle import NotABundle, Tags
from vault.errors import BrokenTimestamp, DamagedBundle, DiskFailed, LibraryMissing, ReadFailed
from vault.lanes import Lane
from vault.names import printable
from vault.opening import Progress
from vault.part_reader import BadPart, PartSet
from vault.refusals import refusal
from vault.sealed_files import Sealed, Zipped, reading
from vault.senders import Sender, sender_of
from vault.timestamp import Roots, Stamp
from vault.vaults import Vault

PIECE = 1 << 20

Carrier = Literal["age", "zip", "parts"]


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One file that was examined."""

    path: str
    size: int
    sha256: bytes
    """32 bytes, over the file as it is, still sealed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle in which everything was as it must be, and who is known to have signed it."""

    carrier: Carrier
    files: tuple[SealedFile, ...]
    """What was examined: one file, or the parts that were joined."""
    tags: Tags
    tag_files: int
    """How many files that describe the bundle were read."""
    sender: Sender | None
    stamp: Stamp | None
    """None also when there is a time stamp, and no library that could read it."""
    stamp_problem: str | None
    """Why there is no time stamp that counts, where one is there or was to be checked against roots."""

    joined: PartSet | None = None
    """The parts that it came in."""

    @property
    def trusted(self) -> bool:
        """Whether somebody trusted signed it, or nobody did, and a time stamp is what it should be."""
        return (self.sender is None or self.sender.trusted) and self.stamp_problem is None


def check(
    sealed: Sealed, identities: Sequence[age.Identity], vault: Vault | None, *, roots: Roots = (), progress: Progress
) -> Checked:
    """Read a bundle, or its parts, from beginning to end, and judge all of it.

    Raises BadInput, DoesNotOpen, DamagedBundle, BrokenSignature, Resealed, DiskFailed, ReadFailed for a file that
    changed meanwhile; for parts also PartsMissing and LibraryMissing.
    """
    while True:
        try:
            return _check(sealed, identities, vault, roots, progress)
        except NotABundle as exc:
            raise DamagedBundle(
                _("this is no bundle: nothing in it can be checked"), _("`sandyk open` takes any age file all the same")
            ) from exc
        except BadPart as bad:
            if not isinstance(sealed, PartSet):
                raise
            sealed = sealed.without(bad)


def _check(
    sealed: Sealed, identities: Sequence[age.Identity], vault: Vault | None, roots: Roots, progress: Progress
) -> Checked:
    names: set[str] = set()
    files: list[SealedFile] = []
    before = _states(sealed)
    # The digest of the sealed file itself is taken meanwhile: what one reads from the drive, the other has in memory.
    with (
        Lane("sealed-hash") as beside,
        reading(sealed, identities, lambda name, _: names.add(name)) as reader,
    ):
        beside.do(lambda: files.extend(_file(path, beside) for path in _paths(sealed)))
        tags = reader.tags
        for __, document in reader.payload():
            while piece := document.read(PIECE):
                progress(0, len(piece))
            progress(1, 0)
    stamp, problem = _judge_stamp(tags, roots)
    sender = sender_of(vault, tags.signer) if tags.signer else None
    joined = sealed if isinstance(sealed, PartSet) else None
    if _states(sealed) != before:  # else the report could name the digest of one file and the documents of another
        raise ReadFailed(_("a file was changed or exchanged while it was being checked"), _("check it again"))
    return Checked(_carrier(sealed), tuple(files), tags, len(names), sender, stamp, problem, joined)


def _judge_stamp(tags: Tags, roots: Roots) -> tuple[Stamp | None, str | None]:
    if tags.untrusted_timestamp is None:
        return None, _("no time stamp came with the bundle") if roots else None
    try:
        return timestamp.judge(tags.untrusted_timestamp, tags.signature, roots=roots), None
    except BrokenTimestamp as exc:
        return None, str(exc)
    except LibraryMissing:
        if roots:
            raise
        return None, None


def _carrier(sealed: Sealed) -> Carrier:
    if isinstance(sealed, PartSet):
        return "parts"
    return "zip" if isinstance(sealed, Zipped) else "age"


def _paths(sealed: Sealed) -> list[str]:
    if isinstance(sealed, PartSet):
        return [same[0].path for __, same in sorted(sealed.parts.items())]
    return [sealed.path if isinstance(sealed, Zipped) else sealed]


def _states(sealed: Sealed) -> list[tuple[int, ...] | None]:
    """What tells a file from the one that takes its name, and from itself once it was written to. None: not there."""
    found: list[tuple[int, ...] | None] = []
    for path in _paths(sealed):
        try:
            status = os.stat(path)
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        except OSError:
            found.append(None)
    return found


def _file(path: str, lane: Lane) -> SealedFile:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as f:
            while not lane.dropped and (piece := f.read(PIECE)):
                digest.update(piece)
            return SealedFile(path, os.fstat(f.fileno()).st_size, digest.digest())
    except OSError as exc:
        raise DiskFailed(
            _("{path} cannot be read: {reason}").format(path=printable(path), reason=refusal(exc).lower())
        ) from exc
