# SPDX-License-Identifier: Apache-2.0
"""Folders that look like vaults from outside: right names and sizes, random bytes, no keys in them."""

from __future__ import annotations

import os

from keys.layout import KEYRING_SIZE
from vault.disk import Disk

CASE = "cases/" + "0a" * 16
PACK = f"{CASE}/packs/" + "1b" * 16 + ".age"
NAMES = (
    "VAULT",
    "keyring",
    "counter",
    "lock",
    "rosters/0.age",
    "books/07.age",
    f"{CASE}/access/000001.age",
    f"{CASE}/index",
    f"{CASE}/index-wal",
    f"{CASE}/lock",
    PACK,
    f"{CASE}/packs/" + "2c" * 16 + ".age-01234567.new",
    "outbox/0123abcd.age",
)
COUNTER = b"sandyk counter 1\nfiled 14\nsealed 12\nsafe 10\nlast-sealed 2026-05-01\nlast-safe 2026-05-03\n"


def make_fake_vault(folder: str, *, keyring: bytes | None = None) -> dict[str, bytes]:
    """Write one and return its files, by relative path."""
    files = {name: os.urandom(6000) for name in NAMES}
    files["VAULT"] = b"sandyk vault 1\nargon2id memory-kib=262144 passes=3 lanes=1\nsalt AAAA\n"
    files["keyring"] = os.urandom(KEYRING_SIZE) if keyring is None else keyring
    files["counter"] = COUNTER
    files["lock"] = files[f"{CASE}/lock"] = b""
    for name, data in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    return files


def files_in(folder: str) -> dict[str, bytes]:
    """All regular files below a folder, by relative path; empty if it does not exist."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as f:
                    found[os.path.relpath(path, folder)] = f.read()
    return found


def blocks_changed(before: bytes, after: bytes, size: int = 4096) -> bool:
    """Whether the lengths are equal and every block differs."""
    return len(before) == len(after) and all(
        before[i : i + size] != after[i : i + size] for i in range(0, len(before), size)
    )


class PowerCut(BaseException):
    """The machine stops. Not an Exception, so that no handler mistakes it for a failed operation."""


class StoppingDisk(Disk):
    """Stops before the ``n``-th change; counts the changes."""

    def __init__(self, n: int | None = None) -> None:
        self.n, self.steps = n, 0

    def step(self, operation: str, path: str) -> None:
        if self.steps == self.n:
            raise PowerCut
        self.steps += 1
