# SPDX-License-Identifier: Apache-2.0
"""The job that reads the words of one document, with all that is inside of it. In confined children only.

By first bytes where these say what it is, by a name's ending where they do not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec import msgpack

from vault import kinds
from vault.confined.protocol import Refused
from vault.extracting import doc, encodings, mail, markup, msg, office, ole, packages, patience, pdf, ppt, rtf, xls
from vault.extracting.answer import MAX_DEPTH, MAX_TEXT, encode
from vault.extracting.found import CUT, Enough, Found

_HTML = re.compile(rb"(?i)<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]")
_XML = re.compile(rb"(\xef\xbb\xbf)?\s*<\?xml\s")
_BINARY = 0.05
"""Text with more control characters than this share of its beginning is none: a fifth of random bytes are."""
_TEXT_CONTROLS = frozenset("\t\n\r\f\b\x1b\x1a")
_XML_LINES = frozenset(
    ("emphasis", "strong", "a", "style", "sub", "sup", "strikethrough", "code", "b", "i", "span", "em")
)


def warm_up() -> None:
    """Load everything: a confined process can load nothing."""
    encodings.warm_up()
    pdf.warm_up()
    found = Found()
    markup.read_html(b"<p title='a'>b", found)
    markup.read_xml(b"<a>b</a>", found)
    some = b"Subject: =?koi8-r?B?8NLP18XSy8E=?=\nContent-Type: text/plain\n\nb\n"
    mail.read_mail(some, found, lambda name, content: None)
    rtf.read_rtf(b"{\\rtf1 a}", found, lambda name, content: None)
    with suppress(Refused):
        ole.opened(kinds.OLE + bytes(2000), found)


def extract(untrusted: bytes, argument: bytes) -> bytes:
    """The job: an ``Answer``. ``argument`` is the document's name. Raises Refused."""
    found = Found()
    return encode(found.answer(_read_whole(untrusted, argument, found)))


def extract_alone(untrusted: bytes, argument: bytes) -> bytes:
    """The same without what is inside, for a document in which something ends whoever reads it. Raises Refused."""
    found = Found()
    found.depth = MAX_DEPTH
    return encode(found.answer(_read_whole(untrusted, argument, found)))


def pictures(untrusted: bytes, argument: bytes) -> bytes:
    """The pictures that ``extract`` counted inside, as ``Picture`` in MessagePack. Raises Refused."""
    found = Found()
    _read_whole(untrusted, argument, found)
    return msgpack.encode(tuple(found.pictures.values()))


def _read_whole(untrusted: bytes, name: bytes, found: Found) -> str:
    """Read a document as far as that goes: some words are worth more than none. Its kind. Raises Refused."""
    try:
        with patience.within(patience.IN_ALL):
            return _read(untrusted, name, found)
    except Enough:
        pass
    except patience.TookTooLong as exc:
        if not found.has_text:
            raise Refused("reading it took too long") from exc
        found.leave("reading all of it took too long")
    except Refused as exc:
        if not found.has_text:
            raise
        found.leave(str(exc))
    except Exception:
        if not found.has_text:
            raise
        found.leave("a part of it is damaged")
    return kinds.kind_of(name, untrusted[: kinds.HEAD])


def _read(untrusted: bytes, name: bytes, found: Found) -> str:
    """Read a document; its kind. Raises Refused, Enough."""
    head = untrusted[: kinds.HEAD]
    kind = kinds.kind_of(name, head)
    if head.startswith(kinds.ZIP):
        return _read_zip(untrusted, found)
    if head.startswith(kinds.OLE):
        root = ole.opened(untrusted, found)
        kind = _read_compound(root, found)
        if root.main:
            root.read_properties()
        return kind
    if head.startswith(kinds.RTF):
        rtf.read_rtf(untrusted, found, _inside(found))
        return kinds.WORD
    if kind == kinds.PDF and b"%PDF-" in head:
        pdf.read_pdf(untrusted, found, _inside(found))
    elif kind == kinds.IMAGE and kinds.kind_of(b"", head) == kinds.IMAGE:
        if found.depth:
            found.keep_picture(untrusted)
        else:
            found.wait(0)
    elif kind in (kinds.AUDIO, kinds.VIDEO, kinds.ARCHIVE) and kinds.kind_of(b"", head) == kind:
        if kind == kinds.ARCHIVE:
            raise Refused("an archive of a kind that is not read here: unpack it, and file what is in it")
    elif mail.is_mbox(head):
        for one in mail.mails(untrusted):
            _costing_itself(found, partial(mail.read_mail, one, found, _inside(found)))
        return kinds.MAIL
    elif mail.is_mail(head):
        mail.read_mail(untrusted, found, _inside(found))
        return kinds.MAIL
    elif _HTML.search(head):
        markup.read_html(untrusted, found)
        return kinds.HTML
    else:
        return _read_text(untrusted, kind, found)
    return kind


