# SPDX-License-Identifier: Apache-2.0
"""Kinds of documents, as a search tells them apart: by the first bytes where these say it, else by a name's ending.

Only a word for people and a choice of who reads; nothing is trusted because of it. Pure.
"""

from __future__ import annotations

import re

HEAD = 4096
"""Bytes of a document that are looked at."""
PDF, WORD, SHEET, SLIDES, HTML, MAIL, TEXT, IMAGE, AUDIO, VIDEO, ARCHIVE, OTHER = KINDS = (
    "pdf", "word", "sheet", "slides", "html", "mail", "text", "image", "audio", "video", "archive", "other"
)  # fmt: skip

_ENDINGS = {
    "pdf": PDF, "docx": WORD, "docm": WORD, "dotx": WORD, "odt": WORD, "ott": WORD, "doc": WORD, "rtf": WORD,
    "xlsx": SHEET, "xlsm": SHEET, "ods": SHEET, "xls": SHEET, "csv": SHEET, "tsv": SHEET,
    "pptx": SLIDES, "pptm": SLIDES, "ppsx": SLIDES, "odp": SLIDES, "ppt": SLIDES,
    "html": HTML, "htm": HTML, "xhtml": HTML, "mht": MAIL, "mhtml": MAIL, "eml": MAIL, "mbox": MAIL, "mbx": MAIL,
    "msg": MAIL, "txt": TEXT, "md": TEXT, "log": TEXT, "json": TEXT, "xml": TEXT, "srt": TEXT, "vcf": TEXT,
    "jpg": IMAGE, "jpeg": IMAGE, "png": IMAGE, "gif": IMAGE, "tif": IMAGE, "tiff": IMAGE, "bmp": IMAGE, "webp": IMAGE,
    "heic": IMAGE, "heif": IMAGE, "avif": IMAGE, "mp3": AUDIO, "m4a": AUDIO, "wav": AUDIO, "ogg": AUDIO, "oga": AUDIO,
    "opus": AUDIO, "flac": AUDIO, "aac": AUDIO, "amr": AUDIO, "mp4": VIDEO, "mov": VIDEO, "avi": VIDEO, "mkv": VIDEO,
    "webm": VIDEO, "3gp": VIDEO, "mpg": VIDEO, "zip": ARCHIVE, "rar": ARCHIVE, "7z": ARCHIVE, "tar": ARCHIVE,
    "gz": ARCHIVE, "tgz": ARCHIVE, "bz2": ARCHIVE, "xz": ARCHIVE, "epub": WORD, "fb2": WORD,
}  # fmt: skip
_BEGINS = (
    (re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|II[*+]\0|MM\0[*+]|RIFF....WEBP|BM....\0{4}", re.S),
     IMAGE),
    (re.compile(rb"....ftyp(heic|heix|mif1|msf1|avif)", re.S), IMAGE),
    (re.compile(rb"....ftypM4A |OggS|ID3|fLaC|RIFF....WAVE|#!AMR|\xff[\xf2-\xfb]", re.S), AUDIO),
    (re.compile(rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]", re.S), VIDEO),
    (re.compile(rb"Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b|BZh|\xfd7zXZ\0"), ARCHIVE),
)
_PDF = b"%PDF-"
_PDF_WITHIN = 1024
"""A PDF may begin anywhere in as many bytes (ISO 32000-1, annex H.3)."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the Office formats before 2007, and mails of Outlook, begin."""
RTF = b"{\\rtf"
ZIP = b"PK\x03\x04"


def ending(name: bytes) -> str:
    """What stands behind the last dot of a name, in small letters; at most 12 of them."""
    stem, _, last = name.rpartition(b"/")[2].rpartition(b".")
    return last.decode("ascii", "replace").lower() if stem and len(last) <= 12 else ""


def kind_of(name: bytes, untrusted_head: bytes = b"") -> str:
    """The kind of a document by what is known of it."""
    for pattern, kind in _BEGINS:
        if pattern.match(untrusted_head):
            return kind
    if _PDF in untrusted_head[: _PDF_WITHIN + len(_PDF)]:
        return PDF
    return _ENDINGS.get(ending(name), OTHER)
