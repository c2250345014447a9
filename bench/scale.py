# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.scale`: how the cost of each command grows with the number of documents in a case.

One case is filled by the program's own filing code, step by step, with documents of which most have a content that
is there already: many items, much logical size, little on the disk. That is done in processes of their own, so that no
memory of it is taken for a command's. At each step real commands are timed, as processes, each beside a bare `case
list`, which is the price of starting and of the passphrase. A power of the number of documents is fitted to what a
command costs beyond that. Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Measurement, run
from bench.peers import SANDYK
from keys.primitives import FLOOR
from keys.secret import Secret
from vault.cases import create_case, find_case, open_store
from vault.disk import Disk
from vault.founding import found
from vault.model import EVENT_FILED, Event, Item
from vault.sources import About, StreamIncoming
from vault.vaults import LockedVault

BEGIN, END = "<!-- begin of figures of scale -->", "<!-- end of figures of scale -->"
STEPS = (1_000, 10_000, 100_000, 1_000_000)
DOCUMENT_BYTES = 200_000
DISTINCT = 1_000
"""How many different contents there are."""
TIMES = 3
CASE, PASSPHRASE = "Scale", "correct horse battery staple"
ADDED_AT_ONCE = 100_000
BASE = "case list"


@dataclass(frozen=True, slots=True)
class Row:
    """What one command took at one number of documents: seconds (median) and MB (greatest)."""

    command: str
    documents: int
    seconds: float
    megabytes: float


def main() -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--steps", type=lambda text: tuple(map(int, text.split(","))), default=STEPS)
    parser.add_argument("--document-bytes", type=int, default=DOCUMENT_BYTES)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--work", type=Path, help="folder on the disk to measure")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the table into this page")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="also draw the curves")
    parser.add_argument("--json", type=Path, help="keep the measurements there")
    parser.add_argument("--fill", type=int, nargs=2, metavar=("FROM", "TO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        fill(arguments.work, range(*arguments.fill), arguments.document_bytes)
        return 0
    with tempfile.TemporaryDirectory(prefix="sandyk-scale-", dir=arguments.work) as scratch:
        rows = measure(Path(scratch), arguments.steps, arguments.document_bytes, arguments.times)
    text = table(rows, arguments.document_bytes)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps([[r.command, r.documents, r.seconds, r.megabytes] for r in rows]))
    if arguments.write:
        write_into(arguments.write, text)
    if arguments.plot:
        arguments.plot.write_text(plot(rows), encoding="utf-8")
    return 0


def measure(work: Path, steps: Sequence[int], document_bytes: int, times: int) -> list[Row]:
    """Fill one case to each step in turn and time the commands there."""
    folder, secret = str(work / "vault"), Secret(PASSPHRASE.encode())
    found(folder, secret, None, disk=Disk(), label="Scale", now_ns=time.time_ns(), cost=FLOOR)
    (work / "pass").write_text(PASSPHRASE + "\n")
    rows: list[Row] = []
    with LockedVault.at(folder, disk=Disk()).unlock(secret) as vault:
        create_case(vault, CASE)
    there = 0
    for step in steps:
        for first in range(there, step, ADDED_AT_ONCE):
            last = min(step, first + ADDED_AT_ONCE)
            words = ("--fill", str(first), str(last), "--document-bytes", str(document_bytes), "--work", str(work))
            filling = run(shlex.join((sys.executable, "-m", "bench.scale", *words)))
            print(f"{last:,} documents, {filling.wall:.0f} s, {filling.rss:.0f} MB", file=sys.stderr)
        there = step
        rows += _timed(work, step, times)
    return rows


def fill(work: Path, numbers: range, document_bytes: int) -> None:
    """File so many documents more, at once."""
    with (
        LockedVault.at(str(work / "vault"), disk=Disk()).unlock(Secret(PASSPHRASE.encode())) as vault,
        open_store(vault, find_case(vault, CASE)) as store,
    ):
        store.file(_documents(numbers, document_bytes), events=_filed, note=lambda one: None)


def _filed(items: tuple[Item, ...]) -> tuple[Event, ...]:
    return (Event(time.time_ns(), EVENT_FILED, tuple(item.id for item in items), ""),) if items else ()


def _documents(numbers: range, document_bytes: int) -> Iterator[StreamIncoming]:
    for number in numbers:
        name = f"папка {number // 1000}/документ {number}.txt".encode()
        about = About("", f"source {number % 50}", ("scale",))
        yield StreamIncoming(name, _Once(number % DISTINCT, document_bytes), about=about)


class _Once:
    """A document as a stream, of which nothing is kept."""

    def __init__(self, number: int, size: int) -> None:
        self._number, self._size, self._at = number, size, 0

    def read(self, size: int = -1, /) -> bytes:
        whole = (b"%d " % self._number).ljust(self._size, b".")
        piece = whole[self._at : self._at + size] if size >= 0 else whole[self._at :]
        self._at += len(piece)
        return piece


def _timed(work: Path, documents: int, times: int) -> list[Row]:
    """Each command so often, in alternation."""
    last = f"документ {documents - 1}.txt"
    commands = {
        BASE: "case list",
        "list": f"list {CASE}",
        "list --json": f"list {CASE} --json",
        "search": f"search {shlex.quote(last)}",
        "show": f"show {shlex.quote(f'папка {(documents - 1) // 1000}/{last}')}",
        "status": "status",
        "add, one document": f"add {CASE} new.txt",
        "verify --sample 3": f"verify {CASE} --sample 3",
        "verify": f"verify {CASE}",
        "log": f"log {CASE}",
    }
    taken: dict[str, list[Measurement]] = {name: [] for name in commands}
    for turn in range(times):
        (work / "new.txt").write_text(f"{documents} {turn}")
        for name, words in commands.items():
            identified = "" if name == "status" else f"--passphrase-file {shlex.quote(str(work / 'pass'))}"
            line = f"{shlex.quote(str(SANDYK))} {words} --vault {shlex.quote(str(work / 'vault'))} {identified}"
            quiet = f"cd {shlex.quote(str(work))} && {line} > {os.devnull}"
            taken[name].append(run(quiet))
    return [
        Row(name, documents, sorted(m.wall for m in found_)[len(found_) // 2], max(m.rss for m in found_))
        for name, found_ in taken.items()
    ]


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The power of x that y grows with: the slope of the least-squares line through the logarithms. None of too few."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(logs) < 2:
        return None
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread if spread else None


NOISE_SECONDS = 0.02
"""What a command costs beyond the bare one is not told from noise below this."""


def growth(rows: Sequence[Row], command: str) -> str:
    """How a command's own cost grows, in words for the table."""
    base = {row.documents: row.seconds for row in rows if row.command == BASE}
    own = [(float(r.documents), r.seconds - base[r.documents]) for r in rows if r.command == command]
    power = exponent([point for point in own if point[1] > NOISE_SECONDS])
    return "does not show" if power is None else f"n^{power:.2f}"


def table(rows: Sequence[Row], document_bytes: int) -> str:
    """In Markdown: seconds at each step, growth, and the greatest memory."""
    steps = sorted({row.documents for row in rows})
    by = {(row.command, row.documents): row for row in rows}
    commands = list(dict.fromkeys(row.command for row in rows))
    lines = [
        f"Documents of {document_bytes:,} bytes each, {steps[-1] * document_bytes / 1e9:,.1f} GB at the last step.",
        "",
        "| seconds | " + " | ".join(f"{step:,}" for step in steps) + " | own cost grows with | peak MB |",
        "|---|" + "--:|" * (len(steps) + 2),
    ]
    for command in commands:
        cells = " | ".join(f"{by[command, step].seconds:.2f}" for step in steps)
        memory = max(by[command, step].megabytes for step in steps)
        lines.append(f"| {command} | {cells} | {growth(rows, command)} | {memory:.0f} |")
    return "\n".join(lines) + "\n"


def write_into(page: Path, text: str, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Put the table between the page's markers. Raises ValueError when it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not begin or not end:
        raise ValueError(f"{page} has no place for the figures: {markers[0]} … {markers[1]}")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 760, 420, 60, 170
_COLOURS = ("#888888", "#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#b0a000", "#e03e3e")


def plot(rows: Sequence[Row]) -> str:
    """An SVG with both axes in logarithms: documents across, seconds up."""
    steps = sorted({row.documents for row in rows})
    seconds = [math.log10(row.seconds) for row in rows]
    low, high = math.floor(min(seconds)), math.ceil(max(seconds))
    high = max(high, low + 1)
    first, last = math.log10(steps[0]), max(math.log10(steps[-1]), math.log10(steps[0]) + 1)

    def x(documents: float) -> float:
        return _MARGIN + (math.log10(documents) - first) / (last - first) * (_WIDTH - 2 * _MARGIN - _LEGEND)

    def y(seconds: float) -> float:
        return _HEIGHT - _MARGIN - (math.log10(seconds) - low) / (high - low) * (_HEIGHT - 2 * _MARGIN)

    parts: list[Any] = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(low, high + 1):
        level = y(10.0**power)
        parts.append(f'<path d="M{_MARGIN} {level:.1f}H{_WIDTH - _MARGIN - _LEGEND}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_MARGIN - 8}" y="{level + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
    for step in steps:
        parts.append(f'<text x="{x(step):.1f}" y="{_HEIGHT - _MARGIN + 20}" text-anchor="middle">{step:,}</text>')
    parts.append(f'<text x="{_MARGIN}" y="{_HEIGHT - 12}">documents in the case</text>')
    for n, command in enumerate(dict.fromkeys(row.command for row in rows)):
        colour = _COLOURS[n % len(_COLOURS)]
        points = " ".join(f"{x(r.documents):.1f},{y(r.seconds):.1f}" for r in rows if r.command == command)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = _MARGIN + 18 * n
        parts.append(f'<text x="{_WIDTH - _LEGEND - 40}" y="{place}" fill="{colour}">{command}</text>')
    return "\n".join((*parts, "</svg>")) + "\n"


if __name__ == "__main__":
    sys.exit(main())
