# SPDX-License-Identifier: Apache-2.0
"""Files that were changed, cut, glued or made to hurt: always our error, never plaintext that is not whole."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keys.age import (
    BLOCK_SIZE,
    HybridIdentity,
    Identity,
    Opener,
    ScryptIdentity,
    ScryptRecipient,
    Sealer,
    SeekableOpener,
    Stanza,
    X25519Identity,
    seal,
    unseal,
)
from keys.errors import Damaged, KeysError, MalformedAge, NoMatch
from keys.header import MAX_HEADER_SIZE, encode_header, parse_header, read_header
from keys.secret import Secret
from tests.support.sources import Bytes

CLASSIC = X25519Identity.generate()
HYBRID = HybridIdentity.generate()
WORD = Secret(b"word")
IDENTITIES: list[Identity] = [HYBRID, CLASSIC, ScryptIdentity(WORD, max_work_factor=10)]
TEXT = b"minutes of the meeting"
SEALED_BLOCK = BLOCK_SIZE + 16

SMALL = {
    "classic": seal(TEXT, [CLASSIC.recipient]),
    "hybrid": seal(TEXT, [HYBRID.recipient]),
    "passphrase": seal(TEXT, [ScryptRecipient(WORD, work_factor=1)]),
    "empty": seal(b"", [CLASSIC.recipient]),
}


def by_stream(untrusted: bytes) -> bytes:
    return Opener(io.BytesIO(untrusted), IDENTITIES).read()


def by_place(untrusted: bytes) -> bytes:
    opener = SeekableOpener(Bytes(untrusted), IDENTITIES)
    return opener.read_at(0, opener.size)


READERS = [by_stream, by_place]
Reader = Callable[[bytes], bytes]


def armored(plaintext: bytes) -> bytes:
    sink = io.BytesIO()
    sealer = Sealer(sink, [CLASSIC.recipient], armored=True)
    sealer.write(plaintext)
    sealer.finish()
    return sink.getvalue()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", SMALL)
def test_every_flipped_byte_is_noticed(kind: str, read: Reader) -> None:
    """One changed bit anywhere is an error of ours; in the payload it is Damaged."""
    sealed = SMALL[kind]
    payload = sealed.index(b"\n", sealed.index(b"\n---") + 1) + 1
    for place in range(len(sealed)):
        for bit in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[place] ^= bit
            with pytest.raises(Damaged if place >= payload else KeysError):
                read(bytes(changed))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", SMALL)
def test_every_truncation_is_noticed(kind: str, read: Reader) -> None:
    """A file that ends early, anywhere, is refused: malformed within the header, damaged after it."""
    sealed = SMALL[kind]
    payload = sealed.index(b"\n", sealed.index(b"\n---") + 1) + 1
    for size in range(len(sealed)):
        with pytest.raises(MalformedAge if size < payload + 16 else Damaged):
            read(sealed[:size])


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", SMALL)
def test_whatever_is_added_is_noticed(kind: str, read: Reader) -> None:
    """Nothing can be glued to the end of a file."""
    for extra in (b"\0", b"\n", bytes(15), bytes(16), bytes(17), bytes(SEALED_BLOCK), SMALL[kind]):
        with pytest.raises(Damaged):
            read(SMALL[kind] + extra)


def test_every_flipped_byte_and_truncation_of_armor_is_noticed() -> None:
    """Armor has one spelling: no bit of it can change, and only its last line feed can go."""
    text = armored(TEXT)
    assert by_stream(text) == by_stream(text[:-1]) == TEXT
    for place in range(len(text)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(text)
            changed[place] ^= bit
            with pytest.raises(KeysError):
                by_stream(bytes(changed))
    for size in range(len(text) - 1):
        with pytest.raises(KeysError):
            by_stream(text[:size])


def test_armor_with_much_around_it_is_refused() -> None:
    """White space around armor is allowed, but not without end, and nothing else is."""
    text = armored(TEXT)
    assert by_stream(b" \r\n" * 300 + text + b"\t\n " * 300) == TEXT
    for before, after in ((b" " * 1025, b""), (b"", b" " * 1025), (b"", text), (b"", b"x"), (b"x\n", b"")):
        with pytest.raises(MalformedAge):
            by_stream(before + text + after)


def test_padding_inside_armor_is_refused() -> None:
    """A padded line is the last one, also where lines arrive one by one."""

    class LineByLine(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(65, size or 0))

    lines = armored(bytes(20_000)).split(b"\n")
    lines[200] = b"A" * 62 + b"=="
    with pytest.raises(MalformedAge):
        Opener(LineByLine(b"\n".join(lines)), [CLASSIC]).read()


def test_a_line_of_armor_without_end_is_refused() -> None:
    """An endless line is not kept in memory until it ends."""

    class Endless:
        taken = 0

        def __init__(self) -> None:
            self._start = b"-----BEGIN AGE ENCRYPTED FILE-----\n"

        def read(self, size: int, /) -> bytes:
            start, self._start = self._start, b""
            self.taken += size
            return start or b"A" * size

    source = Endless()
    with pytest.raises(MalformedAge):
        Opener(source, [CLASSIC])
    assert source.taken <= 256 << 10


@pytest.mark.parametrize("read", READERS)
def test_blocks_cannot_be_moved_dropped_or_repeated(read: Reader) -> None:
    """Every rearrangement of whole blocks is noticed."""
    sealed = seal(b"".join(bytes([i]) * BLOCK_SIZE for i in range(4)), [CLASSIC.recipient])
    start = len(sealed) - 4 * SEALED_BLOCK
    head, blocks = sealed[:start], [sealed[start + i * SEALED_BLOCK :][:SEALED_BLOCK] for i in range(4)]
    assert read(head + b"".join(blocks))
    for order in ((0, 1, 2), (0, 1, 3), (1, 2, 3), (3,), (), (1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 2, 3, 3), (0, 1, 1, 3)):
        with pytest.raises(Damaged):
            read(head + b"".join(blocks[i] for i in order))


def test_blocks_of_another_file_do_not_fit() -> None:
    """The payload of one file under the header of another is Damaged, even for the same recipient."""
    one, two = seal(TEXT, [CLASSIC.recipient]), seal(TEXT, [CLASSIC.recipient])
    tail = 16 + len(TEXT) + 16
    with pytest.raises(Damaged):
        by_stream(one[:-tail] + two[-tail:])


def test_a_stanza_added_to_a_header_is_noticed() -> None:
    """The header's MAC covers who else can read: nobody can be added or taken away."""
    sealed = seal(TEXT, [CLASSIC.recipient, X25519Identity.generate().recipient])
    header, _ = read_header(io.BytesIO(sealed))
    mac = sealed[len(header.signed) :]
    version = b"age-encryption.org/v1\n"
    mine, other = (stanza.encode() for stanza in header.stanzas)
    for stanzas in (mine, other + mine, mine + other + other, mine + other + Stanza(("grease",), b"").encode()):
        with pytest.raises(Damaged):
            by_stream(version + stanzas + b"---" + mac)


