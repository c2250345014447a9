# SPDX-License-Identifier: Apache-2.0
"""Text of PowerPoint's slides before 2007 ([MS-PPT]). In confined children only.

No library reads these whole (docs/decisions/0062-older-documents.md). All records are gone through, containers from the
inside, and every one that holds text is read: slides, notes, comments, and what an older state of the file left.
"""

from __future__ import annotations

import struct

from vault.confined.protocol import Refused
from vault.extracting.blips import keep_blips
from vault.extracting.found import Found
from vault.extracting.ole import PPT, Compound

_HEADER = struct.Struct("<HHI")
"""recVer and recInstance, recType, recLen ([MS-PPT] 2.3.1)."""
_CONTAINER = 0xF
_CHARACTERS, _BYTES, _STRING = 0x0FA0, 0x0FA8, 0x0FBA
"""RT_TextCharsAtom, RT_TextBytesAtom, RT_CString ([MS-PPT] 2.13.24)."""
_TAG = "___PPT"
"""How names of tags for programs begin."""
_ENCRYPTED = 0xF3D1C4DF
"""CurrentUserAtom.headerToken of an encrypted file ([MS-PPT] 2.3.2)."""
_LINES = str.maketrans({"\x0b": "\n", "\r": "\n"})


def read_ppt(storage: Compound, found: Found) -> None:
    """All text of the slides; pictures are kept. Raises Refused."""
    user = storage.stream("Current User")
    if len(user) >= 16 and struct.unpack_from("<I", user, 12)[0] == _ENCRYPTED:
        raise Refused("it is encrypted")
    stream = storage.stream(PPT)
    at = 0
    while at + _HEADER.size <= len(stream):
        version, kind, size = _HEADER.unpack_from(stream, at)
        at += _HEADER.size
        if version & 0xF == _CONTAINER:
            continue  # what is in it follows
        if kind in (_CHARACTERS, _STRING):
            text = stream[at : at + size].decode("utf-16-le", "replace")
            if not text.startswith(_TAG):
                found.add(text.translate(_LINES))
        elif kind == _BYTES:  # the lower bytes of UTF-16
            found.add(stream[at : at + size].decode("latin-1").translate(_LINES))
        at += size
    keep_blips(storage.stream("Pictures"), found)
