# SPDX-License-Identifier: Apache-2.0
"""Thumbnails: small, of pixels alone, and judged so that nothing else can pass for one."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.support import telling_documents as telling
from tests.support.telling_documents import drawing, picture
from vault.thumbnails import MAX_BYTES, MAX_SIDE, Thumbnailer, is_plain_thumbnail


@pytest.fixture(scope="module")
def maker() -> Iterator[Thumbnailer]:
    with Thumbnailer() as opened:
        yield opened


def made(maker: Thumbnailer, document: bytes) -> Image.Image:
    untrusted = maker.thumbnail([document])
    assert untrusted is not None
    assert is_plain_thumbnail(untrusted)
    image = Image.open(BytesIO(untrusted))
    image.load()
    assert not image.info
    return image


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_every_kind_of_picture_has_one_and_it_says_nothing(maker: Thumbnailer, form: str) -> None:
    assert made(maker, picture(form)).size == (64, 40)


@pytest.mark.parametrize("size", [(4000, 1000), (1000, 4000), (900, 900), (1, 3000), (3000, 1)])
def test_large_pictures_become_small(maker: Thumbnailer, size: tuple[int, int]) -> None:
    thumbnail = made(maker, picture("JPEG", drawing(size)))
    assert max(thumbnail.size) <= MAX_SIDE


def test_a_picture_of_nothing_but_noise_fits_too(maker: Thumbnailer) -> None:
    noise = Image.frombytes("RGB", (800, 800), os.urandom(3 * 800 * 800))
    out = BytesIO()
    noise.save(out, "PNG")
    untrusted = maker.thumbnail([out.getvalue()])
    assert untrusted is not None and len(untrusted) <= MAX_BYTES


def test_it_is_turned_flattened_on_white_and_in_the_colours_of_a_screen(maker: Thumbnailer) -> None:
    assert made(maker, picture("JPEG", orientation=6)).size == (40, 64)
    seen = drawing(mode="RGBA")
    seen.putalpha(0)
    assert made(maker, picture("PNG", seen)).convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    assert made(maker, picture("JPEG", drawing(mode="CMYK"))).size == (64, 40)


@pytest.mark.parametrize("document", [b"", b"text", telling.pdf()[:500], b"\xff\xd8\xff\xe0", picture("PNG")[:200]])
def test_what_is_no_picture_has_none(maker: Thumbnailer, document: bytes) -> None:
    assert maker.thumbnail([document]) is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(
    *, width: int = 2, height: int = 2, depth: int = 8, colour: int = 3, methods: bytes = b"\0\0\0",
    palette: bytes = bytes(12), raw: bytes | None = None, before: bytes = b"", middle: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    """A thumbnail that is plain unless something is said."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, colour)) + methods
    raw = bytes(height * (1 + width * depth // 8)) if raw is None else raw
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), before, chunk(b"PLTE", palette), middle,
         chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b""), after)
    )  # fmt: skip


def test_the_smallest_and_the_largest_are_plain() -> None:
    assert is_plain_thumbnail(png())
    assert is_plain_thumbnail(png(width=1, height=1, depth=1, palette=bytes(6), raw=b"\0\0"))
    assert is_plain_thumbnail(png(width=320, height=320))


NOT_PLAIN: list[dict[str, Any]] = [
    {"width": 321}, {"height": 321}, {"width": 0}, {"height": 0}, {"width": 2**31, "raw": bytes(6)},
    {"depth": 16}, {"depth": 3}, {"colour": 2}, {"colour": 0}, {"methods": b"\1\0\0"},
    {"methods": b"\0\1\0"}, {"methods": b"\0\0\1"},
    {"palette": b""}, {"palette": bytes(11)}, {"palette": bytes(771)}, {"depth": 1, "raw": b"\0\0" * 2},
    {"raw": bytes(5)}, {"raw": bytes(7)}, {"raw": b"\5" + bytes(5)}, {"raw": bytes(1 << 22)}, {"raw": b""},
    {"before": chunk(b"tEXt", b"Author\0x")}, {"middle": chunk(b"tRNS", b"\0")}, {"middle": chunk(b"eXIf", b"II")},
    {"middle": chunk(b"IDAT", b"")}, {"before": chunk(b"gAMA", bytes(4))}, {"after": b"\0"},
    {"after": chunk(b"IEND", b"")}, {"after": chunk(b"zTXt", b"x")}, {"after": bytes(20_000)},
]  # fmt: skip


@pytest.mark.parametrize("more", NOT_PLAIN)
def test_anything_more_or_less_is_not_plain(more: dict[str, Any]) -> None:
    assert not is_plain_thumbnail(png(**more))


def test_words_behind_the_pixels_are_not_plain() -> None:
    """Behind the end of the packed pixels, in the same chunk: most programs do not look there."""
    good = png()
    place = good.index(b"IDAT") - 4
    size = int.from_bytes(good[place : place + 4], "big")
    packed = good[place + 8 : place + 8 + size]
    for worse in (packed + b"words", packed[:-1], b""):
        assert not is_plain_thumbnail(good[:place] + chunk(b"IDAT", worse) + chunk(b"IEND", b""))


def test_other_pictures_are_not_plain() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for form, more in (("PNG", {}), ("PNG", {"icc_profile": profile}), ("JPEG", {}), ("GIF", {})):
        out = BytesIO()
        drawing().save(out, form, **more)  # type: ignore[arg-type]
        assert not is_plain_thumbnail(out.getvalue())


@given(junk=st.binary(max_size=300), at=st.floats(0, 1), change=st.integers(1, 255))
def test_no_bytes_make_the_judge_stumble(junk: bytes, at: float, change: int) -> None:
    good = bytearray(png())
    assert not is_plain_thumbnail(junk)
    assert not is_plain_thumbnail(bytes(good) + (junk or b"x"))
    assert not is_plain_thumbnail(bytes(good[: int(at * (len(good) - 1))]))
    good[min(int(at * len(good)), len(good) - 1)] ^= change
    assert not is_plain_thumbnail(bytes(good))
