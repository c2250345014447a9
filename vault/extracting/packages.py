# SPDX-License-Identifier: Apache-2.0
"""ZIP packages, read member by member within limits. In confined children only.

Unlike ``vault.cleaning.package``, which writes what it read, this one goes on behind a damaged member: some words are
worth more than none.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

from vault.confined.protocol import Refused
from vault.extracting.found import Found

MAX_MEMBERS = 100_000
_ENCRYPTED = 0x1
_TROUBLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError)
"""NotImplementedError: zipfile's word for a way of compressing that it does not know."""


def names(untrusted: bytes) -> list[str]:
    """The names of all members but folders. Raises Refused."""
    with _opened(untrusted) as package:
        return [info.filename for info in package.infolist() if not info.is_dir()]


def members(untrusted: bytes, found: Found, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the members that are wanted, in their order. Raises Refused for too much of it."""
    with _opened(untrusted) as package:
        infos = [info for info in package.infolist() if not info.is_dir() and wanted(info.filename)]
        if len(infos) > MAX_MEMBERS:
            raise Refused(f"it holds more than {MAX_MEMBERS:,} files")
        for info in infos:
            if info.flag_bits & _ENCRYPTED:
                found.leave("a part of it is encrypted")
                continue
            found.unpack(info.file_size)
            try:
                with package.open(info) as member:
                    # What a member says of its size is only what it says.
                    content = member.read(info.file_size + 1)
            except _TROUBLE:
                found.leave("a part of it is damaged")
                continue
            if len(content) > info.file_size:
                raise Refused("a part of it is longer than it says")
            yield info.filename, content


def _opened(untrusted: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(BytesIO(untrusted))
    except _TROUBLE as exc:
        raise Refused("it is damaged, or no ZIP package") from exc
