# SPDX-License-Identifier: Apache-2.0
"""The job that makes plain shades of grey of a picture, for tesseract. In confined children only: it needs Pillow."""

from __future__ import annotations

from io import BytesIO

from msgspec import msgpack
from PIL import Image

from vault.cleaning import images
from vault.extracting.pgm import PAGES_AT_ONCE, pgm

_WITHIN = (4400, 4400)
"""Pixels: less than ``MAX_PIXELS``, and a page at 300 dots per inch fits."""


def warm_up() -> None:
    """Load every codec: a confined process can load none."""
    images.warm_up()
    out = BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG")
    scan(out.getvalue(), msgpack.encode(0))


def scan(untrusted: bytes, argument: bytes) -> bytes:
    """The picture, turned as it says, as PGMs: of a TIFF at most ``PAGES_AT_ONCE`` pages, from the one in the argument.

    Numbers and pictures are in MessagePack. Raises Refused.
    """
    first, pictures = msgpack.decode(argument, type=int), []
    for number in range(first, first + PAGES_AT_ONCE):
        page = images.page(untrusted, number, _WITHIN)
        if page is None:
            break
        grey = page.convert("L")
        pictures.append(pgm(grey.width, grey.height, grey.tobytes(), grey.width))
    return msgpack.encode(pictures)
