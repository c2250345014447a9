# SPDX-License-Identifier: Apache-2.0
"""The ZIP around a bundle, for receivers who have nothing but 7-Zip or its like.

Owns docs/format-bundle.md §9: one member, encrypted with AES-256 as WinZip specified it ("AES Encryption Information",
AE-2), whose name and date say nothing. Weaker than age, and used only when it is asked for by name
(docs/decisions/0038-receivers-with-other-programs.md). The cipher and the framing are pyzipper's, which is imported
when a ZIP is made or opened and not before. What is inside is judged as any bundle is; a ZIP of another shape is
refused before anything in it is decrypted, so there is nothing to inflate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Any, Protocol

from keys.secret import Secret
from keys.words import generate_passphrase
from vault import bundle_layout as layout
from vault.bundle_reader import TarBundleReader
from vault.errors import DamagedBundle, DoesNotOpen, Resealed, VaultError
from vault.plaintext import again_hint
from vault.tar import Sink

if TYPE_CHECKING:
    from pyzipper import AESZipFile, AESZipInfo

MAGIC = b"PK\x03\x04"
MEMBER = "content.tar"
WORDS = 8
"""103 bits: a guess at a ZIP costs 2,000 times SHA-1 and no memory, so one word more than a vault's passphrase has."""
MAX_DIRECTORY = 4 << 10
"""Bytes of the list of members. Ours has about 100; a longer one would be read whole before it is judged."""

_AES_256 = 3
_AE_2 = 2
_AROUND = 16 + 2 + 10
"""Bytes that encryption adds to a member: salt, verifier, authentication code."""


class ZipFileSource(Protocol):
    """A ZIP that can be read anywhere, as files opened for binary reading can."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; as ``io.IOBase.seek``."""

    def tell(self) -> int:
        """The place."""

    def seekable(self) -> bool:
        """True."""


def new_words() -> Secret:
    """A passphrase of eight random words."""
    return generate_passphrase(WORDS)


@contextmanager
def zip_sink(sink: Sink, passphrase: Secret) -> Iterator[Sink]:
    """What is written to the sink that this yields is sealed into ``sink``, in constant memory and of any size.

    The ZIP is whole when the ``with`` statement ends without an error.
    """
    from pyzipper import WZ_AES, AESZipFile
    from pyzipper.zipfile_aes import WZ_AES_V2

    archive = AESZipFile(_Unseekable(sink), "w", encryption=WZ_AES)
    try:
        archive.setpassword(passphrase.expose())
        # AE-2, which has no CRC: with AE-1 a checksum of the content stands in clear beside it.
        archive.setencryption(WZ_AES, nbits=256, force_wz_aes_version=WZ_AES_V2)
        # How much will come is not known here: without ZIP64 from the start, 4 GiB would be the end.
        with archive.open(_neutral(archive), "w", force_zip64=True) as member:
            yield member
        archive.close()
    except BaseException:
        archive.fp = None  # else its destructor would write an end to what has none
        raise


def _neutral(archive: AESZipFile) -> AESZipInfo:
    """A member that tells nothing of the machine or the hour: pyzipper's date is 1980-01-01 unless it is given one."""
    info = archive.zipinfo_cls(MEMBER)
    info.create_system, info.external_attr = (
        0,
        0x20,
    )  # DOS, and its archive bit: pyzipper would say what this machine is
    return info


class _Unseekable:
    """A sink that can only be written to, which makes pyzipper put sizes behind the content."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes | memoryview) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""


class ZipBundleReader(TarBundleReader):
    """A bundle in a ZIP, opened with its passphrase. See ``vault.bundle_reader``.

    The authentication code of the ZIP stands at its end, so it is checked when the last byte is read; until then
    signature and digests vouch for what is handed out, and ``payload`` does not end without it.
    """

    def __init__(
        self, source: ZipFileSource, passphrase: Secret, *, on_tag: Callable[[str, bytes], object] | None = None
    ) -> None:
        """Raises DoesNotOpen for another passphrase, and what BundleReader raises."""
        super().__init__(_Plaintext(source, passphrase), on_tag=on_tag)
        if self.tags.sealed_for != (layout.NOBODY_NAMED,):
            raise Resealed(
                _("this bundle was sealed for people's keys, and one of them sealed it again with a passphrase"),
                _("ask the sender in another way whether you were meant to have it"),
            )


class _Plaintext:
    """The door at which pyzipper's errors become ours."""

    def __init__(self, source: ZipFileSource, passphrase: Secret) -> None:
        from pyzipper import AESZipFile

        short = _ShortReads(source)
        try:
            archive = AESZipFile(short)
            (info,) = archive.infolist()
            _expect_ours(info)
            short.open_up()
        except VaultError:
            raise
        except Exception as exc:  # any failure of the parser is "not a ZIP of ours"
            raise _not_ours() from exc
        try:
            self._member = archive.open(info, pwd=passphrase.expose())
        except RuntimeError as exc:
            raise DoesNotOpen(_("this is not the passphrase of this ZIP"), _("ask the sender to say it again")) from exc
        except (VaultError, OSError):
            raise
        except Exception as exc:  # as above
            raise _not_ours() from exc

    def read(self, size: int, /) -> bytes:
        from pyzipper import BadZipFile

        try:
            data = self._member.read(size)
        except (BadZipFile, EOFError) as exc:
            raise DamagedBundle(
                _("the ZIP was changed or cut off, or this is not its passphrase"), again_hint()
            ) from exc
        assert isinstance(data, bytes)
        return data


class _ShortReads:
    """A ZIP of which no long piece is read until ``open_up``: a parser holds the whole list of members in memory."""

    def __init__(self, source: ZipFileSource) -> None:
        self._source = source
        self._limited = True
        self.seek, self.tell, self.seekable = source.seek, source.tell, source.seekable

    def open_up(self) -> None:
        """The list of members was judged: from here on pieces may have any size."""
        self._limited = False

    def read(self, size: int = -1, /) -> bytes:
        if not self._limited:
            return self._source.read(size)
        data = self._source.read(MAX_DIRECTORY + 1 if size < 0 else min(size, MAX_DIRECTORY + 1))
        if len(data) > MAX_DIRECTORY:
            raise _not_ours()
        return data


def _expect_ours(info: Any) -> None:
    """One file under the neutral name, stored, encrypted with AES-256, as large as it says. Raises DamagedBundle."""
    seen = (
        *(info.orig_filename, info.header_offset, info.compress_type, info.is_encrypted),
        *(info.wz_aes_version, info.wz_aes_strength, info.file_size + _AROUND),
    )
    if seen != (MEMBER, 0, 0, 1, _AE_2, _AES_256, info.compress_size):
        raise _not_ours()


def _not_ours() -> DamagedBundle:
    return DamagedBundle(
        _("this ZIP is damaged, or was not made by sandyk"),
        _("any ZIP can be opened with 7-Zip; nothing checks it then"),
    )
