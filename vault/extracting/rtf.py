# SPDX-License-Identifier: Apache-2.0
"""Text of RTF (Rich Text Format 1.9.1). In confined children only.

striprtf leaves headers, footnotes, comments and text boxes out (docs/decisions/0062-older-documents.md). What is not
known is passed over, as the format wants it; groups that hold words for people are read wherever they stand.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from vault.extracting.found import Found
from vault.kinds import OLE

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])|"
    rb"(?P<brace>[{}])|[\r\n]+|(?P<text>[^\\{}\r\n]+)|\\",
    re.S,
)
_SILENT = frozenset(
    b"fonttbl colortbl stylesheet listtable listoverridetable revtbl rsidtbl filetbl generator xmlnstbl latentstyles "
    b"themedata colorschememapping datastore mmathPr pict objdata objclass blipuid sp sn sv fontemb panose falt "
    b"bkmkstart bkmkend pgptbl userprops private keycode passwordhash creatim revtim printim buptim".split()
)
"""Groups without words for people. ``fonttbl`` says which letters its fonts have."""
_HEARD = frozenset(
    b"footnote header headerl headerr headerf footer footerl footerr footerf annotation atnauthor atnid shptxt "
    b"title subject author manager company operator category keywords comment doccomm".split()
)
"""Groups with words that may stand in such as are passed over, or are marked as ones that may be."""
_HEARD_IN_LINES = frozenset(b"fldinst fldrslt result ud tc xe".split())
_SIGNS = {
    b"par": "\n", b"sect": "\n", b"page": "\n", b"line": "\n", b"row": "\n", b"cell": "\n", b"nestcell": "\n",
    b"tab": " ", b"emspace": " ", b"enspace": " ", b"qmspace": " ", b"emdash": "—", b"endash": "–", b"bullet": "•",
    b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"softline": "\n",
}  # fmt: skip
_ESCAPED = {b"~": "\xa0", b"-": "", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_PAGES = {b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}
_OF_FONTS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    254: "cp437", 255: "cp850",
}  # fmt: skip
"""Letters of fonts by \\fcharset."""
_DEEPEST = 1_000
_BLANKS = re.compile(rb"[^0-9a-fA-F]+")

Inside = Callable[[str, bytes], None]


@dataclass(slots=True)
class _Group:
    """What holds within braces."""

    silent: bool = False
    skips: int = 1
    """Bytes behind a letter in Unicode that say the same for older readers."""
    encoding: str = ""
    what: bytes = b""
    """``pict`` or ``objdata`` in a picture or an object."""
    starred: bool = False
    line: bool = False
    """Whether its words stand by themselves."""


class _Reader:
    def __init__(self, untrusted: bytes, found: Found, inside: Inside) -> None:
        self._untrusted, self._found, self._inside = untrusted, found, inside
        self._parts: list[str] = []
        self._bytes = bytearray()
        self._group = _Group()
        self._outer: list[_Group] = []
        self._deeper = 0
        """Groups that are open in the deepest one that is told apart."""
        self._page, self._fonts, self._font = "cp1252", dict[int, str](), 0
        self._usual = -1
        """The font of text that names none."""
        self._skip = 0
        self._held: list[bytes] = []
        """What lies in a picture or an object."""

    def read(self) -> str:
        at = 0
        while (token := _TOKEN.match(self._untrusted, at)) is not None:
            at = token.end()
            word, brace = token["word"], token["brace"]
            if word is not None:
                number = int(token["number"] or -1)
                if word == b"bin":
                    self._hold(self._untrusted[at : at + max(0, number)].hex().encode())
                    at += max(0, number)
                else:
                    self._word(word, number)
            elif brace == b"{":
                self._open()
            elif brace == b"}":
                self._close()
            elif token["hex"] is not None:
                self._take(bytes.fromhex(token["hex"].decode()), 1)
            elif token["sign"] is not None:
                self._sign(token["sign"])
            elif token["text"] is not None:
                self._take(token["text"], len(token["text"]))
        self._flush()
        return "".join(self._parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _open(self) -> None:
        self._flush()
        if len(self._outer) < _DEEPEST:
            self._outer.append(self._group)
            self._group = replace(self._group, starred=False)
        else:
            self._deeper += 1
        self._skip = 0

    def _close(self) -> None:
        self._flush()
        what, line = self._group.what, self._group.line
        if self._deeper:
            self._deeper -= 1
        elif self._outer:
            self._group = self._outer.pop()
        if line and not self._group.line:
            self._parts.append("\n")
        if what and not self._group.what and self._held:
            held, self._held = _BLANKS.sub(b"", b"".join(self._held)), []
            content = bytes.fromhex(held[: len(held) // 2 * 2].decode())
            self._found.unpack(len(content))
            if what == b"pict":
                self._found.keep_picture(content)
            elif (start := content.find(OLE)) >= 0:
                self._inside("", content[start:])
        self._skip = 0

    def _word(self, word: bytes, number: int) -> None:
        group = self._group
        if word == b"u":
            self._flush()
            self._add(chr(number & 0xFFFF))
            self._skip = group.skips
            return
        self._skip = 0
        if word in _SIGNS:
            self._flush()
            self._add(_SIGNS[word])
        elif word == b"uc":
            group.skips = max(0, number)
        elif word == b"f":
            self._flush()
            self._font = number
            group.encoding = self._fonts.get(number, "")
        elif word == b"deff":
            self._usual = number
        elif word == b"plain":
            self._flush()
            group.encoding = self._fonts.get(self._usual, "")
        elif word == b"fcharset":
            self._fonts[self._font] = _known(_OF_FONTS.get(number, ""))
        elif word == b"ansicpg":
            self._page = _known(f"cp{number}") or self._page
        elif word in _PAGES:
            self._page = _PAGES[word]
        elif word in _HEARD or word in _HEARD_IN_LINES:
            self._flush()
            group.silent, group.line = False, word in _HEARD
            self._add("\n" if group.line else " ")
        elif word in _SILENT or group.starred:
            self._flush()
            group.silent = True
            group.what = word if word in (b"pict", b"objdata") else b""
        group.starred = False

    def _sign(self, sign: bytes) -> None:
        self._skip = 0
        if sign == b"*":
            self._group.starred = True
        elif sign in _ESCAPED:
            self._flush()
            self._add(_ESCAPED[sign])

    def _take(self, text: bytes, length: int) -> None:
        """Bytes of text, without those that stand for a letter which was said before in Unicode."""
        skipped = min(self._skip, length)
        self._skip -= skipped
        if self._group.what:
            self._hold(text)
        elif not self._group.silent:
            self._bytes += text[skipped:]

    def _hold(self, digits: bytes) -> None:
        if self._group.what:
            self._held.append(digits)

    def _add(self, text: str) -> None:
        if not self._group.silent:
            self._parts.append(text)

    def _flush(self) -> None:
        if self._bytes:
            self._parts.append(self._bytes.decode(self._group.encoding or self._page, "replace"))
            self._bytes.clear()


def _known(encoding: str) -> str:
    with suppress(LookupError):
        return codecs.lookup(encoding).name if encoding else ""
    return ""


def read_rtf(untrusted: bytes, found: Found, inside: Inside) -> None:
    """All words of the document; pictures are kept, objects go to ``inside``. Raises Refused."""
    found.add(_Reader(untrusted, found, inside).read())
