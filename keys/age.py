# SPDX-License-Identifier: Apache-2.0
"""Files in the age v1 format (https://age-encryption.org/v1): sealing, opening, reading at any place.

The public face of the format; its parts are ``header``, ``recipients``, ``wrapping``,
``stream``, ``armor``, ``bech32`` and ``sources``. Never mixes hybrid and classic recipients,
never releases a byte before its tag was verified, never calls a file whole before its last
block was. Opens no files and closes none.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from gettext import gettext as _

from keys.armor import ArmorReader, ArmorWriter, looks_armored
from keys.errors import MalformedAge
from keys.header import (
    FILE_KEY_SIZE,
    MAX_STANZAS,
    Source,
    Stanza,
    encode_header,
    header_size,
    read_exactly,
    read_header,
)
from keys.recipients import (
    Identity,
    Recipient,
    check_together,
    parse_identity,
    parse_identity_file,
    parse_recipient,
    unwrap_file_key,
)
from keys.sources import Cursor, FileAccess, PathAccess, RandomAccess
from keys.stream import (
    BATCH_BLOCKS,
    BLOCK_SIZE,
    NONCE_SIZE,
    SEALED_BLOCK_SIZE,
    TAG_SIZE,
    BlockCipher,
    PayloadReader,
    PayloadWriter,
    Sink,
    sealed_payload_size,
    write_all,
)
from keys.wrapping import (
    HybridIdentity,
    HybridRecipient,
    ScryptIdentity,
    ScryptRecipient,
    X25519Identity,
    X25519Recipient,
)

__all__ = [
    "BLOCK_SIZE",
    "MAX_STANZAS",
    "FileAccess",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "Opener",
    "PathAccess",
    "RandomAccess",
    "Recipient",
    "ScryptIdentity",
    "ScryptRecipient",
    "Sealer",
    "SeekableOpener",
    "Sink",
    "Source",
    "Stanza",
    "X25519Identity",
    "X25519Recipient",
    "parse_identity",
    "parse_identity_file",
    "parse_recipient",
    "seal",
    "sealed_size",
    "unseal",
]

_START_SIZE = 4 << 10
_ENDLESS = 1 << 62


class Sealer:
    """Writes an age file into a sink, in constant memory.

    The header is written at once. Without ``finish`` the file is not whole, and no reader
    takes it for whole: leave it out when something went wrong. With ``workers`` above one,
    blocks are sealed in that many threads; the bytes do not depend on it. The sink's
    ``write`` must not keep the buffer it is given.
    """

    def __init__(self, sink: Sink, recipients: Sequence[Recipient], *, armored: bool = False, workers: int = 1) -> None:
        """Raises MalformedAge when these recipients may not share a file, or one of them is unusable."""
        _check_recipients(recipients)
        file_key = os.urandom(FILE_KEY_SIZE)
        nonce = os.urandom(NONCE_SIZE)
        header = encode_header([recipient.wrap(file_key) for recipient in recipients], file_key)
        self._armor = ArmorWriter(sink) if armored else None
        target = self._armor or sink
        self._cipher = BlockCipher(file_key, nonce)
        self._start = len(header) + NONCE_SIZE
        self._payload = PayloadWriter(target, self._cipher, workers)
        self._written = 0
        self._usable = True
        write_all(target, header + nonce)

    @property
    def written(self) -> int:
        """Plaintext bytes so far."""
        return self._written

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take all of ``data``; some of it may wait for the next call. Returns its size in bytes.

        When the sink raises, the error passes through and the file can only be thrown away.
        """
        view = memoryview(data).cast("B")
        self._begin()
        self._payload.write(view)
        self._usable = True
        self._written += len(view)
        return len(view)

    def finish(self) -> None:
        """Write what is held back and mark the end; does not close the sink. To be called once."""
        self._begin()
        self._payload.finish()
        if self._armor:
            self._armor.finish()

    def read_back(self, source: RandomAccess) -> SeekableOpener:
        """What was written and finished, from where the sink put it: whoever seals may be no recipient.

        For a binary file. Raises Damaged when its end is not what was written.
        """
        return SeekableOpener._after_header(source, self._cipher, self._start)

    def _begin(self) -> None:
        # What follows a failed write would be sealed as if nothing were missing.
        if not self._usable:
            raise ValueError("this file was finished, or a write to it failed")
        self._usable = False


