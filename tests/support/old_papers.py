# SPDX-License-Identifier: Apache-2.0
"""Documents of the formats before 2007: by LibreOffice where it writes them, else compound files made by hand."""

from __future__ import annotations

import base64
import struct
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.tools import need

_NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"),
        ("presentation", "presentation"), ("fo", "xsl-fo-compatible"), ("svg", "svg-compatible"), ("meta", "meta"),
    )
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip
_SECONDS = 120


def _flat(kind: str, body: str, *, title: str = "", styles: str = "") -> str:
    meta = f"<office:meta><dc:title>{title}</dc:title></office:meta>" if title else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {_NAMES} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.{kind}">{meta}{styles}'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    )


def _picture(picture: bytes, *, anchor: str) -> str:
    data = base64.b64encode(picture).decode()
    return (
        f'<draw:frame {anchor} svg:x="2cm" svg:y="2cm" svg:width="10cm" svg:height="3cm"><draw:image>'
        f"<office:binary-data>{data}</office:binary-data></draw:image></draw:frame>"
    )


def flat_text(text: str, *, note: str, comment: str, header: str, box: str, title: str, picture: bytes = b"") -> str:
    """A text for Writer (FODT): a paragraph with a footnote, a comment and a text box, and a header."""
    styles = (
        '<office:automatic-styles><style:page-layout style:name="pm1"><style:header-style/></style:page-layout>'
        '</office:automatic-styles><office:master-styles><style:master-page style:name="Standard" '
        f'style:page-layout-name="pm1"><style:header><text:p>{header}</text:p></style:header></style:master-page>'
        "</office:master-styles>"
    )
    body = (
        f'<text:p>{text}<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        f"<text:note-body><text:p>{note}</text:p></text:note-body></text:note>"
        f"<office:annotation><dc:creator>Айгүл</dc:creator><text:p>{comment}</text:p></office:annotation></text:p>"
        '<text:p><draw:frame text:anchor-type="paragraph" svg:width="5cm" svg:height="2cm"><draw:text-box>'
        f"<text:p>{box}</text:p></draw:text-box></draw:frame></text:p>"
    )
    if picture:
        drawn = _picture(picture, anchor='text:anchor-type="paragraph"')
        body += f"<text:p>{drawn}</text:p>"
    return _flat("text", body, title=title, styles=styles)


def flat_sheet(rows: list[list[str | float]], *, name: str, comment: str, title: str) -> str:
    """A sheet for Calc (FODS) with a comment in its first cell, and one that is hidden."""
    def cell(value: str | float, note: str = "") -> str:
        said = f"<office:annotation><text:p>{note}</text:p></office:annotation>" if note else ""
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string">{said}<text:p>{value}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    lines = [
        "".join(cell(value, comment if r == c == 0 else "") for c, value in enumerate(row))
        for r, row in enumerate(rows)
    ]
    table = "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)
    return _flat("spreadsheet", f'<table:table table:name="{name}">{table}</table:table>', title=title)


def flat_slides(texts: list[str], *, notes: str, title: str, picture: bytes = b"") -> str:
    """Slides for Impress (FODP); the speaker's notes stand on the first, the picture on the last."""
    pages = []
    for n, text in enumerate(texts):
        said = (
            "<presentation:notes><draw:frame presentation:class=\"notes\" svg:width=\"10cm\" svg:height=\"5cm\">"
            f"<draw:text-box><text:p>{notes}</text:p></draw:text-box></draw:frame></presentation:notes>"
        )  # fmt: skip
        drawn = _picture(picture, anchor="") if picture and n == len(texts) - 1 else ""
        pages.append(
            f'<draw:page draw:name="p{n}" draw:master-page-name="M"><draw:frame svg:width="10cm" svg:height="5cm">'
            f"<draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
            f"{drawn}{said if n == 0 else ''}</draw:page>"
        )
    styles = (
        '<office:automatic-styles><style:page-layout style:name="pm1"/></office:automatic-styles><office:master-styles>'
        '<style:master-page style:name="M" style:page-layout-name="pm1"/></office:master-styles>'
    )
    return _flat("presentation", "".join(pages), title=title, styles=styles)


