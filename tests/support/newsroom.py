# SPDX-License-Identifier: Apache-2.0
"""Real vaults that are cheap to make, with people, cases and documents in them.

One vault is founded for each process and copied for each test: the parts are the real ones, only the cost of
stretching passphrases is small.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from keys.identity import Identity
from keys.primitives import Cost
from keys.secret import Secret
from vault import arming
from vault.cases import Case, create_case, find_case, load_case, open_store
from vault.disk import Disk
from vault.errors import Damaged
from vault.filing import Outcome, add
from vault.founding import found
from vault.intake import Intake
from vault.manifest import SIGNATURE_LABEL, Manifest, compress, digest, encode
from vault.model import EVENT_FILED, CaseId, Event, Item, PackId
from vault.pack import PackReader, PackWriter, pack_name
from vault.retrieving import CopiedOut, get
from vault.sources import About, FileIncoming, Incoming, Problem, StreamIncoming, walk
from vault.store import CaseStore
from vault.vaults import LockedVault, Vault

CHEAP = Cost(8, 1)
PASSPHRASE = "correct horse"
DAY = 1_763_700_000 * 10**9


def clock_from(start: int) -> Callable[[], int]:
    """A clock that moves on by a second each time it is asked."""
    ticks = itertools.count(start, 10**9)
    return lambda: next(ticks)


@functools.cache
def _founded(label: str) -> str:
    base = tempfile.mkdtemp(prefix="newsroom-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    folder = os.path.join(base, "vault")
    found(folder, Secret(PASSPHRASE.encode()), None, disk=Disk(), label=label, now_ns=DAY, cost=CHEAP, floor=CHEAP)
    return folder


@functools.cache
def _with_case(label: str, case: str) -> str:
    folder = os.path.join(tempfile.mkdtemp(prefix="newsroom-"), "vault")
    atexit.register(shutil.rmtree, os.path.dirname(folder), ignore_errors=True)
    shutil.copytree(_founded(label), folder)
    with unlock(folder) as vault:
        create_case(vault, case)
    return folder


def newsroom(folder: Path | str, *, label: str = "Айгүл", case: str | None = "Mine") -> str:
    """A vault at ``folder``, with one journalist and one empty case; its path."""
    shutil.copytree(_founded(label) if case is None else _with_case(label, case), folder)
    return str(folder)


def found_abroad(folder: str) -> None:
    """What a guard sees once a member of each case found, today, that all of it is abroad."""
    arming.remember(folder, arming.cases_with_packs(folder), time.time_ns(), disk=Disk())


def unlock(
    folder: str, passphrase: str = PASSPHRASE, *, disk: Disk | None = None, clock: Callable[[], int] | None = None
) -> Vault:
    """Open it for whoever has the passphrase."""
    locked = LockedVault.at(folder, disk=disk or Disk(), floor=CHEAP)
    return locked.unlock(Secret(passphrase.encode()), clock=clock or clock_from(DAY))


def store_of(vault: Vault, case: str = "Mine") -> CaseStore:
    """The store of a case by its name."""
    return open_store(vault, find_case(vault, case))


class NoInput:
    """A standard input with nothing in it."""

    def read(self, size: int = -1, /) -> bytes:
        return b""


def add_paths(vault: Vault, *paths: Path | str | bytes, case: str = "Mine", move: bool = False,
              about: About = About()) -> Outcome:  # fmt: skip
    """What ``sandyk add`` does."""
    return add(
        vault, case, [os.fsencode(p) for p in paths], about=about, move=move, stdin=NoInput(), stdin_name=b"-",
        progress=lambda documents, size: None,
    )  # fmt: skip


class _Once:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, size: int = -1, /) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        piece, self._at = self._data[self._at : end], min(end, len(self._data))
        return piece


def incoming(name: bytes, content: bytes, about: About = About()) -> StreamIncoming:
    """A document that was never a file."""
    return StreamIncoming(name, _Once(content), about=about)


def filed_events(items: tuple[Item, ...]) -> tuple[Event, ...]:
    """The event that ``add`` records."""
    return (Event(DAY, EVENT_FILED, tuple(item.id for item in items), ""),) if items else ()


def file(store: CaseStore, documents: dict[bytes, bytes] | Iterable[Incoming | Problem], **more: object) -> Intake:
    """File documents of these names and contents in one run."""
    if isinstance(documents, dict):
        documents = [incoming(name, content) for name, content in documents.items()]
    return store.file(documents, events=filed_events, **more)  # type: ignore[arg-type]


def on_disk(path: Path) -> list[FileIncoming | Problem]:
    """What ``walk`` finds."""
    return list(walk([os.fsencode(path)], keep_out=""))


def contents(store: CaseStore) -> dict[bytes, bytes]:
    """Everything that is filed, read back: name to content. Raises what reading raises."""
    return {item.name: b"".join(store.read(item)) for item in store.index.items()}


def listing(store: CaseStore) -> list[Item]:
    """All items."""
    return list(store.index.items())


def copy_out(store: CaseStore, folder: Path, **more: object) -> list[CopiedOut | Problem]:
    """Every item of the case into a folder."""
    return list(get(store, listing(store), str(folder), **more))  # type: ignore[arg-type]


def packs_folder(store: CaseStore) -> Path:
    """Where the case's packs lie."""
    return Path(store.folder) / "packs"


def pack_paths(store: CaseStore) -> list[Path]:
    """The files of all packs, the earliest first by place in the chain."""
    return [packs_folder(store) / pack_name(row.pack) for row in store.index.packs()]


def read_manifest(store: CaseStore, path: Path) -> Manifest:
    """The manifest in a pack file."""
    pack = PackId(bytes.fromhex(path.stem))
    with PackReader(str(path.parent), pack, [epoch.age for epoch in store.keys.epochs]) as reader:
        return reader.manifest()[0]


def write_pack(
    store: CaseStore, manifest: Manifest, stored: Iterable[bytes], author: Identity, *,
    signature: bytes | None = None, compressed: bytes | None = None,
) -> Path:  # fmt: skip
    """A pack as anybody can make one who knows the case's public recipient; its path."""
    encoded = encode(manifest)
    writer = PackWriter(Disk(), str(packs_folder(store)), PackId(manifest.pack), store.keys.epochs[-1].recipient)
    for chunk in stored:
        writer.add_chunks([chunk])
    sign = signature or author.sign(SIGNATURE_LABEL, digest(encoded))
    writer.finish(compress(encoded) if compressed is None else compressed, sign)
    return packs_folder(store) / pack_name(PackId(manifest.pack))


def reload(vault: Vault, case: Case) -> Case:
    """The case as it is on the disk now, for this journalist."""
    found = load_case(vault, CaseId(case.id))
    if found is None:
        raise Damaged("no member")
    return found


def files_below(folder: Path | str) -> dict[str, bytes]:
    """Every file below a folder: relative path to content."""
    base = Path(folder)
    return {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*")) if p.is_file()}
