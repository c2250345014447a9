# SPDX-License-Identifier: Apache-2.0
"""Sealing, opening and random access: every size, every way of reading, in constant memory."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.age import (
    BLOCK_SIZE,
    FileAccess,
    HybridIdentity,
    Identity,
    Opener,
    Recipient,
    ScryptIdentity,
    ScryptRecipient,
    Sealer,
    SeekableOpener,
    X25519Identity,
    seal,
    sealed_size,
    unseal,
)
from keys.errors import Damaged, MalformedAge
from keys.secret import Secret
from keys.stream import BATCH_BLOCKS, LARGE_WRITE, BlockCipher, PayloadReader, PayloadWriter
from tests.support.sources import Bytes

IDENTITY = X25519Identity.generate()
HYBRID = HybridIdentity.generate()
WORD = Secret(b"correct horse")
BATCH = BATCH_BLOCKS * BLOCK_SIZE
NOISE = os.urandom(2 * BATCH + BLOCK_SIZE + 3)

SIZES = st.one_of(
    st.integers(0, 40),
    st.builds(
        lambda blocks, more: max(0, blocks * BLOCK_SIZE + more),
        st.sampled_from([1, 2, 3, BATCH_BLOCKS, 2 * BATCH_BLOCKS]),
        st.integers(-2, 2),
    ),
)


class Trickle:
    """A source without ``readinto`` that hands out a few bytes at a time, like a slow pipe."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._step))


class Narrow:
    """A sink that takes a few bytes at a time, like a raw pipe."""

    def __init__(self, step: int) -> None:
        self.taken = b""
        self._step = step

    def write(self, data: bytes | memoryview, /) -> int:
        piece = bytes(data[: self._step])
        self.taken += piece
        return len(piece)


def sealed_in_pieces(plaintext: bytes, piece: int, *, armored: bool = False, workers: int = 1) -> bytes:
    sink = io.BytesIO()
    sealer = Sealer(sink, [IDENTITY.recipient], armored=armored, workers=workers)
    for start in range(0, len(plaintext), piece):
        assert sealer.write(plaintext[start : start + piece]) == len(plaintext[start : start + piece])
    assert sealer.written == len(plaintext)
    sealer.finish()
    return sink.getvalue()


@settings(max_examples=60)
@given(SIZES, st.sampled_from([1000, BLOCK_SIZE, BLOCK_SIZE + 1, BATCH, 3 * BATCH]), st.sampled_from([1, 3]))
def test_what_is_sealed_opens_to_the_same(size: int, piece: int, workers: int) -> None:
    """Any size around the borders, written and read in any pieces, by any number of workers."""
    plaintext = NOISE[:size]
    sealed = sealed_in_pieces(plaintext, piece, workers=workers)
    assert Opener(io.BytesIO(sealed), [IDENTITY], workers=workers).read() == plaintext
    opener = Opener(io.BytesIO(sealed), [IDENTITY], workers=workers)
    read: list[bytes] = []
    while data := opener.read(piece):
        assert len(data) == min(piece, size - sum(map(len, read)))
        read.append(data)
    assert b"".join(read) == plaintext
    assert opener.read() == opener.read(1) == b""


@settings(max_examples=30)
@given(SIZES, st.sampled_from([48, 1000, BLOCK_SIZE, 3 * BATCH]), st.sampled_from([b"\n", b"\r\n"]))
def test_armor_opens_to_the_same(size: int, piece: int, line_end: bytes) -> None:
    """Armor of any length, with either line end, and lines of at most 64 columns."""
    armored = sealed_in_pieces(NOISE[:size], piece, armored=True)
    lines = armored.split(b"\n")
    assert lines[0] == b"-----BEGIN AGE ENCRYPTED FILE-----"
    assert lines[-2:] == [b"-----END AGE ENCRYPTED FILE-----", b""]
    assert all(len(line) == 64 for line in lines[1:-3])
    assert Opener(io.BytesIO(armored.replace(b"\n", line_end)), [IDENTITY]).read() == NOISE[:size]


