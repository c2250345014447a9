# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a bundle: one HTML page to read in any browser, offline, or to print.

Pure text in, text out. No script, nothing loaded from anywhere, no image but the small ones
beside it: the page says so to the browser itself (Content-Security-Policy). Every word that came
from outside is escaped, names also as ``vault.names.printable`` does, so that a right-to-left
trick looks like what it is. A page that came in a stranger's bundle promises none of this:
who opens bundles for others renders this page anew from the verified items.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from urllib.parse import quote

from vault.bundle_items import Event, SealedItem
from vault.bundle_layout import thumbnail_path, urn_of
from vault.catalogue_words import LANGUAGES, WORDS, kind_of, style_sheet
from vault.model import EVENT_COPIED_OUT, EVENT_EXPORTED, EVENT_FILED, EVENT_MOVED, EVENT_TAKEN_IN
from vault.names import printable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_HEX = re.compile("[0-9a-f]{32,}", re.ASCII)
_KEPT_EVENTS = 64
"""Different events whose lines are remembered: documents filed or sealed together share theirs."""
_EVENTS = {
    EVENT_FILED: "was-filed", EVENT_TAKEN_IN: "was-taken-in", EVENT_COPIED_OUT: "was-copied-out",
    EVENT_EXPORTED: "was-exported", EVENT_MOVED: "original-removed",
}  # fmt: skip
"""The words for the events of the custody record; of others the record's own word is shown."""


def render(
    bundle_id: bytes, items: Sequence[SealedItem], *, title: str = "", sealed_ns: int, sender: str = "",
    thumbnails: Collection[str] = (),
) -> str:  # fmt: skip
    """The page. ``sender`` is the fingerprint of the key that signed, or nothing for a drop.

    ``thumbnails`` are the numbers, as in the paths, of the documents with a small picture (``thumbnail_path``).
    """
    heading = _text(title) or "Documents · Документы · Документтер · Hujjatlar"
    facts = [
        ("documents", f"{len(items)}", ""),
        ("total", _bytes(sum(item.size for item in items)), ""),
        ("sealed", _time(sealed_ns), ""),
    ]
    if sender:
        facts.append(("signed", f"<code>{_text(sender)}</code>", ""))
    lines = [
        "<!DOCTYPE html>",
        '<html lang="mul">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title>",
        f"<style>{style_sheet()}</style>",
        "</head>",
        "<body>",
        *_language_switch(),
        "<main>",
        "<header>",
        f"<h1>{heading}</h1>",
        f"<dl>{_rows(facts)}</dl>",
        "" if sender else f"<p>{_word('unsigned')}</p>",
        f'<p class="aside">{_word("claims")}</p>',
        f"<p><code>{urn_of(bundle_id)}</code></p>",
        "</header>",
        "<ol>",
        *_entries(items, thumbnails),
        "</ol>",
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _language_switch() -> Iterator[str]:
    for place, (language, name) in enumerate(LANGUAGES.items()):
        checked = "" if place else " checked"
        yield f'<input type="radio" name="language" id="{language}"{checked}><label for="{language}">{name}</label>'


@cache
def _word(word: str) -> str:
    """A word of the page, which the style sheet shows in the language that was chosen."""
    return f'<span class="w {word}"><b>{WORDS[word][0]}</b></span>'


def _rows(rows: Sequence[tuple[str, str, str]]) -> str:
    return "".join([f"{_head_of_row(label, css)}{content}</dd>" for label, content, css in rows])


@cache
def _head_of_row(label: str, css: str) -> str:
    return f"<dt>{_word(label) if label in WORDS else label}</dt><dd{f' class={css}' if css else ''}>"


def _entries(items: Iterable[SealedItem], thumbnails: Collection[str]) -> Iterator[str]:
    known: dict[int, tuple[Event, str]] = {}  # with the event itself, so that its id stays its own

    def custody(item: SealedItem) -> str:
        lines = []
        for event in item.custody:
            if id(event) not in known:
                if len(known) == _KEPT_EVENTS:
                    del known[next(iter(known))]
                known[id(event)] = event, f"<li>{_event(event)}</li>"
            lines.append(known[id(event)][1])
        return "".join(lines)

    return (_entry(item, custody(item), thumbnails) for item in items)


def _entry(item: SealedItem, custody: str, thumbnails: Collection[str]) -> str:
    number = item.path.split("/")[1]
    kind, suffix = kind_of(item.path)
    rows = [("size", _bytes(item.size), ""), ("type", _word(kind) + (f" · {suffix}" if suffix else ""), "")]
    if item.mtime_ns is not None:
        rows.append(("modified", _time(item.mtime_ns), ""))
    if item.filed_ns is not None:
        rows.append(("filed", _time(item.filed_ns), ""))
    rows.append(("SHA-256", f"<code>{item.sha256.hex()}</code>", ""))
    if item.note:
        rows.append(("note", _lines(item.note), "lines"))
    if item.source:
        rows.append(("source", _lines(item.source), "lines"))
    if item.tags:
        rows.append(("tags", "".join(f'<span class="tag">{_text(tag)}</span>' for tag in item.tags), ""))
    if custody:
        rows.append(("custody", f"<ol>{custody}</ol>", ""))
    link = quote(item.path)  # leaves nothing that HTML gives a meaning to
    name = escape(printable(item.name))
    picture = f'<img src="{thumbnail_path(number)}" alt="" loading="lazy">' if number in thumbnails else ""
    head = f'<h2><span class="no">{number}</span> <a href="{link}">{name}</a></h2>'
    return f'<li id="i{number}">{picture}{head}<dl>{_rows(rows)}</dl></li>'


def _event(event: Event) -> str:
    """One line: when, what, and whatever else the sender's record says, by the names it has there."""
    rest = dict(event)
    at, what = rest.pop("at_ns", None), str(rest.pop("event", ""))
    parts = [_time(at)] if isinstance(at, int) else []
    parts.append(_word(_EVENTS[what]) if what in _EVENTS else _text(what))
    parts += [f"{_text(key.replace('_', ' '))} {_short(value)}" for key, value in rest.items()]
    return " · ".join(part for part in parts if part)


def _short(value: object) -> str:
    """A value of the custody record. Of a key or an id its first digits: all of it stands in the record itself."""
    text = str(value)
    if _LONG_HEX.fullmatch(text):
        return f"<code>{text[:16]}…</code>"
    return _text(text if len(text) <= 200 else f"{text[:200]}…")


def _text(text: str) -> str:
    return escape(printable(text))


def _lines(text: str) -> str:
    """Several lines stay several lines; within each, what cannot be seen is escaped."""
    return "\n".join(_text(line) for line in text.replace("\r\n", "\n").split("\n"))


def _bytes(size: int) -> str:
    return f"{size:,}".replace(",", "\u00a0") + " bytes"  # groups of three, read alike in every language


def _time(ns: int) -> str:
    """Date and time in UTC; a number where a calendar ends."""
    try:
        at = _EPOCH + timedelta(seconds=ns // 1_000_000_000)
        return f"{at.year:04}-{at.month:02}-{at.day:02} {at.hour:02}:{at.minute:02}:{at.second:02} UTC"
    except OverflowError:
        return f"{ns} ns since 1970"
