# SPDX-License-Identifier: Apache-2.0
"""A bundle in parts: how its tar is cut, and the trailer by which each part is known (docs/format-bundle.md §10).

A part is an age file whose plaintext is ``body || trailer``. The bodies of the data parts, one behind the other, are
the bundle's tar and NULs; the bodies of the repair parts are made from them (``vault.repair``). The trailer is signed
with a key made for this one set and thrown away: it says that the parts belong together, and nothing of who made them.

Judges values alone: no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from gettext import gettext as _

from keys import labels
from keys.age import BLOCK_SIZE, Recipient, sealed_size
from keys.canonical import decode_base64, encode_base64, is_newer
from keys.errors import KeysError
from keys.primitives import KEY_SIZE, SIGNATURE_SIZE, sign
from keys.secret import Secret
from keys.signing import signed_bytes, verify_signature
from vault.bundle_layout import LEAST_PLAINTEXT
from vault.errors import BadInput, DamagedBundle, NewerFormat

MAX_PARTS = 256
"""Data and repair parts together: a code over GF(2^8) has no more (zfec; Rizzo, CCR 27(2), 1997)."""
LEAST_PART_SIZE = 1 << 20
"""Bytes of a part's file. The header for 32 people takes 50 kB of it, and more than 5 % for nothing is a mistake."""
MAX_TAR_SIZE = 1 << 49
"""Bytes: 512 TiB, far above what 256 parts can carry anywhere; so that every number has 15 digits."""

_TEXT = re.compile(
    r"\nsandyk part 1\n"
    r"set (?P<key>[0-9a-f]{64})\n"
    r"number (?P<number>[0-9]{3})\n"
    r"data (?P<data>[0-9]{3})\n"
    r"repair (?P<repair>[0-9]{3})\n"
    r"body (?P<body>[0-9]{15})\n"
    r"tar (?P<tar>[0-9]{15})\n"
    r"sha256 (?P<sha256>[0-9a-f]{64})\n",
    re.ASCII,
)
_SIGNATURE_LINE = re.compile(r"signature (?P<signature>[A-Za-z0-9+/]{86}==)\n", re.ASCII)
_LONGEST_LINE = 40
TRAILER_SIZE = 327
"""Bytes: every line has a fixed width, so that the trailer is found from the end."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all parts of one set say alike."""

    key: bytes
    """Ed25519 public key of the set, 32 bytes."""
    data: int
    repair: int
    body: int
    """Bytes of each body: whole age blocks of 64 KiB."""
    tar: int
    """Bytes of the bundle's padded tar."""

    @property
    def parts(self) -> int:
        """How many parts the set has."""
        return self.data + self.repair

    @property
    def plaintext(self) -> int:
        """Bytes inside each part."""
        return self.body + TRAILER_SIZE

    @property
    def name(self) -> str:
        """The beginning of the set's key: enough to tell two sets apart by eye."""
        return self.key[:4].hex()


@dataclass(frozen=True, slots=True)
class Trailer:
    """A verified trailer: which part of which set, and what its body must be."""

    terms: Terms
    number: int
    """Data parts first: from 1 to ``data``, then up to ``data + repair``."""
    sha256: bytes
    """Of the body."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Into what a tar is cut."""

    tar: int
    data: int
    repair: int
    body: int

    def terms(self, key: bytes) -> Terms:
        """The terms of a set with this key."""
        return Terms(key, self.data, self.repair, self.body, self.tar)


