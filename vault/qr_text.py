# SPDX-License-Identifier: Apache-2.0
"""Something small as a few lines that QR codes hold well and phones hand on (docs/format.md §3.5). Pure.

A phone gives the text of a code; people copy these texts in any order, through notes and messengers that break lines.
So each line says what it is, which of how many, and of which content; the content's own check (a card's signature)
decides whether to believe it. One large code was tried and rejected: docs/decisions/0035-parts.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from gettext import gettext as _

from vault.errors import BadInput, Damaged

DATA_PER_LINE = 450
"""Characters: with the 25 before them they fit a code of version 13 with error correction M, which takes 483."""
MAX_LINES = 99
ID_SIZE = 4

_BEGINNING = "SANDYK-"
_KIND = re.compile(r"[A-Z]{1,8}", re.ASCII)
_LINE = re.compile(
    r"SANDYK-(?P<kind>[A-Z]{1,8})-(?P<number>[1-9][0-9]?)/(?P<count>[1-9][0-9]?)-(?P<id>[0-9A-F]{8})-"
    r"(?P<data>(?:(?!SANDYK-)[A-Z2-7])+)",
    re.ASCII,
)


def lines_of(kind: str, content: bytes) -> tuple[str, ...]:
    """The content as lines of QR codes' alphanumeric characters, of nearly equal length.

    ``kind`` is 1 to 8 capital letters. ValueError for more than 99 lines (about 28 kB).
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"no kind of content: {kind!r}")
    data = base64.b32encode(_deflated(content)).decode("ascii").rstrip("=")
    count = -(-len(data) // DATA_PER_LINE)
    if count > MAX_LINES:
        raise ValueError("too large for QR codes")
    size = -(-len(data) // count)
    name = _id(content)
    return tuple(
        f"{_BEGINNING}{kind}-{number + 1}/{count}-{name}-{data[number * size : (number + 1) * size]}"
        for number in range(count)
    )


def looks_like_lines(untrusted: bytes) -> bool:
    """Whether texts of QR codes may be in this."""
    return _BEGINNING.encode("ascii") in untrusted.upper()


def content_of(untrusted: bytes, kind: str, *, limit: int) -> bytes:
    """The content of lines in any order, repeated or broken anywhere: at most ``limit`` bytes.

    Raises BadInput when lines are missing or belong to different contents, Damaged when they were changed.
    """
    found = list(_LINE.finditer(b"".join(untrusted.split()).upper().decode("latin-1")))
    if not found:
        raise Damaged(_("there is no text of a QR code in this"))
    contents = {(match["kind"], match["count"], match["id"]) for match in found}
    if len(contents) > 1:
        raise BadInput(_("these are texts of QR codes of different sheets"), _("paste those of one sheet alone"))
    ((found_kind, count, name),) = contents
    if found_kind != kind:
        raise BadInput(_("these QR codes hold something else: {found_kind}").format(found_kind=found_kind.lower()))
    data: dict[int, str] = {}
    for match in found:
        if data.setdefault(int(match["number"]), match["data"]) != match["data"]:
            raise Damaged(
                _("two different texts claim to be number {number}").format(number=match["number"]),
                _("scan these codes again"),
            )
    missing = [str(number) for number in range(1, int(count) + 1) if number not in data]
    if missing:
        raise BadInput(
            _("{count} of {count_2} QR codes are missing: {missing}").format(
                count=len(missing), count_2=count, missing=", ".join(missing)
            ),
            _("scan these too, and paste all texts one below the other, in any order"),
        )
    content = _inflated("".join(data[number] for number in range(1, int(count) + 1)), limit)
    if _id(content) != name:
        raise Damaged(_("a text of a QR code was changed or cut off"), _("scan the codes again"))
    return content


def _deflated(content: bytes) -> bytes:
    """RFC 1951 with Huffman codes alone: what is put here is text of a small alphabet without repetitions."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(content) + compressor.flush()


def _inflated(untrusted: str, limit: int) -> bytes:
    changed = Damaged(_("a text of a QR code was changed or cut off"), _("scan the codes again"))
    try:
        packed = base64.b32decode(untrusted + "=" * (-len(untrusted) % 8))
        decompressor = zlib.decompressobj(-15)
        content = decompressor.decompress(packed, limit + 1)
    except (binascii.Error, zlib.error) as exc:
        raise changed from exc
    if len(content) > limit or not decompressor.eof or decompressor.unused_data:
        raise changed
    return content


def _id(content: bytes) -> str:
    return hashlib.sha256(content).digest()[:ID_SIZE].hex().upper()
