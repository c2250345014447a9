# SPDX-License-Identifier: Apache-2.0
"""Running code as another user, who may read neither this checkout nor, perhaps, the interpreter in use."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
"""The user without rights, on Linux."""


@functools.cache
def _python_and_packages() -> tuple[str, str]:
    """An interpreter that anybody may run, and a copy of the packages that anybody may read."""
    copy = tempfile.mkdtemp(dir="/tmp")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for package in ("keys", "vault"):
        shutil.copytree(ROOT / package, Path(copy) / package, ignore=shutil.ignore_patterns("__pycache__"))
    for where, folders, files in os.walk(copy):
        os.chmod(where, 0o755)
        for name in files:
            os.chmod(os.path.join(where, name), 0o644)
        folders.sort()
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", "import vault.panic"], check=True, capture_output=True, **_as(copy))
        except (OSError, subprocess.CalledProcessError):
            continue
        return python, copy
    return "", copy


def _as(copy: str) -> dict[str, Any]:
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return {"cwd": "/", "env": {"PATH": os.environ["PATH"], "PYTHONPATH": copy}, **who}


def stranger(code: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """Start code as a user without rights (as oneself, when one has none). Skips where no interpreter may be run."""
    python, copy = _python_and_packages()
    if not python:
        pytest.skip("another user may run no Python here")
    return subprocess.Popen([python, "-c", code, *arguments], text=True, **_as(copy), **more)


def run_as_stranger(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``stranger``, run to its end, with what it printed."""
    with stranger(code, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
