# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown, and the goals they are set beside. Measures nothing.

Results are plain JSON: ``{"versions": […], "corpora": {name: {"files", "bytes", "rounds": […]}}, "starts": {…},
"imports": {…}, "panics": […], "payloads": {…}}``. Ratios are taken round by round, then the median.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.rounds import QUIET

BASE = "restic"
OURS = "sandyk"
ARCHIVER = "tar + age"
ZIPPER = "7zz"
BEGIN, END = "<!-- begin of measured figures -->", "<!-- end of measured figures -->"

GOALS: dict[str, dict[str, float]] = {
    "documents": {"add": 0.45, "again": 0.30, "verify": 0.38, "get": 0.40},
    "leak": {"add": 0.30, "verify": 0.42, "get": 0.45},
    "media": {"add": 0.15, "verify": 0.30, "get": 0.25},
}
"""Time as a ratio to restic's."""
BUNDLE_GOAL = 0.6
"""Time of `export` and `open`, with two threads, as a ratio to tar and age doing the same."""
SIZE_GOAL = 1.02
MEMORY_GOAL_MB = 300
START_GOALS_MS = {"sandyk --version": 80, "sandyk --help": 250}
PANIC_GOAL_MS = 150
PAYLOAD_GOALS = {"seal, 1 thread": 0.84, "seal, 2 threads": 0.46}
_PHASES = ("add", "again", "verify", "get")
_BUNDLE_PHASES = {"export": "add", "open": "get"}
"""What `export` and `open` are compared with, of tar and age."""


class NoMarkers(Exception):
    """Raised when a page has no place for the figures."""


