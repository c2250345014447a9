# SPDX-License-Identifier: Apache-2.0
"""The job that makes plain shades of grey of a picture, for tesseract. In confined children only: it needs Pillow."""

from __future__ import annotations

from io import BytesIO

from msgspec import msgpack
from PIL import Image

from vault.cleaning import images
from vault.extracting.pgm import pgm

_WITHIN = (4400, 4400)
"""Pixels: less than ``MAX_PIXELS``, and a page at 300 dots per inch fits."""


def warm_up() -> None:
    """Load every codec: a confined process can load none."""
    images.warm_up()
    out = BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG")
    scan(out.getvalue(), b"")


def scan(untrusted: bytes, argument: bytes) -> bytes:  # noqa: ARG001  # every job has these two
    """The picture, or the first of several, turned as it says, as one PGM in MessagePack. Raises Refused."""
    grey = images.first_frame(untrusted, _WITHIN).convert("L")
    return msgpack.encode((pgm(grey.width, grey.height, grey.tobytes(), grey.width),))