def test_headers_that_are_too_large_are_refused() -> None:
    """Too many stanzas or too many bytes, whoever made them and whatever they hold."""
    key = bytes(16)
    grease = Stanza(("grease",), b"")
    assert len(parse_header(encode_header([grease] * 64, key)).stanzas) == 64
    with pytest.raises(MalformedAge):
        parse_header(encode_header([grease] * 65, key))
    fits = Stanza(("grease",), bytes(90 << 10))
    assert parse_header(encode_header([fits], key)).stanzas == (fits,)
    with pytest.raises(MalformedAge):
        read_header(io.BytesIO(encode_header([Stanza(("grease",), bytes(MAX_HEADER_SIZE))], key)))


@pytest.mark.parametrize("start", [b"age-encryption.org/v1\n-> X25519 ", b"age-encryption.org/v1\n", b"no age file"])
def test_no_more_is_read_than_a_header_may_have(start: bytes) -> None:
    """An endless stream is refused after the limit; one that is no age file, at once."""

    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            return (start if self.taken == size else b"").ljust(size, b"A")

    source = Endless()
    with pytest.raises(MalformedAge):
        Opener(source, IDENTITIES)
    assert source.taken <= (8 << 10 if start == b"no age file" else MAX_HEADER_SIZE + (8 << 10))


