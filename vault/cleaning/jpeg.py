# SPDX-License-Identifier: Apache-2.0
"""Taking everything but the picture out of a JPEG without decoding it, for JPEGs inside of other documents.

ITU-T T.81 Annex B: a JPEG is a row of segments, and those named APPn and COM say nothing that decoding needs, but two:
APP0 (JFIF), of which the fixed part is written anew without its thumbnail, and APP14 (Adobe), which tells how colours
are coded (ISO 32000-1 §7.4.8). What follows the end of the picture is dropped.
"""

from __future__ import annotations

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP14, _APP15 = 0xE0, 0xEE, 0xEF
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE_SIZE = 12
"""Of an APP14 segment: "Adobe", version, two words of flags, and the colour transform."""


def strip(untrusted: bytes) -> tuple[bytes, bool]:
    """The JPEG with its picture alone, and whether anything telling was in it. Raises ValueError."""
    if untrusted[:2] != bytes((0xFF, _SOI)):
        raise ValueError("no JPEG")
    out, at, told = [untrusted[:2]], 2, False
    while True:
        at, marker = _marker(untrusted, at)
        if marker == _EOI:
            out.append(bytes((0xFF, _EOI)))
            return b"".join(out), told or at < len(untrusted)
        size = int.from_bytes(untrusted[at : at + 2], "big")
        body = untrusted[at + 2 : at + size]
        if size < 2 or len(body) != size - 2:
            raise ValueError("a segment is cut off")
        at += size
        if marker == _APP0 and body.startswith(b"JFIF\0"):
            out.append(_JFIF)
            told |= len(body) > 14
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_SIZE:
            out.append(_segment(marker, body[:_ADOBE_SIZE]))
        elif _APP0 <= marker <= _APP15 or marker == _COM:
            told = True
        else:
            out.append(_segment(marker, body))
        if marker == _SOS:
            end = _end_of_scan(untrusted, at)
            out.append(untrusted[at:end])
            at = end


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at a place, behind fill bytes, and where its segment begins."""
    if data[at : at + 1] != b"\xff":
        raise ValueError("no marker where one must be")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data) or data[at] == 0:
        raise ValueError("no marker where one must be")
    return at + 1, data[at]


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the coded picture ends: at the next marker that is neither a restart nor a stuffed byte."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    raise ValueError("the picture is cut off")


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body
