# SPDX-License-Identifier: Apache-2.0
"""Drives all tools over one corpus, in alternation, and compares what they give back with the corpus.

Each round takes the phases one after the other, and in each all tools in turn, beginning with another
one each time: a machine whose speed drifts does so for all. What others disturbed is repeated once
where it can be.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.measure import Failed, Measurement, run, sync_command
from bench.peers import Tool

PHASES = (
    "init", "add", "again", "unlock", "held", "held export", "held open", "lock", "verify", "get", "export", "open",
)  # fmt: skip
"""*held* is *again* with keys that *unlock* gave to an agent; *held export* and *held open* are with those, too."""
QUIET = 0.25
"""A phase during which others used more of a core than this is repeated, or marked."""
_WRITES_TO = {
    "init": "store", "add": "store", "again": "store", "held": "store", "get": "out", "export": "tmp", "open": "out",
    "held export": "tmp", "held open": "out",
}  # fmt: skip
_READS = ("get", "open", "held open")
_REPEATABLE = ("verify", "export", "held export", *_READS)

Turn = dict[str, dict[str, float]]


def play(source: Path, tools: list[Tool], work: Path, number: int, *, compare: bool) -> dict[str, Turn]:
    """One round: for each tool and phase what it took, and the stored bytes. Raises Failed."""
    order = tools[number % len(tools) :] + tools[: number % len(tools)]
    places = {tool.name: _folders(work / tool.name.replace(" ", "")) for tool in tools}
    turns: dict[str, Turn] = {tool.name: {} for tool in tools}
    try:
        for phase in PHASES:
            for tool in (tool for tool in order if phase in tool.phases):
                turns[tool.name][phase] = _play_phase(source, tool, phase, places[tool.name], compare=compare)
    finally:
        for tool in (tool for tool in order if "lock" in tool.phases):  # no agent outlives a round that failed
            with suppress(Failed):
                run(tool.phases["lock"].format_map({n: shlex.quote(str(p)) for n, p in places[tool.name].items()}))
        # After the last measurement of the round: freeing much memory slows the next one down on virtual machines.
        shutil.rmtree(work, ignore_errors=True)
    return turns


def _folders(place: Path) -> dict[str, Path]:
    folders = {name: place / name for name in ("store", "out", "tmp")}
    for folder in folders.values():
        _empty(folder)
    return folders


def _play_phase(source: Path, tool: Tool, phase: str, folders: dict[str, Path], *, compare: bool) -> dict[str, float]:
    names = {"src": str(source)} | {name: str(folder) for name, folder in folders.items()}
    environment = {key: value.format_map(names) for key, value in tool.environment.items()}
    command = tool.phases[phase].format_map({name: shlex.quote(path) for name, path in names.items()})
    measured = _phase(source, phase, command, environment, folders)
    print(f"  {phase:11} {tool.name:10} {measured.wall:8.2f} s  other {measured.other:.2f}", file=sys.stderr)
    if compare and phase in _READS:
        expect_same(source, folders["out"], f"{tool.name} {phase}", bundle=phase != "get")
    taken = measured.as_dict()
    if phase == "add":
        taken["stored"] = sum(p.stat().st_size for p in folders["store"].rglob("*") if p.is_file())
    return taken


def _phase(
    source: Path, phase: str, command: str, environment: dict[str, str], folders: dict[str, Path]
) -> Measurement:
    for attempt in (1, 2):
        if phase in _READS:
            _empty(folders["out"])
        if phase in ("add", "again", "held"):
            run(f"find {shlex.quote(str(source))} -type f -print0 | xargs -0 cat >/dev/null")  # into the cache
        run(sync_command(str(folders["store"])))
        target = folders[_WRITES_TO[phase]] if phase in _WRITES_TO else None
        measured = run(command, environment, sync=str(target) if target else None)
        if measured.other <= QUIET or phase not in _REPEATABLE or attempt == 2:
            break
    return measured


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def expect_same(source: Path, out: Path, what: str, *, bundle: bool) -> None:
    """Raise Failed unless the files hold the same contents, each as often. A bundle adds files beside ``data``."""
    found = _digests(path for path in out.rglob("*") if not bundle or "data" in path.relative_to(out).parts[:-1])
    if found != _digests(source.rglob("*")):
        raise Failed(f"{what}: what came out is not what went in")


def _digests(paths: Iterable[Path]) -> Counter[bytes]:
    digests: Counter[bytes] = Counter()
    for path in paths:
        if path.is_file():
            with path.open("rb") as f:
                digests[hashlib.file_digest(f, "sha256").digest()] += 1
    return digests


def totals(source: Path) -> tuple[int, int]:
    """How many files a corpus has, and how many bytes."""
    sizes = [path.stat().st_size for path in source.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
