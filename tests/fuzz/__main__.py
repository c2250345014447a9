# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: looks for bytes that break a parser, guided by which lines they reach (atheris, which is libFuzzer).

    python -m tests.fuzz [--seconds N] [TARGET...]

Each target runs in a process of its own. What breaks one is put into ``tests/fuzz/corpus/<target>/``, from where the
ordinary tests try it again for ever; what only reaches new lines goes into a folder that git ignores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

FOUND = Path(__file__).parent / "corpus"
REACHED = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"
LONGEST_INPUT = 1 << 16
OURS = ("keys", "vault", "tests.fuzz")


def main() -> int:
    """Run targets one after the other; 1 when one of them broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        _fuzz(options.targets[0], options.seconds)
    from tests.fuzz.targets import TARGETS

    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    broken = []
    for name in options.targets or TARGETS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", "--here", "--seconds", str(options.seconds), name]
        if subprocess.run(command, check=False).returncode:
            broken.append(name)
        with suppress(OSError):  # it is empty when nothing broke
            (FOUND / name).rmdir()
    print("broken: " + ", ".join(broken) if broken else "nothing broke")
    return 1 if broken else 0


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=list(OURS)):
        from tests.fuzz.targets import TARGETS, corpus, one

    target = TARGETS[name]
    reached, found = REACHED / name, FOUND / name
    reached.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(corpus(name, target)):
        (reached / f"seed-{number}").write_bytes(seed)
    found.mkdir(parents=True, exist_ok=True)
    flags = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=20", "-rss_limit_mb=2000"]
    flags += [f"-artifact_prefix={found}/", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup(["fuzz", *flags, str(reached)], lambda data: one(data, target))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
