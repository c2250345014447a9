# SPDX-License-Identifier: Apache-2.0
"""Tesseract, where it is installed, on pictures of pages: a program of its own, confined (``vault.confined.program``).

It gets plain shades of grey and no file; its answer is text that nobody vouches for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from vault.confined import program
from vault.confined.program import Program
from vault.confined.protocol import Limits

LANGUAGES = ("kir", "rus", "uzb_cyrl", "uzb", "eng")
"""In this order: tesseract leans to the first, and Kyrgyz has the letters of Russian and more."""
LIMITS = Limits(seconds=120, cpu_seconds=90, memory=2 << 30, output=1 << 20)
"""For one page."""
_LISTING_SECONDS = 20
_ARGUMENTS = ("stdin", "stdout", "-l")


@dataclass(frozen=True, slots=True)
class Ocr:
    """Tesseract as it is installed here."""

    path: str
    folder: str
    """Where its data are."""
    languages: tuple[str, ...]
    limits: Limits = LIMITS

    @property
    def name(self) -> str:
        """What reads, for the record."""
        return f"tesseract {'+'.join(self.languages)}"

    def read(self, picture: bytes, started: Callable[[Callable[[], None]], None] = lambda end: None) -> str:
        """The words in a PGM, as text that nobody vouches for; ``started``: ``program.run``. Raises ConfinedFailed."""
        arguments = (*_ARGUMENTS, "+".join(self.languages))
        variables = (f"TESSDATA_PREFIX={self.folder}", "OMP_THREAD_LIMIT=1", "LC_ALL=C")
        said = program.run(Program(self.path, arguments, (self.folder,), variables), picture, self.limits, started)
        return said.decode("utf-8", "replace")


def installed() -> Ocr | None:
    """Tesseract with those of our languages that it has; None without it, or when it has none of them."""
    path = shutil.which("tesseract")
    if path is None:
        return None
    try:
        listed = subprocess.run(
            [path, "--list-langs"], capture_output=True, timeout=_LISTING_SECONDS, stdin=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TESSDATA_PREFIX") if name in os.environ},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    first, *names = listed.stdout.decode("utf-8", "replace").splitlines() or [""]
    languages = tuple(name for name in LANGUAGES if name in names)
    folder = first.partition('"')[2].rpartition('"')[0]
    return Ocr(path, folder.rstrip("/"), languages) if languages and folder else None
