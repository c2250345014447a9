# SPDX-License-Identifier: Apache-2.0
"""Sealed files that anybody may send: each is refused with an error of ours, writes nothing and takes bounded memory.

What each layer refuses in detail is tested where the layer is: age in ``tests/keys/test_age_hostile.py``, the tar in
``test_tar.py``, the bag in ``test_bundle_refusals.py``, its texts in ``test_bundle_texts.py``, the ZIP in
``test_zipped.py``, names in ``test_names.py``. Here the whole way is gone, from a file on the disk.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from keys import age
from keys.armor import ArmorWriter
from keys.header import Stanza
from tests.support.bundles import DROP_PLAIN, EDITOR, ID, OTHER, hostile
from vault import bundle_layout as layout
from vault.errors import VaultError
from vault.opening import open_into_folder
from vault.tar import TarWriter

MEMORY = 420 << 20
"""Bytes that a process may take for the largest of these: four texts of a bundle at their limits are 192 MiB."""


def sealed(content: bytes) -> bytes:
    return age.seal(content, [EDITOR.recipient])


def armored(content: bytes) -> bytes:
    sink = io.BytesIO()
    writer = ArmorWriter(sink)
    writer.write(content)
    writer.finish()
    return sink.getvalue()


def header_of(stanzas: list[Stanza]) -> bytes:
    text = b"".join(stanza.encode() for stanza in stanzas)
    return b"age-encryption.org/v1\n" + text + b"--- " + b"A" * 43 + b"\n" + bytes(100)


def tar_of(path: str, claimed: int, content: bytes = b"") -> bytes:
    sink = io.BytesIO()
    tar = TarWriter(sink)
    tar.add(f"{layout.root_of(ID)}/bagit.txt", 0)
    tar.add(f"{layout.root_of(ID)}/{path}", claimed)
    tar.write(content)
    return sink.getvalue()


def directory_of_many() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number:0200}", b"")
    return sink.getvalue()


def custody(line: bytes) -> Callable[[], bytes]:
    """A drop whose custody record has this line as often as it may be long."""
    text = line * (layout.MAX_BYTES[layout.CUSTODY] // len(line))
    return lambda: sealed(hostile(lambda files: files.update({layout.CUSTODY: text}), DROP_PLAIN, None))


FILES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"hello\n" * 1000,
    "armor in armor": lambda: armored(armored(sealed(b"x"))),
    "armor without end": lambda: b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"A" * (8 << 20),
    "a header without end": lambda: b"age-encryption.org/v1\n-> X25519 " + b"A" * (8 << 20),
    "thousands of stanzas": lambda: header_of([Stanza(("X25519", "A" * 43), bytes(32))] * 5000),
    "more work than anybody has": lambda: header_of([Stanza(("scrypt", "A" * 22, "99"), bytes(32))]),
    "for somebody else": lambda: age.seal(b"x", [OTHER.recipient]),
    "a tag file of 4 EiB": lambda: sealed(tar_of(layout.MANIFEST, 1 << 62)),
    "a document of 8 EiB first": lambda: sealed(tar_of("data/0001/a", (1 << 63) - 1, b"x" * 1000)),
    "a million empty lists": custody(b'{"item":1,"event":{"a":[' + b"[]," * 900 + b"[]]}}\n"),
    "a million events": custody(b'{"item":1,"event":{}}\n'),
    "a million lines": custody(b"\n"),
    "a list of many ZIP members": directory_of_many,
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_refused_and_writes_nothing(name: str, tmp_path: Path) -> None:
    """In a process of its own, which says how much memory it took."""
    (tmp_path / "in.age").write_bytes(FILES[name]())
    program = (
        "import re, sys\n"
        "from keys.errors import KeysError\n"
        "from tests.support.bundles import EDITOR\n"
        "from vault.errors import VaultError\n"
        "from vault.opening import open_into_folder\n"
        "try:\n"
        "    open_into_folder(sys.argv[1], [EDITOR.age], sys.argv[2], None, progress=lambda documents, size: None)\n"
        "except (VaultError, KeysError) as exc:\n"
        # Not ru_maxrss: that begins with what the process which started this one ever had.
        "    peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]\n"
        "    print(type(exc).__name__, int(peak) << 10)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "in.age"), str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    kind, memory = run.stdout.split()
    assert kind in {"DamagedBundle", "DamagedSeal", "DoesNotOpen"}
    assert int(memory) < MEMORY
    assert not os.path.exists(tmp_path / "out") or os.listdir(tmp_path / "out") == []
    assert sorted(os.listdir(tmp_path)) in (["in.age"], ["in.age", "out"])


@pytest.mark.parametrize("name", ["\u202egpj.exe.age", "a\nb.age", "x" * 200 + ".age", ".age", "con.age", "..age"])
def test_a_plain_age_file_of_any_name_is_written_inside_under_a_harmless_one(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "a/b").mkdir(parents=True)
    path = folder / "a/b" / name
    path.write_bytes(sealed(b"content"))
    before = set(tmp_path.rglob("*"))
    opened = open_into_folder(
        str(path), [EDITOR.age], str(tmp_path / "out"), None, progress=lambda documents, size: None
    )
    (document,) = opened.documents
    written = set(tmp_path.rglob("*")) - before
    assert all(p.is_relative_to(tmp_path / "out") for p in written)
    assert Path(document.place).read_bytes() == b"content"
    assert Path(document.place).name.isprintable()


def test_a_device_in_the_place_of_a_file_is_not_read_for_ever(tmp_path: Path) -> None:
    for path in ("/dev/zero", "/dev/null", str(tmp_path)):
        with pytest.raises(VaultError):
            open_into_folder(path, [EDITOR.age], str(tmp_path / "out"), None, progress=lambda documents, size: None)
