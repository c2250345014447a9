# SPDX-License-Identifier: Apache-2.0
"""The texts of a BagIt bag (RFC 8493, and its drafts 0.93 to 0.97): written and parsed, nothing more.

What is written here is BagIt 1.0 in UTF-8 with one spelling. What is parsed may be any of
those versions, from any program. ``vault.bag_judge`` decides whether texts and files make
a valid bag; nobody here touches a file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from gettext import gettext as _

from vault.errors import DamagedBundle

DECLARATION_NAME = "bagit.txt"
INFO_NAME = "bag-info.txt"
OLD_INFO_NAME = "package-info.txt"
"""What ``bag-info.txt`` was called before 0.96."""
FETCH_NAME = "fetch.txt"
PAYLOAD_FOLDER = "data/"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

DIGEST_HEX_CHARS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
"""The algorithms of manifests that can be checked here, by their normalised names (RFC 8493 section 2.4)."""

VERSIONS = ((0, 93), (0, 94), (0, 95), (0, 96), (0, 97), (1, 0))
STRICT = (1, 0)

_ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "us-ascii", "iso-8859-1", "iso-8859-2", "iso-8859-5"),
        *("iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "koi8-r", "koi8-u", "shift_jis", "gb18030"),
    )
)
"""Asked for by name, because Python also calls things like ``zip`` and ``unicode_escape`` encodings."""

_WHITE = " \t"
_DECLARATION_STRICT = re.compile(r"BagIt-Version: ([0-9]+\.[0-9]+)\nTag-File-Character-Encoding: ([!-~]+)\n")
_DECLARATION_OLD = re.compile(
    r"BagIt-Version[ \t]*:[ \t]*([0-9]+\.[0-9]+)[ \t]*\nTag-File-Character-Encoding[ \t]*:[ \t]*([!-~]+)[ \t]*\n?"
)
_MANIFEST_LINE = re.compile(r"([0-9A-Fa-f]+)([ \t]+)(.+)", re.DOTALL)
_FETCH_LINE = re.compile(r"(\S+)[ \t]+([0-9]+|-)[ \t]+(.+)", re.DOTALL)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_LINE_END = re.compile(r"\r\n|\n|\r")
_MUST_ENCODE = re.compile(r"[%\r\n]")
_ENCODED = re.compile(r"%(25|0[AaDd])")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What ``bagit.txt`` says: the version as two numbers and a Python codec's name."""

    version: tuple[int, int]
    encoding: str


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A line of a manifest: the digest in lower-case hex, the path as spelled there, and how it was marked."""

    digest: str
    spelled: str
    marked_binary: bool
    """Written by ``md5sum -b``, with a ``*`` before the path."""


@dataclass(frozen=True, slots=True)
class FetchEntry:
    """A line of ``fetch.txt``: the length is None when it was left open."""

    url: str
    length: int | None
    spelled: str


def encode_path(path: str) -> str:
    """A path as a manifest spells it: CR, LF and % become ``%0D``, ``%0A`` and ``%25``, nothing else."""
    return _MUST_ENCODE.sub(lambda m: f"%{ord(m.group()):02X}", path)


def decode_path(spelled: str) -> str:
    """The path that a manifest of BagIt 1.0 means."""
    return _ENCODED.sub(lambda m: chr(int(m.group(1), 16)), spelled)


def render_manifest(digests: Iterable[tuple[str, bytes]]) -> bytes:
    """``digest, two spaces, path`` for each (path, digest), sorted by path as bytes; so ``sha256sum -c`` reads it."""
    lines = sorted((encode_path(path).encode("utf-8"), digest) for path, digest in digests)
    return b"".join(b"%s  %s\n" % (digest.hex().encode("ascii"), path) for path, digest in lines)


def render_info(elements: Iterable[tuple[str, str]]) -> bytes:
    """``label: value`` lines in the order given; neither may hold a line end (ValueError)."""
    lines = []
    for label, value in elements:
        if ":" in label or label.strip() != label or _LINE_END.search(label + value) or not label:
            raise ValueError("a bag-info element of this form cannot be written")
        lines.append(f"{label}: {value}\n")
    return "".join(lines).encode("utf-8")


def parse_declaration(untrusted: bytes) -> Declaration:
    """Parse ``bagit.txt``. Raises DamagedBundle for another form, version or encoding."""
    try:
        text = "\n".join(_LINE_END.split(untrusted.decode("utf-8")))
    except UnicodeDecodeError as exc:
        raise DamagedBundle(_("bagit.txt is not UTF-8")) from exc
    loose = _DECLARATION_OLD.fullmatch(text)
    if loose is None:
        raise DamagedBundle(_("bagit.txt does not have the two lines it must have"))
    version = _version(loose.group(1))
    if version >= STRICT and not _DECLARATION_STRICT.fullmatch(text):
        raise DamagedBundle(_("bagit.txt is not spelled as BagIt 1.0 wants it"))
    return Declaration(version, _encoding(loose.group(2)))


def decode_text(untrusted: bytes, declaration: Declaration, name: str) -> str:
    """A tag file's text in the bag's encoding. Raises DamagedBundle."""
    if declaration.encoding == "utf-8" and untrusted.startswith(codecs.BOM_UTF8):
        raise DamagedBundle(_("{name} begins with a byte-order mark").format(name=name))
    try:
        return untrusted.decode(declaration.encoding)
    except UnicodeDecodeError as exc:
        raise DamagedBundle(_("{name} is not in the encoding that the bag declares").format(name=name)) from exc


def parse_manifest(text: str, algorithm: str, name: str) -> Iterator[ManifestEntry]:
    """The lines of a manifest. Raises DamagedBundle for a line of another form, with the line's number."""
    for number, line in _lines(text):
        match = _MANIFEST_LINE.fullmatch(line)
        if match is None or len(match.group(1)) != DIGEST_HEX_CHARS[algorithm]:
            raise DamagedBundle(_("line {number} of {name} is no digest and path").format(number=number, name=name))
        spelled = match.group(3)
        marked = spelled.startswith("*") and match.group(2) == " "
        yield ManifestEntry(match.group(1).lower(), spelled[1:] if marked else spelled, marked)


