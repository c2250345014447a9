# SPDX-License-Identifier: Apache-2.0
"""The tar inside a bundle: pax, regular files only, one spelling, streamed both ways.

Owns docs/format-bundle.md §2 (POSIX.1-2017 pax interchange format, ``pax`` utility, narrowed
down). The writer's bytes follow from paths and sizes alone, so their number is known
before anything is written. The reader takes only what the writer would have written: it
rebuilds each header from the path and size it read and compares all of it. So it refuses
links, devices, folders, GNU extensions, base-256 numbers, global headers, owners, times,
paths that are absolute or hold ``..``, one name twice (also in another case, or as file
and folder at once), and anything but NUL after the end. It places nothing on a disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from gettext import gettext as _
from typing import Protocol

from vault.errors import DamagedBundle

BLOCK = 512
END = bytes(2 * BLOCK)
PIECE = 1 << 20
"""Bytes moved at once: large enough that a hash or a cipher runs outside the interpreter's lock."""
MAX_PATH_BYTES = 512
MAX_PAX_BYTES = 1024
"""A path record and a size record of the largest kind together take 560 bytes."""
MAX_SIZE = (1 << 63) - 1
USTAR_PATH_BYTES = 100
USTAR_MAX_SIZE = 8**11 - 1

_PATH_RECORD = "path"
_SIZE_RECORD = "size"
_FORBIDDEN_IN_PATHS = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff]")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_OCTAL = re.compile(rb"[0-7]{11}\0")
_ZEROS = memoryview(bytes(PIECE))


class Sink(Protocol):
    """Where a tar goes: a file opened for binary writing, or a ``keys.age.Sealer``."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take all of ``data``."""


class Source(Protocol):
    """Where a tar comes from: a file opened for binary reading, or a ``keys.age.Opener``.

    One that can be read at any place may have ``skip(size)`` too, to leave bytes out.
    """

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; fewer are allowed, none only at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in the tar."""

    path: str
    size: int


def check_path(path: str) -> str:
    """The path itself, if it is one this tar may hold. Raises DamagedBundle."""
    if not path or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        raise DamagedBundle(_("a path in the tar is empty or too long"))
    if _FORBIDDEN_IN_PATHS.search(path):
        raise DamagedBundle(_("a path in the tar holds a control character or a backslash"))
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise DamagedBundle(_("a path in the tar is absolute, or has an empty, '.' or '..' part"))
    return path


def member_size(path: str, size: int) -> int:
    """How many bytes a member takes: its headers, its content, and the NULs up to a whole block."""
    _name, records = _name_and_records(Member(path, size))
    headers = 2 * BLOCK + len(records) + -len(records) % BLOCK if records else BLOCK
    return headers + size + -size % BLOCK


def tar_size(members: Iterable[tuple[str, int]]) -> int:
    """How many bytes the whole tar takes with its two end blocks, before any padding."""
    return sum(member_size(path, size) for path, size in members) + len(END)


class TarWriter:
    """Writes members one after the other: ``add``, then ``write`` until the size is reached, at last ``finish``.

    Breaking that order is a mistake of the caller and raises ValueError.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._names = _Names()
        self._members = 0
        self._left = 0
        self._fill = 0
        self.written = 0

    def add(self, path: str, size: int) -> None:
        """Begin a member of exactly ``size`` bytes."""
        self._close_member()
        self._names.add(check_path(path))
        self._put(_headers(Member(path, size), self._members))
        self._members += 1
        self._left, self._fill = size, -size % BLOCK

    def write(self, data: bytes | memoryview) -> None:
        """Append to the member that was begun last."""
        if len(data) > self._left:
            raise ValueError("more content than was announced")
        self._put(data)
        self._left -= len(data)

    def finish(self, padded_to: Callable[[int], int] | int = 0) -> None:
        """Write the end, and NULs up to ``padded_to`` bytes in all (or up to what it says for the tar's size)."""
        self._close_member()
        self._put(END)
        total = padded_to(self.written) if callable(padded_to) else padded_to
        while self.written < total:
            self._put(_ZEROS[: total - self.written])

    def _close_member(self) -> None:
        if self._left:
            raise ValueError("less content than was announced")
        self._put(bytes(self._fill))
        self._fill = 0

    def _put(self, data: bytes | memoryview) -> None:
        self._sink.write(data)
        self.written += len(data)


