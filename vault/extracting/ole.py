# SPDX-License-Identifier: Apache-2.0
"""Compound files ([MS-CFB]), in which Office before 2007 and Outlook keep documents, by olefile.

In confined children only. Which document it is, its streams within limits, and what it says of itself. Documents that
lie in storages of another one are documents of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO

import olefile

from vault.confined.protocol import Refused
from vault.extracting.encodings import decode
from vault.extracting.found import Found

DOC, XLS, XLS_95, PPT, MSG = "WordDocument", "Workbook", "Book", "PowerPoint Document", "__properties_version1.0"
MAIN_STREAMS = (DOC, XLS, XLS_95, PPT, MSG)
"""The stream that makes a storage a document of its kind."""
_DEEPEST = 8
"""Storages in storages."""
_PACKAGES = ("Package", "CONTENTS")
"""Streams in which an object keeps a file of another program as it is."""
_NATIVE = "\x01Ole10Native"
"""The stream in which Windows' Packager keeps a file that was dropped into a document ([MS-OLEDS] 2.3.6)."""
_BEFORE_PACKED = re.compile(rb".{4}\x02\0(?P<name>[^\0]*)\0[^\0]*\0.{4}", re.S)
"""Size and kind, the file's name, where it was, and a kind again; then where it lay meanwhile, and the file itself,
each with its length in front."""
_PROTECTED = ("EncryptedPackage", "EncryptedSummary")
"""Office's documents with a password: those since 2007 ([MS-OFFCRYPTO] 2.3.4.4), and slides before ([MS-PPT] 2.1.5)."""
_PROPERTIES = ("title", "subject", "author", "keywords", "comments", "last_saved_by", "category", "manager", "company")
_DAMAGED = "it is damaged, or no compound file"
_PART_DAMAGED = "a part of it is damaged"
_UTF8 = 65001


class Compound:
    """One storage of the file; the root has no folder. Names are paths of names, as olefile tells them."""

    def __init__(
        self, file: olefile.OleFileIO, found: Found, paths: Sequence[Sequence[str]], folder: tuple[str, ...] = ()
    ) -> None:
        """``paths``: of all streams below the folder."""
        self._file, self._found, self._paths, self.folder = file, found, paths, folder
        depth = len(folder)
        self.streams = {path[depth] for path in paths if len(path) == depth + 1}
        self.storages = sorted({path[depth] for path in paths if len(path) > depth + 1})

    def stream(self, name: str) -> bytes:
        """A stream of this storage, as far as it goes; nothing when it is not there. Raises Refused for a damaged one,
        or too much."""
        if name not in self.streams:
            return b""
        path = [*self.folder, name]
        try:
            size = self._file.get_size(path)
            self._found.unpack(size)
            content: bytes = self._file.openstream(path).read()
        except Refused:
            raise
        except Exception as exc:  # olefile tells damage by many classes
            raise Refused(_PART_DAMAGED) from exc
        if len(content) < size:
            self._found.leave(_PART_DAMAGED)
        return content

    def inner(self, name: str) -> Compound:
        """A storage in this one."""
        depth = len(self.folder)
        below = [path for path in self._paths if path[depth] == name and len(path) > depth + 1]
        return Compound(self._file, self._found, below, (*self.folder, name))

    def documents(self) -> Iterator[Compound]:
        """Storages anywhere below that are documents, but not what lies in these."""
        for name in self.storages:
            storage = self.inner(name)
            if storage.main or not storage.streams.isdisjoint((*_PACKAGES, _NATIVE)):
                yield storage
            elif len(storage.folder) < _DEEPEST:
                yield from storage.documents()

    def packed(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of files that an object holds as they are. Raises Refused."""
        for name in _PACKAGES:
            if name in self.streams:
                yield "", self.stream(name)
        native = self.stream(_NATIVE)
        if head := _BEFORE_PACKED.match(native):
            at = head.end() + 4 + int.from_bytes(native[head.end() : head.end() + 4], "little")
            size = int.from_bytes(native[at : at + 4], "little")
            yield decode(head["name"]), native[at + 4 : at + 4 + size]

    @property
    def damaged(self) -> bool:
        """Whether olefile passed over damage on the way to what it has found."""
        return bool(self._file.parsing_issues)

    @property
    def main(self) -> str:
        """The stream that says what this is; nothing for no document."""
        return next((name for name in MAIN_STREAMS if name in self.streams), "")

    def read_properties(self) -> None:
        """What the document says of itself ([MS-OLEPS]): title, author, who saved it."""
        try:
            said = self._file.get_metadata()
            encoding = "utf-8" if said.codepage == _UTF8 else f"cp{(said.codepage or 0) & 0xFFFF}"
            values = [getattr(said, name) for name in _PROPERTIES]
        except Exception:  # as above; the text is worth more
            self._found.leave("what it says of itself is damaged")
            return
        for value in values:
            if isinstance(value, bytes | str):
                self._found.add(value if isinstance(value, str) else decode(value.rstrip(b"\0"), encoding))


def opened(untrusted: bytes, found: Found) -> Compound:
    """The file, from its root. Raises Refused."""
    try:
        file = olefile.OleFileIO(BytesIO(untrusted))
        root = Compound(file, found, file.listdir())
    except Exception as exc:
        raise Refused(_DAMAGED) from exc
    if not root.streams.isdisjoint(_PROTECTED):
        raise Refused("it is encrypted")
    return root