def write_into(page: Path, figures: str) -> None:
    """Put the figures between the page's markers. Raises NoMarkers."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"{page} has no place for the figures: {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n{END}{after}", encoding="utf-8")


def render(results: dict[str, Any]) -> str:
    """All tables."""
    parts: list[str] = []
    if results.get("versions"):
        parts.append("Versions: " + ", ".join(results["versions"]) + ".\n")
    for name, corpus in results.get("corpora", {}).items():
        parts += [*_corpus(name, corpus), ""]
    parts += _starts(results)
    parts += _memory(results.get("corpora", {}))
    return "\n".join(parts)


def _corpus(name: str, corpus: dict[str, Any]) -> Iterator[str]:
    rounds = corpus["rounds"]
    tools = list(rounds[0])
    base = BASE if BASE in tools else next((tool for tool in tools if tool != OURS), OURS)
    if len(tools) > 1 and all(phase in rounds[0][base] for phase in _PHASES):
        size = f"{corpus['files']:,} files, {corpus['bytes'] / 1e6:,.0f} MB"
        yield f"### {name}: {size}, {_times(len(rounds))}, others used {_others(rounds):.1f} cores meanwhile\n"
        yield "| | " + " | ".join(_PHASES) + " | stored MB |"
        yield "|---|" + "--:|" * (len(_PHASES) + 1)
        seconds = (f"{_median(rounds, base, phase):.1f}" for phase in _PHASES)
        yield f"| {base}, seconds | " + " | ".join(seconds) + f" | {rounds[0][base]['add']['stored'] / 1e6:,.0f} |"
        for tool in (t for t in sorted(tools, key=lambda t: t != OURS) if t != base):
            cells = (_ratio(rounds, tool, phase, base, phase) for phase in _PHASES)
            mark = "**" if tool == OURS else ""
            stored = f"{rounds[0][tool]['add']['stored'] / 1e6:,.0f}"
            yield f"| {mark}{tool}{mark} | " + " | ".join(cells) + f" | {stored} |"
        yield from _goal_rows(name, rounds, base)
        yield from _processor_rows(rounds, tools, base)
        yield from _held(name, rounds, base)
    if ARCHIVER in tools and "export" in rounds[0][OURS]:
        yield from _bundles(rounds, ZIPPER in tools)


def _bundles(rounds: list[Any], zipper: bool) -> Iterator[str]:
    """Sealing and unsealing. age has its key at hand, so what an agent holds is the like, and a passphrase is more."""
    yield "\n| | " + " | ".join(_BUNDLE_PHASES) + " |\n|---|--:|--:|"
    seconds = (f"{_median(rounds, ARCHIVER, phase):.1f}" for phase in _BUNDLE_PHASES.values())
    yield f"| {ARCHIVER}, seconds | " + " | ".join(seconds) + " |"
    peers = (ARCHIVER, ZIPPER) if zipper else (ARCHIVER,)
    for kind, prefix in (("through the agent", "held "), ("with a passphrase", "")):
        phases = [(prefix + ours, theirs) for ours, theirs in _BUNDLE_PHASES.items()]
        if phases[0][0] not in rounds[0][OURS]:
            continue
        for peer in peers:
            cells = (_ratio(rounds, OURS, ours, peer, theirs) for ours, theirs in phases)
            beside = "" if peer == ARCHIVER else f", beside {ZIPPER} with AES"
            yield f"| **{OURS}**, {kind}{beside} | " + " | ".join(cells) + " |"
        used = (f"{statistics.median(_ratios(rounds, OURS, o, ARCHIVER, t, 'cpu')):.2f}" for o, t in phases)
        yield f"| **{OURS}**, {kind}, processor time | " + " | ".join(used) + " |"
    yield f"| goal | {BUNDLE_GOAL:.2f} | {BUNDLE_GOAL:.2f} |"


def _goal_rows(name: str, rounds: list[Any], base: str) -> Iterator[str]:
    goals = GOALS.get(name)
    if goals is None or base != BASE:
        return
    limit = SIZE_GOAL * rounds[0][base]["add"]["stored"] / 1e6
    yield "| goal | " + " | ".join(_or_dash(goals.get(phase), "{:.2f}") for phase in _PHASES) + f" | {limit:,.0f} |"
    distances = [
        statistics.median(_ratios(rounds, OURS, phase, base, phase)) / goals[phase] if phase in goals else None
        for phase in _PHASES
    ]
    size = rounds[0][OURS]["add"]["stored"] / 1e6 / limit
    cells = [_or_dash(distance, "{:.1f} ×") for distance in distances]
    yield "| time to goal | " + " | ".join(cells) + f" | {size:.2f} × |"


def _held(name: str, rounds: list[Any], base: str) -> Iterator[str]:
    """A second run with keys that an agent holds, beside that of the base, which stretches its passphrase each time."""
    if "held" in rounds[0][OURS]:
        used = statistics.median(_ratios(rounds, OURS, "held", base, "again", "cpu"))
        goal = _or_dash(GOALS.get(name, {}).get("again"), "{:.2f}")
        yield f"\n*again*, through the agent: {_ratio(rounds, OURS, 'held', base, 'again')} of {base}'s time"
        yield f"(goal {goal}), {used:.2f} of its processor time."


def _processor_rows(rounds: list[Any], tools: list[str], base: str) -> Iterator[str]:
    """Processor time, which depends less than the clock on what else the machine does."""
    yield "\n| processor time | " + " | ".join(_PHASES) + " |\n|---|" + "--:|" * len(_PHASES)
    seconds = (f"{statistics.median(r[base][phase]['cpu'] for r in rounds):.1f}" for phase in _PHASES)
    yield f"| {base}, seconds | " + " | ".join(seconds) + " |"
    for tool in (t for t in sorted(tools, key=lambda t: t != OURS) if t != base):
        cells = (f"{statistics.median(_ratios(rounds, tool, phase, base, phase, 'cpu')):.2f}" for phase in _PHASES)
        yield f"| {tool} | ".replace(f"| {OURS} |", f"| **{OURS}** |") + " | ".join(cells) + " |"


def _others(rounds: list[Any]) -> float:
    shares = [phase["other"] for turns in rounds for turn in turns.values() for phase in turn.values()]
    return float(statistics.mean(shares))


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _ratios(
    rounds: list[Any], tool: str, phase: str, base: str, base_phase: str, of: str = "wall"
) -> list[float]:
    return sorted(r[tool][phase][of] / max(r[base][base_phase][of], 1e-3) for r in rounds)


def _ratio(rounds: list[Any], tool: str, phase: str, base: str, base_phase: str) -> str:
    if phase not in rounds[0][tool]:
        return "–"
    ratios = _ratios(rounds, tool, phase, base, base_phase)
    disturbed = statistics.median(r[tool][phase]["other"] for r in rounds) > QUIET
    spread = f" ({ratios[0]:.2f}–{ratios[-1]:.2f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.2f}{spread}{' !' if disturbed else ''}"


def _median(rounds: list[Any], tool: str, phase: str) -> float:
    return float(statistics.median(r[tool][phase]["wall"] for r in rounds))


def _times(rounds: int) -> str:
    return "1 round" if rounds == 1 else f"{rounds} rounds"


def _starts(results: dict[str, Any]) -> Iterator[str]:
    if results.get("panics"):
        yield "### `panic`: from the start of the process until the keys are gone\n"
        yield "| vault | median ms | worst ms | goal ms | all done, ms |\n|---|--:|--:|--:|--:|"
        for row in results["panics"]:
            figures = f"{row['gone']:.0f} | {row['worst']:.0f} | {PANIC_GOAL_MS} | {row['whole']:,.0f}"
            yield f"| {row['vault']} | {figures} |"
        yield ""
    if results.get("starts"):
        yield "### Starting\n\n| | median ms | goal ms |\n|---|--:|--:|"
        for name, value in results["starts"].items():
            yield f"| {name} | {value:.0f} | {_or_dash(START_GOALS_MS.get(name), '{:.0f}')} |"
        yield ""
    if results.get("imports"):
        yield "| importing | adds ms |\n|---|--:|"
        yield from (f"| `{name}` | {value:.0f} |" for name, value in results["imports"].items())
        yield ""
    if results.get("payloads"):
        yield "### age payload, as a ratio to the `age` program\n\n| | median | least–most | goal |\n|---|--:|--:|--:|"
        for name, v in results["payloads"].items():
            goal = _or_dash(PAYLOAD_GOALS.get(name), "{:.2f}")
            yield f"| {name} | {v['median']:.2f} | {v['least']:.2f}–{v['most']:.2f} | {goal} |"
        yield ""


def _memory(corpora: dict[str, Any]) -> Iterator[str]:
    if not corpora:
        return
    phases = [*_PHASES, *_BUNDLE_PHASES]
    yield f"### Peak memory of `{OURS}`, MB (goal: below {MEMORY_GOAL_MB}; Argon2id alone takes 201 while it unlocks)\n"
    yield "| | " + " | ".join(phases) + " |\n|---|" + "--:|" * len(phases)
    for name, corpus in corpora.items():
        peaks = (max(r[OURS][phase]["rss"] for r in corpus["rounds"]) for phase in phases)
        yield f"| {name} | " + " | ".join(f"{peak:.0f}" for peak in peaks) + " |"
    yield ""