def _read_text(untrusted: bytes, kind: str, found: Found) -> str:
    if _XML.match(untrusted):
        with suppress(Refused):  # one that is no XML is read as the text that it is
            markup.read_xml(untrusted, found, within_lines=_XML_LINES)
            return kind if kind != kinds.OTHER else kinds.TEXT
    head = encodings.decode(untrusted[: kinds.HEAD], cut=len(untrusted) > kinds.HEAD)
    if sum(map(_is_binary, head)) > _BINARY * len(head):
        return kind
    # No letter takes more than four bytes in any encoding, so this is all that is kept, and a little more.
    most = 4 * MAX_TEXT
    found.add(encodings.decode(untrusted[:most], cut=len(untrusted) > most))
    if len(untrusted) > most:
        found.leave(CUT)
    return kind if kind != kinds.OTHER else kinds.TEXT


def _is_binary(character: str) -> bool:
    return character == "\ufffd" or (unicodedata.category(character) == "Cc" and character not in _TEXT_CONTROLS)


def _read_zip(untrusted: bytes, found: Found) -> str:
    names = packages.names(untrusted)
    mimetype = next((content for _, content in packages.members(untrusted, found, "mimetype".__eq__)), b"")
    kind = office.kind_of_package(names, mimetype)
    if kind:
        if office.BINARY_WORKBOOK in names:
            raise Refused("a workbook in Excel's binary form (xlsb): save it as xlsx")
        office.read_office(untrusted, found, _inside(found), odf=b"opendocument" in mimetype)
        return kind
    inside = _inside(found)
    for name, content in packages.members(untrusted, found, lambda name: True):
        inside(name, content)
    return kinds.WORD if mimetype.startswith(b"application/epub") else kinds.ARCHIVE


def _read_compound(storage: ole.Compound, found: Found) -> str:
    """A document of Office before 2007 or of Outlook, and those that lie in it."""
    if storage.main == ole.MSG:
        msg.read_msg(storage, found, _inside(found))
        return kinds.MAIL
    if storage.main == ole.DOC:
        doc.read_doc(storage, found)
    elif storage.main in (ole.XLS, ole.XLS_95):
        xls.read_xls(storage, found)
    elif storage.main == ole.PPT:
        ppt.read_ppt(storage, found)
    else:
        _read_package(storage, found)
    for inner in storage.documents():
        if found.enter():
            _costing_itself(found, partial(_read_compound, inner, found))
    return {ole.DOC: kinds.WORD, ole.PPT: kinds.SLIDES, "": kinds.OTHER}.get(storage.main, kinds.SHEET)


def _read_package(storage: ole.Compound, found: Found) -> None:
    """What an object of another program holds, if it is a file like others."""
    packed = list(storage.packed())
    if not packed and not any(storage.documents()):
        raise Refused("it is damaged" if storage.damaged else "an Office format from before 2007 that is not read here")
    for name, content in packed:
        _inside(found)(name, content)


def _inside(found: Found) -> mail.Inside:
    """What reads a document inside of this one. A bad one costs itself."""

    def read(name: str, content: bytes) -> None:
        if not found.enter():
            return
        found.add(name)
        waiting = len(found.pages)
        _costing_itself(found, lambda: _read(content, name.encode("utf-8", "replace"), found))
        if pages := tuple(found.pages[waiting:]):
            del found.pages[waiting:]
            found.keep_picture(content, pages)

    return read


def _costing_itself(found: Found, read: Callable[[], object]) -> None:
    """Read something inside. Whatever it does to its parser, the document that it is in is read on."""
    before = found.depth
    found.depth += 1
    try:
        with patience.within(patience.share()):
            read()
    except Enough:
        raise
    except patience.TookTooLong:
        found.leave("something inside took too long")
    except Refused as exc:
        found.leave(f"something inside: {exc}")
    except Exception:
        found.leave("something inside is damaged")
    finally:
        found.depth = before
