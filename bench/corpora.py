# SPDX-License-Identifier: Apache-2.0
"""Seeded corpora: the same names and bytes on every machine, so that two people measure the same thing.

    python -m bench.corpora KIND DIR [--scale S]

    documents   20,000 compressible texts of 2 to 200 KB under Cyrillic names, 15 % of them exact duplicates
    leak        2,000 files of 1 KB to 50 MB, half of them incompressible, with copies and shifted copies
    media       8 incompressible files of 256 MiB
    large       one incompressible file of 3 GB, for peak memory

Runs as a process of its own: what a parent once used counts as its children's peak memory (getrusage(2)).
Texts are made of a fixed set of sentences, so they resemble each other more than real ones do; no tool that is
compared looks for likeness between files below its chunk size, so this favours none of them.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path

MIB = 1 << 20
_FIRST_MTIME = 1_600_000_000
_SYLLABLES = re.findall(
    r"\w+",
    "ба бо ву га го да де до жа за зи ка ке ко ку ла ле ло лу ма ме ми мо на не ни но па пе по ра ре ри ро ру са се"
    " си со су та те ти то ту ха хо ча чи ша ше ык үр өт ың",
)


def words(rng: random.Random, count: int) -> list[str]:
    """``count`` made-up Cyrillic words."""
    return ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 5))) for _ in range(count)]


def sentences(rng: random.Random, count: int) -> list[bytes]:
    """``count`` lines of text in which few words are frequent and many rare, as in a language."""
    vocabulary = words(rng, 20_000)
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    drawn = iter(rng.choices(vocabulary, weights, k=count * 12))
    return [
        (" ".join(next(drawn) for _ in range(12)).capitalize() + f", {rng.randrange(10**6)}.\n").encode()
        for _ in range(count)
    ]


def text(rng: random.Random, pool: list[bytes], size: int) -> bytes:
    """Exactly ``size`` bytes of lines from the pool."""
    lines = b"".join(rng.choices(pool, k=size // 100 + 1))
    while len(lines) < size:
        lines += b"".join(rng.choices(pool, k=size // 1000 + 1))
    return lines[:size]


def _lines(scale: float) -> int:
    """How many different lines the texts of a corpus are made of: enough that few files share one."""
    return max(1_000, round(50_000 * scale))


class Folder:
    """Writes files with increasing modification times."""

    def __init__(self, root: Path) -> None:
        self._root, self._count = root, 0

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Write one file."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as f:
            for part in parts:
                f.write(part)
        os.utime(path, (_FIRST_MTIME + self._count,) * 2)
        self._count += 1

    def get(self, name: str) -> bytes:
        """What was written."""
        return (self._root / name).read_bytes()


def documents(folder: Folder, scale: float) -> None:
    """See the module."""
    rng = random.Random("documents")
    pool, titles = sentences(rng, _lines(scale)), words(rng, 3_000)
    originals: list[str] = []
    for i in range(max(1, round(20_000 * scale))):
        name = f"дело-{i // 400:03}/том-{i // 50 % 8 + 1}/{i:05} {rng.choice(titles)} {rng.choice(titles)}.txt"
        if originals and rng.random() < 0.15:
            folder.put(name, [folder.get(rng.choice(originals))])
        else:
            folder.put(name, [text(rng, pool, round(2_000 * 100 ** rng.random()))])
            originals.append(name)


def leak(folder: Folder, scale: float) -> None:
    """See the module."""
    rng = random.Random("leak")
    pool, titles = sentences(rng, _lines(scale)), words(rng, 3_000)
    originals: list[str] = []
    for i in range(max(1, round(2_000 * scale))):
        name = f"выгрузка/{rng.choice(titles)}/{i:05} {rng.choice(titles)}"
        kind = rng.random()
        if originals and kind < 0.15:
            data = folder.get(rng.choice(originals))
            at = rng.randrange(1 + len(data) // 4) if kind < 0.05 else 0
            inserted = rng.randbytes(rng.randint(1, 4_000)) if kind < 0.05 else b""
            folder.put(name, [data[:at], inserted, data[at:]])
            continue
        size = round(min(50e6, max(1e3, rng.lognormvariate(math.log(110_000), 2.2))))
        folder.put(name, [text(rng, pool, size) if rng.random() < 0.5 else rng.randbytes(size)])
        originals.append(name)


def media(folder: Folder, scale: float) -> None:
    """See the module."""
    for i in range(8):
        _incompressible(folder, f"видео/запись {i + 1}.mp4", round(256 * MIB * scale), f"media {i}")


def large(folder: Folder, scale: float) -> None:
    """See the module."""
    _incompressible(folder, "запись.mp4", round(3_000_000_000 * scale), "large")


def _incompressible(folder: Folder, name: str, size: int, seed: str) -> None:
    rng = random.Random(seed)
    folder.put(name, (rng.randbytes(min(MIB, size - at)) for at in range(0, size, MIB)))


KINDS: dict[str, Callable[[Folder, float], None]] = {
    "documents": documents, "leak": leak, "media": media, "large": large,
}  # fmt: skip


def main() -> None:
    """Make one corpus."""
    parser = argparse.ArgumentParser(description="make a corpus")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    KINDS[arguments.kind](Folder(arguments.folder), arguments.scale)


if __name__ == "__main__":
    main()