@cache
def converted(flat: str, ending: str) -> bytes:
    """A flat document as LibreOffice writes it with another ending. Skips without LibreOffice."""
    soffice = need("soffice")
    given = {"text": "fodt", "spreadsheet": "fods", "presentation": "fodp"}
    kind = next(kind for name, kind in given.items() if f"opendocument.{name}" in flat)
    with TemporaryDirectory() as folder:
        document = Path(folder) / f"paper.{kind}"
        document.write_text(flat)
        subprocess.run(
            [soffice, f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", ending,
             "--outdir", folder, str(document)],
            check=True, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return (Path(folder) / f"paper.{ending.partition(':')[0]}").read_bytes()


# Compound files ([MS-CFB]): what LibreOffice does not write. A folder is a mapping.

_SECTOR, _SMALL, _CUTOFF = 512, 64, 4096
_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF


def compound(content: Mapping[str, Any]) -> bytes:
    """A file with these streams and storages. Every folder's entries are a chain to the right, which readers accept."""
    entries: list[list[Any]] = [["Root Entry", 5, _NONE, b""]]
    _add_entries(entries, 0, content)
    sectors: list[bytes] = []
    chains: list[int] = []

    def store(data: bytes) -> int:
        if not data:
            return _END
        first = len(sectors)
        for start in range(0, len(data), _SECTOR):
            sectors.append(data[start : start + _SECTOR].ljust(_SECTOR, b"\0"))
            chains.append(len(sectors))
        chains[-1] = _END
        return first

    small, small_chains, places = bytearray(), [], {}
    for n, (_name, kind, _child, data, *_right) in enumerate(entries):
        if kind == 2 and len(data) >= _CUTOFF:
            places[n] = store(data)
        elif kind == 2 and data:
            places[n] = len(small_chains)
            count = -(-len(data) // _SMALL)
            small += data.ljust(count * _SMALL, b"\0")
            small_chains += [*range(places[n] + 1, places[n] + count), _END]
    places[0], entries[0][3] = store(bytes(small)), bytes(small)
    small_fat = store(struct.pack(f"<{len(small_chains)}I", *small_chains))
    count_small = -(-4 * len(small_chains) // _SECTOR)
    directory = b"".join(
        _entry(name, kind, child, right[0] if right else _NONE, places.get(n, 0 if kind == 1 else _END), len(data))
        for n, (name, kind, child, data, *right) in enumerate(entries)
    )
    where = store(directory.ljust(-(-len(directory) // _SECTOR) * _SECTOR, b"\0"))
    fats = 1
    while fats * (_SECTOR // 4) < len(sectors) + fats:
        fats += 1
    fat = [*chains, *[_FAT] * fats]
    fat += [_FREE] * (fats * (_SECTOR // 4) - len(fat))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, fats, where, 0,
        _CUTOFF, small_fat, count_small, _END, 0,
    )  # fmt: skip
    header += struct.pack("<109I", *(list(range(len(sectors), len(sectors) + fats)) + [_FREE] * (109 - fats)))
    return header + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _add_entries(entries: list[list[Any]], parent: int, content: Mapping[str, Any]) -> None:
    before = None
    for name in sorted(content, key=lambda name: (len(name), name.upper())):
        value, n = content[name], len(entries)
        folder = isinstance(value, Mapping)
        entries.append([name, 1 if folder else 2, _NONE, b"" if folder else value, _NONE])
        if before is None:
            entries[parent][2] = n
        else:
            entries[before][4] = n
        before = n
        if folder:
            _add_entries(entries, n, value)


def _entry(name: str, kind: int, child: int, right: int, start: int, size: int) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16xI8x8xIQ", raw, len(raw), kind, 1, _NONE, right, child, 0, start, size
    )


def old_word(*pieces: str | bytes, identity: int = 0xA5EC, flags: int = 0x0200) -> bytes:
    """A .doc of pieces: a str in UTF-16, bytes as they are. As Word 6 (0xA5DC) all of them must be bytes."""
    start = 0x600
    text, table, ends = b"", b"", [0]
    for piece in pieces:
        place = start + len(text)
        if isinstance(piece, str):
            table += struct.pack("<HIH", 0, place, 0)
            text += piece.encode("utf-16-le")
        else:
            table += struct.pack("<HIH", 0, place * 2 | 1 << 30, 0)
            text += piece
        ends.append(ends[-1] + len(piece))
    places = struct.pack(f"<{len(ends)}I", *ends) + table
    clx = b"\x01" + struct.pack("<H", 4) + b"prop" + b"\x02" + struct.pack("<I", len(places)) + places
    main = bytearray(start)
    struct.pack_into("<HH", main, 0, identity, 0xC1)
    struct.pack_into("<H", main, 10, flags)
    if identity == 0xA5EC:
        struct.pack_into("<II", main, 0x01A2, 0, len(clx))
        return compound({"WordDocument": bytes(main) + text, "1Table": clx})
    struct.pack_into("<II", main, 0x18, start, start + len(text))
    struct.pack_into("<II", main, 0x0160, start + len(text), len(clx))
    return compound({"WordDocument": bytes(main) + text + clx})


def outlook(
    properties: Mapping[str, str | bytes], *, people: Sequence[str] = (), attached: Mapping[str, Any] | None = None,
    page: int = 0, sent: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """A mail of Outlook, for ``compound``: properties by their number and type; an attachment that is a mapping is a
    mail itself. ``sent`` is in seconds since 1970."""
    fixed = [(0x3FFD0003, page)] if page else []
    fixed += [(0x00390040, (sent + 11_644_473_600) * 10_000_000)] if sent else []
    stream = bytes(32) + b"".join(struct.pack("<IIQ", what, 6, value) for what, value in fixed)
    content: dict[str, Any] = {"__properties_version1.0": stream, **_streams(properties)}
    for n, person in enumerate(people):
        named = _streams({"3001001F": person})
        content[f"__recip_version1.0_#{n:08X}"] = {"__properties_version1.0": bytes(8), **named}
    for n, (name, value) in enumerate((attached or {}).items()):
        held = {"__substg1.0_3701000D": value} if isinstance(value, Mapping) else {"__substg1.0_37010102": value}
        content[f"__attach_version1.0_#{n:08X}"] = {
            "__properties_version1.0": bytes(8), **_streams({"3707001F": name}), **held
        }
    return content


def _streams(properties: Mapping[str, str | bytes]) -> dict[str, bytes]:
    return {
        f"__substg1.0_{what}": value.encode("utf-16-le") if isinstance(value, str) else value
        for what, value in properties.items()
    }
