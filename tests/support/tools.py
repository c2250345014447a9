# SPDX-License-Identifier: Apache-2.0
"""Programs of others that tests hold ours against. Missing ones skip the test, or fail it where they must be there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INTEROP = Path(__file__).resolve().parent.parent / "interop"


def need(tool: str) -> str:
    """The path of a program. Skips without it, or fails when ``SANDYK_REQUIRE_TOOLS=1``."""
    path = shutil.which(tool)
    if path is None:
        _missing(f"the program {tool} is not installed")
    return path


def need_node_package(package: str = "age-encryption") -> Path:
    """The folder to run ``node`` in, where ``npm ci`` installed the package; skips or fails as ``need`` does."""
    if not (INTEROP / "node_modules" / package).is_dir():
        _missing(f"the package {package} is not installed: run npm ci in tests/interop")
    return INTEROP


def _missing(reason: str) -> None:
    if os.environ.get("SANDYK_REQUIRE_TOOLS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
