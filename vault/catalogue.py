# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a bundle: one HTML page to read in any browser, offline, or to print.

Pure text in, text out. No script, nothing loaded from anywhere, no image but those beside
it: the page says so to the browser itself (Content-Security-Policy). Every word that came
from outside is escaped, names also as ``vault.names.printable`` does, so that a right-to-left
trick looks like what it is. A page that came in a stranger's bundle promises none of this:
who opens bundles for others renders this page anew from the verified items.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import quote

from vault.bundle_items import SealedItem
from vault.bundle_layout import urn_of
from vault.names import printable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
header p { margin: .2rem 0; }
ol { list-style: none; padding: 0; }
li { border-top: 1px solid var(--line); padding: 1rem 0; break-inside: avoid; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.no { display: inline-block; min-width: 3rem; opacity: .7; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 0 3rem; font-size: .92rem; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
dd.text { white-space: pre-wrap; }
code { font: .85rem ui-monospace, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.tag { background: var(--soft); border-radius: .3rem; padding: 0 .4rem; margin-right: .3rem; }
@media (max-width: 40rem) { dl { margin-left: 0; grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } a { color: inherit; text-decoration: none; } }
"""


def render(bundle_id: bytes, items: Sequence[SealedItem], *, title: str = "", sealed_ns: int, sender: str = "") -> str:
    """The page. ``sender`` is the fingerprint of the key that signed, or nothing for a drop."""
    heading = _text(title) or "Documents · Документы · Документтер"
    total = sum(item.size for item in items)
    facts = [
        f"{len(items)} documents, {_bytes(total)}",
        f"Sealed {_time(sealed_ns)}",
        f"Signed by <code>{_text(sender)}</code>" if sender else "Not signed: nothing here shows who sent it",
        f"<code>{urn_of(bundle_id)}</code>",
    ]
    lines = [
        "<!DOCTYPE html>",
        '<html lang="mul">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<header>",
        f"<h1>{heading}</h1>",
        *(f"<p>{fact}</p>" for fact in facts),
        "</header>",
        "<ol>",
        *(_entry(item) for item in items),
        "</ol>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _entry(item: SealedItem) -> str:
    number = item.path.split("/")[1]
    rows = [("Size", f"{_bytes(item.size)}", "")]
    if item.mtime_ns is not None:
        rows.append(("Modified", _time(item.mtime_ns), ""))
    if item.filed_ns is not None:
        rows.append(("Filed", _time(item.filed_ns), ""))
    rows.append(("SHA-256", f"<code>{item.sha256.hex()}</code>", ""))
    if item.note:
        rows.append(("Note", _lines(item.note), "text"))
    if item.source:
        rows.append(("Source", _lines(item.source), "text"))
    if item.tags:
        rows.append(("Tags", "".join(f'<span class="tag">{_text(tag)}</span>' for tag in item.tags), ""))
    cells = "".join(
        f"<dt>{label}</dt><dd{f' class={css}' if css else ''}>{content}</dd>" for label, content, css in rows
    )
    link = escape(quote(item.path), quote=True)
    name = escape(printable(item.name))
    head = f'<h2><span class="no">{number}</span> <a href="{link}">{name}</a></h2>'
    return f'<li id="i{number}">{head}<dl>{cells}</dl></li>'


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
        return (_EPOCH + timedelta(microseconds=ns // 1000)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return f"{ns} ns since 1970"
