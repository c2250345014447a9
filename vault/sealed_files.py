# SPDX-License-Identifier: Apache-2.0
"""What can be opened, and the readers of it: an age file, a ZIP, a bundle in parts.

That a file cannot be read is told apart from damage, and from a file that is for somebody else. Writes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from io import FileIO
from threading import Lock

from keys import age
from keys.errors import KeysError, NoMatch
from keys.secret import Secret
from vault import zipped
from vault.bundle import BundleReader, TarBundleReader, own_keys
from vault.errors import BadInput, DamagedBundle, DiskFailed, DoesNotOpen
from vault.names import printable
from vault.part_reader import JoinedParts, PartSet
from vault.plaintext import SkippingPlaintext, again_hint
from vault.refusals import refusal

WORKERS = 2
_AGE_MAGIC = b"age-encryption.org/"
_PATIENCE_SECONDS = 2

OnTag = Callable[[str, bytes], object]


@dataclass(frozen=True, slots=True)
class Zipped:
    """A ZIP, and its passphrase."""

    path: str
    passphrase: Secret


Sealed = str | PartSet | Zipped
"""An age file, by its path; the parts of a bundle; a ZIP."""


def is_zip(path: str) -> bool:
    """Whether a file begins as a ZIP does. What cannot be read is none."""
    return _begins(path, zipped.MAGIC)


@contextmanager
def reading(
    sealed: Sealed, identities: Sequence[age.Identity], on_tag: OnTag | None, *, skipping: bool = False
) -> Iterator[TarBundleReader]:
    """The reader of a bundle. With ``skipping`` documents can be left out where the file allows it.

    Raises NotABundle, DoesNotOpen, DiskFailed, and what ``BundleReader`` raises.
    """
    if isinstance(sealed, PartSet):
        yield TarBundleReader(JoinedParts(sealed), own_keys(identities), on_tag=on_tag)
    elif isinstance(sealed, Zipped):
        with _file(sealed.path) as source:
            yield zipped.ZipBundleReader(source, sealed.passphrase, on_tag=on_tag)
    else:
        with _file(sealed) as source:
            if skipping and source.is_seekable_age():
                plaintext = SkippingPlaintext(source, identities)
                yield TarBundleReader(plaintext, own_keys(identities), on_tag=on_tag)
            else:
                yield BundleReader(source, identities, on_tag=on_tag, workers=WORKERS)


@contextmanager
def open_plain(path: str, identities: Sequence[age.Identity]) -> Iterator[PlainStream]:
    """The content of an age file that is no bundle. Raises DamagedBundle, DoesNotOpen, DiskFailed."""
    with _file(path) as source:
        try:
            opener = age.Opener(source, identities, workers=WORKERS)
        except NoMatch:
            raise
        except KeysError as exc:
            raise DamagedBundle(_("this is no age file, or it is damaged: {reason}").format(reason=exc)) from exc
        yield PlainStream(opener)


class PlainStream:
    """The content of an age file."""

    def __init__(self, opener: age.Opener) -> None:
        self._opener = opener

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, or all; none only at the authenticated end. Raises DamagedBundle."""
        try:
            return self._opener.read(size)
        except KeysError as exc:
            raise DamagedBundle(
                _("the sealed file was changed or cut off: {reason}").format(reason=exc), again_hint()
            ) from exc


def plain_name(path: str) -> bytes:
    """What the content of an age file is called: the file's name without ``.age``."""
    return os.fsencode(os.path.basename(path)).removesuffix(b".age") or b"opened"


def _begins(path: str, magic: bytes) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as f:
            return f.read(len(magic)) == magic
    except OSError:
        return False


@contextmanager
def _file(path: str) -> Iterator[_SealedFile]:
    try:
        # Closed below; its opening has an error of its own.
        f = open(path, "rb", buffering=0, opener=_without_waiting)  # noqa: SIM115
    except OSError as exc:
        raise BadInput(
            _("{path} cannot be read: {reason}").format(path=printable(path), reason=refusal(exc).lower())
        ) from exc
    source = _SealedFile(f, path)
    try:
        if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
            raise BadInput(
                _("{path} is no regular file: a pipe, a socket or a device").format(path=printable(path)),
                _("write what comes out of it into a file, and open that"),
            )
        yield source
    except NoMatch as exc:
        raise DoesNotOpen(
            _("{path} is sealed for somebody else").format(path=printable(path)),
            _("ask the sender whom they sealed it for"),
        ) from exc
    finally:
        source.close()


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes into does not make it wait."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _SealedFile:
    """A file being read. That it cannot be read is neither damage of the seal nor a failure to write."""

    def __init__(self, f: FileIO, path: str) -> None:
        self._f, self._path = f, path
        self._access = age.FileAccess(f.fileno())
        self._reading = Lock()

    def close(self) -> None:
        """Close the file, when no thread is reading from it: its number could be another file's at once.

        One that has been reading for long hangs on a dead medium; then the file stays open as long as the process.
        """
        if self._reading.acquire(timeout=_PATIENCE_SECONDS):
            self._f.close()
            self._reading.release()

    def is_seekable_age(self) -> bool:
        """Whether it is a binary age file that can be read at any place."""
        return _begins(self._path, _AGE_MAGIC)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._access.size

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer only at the end. Raises DiskFailed."""
        with self._failing():
            return self._access.read_at(offset, size)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end. Ahead of the caller, too, if it is armored. Raises DiskFailed."""
        with self._reading, self._failing():
            return self._f.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, or a part of it; ahead of the caller, in a thread. Raises DiskFailed."""
        with self._reading, self._failing():
            return self._f.readinto(buffer)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place. Raises DiskFailed."""
        with self._failing():
            return self._f.seek(offset, whence)

    def tell(self) -> int:
        """The place. Raises DiskFailed."""
        with self._failing():
            return self._f.tell()

    def seekable(self) -> bool:
        """Whether there are places to go to."""
        return self._f.seekable()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DiskFailed(
                _("{path} cannot be read: {reason}").format(path=printable(self._path), reason=refusal(exc).lower())
            ) from exc
