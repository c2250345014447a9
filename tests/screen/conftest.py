# SPDX-License-Identifier: Apache-2.0
"""A vault with a case of a few documents, for whoever sits at the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.newsroom import add_paths, newsroom, unlock
from vault.sources import About

LETTER = "Кат: тинтүү 07:15те башталды\n"
pytest.importorskip("textual")


@pytest.fixture
def room(tmp_path: Path) -> str:
    """The vault's folder: the case "Mine" with a letter, a note and a file that is no text."""
    folder = newsroom(tmp_path / "vault")
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "кат.txt").write_text(LETTER)
    (papers / "notes.txt").write_text("second\n")
    (papers / "blob.bin").write_bytes(bytes(range(256)) * 8)
    with unlock(folder) as vault:
        add_paths(vault, papers / "кат.txt", about=About("the raid", "a friend", ("office",)))
        add_paths(vault, papers / "notes.txt", papers / "blob.bin")
    return folder
