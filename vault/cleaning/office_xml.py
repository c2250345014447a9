# SPDX-License-Identifier: Apache-2.0
"""The XML inside of office documents: who, when and where are taken out of it, what a reader sees is not.

Rules go by local names, because Office Open XML (ECMA-376, with Microsoft's extensions) and OpenDocument 1.3 have
several spellings of each namespace. People become "Author 1", "Author 2", … by their names, the same in all parts of
one document. In confined children only.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from vault.confined.protocol import Refused

Element = Any
"""An lxml element; the library has no types."""

_NO_TIME = "1980-01-01T00:00:00"
_PEOPLE = frozenset(("author", "userName", "displayName", "refreshedBy", "lastModifiedBy", "lastEditedBy", "creator"))
_PEOPLE_BY_NAME = frozenset(("cmAuthor", "author", "person"))
"""Elements whose attribute ``name`` is a person's."""
_PEOPLE_ELEMENTS = frozenset(("author", "creator", "lastModifiedBy"))
"""Elements whose text is a person: authors of notes in a sheet, dc:creator of changes and notes."""
_INITIALS = frozenset(("initials", "creator-initials", "sender-initials"))
_TIMES = frozenset(("dateUtc", "created", "modified", "dt", "refreshedDate", "refreshedDateIso", "savedDate"))
_MARKS = re.compile(r"rsid\w*|paraId|textId|paragraph-rsid|durableId")
"""Marks of editing sessions, by which two documents from one machine are tied together."""
_ALTERNATIVE_TEXTS = frozenset(("docPr", "cNvPr"))
_FILE_LIKE = re.compile(r"[\\/]|\.\w{2,5}$")
_SESSIONS, _PATHS, _MACROS = "marks of editing sessions", "paths", "macros"
_DROPPED = {
    "rsids": _SESSIONS, "docId": _SESSIONS, "creationId": _SESSIONS, "revisionPtr": _SESSIONS,
    "attachedTemplate": _PATHS, "absPath": _PATHS, "event-listeners": _MACROS, "scripts": _MACROS,
    "docVars": "document variables", "mailMerge": "data sources", "fileSharing": "names of people",
    "fileVersion": "versions of programs",
}  # fmt: skip
"""Elements that go, by local name, and what they are."""
_CHANGES = frozenset(("ins", "del", "moveFrom", "moveTo", "tracked-changes"))
_FIELDS = re.compile(r"\b(AUTHOR|LASTSAVEDBY|USERNAME|USERINITIALS|FILENAME|TEMPLATE|DOCPROPERTY)\b")
_ODF_FIELDS = frozenset(
    ("author-name", "author-initials", "initial-creator", "printed-by", "file-name", "template-name", "user-defined",
     "creation-date", "modification-date", "print-date", "sender-firstname", "sender-lastname", "sender-email")
)  # fmt: skip
_VANISHES = frozenset(("vanish", "hidden-text", "hidden-paragraph"))


