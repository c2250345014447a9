# SPDX-License-Identifier: Apache-2.0
"""The catalogue page of a bundle that was opened into a folder."""

from __future__ import annotations

from pathlib import Path

from keys import age
from tests.support.bundles import EDITOR, SENDER, SIGNED, SIGNED_PLAIN, retag, rewritten
from vault.opening import Opened, open_into_folder


def open_here(sealed: bytes, folder: Path) -> Opened:
    path = folder / "bundle.age"
    path.write_bytes(sealed)
    return open_into_folder(
        str(path), [EDITOR.age], str(folder / "out"), None, progress=lambda documents, size: None
    )


def test_the_page_of_an_honest_sender_is_left_as_it_was_signed(tmp_path: Path) -> None:
    place = Path(open_here(SIGNED, tmp_path).place)
    assert (place / "index.html").read_bytes() in SIGNED_PLAIN
    assert not (place / "index.html.from-sender").exists()


def test_a_page_that_this_program_would_not_make_is_put_aside_and_ours_takes_its_place(tmp_path: Path) -> None:
    hostile = b"<script>fetch('https://example.org')</script>"

    def change(files: dict[str, bytes]) -> None:
        files["index.html"] = hostile
        retag(files, SENDER)

    sealed = age.seal(rewritten(SIGNED_PLAIN, change), [EDITOR.recipient])
    place = Path(open_here(sealed, tmp_path).place)
    assert hostile not in (place / "index.html").read_bytes()
    assert (place / "index.html.from-sender").read_bytes() == hostile
