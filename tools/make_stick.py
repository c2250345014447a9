# SPDX-License-Identifier: Apache-2.0
"""Make a folder from which Sandyk installs on machines without a network (`make stick`).

In it: this tree as a wheel, every library of requirements.lock as wheels for Linux, Windows and macOS, for each system
the list of what it needs with hashes, two installers, and the SHA-256 of each file. Each library is downloaded by name
and hash, none is run. A library of an extra that its authors publish no wheel of for a system is left out there, and
said; without one of the others that system is not on the stick.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
TEXTS = Path(__file__).resolve().parent / "stick"
LOCK = "requirements.lock"
WHEELS = "wheels"
SYSTEMS_FOLDER = "systems"
SUMS = "SHA256SUMS"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_GLIBC = range(5, 35)
"""Minor versions of glibc 2 (PEP 600). Whoever has Python 3.11 from a distribution has 2.34 or later."""


@dataclass(frozen=True, slots=True)
class System:
    """What libraries are compiled for: pip's platform tags, and what markers in the lock file ask about."""

    name: str
    platforms: tuple[str, ...]
    sys_platform: str
    os_name: str
    platform_system: str


SYSTEMS = (
    System("linux-x86_64", ("manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64",
           *(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC)), "linux", "posix", "Linux"),
    System("windows-amd64", ("win_amd64",), "win32", "nt", "Windows"),
    System("macos-arm64", ("macosx_15_0_arm64",), "darwin", "posix", "Darwin"),
)  # fmt: skip
"""Macs with Intel processors are missing because the library cryptography has no wheels for them any more."""


def requirements_for(lock: str, system: System, python: str) -> str:
    """Those of a lock file's requirements, with their hashes, that this system needs, without their markers.

    ``pip download`` evaluates markers for the machine that it runs on, whatever system it downloads for.
    """
    asked = {
        "sys_platform": system.sys_platform, "os_name": system.os_name, "platform_system": system.platform_system,
        "python_version": python, "python_full_version": f"{python}.0", "platform_python_implementation": "CPython",
        "implementation_name": "cpython", "platform_machine": "", "extra": "",
    }  # fmt: skip
    wanted = []
    for entry in _entries(lock):
        head, _, hashes = entry.partition("\\\n")
        requirement, _, marker = head.partition(";")
        if not marker or Marker(marker.strip()).evaluate(asked):
            wanted.append(f"{requirement.strip()} \\\n{hashes}")
    return "".join(wanted)


def optional_libraries() -> frozenset[str]:
    """The libraries that only extras ask for, by pyproject.toml."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return frozenset(_name_of(library) for libraries in extras.values() for library in libraries)


def download(system: System, python: str, stick: Path) -> tuple[str, ...]:
    """Fetch what one system needs, and write down what that is; the optional libraries that it has to do without.

    Raises Unavailable. A wheel that is there already is not fetched again.
    """
    requirements = requirements_for((ROOT / LOCK).read_text(), system, python)
    optional, without = optional_libraries(), []
    while (missing := _fetch(requirements, system, python, stick / WHEELS)) is not None:
        if missing not in optional:
            raise Unavailable(missing)
        without.append(missing)
        requirements = "".join(entry for entry in _entries(requirements) if _name_of(entry) != missing)
    (stick / SYSTEMS_FOLDER).mkdir(exist_ok=True)
    (stick / SYSTEMS_FOLDER / f"{system.name}-{python}.txt").write_text(requirements)
    return tuple(without)


class Unavailable(Exception):
    """A library without which nothing works has no wheel for a system. Its words are the library's name."""


def _fetch(requirements: str, system: System, python: str, wheels: Path) -> str | None:
    """None, or the name of the first library that has no wheel for this system."""
    with tempfile.TemporaryDirectory() as folder:
        fetched, wanted = Path(folder) / "fetched", Path(folder) / "wanted.txt"
        wanted.write_text(requirements)
        platforms = [part for name in system.platforms for part in ("--platform", name)]
        done = _pip("download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted),
                    "--dest", str(fetched), "--find-links", str(wheels), "--python-version", python,
                    "--implementation", "cp", *platforms)  # fmt: skip
        if done.returncode:
            missing = re.search(r"requirement ([\w.-]+)==", done.stderr)
            return missing.group(1) if missing else "pip failed: " + done.stderr.strip()
        for wheel in fetched.iterdir():
            shutil.move(wheel, wheels / wheel.name)
    return None


def _entries(requirements: str) -> list[str]:
    """A requirement each, with its hashes and the end of its last line."""
    return [entry + "\n" for entry in re.split(r"\n(?=[a-z0-9])", requirements.strip())]


def _name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def make(stick: Path, systems: Sequence[System], pythons: Sequence[str]) -> list[str]:
    """Fill an empty folder; what could not be put into it, in words. Raises SystemExit when nothing could."""
    if stick.exists() and any(stick.iterdir()):
        raise SystemExit(f"{stick} is not empty: name a folder that is empty or not there")
    wheels = stick / WHEELS
    wheels.mkdir(parents=True)
    built = _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    if built.returncode:
        raise SystemExit(f"the wheel could not be built:\n{built.stderr}")
    notes = []
    for system in systems:
        for python in pythons:
            print(f"{system.name}, Python {python}", flush=True)
            try:
                without = download(system, python, stick)
            except Unavailable as exc:
                notes.append(f"not for {system.name}, Python {python}: {exc}")
            else:
                notes += [f"for {system.name}, Python {python} without the optional {name}" for name in without]
    if not (stick / SYSTEMS_FOLDER).exists():
        raise SystemExit("nothing could be downloaded:\n" + "\n".join(notes))
    for text in TEXTS.iterdir():
        shutil.copy(text, stick)
    (stick / SUMS).write_text("".join(_sums(stick)))
    return notes


def _sums(stick: Path) -> Iterator[str]:
    """A line a file, as sha256sum writes them."""
    for path in sorted(path for path in stick.rglob("*") if path.is_file()):
        yield f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(stick).as_posix()}\n"


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    return subprocess.run([*pip, *words], capture_output=True, text=True, check=False)


def main() -> None:
    """The command line of ``make stick``."""
    words = argparse.ArgumentParser(description="Make a folder from which Sandyk installs without a network.")
    words.add_argument("folder", type=Path)
    words.add_argument("--system", action="append", choices=[system.name for system in SYSTEMS], help="default: all")
    words.add_argument("--python", action="append", choices=PYTHONS, help="default: all")
    given = words.parse_args()
    systems = [system for system in SYSTEMS if given.system is None or system.name in given.system]
    for note in make(given.folder, systems, given.python or PYTHONS):
        print(note)
    digest = hashlib.sha256((given.folder / SUMS).read_bytes()).hexdigest()
    print(f"{given.folder} is ready. Tell whoever gets it, by another way, the SHA-256 of {SUMS}:\n{digest}")


if __name__ == "__main__":
    main()
