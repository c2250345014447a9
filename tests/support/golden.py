# SPDX-License-Identifier: Apache-2.0
"""The vaults of ``tests/vectors/vault``, put together again from what is kept of them (tools/make_golden_vault.py)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "vault"


def versions() -> list[str]:
    """Of which versions there is one."""
    return sorted(path.name for path in VECTORS.iterdir())


def expected(version: str) -> dict[str, Any]:
    """What a reader must find."""
    document = json.loads((VECTORS / version / "expected.json").read_text("utf-8"))
    assert isinstance(document, dict)
    return document


def unpack(version: str, folder: Path) -> str:
    """A new copy of a vault, without its index; the folder's path."""
    kept, at = (VECTORS / version / "vault.bin").read_bytes(), 0
    for name, file in expected(version)["files"].items():
        stand_in = hashlib.shake_256(b"sandyk golden vault\0" + name.encode()).digest(file["size"])
        content = bytearray(stand_in)
        for start, size in file["pieces"]:
            content[start : start + size] = kept[at : at + size]
            at += size
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert at == len(kept)
    (folder / "outbox").mkdir()
    return str(folder)
