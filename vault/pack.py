# SPDX-License-Identifier: Apache-2.0
"""Packs: the sealed, immutable files that evidence lies in (docs/format.md §6).

    magic line | chunk … chunk | manifest | signature | zeros | trailer

inside an age file sealed to the case. Owns the order of the bytes and nothing else: what a
pack holds and which place it takes in the chain is decided by ``vault.store``.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from gettext import gettext as _

from keys import age, primitives
from keys.canonical import is_newer
from keys.errors import BadSignature, KeysError
from keys.identity import signed_bytes
from vault import manifest as manifests
from vault.appending import Appender
from vault.blocks import Table
from vault.disk import NAMED_WHILE_OPEN, TEMPORARY_SUFFIX, Disk
from vault.errors import DamagedPack
from vault.manifest import Manifest, NewerPack
from vault.model import Chunk, PackId
from vault.padding import padme
from vault.refusals import refusal

MAGIC = b"sandyk pack 1\n"
TRAILER_MAGIC = b"SANDYKP1"
TRAILER_SIZE = len(TRAILER_MAGIC) + 8 + 8
_LONGEST_LINE = 40
"""No first line of a later version will be longer."""
LEAST_PLAINTEXT = 32 << 10
"""A pack with one short note is no smaller than this, so that its size does not say that it is short."""


def pack_name(pack: PackId) -> str:
    """The file name of a pack."""
    return pack.hex() + ".age"


class PackWriter:
    """Writes one pack into a temporary file; ``finish`` makes it durable and gives it its name.

    Chunks go to the disk as they come, so memory stays constant. Raises OSError.
    """

    def __init__(self, disk: Disk, folder: str, pack: PackId, recipient: age.Recipient) -> None:
        self.pack = pack
        self._disk = disk
        self._path = os.path.join(folder, pack_name(pack))
        self._temporary = f"{self._path}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        self._fd = disk.create(self._temporary)
        self._out = Appender(disk, self._fd, self._temporary)
        try:
            self._sealer = age.Sealer(self._out, [recipient])
            self._sealer.write(MAGIC)
        except BaseException:
            self.abandon()
            raise

    def add_chunks(self, stored: Sequence[bytes]) -> None:
        """Append blocks of chunks as they are to lie in the pack."""
        self._sealer.write(b"".join(stored))

    def finish(self, compressed_manifest: bytes, signature: bytes) -> int:
        """Write what follows the chunks, sync, and publish. Returns the file's size."""
        offset = self._sealer.written
        end = offset + len(compressed_manifest) + len(signature) + TRAILER_SIZE
        self._sealer.write(compressed_manifest + signature)
        self._sealer.write(bytes(padme(end, least=LEAST_PLAINTEXT) - end))
        self._sealer.write(TRAILER_MAGIC + offset.to_bytes(8, "big") + len(compressed_manifest).to_bytes(8, "big"))
        self._sealer.finish()
        self._out.finish()
        self._disk.sync(self._fd, self._temporary)
        size = os.fstat(self._fd).st_size
        if NAMED_WHILE_OPEN:
            self._disk.publish(self._temporary, self._path)
        os.close(self._fd)
        self._fd = -1
        if not NAMED_WHILE_OPEN:
            self._disk.publish(self._temporary, self._path)
        return size

    def abandon(self) -> None:
        """Forget the pack: close and remove the temporary file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with suppress(OSError):
            self._disk.unlink(self._temporary)


BLOCK = 64 << 10
"""age encrypts in blocks of this size, and opens a block whole."""
AHEAD = 1 << 20
NEAR = 2
"""How many stretches of AHEAD bytes a reader keeps: one for each thread that copies out."""


class PackReader:
    """Random access to one pack. Every byte it returns was authenticated by the case's key.

    Raises DamagedPack when the file is damaged, was sealed for somebody else, or cannot be read (its cause is an
    OSError then); OSError when it cannot be opened.
    """

    def __init__(
        self, folder: str, pack: PackId, identities: Sequence[age.Identity], *, name: str | None = None
    ) -> None:
        """``name`` is that of the file, where it is not the pack's own: one that was put aside, or is not whole yet."""
        self.pack = pack
        self._near: tuple[tuple[int, bytes], ...] = ()
        self._last_end = len(MAGIC)
        path = os.path.join(folder, name or pack_name(pack))
        # A pipe in its place would make an open wait for ever; a link could lead anywhere.
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise DamagedPack(_("pack {pack} is not a regular file").format(pack=pack.hex()[:8]))
        self._file = age.FileAccess(path)
        try:
            with _as_damage(pack):
                self._plain = age.SeekableOpener(self._file, identities)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    def __del__(self) -> None:
        # A reader that a cache lets go of may still be in use by another thread: the last user closes it.
        if hasattr(self, "_file"):
            self._file.close()

    def __enter__(self) -> PackReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """The size of the plaintext."""
        return self._plain.size

    def read_near(self, offset: int, size: int) -> bytes:
        """``read``, for somebody who goes on to read what lies behind: small documents share age's blocks of 64 KiB.

        Reads ahead only where the last read ended, so that a jump (a duplicate's place) costs no more than itself.
        Damage elsewhere in what is read ahead costs nothing: then exactly these bytes are read.
        """
        goes_on = offset == self._last_end
        self._last_end = offset + size
        for start, data in self._near:  # a tuple is exchanged whole, so several threads may read
            if start <= offset and offset + size <= start + len(data):
                return data[offset - start : offset - start + size]
            goes_on = goes_on or start <= offset <= start + len(data)
        if goes_on and size <= AHEAD // 2:
            start = offset - offset % BLOCK
            with suppress(KeysError, OSError):
                data = self._plain.read_at(start, AHEAD)
                self._near = ((start, data), *self._near[: NEAR - 1])
                if offset - start + size <= len(data):
                    return data[offset - start : offset - start + size]
        return self.read(offset, size)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes of the plaintext. Raises DamagedPack."""
        with _as_damage(self.pack):
            data = self._plain.read_at(offset, size)
        if len(data) != size:
            raise DamagedPack(_("pack {pack} is too short").format(pack=self.pack.hex()[:8]))
        return data

    def manifest(self, authors: Callable[[int], Collection[bytes]] | None = None) -> tuple[Manifest, bytes]:
        """The manifest and its digest, with its signature checked against the author it names.

        ``authors`` says who may file in an epoch; without it, that is for the caller to judge. Raises DamagedPack.
        """
        name = self.pack.hex()[:8]
        start = self.read(0, min(len(MAGIC), self.size))
        first_line = self.read(0, min(_LONGEST_LINE, self.size)).partition(b"\n")[0]
        if is_newer(first_line, MAGIC[:-1].decode()):
            raise NewerPack(
                _("pack {name} was made by a newer sandyk than this one; that is no damage").format(name=name)
            )
        if self.size < len(MAGIC) + TRAILER_SIZE or start != MAGIC:
            raise DamagedPack(_("{name} is not a pack").format(name=name))
        trailer = self.read(self.size - TRAILER_SIZE, TRAILER_SIZE)
        offset, length = int.from_bytes(trailer[8:16], "big"), int.from_bytes(trailer[16:], "big")
        after = offset + length + primitives.SIGNATURE_SIZE
        if trailer[:8] != TRAILER_MAGIC or length > manifests.MAX_MANIFEST_SIZE or after > self.size - TRAILER_SIZE:
            raise DamagedPack(_("pack {name} has no proper trailer").format(name=name))
        untrusted = manifests.decompress(self.read(offset, length))
        epoch, author = manifests.claimed_author(untrusted)
        if authors is not None and author not in authors(epoch):
            raise DamagedPack(_("sealed to this case by a key that is no member of it: not listed"))
        digest = manifests.digest(untrusted)
        try:
            signature = self.read(offset + length, primitives.SIGNATURE_SIZE)
            primitives.verify(signed_bytes(manifests.SIGNATURE_LABEL, digest), signature, author)
        except BadSignature as exc:
            raise DamagedPack(_("the signature of pack {name} does not verify").format(name=name)) from exc
        manifest = manifests.decode(untrusted)
        if manifest.pack != self.pack:
            raise DamagedPack(_("pack {name} is another pack under a false name").format(name=name))
        if len(MAGIC) + sum(c.stored for c in manifest.chunks) != offset:
            raise DamagedPack(_("pack {name} holds more or less than its manifest says").format(name=name))
        return manifest, digest

    def check_padding(self) -> None:
        """Raise DamagedPack unless everything between signature and trailer is zero."""
        trailer = self.read(self.size - TRAILER_SIZE, TRAILER_SIZE)
        start = int.from_bytes(trailer[8:16], "big") + int.from_bytes(trailer[16:], "big") + primitives.SIGNATURE_SIZE
        end = self.size - TRAILER_SIZE
        while start < end:
            piece = self.read(start, min(1 << 20, end - start))
            if piece.count(0) != len(piece):
                raise DamagedPack(_("pack {pack} hides something behind its manifest").format(pack=self.pack.hex()[:8]))
            start += len(piece)


def table_of(chunks: Sequence[Chunk]) -> Table:
    """Where each of a pack's chunks lies in its plaintext."""
    return Table(chunks, len(MAGIC))


def unreadable(pack: PackId, error: OSError) -> DamagedPack:
    """Of a pack that the medium does not give."""
    return DamagedPack(
        _("pack {pack} cannot be read: {reason}").format(pack=pack.hex()[:8], reason=refusal(error))
    )  # fmt: skip


class _as_damage:  # noqa: N801  # reads as a verb: with _as_damage(pack)
    """Turns the errors of ``keys``, and of a medium that does not read, into DamagedPack, in one place."""

    def __init__(self, pack: PackId) -> None:
        self._pack = pack

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeysError):
            raise DamagedPack(_("pack {pack}: {reason}").format(pack=self._pack.hex()[:8], reason=error)) from error
        if isinstance(error, OSError):
            raise unreadable(self._pack, error) from error
