# SPDX-License-Identifier: Apache-2.0
"""Drops: documents sealed for a case with its public card alone.

No vault and no secret is needed, and nothing readable stays. Documents are read twice,
because a bundle says all hashes first; one that changes in between is left out and named.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from gettext import gettext as _

from keys.age import Sink
from keys.card import Card
from vault.bundle import BundleItem, ContentChanged, file_name_of, new_bundle_id, write_bundle
from vault.disk import Disk
from vault.errors import BadInput, ReadFailed
from vault.names import printable
from vault.sealing import write_sealed
from vault.sources import About, FileIncoming, Problem, walk


@dataclass(slots=True)
class Drop:
    """A sealed drop: its file, how many documents are in it, and which are not."""

    path: str = ""
    count: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Document:
    incoming: FileIncoming
    item: BundleItem


def drop_paths(
    card: Card, paths: list[bytes], folder: str, *, about: About, clock_ns: int, keep_out: str,
    progress: Callable[[int, int], None],
) -> Drop:  # fmt: skip
    """Seal files and folders into a file in ``folder``, which is not made: a wiped outbox must not come back.

    Raises BadInput when nothing is left to seal, and DiskFailed.
    """
    drop = Drop()
    documents = list(_examine(paths, about, keep_out, drop.problems))
    while True:
        if not documents:
            raise BadInput(_("nothing to seal"), *(f"{printable(p.name)}: {p.reason}" for p in drop.problems[:5]))
        try:
            drop.path = _seal(card, documents, folder, clock_ns, progress)
        except ContentChanged as exc:
            changed = documents.pop(exc.index)
            drop.problems.append(Problem(changed.incoming.name, _("it changed while it was being read")))
            continue
        drop.count = len(documents)
        return drop


def _examine(paths: list[bytes], about: About, keep_out: str, problems: list[Problem]) -> Iterator[_Document]:
    for found in walk(paths, keep_out=keep_out):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        hasher, size = hashlib.sha256(), 0
        try:
            for piece, __ in found.pieces():
                hasher.update(piece)
                size += len(piece)
        except ReadFailed as exc:
            problems.append(Problem(found.name, str(exc)))
            continue
        item = BundleItem(found.name, size, hasher.digest(), found.mtime_ns, None, about.note, about.source, about.tags)
        yield _Document(found, item)


def _seal(
    card: Card, documents: list[_Document], folder: str, clock_ns: int, progress: Callable[[int, int], None]
) -> str:
    bundle_id = new_bundle_id()
    path = os.path.join(folder, file_name_of(bundle_id))

    def content(index: int) -> Iterator[bytes]:
        try:
            for piece, __ in documents[index].incoming.pieces():
                yield piece
        except ReadFailed as exc:
            raise ContentChanged(index) from exc
        progress(1, 0)

    def fill(sink: Sink) -> None:
        write_bundle(
            sink, [card.recipient], [d.item for d in documents], content, signer=None, clock_ns=clock_ns,
            bundle_id=bundle_id, progress=lambda size: progress(0, size),
        )  # fmt: skip

    write_sealed(path, fill, disk=Disk())
    return path
