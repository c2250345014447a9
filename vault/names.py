# SPDX-License-Identifier: Apache-2.0
"""Names from evidence: where they may lie, how they are written in bundles, how they are shown.

A name is data. It may come from a hostile archive, from a broken disk or from a journalist
with a sense of humour, and it is kept as it was. Three places cannot take it as it is: a
folder that it must not leave (``SafePath``), a bundle that must unpack on every system
(``bag_name``, docs/format-bundle.md §3) and a terminal that obeys escape
sequences (``printable``).

The set of dangerous characters is written out here and not asked of ``unicodedata``, so
that a bundle written with one version of Unicode is not refused by another.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from gettext import gettext as _

from vault.errors import UnsafeName

MAX_BAG_NAME_BYTES = 120
"""ext4 takes 255 bytes and NTFS 255 UTF-16 units; 120 bytes leave room for folders in front on both."""
MAX_PART_BYTES = 255
MAX_PATH_BYTES = 4096
MAX_EXTENSION_BYTES = 24

_CONTROL = "\x00-\x1f\x7f-\x9f"
_UNSEEN = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # format and bidi
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # hieroglyphs, shorthand, music: layout only
    "\U000e0000-\U000e0fff"  # tags
    "\ud800-\udfff"  # surrogates: no UTF-8
)
_BLANK = (
    "\u00a0\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180d\u180f\u2000-\u200a\u202f\u205f"
    "\u2800\u3000\u3164\ufe00-\ufe0d\uffa0\u200c\u200d\ufdd0-\ufdef\ufffe\uffff\ue000-\uf8ff"
)
"""Looks like nothing or like a space, or like whatever a font pleases: shown escaped, kept in bundles.
The joiners U+200C and U+200D are here because Persian names and emoji need them."""

_NOT_IN_BAGS = re.compile(f'[{_CONTROL}{_UNSEEN}\ufdd0-\ufdef\ufffe\uffff<>:"/\\\\|?*%]')
_NOT_ON_TERMINALS = re.compile(f"[{_CONTROL}{_UNSEEN}{_BLANK}\\\\]")
_NOT_IN_PATHS = re.compile(_NOT_ON_TERMINALS.pattern.replace("\\\\", "")) if os.name == "nt" else _NOT_ON_TERMINALS
"""On Windows a backslash is between folders, and in no name."""
_NOT_IN_TEXTS = re.compile(f"[{_CONTROL}{_UNSEEN}]")
_NOT_IN_JSON = re.compile(f"[\x7f-\x9f{_UNSEEN}]")
_NOT_ON_WINDOWS = re.compile(f'[{_CONTROL}<>:"|?*\\\\]')
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])[ ]*(\.|$)", re.IGNORECASE)
_SHORT_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def bag_name(original: bytes) -> str:
    """The name, at most 120 bytes of UTF-8, under which a file named ``original`` lies in a bundle.

    Letters of every script, emoji and spaces stay; what some system could choke on becomes
    ``_``; a long name is cut before its extension. Never empty. The true name is in the
    bundle's metadata. Applying it twice changes nothing.
    """
    text = unicodedata.normalize("NFC", original.decode("utf-8", "replace"))
    text = _NOT_IN_BAGS.sub("_", text.replace("\ufffd", "_"))
    text = unicodedata.normalize("NFC", text)
    return _within_limit(_presentable(text))


def is_bag_name(name: str) -> bool:
    """Whether a name keeps the rules that matter for safety when unpacking (all but the normal form)."""
    return (
        0 < len(_utf8(name)) <= MAX_BAG_NAME_BYTES
        and not _NOT_IN_BAGS.search(name)
        and name.strip(" .") == name
        and not _WINDOWS_DEVICES.match(name)
    )


def printable(name: bytes | str) -> str:
    """One line that is safe on a terminal: what is not plainly visible is escaped as in a Python string.

    Two different names never look the same, as far as bytes go: a backslash is doubled, and a
    byte that is no UTF-8 shows as ``\\xNN``. (Letters of different scripts may still look alike.)
    In ``str``, which this machine's own paths are, a backslash stays as it is on Windows.
    """
    if isinstance(name, bytes):
        return _NOT_ON_TERMINALS.sub(lambda m: _escape(m.group()), name.decode("utf-8", "surrogateescape"))
    return _NOT_IN_PATHS.sub(lambda m: _escape(m.group()), name)


def readable(line: str) -> str:
    """One line of a document's text that is safe on a terminal; unlike in a name, spaces and ``\\`` stay."""
    return _NOT_IN_TEXTS.sub(lambda m: _escape(m.group()), line)