@settings(max_examples=60)
@given(SIZES, st.data())
def test_random_access_equals_slicing(size: int, draw: st.DataObject) -> None:
    """``read_at`` is a slice of the plaintext, also across and beyond its end."""
    plaintext = NOISE[:size]
    opener = SeekableOpener(Bytes(seal(plaintext, [IDENTITY.recipient])), [IDENTITY])
    assert opener.size == size
    near = st.one_of(st.integers(0, size + 2), st.sampled_from([0, BLOCK_SIZE - 1, BLOCK_SIZE, size]))
    offset, length = draw.draw(near), draw.draw(near)
    assert opener.read_at(offset, length) == plaintext[offset : offset + length]


@given(st.integers(0, 5 * BLOCK_SIZE), st.integers(1, 3))
@settings(max_examples=30)
def test_the_sealed_size_is_known_before(size: int, count: int) -> None:
    """``sealed_size`` is exact for each kind of recipient."""
    groups: list[list[Recipient]] = [
        [IDENTITY.recipient] * count,
        [HYBRID.recipient] * count,
        [ScryptRecipient(WORD, work_factor=1 + 4 * count)],
    ]
    for recipients in groups:
        assert len(seal(NOISE[:size], recipients)) == sealed_size(size, recipients)


def test_each_kind_of_recipient_opens_its_file() -> None:
    """Hybrid, classic and passphrase files of several blocks open through every reader."""
    plaintext = NOISE[: 3 * BLOCK_SIZE]
    passphrase = ScryptRecipient(WORD, work_factor=2)
    pairs: list[tuple[Recipient, Identity]] = [
        (HYBRID.recipient, HYBRID),
        (IDENTITY.recipient, IDENTITY),
        (passphrase, ScryptIdentity(WORD)),
    ]
    for recipient, identity in pairs:
        sealed = seal(plaintext, [recipient])
        assert unseal(sealed, [identity], limit=len(plaintext)) == plaintext
        assert SeekableOpener(Bytes(sealed), [identity]).read_at(0, 1 << 30) == plaintext


def test_every_one_of_many_recipients_opens_the_file() -> None:
    """Each holder of one of several keys reads the same."""
    identities = [HybridIdentity.generate() for _ in range(4)]
    sealed = seal(b"for four", [identity.recipient for identity in identities])
    for identity in identities:
        assert unseal(sealed, [HYBRID, IDENTITY, identity], limit=8) == b"for four"


def test_two_files_of_the_same_text_share_no_block() -> None:
    """Every file has a key and a nonce of its own."""
    one, two = seal(NOISE[:100], [IDENTITY.recipient]), seal(NOISE[:100], [IDENTITY.recipient])
    assert one[-116:] != two[-116:]
    assert one[-132:-116] != two[-132:-116]


@pytest.mark.parametrize("armored", [False, True])
def test_sources_and_sinks_that_move_a_few_bytes_at_a_time(armored: bool) -> None:
    """Short reads and short writes lose nothing."""
    plaintext = NOISE[: 2 * BLOCK_SIZE + 5]
    sink = Narrow(1021)
    sealer = Sealer(sink, [IDENTITY.recipient], armored=armored)
    sealer.write(plaintext)
    sealer.finish()
    assert Opener(io.BytesIO(sink.taken), [IDENTITY]).read() == plaintext
    assert Opener(Trickle(sink.taken, 7), [IDENTITY]).read() == plaintext


def test_a_pipe_can_be_read() -> None:
    """The reader needs no seeking."""
    sealed = seal(NOISE[:300_000], [IDENTITY.recipient])
    read_end, write_end = os.pipe()

    def feed() -> None:
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(sealed)

    writer = threading.Thread(target=feed)
    writer.start()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        assert Opener(pipe, [IDENTITY]).read() == NOISE[:300_000]
    writer.join()


