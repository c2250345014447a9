# SPDX-License-Identifier: Apache-2.0
"""What comes in: files, folders and standard input, read so that a surprise is named and never filed by mistake.

Symbolic links and special files are not followed. A file that changes, shrinks or
vanishes while it is read is refused as a whole: half of one version and half of another
is no evidence. Names stay the bytes that the file system gave.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import Protocol

from vault.errors import ReadFailed
from vault.language import later
from vault.model import ORIGIN_FILE
from vault.refusals import refusal

CHUNK_SIZE = (1 << 20) - 4096
"""Evidence is cut into pieces of this many bytes (docs/decisions/0039-blocks.md): 31 of them with a manifest are just
below a size that packs are padded to, so that large files cost next to no padding."""
MAX_NAME_SIZE = 4096
_THE_VAULT = later("this is the vault itself")
_CHANGED = later("it changed while it was being read")
# O_NONBLOCK, so that a pipe put in place of the file cannot make us wait for ever.
_READ_FLAGS = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ_FLAGS |= getattr(os, _flag, 0)


class Stream(Protocol):
    """Something to read bytes from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end."""


class Incoming(Protocol):
    """A document on its way in."""

    @property
    def name(self) -> bytes:
        """Its path as it will be filed."""

    @property
    def mtime_ns(self) -> int | None:
        """When it was last modified, if that is known."""

    @property
    def origin(self) -> str:
        """One of the ORIGIN_… constants of ``vault.model``."""

    @property
    def signer(self) -> bytes:
        """The key that signed the bundle it comes from, or nothing."""

    @property
    def about(self) -> About:
        """What is known of this document alone."""

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        """Pieces of exactly CHUNK_SIZE bytes but the last, each with whether it is the last; one empty piece for an
        empty document. Raises ReadFailed, after which nothing of the document may be filed."""


@dataclass(frozen=True, slots=True)
class About:
    """What somebody says of a document: note, source, tags."""

    note: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.note or self.source or self.tags)


@dataclass(frozen=True, slots=True)
class Problem:
    """A document that could not be filed, and why."""

    name: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class FileIncoming:
    """A regular file on this machine's disk."""

    name: bytes
    path: bytes
    origin: str = ORIGIN_FILE
    signer: bytes = b""
    about: About = About()
    status: os.stat_result | None = field(default=None, repr=False, compare=False)
    """What was found at the path when the folder was looked through."""
    _seen: list[os.stat_result] = field(default_factory=list, repr=False, compare=False)

    @property
    def mtime_ns(self) -> int | None:
        """The modification time found when the file was opened; None before."""
        return self._seen[0].st_mtime_ns if self._seen else None

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        """See Incoming."""
        try:
            fd = os.open(self.path, _READ_FLAGS)
        except OSError as exc:
            raise ReadFailed(reason_of(exc)) from exc
        try:
            yield from self._read(fd)
        except OSError as exc:
            raise ReadFailed(reason_of(exc)) from exc
        finally:
            os.close(fd)

    def read_small(self) -> bytes:
        """All of a file that had at most CHUNK_SIZE bytes when it was found. Raises ReadFailed.

        With as few calls as can be: if the file that was opened looks, after reading, as it did when it was found, then
        it did not change in between either.
        """
        found = self.status
        if found is None:
            return b"".join(piece for piece, __ in self.pieces())
        try:
            fd = os.open(self.path, _READ_FLAGS)
            try:
                data = os.read(fd, found.st_size + 1)
                after = os.fstat(fd)
            finally:
                os.close(fd)
        except OSError as exc:
            raise ReadFailed(reason_of(exc)) from exc
        if len(data) == found.st_size and _same_version(after, found):
            self._seen[:] = [after]
            return data
        if after.st_size > CHUNK_SIZE:
            raise ReadFailed(_(_CHANGED))
        return b"".join(piece for piece, __ in self.pieces())  # it changed since it was found: read as it is now

    def _read(self, fd: int) -> Iterator[tuple[bytes, bool]]:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise ReadFailed(_("not a regular file"))
        self._seen[:] = [before]
        left = before.st_size
        while True:
            # No more than there is, and one byte to see whether it grew: a buffer of a whole chunk costs a small
            # document more than reading it.
            piece = os.read(fd, min(CHUNK_SIZE, left + 1))
            # One read may return less than there is (a network disk, a signal).
            while len(piece) < min(left, CHUNK_SIZE) and (more := os.read(fd, CHUNK_SIZE - len(piece))):
                piece += more
            left -= len(piece)
            last = left <= 0
            if last or len(piece) < CHUNK_SIZE:
                self._check_unchanged(fd, before, left)
            yield piece, last
            if last:
                return

    def _check_unchanged(self, fd: int, before: os.stat_result, left: int) -> None:
        after = os.fstat(fd)
        if left != 0 or _version(after) != _version(before):
            raise ReadFailed(_(_CHANGED))

    @property
    def was_read_as_found(self) -> bool:
        """Whether the file that was read is the one that was found in its folder, unchanged."""
        return bool(self._seen) and self.status is not None and _same_version(self._seen[0], self.status)

    def is_still_what_was_filed(self) -> bool:
        """Whether the path still leads to the very file that was read, unchanged."""
        try:
            now = os.lstat(self.path)
        except OSError:
            return False
        return bool(self._seen) and _same_version(now, self._seen[0])


