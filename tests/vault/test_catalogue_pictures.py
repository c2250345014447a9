# SPDX-License-Identifier: Apache-2.0
"""The small pictures in a bundle's catalogue: made of pixels, shown by a browser, and nothing else ever shown."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from keys import age
from keys.book import Contact
from tests.support.bundles import CLOCK, DOCUMENTS, EDITOR, ID, SENDER, in_pieces, items_of
from tests.support.newsroom import DAY, file, newsroom, store_of, unlock
from tests.support.tools import need
from vault.bundle import BundleReader, IdentitySigner, compose
from vault.cases import find_case
from vault.exporting import addressees, export
from vault.opening import open_into_folder
from vault.thumbnails import is_plain_thumbnail
from vault.vaults import Vault

RED = (200, 30, 30)
SECRET = b"GPS 42.8746 N 74.5698 E"


def picture(kind: str = "JPEG") -> bytes:
    """A red picture whose metadata say where it was taken."""
    out, image = io.BytesIO(), Image.new("RGB", (640, 480), RED)
    exif = image.getexif()
    exif[0x010E] = SECRET.decode()
    image.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "here")) as vault:
        with store_of(vault) as store:
            file(store, {"сүрөттөр/a.jpg".encode(): picture(), b"b.jpg": b"no picture", b"c.txt": b"text"})
        vault.change_book(lambda book: book.with_contact(Contact("editor", EDITOR.card(), DAY, DAY)))
        yield vault


def sealed(here: Vault, path: Path, *, thumbnails: bool = True) -> Path:
    export(here, find_case(here, "Mine"), [], addressees(here, ["editor"]), str(path), thumbnails=thumbnails)
    return path


def opened(path: Path, folder: Path) -> Path:
    done = open_into_folder(str(path), [EDITOR.age], str(folder), None, progress=lambda documents, size: None)
    return Path(done.place)


def test_a_bundle_has_a_small_picture_of_each_picture_and_none_of_what_is_none(here: Vault, tmp_path: Path) -> None:
    place = opened(sealed(here, tmp_path / "a.age"), tmp_path / "out")
    (small,) = (place / "metadata" / "thumbnails").iterdir()
    assert is_plain_thumbnail(small.read_bytes())
    assert SECRET not in small.read_bytes()
    assert f'<img src="metadata/thumbnails/{small.name}"' in (place / "index.html").read_text()
    assert not (place / "index.html.from-sender").exists()


def test_without_thumbnails_there_are_none(here: Vault, tmp_path: Path) -> None:
    place = opened(sealed(here, tmp_path / "a.age", thumbnails=False), tmp_path / "out")
    assert not (place / "metadata" / "thumbnails").exists()
    assert "<img" not in (place / "index.html").read_text()


@pytest.mark.parametrize("hostile", [picture("PNG"), b"<svg onload=alert(1)>", b""], ids=["metadata", "svg", "empty"])
def test_a_small_picture_that_is_more_than_pixels_is_not_shown(tmp_path: Path, hostile: bytes) -> None:
    bundle = compose(
        [EDITOR.recipient], items_of(), signer=IdentitySigner(SENDER), clock_ns=CLOCK, bundle_id=ID,
        thumbnails={0: hostile},
    )  # fmt: skip
    tar = io.BytesIO()
    bundle.write(tar, in_pieces(DOCUMENTS))
    path = tmp_path / "b.age"
    path.write_bytes(age.seal(tar.getvalue(), [EDITOR.recipient]))
    with path.open("rb") as f:
        tags = BundleReader(f, [EDITOR.age]).tags
    assert (tags.thumbnails, tags.not_examined) == ((), ("metadata/thumbnails/0001.png",))
    place = opened(path, tmp_path / "out")
    assert "<img" not in (place / "index.html").read_text()
    assert (place / "metadata/thumbnails/0001.png").read_bytes() == hostile


@pytest.mark.parametrize("width", [1100, 480], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_the_small_picture_under_the_pages_own_policy(
    here: Vault, tmp_path: Path, width: int, dark: bool
) -> None:
    place = opened(sealed(here, tmp_path / "a.age"), tmp_path / "out")
    shot = tmp_path / "shot.png"
    subprocess.run(
        [
            need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1200", f"--screenshot={shot}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []), (place / "index.html").as_uri(),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    with Image.open(shot) as image:
        pixels = image.convert("RGB")
        colours = {colour for _, colour in pixels.getcolors(1 << 24) or []}
        background = pixels.getpixel((2, 2))
    assert any(all(abs(a - b) < 12 for a, b in zip(colour, RED, strict=True)) for colour in colours)
    assert isinstance(background, tuple)
    assert (sum(background) < 200) is dark
