# SPDX-License-Identifier: Apache-2.0
"""Small bundles in parts: written by the real writer, with parts of a block or two so that they cost nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keys import age
from keys.crowd import round_up
from keys.primitives import signing_public
from keys.secret import Secret
from tests.support import bundles
from vault.disk import Disk
from vault.part_reader import BadPart, JoinedParts, PartSet, find_parts
from vault.part_writer import WrittenSet, write_parts
from vault.parts import Cut, Terms, Trailer, render_trailer

BLOCK = age.BLOCK_SIZE
SEED = bytes(range(32))
"""Of a set's key, for parts that a test makes itself."""
LEAST_TAR = 4 * BLOCK


def cut_into(data: int, repair: int, tar: int) -> Cut:
    """A cut into so many parts, however small they become."""
    body = -(-tar // (data * BLOCK)) * BLOCK
    assert -(-tar // body) == data, "no lawful cut has so many parts"
    return Cut(tar, data, repair, body)


def write(
    folder: Path, tar: bytes, data: int, repair: int = 0, *, recipients: Sequence[age.Recipient] = (),
    disk: Disk | None = None,
) -> WrittenSet:  # fmt: skip
    """Write these bytes in parts for the editor of ``tests.support.bundles``."""
    people = list(recipients) or [bundles.EDITOR.recipient]

    def pieces(sink: object) -> None:
        for start in range(0, len(tar), 100_001):
            sink.write(tar[start : start + 100_001])  # type: ignore[attr-defined]

    how = cut_into(data, repair, len(tar))
    return write_parts(str(folder), how, lambda: round_up(people), pieces, disk=disk or Disk())


def a_bundle(blocks: int = 4) -> bytes:
    """The tar of a signed bundle, of nearly so many blocks (and four at least)."""
    filler = os.urandom(max(0, int(blocks * BLOCK * 0.97) - 62_000))
    tar = bundles.plaintext_of(bundles.seal((*bundles.DOCUMENTS, (b"filler", filler)))[0])
    assert (blocks - 1) * BLOCK < len(tar) <= max(4, blocks) * BLOCK
    return tar


def find(*paths: Path | str, identity: age.Identity = bundles.EDITOR.age) -> PartSet | None:
    """What the editor finds."""
    return find_parts([str(path) for path in paths], [identity])


def found(*paths: Path | str) -> PartSet:
    """The same, where there is a set."""
    parts = find(*paths)
    assert parts is not None
    return parts


def read_all(joined: JoinedParts) -> bytes:
    """The stream to its end."""
    return b"".join(iter(lambda: joined.read(70_001), b""))


def join(parts: PartSet) -> bytes:
    """All of the tar, beginning anew without each part that turns out to be bad, as ``open`` does."""
    while True:
        try:
            return read_all(JoinedParts(parts))
        except BadPart as bad:
            parts = parts.without(bad)


def documents_in(tar: bytes) -> list[tuple[bytes, bytes]]:
    """The documents of a bundle, with everything in it verified."""
    return bundles.open_plain(tar)


def forged(terms: Terms, number: int, content: bytes, *, sha256: bytes = b"", **changes: int) -> bytes:
    """A part's plaintext as somebody can make it who has the set's key: any numbers, any body, any digest."""
    digest = sha256 or hashlib.sha256(content).digest()
    return content + render_trailer(Trailer(replace(terms, **changes), number, digest), Secret(SEED))


def terms_of(data: int, repair: int, tar: int) -> Terms:
    """The terms of a set whose key the test has."""
    return cut_into(data, repair, tar).terms(signing_public(SEED))


def seal_part(path: Path, plaintext: bytes) -> Path:
    """Seal a plaintext to the editor."""
    path.write_bytes(age.seal(plaintext, round_up([bundles.EDITOR.recipient])))
    return path
