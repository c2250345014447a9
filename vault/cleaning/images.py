# SPDX-License-Identifier: Apache-2.0
"""Pictures: decoded, and written anew from their pixels alone. Runs in a confined child only.

Nothing is copied from file to file but colours: no EXIF, XMP, IPTC, comment, profile, preview or trailing byte has a
way into the copy, also none that this code has never heard of. Colours are converted to sRGB by the profile, which is
then dropped; the picture is turned as its orientation says. What pixels themselves show or carry (a face, a reflection,
a watermark, the noise of one sensor, the yellow dots of a printer) stays, and JPEG and lossy WebP lose a little anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from PIL import GifImagePlugin, Image, ImageCms, ImageOps, ImageSequence

from vault.cleaning.reply import Reply, encode, reply
from vault.confined.protocol import Refused

MAX_PIXELS = 120_000_000
"""Of one picture, and of all frames together: 480 MB decoded, of which two or three are held at a time."""
MAX_FRAMES = 2_000
QUALITY = 92
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")
_MODES = frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "F"))
_WITH_ALPHA = frozenset(("PA", "RGBa", "La"))
_NAMES = {
    "exif": "EXIF", "xmp": "XMP", "XML:com.adobe.xmp": "XMP", "xml": "XMP", "photoshop": "Photoshop and IPTC data",
    "comment": "comments", "icc_profile": "colour profile", "dpi": "resolution", "mp": "further pictures inside",
    "mpoffset": "further pictures inside", "extension": "application data",
}  # fmt: skip
_SAVED_AS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": QUALITY, "subsampling": "4:4:4", "optimize": True},
    "PNG": {},
    "WEBP": {"quality": QUALITY, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "GIF": {"optimize": False},
}
_GPS, _TIFF_XMP, _TIFF_IPTC, _TIFF_TEXTS = 0x8825, 700, 33723, (270, 271, 272, 305, 306, 315, 316, 33432)
"""Tags of TIFF 6.0 and EXIF: descriptions, make, model, software, times, artist, host, copyright."""

warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# The frames of a GIF keep its palette as long as they share one.
GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_DIFFERENT_PALETTE_ONLY
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def warm_up() -> None:
    """Load every codec: a confined process can load none."""
    Image.init()
    for name in _SAVED_AS:
        out = BytesIO()
        Image.new("RGB", (2, 2)).save(out, name, icc_profile=_SRGB.tobytes())
        clean_image(out.getvalue())


def clean(untrusted: bytes, argument: bytes) -> bytes:  # noqa: ARG001  # every job has these two
    """The job: a ``Reply``. Raises Refused."""
    return encode(clean_image(untrusted))


def clean_image(untrusted: bytes, *, turn: bool = True) -> Reply:
    """The picture from its pixels alone, in its own format. ``turn`` applies its orientation. Raises Refused."""
    with _opened(untrusted) as image:
        return _clean(image, turn, lossless=b"VP8L" in untrusted)


def first_frame(untrusted: bytes, within: tuple[int, int]) -> Image.Image:
    """The picture, or the first of several, in sRGB on white, made to fit ``within``. Raises Refused."""
    with _opened(untrusted) as image:
        return _fitted(image, within)


def page(untrusted: bytes, number: int, within: tuple[int, int]) -> Image.Image | None:
    """The same for any page of a TIFF; None behind the last one. Other pictures have one page. Raises Refused."""
    with _opened(untrusted) as image:
        if number >= (getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
            return None
        image.seek(number)
        return _fitted(image, within)


def _fitted(image: Image.Image, within: tuple[int, int]) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise Refused(_too_large())
    image.draft("RGB", (2 * within[0], 2 * within[1]))  # a JPEG is decoded no larger than is needed
    image.thumbnail((2 * within[0], 2 * within[1]), reducing_gap=2.0)
    picture = _pixels(image, "PNG", turn=True).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    paper.thumbnail(within)
    return paper.convert("RGB")


@contextmanager
def _opened(untrusted: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(BytesIO(untrusted), formats=_FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused(_too_large()) from None
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError) as exc:
        raise Refused("it is damaged, or not the picture that it begins as") from exc


def _too_large() -> str:
    return f"the picture has more than {MAX_PIXELS // 10**6} million pixels, or more than {MAX_FRAMES:,} frames"


def _clean(image: Image.Image, turn: bool, lossless: bool) -> Reply:
    name = "JPEG" if image.format == "MPO" else str(image.format)
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if count > MAX_FRAMES or count * image.width * image.height > MAX_PIXELS:
        raise Refused(_too_large())
    removed, left = _found(image), set()
    if image.format == "MPO":
        removed.add("further pictures inside")
    options = dict(_SAVED_AS[name])
    if name == "WEBP":
        options["lossless"] = lossless
    if name in ("JPEG", "WEBP") and not options.get("lossless"):
        left.add("compressed anew: fine detail may differ from the original")
    frames, durations = [], []
    for frame in _frames(image, count):
        durations.append(frame.info.get("duration", 0))
        frames.append(_pixels(frame, name, turn))
    if count > 1:
        options |= {"save_all": True, "append_images": frames[1:]}
        if name != "TIFF":
            options |= {"duration": durations, "loop": int(image.info.get("loop", 0))}
    out = BytesIO()
    frames[0].save(out, name, **options)
    return reply(out.getvalue(), removed, left)


def _frames(image: Image.Image, count: int) -> Iterator[Image.Image]:
    if count == 1:
        yield image
        return
    yield from ImageSequence.Iterator(image)


def _found(image: Image.Image) -> set[str]:
    """What the file says beside its pixels, as far as there is a name for it."""
    image.load()
    found = {words for key, words in _NAMES.items() if image.info.get(key)}
    if getattr(image, "text", None):
        found.add("text chunks")
    exif = image.getexif()
    tags = set(exif) - {0x0112} if image.format != "TIFF" else set(exif) & {*_TIFF_TEXTS, _TIFF_XMP, _TIFF_IPTC, _GPS}
    if tags:
        found.add("EXIF")
    if exif.get_ifd(_GPS):
        found.add("GPS position")
    return found


def _pixels(frame: Image.Image, name: str, turn: bool) -> Image.Image:
    """A new picture with the same pixels, and nothing else."""
    palette_entry = frame.info.get("transparency") if name == "GIF" and frame.mode == "P" else None
    image = ImageOps.exif_transpose(frame) if turn else frame
    image = _in_srgb(_in_plain_mode(image, keep_palette=palette_entry is not None))
    if name == "JPEG" and image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    plain = Image.new(image.mode, image.size)
    if image.mode == "P":
        plain.putpalette(image.getpalette() or [])
    plain.paste(image)
    if isinstance(palette_entry, int):
        plain.info["transparency"] = palette_entry
    return plain


def _in_plain_mode(image: Image.Image, *, keep_palette: bool) -> Image.Image:
    """In a mode that every format of ours takes or converts, with transparency as a channel."""
    if "transparency" in image.info and not keep_palette and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if image.mode in _WITH_ALPHA:
        return image.convert("RGBA")
    if image.mode in _MODES or (image.mode == "CMYK" and image.info.get("icc_profile")):
        return image
    return image.convert("I;16" if image.mode.startswith("I;16") else "RGB")


def _in_srgb(image: Image.Image) -> Image.Image:
    """By the embedded profile. One that is broken, or is for no colours of this mode, is dropped without converting."""
    untrusted_profile = image.info.get("icc_profile")
    if untrusted_profile and image.mode in ("RGB", "RGBA", "CMYK", "P", "L"):
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(untrusted_profile))
            if "srgb" not in ImageCms.getProfileDescription(profile).lower():
                image = image.convert("RGB") if image.mode == "P" else image
                mode = "RGBA" if image.mode == "RGBA" else "RGB"
                converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode=mode)
                image = converted if converted is not None else image
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB") if image.mode == "CMYK" else image
