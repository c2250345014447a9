# SPDX-License-Identifier: Apache-2.0
"""Small pictures in a bundle: the page shows plain ones, and judges them as the program does."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from keys import age
from tests.reader.test_page import KEY
from tests.support.browser import SOURCES, Browser, everywhere
from tests.support.bundles import CLOCK, DOCUMENTS, EDITOR, ID, SENDER, in_pieces, items_of
from tests.support.tools import need, need_node_package
from tests.support.webdriver import WebDriver
from tests.vault.test_thumbnails import NOT_PLAIN, chunk, png
from vault.bundle import IdentitySigner, compose
from vault.thumbnails import Thumbnailer, is_plain_thumbnail

WAITED = """Promise.all([...document.querySelectorAll(".picture img")].map((image) => image.decode()
  .then(() => [image.naturalWidth, image.naturalHeight])))"""

WIDTHS = """Promise.all([...document.images].map((image) => {
  image.loading = "eager"
  return image.decode().then(() => image.naturalWidth)
}))"""


def made() -> bytes:
    """A thumbnail as the program makes it, of a picture with some colours."""
    picture = io.BytesIO()
    Image.linear_gradient("L").resize((640, 480)).save(picture, "JPEG")
    with Thumbnailer() as maker:
        thumbnail = maker.thumbnail([picture.getvalue()])
    assert thumbnail is not None
    return thumbnail


@everywhere
def test_a_plain_picture_is_shown_beside_its_document_and_another_is_not(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "x.age"
    hostile = png(before=chunk(b"tEXt", b"Author\0x"))
    bundle = compose(
        [EDITOR.recipient], items_of(), signer=IdentitySigner(SENDER), clock_ns=CLOCK, bundle_id=ID,
        thumbnails={0: made(), 1: hostile, 2: b"GIF89a", 4: png(width=3)},
    )  # fmt: skip
    tar = io.BytesIO()
    bundle.write(tar, in_pieces(DOCUMENTS))
    path.write_bytes(age.seal(tar.getvalue(), [EDITOR.recipient]))
    outcome = page.try_file(path, KEY)
    assert outcome.reason == "", outcome.text
    for number in (1, 5):
        page.do("wait", at=f"#documents > li:nth-child({number}) img")
    assert page.do("evaluate", script=WAITED) == [[320, 240], [3, 2]]
    shown = [page.do("count", at=f"#documents > li:nth-child({n}) img") for n in range(1, len(DOCUMENTS) + 1)]
    assert shown == [1, 0, 0, 0, 1]
    for number in (2, 3):
        page.do("wait", at=f"#documents > li:nth-child({number}) .picture p")
    assert page.do("text", at="#result").count("Its small picture is of a kind that is not shown") == 2
    assert "did not examine" not in outcome.text


@pytest.mark.parametrize("browser", ["firefox", "webkit"], indirect=True, scope="session")
def test_the_catalogue_of_a_bundle_shows_its_pictures_and_asks_for_nothing(browser: WebDriver, tmp_path: Path) -> None:
    """As an editor sees it who unpacked the bundle: from the disk, beside the documents."""
    bundle = compose(
        [EDITOR.recipient], items_of(), signer=IdentitySigner(SENDER), clock_ns=CLOCK, bundle_id=ID,
        thumbnails={0: made(), 4: png(width=3)},
    )  # fmt: skip
    tar = io.BytesIO()
    bundle.write(tar, in_pieces(DOCUMENTS))
    tar.seek(0)
    with tarfile.open(fileobj=tar) as plain:
        plain.extractall(tmp_path)
    (catalogue,) = tmp_path.glob("*/index.html")
    browser.requests()
    browser.command("navigate", url=catalogue.as_uri())
    assert browser.do("evaluate", script=WIDTHS) == [320, 3]
    assert browser.do("text", at="body").count("SHA-256") == len(DOCUMENTS)
    assert browser.requests() == []


@pytest.fixture(scope="module")
def judge() -> str:
    """The page's own judge as a script: a function of lists of base64."""
    need_node_package("esbuild", SOURCES)
    command = [need("node"), "node_modules/esbuild/bin/esbuild", "src/thumbnails.ts", "--bundle", "--format=iife",
               "--global-name=judge"]  # fmt: skip
    script = subprocess.run(command, cwd=SOURCES, check=True, capture_output=True, text=True).stdout
    return f"""async (pictures) => {{
      {script}
      const found = []
      for (const hex of pictures) {{
        found.push(await judge.isPlainThumbnail(Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))))
      }}
      return found
    }}"""


@everywhere
def test_both_judges_of_pictures_say_the_same(page: Browser, judge: str) -> None:
    """In the browser, because unpacking is the browser's: of every changed byte, every cut, and each known trick."""
    good = png()
    place = good.index(b"IDAT") - 4
    size = int.from_bytes(good[place : place + 4], "big")
    packed = good[place + 8 : place + 8 + size]
    end = chunk(b"IEND", b"")
    pictures = [
        good, png(width=1, height=1, depth=1, palette=bytes(6), raw=b"\0\0"), png(width=320, height=320), made(),
        *(png(**more) for more in NOT_PLAIN),
        *(good[:place] + chunk(b"IDAT", worse) + end for worse in (packed + b"words", packed[:-1], b"", packed[:-4])),
        *(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in range(len(good))),
        *(good[:i] for i in range(len(good))),
        *(good[:place] + chunk(b"IDAT", packed[:i] + bytes([packed[i] ^ 1]) + packed[i + 1 :]) + end
          for i in range(len(packed))),
    ]  # fmt: skip
    expected = [is_plain_thumbnail(picture) for picture in pictures]
    assert expected[:4] == [True] * 4
    assert expected.count(False) > len(pictures) - 12
    answers = page.do("evaluate", script=f"({judge})({json.dumps([picture.hex() for picture in pictures])})")
    assert answers == expected
