# SPDX-License-Identifier: Apache-2.0
"""A Windows Python, run by Wine, with this program in it: real code for Windows, and not a real Windows.

``.ci/fetch-windows`` makes one below ``.tools/windows``; ``SANDYK_WINDOWS_PYTHON`` names another ``python.exe``.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

from tests.support.tools import missing, need

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / ".tools" / "windows" / "python.exe"
START = "import sys; from vault.entry import main; sys.exit(main())"


def windows_path(path: Path) -> str:
    """A path as programs under Wine name it: the drive Z: is the root folder."""
    return "Z:" + str(path).replace("/", "\\")


def environment(**more: str) -> dict[str, str]:
    """What a program for Windows is started with: nothing of this machine's languages and vaults.

    By ``LC_ALL`` Wine reads names of files and words of command lines as UTF-8.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "USER") if name in os.environ}
    own = {
        "WINEPREFIX": os.environ.get("WINEPREFIX", str(FETCHED.parent / "prefix")), "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=", "LC_ALL": "C.UTF-8", "PYTHONPATH": windows_path(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    return kept | own | more


@functools.cache
def need_windows() -> tuple[str, str]:
    """Wine and a Windows Python, to begin a command with; skips or fails as ``tools.need`` does."""
    python = Path(os.environ.get("SANDYK_WINDOWS_PYTHON", FETCHED))
    if not python.is_file():
        missing("windows-python", "no Python for Windows: .ci/fetch-windows makes one, and Wine runs it")
    return need("wine"), str(python)


def run_python(*words: str, cwd: Path, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run the Windows Python. Its output is captured; ``more`` goes into its environment."""
    return subprocess.run(
        [*need_windows(), *words], cwd=cwd, input=stdin, capture_output=True, timeout=120, check=False,
        env=environment(**more),
    )  # fmt: skip


def run(*words: str, cwd: Path, code: int = 0, stdin: bytes = b"", **more: str) -> str:
    """One command of this program on Windows, and what it said on both outputs, with plain line ends."""
    done = run_python("-c", START, *words, cwd=cwd, stdin=stdin, **more)
    said = (done.stdout + done.stderr).decode().replace("\r\n", "\n")
    assert done.returncode == code, f"{words}: {done.returncode} instead of {code}\n{said}"
    return said
