# SPDX-License-Identifier: Apache-2.0
"""The textual header of an age file: its grammar, its stanzas, its MAC (https://age-encryption.org/v1).

Owns which bytes are a header, and refuses every spelling but one. Knows nothing of keys:
what a stanza means is for ``keys.recipients`` to say. Does no I/O, except that
``read_header`` reads from the stream it is given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from gettext import gettext as _
from typing import Protocol

from keys.errors import Damaged, MalformedAge
from keys.primitives import hkdf

FILE_KEY_SIZE = 16
MAX_STANZAS = 64
"""Twice what our own files carry at most (32 recipients, dummies included)."""
MAX_HEADER_SIZE = 128 << 10
"""Bytes: 64 hybrid stanzas of 1,557 bytes need 100 KiB. Nothing larger is kept in memory or looked at."""

_VERSION_LINE = b"age-encryption.org/v1"
_MAC_SIZE = 32
_COLUMNS = 64
_READ_SIZE = 4 << 10


class Source(Protocol):
    """A binary stream to read from, as files, pipes and ``io.BytesIO`` are."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` only at the end."""


def read_exactly(source: Source, size: int) -> bytes:
    """``size`` bytes, or fewer at the end of the source: pipes hand out what they have."""
    pieces = []
    while size > 0 and (piece := source.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapped copy of the file key: arguments (the first names the kind) and a body."""

    arguments: tuple[str, ...]
    body: bytes

    @property
    def kind(self) -> str:
        """The first argument, such as ``X25519``."""
        return self.arguments[0]

    def encode(self) -> bytes:
        """The stanza as it stands in a header, with its last line feed."""
        text = encode_base64(self.body)
        # The range runs one past the end, so that a body of whole lines ends with an empty one.
        lines = [text[i : i + _COLUMNS] for i in range(0, len(text) + 1, _COLUMNS)]
        return "".join(f"{line}\n" for line in (f"-> {' '.join(self.arguments)}", *lines)).encode("ascii")


@dataclass(frozen=True, slots=True)
class Header:
    """A header that is well formed. Nobody has vouched for it until ``verify_mac`` returned."""

    stanzas: tuple[Stanza, ...]
    untrusted_mac: bytes
    signed: bytes
    """Everything up to and including ``---``: what the MAC covers."""
    size: int
    """In bytes, with the last line feed."""

    def verify_mac(self, file_key: bytes) -> None:
        """Return, or raise Damaged."""
        if not hmac.compare_digest(_mac(file_key, self.signed), self.untrusted_mac):
            raise Damaged(_("the header was changed"))


def encode_header(stanzas: Iterable[Stanza], file_key: bytes) -> bytes:
    """The whole header with its MAC."""
    signed = b"".join((_VERSION_LINE, b"\n", *(stanza.encode() for stanza in stanzas), b"---"))
    return signed + b" " + encode_base64(_mac(file_key, signed)).encode("ascii") + b"\n"


def header_size(stanza_sizes: Iterable[int]) -> int:
    """The size in bytes of a header whose stanzas have these sizes."""
    return len(_VERSION_LINE) + 1 + sum(stanza_sizes) + len("--- ") + base64_size(_MAC_SIZE) + 1


def read_header(source: Source, untrusted_start: bytes = b"") -> tuple[Header, bytes]:
    """Read and parse a header; also returns the payload bytes that were read with it.

    ``untrusted_start`` is what was already taken from the source. Raises MalformedAge.
    """
    untrusted = untrusted_start
    while True:
        if not untrusted.startswith(_VERSION_LINE[: len(untrusted)]):
            break  # not an age file: parse_header says so, and nothing more is read
        end = _header_end(untrusted)
        if end:
            return parse_header(untrusted[:end]), untrusted[end:]
        if len(untrusted) >= MAX_HEADER_SIZE:
            raise MalformedAge(_("the header is too large"))
        more = read_exactly(source, _READ_SIZE)
        if not more:
            raise MalformedAge(_("the header is cut off"))
        untrusted += more
    return parse_header(untrusted), b""


def parse_header(untrusted: bytes) -> Header:
    """Parse exactly one header, from the version line to the line feed after the MAC. Raises MalformedAge."""
    if len(untrusted) > MAX_HEADER_SIZE:
        raise MalformedAge(_("the header is too large"))
    version, *lines = untrusted.split(b"\n")
    if version != _VERSION_LINE:
        known = version.startswith(b"age-encryption.org/")
        raise MalformedAge(_("an age version that this program does not know") if known else _("not an age file"))
    if len(lines) < 2 or lines.pop() != b"":
        raise MalformedAge(_("the header is cut off"))
    mac_line = lines.pop()
    if not mac_line.startswith(b"--- "):
        raise MalformedAge(_("the header does not end with a MAC"))
    return Header(
        stanzas=_parse_stanzas(lines),
        untrusted_mac=decode_base64(_ascii(mac_line[4:]), _MAC_SIZE),
        signed=untrusted[: -(len(mac_line) - len("---") + 1)],
        size=len(untrusted),
    )


def base64_size(size: int) -> int:
    """Characters of unpadded base64 for ``size`` bytes."""
    return (size * 8 + 5) // 6


def encode_base64(data: bytes) -> str:
    """Standard base64 without padding."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64(untrusted: str, size: int) -> bytes:
    """Decode canonical unpadded base64 of exactly ``size`` bytes. Raises MalformedAge."""
    if len(untrusted) != base64_size(size):
        raise MalformedAge(_("a value of the header has not {size} bytes").format(size=size))
    return _decode_canonical(untrusted)


def _decode_canonical(untrusted: str) -> bytes:
    try:
        raw = binascii.a2b_base64(untrusted + "=" * (-len(untrusted) % 4), strict_mode=True)
    except ValueError as exc:
        raise MalformedAge(_("a value of the header is not base64")) from exc
    if encode_base64(raw) != untrusted:
        raise MalformedAge(_("a value of the header is not canonical base64"))
    return raw


def _header_end(untrusted: bytes) -> int:
    """Where the header ends, or 0 when that is not in sight. No line before the MAC can begin with ``---``."""
    mark = untrusted.find(b"\n---")
    return untrusted.find(b"\n", mark + 4) + 1 if mark >= 0 else 0


def _parse_stanzas(lines: list[bytes]) -> tuple[Stanza, ...]:
    stanzas: list[Stanza] = []
    position = 0
    while position < len(lines):
        if len(stanzas) == MAX_STANZAS:
            raise MalformedAge(_("more than {max_stanzas} recipients").format(max_stanzas=MAX_STANZAS))
        end = _stanza_end(lines, position)
        arguments = _parse_arguments(lines[position])
        stanzas.append(Stanza(arguments, _decode_canonical(_ascii(b"".join(lines[position + 1 : end])))))
        position = end
    if not stanzas:
        raise MalformedAge(_("the header has no recipient"))
    return tuple(stanzas)


def _stanza_end(lines: list[bytes], position: int) -> int:
    """The index after the stanza's last line, which is the first one with fewer than 64 columns."""
    for index in range(position + 1, len(lines)):
        if len(lines[index]) > _COLUMNS:
            raise MalformedAge(_("a line of the header is too long"))
        if len(lines[index]) < _COLUMNS:
            return index + 1
    raise MalformedAge(_("a stanza of the header is cut off"))


def _parse_arguments(line: bytes) -> tuple[str, ...]:
    if not line.startswith(b"-> "):
        raise MalformedAge(_("a stanza of the header does not begin with an arrow"))
    arguments = line[3:].split(b" ")
    if not all(arguments) or not all(0x21 <= code <= 0x7E for argument in arguments for code in argument):
        raise MalformedAge(_("a stanza of the header has an argument that is empty or not printable"))
    return tuple(argument.decode("ascii") for argument in arguments)


def _ascii(untrusted: bytes) -> str:
    try:
        return untrusted.decode("ascii")
    except UnicodeDecodeError as exc:
        raise MalformedAge(_("a line of the header is not ASCII")) from exc


def _mac(file_key: bytes, signed: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, "header"), signed, hashlib.sha256)
