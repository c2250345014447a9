# SPDX-License-Identifier: Apache-2.0
"""Text of Office Open XML (docx, xlsx, pptx) and OpenDocument (odt, ods, odp). In confined children only.

Every part that can hold words is gone through, and every element of it, by local names (ECMA-376, part 1; OpenDocument
1.3, part 3): the text, headers, footnotes, comments, notes of slides, text boxes, charts, cells, names of sheets,
deleted text that is still there, and what the document says of itself.
"""

from __future__ import annotations

import re

from vault.confined.protocol import Refused
from vault.extracting.found import Found
from vault.extracting.mail import Inside
from vault.extracting.markup import walk
from vault.extracting.packages import members
from vault.kinds import SHEET, SLIDES, WORD

_OOXML_PARTS = re.compile(
    r"word/[^/]+\.xml|word/(charts|diagrams)/[^/]+\.xml|ppt/(slides|notesSlides|comments|charts|diagrams)/[^/]+\.xml|"
    r"xl/(sharedStrings|workbook|comments\d*)\.xml|xl/(worksheets|charts|drawings|comments|threadedComments)/[^/]+\.xml|"
    r"docProps/(core|custom)\.xml", re.I,
)  # fmt: skip
_ODF_PARTS = re.compile(r"(.*/)?(content|styles|meta)\.xml")
_PICTURES = re.compile(
    r"(word|ppt|xl)/media/[^/]+\.(png|jpe?g|gif|tiff?|webp|svg)|(word|ppt|xl)/embeddings/[^/]+|(.*/)?Pictures/[^/]+",
    re.I,
)
"""What lies in it as files: pictures, and documents of other programs."""
BINARY_WORKBOOK = "xl/workbook.bin"
"""The member of an xlsb, whose parts are no XML."""
_TEXT_ITSELF = re.compile(r"word/document|ppt/slides/|xl/|content", re.I)
_NO_WORDS = re.compile(r"word/(styles|settings|fontTable|webSettings|numbering|stylesWithEffects)\.xml", re.I)
_TEXT = frozenset(("t", "delText", "v", "instrText"))
"""Elements of Office Open XML whose characters are words: w:t, a:t, t; v: the value of a cell, or of a point."""
_ENDS_A_LINE = frozenset(("p", "br", "cr", "tr", "tc", "tab", "si", "row", "c", "pt", "text", "comment"))
_PROPERTIES = frozenset(
    ("title", "subject", "creator", "description", "keywords", "lastModifiedBy", "category", "lpwstr")
)
_NUMBER_OF_STRING = ("s",)
"""The type of a cell whose value is a number in the table of shared strings, which are read by themselves."""
_WITHIN_ODF_LINES = frozenset(("span", "a", "s", "bookmark", "note-ref", "soft-page-break"))


def kind_of_package(names: list[str], mimetype: bytes) -> str:
    """word, sheet or slides for an office document by its members; nothing for another package."""
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        word = mimetype.removeprefix(b"application/vnd.oasis.opendocument.")
        return SHEET if word.startswith(b"spreadsheet") else SLIDES if word.startswith(b"presentation") else WORD
    if "[Content_Types].xml" in names:
        for folder, kind in (("word/", WORD), ("xl/", SHEET), ("ppt/", SLIDES)):
            if any(name.startswith(folder) for name in names):
                return kind
    return ""


def read_office(untrusted: bytes, found: Found, inside: Inside, *, odf: bool) -> None:
    """All words of the document; pictures and documents in it go to ``inside``, without a name. Raises Refused."""

    def wanted(name: str) -> bool:
        if odf:
            return bool(_ODF_PARTS.fullmatch(name))
        return bool(_OOXML_PARTS.fullmatch(name)) and not _NO_WORDS.fullmatch(name)

    parts = sorted(members(untrusted, found, wanted), key=lambda part: _rank(part[0]))
    damaged = 0
    for _name, content in parts:
        part = _OdfPart() if odf else _OoxmlPart()
        try:
            walk(content, part.begin, part.end, part.text)
        except Refused:
            found.leave("a part of it is damaged")
            damaged += 1
        found.add("".join(part.parts))
    if damaged == len(parts):
        raise Refused("it is damaged: none of its parts can be read")
    try:
        for _name, content in members(untrusted, found, lambda name: bool(_PICTURES.fullmatch(name))):
            inside("", content)
    except Refused as exc:
        found.leave(f"pictures and documents inside: {exc}")


def _rank(name: str) -> tuple[bool, list[tuple[int, str]]]:
    """The text itself first; slide 10 after slide 9."""
    return not _TEXT_ITSELF.match(name), [
        (int(digits or 0), letters) for digits, letters in re.findall(r"(\d*)(\D+)", name)
    ]


class _OoxmlPart:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._kept = self._reference = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._reference = attributes.get("t") in _NUMBER_OF_STRING
        elif name == "sheet":
            self.parts.append(f"\n{attributes.get('name', '')}\n")
        elif name in ("docPr", "cNvPr"):  # the words for a picture that somebody cannot see
            self.parts.append(f"\n{attributes.get('descr', '')}\n")
        self._kept = (name in _TEXT and not (name == "v" and self._reference)) or name in _PROPERTIES
        if name in _ENDS_A_LINE:
            self.parts.append("\n")

    def end(self, name: str) -> None:
        self._kept = False
        if name in _ENDS_A_LINE or name in _PROPERTIES:
            self.parts.append("\n")

    def text(self, data: str) -> None:
        if self._kept:
            self.parts.append(data)


class _OdfPart:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "s":
            self.parts.append(" ")
        elif name not in _WITHIN_ODF_LINES:
            self.parts.append("\n")
        if name == "table":
            self.parts += [f"{value}\n" for key, value in attributes.items() if key.endswith(":name")]

    def end(self, name: str) -> None:
        if name not in _WITHIN_ODF_LINES:
            self.parts.append("\n")

    def text(self, data: str) -> None:
        self.parts.append(data)
