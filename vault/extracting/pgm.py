# SPDX-License-Identifier: Apache-2.0
"""Pictures in plain shades of grey, as Netpbm's PGM: all that tesseract gets to see of a document.

Made in confined children, where the codecs of whatever somebody sent run, judged to the last byte by who asked. Pure.
"""

from __future__ import annotations

import re

MAX_SIDE = 20_000
MAX_PIXELS = 20_000_000
"""Pixels: a page of A4 at 300 dots per inch has 8.7 million."""
PAGES_AT_ONCE = 2
"""Of one document: they are in memory some times over on their way, and reading one takes longer than sending it."""
_LEAST_WIDTH, _LEAST_HEIGHT = 40, 12
"""Pixels of a picture with a word in it: of less than ten for a letter tesseract reads nothing."""
_HEAD = re.compile(rb"P5\n([1-9]\d{0,4}) ([1-9]\d{0,4})\n255\n")


def pgm(width: int, height: int, grey: bytes, stride: int) -> bytes:
    """The picture as a binary PGM, a byte for each pixel; ``stride``: bytes of ``grey`` for each row."""
    rows = grey if stride == width else b"".join(grey[n * stride : n * stride + width] for n in range(height))
    return b"P5\n%d %d\n255\n" % (width, height) + rows[: width * height]


def may_hold_words(picture: bytes) -> bool:
    """Whether a plain PGM is large enough for a word."""
    head = _HEAD.match(picture)
    return head is not None and int(head.group(1)) >= _LEAST_WIDTH and int(head.group(2)) >= _LEAST_HEIGHT


def is_plain_pgm(untrusted: bytes) -> bool:
    """Whether this is such a picture and not a byte more."""
    head = _HEAD.match(untrusted)
    if head is None:
        return False
    width, height = int(head.group(1)), int(head.group(2))
    return width <= MAX_SIDE and height <= MAX_SIDE and len(untrusted) - head.end() == width * height <= MAX_PIXELS
