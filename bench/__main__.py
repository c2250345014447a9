# SPDX-License-Identifier: Apache-2.0
"""`python -m bench`: measures `sandyk` beside its peers and prints tables in Markdown.

Asserts nothing about time: a threshold on a machine that others use is noise. It does fail when a
command fails, or when what comes out of a store is not what went in.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import corpora, peers, report, rounds, single
from bench.measure import Failed

PARTS = ("documents", "leak", "media", "large", "starts", "imports", "panics", "payloads")
QUICK_SCALE = 1 / 20
SPARSE_BYTES = 500_000_000_000


def main() -> int:
    """Run what the arguments name; the exit code."""
    arguments = _parse()
    results = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    wanted = [tool for tool in peers.PEERS if arguments.peer is None or tool.name in arguments.peer]
    tools = [tool for tool in wanted if tool.installed()]
    missing = [tool.name for tool in wanted if not tool.installed()]
    if missing:
        print(f"not installed, so not compared: {', '.join(missing)}", file=sys.stderr)
    results["versions"] = [tool.version_text() for tool in (peers.OURS, *tools)]
    try:
        with tempfile.TemporaryDirectory(prefix="sandyk-bench-", dir=arguments.work) as scratch:
            _measure(arguments, Path(scratch), tools, results)
    except Failed as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    figures = report.render(results)
    print(figures)
    if arguments.write:
        report.write_into(arguments.write, figures)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--corpus", type=Path, action="append", default=[], metavar="DIR",
                        help="measure on this folder; its name says which goals are shown")  # fmt: skip
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be repeated")
    parser.add_argument("--peer", action="append", choices=[tool.name for tool in peers.PEERS],
                        help="compare with this one only; may be repeated")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size, one round: only to see it run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, help="size of the corpora made here (default: 1, quick: 1/20)")
    parser.add_argument("--work", type=Path, help="folder on the disk to measure; about 25 GB are needed")
    parser.add_argument("--json", type=Path, help="keep every measurement there, and add to what is there already")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the tables into this page")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 1
    arguments.scale = arguments.scale or (QUICK_SCALE if arguments.quick else 1.0)
    if arguments.rounds < 1 or arguments.scale <= 0:
        parser.error("--rounds and --scale are above zero")
    return arguments


def _measure(arguments: argparse.Namespace, scratch: Path, tools: list[peers.Tool], results: dict[str, Any]) -> None:
    given = {path.resolve().name: path.resolve() for path in arguments.corpus}
    parts = arguments.only or ([] if given else PARTS)
    for name in dict.fromkeys((*given, *(part for part in parts if part in corpora.KINDS))):
        # How much memory a peer takes on one large file is not the question: it is there for `sandyk` alone.
        players = [peers.OURS, *(tools if name != "large" else [])]
        count = arguments.rounds if name != "large" else 1
        source = given.get(name) or _made(name, scratch, arguments.scale)
        _play(name, source, players, count, scratch, results, arguments.json)
        if name not in given:
            subprocess.run(["rm", "-rf", str(source)], check=True)
    quick = arguments.quick
    singles: dict[str, Callable[[Path], Any]] = {
        "starts": lambda place: single.starts(place, 2 if quick else 15),
        "imports": lambda _: single.imports(1 if quick else 7),
        "panics": lambda place: single.panics(
            place, (0, 50) if quick else (0, 1_000, 20_000), SPARSE_BYTES, 1 if quick else 5
        ),
        "payloads": lambda place: single.payloads(place, round(arguments.scale * (1 << 30)), 1 if quick else 5),
    }
    for name, measure in singles.items():
        if name in parts:
            place = scratch / name
            place.mkdir()
            print(name, file=sys.stderr)
            results[name] = measure(place)
            _keep(arguments.json, results)
            subprocess.run(["rm", "-rf", str(place)], check=True)


def _made(kind: str, scratch: Path, scale: float) -> Path:
    folder = scratch / "corpora" / kind
    subprocess.run([sys.executable, "-m", "bench.corpora", kind, str(folder), "--scale", str(scale)], check=True)
    return folder


def _play(
    name: str, source: Path, players: list[peers.Tool], count: int, scratch: Path,
    results: dict[str, Any], keep: Path | None,
) -> None:  # fmt: skip
    files, size = rounds.totals(source)
    corpus = results.setdefault("corpora", {}).setdefault(name, {"files": files, "bytes": size, "rounds": []})
    for _ in range(count):
        number = len(corpus["rounds"])
        print(f"{name}, round {number + 1}", file=sys.stderr)
        corpus["rounds"].append(rounds.play(source, players, scratch / "round", number, compare=number == 0))
        _keep(keep, results)


def _keep(path: Path | None, results: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    sys.exit(main())
