# SPDX-License-Identifier: Apache-2.0
"""Programs of others that tests hold ours against. Missing ones skip the test, or fail it where they must be there.

They are looked for on the PATH, then in ``.tools``, where ``.ci/fetch-age`` and ``.ci/fetch-openssl`` put newer ones
than Debian 12 has. A Python for Windows has a module of its own here, ``windows``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

INTEROP = Path(__file__).resolve().parent.parent / "interop"
FETCHED = Path(__file__).resolve().parents[2] / ".tools" / "usr" / "bin"


def need(tool: str) -> str:
    """The path of a program. Skips without it, or fails when ``SANDYK_REQUIRE_TOOLS=1``."""
    path = shutil.which(tool) or shutil.which(tool, path=str(FETCHED))
    if path is None:
        missing(tool, f"the program {tool} is not installed")
    return path


def need_hybrid_age() -> Path:
    """The folder of an age and age-keygen that know post-quantum recipients (1.3 or later); skips or fails as ``need``.

    Skips also where ``SANDYK_ABSENT_TOOLS`` says that this machine cannot get one.
    """
    found = _hybrid_age()
    if found is None:
        missing("age-1.3", "no age that knows post-quantum recipients (1.3 or later): .ci/fetch-age gets one")
    return found


@functools.cache
def _hybrid_age() -> Path | None:
    keygens = (shutil.which("age-keygen"), shutil.which("age-keygen", path=str(FETCHED)))
    for keygen in filter(None, keygens):
        if subprocess.run([keygen, "-pq"], capture_output=True, check=False).returncode == 0:
            return Path(keygen).parent
    return None


def need_openssl_mldsa() -> str:
    """The path of an ``openssl`` that knows ML-DSA (3.5 or later); skips or fails as ``need`` does.

    Skips also where ``SANDYK_ABSENT_TOOLS`` says that this machine cannot get one.
    """
    found = _openssl_mldsa()
    if found is None:
        missing("openssl-3.5", "no openssl that knows ML-DSA (3.5 or later): .ci/fetch-openssl gets one")
    return found


@functools.cache
def _openssl_mldsa() -> str | None:
    for path in filter(None, (shutil.which("openssl"), shutil.which("openssl", path=str(FETCHED)))):
        known = subprocess.run([path, "list", "-signature-algorithms"], capture_output=True, text=True, check=False)
        if "ML-DSA-65" in known.stdout:
            return path
    return None


def need_node_package(package: str = "age-encryption", folder: Path = INTEROP) -> Path:
    """The folder to run ``node`` in, where ``npm ci`` installed the package; skips or fails as ``need`` does."""
    if not (folder / "node_modules" / package).is_dir():
        where = folder.relative_to(INTEROP.parents[1])
        missing(package, f"the package {package} is not installed: run npm ci in {where}")
    return folder


def missing(tool: str, reason: str) -> NoReturn:
    """Skip, or fail where ``SANDYK_REQUIRE_TOOLS=1`` and ``SANDYK_ABSENT_TOOLS`` does not excuse this tool."""
    excused = tool in os.environ.get("SANDYK_ABSENT_TOOLS", "").split()
    if os.environ.get("SANDYK_REQUIRE_TOOLS") == "1" and not excused:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