def test_readinto_fills_the_buffer() -> None:
    """A buffer is filled to its end, or to the end of the plaintext, and no further."""
    opener = Opener(io.BytesIO(seal(NOISE[: BATCH + 10], [IDENTITY.recipient])), [IDENTITY])
    buffer = bytearray(BATCH + 5)
    assert opener.readinto(buffer) == BATCH + 5
    assert buffer == NOISE[: BATCH + 5]
    rest = bytearray(b"-" * 8)
    assert opener.readinto(rest) == 5
    assert rest == NOISE[BATCH + 5 : BATCH + 10] + b"---"
    assert opener.readinto(rest) == 0


def test_any_buffer_can_be_written() -> None:
    """bytes, bytearray and views of other items are taken as their bytes, and may change afterwards."""
    sink = io.BytesIO()
    sealer = Sealer(sink, [IDENTITY.recipient])
    changing = bytearray(b"abc")
    assert sealer.write(changing) == 3
    changing[:] = b"xyz"
    assert sealer.write(memoryview(b"12345678").cast("I")) == 8
    sealer.write(b"")
    sealer.finish()
    assert unseal(sink.getvalue(), [IDENTITY], limit=11) == b"abc12345678"


def test_an_unfinished_file_is_not_whole() -> None:
    """Whatever was written before ``finish`` opens in no reader."""
    for size in (0, 10, 2 * BATCH, 2 * BATCH + 1):
        sink = io.BytesIO()
        Sealer(sink, [IDENTITY.recipient]).write(NOISE[:size])
        with pytest.raises(Damaged):
            Opener(io.BytesIO(sink.getvalue()), [IDENTITY]).read()
        with pytest.raises(Damaged):
            SeekableOpener(Bytes(sink.getvalue()), [IDENTITY])


def test_a_finished_file_takes_no_more() -> None:
    """Writing or finishing again is a mistake of the caller."""
    sealer = Sealer(io.BytesIO(), [IDENTITY.recipient])
    sealer.finish()
    with pytest.raises(ValueError, match="finished"):
        sealer.write(b"x")
    with pytest.raises(ValueError, match="finished"):
        sealer.finish()


def test_after_a_failed_write_a_file_cannot_be_finished() -> None:
    """A disk that filled up once cannot become a file that looks whole."""

    class Full(io.BytesIO):
        room = 1000

        def write(self, data: object, /) -> int:
            if self.room < 1000:
                raise OSError(28, "no space left")
            self.room -= 1
            return super().write(data)  # type: ignore[arg-type]

    sealer = Sealer(Full(), [IDENTITY.recipient])
    with pytest.raises(OSError, match="no space"):
        sealer.write(NOISE)
    for go_on in (lambda: sealer.write(b"x"), sealer.finish):
        with pytest.raises(ValueError, match="failed"):
            go_on()


def test_a_sink_that_takes_nothing_is_an_error() -> None:
    """A stream that would block, or is full, loses no bytes silently."""
    for answer in (0, None):

        class Stuck:
            def write(self, data: object, /, answer: int | None = answer) -> int | None:
                return answer

        with pytest.raises(OSError, match="takes no more"):
            Sealer(Stuck(), [IDENTITY.recipient])  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE, 5 * BLOCK_SIZE, 2 * BATCH, 2 * BATCH + 9])
def test_the_bytes_do_not_depend_on_the_workers(size: int) -> None:
    """With the same keys, one worker and three write the same file."""
    files = []
    for workers in (1, 2, 3):
        sink = io.BytesIO()
        writer = PayloadWriter(sink, BlockCipher(bytes(16), bytes(16)), workers)
        writer.write(memoryview(NOISE[:size]))
        writer.finish()
        files.append(sink.getvalue())
        reader = PayloadReader(io.BytesIO(files[0]), BlockCipher(bytes(16), bytes(16)), b"", workers)
        assert b"".join(map(bytes, reader.pieces(1 << 40))) == NOISE[:size]
    assert files[0] == files[1] == files[2]


