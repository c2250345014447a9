# SPDX-License-Identifier: Apache-2.0
"""Mails of Outlook ([MS-OXMSG]): headers that people read, the text, and what is attached. In confined children only.

Properties lie in streams by their numbers ([MS-OXPROPS]). Of contacts and appointments only what they share with mails
is read.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import compressed_rtf

from vault.confined.protocol import Refused
from vault.extracting.encodings import decode
from vault.extracting.found import Found
from vault.extracting.mail import Inside
from vault.extracting.markup import read_html
from vault.extracting.ole import MSG, Compound
from vault.extracting.rtf import read_rtf

_HEADERS = (
    ("Subject", "0037"), ("From", "0C1A"), ("From", "0C1F"), ("From", "5D01"), ("From", "0042"), ("From", "0065"),
    ("To", "0E04"), ("Cc", "0E03"), ("Bcc", "0E02"), ("Organization", "3A16"),
)  # fmt: skip
_OF_PEOPLE = ("3001", "39FE", "3003")
"""A recipient's name and addresses: PidTagDisplayName, PidTagSmtpAddress, PidTagEmailAddress."""
_BODY, _HTML, _RTF = "1000", "1013", "1009"
_RTF_MOST = 16 << 20
"""Bytes of compressed RTF that are unpacked: in pure Python a megabyte takes a second."""
_ATTACHED, _NAME, _SHORT_NAME = "3701", "3707", "3704"
_PEOPLE, _ATTACHMENTS = "__recip_version1.0_", "__attach_version1.0_"
_UNICODE, _EIGHT_BIT, _BINARY, _STORAGE = "001F", "001E", "0102", "000D"
_SENT, _INTERNET_PAGE, _PAGE = 0x00390040, 0x3FDE0003, 0x3FFD0003
"""PidTagClientSubmitTime, PidTagInternetCodepage, PidTagMessageCodepage, with their types."""
_ENTRY = struct.Struct("<II8s")
"""Of the properties of fixed length ([MS-OXMSG] 2.4.2.1): what it is, flags, the value. They stand at the end of their
stream, behind a header of 32, 24 or 8 bytes, all of which are multiples of 8."""


def read_msg(storage: Compound, found: Found, inside: Inside) -> None:
    """The mail. What is attached goes to ``inside``; a mail in it is read as part of it. Raises Refused."""
    fixed = _fixed(storage)
    page = fixed.get(_PAGE) or fixed.get(_INTERNET_PAGE) or 0
    for label, number in _HEADERS:
        found.add(_labelled(label, _text(storage, number, page)))
    for person in storage.storages:
        if person.startswith(_PEOPLE):
            found.add(" ".join(_text(storage.inner(person), number, page) for number in _OF_PEOPLE))
    with suppress(OverflowError):
        sent = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=fixed.get(_SENT, 0) // 10)
        found.add(f"Date: {sent:%a, %d %b %Y %H:%M:%S %z}" if fixed.get(_SENT) else "")
    _read_body(storage, page, found)
    for name in storage.storages:
        if name.startswith(_ATTACHMENTS):
            try:
                _read_attachment(storage.inner(name), page, found, inside)
            except Refused as exc:
                found.leave(f"something inside: {exc}")


def _read_body(storage: Compound, page: int, found: Found) -> None:
    """The plain text, and what Outlook shows instead of it: they should say the same, and need not."""
    found.add(_text(storage, _BODY, page))
    if html := _text(storage, _HTML, page):
        read_html(html.encode(), found, "utf-8")
    elif html_bytes := storage.stream(f"__substg1.0_{_HTML}{_BINARY}"):
        read_html(html_bytes, found, _encoding(page))
    elif packed := storage.stream(f"__substg1.0_{_RTF}{_BINARY}"):
        try:
            rtf = compressed_rtf.decompress(packed[:_RTF_MOST])
        except Exception:  # it raises that very class
            found.leave("its text is damaged")
            return
        found.unpack(len(rtf))
        read_rtf(rtf, found, lambda name, content: None)


def _read_attachment(storage: Compound, page: int, found: Found, inside: Inside) -> None:
    name = _text(storage, _NAME, page) or _text(storage, _SHORT_NAME, page)
    mail = f"__substg1.0_{_ATTACHED}{_STORAGE}"
    if mail in storage.storages:
        inner = storage.inner(mail)
        if MSG not in inner.streams:
            found.leave("something inside: an object that only its own program reads")
        elif found.enter():
            found.add(name)
            found.depth += 1
            try:
                read_msg(inner, found, inside)
            finally:
                found.depth -= 1
    elif content := storage.stream(f"__substg1.0_{_ATTACHED}{_BINARY}"):
        inside(name, content)


def _text(storage: Compound, number: str, page: int) -> str:
    """A property that is text, in either form ([MS-OXMSG] 2.1.1.1)."""
    wide = storage.stream(f"__substg1.0_{number}{_UNICODE}")
    if wide:
        return wide.decode("utf-16-le", "replace").rstrip("\0")
    return decode(storage.stream(f"__substg1.0_{number}{_EIGHT_BIT}").rstrip(b"\0"), _encoding(page))


def _encoding(page: int) -> str:
    return "utf-8" if page == 65001 else f"cp{page}" if page else ""


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if text else ""


def _fixed(storage: Compound) -> dict[int, int]:
    """The properties whose values are numbers, by what they are."""
    stream = storage.stream(MSG)
    start = len(stream) % _ENTRY.size
    return {what: int.from_bytes(value, "little") for what, _flags, value in _ENTRY.iter_unpack(stream[start:])}
