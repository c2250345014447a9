# SPDX-License-Identifier: Apache-2.0
"""The raid card: one page for the wall, in four languages, as text and as PDF.

The PDFs are made from the texts by `make raid-card` and shipped, so that printing one needs no
fonts and no PDF library. Tests compare the words of both.
"""

from __future__ import annotations

from importlib import resources

LANGUAGES = ("en", "ru", "ky", "uz")


def text(language: str) -> str:
    """The card's text. KeyError for another language."""
    return _read(language, "txt").decode("utf-8")


def pdf(language: str) -> bytes:
    """The card as one A4 page. KeyError for another language."""
    return _read(language, "pdf")


def _read(language: str, kind: str) -> bytes:
    if language not in LANGUAGES:
        raise KeyError(language)
    return resources.files("vault").joinpath("data", "raid-card", f"{language}.{kind}").read_bytes()
