# SPDX-License-Identifier: Apache-2.0
"""Reads a bundle that came in parts: finds the parts, says what is missing, joins them as a stream.

Owns docs/format-bundle.md §10.3. A part is believed when its trailer's signature verifies; its body when, at its end,
the digest is that of the trailer. What is handed out before that is for a reader that keeps nothing until the end
(``vault.opening``): a part that lies raises ``BadPart``, and the caller begins anew without it. Writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from gettext import gettext as _

from keys import age
from keys.age import BLOCK_SIZE
from keys.errors import KeysError, MalformedAge, NoMatch
from vault.bundle import DamagedSeal
from vault.errors import BadInput, DamagedBundle, DiskFailed, NewerFormat, PartsMissing
from vault.language import later
from vault.names import printable
from vault.part_writer import stripe_of
from vault.parts import TRAILER_SIZE, Terms, Trailer, looks_like_trailer, parse_trailer, refuse_newer
from vault.refusals import refusal
from vault.repair import Repair

PIECE = 1 << 20
_SHOWN = 10
"""Files that are named in one message."""
_CHANGED = later("it was changed or cut off")


class BadPart(DamagedSeal):
    """Raised when the body of a part cannot be read, is damaged, or is not the one that its trailer tells of."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(_("{path} cannot be used: {reason}").format(path=printable(path), reason=reason))
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Part:
    """A part whose trailer was verified, in a file."""

    path: str
    file_size: int
    trailer: Trailer
    opener: age.SeekableOpener


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartSet:
    """The parts of one set that are here."""

    terms: Terms
    parts: Mapping[int, tuple[Part, ...]]
    """By number; more than one where the same part lies in several files."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the parts that are not here."""
        return tuple(number for number in range(1, self.terms.parts + 1) if number not in self.parts)

    @property
    def recomputed(self) -> tuple[int, ...]:
        """The numbers of the data parts that are made from repair parts."""
        return tuple(number for number in self.missing if number <= self.terms.data)

    def require(self) -> None:
        """Return if there are enough to join. Raises PartsMissing."""
        terms = self.terms
        lacking = terms.data - len(self.parts)
        if lacking <= 0:
            return
        numbers = ", ".join(map(str, self.missing))
        enough = (
            _(
                "any {data} of the {parts} are enough: put {lacking} more into the same folder, then open any of them, "
                "or the folder"
            )
            if terms.repair
            else _(
                "all of them are needed: put {lacking} more into the same folder, then open any of them, or the folder"
            )
        )
        raise PartsMissing(
            _("bundle in parts {name}: {count} of {parts} parts are missing: {numbers}").format(
                name=terms.name, count=len(self.missing), parts=terms.parts, numbers=numbers
            ),
            *(
                _("left out: {path}: {reason}").format(path=printable(file.path), reason=file.reason)
                for file in self.left_out[:_SHOWN]
            ),
            enough.format(data=terms.data, parts=terms.parts, lacking=lacking),
        )

    def without(self, bad: BadPart) -> PartSet:
        """The set without one of its files."""
        left = {number: tuple(p for p in same if p.path != bad.path) for number, same in self.parts.items()}
        return replace(
            self,
            parts={number: same for number, same in left.items() if same},
            left_out=(*self.left_out, LeftOut(bad.path, bad.reason)),
        )