def parse_fetch(text: str) -> Iterator[FetchEntry]:
    """The lines of ``fetch.txt``. Raises DamagedBundle. Nothing is ever fetched."""
    for number, line in _lines(text):
        match = _FETCH_LINE.fullmatch(line)
        if match is None or not _URL.fullmatch(match.group(1)) or len(match.group(2)) > 19:
            raise DamagedBundle(_("line {number} of fetch.txt is no address, length and path").format(number=number))
        length = None if match.group(2) == "-" else int(match.group(2))
        yield FetchEntry(match.group(1), length, match.group(3))


def parse_info(text: str, declaration: Declaration, name: str) -> tuple[tuple[str, str], ...]:
    """The elements of ``bag-info.txt`` in order, continued lines joined by one space. Raises DamagedBundle."""
    elements: list[tuple[str, str]] = []
    for number, line in _lines(text):
        if line[0] in " \t":
            if not elements:
                raise DamagedBundle(_("line {number} of {name} continues nothing").format(number=number, name=name))
            label, value = elements.pop()
            elements.append((label, f"{value} {line.strip(_WHITE)}".lstrip(_WHITE)))
            continue
        label, colon, value = line.partition(":")
        if declaration.version < STRICT:
            label, value = label.strip(_WHITE), value.strip(_WHITE)
        elif value[:1] not in (" ", "\t") or label.strip(_WHITE) != label:
            raise DamagedBundle(
                _("line {number} of {name} is not spelled as BagIt 1.0 wants it").format(number=number, name=name)
            )
        else:
            value = value[1:]
        if not colon or not label:
            raise DamagedBundle(_("line {number} of {name} is no label and value").format(number=number, name=name))
        elements.append((label, value))
    return tuple(elements)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that hold something; ``str.splitlines`` would also split at characters that may be in names."""
    for number, line in enumerate(_LINE_END.split(text), 1):
        if line.strip(_WHITE):
            yield number, line


def _version(text: str) -> tuple[int, int]:
    major, __, minor = text.partition(".")
    if len(text) > 8 or (int(major), int(minor)) not in VERSIONS:
        raise DamagedBundle(_("a bag of an unknown BagIt version"))
    return int(major), int(minor)


def _encoding(name: str) -> str:
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        raise DamagedBundle(_("the bag's texts are in an unknown encoding"))
    return encoding
