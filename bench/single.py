# SPDX-License-Identifier: Apache-2.0
"""What does not need a corpus: how fast the program starts, how fast `panic` gets to the keys, and age beside `age`."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Failed, run
from bench.peers import SANDYK

MIB = 1 << 20
IMPORTS = (
    "typer", "rich.progress", "cryptography.hazmat.primitives.ciphers.aead", "nacl.bindings", "sqlcipher3",
    "zstandard", "blake3", "msgspec", "keys.age", "vault.vaults", "vault.store", "vault.cli.app", "vault.panic",
)  # fmt: skip


def starts(work: Path, times: int) -> dict[str, float]:
    """Median milliseconds from spawn to end of commands that do little, in alternation with a bare interpreter."""
    passphrase, vault = work / "pass", work / "vault"
    passphrase.write_text("correct horse battery staple\n")
    _sandyk("init", "--vault", str(vault), "--new-passphrase-file", str(passphrase))
    commands = {
        "python -I -c pass": [sys.executable, "-I", "-c", "pass"],
        "sandyk --version": [SANDYK, "--version"],
        "sandyk --help": [SANDYK, "--help"],
        "sandyk status": [SANDYK, "status", "--vault", str(vault)],
        "sandyk case list (with its passphrase)": [
            SANDYK, "case", "list", "--vault", str(vault), "--passphrase-file", str(passphrase),
        ],
    }  # fmt: skip
    return _alternate(commands, times)


def imports(times: int) -> dict[str, float]:
    """Median milliseconds that importing a module adds to a bare interpreter, each in a process of its own."""
    commands = {"": [sys.executable, "-c", "pass"]}
    commands |= {name: [sys.executable, "-c", f"import {name}"] for name in IMPORTS}
    medians = _alternate(commands, times)
    bare = medians.pop("")
    return {name: median - bare for name, median in medians.items()}


def _alternate(commands: dict[str, list[str]], times: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(times + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            if turn:  # the first one fills the caches
                taken[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


def panics(work: Path, packs: tuple[int, ...], sparse: int, times: int) -> list[dict[str, float | str]]:
    """`sandyk panic` on vaults with so many packs, and on one with a pack of ``sparse`` bytes that holds nothing.

    Milliseconds from spawn until the first line, "KEYS GONE", was read, and until the end; median and worst.
    """
    rows: list[dict[str, float | str]] = []
    kinds = [(f"{count:,} packs", count, 0) for count in packs]
    kinds.append((f"one sparse pack of {sparse / 1e9:,.0f} GB", 0, sparse))
    for title, count, size in kinds:
        gone, whole = [], []
        for _ in range(times):
            vault = _vault_with(work, count, size)
            subprocess.run(["sync"], check=True)
            first, end = _panic(vault)
            gone.append(first)
            whole.append(end)
        rows.append({
            "vault": title, "gone": statistics.median(gone), "worst": max(gone), "whole": statistics.median(whole),
        })  # fmt: skip
    return rows


def _vault_with(work: Path, packs: int, sparse: int) -> Path:
    passphrase, vault = work / "pass", work / "vault"
    shutil.rmtree(vault, ignore_errors=True)
    passphrase.write_text("correct horse battery staple\n")
    _sandyk("init", "--vault", str(vault), "--new-passphrase-file", str(passphrase))
    _sandyk("case", "new", "c", "--vault", str(vault), "--passphrase-file", str(passphrase))
    (folder,) = (vault / "cases").glob("*/packs")
    for _ in range(packs):
        (folder / f"{os.urandom(16).hex()}.age").write_bytes(os.urandom(4096))
    if sparse:
        with (folder / f"{os.urandom(16).hex()}.age").open("wb") as f:
            f.truncate(sparse)
    return vault


def _panic(vault: Path) -> tuple[float, float]:
    start = time.perf_counter()
    with subprocess.Popen(
        [SANDYK, "panic", "--vault", str(vault)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        line = child.stdout.readline()
        gone = time.perf_counter() - start
        child.communicate()
    whole = time.perf_counter() - start
    if not line.startswith(b"KEYS GONE") or child.returncode:
        raise Failed(f"panic: {line!r}, exit code {child.returncode}")
    return gone * 1000, whole * 1000


def _sandyk(*arguments: str) -> None:
    done = subprocess.run([SANDYK, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"sandyk {arguments[0]}: exit code {done.returncode}: {done.stderr}")


def payloads(work: Path, size: int, times: int) -> dict[str, dict[str, float]]:
    """Sealing and opening a file of ``size`` bytes: ratio to the `age` program in the same round; median, least, most.

    Nothing where `age` is not installed. The start of either program is in its time.
    """
    if not (shutil.which("age") and shutil.which("age-keygen")):
        return {}
    plain, sealed, key = (work / name for name in ("plain", "sealed", "key"))
    rng = random.Random("payload")
    with plain.open("wb") as f:
        for at in range(0, size, MIB):
            f.write(rng.randbytes(min(MIB, size - at)))
    subprocess.run(["age-keygen", "-o", str(key)], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", str(key)], check=True, capture_output=True, text=True)
    names = {"p": plain, "s": sealed, "k": key, "py": sys.executable, "r": recipient.stdout.strip()}
    quoted = {name: shlex.quote(str(value)) for name, value in names.items()}
    run("age -r {r} <{p} >{s}".format_map(quoted))
    ratios: dict[str, list[float]] = {}
    for _ in range(times):
        for action, base, ours in (
            ("seal", "age -r {r} <{p} >/dev/null", "{py} -m bench.payload seal {r}"),
            ("open", "age -d -i {k} <{s} >/dev/null", "{py} -m bench.payload open {k}"),
        ):
            source = " <{p} >/dev/null" if action == "seal" else " <{s} >/dev/null"
            theirs = run(base.format_map(quoted)).wall
            for workers in (1, 2):
                taken = run(f"{ours} {workers}{source}".format_map(quoted)).wall
                ratios.setdefault(f"{action}, {workers} thread{'s' * (workers > 1)}", []).append(taken / theirs)
    return {
        name: {"median": statistics.median(values), "least": min(values), "most": max(values)}
        for name, values in ratios.items()
    }
