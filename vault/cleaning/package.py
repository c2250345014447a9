# SPDX-License-Identifier: Apache-2.0
"""ZIP packages as office documents are: read with limits, and written with nothing but names and contents.

The copy holds no times, no comments, no extra fields, and nothing between the members. In confined children only.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO

from vault.confined.protocol import Refused

MAX_PARTS = 20_000
MAX_UNPACKED = 400 << 20
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1
_UNIX = 3


def read(untrusted: bytes) -> dict[str, bytes]:
    """Name to content, in order, without folders. Raises Refused."""
    try:
        with zipfile.ZipFile(BytesIO(untrusted)) as package:
            infos = [info for info in package.infolist() if not info.is_dir()]
            if len({info.filename for info in infos}) != len(infos):
                raise Refused("it is damaged: two of its parts have one name")
            if any(info.filename.startswith("/") or ".." in info.filename.split("/") for info in infos):
                raise Refused("it is damaged: one of its parts has a name that leads out of it")
            if any(info.flag_bits & _ENCRYPTED for info in infos):
                raise Refused("it is encrypted")
            if len(infos) > MAX_PARTS or sum(info.file_size for info in infos) > MAX_UNPACKED:
                raise Refused(f"unpacked it is larger than {MAX_UNPACKED >> 20} MiB, or has over {MAX_PARTS:,} parts")
            return {info.filename: _content(package, info) for info in infos}
    # NotImplementedError: zipfile's word for a way of compressing that it does not know.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as exc:
        raise Refused("it is damaged, or no package of an office program") from exc


def _content(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with package.open(info) as member:
        content = member.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ValueError("a part is longer or shorter than it says")
    return content


def write(parts: Mapping[str, bytes], *, stored: str = "") -> bytes:
    """A package of these parts, in order; the one named ``stored`` is not compressed."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _NO_TIME)
            info.create_system = _UNIX  # the same on every system
            package.writestr(info, content, zipfile.ZIP_STORED if name == stored else zipfile.ZIP_DEFLATED)
    return out.getvalue()
