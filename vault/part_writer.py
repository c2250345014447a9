# SPDX-License-Identifier: Apache-2.0
"""Writes a bundle in parts into a folder: each an age file, none named before all are whole and durable.

Owns the order of docs/format-bundle.md §10. The data parts are written in one go, as the bundle is made. Repair parts
need all data parts side by side; those are read back from the disk and opened with the key that sealed them, which
this run still has. So nothing of the bundle is ever on the disk in clear, and memory stays constant.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from gettext import gettext as _

from keys import age
from keys.errors import KeysError
from keys.primitives import KEY_SIZE, signing_public
from keys.secret import Secret
from vault.appending import Appender
from vault.disk import NAMED_WHILE_OPEN, TEMPORARY_SUFFIX, Disk, take_lock
from vault.errors import BadInput, DiskFailed
from vault.interrupts import undisturbed
from vault.names import printable
from vault.parts import Cut, Terms, Trailer, render_trailer
from vault.refusals import refusal
from vault.repair import Repair
from vault.tar import Sink

AT_ONCE = 16
"""Repair parts made in one pass over the data parts: so many files and buffers of a megabyte or two are open."""
WRITTEN_AT_ONCE = 1 << 20
"""Bytes that a part holds before it writes them: so many are open while repair parts are made."""
STRIPE_MEMORY = 16 << 20
"""Bytes of all data parts that are held side by side."""

_LEFT = re.compile(r"[0-9a-f]{8}\.age-(?P<run>[0-9a-f]{12})" + re.escape(TEMPORARY_SUFFIX), re.ASCII)


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part as it lies in the folder."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class WrittenSet:
    """A bundle that was written in parts."""

    terms: Terms
    part_size: int
    """Bytes of each part's file."""
    parts: tuple[WrittenPart, ...]


def stripe_of(data: int, body: int) -> int:
    """How many bytes of each of so many parts are held at once: whole age blocks."""
    share = STRIPE_MEMORY // data // age.BLOCK_SIZE * age.BLOCK_SIZE
    return min(body, max(age.BLOCK_SIZE, share))


def write_parts(
    folder: str, how: Cut, crowd: Callable[[], list[age.Recipient]], write: Callable[[Sink], object], *,
    disk: Disk, progress: Callable[[int], object] | None = None,
    when_whole: Callable[[WrittenSet], object] = lambda parts: None,
) -> WrittenSet:  # fmt: skip
    """Let ``write`` give its ``how.tar`` bytes, and seal them in parts to a new ``crowd`` each.

    ``folder`` is made if it is missing. ``progress`` is told the bytes of repair parts; ``when_whole`` what will be
    there, when all parts are whole and durable and none has its name yet. Whatever is raised, nothing is left behind;
    a process that is killed leaves files whose names end in ``.new``, which the next that writes parts into this
    folder removes (not on Windows), or some of the parts, each whole.
    Raises LibraryMissing, DiskFailed, and what ``write`` raises.
    """
    repair = Repair(how.data, how.repair) if how.repair else None
    with Secret.random(KEY_SIZE) as seed:
        run = _Run(folder, how.terms(signing_public(seed.expose())), seed, crowd, disk)
        try:
            try:
                run.make_folder()
                data = _DataParts(run)
                write(data)
                data.finish()
                if repair:
                    _write_repair_parts(run, repair, progress)
                parts = run.whole()
                when_whole(parts)
                run.publish()
                return parts
            except BaseException:
                with undisturbed():
                    run.discard()
                raise
        except OSError as exc:
            raise DiskFailed(
                _("{folder} cannot be written: {reason}").format(folder=printable(folder), reason=refusal(exc).lower()),
                _("nothing was left behind that looks like a part"),
            ) from exc


class _Run:
    """What the parts of one set share while they are written, and what must go if it fails."""

    def __init__(
        self, folder: str, terms: Terms, seed: Secret, crowd: Callable[[], list[age.Recipient]], disk: Disk
    ) -> None:
        self.terms = terms
        self.seed = seed
        self.crowd = crowd
        self.disk = disk
        self.openers: list[age.SeekableOpener] = []
        """The data parts, to be read back."""
        self._folder = folder
        self._made_folder = False
        self._name = secrets.token_hex(6)
        """In the names of this run's files while they are not whole: so that a later run can tell whose they are.
        Longer than the mark of a single file (``vault.sealing``), whose writer does not ask what else is locked."""
        self._paths: dict[int, str] = {}
        self._writing: set[int] = set()
        self._keeper = -1
        """The first part's file, open and locked until all is done: what has the run's name is being written."""
        self._named: list[str] = []

    def make_folder(self) -> None:
        """Make the folder, or remove what a killed run left there. Raises BadInput for a file in its place."""
        if os.path.isdir(self._folder):
            _sweep(self._folder, self.disk)
            return
        if os.path.lexists(self._folder):
            raise BadInput(
                _("{folder} is no folder").format(folder=printable(self._folder)), _("parts go into a folder: -o DIR")
            )
        self._made_folder = True  # before, because it may be there although its sync failed
        self.disk.make_folder(self._folder)

    def begin(self, number: int) -> _Part:
        """A new part, under a name that says that it is not whole."""
        path = os.path.join(self._folder, f"{secrets.token_hex(4)}.age")
        if path in self._paths.values() or os.path.lexists(path):
            return self.begin(number)
        self._paths[number] = path
        temporary = self._temporary(path)
        fd = self.disk.create(temporary)
        self._writing.add(fd)
        if self._keeper < 0 and NAMED_WHILE_OPEN:  # on Windows a locked file cannot be read back
            self._keeper = fd
        return _Part(self, number, fd, temporary)

    def _temporary(self, path: str) -> str:
        return f"{path}-{self._name}{TEMPORARY_SUFFIX}"

    def close(self, fd: int) -> None:
        """Close the file of a part, unless it keeps the others."""
        if fd != self._keeper:
            self._writing.remove(fd)
            os.close(fd)

    def whole(self) -> WrittenSet:
        """What all parts will be, once they have their names."""
        parts = tuple(WrittenPart(self._paths[number], number) for number in sorted(self._paths))
        return WrittenSet(self.terms, os.path.getsize(self._temporary(parts[0].path)), parts)

    def publish(self) -> None:
        """Give all parts their names: last the one whose lock keeps the others."""
        keeper, *others = self._paths.values()
        for path in [*others, keeper]:
            self._publish(path)
        self._let_go()

    def _publish(self, path: str) -> None:
        self._named.append(path)  # before, because it may have the name although its sync failed
        try:
            self.disk.publish_new(self._temporary(path), path)
        except FileExistsError:
            self._named.pop()  # somebody else's, made since
            raise

    def _let_go(self) -> None:
        self._keeper = -1
        for fd in list(self._writing):
            self.close(fd)

    def discard(self) -> None:
        """Remove everything that was written."""
        self._let_go()
        for path in [*self._named, *map(self._temporary, self._paths.values())]:
            with suppress(OSError):
                self.disk.unlink(path)
        if self._made_folder:
            with suppress(OSError):
                self.disk.remove_folder(self._folder)


