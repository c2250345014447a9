# SPDX-License-Identifier: Apache-2.0
"""ASCII armor: an age file as text (age v1, "ASCII armor"; strict PEM, RFC 7468 §3 figure 3).

One spelling per file, except that lines may end with LF or CRLF and that white space may
stand before and after the block, as the specification allows. Everything else is refused.
"""

from __future__ import annotations

import binascii
from gettext import gettext as _

from keys.errors import MalformedAge
from keys.header import Source
from keys.stream import Sink, write_all

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
END = b"-----END AGE ENCRYPTED FILE-----"
MAX_WHITE_SPACE = 1024
"""Bytes of white space before the block, and after it; age allows the same."""

_COLUMNS = 64
_LINE_BYTES = 48
_WHITE_SPACE = b" \t\r\n"
_READ_SIZE = 64 << 10


def looks_armored(untrusted_start: bytes) -> bool:
    """Whether a file with this beginning (at least 2 KiB, or the whole file) is to be read as armor."""
    return untrusted_start.lstrip(_WHITE_SPACE).startswith(b"-----BEGIN")


class ArmorWriter:
    """A sink that writes what it is given as armor into another sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._held = b""
        write_all(sink, BEGIN + b"\n")

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of ``data``."""
        held = self._held + data
        whole = len(held) - len(held) % _LINE_BYTES
        self._held = held[whole:]
        self._write_lines(held[:whole])
        return len(data)

    def finish(self) -> None:
        """Write the last line and the end mark; does not close the sink."""
        self._write_lines(self._held)
        self._held = b""
        write_all(self._sink, END + b"\n")

    def _write_lines(self, data: bytes) -> None:
        text = binascii.b2a_base64(data, newline=False)
        lines = [text[i : i + _COLUMNS] + b"\n" for i in range(0, len(text), _COLUMNS)]
        write_all(self._sink, b"".join(lines))


class ArmorReader:
    """A source that hands out what the armor in another source encodes. Raises MalformedAge."""

    def __init__(self, source: Source, untrusted_start: bytes) -> None:
        text = untrusted_start.lstrip(_WHITE_SPACE)
        if len(untrusted_start) - len(text) > MAX_WHITE_SPACE:
            raise MalformedAge(_("too much white space before the armor"))
        self._source = source
        self._text = text  # the beginning of a line that has not ended yet, or lines not looked at
        self._at_end = False
        self._begun = False
        self._last_seen = False  # a data line that no other may follow
        self._ended = False
        self._decoded = b""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` only after the end mark, with nothing but white space behind it."""
        while not self._decoded and not self._ended:
            self._decode_lines(self._take_lines())
            if len(self._text) > _COLUMNS + len(b"\r") and not self._ended:
                raise MalformedAge(_("a line of the armor is too long"))
        data, self._decoded = self._decoded[:size], self._decoded[size:]
        return data

    def _take_lines(self) -> list[bytes]:
        """The next whole lines; at the end of the source also what stands there without a line feed."""
        if self._at_end:
            raise MalformedAge(_("the armor has no end mark"))
        more = self._source.read(_READ_SIZE)
        self._at_end = not more
        *lines, rest = (self._text + more).split(b"\n")
        if self._at_end:
            lines.append(rest)
            rest = b""
        self._text = rest
        return lines

    def _decode_lines(self, lines: list[bytes]) -> None:
        data = []
        for index, untrusted_line in enumerate(lines):
            line = untrusted_line.removesuffix(b"\r")
            if not self._begun:
                if line != BEGIN:
                    raise MalformedAge(_("the armor does not begin as an age file does"))
                self._begun = True
            elif line == END:
                self._check_nothing_follows(lines[index + 1 :])
                break
            elif self._last_seen or not 0 < len(line) <= _COLUMNS:
                raise MalformedAge(_("the armor has a line of the wrong length"))
            else:
                self._last_seen = len(line) < _COLUMNS or line.endswith(b"=")
                data.append(line)
        self._decoded = _decode(b"".join(data))

    def _check_nothing_follows(self, lines: list[bytes]) -> None:
        self._ended = True
        untrusted_tail = b"\n".join([*lines, self._text])
        while len(untrusted_tail) <= MAX_WHITE_SPACE and (more := self._source.read(MAX_WHITE_SPACE)):
            untrusted_tail += more
        if len(untrusted_tail) > MAX_WHITE_SPACE or untrusted_tail.strip(_WHITE_SPACE):
            raise MalformedAge(_("something follows the armor"))


def _decode(untrusted_text: bytes) -> bytes:
    try:
        data = binascii.a2b_base64(untrusted_text, strict_mode=True)
    except ValueError as exc:
        raise MalformedAge(_("the armor is not base64")) from exc
    if binascii.b2a_base64(data, newline=False) != untrusted_text:
        raise MalformedAge(_("the armor is not canonical base64"))
    return data
