# SPDX-License-Identifier: Apache-2.0
"""Text out of HTML and XML, by the standard library's parsers. In confined children only."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from html.parser import HTMLParser
from xml.parsers import expat

from vault.confined.protocol import Refused
from vault.extracting.encodings import decode
from vault.extracting.found import Found

_SILENT = frozenset(("script", "style", "template", "noscript"))
_WITHIN_LINES = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q",
     "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr")
)  # fmt: skip
"""What does not end a word."""
_SAID = frozenset(("alt", "title", "placeholder", "content"))
"""Attributes that are words for people; ``content`` of descriptions and keywords alone."""
_DECLARED = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag not in _WITHIN_LINES:
            self.parts.append("\n")
        if tag == "meta" and dict(attrs).get("name") not in ("description", "keywords", "author"):
            return
        self.parts += [f"\n{value}\n" for name, value in attrs if name in _SAID and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag not in _WITHIN_LINES:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def read_html(untrusted: bytes, found: Found, declared: str = "") -> None:
    """What a page says to whoever sees it, and the words for those who do not."""
    said = _DECLARED.search(untrusted[:2048])
    page = _Page()
    page.feed(decode(untrusted, declared or (said.group(1).decode("ascii", "ignore") if said else "")))
    page.close()
    found.add("".join(page.parts))


def walk(
    untrusted: bytes, begin: Callable[[str, dict[str, str]], None], end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:  # fmt: skip
    """Go through XML and tell of elements, by their local names, and text. Raises Refused.

    No entity is declared in what an office program writes, and one that is can stand for gigabytes.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_arguments: object) -> None:
        raise Refused("one of its parts declares entities")

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: begin(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.CharacterDataHandler = text
    try:
        parser.Parse(untrusted, True)
    except (expat.ExpatError, ValueError, LookupError) as exc:
        raise Refused("it is damaged: one of its parts is no XML") from exc


def read_xml(untrusted: bytes, found: Found, *, within_lines: Collection[str] = ()) -> None:
    """All character data; every element ends a line but those named."""
    parts: list[str] = []

    def edge(name: str, *_attributes: object) -> None:
        if name not in within_lines:
            parts.append("\n")

    try:
        walk(untrusted, edge, edge, parts.append)
    finally:
        found.add("".join(parts))
