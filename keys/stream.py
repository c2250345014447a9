# SPDX-License-Identifier: Apache-2.0
"""The payload of an age file: 64 KiB blocks, each sealed with ChaCha20-Poly1305 (age v1, "Payload").

Owns block numbers, the mark of the last block, and the order in which plaintext is released:
never a byte before its tag was verified, and never an end before the last block was. Works in
batches inside buffers that are allocated once, so memory is constant and the lock of the
interpreter is free nearly all the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from gettext import gettext as _
from itertools import pairwise
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from keys.errors import Damaged, KeysError
from keys.header import Source
from keys.primitives import hkdf

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

NONCE_SIZE = 16
BLOCK_SIZE = 64 << 10
TAG_SIZE = 16
SEALED_BLOCK_SIZE = BLOCK_SIZE + TAG_SIZE
BATCH_BLOCKS = 16
"""Blocks a worker seals or opens at a time: 1 MiB. Larger batches gain nothing on one thread."""

LARGE_WRITE = 8 * BLOCK_SIZE
"""Bytes from which on blocks are sealed from where they are: copying them first costs a tenth of sealing them."""
BATCHES_AHEAD = 3
"""Batches opened before they are wanted: with one, two threads that wake each other waited half of the time."""
_NOTHING = memoryview(b"")
_SMALL_READ = 64 << 10  # for sources that make new bytes: more would be mapped and unmapped at each read


class Sink(Protocol):
    """A binary stream to write to. It must not keep the buffer it is given: that is used again."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take some or all of ``data``, and say how many bytes."""


def write_all(sink: Sink, data: bytes | memoryview) -> None:
    """Write every byte: raw files may take fewer than they are offered. Raises OSError when nothing is taken."""
    view = memoryview(data)
    while view:
        taken = sink.write(view)
        if not taken:  # None from a stream that would block, 0 from one that is full
            raise OSError("the output takes no more bytes")
        view = view[taken:]