def cut(tar: int, crowd: list[Recipient], part_size: int, repair: int) -> Cut:
    """The fewest parts of one size, none larger than ``part_size`` bytes when it is sealed to such a crowd.

    All are as small as that number of parts allows. Raises BadInput.
    """
    if part_size < LEAST_PART_SIZE:
        raise BadInput(_("parts of less than 1 MiB are not made: their wrapping would be a large part of them"))
    if not 0 <= repair < MAX_PARTS:
        raise BadInput(_("there are at most {max_parts} parts together").format(max_parts=MAX_PARTS))
    data = -(-tar // _largest_body(crowd, part_size))
    if data + repair > MAX_PARTS:
        raise BadInput(
            _("that would be {data} parts, and there are at most {max_parts}").format(
                data=data + repair, max_parts=MAX_PARTS
            ),
            _("the least size for this bundle is {tar}K").format(
                tar=-(-_least_part_size(tar, crowd, MAX_PARTS - repair) // 1000)
            ),
        )
    return Cut(tar, data, repair, _whole_blocks(tar, data))


def _largest_body(crowd: list[Recipient], part_size: int) -> int:
    wrapping = sealed_size(TRAILER_SIZE, crowd)
    block = sealed_size(BLOCK_SIZE + TRAILER_SIZE, crowd) - wrapping
    return (part_size - wrapping) // block * BLOCK_SIZE


def _least_part_size(tar: int, crowd: list[Recipient], data: int) -> int:
    return max(LEAST_PART_SIZE, sealed_size(_whole_blocks(tar, data) + TRAILER_SIZE, crowd))


def _whole_blocks(tar: int, data: int) -> int:
    """Bytes of a body when the tar is cut into so many parts."""
    return -(-tar // (data * BLOCK_SIZE)) * BLOCK_SIZE


def render_trailer(trailer: Trailer, set_seed: Secret) -> bytes:
    """The trailer's 327 bytes, signed with the 32-byte seed of the set's key."""
    text = _render(trailer)
    signature = sign(signed_bytes(labels.PART_SIGNATURE, text), set_seed.expose())
    return text + f"signature {encode_base64(signature)}\n".encode("ascii")


def refuse_newer(untrusted_last_block: bytes) -> None:
    """Raise NewerFormat when the last age block of a plaintext, in which a trailer lies alone, begins like that of a
    higher version."""
    line = untrusted_last_block[:_LONGEST_LINE].removeprefix(b"\n").partition(b"\n")[0]
    if untrusted_last_block.startswith(b"\n") and is_newer(line, "sandyk part 1"):
        raise NewerFormat(_("a part of a bundle"))


def looks_like_trailer(untrusted: bytes) -> bool:
    """Whether the end of a plaintext claims to be a trailer of this version."""
    return len(untrusted) == TRAILER_SIZE and untrusted.startswith(b"\nsandyk part 1\n")


def parse_trailer(untrusted: bytes, plaintext_size: int) -> Trailer:
    """The trailer at the end of a plaintext of so many bytes, verified but for the digest. Raises DamagedBundle."""
    text, signature_line = untrusted[: TRAILER_SIZE - 99], untrusted[TRAILER_SIZE - 99 :]
    match = _TEXT.fullmatch(text.decode("latin-1"))
    signed = _SIGNATURE_LINE.fullmatch(signature_line.decode("latin-1"))
    if match is None or signed is None:
        raise DamagedBundle(_("the end of the part is not spelled as this format wants it"))
    key = bytes.fromhex(match["key"])
    try:
        signature = decode_base64(signed["signature"], size=SIGNATURE_SIZE)
        verify_signature(labels.PART_SIGNATURE, text, signature, key)
    except KeysError as exc:
        raise DamagedBundle(_("the part was not made together with its set: its signature does not verify")) from exc
    terms = Terms(key, *(int(match[name]) for name in ("data", "repair", "body", "tar")))
    trailer = Trailer(terms, int(match["number"]), bytes.fromhex(match["sha256"]))
    _expect_possible(trailer, plaintext_size)
    return trailer


def _expect_possible(trailer: Trailer, plaintext_size: int) -> None:
    """Whoever sealed a part chose its numbers, and signed them."""
    terms = trailer.terms
    if not LEAST_PLAINTEXT <= terms.tar <= MAX_TAR_SIZE or not 1 <= terms.data <= terms.parts <= MAX_PARTS:
        raise DamagedBundle(_("the part claims an impossible number of parts, or an impossible size"))
    if terms.body != _whole_blocks(terms.tar, terms.data) or terms.data != -(-terms.tar // terms.body):
        raise DamagedBundle(_("the numbers that the part claims do not agree"))
    if not 1 <= trailer.number <= terms.parts or terms.plaintext != plaintext_size:
        raise DamagedBundle(_("the part has another number or size than its set allows"))


def _render(trailer: Trailer) -> bytes:
    terms = trailer.terms
    if len(terms.key) != KEY_SIZE:
        raise ValueError("a set's key has 32 bytes")
    return (
        f"\nsandyk part 1\nset {terms.key.hex()}\n"
        f"number {trailer.number:03}\ndata {terms.data:03}\nrepair {terms.repair:03}\n"
        f"body {terms.body:015}\ntar {terms.tar:015}\nsha256 {trailer.sha256.hex()}\n"
    ).encode("ascii")