@pytest.mark.parametrize(
    "stanza",
    [
        Stanza(("X25519",), bytes(32)),
        Stanza(("X25519", "A" * 43), bytes(31)),
        Stanza(("X25519", "A" * 43, "x"), bytes(32)),
        Stanza(("X25519", "A" * 43), bytes(32)),  # a share of low order
        Stanza(("X25519", "A" * 42 + "B"), bytes(32)),  # spare bits
        Stanza(("X25519", "A" * 42 + "="), bytes(32)),
        Stanza(("mlkem768x25519", "A" * 1493), bytes(32)),
        Stanza(("mlkem768x25519", "A" * 1494), bytes(32)),  # a share of low order
        Stanza(("scrypt", "A" * 22, "01"), bytes(32)),
        Stanza(("scrypt", "A" * 22, "99"), bytes(32)),
        Stanza(("scrypt", "A" * 22, "9" * 5000), bytes(32)),
        Stanza(("scrypt", "A" * 21, "1"), bytes(32)),
        Stanza(("scrypt", "A" * 22, "1"), bytes(33)),
    ],
)
def test_stanzas_of_a_known_kind_must_be_well_formed(stanza: Stanza) -> None:
    """A bad stanza of a kind we know is malformed, and never just somebody else's."""
    with pytest.raises(MalformedAge):
        by_stream(encode_header([stanza], bytes(16)) + bytes(32))


def test_a_passphrase_beside_another_stanza_is_refused() -> None:
    """Even when neither stanza is for us."""
    sealed = encode_header([ScryptRecipient(WORD, work_factor=1).wrap(bytes(16)), Stanza(("x",), b"")], bytes(16))
    groups: list[list[Identity]] = [IDENTITIES, [CLASSIC], []]
    for identities in groups:
        with pytest.raises(MalformedAge):
            unseal(sealed + bytes(32), identities, limit=10)


def test_a_source_that_is_shorter_than_its_header() -> None:
    """A size that lies is Damaged, and no bytes before the payload are asked for."""
    source = Bytes(SMALL["classic"])
    for size in (0, 10, source.size - len(TEXT) - 32):
        source.size = size
        source.reads.clear()
        with pytest.raises(Damaged):
            SeekableOpener(source, IDENTITIES)
        assert all(size >= 0 for _, size in source.reads)


@settings(max_examples=300)
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 20))
@example(b"\r", 21, 0)
@example(b"", 21, 1)
def test_a_header_that_parses_has_one_spelling(noise: bytes, place: int, dropped: int) -> None:
    """A header with anything put into it is refused, or encodes back to the same bytes."""
    header = encode_header([CLASSIC.recipient.wrap(bytes(16)), Stanza(("grease", "x"), bytes(50))], bytes(16))
    untrusted = header[:place] + noise + header[place + dropped :]
    try:
        parsed = parse_header(untrusted)
    except MalformedAge:
        return
    stanzas = b"".join(stanza.encode() for stanza in parsed.stanzas)
    assert b"age-encryption.org/v1\n" + stanzas + b"---" == parsed.signed
    assert untrusted.startswith(parsed.signed + b" ")
    assert len(untrusted) == parsed.size


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda b: b"age-encryption.org/v1\n" + b)))
def test_noise_is_never_a_file(noise: bytes) -> None:
    """Arbitrary bytes are malformed, in every reader."""
    for read in READERS:
        with pytest.raises(MalformedAge):
            read(noise)


def test_other_peoples_files_are_no_match() -> None:
    """A whole file for others is told apart from a broken one."""
    for read in READERS:
        with pytest.raises(NoMatch):
            read(seal(TEXT, [HybridIdentity.generate().recipient]))


def test_a_failing_armor_fails_for_good() -> None:
    """After an error in the armor the rest of the file is not handed out."""
    text = armored(bytes(3 << 20))
    middle = len(text) // 2
    opener = Opener(io.BytesIO(text[:middle] + b"!" + text[middle + 1 :]), [CLASSIC])
    with pytest.raises(MalformedAge):
        opener.read()
    with pytest.raises(MalformedAge):
        opener.read(1)