def json_safe(text: str) -> str:
    """A finished JSON text in which the characters that fool terminals and readers are ``\\uNNNN``.

    Such characters stand only inside strings, because outside of them JSON is ASCII.
    """
    return _NOT_IN_JSON.sub(lambda m: _json_escape(m.group()), text)


def marked(path: bytes, mark: bytes) -> bytes:
    """The path with a mark before its ending, and its stem cut where the name would be too long for a disk."""
    folder, slash, name = path.rpartition(b"/")
    stem, dot, ending = name.rpartition(b".")
    if not stem or len(ending) > MAX_EXTENSION_BYTES:
        stem, dot, ending = name, b"", b""
    tail = mark + dot + ending
    room = MAX_PART_BYTES - len(tail)
    while len(stem) > room and room and stem[room] & 0xC0 == 0x80:
        room -= 1  # not in the middle of a letter
    return folder + slash + stem[:room] + tail


@dataclass(frozen=True, slots=True)
class SafePath:
    """A relative path that cannot leave the folder it is placed in.

    ``parts`` are the true bytes: a newline or bytes that are no UTF-8 are allowed, because
    evidence keeps its name. On Windows what Windows would read differently is refused too.
    Raises UnsafeName.
    """

    parts: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.parts or len(b"/".join(self.parts)) > MAX_PATH_BYTES:
            raise UnsafeName(_("a path is empty or longer than 4096 bytes"))
        for part in self.parts:
            check_part(part)
            if os.name == "nt":
                check_part_for_windows(part)

    @classmethod
    def parse(cls, untrusted: bytes) -> SafePath:
        """A path from its bytes, with ``/`` between the parts. Raises UnsafeName."""
        return cls(tuple(untrusted.split(b"/")))

    def under(self, folder: str) -> str:
        """The path below ``folder``, for the operating system's calls."""
        return os.path.join(folder, *(os.fsdecode(part) for part in self.parts))

    def __bytes__(self) -> bytes:
        return b"/".join(self.parts)


def check_part(part: bytes) -> None:
    """Raise UnsafeName unless this is one step down, on every system that has bytes as names."""
    if part in (b"", b".", b".."):
        raise UnsafeName(_("a path has an empty, '.' or '..' part"))
    if b"\0" in part or b"/" in part:
        raise UnsafeName(_("a part of a path holds a NUL or a slash"))
    if len(part) > MAX_PART_BYTES:
        raise UnsafeName(_("a part of a path is longer than 255 bytes"))


def check_part_for_windows(part: bytes) -> None:
    """Raise UnsafeName for what Windows reads as a drive, a stream, a device or another name."""
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UnsafeName(_("a name that is no UTF-8 cannot be written on Windows")) from exc
    if _NOT_ON_WINDOWS.search(text) or text.rstrip(" .") != text or _WINDOWS_DEVICES.match(text):
        raise UnsafeName(_("a name that means something else on Windows"))


def _presentable(text: str) -> str:
    """No dots and spaces at the ends (Windows drops them, Unix hides behind them), no device, not empty."""
    text = text.strip(" .")
    if not text:
        return "file"
    return f"_{text}" if _WINDOWS_DEVICES.match(text) else text


def _within_limit(text: str) -> str:
    if len(_utf8(text)) <= MAX_BAG_NAME_BYTES:
        return text
    stem, dot, extension = text.rpartition(".")
    if not stem or len(_utf8(extension)) > MAX_EXTENSION_BYTES:
        stem, dot, extension = text, "", ""
    room = MAX_BAG_NAME_BYTES - len(_utf8(dot + extension)) - 1  # 1: the underscore of a device's name
    stem = _utf8(stem)[:room].decode("utf-8", "ignore").rstrip(" .\u200c\u200d")
    return _presentable(stem + dot + extension)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that surrogateescape carried
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        # \xNN is a byte; a character below U+0100 takes the longer form, so that the two never look the same.
        return _SHORT_ESCAPES.get(char, f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