class Opener:
    """Reads an age file from a stream, binary or armored, in constant memory.

    ``workers`` is the number of threads that open blocks.
    """

    def __init__(self, source: Source, identities: Sequence[Identity], *, workers: int = 1) -> None:
        """Reads the header. Raises MalformedAge, NoMatch, or Damaged when the header was changed."""
        start = read_exactly(source, _START_SIZE)
        if looks_armored(start):
            source, start = ArmorReader(source, start), b""
        cipher, __, untrusted_start = _open_header(source, start, identities)
        self._payload = PayloadReader(source, cipher, untrusted_start, workers)

    def read(self, n: int = -1) -> bytes:
        """``n`` bytes, or all that are left; fewer only at the end, which is authenticated, as is every byte.

        Raises Damaged, at every call from then on, when what was asked for is not whole.
        """
        remaining = n if n >= 0 else _ENDLESS
        return b"".join(map(bytes, self._payload.pieces(remaining)))

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer; returns less than its size only at the end. Raises as ``read`` does."""
        view = memoryview(buffer).cast("B")
        filled = 0
        for piece in self._payload.pieces(len(view)):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled


class SeekableOpener:
    """Reads a binary age file at any place, decrypting only the blocks it needs.

    The last block is verified first: that is what vouches for the size. ``read_at`` may be
    called from several threads.
    """

    def __init__(self, source: RandomAccess, identities: Sequence[Identity]) -> None:
        """Raises MalformedAge, NoMatch, or Damaged when the header or the end was changed or cut off."""
        cipher, start, __ = _open_header(Cursor(source), b"", identities)
        self._begin(source, cipher, start)

    @classmethod
    def _after_header(cls, source: RandomAccess, cipher: BlockCipher, start: int) -> SeekableOpener:
        opener = cls.__new__(cls)
        opener._begin(source, cipher, start)
        return opener

    def _begin(self, source: RandomAccess, cipher: BlockCipher, start: int) -> None:
        """Verify the last block of the payload, which begins at ``start``."""
        self._source, self._cipher, self._start = source, cipher, start
        self._sealed_size = max(0, source.size - self._start)
        self._blocks = max(1, -(-self._sealed_size // SEALED_BLOCK_SIZE))
        last = self._blocks - 1
        self._open_blocks(last, self._blocks, memoryview(bytearray(BLOCK_SIZE)))
        self._size = self._sealed_size - self._blocks * TAG_SIZE

    @property
    def size(self) -> int:
        """Plaintext bytes."""
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer only where the plaintext ends. Raises Damaged."""
        if offset < 0 or size < 0:
            raise ValueError("an offset or size below zero")
        end = min(offset + size, self._size)
        if offset >= end:
            return b""
        first, stop = offset // BLOCK_SIZE, -(-end // BLOCK_SIZE)
        plain = memoryview(bytearray((stop - first) * BLOCK_SIZE))
        for start in range(first, stop, BATCH_BLOCKS):
            self._open_blocks(start, min(stop, start + BATCH_BLOCKS), plain[(start - first) * BLOCK_SIZE :])
        return bytes(plain[offset - first * BLOCK_SIZE : end - first * BLOCK_SIZE])

    def _open_blocks(self, first: int, stop: int, plain: memoryview) -> None:
        """Open the blocks ``first`` to ``stop`` into ``plain``."""
        place = first * SEALED_BLOCK_SIZE
        wanted = min(self._sealed_size, stop * SEALED_BLOCK_SIZE) - place
        # A file that shrank meanwhile gives fewer bytes: its blocks do not authenticate.
        untrusted = memoryview(self._source.read_at(self._start + place, wanted))
        for i in range(stop - first):
            block = untrusted[i * SEALED_BLOCK_SIZE : (i + 1) * SEALED_BLOCK_SIZE]
            self._cipher.open(first + i, block, plain[i * BLOCK_SIZE :], last=first + i == self._blocks - 1)


def seal(plaintext: bytes, recipients: Sequence[Recipient]) -> bytes:
    """A whole small file. Raises MalformedAge as ``Sealer`` does."""
    sink = io.BytesIO()
    sealer = Sealer(sink, recipients)
    sealer.write(plaintext)
    sealer.finish()
    return sink.getvalue()


def unseal(untrusted: bytes, identities: Sequence[Identity], *, limit: int) -> bytes:
    """The plaintext of a whole small file, binary or armored.

    Raises MalformedAge (also for a plaintext above ``limit`` bytes), NoMatch or Damaged.
    """
    opener = Opener(io.BytesIO(untrusted), identities)
    plaintext = opener.read(limit + 1)
    if len(plaintext) > limit:
        raise MalformedAge(_("the file holds more than {limit} bytes").format(limit=limit))
    return plaintext


def sealed_size(plaintext_size: int, recipients: Sequence[Recipient]) -> int:
    """The exact size in bytes of a binary file. Raises MalformedAge as ``Sealer`` does."""
    _check_recipients(recipients)
    header = header_size(recipient.stanza_size for recipient in recipients)
    return header + NONCE_SIZE + sealed_payload_size(plaintext_size)


def _check_recipients(recipients: Sequence[Recipient]) -> None:
    check_together(recipients)
    if len(recipients) > MAX_STANZAS:
        raise MalformedAge(_("more than {max_stanzas} recipients").format(max_stanzas=MAX_STANZAS))


def _open_header(
    source: Source, untrusted_start: bytes, identities: Sequence[Identity]
) -> tuple[BlockCipher, int, bytes]:
    """The cipher of the payload, where its blocks begin, and those of their bytes that were read already."""
    header, untrusted = read_header(source, untrusted_start)
    file_key = unwrap_file_key(header, identities)
    if len(untrusted) < NONCE_SIZE:
        untrusted += read_exactly(source, NONCE_SIZE - len(untrusted))
    nonce, blocks = untrusted[:NONCE_SIZE], untrusted[NONCE_SIZE:]
    if len(nonce) < NONCE_SIZE:
        raise MalformedAge(_("the file ends before its payload"))
    return BlockCipher(file_key, nonce), header.size + NONCE_SIZE, blocks
