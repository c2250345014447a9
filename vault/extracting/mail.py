# SPDX-License-Identifier: Apache-2.0
"""Mails: headers that people read, the text, and what is attached. In confined children only.

By the standard library's parser with its older policy: it never raises for a broken mail, and mails are broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser

from vault.extracting.encodings import decode
from vault.extracting.found import Found
from vault.extracting.markup import read_html

_HEADERS = ("Subject", "From", "To", "Cc", "Bcc", "Reply-To", "Date", "Organization")
MAX_PARTS = 2_000
_FIELD = re.compile(
    rb"(?i)(from|to|cc|subject|date|received|return-path|delivered-to|message-id|mime-version|reply-to|"
    rb"content-type|content-transfer-encoding|x-[\w-]{1,60}):[ \t]?\S"
)
_BETWEEN = re.compile(rb"(?:\A|\r?\n\r?\n|\r?\n)From \S++[^\r\n]{0,200}?\d\d:\d\d[^\r\n]{0,60}\r?\n")
"""The line before each mail of an mbox (RFC 4155, appendix A): an address, gone through once, and a time."""

Inside = Callable[[str, bytes], None]
"""Takes up a document inside: its name and its bytes."""


def is_mail(head: bytes) -> bool:
    """Whether bytes begin as a mail does: two header fields, one after the other."""
    lines = re.split(rb"\r?\n(?![ \t])", head, maxsplit=2)[:2]
    return len(lines) == 2 and all(_FIELD.match(line) for line in lines)


def is_mbox(head: bytes) -> bool:
    """Whether bytes begin as a file of mails does."""
    return bool(_BETWEEN.match(head))


def mails(untrusted: bytes) -> Iterator[bytes]:
    """The mails of an mbox, one after the other."""
    starts = [(m.start(), m.end()) for m in _BETWEEN.finditer(untrusted)]
    for n, (_, start) in enumerate(starts):
        end = starts[n + 1][0] if n + 1 < len(starts) else len(untrusted)
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", untrusted[start:end])


def read_mail(untrusted: bytes, found: Found, inside: Inside) -> None:
    """One mail. What is attached goes to ``inside``."""
    try:
        mail = message_from_bytes(untrusted)
    except RecursionError:
        found.leave("its parts are too deep in each other: they are read as plain text")
        mail = BytesHeaderParser().parsebytes(untrusted)
    _read_headers(mail, found)
    for n, part in enumerate(mail.walk()):
        if n > MAX_PARTS:
            found.leave(f"a mail has more than {MAX_PARTS:,} parts")
            return
        if part is not mail and part.get_content_type() == "message/rfc822":
            continue  # its own mail follows, as a part
        if part is not mail and part.get("Subject") is not None:
            _read_headers(part, found)
        if not part.is_multipart():
            _read_part(part, found, inside)


def _read_headers(mail: Message, found: Found) -> None:
    for name in _HEADERS:
        for value in mail.get_all(name, ()):
            found.add(f"{name}: {_header(value)}")


def _header(value: object) -> str:
    """A header as people see it; RFC 2047 names encodings that may be wrong, or unknown."""
    try:
        pieces = decode_header(str(value))
    except Exception:  # the parser's own bugs; then what stands there
        return str(value)
    return "".join(text if isinstance(text, str) else decode(text, charset or "") for text, charset in pieces)


def _read_part(part: Message, found: Found, inside: Inside) -> None:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    name = _header(part.get_filename() or "")
    kind = part.get_content_type()
    if name or not kind.startswith("text/"):
        inside(name or kind, content)
    elif kind == "text/html":
        read_html(content, found, part.get_content_charset() or "")
    else:
        found.add(decode(content, part.get_content_charset() or ""))