def read_part(path: str, identities: Sequence[age.Identity]) -> Part | None:
    """The part in a file, with its body unread; None for another age file.

    Raises NoMatch, MalformedAge or Damaged as ``age.SeekableOpener`` does, DamagedBundle for a bad trailer,
    NewerFormat, OSError.
    """
    source = age.PathAccess(path)
    opener = age.SeekableOpener(source, identities)
    untrusted = opener.read_at(max(0, opener.size - TRAILER_SIZE), TRAILER_SIZE)
    if not looks_like_trailer(untrusted):
        refuse_newer(opener.read_at(max(0, opener.size - 1) // BLOCK_SIZE * BLOCK_SIZE, BLOCK_SIZE))
        return None
    return Part(path, source.size, parse_trailer(untrusted, opener.size), opener)


def find_parts(paths: Sequence[str], identities: Sequence[age.Identity]) -> PartSet | None:
    """The set that these files and folders hold; None when one single file is meant that is no part.

    More parts of the set are looked for beside the named ones. Raises BadInput when there are no parts or
    those of several sets, DamagedBundle or NewerFormat for a single file with a bad trailer, DiskFailed.
    """
    search = _Search(identities)
    files = [path for path in paths if not os.path.isdir(path)]
    for path in files:
        search.file(path, named=True)
    if len(paths) == len(files) == 1 and not search.parts:
        if search.bad_trailer is not None:
            raise search.bad_trailer
        return None
    for path in paths:
        if path not in files:
            search.folder(path)
    found = search.only_set()
    for folder in dict.fromkeys(map(os.path.dirname, files)):
        search.folder(folder, like=search.parts[found.terms][0])
    return search.set_of(found.terms)


class _Search:
    """Looks at files, each once."""

    def __init__(self, identities: Sequence[age.Identity]) -> None:
        self._identities = identities
        self._seen: set[str] = set()
        self._left_out: list[LeftOut] = []
        self.parts: dict[Terms, list[Part]] = defaultdict(list)
        self.bad_trailer: DamagedBundle | NewerFormat | None = None

    def folder(self, folder: str, *, like: Part | None = None) -> None:
        """Look at each regular file in a folder, not below it; only at those of a part's size if one is given."""
        try:
            with os.scandir(folder or ".") as entries:
                found = [
                    os.path.join(folder, entry.name)
                    for entry in entries
                    if entry.is_file(follow_symlinks=False)
                    and (like is None or entry.stat(follow_symlinks=False).st_size == like.file_size)
                ]
        except OSError as exc:
            raise DiskFailed(
                _("{folder} cannot be read: {reason}").format(
                    folder=printable(folder), reason=refusal(exc).lower()
                )
            ) from exc
        for path in sorted(found):
            self.file(path, named=False)

    def file(self, path: str, *, named: bool) -> None:
        """Look at one file. One that nobody named is passed over in silence, unless it is for us and damaged."""
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        ours = False
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                reason = _("it is no regular file")
            elif part := read_part(path, self._identities):
                self.parts[part.trailer.terms].append(part)
                return
            else:
                reason = _("it is no part of a bundle; open it by itself")
        except NoMatch:
            reason = _("it is sealed for somebody else")
        except MalformedAge:
            reason = _("it is no age file")
        except (DamagedBundle, NewerFormat) as exc:
            self.bad_trailer, reason, ours = exc, str(exc), True
        except KeysError:
            reason, ours = _(_CHANGED), True
        except OSError as exc:
            reason = _("it cannot be read: {reason}").format(reason=refusal(exc).lower())
        if named or ours:
            self._left_out.append(LeftOut(path, reason))

    def only_set(self) -> PartSet:
        """The set that was found. Raises BadInput when it is not one."""
        reasons = (
            _("left out: {path}: {reason}").format(path=printable(file.path), reason=file.reason)
            for file in self._left_out[:_SHOWN]
        )
        if not self.parts:
            raise BadInput(_("there is no part of a bundle for you"), *reasons)
        if len(self.parts) > 1:
            raise BadInput(
                _("these are parts of {count} bundles; open one of them at a time, by the name of one part:").format(
                    count=len(self.parts)
                ),
                *(
                    _("{name}: {count} of {parts} parts, for example {path}").format(
                        name=terms.name,
                        count=len({part.trailer.number for part in parts}),
                        parts=terms.parts,
                        path=printable(parts[0].path),
                    )
                    for terms, parts in list(self.parts.items())[:_SHOWN]
                ),
            )
        return self.set_of(next(iter(self.parts)))

    def set_of(self, terms: Terms) -> PartSet:
        """The parts of one set. Different parts with the same number contradict each other, and none of them counts."""
        by_number: dict[int, list[Part]] = defaultdict(list)
        for part in self.parts[terms]:
            by_number[part.trailer.number].append(part)
        agreed, left_out = {}, list(self._left_out)
        for number, same in by_number.items():
            if len({part.trailer.sha256 for part in same}) == 1:
                agreed[number] = tuple(same)
            else:
                left_out += [
                    LeftOut(p.path, _("another part with another content is number {number} too").format(number=number))
                    for p in same
                ]
        return PartSet(terms, agreed, tuple(left_out))


class JoinedParts:
    """The tar of a bundle out of its parts, as a stream. Constant memory."""

    def __init__(self, found: PartSet) -> None:
        """Raises PartsMissing, and LibraryMissing when parts have to be computed and zfec is not there."""
        found.require()
        self._terms = found.terms
        self._parts = {number: same[0] for number, same in sorted(found.parts.items())}
        self._repair = Repair(found.terms.data, found.terms.repair) if found.recomputed else None
        self._verified: set[int] = set()
        self._pieces = self._tar()
        self._piece = memoryview(b"")
        self._failure: DamagedBundle | None = None

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end. Raises BadPart or DamagedBundle, from then on at every call."""
        if self._failure is not None:
            raise self._failure
        if not self._piece:
            try:
                self._piece = memoryview(next(self._pieces, b""))
            except DamagedBundle as exc:
                self._failure = exc
                raise
        taken, self._piece = self._piece[:size], self._piece[size:]
        return bytes(taken)

    def _tar(self) -> Iterator[bytes]:
        """The bodies of the data parts without the NULs that fill the last one."""
        left = self._terms.tar
        for number in range(1, self._terms.data + 1):
            for piece in self._stored(number) if number in self._parts else self._recomputed(number):
                if left:
                    yield piece[:left]
                if len(piece) > left and any(piece[left:]):
                    raise DamagedBundle(_("something is hidden behind the end of the last part"))
                left = max(0, left - len(piece))

    def _stored(self, number: int) -> Iterator[bytes]:
        """The body of a part that is here."""
        digest = hashlib.sha256()
        for offset in range(0, self._terms.body, PIECE):
            piece = self._read(number, offset, PIECE)
            digest.update(piece)
            yield piece
        self._expect(number, digest.digest())

    def _recomputed(self, number: int) -> Iterator[bytes]:
        """The body of a part that is not: from the same bytes of as many others as there are data parts."""
        if self._repair is None:
            raise ValueError("a part is read that is not here")
        used = list(self._parts)[: self._terms.data]
        digests = {each: hashlib.sha256() for each in used if each not in self._verified}
        step = stripe_of(self._terms.data, self._terms.body)
        for offset in range(0, self._terms.body, step):
            blocks = {each: self._read(each, offset, step) for each in used}
            for each, digest in digests.items():
                digest.update(blocks[each])
            yield self._repair.decode(blocks)[number - 1]
        for each, digest in digests.items():
            self._expect(each, digest.digest())

    def _read(self, number: int, offset: int, size: int) -> bytes:
        part = self._parts[number]
        try:
            return part.opener.read_at(offset, min(size, self._terms.body - offset))
        except KeysError as exc:
            raise BadPart(part.path, _(_CHANGED)) from exc
        except OSError as exc:
            raise BadPart(
                part.path, _("it cannot be read: {reason}").format(reason=refusal(exc).lower())
            ) from exc

    def _expect(self, number: int, sha256: bytes) -> None:
        part = self._parts[number]
        if sha256 != part.trailer.sha256:
            raise BadPart(part.path, _("somebody who may open it put another content into it"))
        self._verified.add(number)