class TarReader:
    """Iterates over the members of a tar; ``read`` gives the content of the current one.

    What is left of a member is skipped when the next is asked for. The iteration ends after
    everything up to the end of the source was seen to be NUL. Every departure from the form
    raises DamagedBundle. Memory is constant but for the names, of which there are at most
    ``max_members``.
    """

    def __init__(self, source: Source, *, max_members: int = 1_000_000) -> None:
        self._source = source
        self._max_members = max_members
        self._names = _Names()
        self._members = 0
        self._left = 0
        self._fill = 0
        self.consumed = 0
        self.size: int | None = None
        """Bytes with the end blocks and without padding, as soon as the end was reached."""

    def __iter__(self) -> Iterator[Member]:
        return self

    def __next__(self) -> Member:
        while self.read(PIECE):
            pass
        block = self._exactly(self._fill + BLOCK)
        if any(block[: self._fill]):
            raise DamagedBundle(_("something stands between two members of the tar"))
        block, self._fill = block[self._fill :], 0
        if not any(block):
            self._expect_end()
            raise StopIteration
        member = self._parse(block)
        self._members += 1
        if self._members > self._max_members:
            raise DamagedBundle(_("the tar holds more than {max_members} files").format(max_members=self._max_members))
        self._names.add(member.path)
        self._left, self._fill = member.size, -member.size % BLOCK
        return member

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes of the current member; none at its end."""
        if not self._left or size <= 0:
            return b""
        data = self._source.read(min(size, self._left))
        if not data:
            raise DamagedBundle(_("the tar is cut off"))
        self._left -= len(data)
        self.consumed += len(data)
        return data

    def pass_over(self) -> bool:
        """Leave out what is left of the current member, if the source can; whether it could."""
        skip = getattr(self._source, "skip", None)
        if skip is None:
            return False
        skip(self._left)
        self.consumed += self._left
        self._left = 0
        return True

    def _parse(self, block: bytes) -> Member:
        """The member whose headers begin with ``block``; the rest of the headers is read here."""
        headers, records = block, {}
        if _type_of(block) == b"x":
            untrusted_size = _octal_size(block)
            if untrusted_size > MAX_PAX_BYTES:
                raise DamagedBundle(_("an extended header of the tar is too large"))
            body = self._exactly(untrusted_size + -untrusted_size % BLOCK)
            records = _parse_records(body[:untrusted_size])
            block = self._exactly(BLOCK)
            headers += body + block
        if _type_of(block) != b"0":
            raise DamagedBundle(_("the tar holds something other than a regular file"))
        untrusted_path = records.get(_PATH_RECORD) or _ascii_name(block)
        untrusted_size = int(records[_SIZE_RECORD]) if _SIZE_RECORD in records else _octal_size(block)
        if untrusted_size > MAX_SIZE:
            raise DamagedBundle(_("a file in the tar claims an impossible size"))
        member = Member(check_path(untrusted_path), untrusted_size)
        if _headers(member, self._members) != headers:
            raise DamagedBundle(_("a header of the tar is not spelled as this format wants it"))
        return member

    def _expect_end(self) -> None:
        if any(self._exactly(BLOCK)):
            raise DamagedBundle(_("the tar ends with one empty block instead of two"))
        self.size = self.consumed
        while data := self._source.read(PIECE):
            self.consumed += len(data)
            if data.count(0) != len(data):
                raise DamagedBundle(_("something is hidden behind the end of the tar"))

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            data = self._source.read(size)
            if not data:
                raise DamagedBundle(_("the tar is cut off"))
            pieces.append(data)
            size -= len(data)
            self.consumed += len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Names:
    """Every path at most once, in whatever case, and no path both a file and a folder."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, path: str) -> None:
        folded = path.casefold()
        if folded in self._files or folded in self._folders:
            raise DamagedBundle(_("the tar holds one name twice"))
        self._files.add(folded)
        folder = folded.rpartition("/")[0]
        while folder and folder not in self._folders:
            if folder in self._files:
                raise DamagedBundle(_("the tar uses one name for a file and for a folder"))
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]


