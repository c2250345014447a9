# SPDX-License-Identifier: Apache-2.0
"""Small pictures for a catalogue, from pixels alone. Runs in a confined child only.

A PNG with a palette, because that is a form that a few lines can judge to the last byte (``vault.thumbnails``). As many
colours and pixels as fit its limit: a drawing keeps its size, a photograph becomes smaller.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from vault.cleaning import images
from vault.confined.protocol import Refused
from vault.thumbnails import MAX_BYTES, MAX_SIDE

_TRIES = ((MAX_SIDE, 64), (256, 64), (224, 48), (192, 48), (160, 32), (128, 32), (96, 16))
"""Longer side and colours; the last fits whatever it shows: 96 x 96 at 4 bits are 4.6 KB before packing."""
_SAMPLE = 96
"""Colours are chosen from a picture of this side: a tenth of the time, for a difference that is hard to see."""


def warm_up() -> None:
    """Load every codec: a confined process can load none."""
    images.warm_up()
    out = BytesIO()
    Image.new("RGB", (400, 300)).save(out, "JPEG")
    small(out.getvalue(), b"")


def small(untrusted: bytes, argument: bytes) -> bytes:  # noqa: ARG001  # every job has these two
    """The job: the picture as a PNG within the limits of ``vault.thumbnails``. Raises Refused."""
    picture = images.first_frame(untrusted, (MAX_SIDE, MAX_SIDE))
    sample = _within(picture, _SAMPLE)
    for side, colours in _TRIES:
        palette = sample.quantize(colours, dither=Image.Dither.NONE)
        out = BytesIO()
        _within(picture, side).quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG")
        if out.tell() <= MAX_BYTES:
            return out.getvalue()
    raise Refused("no small picture of it fits")  # not reached as long as the last of the tries is small enough


def _within(picture: Image.Image, side: int) -> Image.Image:
    smaller = picture.copy()
    smaller.thumbnail((side, side))
    return smaller
