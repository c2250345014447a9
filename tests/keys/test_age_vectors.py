# SPDX-License-Identifier: Apache-2.0
"""Every C2SP/CCTV age test vector behaves as its own header says (tests/vectors/age/LICENSE.md)."""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from keys.age import (
    BLOCK_SIZE,
    Identity,
    Opener,
    ScryptIdentity,
    SeekableOpener,
    parse_identity,
)
from keys.errors import Damaged, KeysError, MalformedAge, NoMatch
from keys.header import read_header
from keys.secret import Secret
from tests.support.sources import Bytes

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "age"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.name != "LICENSE.md")

ERRORS: dict[str, type[KeysError]] = {
    "no match": NoMatch,
    "HMAC failure": Damaged,
    "header failure": MalformedAge,
    "armor failure": MalformedAge,
    "payload failure": Damaged,
}

RELEASED_BLOCKS_BEFORE_FAILURE = {
    # In these a block is well sealed but stands where it may not: it claims to be the last one and more
    # follows, or the reverse. The vector's hash covers it, since a reader may release it before it notices.
    # Ours knows whether more follows before it opens a block, and releases only what stands before it.
    "armor_garbage_encoded": 0,
    "stream_no_final_full": 0,
    "stream_no_final_two_chunks_full": 1,
    "stream_trailing_garbage_long": 0,
    "stream_trailing_garbage_short": 0,
    "stream_two_final_chunks": 0,
    "stream_two_final_chunks_full": 0,
    "stream_two_final_chunks_second": 1,
}


@dataclass(frozen=True, slots=True)
class Vector:
    name: str
    expect: str
    payload_hash: str
    identities: tuple[Identity, ...]
    armored: bool
    file: bytes


def load(name: str) -> Vector:
    head, _, file = (FOLDER / name).read_bytes().partition(b"\n\n")
    fields = [line.split(": ", 1) for line in head.decode("utf-8").split("\n")]
    assert {key for key, _ in fields} <= {
        "expect", "payload", "file key", "identity", "passphrase", "armored", "comment", "compressed"
    }  # fmt: skip
    single = dict(fields)
    identities: list[Identity] = [parse_identity(value) for key, value in fields if key == "identity"]
    identities += [ScryptIdentity(Secret(value.encode())) for key, value in fields if key == "passphrase"]
    return Vector(
        name=name,
        expect=single["expect"],
        payload_hash=single.get("payload", ""),
        identities=tuple(identities),
        armored=single.get("armored") == "yes",
        file=zlib.decompress(file) if single.get("compressed") == "zlib" else file,
    )


def test_all_the_vectors_are_there() -> None:
    """None was lost on the way."""
    assert len(NAMES) == 143


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_stream_behaves_as_the_vector_says(name: str, workers: int) -> None:
    """The right plaintext or the right error, after exactly the plaintext that may be released."""
    vector = load(name)
    released = b""
    try:
        opener = Opener(io.BytesIO(vector.file), vector.identities, workers=workers)
        while piece := opener.read(BLOCK_SIZE):
            released += piece
    except KeysError as exc:
        assert type(exc) is ERRORS[vector.expect]
        with pytest.raises(type(exc)):
            Opener(io.BytesIO(vector.file), vector.identities, workers=workers).read()
    else:
        assert vector.expect == "success"
    if name in RELEASED_BLOCKS_BEFORE_FAILURE:
        assert len(released) == RELEASED_BLOCKS_BEFORE_FAILURE[name] * BLOCK_SIZE
    elif vector.payload_hash:
        assert hashlib.sha256(released).hexdigest() == vector.payload_hash
    else:
        assert released == b""


@pytest.mark.parametrize("name", [name for name in NAMES if not load(name).armored])
def test_random_access_behaves_as_the_vector_says(name: str) -> None:
    """The whole plaintext through ``read_at``, or the right error."""
    vector = load(name)
    try:
        opener = SeekableOpener(Bytes(vector.file), vector.identities)
        plaintext = opener.read_at(0, opener.size)
    except KeysError as exc:
        assert type(exc) is ERRORS[vector.expect]
    else:
        assert vector.expect == "success"
        assert hashlib.sha256(plaintext).hexdigest() == vector.payload_hash


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).armored])
def test_random_access_refuses_armor(name: str) -> None:
    """Armor has no places to go to, and is not taken for something else."""
    vector = load(name)
    with pytest.raises(MalformedAge):
        SeekableOpener(Bytes(vector.file), vector.identities)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if load(n).expect in {"success", "no match"} and not load(n).armored]
)
def test_a_header_that_parses_encodes_to_the_same_bytes(name: str) -> None:
    """A header has one spelling."""
    vector = load(name)
    header, _ = read_header(io.BytesIO(vector.file))
    stanzas = b"".join(stanza.encode() for stanza in header.stanzas)
    assert header.signed == b"age-encryption.org/v1\n" + stanzas + b"---"
    assert vector.file.startswith(header.signed)