def _headers(member: Member, number: int) -> bytes:
    """All header bytes of a member; ``number`` counts from 0 and names the extended header."""
    name, records = _name_and_records(member)
    header = _header(name, member.size if member.size <= USTAR_MAX_SIZE else 0, b"0")
    if not records:
        return header
    extended = _header(b"PaxHeaders/%d" % number, len(records), b"x")
    return extended + records + bytes(-len(records) % BLOCK) + header


def _name_and_records(member: Member) -> tuple[bytes, bytes]:
    """The name in a member's header, and the pax records for what does not fit into that."""
    if not 0 <= member.size <= MAX_SIZE:
        raise DamagedBundle(_("a file of this size cannot be in a tar"))
    records = b""
    name = member.path.encode("utf-8")
    if not member.path.isascii() or len(name) > USTAR_PATH_BYTES:
        records += _record(_PATH_RECORD, name)
        name = member.path.encode("ascii", "replace").replace(b"?", b"_")[:USTAR_PATH_BYTES]
    if member.size > USTAR_MAX_SIZE:
        records += _record(_SIZE_RECORD, str(member.size).encode("ascii"))
    return name, records


_BEFORE_SIZE = b"0000644\0" + 2 * b"0000000\0"  # mode, uid, gid
_AFTER_SIZE = b"\0" + b"00000000000\0"  # mtime
_AFTER_KIND = (
    bytes(100)  # link name
    + b"ustar\x0000"
    + bytes(64)  # names of owner and group
    + 2 * b"0000000\0"  # device
    + bytes(167)  # path prefix, and the unused end of the block
)
_FIXED_SUM = sum(_BEFORE_SIZE) + sum(_AFTER_SIZE) + sum(_AFTER_KIND) + 8 * ord(" ")


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    """A ustar header: no owner, no time, nothing of the machine it was written on."""
    digits = b"%011o" % size
    checksum = b"%06o\0 " % (sum(name) + sum(digits) + kind[0] + _FIXED_SUM)
    return b"".join((name.ljust(100, b"\0"), _BEFORE_SIZE, digits, _AFTER_SIZE, checksum, kind, _AFTER_KIND))


def _record(key: str, value: bytes) -> bytes:
    """A pax record ``length key=value newline``, whose length counts its own digits."""
    rest = b" %s=%s\n" % (key.encode("ascii"), value)
    length = len(rest) + 1
    while len(b"%d%s" % (length, rest)) != length:
        length += 1
    return b"%d%s" % (length, rest)


def _type_of(block: bytes) -> bytes:
    if block[257:265] != b"ustar\x0000":
        raise DamagedBundle(_("the tar is damaged, or of another kind than bundles are made of"))
    return block[156:157]


def _ascii_name(block: bytes) -> str:
    try:
        return block[:100].rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as exc:
        raise DamagedBundle(_("a name in the tar is in no known encoding")) from exc


def _octal_size(block: bytes) -> int:
    field = block[124:136]
    if not _OCTAL.fullmatch(field):
        raise DamagedBundle(_("a size in the tar is not written in octal"))
    return int(field[:11], 8)


def _parse_records(untrusted: bytes) -> dict[str, str]:
    """``path`` and ``size`` out of an extended header. A key written twice shows when the header is rebuilt."""
    records: dict[str, str] = {}
    while untrusted:
        digits, space, __ = untrusted[:8].partition(b" ")
        if not space or not _NUMBER.fullmatch(digits) or not 0 < int(digits) <= len(untrusted):
            raise DamagedBundle(_("an extended header of the tar is damaged"))
        record, untrusted = untrusted[: int(digits)], untrusted[int(digits) :]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        name = key.decode("ascii", "replace")
        if not equals or value[-1:] != b"\n":
            raise DamagedBundle(_("an extended header of the tar is damaged"))
        records[name] = _record_value(name, value[:-1])
    return records


def _record_value(key: str, value: bytes) -> str:
    if key == _SIZE_RECORD and _NUMBER.fullmatch(value):
        return value.decode("ascii")
    if key == _PATH_RECORD:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise DamagedBundle(_("a path in the tar is not UTF-8")) from exc
    raise DamagedBundle(_("an extended header of the tar says something this format does not know"))