class Rules:
    """What one document's parts share: who is which author, and what was found."""

    def __init__(self) -> None:
        self.removed: set[str] = set()
        self.left: set[str] = set()
        self._people: dict[str, int] = {}

    def clean(self, untrusted: bytes, *, dropped_ids: frozenset[str] = frozenset()) -> bytes:
        """A part without people, times and paths. ``dropped_ids`` are relationships whose targets are gone."""
        root = parse(untrusted)
        for element in list(root.iter(etree.Element)):
            self._clean_element(element)
            self._clean_attributes(element, dropped_ids)
        return serialise(root)

    def _person(self, name: str) -> str:
        return f"Author {self._people.setdefault(name.strip(), len(self._people) + 1)}"

    def _clean_element(self, element: Element) -> None:
        name = _local(element.tag)
        if name in _DROPPED:
            self.removed.add(_DROPPED[name])
            remove(element)
        elif name in _PEOPLE_ELEMENTS and len(element) == 0 and (element.text or "").strip():
            self._write(element, self._person(element.text), "names of people")
        elif name in _INITIALS and element.text:
            self._write(element, "A", "names of people")
        elif name == "date" and "purl.org/dc/" in element.tag:
            self._write(element, _NO_TIME, "times of changes and comments")
        elif name in ("title", "desc") and "svg" in element.tag:
            self.removed.add("alternative texts of pictures")
            remove(element)
        elif name == "binary-data" and (element.text or "").strip():
            raise Refused("it holds a picture or object inside of its text")
        self._note(element, name)

    def _note(self, element: Element, name: str) -> None:
        """Name what stays although it may tell."""
        if name in _CHANGES and "drawing" not in element.tag:
            self.left.add("tracked changes, with the text that was deleted")
        elif name in ("comment", "annotation", "cm"):
            self.left.add("the text of comments")
        elif name in ("instrText", "fldSimple"):
            if _FIELDS.search("".join((element.text or "", *element.attrib.values()))):
                self.left.add("fields that show an author, a file name or a property")
        elif name in _ODF_FIELDS:
            self.left.add("fields that show an author, a file name or a property")
        elif name in _VANISHES or element.get("show") == "0" or element.get("state") in ("hidden", "veryHidden"):
            self.left.add("hidden text, sheets or slides")

    def _clean_attributes(self, element: Element, dropped_ids: frozenset[str]) -> None:
        owner = _local(element.tag)
        for key in list(element.attrib):
            name, space = _local(key), _space(key)
            value = element.attrib[key]
            if name in _PEOPLE or (name == "name" and owner in _PEOPLE_BY_NAME):
                self._set(element, key, self._person(value), "names of people")
            elif name in _INITIALS:
                self._set(element, key, "A", "names of people")
            elif name in ("userId", "providerId") and owner in _PEOPLE_BY_NAME:
                self._set(element, key, "None", "names of people")
            elif name == "created" and owner in ("cm", "reply"):
                self._set(element, key, f"{_NO_TIME}.000", "times of changes and comments")
            elif name in _TIMES or (name == "date" and space):
                self._drop(element, key, "times of changes and comments")
            elif _MARKS.fullmatch(name) or (name == "uid" and "revision" in space):
                self._drop(element, key, _SESSIONS)
            elif owner in _ALTERNATIVE_TEXTS and name in ("descr", "title"):
                self._drop(element, key, "alternative texts of pictures")
            elif _names_a_picture(owner, name, space) and _FILE_LIKE.search(value):
                self._set(element, key, "Picture", "file names of pictures")
            elif name in ("alt", "title") and ("vml" in element.tag or "office:office" in key):
                self._drop(element, key, "alternative texts of pictures")
            elif name == "href" and owner != "a" and re.match(r"(\w+:|/|\\)", value, re.I):
                self._set(element, key, "removed", _PATHS)
            elif space.endswith("/relationships") and value in dropped_ids:
                if owner == "pageSetup":
                    self._drop(element, key, "settings of printers")
                else:
                    remove(element)

    def _write(self, element: Element, text: str, words: str) -> None:
        if element.text != text:
            element.text = text
            self.removed.add(words)

    def _set(self, element: Element, key: str, value: str, words: str) -> None:
        if element.attrib[key] != value:
            element.attrib[key] = value
            self.removed.add(words)

    def _drop(self, element: Element, key: str, words: str) -> None:
        if key in element.attrib:
            del element.attrib[key]
        self.removed.add(words)


def parse(untrusted: bytes) -> Element:
    """A part's root, without comments and processing instructions. Raises Refused."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(untrusted, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise Refused("it is damaged: one of its parts is no XML") from exc
    if root.getroottree().docinfo.doctype:
        raise Refused("one of its parts declares entities, which no office program writes")
    return root


def serialise(root: Element) -> bytes:
    """The part as bytes."""
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return written


def remove(element: Element) -> None:
    """Take an element out, and leave the text behind it where it is."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    element.tail = None
    parent.remove(element)


def _names_a_picture(owner: str, name: str, space: str) -> bool:
    return (owner in _ALTERNATIVE_TEXTS and name == "name") or (name == "name" and "drawing" in space)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _space(name: str) -> str:
    return name.rpartition("}")[0].removeprefix("{")
