# SPDX-License-Identifier: Apache-2.0
"""Cheap vaults in which a duress passphrase is set up, and disks that write down what is asked of them."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from keys.secret import Secret
from tests.support.newsroom import PASSPHRASE, newsroom, unlock
from vault import decoys
from vault.disk import Disk, Lock
from vault.errors import DoesNotOpen
from vault.vaults import Vault

COLLEAGUE = "another journalist here"
DECOY = "a quiet decoy of mine"
DURESS = "burn all of the letters"


def set_up(
    vault: Vault, mine: str = PASSPHRASE, decoy: str = DECOY, duress: str = DURESS, label: str = "Айгүл"
) -> None:
    """What `sandyk journalist duress` does once it was told everything."""
    decoys.set_up(vault, Secret(mine.encode()), Secret(decoy.encode()), Secret(duress.encode()), label)


@functools.cache
def _prepared() -> str:
    folder = os.path.join(tempfile.mkdtemp(prefix="duress-"), "vault")
    atexit.register(shutil.rmtree, os.path.dirname(folder), ignore_errors=True)
    newsroom(folder)
    with unlock(folder) as vault:
        vault.add_journalist("Бек", Secret(COLLEAGUE.encode()))
        set_up(vault)
    return folder


def with_duress(folder: Path | str) -> str:
    """A vault at ``folder`` with two journalists, a case, a decoy and a duress passphrase; its path."""
    shutil.copytree(_prepared(), folder)
    return str(folder)


def opens(folder: str, passphrase: str) -> bool:
    """Whether it opens anything. Never to be asked of a duress passphrase that should not destroy."""
    try:
        unlock(folder, passphrase).close()
    except DoesNotOpen:
        return False
    return True


class RecordingDisk(Disk):
    """A real disk that writes down every operation and the place in the vault, random parts of names left out."""

    def __init__(self, folder: str) -> None:
        self._folder, self.seen = folder, list[tuple[str, str]]()

    def _note(self, operation: str, path: str) -> None:
        relative = os.path.relpath(path, self._folder)
        stem, dash, _ = relative.rpartition("-")
        self.seen.append((operation, stem if dash and relative.endswith(".new") else relative))

    def step(self, operation: str, path: str) -> None:
        self._note(operation, path)

    def read(self, path: str, *, limit: int) -> bytes:
        self._note("read", path)
        return super().read(path, limit=limit)

    def lock(self, path: str, *, wait: bool = True) -> Lock:
        self._note(f"lock, wait={wait}", path)
        return super().lock(path, wait=wait)
