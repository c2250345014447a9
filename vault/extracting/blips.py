# SPDX-License-Identifier: Apache-2.0
"""Pictures in Office's documents before 2007: OfficeArtBlips ([MS-ODRAW] 2.2.23), found by their headers.

Not by the many ways that lead to them: whatever looks like a JPEG or a PNG in such a record is kept for tesseract, and
what is none costs itself there. In confined children only.
"""

from __future__ import annotations

import re

from vault.extracting.found import Found

_RECORD = re.compile(rb"[\x1d\x1e\x2a]\xf0(?P<size>.{4})(?P<ids>.{17}|.{33})(?P<begin>\xff\xd8\xff|\x89PNG)", re.S)
"""recType (JPEG, PNG, JPEG), recLen, one or two ids of 16 bytes and a tag ([MS-ODRAW] 2.2.27, 2.2.28), the picture."""


def keep_blips(untrusted: bytes, found: Found) -> None:
    """Keep all pictures in a stream."""
    at = 0
    while match := _RECORD.search(untrusted, at):
        size = int.from_bytes(match["size"], "little") - len(match["ids"])
        start = match.start("begin")
        at = match.end()
        if 0 < size <= len(untrusted) - start:
            found.keep_picture(untrusted[start : start + size])
            at = start + size