@given(st.lists(st.integers(0, 3 * LARGE_WRITE), max_size=6), st.sampled_from([1, 2]))
def test_the_bytes_do_not_depend_on_the_sizes_of_the_writes(sizes: list[int], workers: int) -> None:
    """Long writes are sealed from where they are, short ones from a buffer: the file is the same."""
    plain = NOISE[: sum(sizes)]
    whole, pieces = io.BytesIO(), io.BytesIO()
    one, many = (PayloadWriter(sink, BlockCipher(bytes(16), bytes(16)), workers) for sink in (whole, pieces))
    for offset in range(0, len(plain), 1000):
        one.write(memoryview(plain)[offset : offset + 1000])
    offset = 0
    for size in sizes:
        many.write(memoryview(plain)[offset : offset + size])
        offset += size
    one.finish()
    many.finish()
    assert pieces.getvalue() == whole.getvalue()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_only_what_stands_before_the_damage_is_released(workers: int) -> None:
    """Block by block, every worker count releases the blocks before the first bad one, then fails for good."""
    sealed = bytearray(seal(NOISE[: 12 * BLOCK_SIZE], [IDENTITY.recipient]))
    for bad in (5, 9):
        sealed[-12 * (BLOCK_SIZE + 16) + bad * (BLOCK_SIZE + 16) + 7] ^= 1
    opener = Opener(io.BytesIO(sealed), [IDENTITY], workers=workers)
    assert b"".join(opener.read(BLOCK_SIZE) for _ in range(5)) == NOISE[: 5 * BLOCK_SIZE]
    for size in (1, BLOCK_SIZE, -1):
        with pytest.raises(Damaged):
            opener.read(size)
    # Asked for more than is whole, it gives nothing: a short answer would look like the end.
    with pytest.raises(Damaged):
        Opener(io.BytesIO(sealed), [IDENTITY], workers=workers).read(6 * BLOCK_SIZE)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_source_that_fails_says_so_to_the_caller_after_what_stood_before(workers: int) -> None:
    """Whichever thread reads: the plaintext of the batches before, then the source's own error, for good."""
    whole = BATCH * max(1, workers - 1)

    class Pulled(io.BytesIO):
        def readinto(self, buffer: object, /) -> int:
            if self.tell() >= whole + 1000:
                raise OSError(5, "the stick was pulled")
            return super().readinto(memoryview(buffer)[: whole // 4])  # type: ignore[arg-type]

    opener = Opener(Pulled(seal(NOISE + NOISE, [IDENTITY.recipient])), [IDENTITY], workers=workers)
    assert opener.read(whole) == (NOISE + NOISE)[:whole]
    for __ in range(2):
        with pytest.raises(OSError, match="the stick was pulled"):
            opener.read(1)


def test_a_reader_that_is_dropped_leaves_no_thread_behind() -> None:
    """After a batch of several, after the end, and after an error alike."""
    sealed = seal(NOISE, [IDENTITY.recipient])
    for data, size in ((sealed, 1), (sealed, -1), (sealed[:-1], -1)):
        before = set(threading.enumerate())
        opener = Opener(io.BytesIO(data), [IDENTITY], workers=2)
        (ahead,) = set(threading.enumerate()) - before
        with suppress(Damaged):
            opener.read(size)
        del opener
        ahead.join(30)
        assert not ahead.is_alive()


def test_random_access_reads_only_what_it_needs() -> None:
    """One byte costs one block; the damage of another block does not matter."""
    sealed = bytearray(seal(NOISE[: 9 * BLOCK_SIZE], [IDENTITY.recipient]))
    start = len(sealed) - 9 * (BLOCK_SIZE + 16)
    sealed[start] ^= 1
    source = Bytes(bytes(sealed))
    opener = SeekableOpener(source, [IDENTITY])
    source.reads.clear()
    assert opener.read_at(4 * BLOCK_SIZE + 1, 1) == NOISE[4 * BLOCK_SIZE + 1 : 4 * BLOCK_SIZE + 2]
    assert opener.read_at(3 * BLOCK_SIZE - 1, 2) == NOISE[3 * BLOCK_SIZE - 1 : 3 * BLOCK_SIZE + 1]
    block = BLOCK_SIZE + 16
    assert source.reads == [(start + 4 * block, block), (start + 2 * block, 2 * block)]
    with pytest.raises(Damaged):
        opener.read_at(0, 1)


def test_places_below_zero_are_refused() -> None:
    """Unlike a slice, an offset never counts from the end."""
    opener = SeekableOpener(Bytes(seal(b"abc", [IDENTITY.recipient])), [IDENTITY])
    for offset, size in ((-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="below zero"):
            opener.read_at(offset, size)


def test_threads_may_read_one_file_at_once(tmp_path: Path) -> None:
    """Answers of ``read_at`` do not mix, by path or by descriptor."""
    path = tmp_path / "file.age"
    path.write_bytes(seal(NOISE, [IDENTITY.recipient]))
    with open(path, "rb") as file, FileAccess(path) as by_path:
        for access in (by_path, FileAccess(file.fileno())):
            opener = SeekableOpener(access, [IDENTITY])
            offsets = range(0, len(NOISE), 50_001)
            with ThreadPoolExecutor(4) as pool:
                pieces = list(pool.map(opener.read_at, offsets, repeat(50_001)))
            assert b"".join(pieces) == NOISE


def test_a_file_that_shrinks_is_damaged(tmp_path: Path) -> None:
    """What was cut off after opening is missed, not made up."""
    path = tmp_path / "file.age"
    path.write_bytes(seal(NOISE[: 4 * BLOCK_SIZE], [IDENTITY.recipient]))
    with FileAccess(path) as access:
        opener = SeekableOpener(access, [IDENTITY])
        os.truncate(path, access.size - 2 * BLOCK_SIZE)
        with pytest.raises(Damaged):
            opener.read_at(3 * BLOCK_SIZE, 10)
        assert opener.read_at(0, 10) == NOISE[:10]


def test_a_descriptor_stays_open_and_a_path_does_not(tmp_path: Path) -> None:
    """``FileAccess`` closes what it opened, once, and nothing else."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with open(path, "rb") as file:
        with FileAccess(file.fileno()) as access:
            assert access.read_at(1, 10) == b"bc"
        assert file.read() == b"abc"
    access = FileAccess(path)
    access.close()
    access.close()
    with pytest.raises(OSError):
        access.read_at(0, 1)


def test_unseal_gives_no_more_than_its_limit() -> None:
    """A file that holds more than the caller wants is refused, at any size."""
    for size in (0, 1, 70_000):
        sealed = seal(NOISE[:size], [IDENTITY.recipient])
        assert unseal(sealed, [IDENTITY], limit=size) == NOISE[:size]
        if size:
            with pytest.raises(MalformedAge):
                unseal(sealed, [IDENTITY], limit=size - 1)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """48 MiB pass through both ends with less than 8 MiB of memory."""
    path = tmp_path / "large.age"
    piece = bytes(1 << 20)
    digest = hashlib.sha256()
    tracemalloc.start()
    try:
        with open(path, "wb") as sink:
            sealer = Sealer(sink, [IDENTITY.recipient])
            for _ in range(48):
                sealer.write(piece)
            sealer.finish()
        with open(path, "rb") as source:
            opener = Opener(source, [IDENTITY])
            while data := opener.read(1 << 20):
                digest.update(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert digest.digest() == hashlib.sha256(bytes(48 << 20)).digest()
    assert peak < 8 << 20