def _version(status: os.stat_result) -> tuple[int, int, int]:
    """What differs when a file was written to. The last, the change of status, is what nobody can date back."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _same_version(one: os.stat_result, other: os.stat_result) -> bool:
    return os.path.samestat(one, other) and _version(one) == _version(other)


@dataclass(frozen=True, slots=True)
class StreamIncoming:
    """A document read from a stream once, such as standard input or a member of a bundle."""

    name: bytes
    stream: Stream
    mtime_ns: int | None = None
    origin: str = ORIGIN_FILE
    signer: bytes = b""
    about: About = About()

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        """See Incoming."""
        piece = self._next()
        while True:
            following = self._next() if len(piece) == CHUNK_SIZE else b""
            yield piece, not following
            if not following:
                return
            piece = following

    def _next(self) -> bytes:
        parts, left = [], CHUNK_SIZE
        try:
            while left and (part := self.stream.read(left)):
                parts.append(part)
                left -= len(part)
        except OSError as exc:
            raise ReadFailed(reason_of(exc)) from exc
        return b"".join(parts)


def walk(paths: list[bytes], *, keep_out: str) -> Iterator[FileIncoming | Problem]:
    """Every file under the paths, in the order of their names, named from each path's last component on.

    ``keep_out`` is the vault's own folder: nothing in it is ever filed into it.
    """
    forbidden = os.stat(keep_out) if os.path.isdir(keep_out) else None
    for path in paths:
        name = os.path.basename(os.path.abspath(path)) or b"root"
        if not os.path.lexists(path):
            yield Problem(name, _("there is no such file or folder"))
        elif forbidden is not None and _lies_in(path, forbidden):
            yield Problem(name, _(_THE_VAULT))
        else:
            yield from _walk(path, name, forbidden)


def _walk(path: bytes, name: bytes, forbidden: os.stat_result | None) -> Iterator[FileIncoming | Problem]:
    """With a list and not by recursion: a folder may be nested deeper than Python's stack."""
    waiting = [(path, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and len(name) <= MAX_NAME_SIZE:
                yield FileIncoming(name, path, status=found)
            elif not stat.S_ISDIR(found.st_mode):
                yield Problem(name, _why_not(found.st_mode))
            elif forbidden is not None and os.path.samestat(found, forbidden):
                yield Problem(name, _(_THE_VAULT))
            else:
                children = sorted(os.listdir(path), reverse=True)
                waiting += [(os.path.join(path, child), name + b"/" + child) for child in children]
        except OSError as exc:
            yield Problem(name, reason_of(exc))


def _lies_in(path: bytes, folder: os.stat_result) -> bool:
    """Whether a folder above the path, links followed, is this one."""
    above = os.path.dirname(os.path.realpath(path))
    while True:
        with suppress(OSError):
            if os.path.samestat(os.stat(above), folder):
                return True
        if above == (above := os.path.dirname(above)):
            return False


def _why_not(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return _("a symbolic link, which is not followed")
    if stat.S_ISREG(mode):
        return _("its path is longer than {max_name_size} bytes").format(max_name_size=MAX_NAME_SIZE)
    return _("not a regular file")


def reason_of(error: OSError) -> str:
    """Why the system refused, in words, without the path."""
    if error.errno == errno.ENOENT:
        return _("it vanished")
    if error.errno == errno.ELOOP:
        return _("a symbolic link, which is not followed")
    return (refusal(error) if error.strerror else _("cannot be read")).lower()