def sealed_payload_size(plaintext_size: int) -> int:
    """Bytes of the blocks for this much plaintext, without the nonce."""
    return plaintext_size + TAG_SIZE * max(1, -(-plaintext_size // BLOCK_SIZE))


class BlockCipher:
    """Seals and opens the numbered blocks of one payload. Safe to use from several threads."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._aead = ChaCha20Poly1305(hkdf(file_key, "payload", salt=nonce))

    def seal(self, number: int, plain: memoryview, sealed: memoryview, *, last: bool) -> None:
        """Seal one block into ``sealed``, which is 16 bytes longer."""
        self._aead.encrypt_into(_block_nonce(number, last), plain, None, sealed)

    def open(self, number: int, untrusted: memoryview, plain: memoryview, *, last: bool) -> None:
        """Open one block into the beginning of ``plain``, which holds nothing to rely on when Damaged is raised."""
        size = len(untrusted) - TAG_SIZE
        if size < 0 or (size == 0 and number > 0):  # only a file of no bytes at all ends with an empty block
            raise Damaged(_("the file was cut off"))
        try:
            self._aead.decrypt_into(_block_nonce(number, last), untrusted, None, plain[:size])
        except InvalidTag as exc:
            raise Damaged(_("a block of the file was changed, moved or cut off")) from exc


class Lanes:
    """Does the blocks of a batch in several threads; with one worker, in the caller's."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError("at least one worker is needed")
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None

    def run(self, work: Callable[[int, int], int], blocks: int) -> int:
        """Call ``work(start, stop)`` for parts of ``range(blocks)``.

        ``work`` returns how many of its blocks are good, from its start on. Returns how many
        are good from the first block on, without a gap.
        """
        bounds = [blocks * i // self.workers for i in range(self.workers + 1)]
        own, *others = [(start, stop) for start, stop in pairwise(bounds) if start < stop]
        if others and self._pool is None:
            # Imported here because it brings logging along, which most commands never need.
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.workers - 1, "age-block")
        waiting = [self._pool.submit(work, *part) for part in others] if self._pool else []
        counts = [work(*own), *(future.result() for future in waiting)]
        good = 0
        for (start, stop), count in zip((own, *others), counts, strict=True):
            good += count
            if count < stop - start:
                break
        return good

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class PayloadWriter:
    """Seals what is written, in order; holds at most one batch back, since its end may be the last block."""

    def __init__(self, sink: Sink, cipher: BlockCipher, workers: int) -> None:
        self._sink = sink
        self._cipher = cipher
        self._lanes = Lanes(workers)
        self._plain = memoryview(bytearray(BATCH_BLOCKS * workers * BLOCK_SIZE))
        self._sealed = memoryview(bytearray(BATCH_BLOCKS * workers * SEALED_BLOCK_SIZE))
        self._held = 0
        self._number = 0

    def write(self, view: memoryview) -> None:
        """Take all of ``view``, which may be changed as soon as this returns."""
        while view:
            if len(view) >= LARGE_WRITE:
                view = self._seal_from(view)
                continue
            if self._held == len(self._plain):
                self._seal_batch(self._plain, last=False)
                self._held = 0
            view = self._hold(view, len(self._plain))

    def finish(self) -> None:
        """Seal what is held back and mark the last block."""
        self._seal_batch(self._plain[: self._held], last=True)
        self._held = 0
        self._lanes.close()

    def _hold(self, view: memoryview, up_to: int) -> memoryview:
        """Copy the beginning of ``view``, until ``up_to`` bytes are held; the rest."""
        taken = min(len(view), up_to - self._held)
        self._plain[self._held : self._held + taken] = view[:taken]
        self._held += taken
        return view[taken:]

    def _seal_from(self, view: memoryview) -> memoryview:
        """Seal what is held and whole blocks of a long ``view`` without copying these; the rest, never nothing."""
        view = self._hold(view, -(-self._held // BLOCK_SIZE) * BLOCK_SIZE)
        room = (len(self._plain) - self._held) // BLOCK_SIZE
        whole = min(room, (len(view) - 1) // BLOCK_SIZE) * BLOCK_SIZE
        self._seal_batch(self._plain[: self._held], view[:whole], last=False)
        self._held = 0
        return view[whole:]

    def _seal_batch(self, held: memoryview, more: memoryview = _NOTHING, *, last: bool) -> None:
        """Seal whole blocks, or up to the end when ``last``. What is ``held`` is whole blocks if there is ``more``."""
        size = len(held) + len(more)
        blocks = max(1, -(-size // BLOCK_SIZE))
        first = self._number

        def work(start: int, stop: int) -> int:
            for i in range(start, stop):
                offset = i * BLOCK_SIZE
                plain, offset = (held, offset) if offset < len(held) or not more else (more, offset - len(held))
                block = plain[offset : offset + BLOCK_SIZE]
                place = i * SEALED_BLOCK_SIZE
                sealed = self._sealed[place : place + len(block) + TAG_SIZE]
                self._cipher.seal(first + i, block, sealed, last=last and i == blocks - 1)
            return stop - start

        self._lanes.run(work, blocks)
        self._number += blocks
        write_all(self._sink, self._sealed[: size + blocks * TAG_SIZE])


class PayloadReader:
    """Opens a payload in order. The last block is known by the end of the source, and only there.

    With more than one worker a thread reads and opens some batches ahead of the caller. It may be in the middle of a
    read of the source when an error is raised or the reader is dropped: the source must bear being closed then.
    """

    def __init__(self, source: Source, cipher: BlockCipher, untrusted_start: bytes, workers: int) -> None:
        ahead = BATCHES_AHEAD if workers > 1 else 0
        batches = _Batches(source, cipher, untrusted_start, max(1, workers - 1), buffers=ahead + 1)
        self._next = _Ahead(batches, ahead).next if ahead else batches.open_next
        self._plain = _NOTHING
        self._end: BaseException | None = None
        self._finished = False

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Plaintext in views, ``size`` bytes together or all there is; each is valid until the next is asked for.

        Raises Damaged as soon as what was asked for includes a byte that does not authenticate,
        and at every later call.
        """
        while size > 0:
            if not self._plain and not self._fill():
                return
            piece, self._plain = self._plain[:size], self._plain[size:]
            size -= len(piece)
            yield piece

    def _fill(self) -> bool:
        """Take the next batch; False at the authenticated end."""
        # Blocks before a bad one were authenticated, and are handed out before the error is raised.
        if not self._finished:
            self._plain, self._finished, self._end = self._next()
        if not self._plain and self._end is not None:
            raise self._end
        return bool(self._plain)


_Opened = tuple[memoryview, bool, "BaseException | None"]
"""Authenticated plaintext, whether nothing comes after it, and the error that ended it."""


class _Batches:
    """Reads and opens batches of blocks, into one of its buffers after the other."""

    def __init__(
        self, source: Source, cipher: BlockCipher, untrusted_start: bytes, workers: int, *, buffers: int
    ) -> None:
        self._read_into = _reader_into(source)
        self._cipher = cipher
        self._lanes = Lanes(workers)
        # One byte more than a batch: whether it arrives tells if the batch holds the last block.
        self._sealed = memoryview(bytearray(BATCH_BLOCKS * workers * SEALED_BLOCK_SIZE + 1))
        self._sealed[: len(untrusted_start)] = untrusted_start
        self._held = len(untrusted_start)
        self._buffers = deque(memoryview(bytearray(BATCH_BLOCKS * workers * BLOCK_SIZE)) for __ in range(buffers))
        self._number = 0

    def open_next(self) -> _Opened:
        """The next batch. Not to be called again after the end or an error."""
        self._buffers.rotate(1)
        failure: BaseException | None
        try:
            at_end = self._read_batch()
            ready, failure = self._open_blocks(self._held if at_end else len(self._sealed) - 1, last=at_end)
        except BaseException as exc:  # of the source: whatever it is, its place is in the caller's thread
            ready, at_end, failure = 0, True, exc
        if at_end or failure:
            self._lanes.close()
        else:
            self._sealed[0] = self._sealed[-1]
            self._held = 1
        return self._buffers[0][:ready], at_end or failure is not None, failure

    def _read_batch(self) -> bool:
        """Fill the buffer; whether the source ended."""
        while self._held < len(self._sealed):
            count = self._read_into(self._sealed[self._held :])
            if not count:
                return True
            self._held += count
        return False

    def _open_blocks(self, sealed_size: int, *, last: bool) -> tuple[int, KeysError | None]:
        """Open the first ``sealed_size`` bytes of the buffer: how much plaintext is good, and why not all."""
        blocks = max(1, -(-sealed_size // SEALED_BLOCK_SIZE))
        first, buffer = self._number, self._buffers[0]

        def work(start: int, stop: int) -> int:
            for i in range(start, stop):
                untrusted = self._sealed[i * SEALED_BLOCK_SIZE : min(sealed_size, (i + 1) * SEALED_BLOCK_SIZE)]
                plain = buffer[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE]
                try:
                    self._cipher.open(first + i, untrusted, plain, last=last and i == blocks - 1)
                except Damaged:
                    return i - start
            return stop - start

        good = self._lanes.run(work, blocks)
        self._number += blocks
        if good < blocks:
            return good * BLOCK_SIZE, Damaged(_("a block of the file was changed, moved or cut off"))
        return sealed_size - blocks * TAG_SIZE, None


class _Ahead:
    """Opens batches in a thread while the caller works on the one before."""

    def __init__(self, batches: _Batches, ahead: int) -> None:
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._opened: SimpleQueue[_Opened] = SimpleQueue()
        self._dropped = Event()
        # A daemon, so that one that hangs on a dead disk keeps no command from ending.
        queues = self._wanted, self._opened
        Thread(target=_open_ahead, args=(batches, *queues, self._dropped), name="age-ahead", daemon=True).start()
        for __ in range(ahead):
            self._wanted.put(True)

    def next(self) -> _Opened:
        self._wanted.put(True)  # the buffer that the caller had until now
        return self._opened.get()

    def __del__(self) -> None:
        self._dropped.set()
        self._wanted.put(False)


def _open_ahead(
    batches: _Batches, wanted: SimpleQueue[bool], opened: SimpleQueue[_Opened], dropped: Event
) -> None:  # fmt: skip
    at_end = False
    while not at_end and wanted.get() and not dropped.is_set():
        batch = batches.open_next()
        at_end = batch[1]
        opened.put(batch)


def _block_nonce(number: int, last: bool) -> bytes:
    return (number << 8 | last).to_bytes(12, "big")


def _reader_into(source: Source) -> Callable[[memoryview], int]:
    """How to fill a buffer from this source: in place where it can."""
    read_into = getattr(source, "readinto", None)
    if read_into is not None:
        return lambda view: read_into(view) or 0

    def copy_into(view: memoryview) -> int:
        data = source.read(min(len(view), _SMALL_READ))
        view[: len(data)] = data
        return len(data)

    return copy_into
