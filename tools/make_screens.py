# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of `sandyk browse` for the guide (`make screens`), from a newsroom that does not exist.

The same screens give the same bytes. What Textual's pictures would fetch from a server, their font, is taken out.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import tempfile
import time
from pathlib import Path

from keys.identity import Identity
from tests.support.newsroom import add_paths, newsroom, unlock
from tests.support.screens import Seat
from vault import contacts
from vault.cases import create_case, find_case
from vault.exporting import addressees, export
from vault.screen.app import Browse, Way
from vault.sources import About
from vault.vaults import Vault

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "guide" / "pictures"
SIZE = (100, 30)
_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_PAPERS = (
    ("contract-17.pdf", "the second contract", 48_213), ("contract-18.pdf", "", 51_009),
    ("bank/transfers-march.csv", "exported by the source", 182_440), ("bank/transfers-april.csv", "", 175_302),
    ("interviews/driver.txt", "spoken on 3 March", 9_120), ("interviews/engineer.txt", "", 12_877),
    ("asphalt-laboratory.docx", "", 88_004), ("minutes.txt", "of the tender commission", 4_410),
)  # fmt: skip


def furnish(vault: Vault, papers: Path) -> None:
    """Cases, documents, an editor and an export."""
    chance = random.Random(1)  # noqa: S311  # contents of no meaning, the same each time
    for name, note, size in _PAPERS:
        path = papers / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))
        add_paths(vault, path, case="Road works", about=About(note, "", ()))
    photos = papers / "photos"
    photos.mkdir()
    (photos / "kilometre-14.jpg").write_bytes(chance.randbytes(310_226))
    add_paths(vault, photos, case="Road works", about=About("the asphalt ends here", "a driver", ("photo", "road")))
    for name in ("Hospital tender", "Election posters"):
        create_case(vault, name)
    contacts.keep(vault, "Aizada (editor)", Identity.generate().card())
    contacts.mark_verified(vault, contacts.find(vault.book(), "Aizada (editor)"))
    editor = addressees(vault, ["Aizada (editor)"])
    export(vault, find_case(vault, "Road works"), ["contract-17.pdf", "contract-18.pdf"], editor, str(papers / "x"))


async def draw(folder: str) -> dict[str, str]:
    """Two screens, as SVG."""
    app = Browse(Way(folder, lambda secret: unlock(folder, secret.expose().decode()), opened=unlock(folder)))
    shown = {}
    async with app.run_test(size=SIZE) as pilot:
        seat = Seat(app, pilot)
        await seat.settle()
        await seat.press("end", "tab", "space", "down", "space")
        shown["browse"] = app.export_screenshot(title="sandyk browse")
        await seat.press("f5")
        shown["browse-export"] = app.export_screenshot(title="sandyk browse")
    app.desk.close(5)
    return shown


def main() -> None:
    """Write the pictures."""
    os.environ |= {"TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": "/home/bermet"}
    time.tzset()
    with tempfile.TemporaryDirectory() as place:
        folder = newsroom(Path(place) / "vault", case="Road works", label="Bermet")
        with unlock(folder) as vault:
            furnish(vault, Path(place) / "papers")
        PICTURES.mkdir(exist_ok=True)
        for name, svg in asyncio.run(draw(folder)).items():
            (PICTURES / f"{name}.svg").write_text(_FONT.sub("", svg), "utf-8")


if __name__ == "__main__":
    main()