def _sweep(folder: str, disk: Disk) -> None:
    """Remove what killed runs left in a folder: files of a run none of whose files is locked.

    Not on Windows, where no lock keeps a part that is whole and waits for the others.
    """
    if not NAMED_WHILE_OPEN:
        return
    with suppress(OSError):
        runs: defaultdict[str, set[str]] = defaultdict(set)
        for name in os.listdir(folder):
            if left := _LEFT.fullmatch(name):
                runs[left["run"]].add(name)
        for names in runs.values():
            if not any(_is_locked(os.path.join(folder, name)) for name in names):
                disk.sweep(folder, names.__contains__)


def _is_locked(path: str) -> bool:
    """Whether somebody writes this file, or it cannot be told."""
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return True
    try:
        take_lock(fd, wait=False)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


class _Part:
    """One part being written: its body, piece by piece, then ``finish``."""

    def __init__(self, run: _Run, number: int, fd: int, path: str) -> None:
        self._run, self._number, self._fd, self._path = run, number, fd, path
        self._digest = hashlib.sha256()
        self._out = Appender(run.disk, fd, path, buffer_size=WRITTEN_AT_ONCE)
        self._sealer = age.Sealer(self._out, run.crowd())
        self.left = run.terms.body

    def add(self, piece: bytes | memoryview) -> None:
        """Append to the body."""
        self._digest.update(piece)
        self._sealer.write(piece)
        self.left -= len(piece)

    def finish(self) -> age.SeekableOpener:
        """Sign the part, sync it and close it; what opens it again."""
        if self.left:
            raise ValueError("a body of another size than announced")
        trailer = Trailer(self._run.terms, self._number, self._digest.digest())
        self._sealer.write(render_trailer(trailer, self._run.seed))
        self._sealer.finish()
        self._out.finish()
        self._run.disk.sync(self._fd, self._path)
        self._run.close(self._fd)
        with _as_written():
            return self._sealer.read_back(age.PathAccess(self._path))


class _DataParts:
    """The sink that a bundle is written into: cut where one part is full and the next begins."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._part: _Part | None = None
        self._left = run.terms.tar

    def write(self, data: bytes | memoryview, /) -> None:
        """Take all of ``data``."""
        self._left -= len(data)
        self._put(memoryview(data))

    def _put(self, view: memoryview) -> None:
        while view:
            if self._part is None:
                self._part = self._run.begin(len(self._run.openers) + 1)
            taken = view[: self._part.left]
            self._part.add(taken)
            view = view[len(taken) :]
            if not self._part.left:
                self._run.openers.append(self._part.finish())
                self._part = None

    def finish(self) -> None:
        """Fill the last part with NULs."""
        if self._left:
            raise ValueError("a tar of another size than announced")
        while self._part is not None:
            self._put(memoryview(bytes(min(self._part.left, 1 << 20))))


def _write_repair_parts(run: _Run, repair: Repair, progress: Callable[[int], object] | None) -> None:
    terms = run.terms
    for first in range(terms.data + 1, terms.parts + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, terms.parts + 1))
        parts = [run.begin(number) for number in numbers]
        for stripe in _stripes(run):
            for part, block in zip(parts, repair.encode(stripe, numbers), strict=True):
                part.add(block)
                if progress:
                    progress(len(block))
        for part in parts:
            part.finish()


def _stripes(run: _Run) -> Iterator[list[bytes]]:
    """The same bytes of every data part, side by side, from beginning to end."""
    body = run.terms.body
    step = stripe_of(run.terms.data, body)
    for offset in range(0, body, step):
        with _as_written():
            stripe = [opener.read_at(offset, min(step, body - offset)) for opener in run.openers]
        yield stripe


@contextmanager
def _as_written() -> Iterator[None]:
    try:
        yield
    except KeysError as exc:
        raise DiskFailed(_("the disk gives back other bytes than were written to it"), _("check the medium")) from exc
