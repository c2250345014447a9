# SPDX-License-Identifier: Apache-2.0
"""Clean copies: what told of people, times and places is gone, and what a reader sees is not."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageSequence

from tests.support import telling_documents as telling
from tests.support.telling_documents import CANARY, VISIBLE, canaries_in, drawing, picture
from tests.support.tools import need
from vault.cleaning import jpeg
from vault.cleaning.cleaner import Cleaner, present_makers
from vault.cleaning.reply import Reply, decode, encode
from vault.confined.protocol import Limits
from vault.errors import ConfinedFailed, ConfinedRefused

DOCUMENTS = {
    **{form.lower(): (lambda form=form: picture(form)) for form in ("JPEG", "PNG", "WEBP", "TIFF", "GIF")},
    "pdf": telling.pdf, "docx": telling.docx, "xlsx": telling.xlsx, "pptx": telling.pptx, "odt": telling.odt,
}  # fmt: skip
PICTURES = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")


@pytest.fixture(scope="module")
def cleaner() -> Iterator[Cleaner]:
    """One for all tests: each document has a process of its own anyway."""
    with Cleaner() as opened:
        yield opened


def clean(cleaner: Cleaner, document: bytes) -> Reply:
    return cleaner.clean([document])[0]


def refusal(cleaner: Cleaner, document: bytes) -> str:
    with pytest.raises(ConfinedFailed) as refused:
        cleaner.clean([document])
    return str(refused.value)


def opened(document: bytes) -> Image.Image:
    image = Image.open(BytesIO(document))
    image.load()
    return image


def same_pixels(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and not ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).getbbox()


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_no_word_that_tells_is_left(cleaner: Cleaner, kind: str) -> None:
    document = DOCUMENTS[kind]()
    assert canaries_in(document)
    copy, made_by = cleaner.clean([document[:7], document[7:]])
    assert not canaries_in(copy.content)
    assert copy.removed
    assert made_by in present_makers()


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_exiftool_finds_nothing_that_tells(cleaner: Cleaner, kind: str, tmp_path: Path) -> None:
    for name, content in (("before", DOCUMENTS[kind]()), ("after", clean(cleaner, DOCUMENTS[kind]()).content)):
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(content)
        command = [need("exiftool"), "-a", "-u", "-U", "-ee", "-G1", "--System:all", str(path)]
        found = subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
        assert "Error" not in found, found
        telling_tags = [line for line in found.splitlines() if CANARY in line or "GPS" in line]
        # What it reads of xlsx and pptx are properties, of which the copy has none.
        assert bool(telling_tags) == (name == "before"), found


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_copy_is_clean_already(cleaner: Cleaner, kind: str) -> None:
    again = clean(cleaner, clean(cleaner, DOCUMENTS[kind]()).content)
    assert set(again.removed) <= {"resolution", "document properties", "resolution of pictures inside"}


def test_two_cleanings_of_one_document_are_the_same_bytes(cleaner: Cleaner) -> None:
    for make in DOCUMENTS.values():
        document = make()
        assert clean(cleaner, document) == clean(cleaner, document)


# Pictures


@pytest.mark.parametrize("form", ["PNG", "TIFF", "GIF"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_lossless_pictures_keep_every_pixel(cleaner: Cleaner, form: str, mode: str) -> None:
    image = drawing(mode="RGB" if mode == "RGBA" else mode)
    if mode == "RGBA":
        image.putalpha(drawing(mode="L"))
    if form == "GIF" and mode in ("RGB", "RGBA"):
        image = image.convert("P")
    document = picture(form, image)
    assert same_pixels(opened(document), opened(clean(cleaner, document).content))


def test_lossless_webp_stays_lossless(cleaner: Cleaner) -> None:
    document = picture("WEBP", lossless=True)
    copy = clean(cleaner, document)
    assert same_pixels(opened(document), opened(copy.content))
    assert not copy.left


def test_16_bit_grey_keeps_its_depth(cleaner: Cleaner) -> None:
    image = Image.new("I;16", (3, 2))
    image.putpixel((1, 1), 40_000)
    copy = opened(clean(cleaner, picture("PNG", image)).content)
    assert copy.getpixel((1, 1)) == 40_000


def test_a_photograph_looks_the_same_and_says_that_it_was_compressed_anew(cleaner: Cleaner) -> None:
    document = picture("JPEG", quality=95)
    copy = clean(cleaner, document)
    difference = ImageChops.difference(opened(document), opened(copy.content))
    assert max(high for _, high in difference.getextrema()) < 24
    assert copy.left == ("compressed anew: fine detail may differ from the original",)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_orientation_says(cleaner: Cleaner, form: str, orientation: int) -> None:
    document = picture(form, orientation=orientation)
    copy = opened(clean(cleaner, document).content)
    assert not copy.getexif()
    assert copy.size == ((64, 40) if orientation <= 4 else (40, 64))
    red_corner = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    pixel = copy.convert("RGB").getpixel((red_corner[0] * (copy.width - 1), red_corner[1] * (copy.height - 1)))
    assert isinstance(pixel, tuple) and pixel[0] > 200 and pixel[1] < 60 and pixel[2] < 60


def exchanged_profile() -> bytes:
    """sRGB with red and green exchanged: the tags of a profile (ICC.1:2022, 7.3) lie in a table of names."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))


def test_colours_are_those_that_the_profile_says(cleaner: Cleaner) -> None:
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    for form in ("PNG", "JPEG"):
        copy = clean(cleaner, picture(form, image, icc_profile=exchanged_profile()))
        pixel = opened(copy.content).getpixel((4, 4))
        assert isinstance(pixel, tuple) and pixel[0] < 90 and pixel[1] > 200, pixel
        assert "icc_profile" not in opened(copy.content).info


def test_a_profile_that_is_none_is_dropped(cleaner: Cleaner) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (lab, b"no profile"):
        document = picture("PNG", icc_profile=profile)
        copy = clean(cleaner, document)
        assert same_pixels(opened(document), opened(copy.content))
        assert "icc_profile" not in opened(copy.content).info


def test_a_picture_for_printing_comes_out_in_the_colours_of_a_screen(cleaner: Cleaner) -> None:
    copy = opened(clean(cleaner, picture("JPEG", drawing(mode="CMYK"))).content)
    assert copy.mode == "RGB"
    assert copy.size == (64, 40)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_every_frame_of_a_moving_picture_is_kept(cleaner: Cleaner, form: str) -> None:
    frames = [drawing().rotate(90 * turn) for turn in range(3)]
    more = {} if form == "TIFF" else {"duration": [100, 200, 300]}
    if form == "WEBP":
        more["lossless"] = True  # type: ignore[assignment]
    document = picture(form, frames[0], save_all=True, append_images=frames[1:], **more)
    copy = opened(clean(cleaner, document).content)
    before = [frame.convert("RGB") for frame in ImageSequence.Iterator(opened(document))]
    after = [frame.convert("RGB") for frame in ImageSequence.Iterator(copy)]
    assert len(after) == 3
    assert all(same_pixels(one, other) for one, other in zip(before, after, strict=True))


def test_the_second_picture_inside_of_a_photograph_is_gone(cleaner: Cleaner) -> None:
    secret = drawing().rotate(180)
    out = BytesIO()
    drawing().save(out, "MPO", save_all=True, append_images=[secret])
    copy = clean(cleaner, out.getvalue())
    assert "further pictures inside" in copy.removed
    assert getattr(opened(copy.content), "n_frames", 1) == 1
    assert copy.content.count(b"\xff\xd8\xff") == 1


def test_pixels_that_a_transparent_picture_hides_stay(cleaner: Cleaner) -> None:
    """Said in the guide: what is under transparency is there for who looks."""
    image = drawing(mode="RGBA")
    image.putalpha(0)
    copy = opened(clean(cleaner, picture("PNG", image)).content)
    assert copy.getpixel((0, 0)) == (255, 0, 0, 0)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is large, and is not."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    body = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (65_535, 65_535), (2**31 - 1, 1)])
def test_a_decompression_bomb_is_refused(cleaner: Cleaner, size: tuple[int, int]) -> None:
    assert "million pixels" in refusal(cleaner, bomb(*size))


@pytest.mark.parametrize("form", PICTURES)
def test_a_picture_that_is_cut_off_is_refused(cleaner: Cleaner, form: str) -> None:
    document = picture(form)
    assert "damaged" in refusal(cleaner, document[: len(document) // 3])


@given(at=st.floats(0, 0.999), change=st.integers(1, 255), form=st.sampled_from(sorted(DOCUMENTS)))
@settings(max_examples=120)
def test_a_damaged_document_gives_a_clean_copy_or_our_error(
    cleaner: Cleaner, at: float, change: int, form: str
) -> None:
    document = bytearray(_made(form))
    document[int(at * len(document))] ^= change
    try:
        copy = clean(cleaner, bytes(document))
    except ConfinedFailed:
        return
    # In a PDF one byte makes a key that tells one that nobody knows: docs/guide/en/clean-copies.md says so.
    assert form == "pdf" or not canaries_in(copy.content)


_MADE: dict[str, bytes] = {}


def _made(form: str) -> bytes:
    if form not in _MADE:
        _MADE[form] = DOCUMENTS[form]()
    return _MADE[form]


# PDF


def text_of(document: bytes, tmp_path: Path) -> str:
    path = tmp_path / "a.pdf"
    path.write_bytes(document)
    done = subprocess.run([need("pdftotext"), "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_text_and_pictures_of_a_pdf_stay(cleaner: Cleaner, tmp_path: Path) -> None:
    document = telling.pdf()
    copy = clean(cleaner, document).content
    assert VISIBLE in text_of(copy, tmp_path)
    assert text_of(copy, tmp_path) == text_of(document, tmp_path)
    with pikepdf.open(BytesIO(document)) as before, pikepdf.open(BytesIO(copy)) as after:
        pictures = [pikepdf.PdfImage(pdf.pages[0].Resources.XObject.Im0).as_pil_image() for pdf in (before, after)]
        assert same_pixels(*pictures)


def test_a_pdf_says_what_stays_in_it(cleaner: Cleaner) -> None:
    copy = clean(cleaner, telling.pdf())
    assert copy.left == ("the text of comments", "what is typed into form fields")
    with pikepdf.open(BytesIO(copy.content)) as pdf:
        kinds = [str(one.Subtype) for one in pdf.pages[0].Annots]
        assert kinds == ["/Text", "/Link", "/Widget"]
        assert str(pdf.pages[0].Annots[2].T) == "field1"
        assert set(pdf.Root.keys()) <= {"/Type", "/Pages", "/Names", "/AcroForm"}


def test_earlier_versions_of_a_pdf_are_gone(cleaner: Cleaner) -> None:
    """What an update of a file replaced is still in the file, for who looks: not in the copy."""
    document = telling.pdf()
    place = document.rindex(b"startxref")
    appended = document + f"\n900 0 obj\n({CANARY})\nendobj\n".encode() + document[place:]
    assert not canaries_in(clean(cleaner, appended).content)


def test_the_id_of_a_pdf_ties_no_copies_together(cleaner: Cleaner) -> None:
    ids = []
    for words in ("one", "two"):
        out = BytesIO()
        pdf = pikepdf.new()
        pdf.add_blank_page()
        pdf.pages[0].Contents = pdf.make_stream(words.encode())
        pdf.trailer.ID = pikepdf.Array([b"x" * 16, b"y" * 16])
        pdf.save(out)
        with pikepdf.open(BytesIO(clean(cleaner, out.getvalue()).content)) as copy:
            ids.append(bytes(copy.trailer.ID[0]))
    assert ids[0] != ids[1]
    assert b"x" * 16 not in ids


def test_an_encrypted_pdf_is_refused(cleaner: Cleaner) -> None:
    for user in ("secret", ""):
        out = BytesIO()
        pdf = pikepdf.new()
        pdf.add_blank_page()
        pdf.save(out, encryption=pikepdf.Encryption(owner="secret", user=user))
        assert refusal(cleaner, out.getvalue()) == "it is encrypted"


def test_jpegs_lose_everything_but_the_picture_without_being_decoded() -> None:
    for more in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"quality": 30}):
        document = picture("JPEG", **more)
        stripped, told = jpeg.strip(document)
        assert told
        assert not canaries_in(stripped)
        assert opened(document).tobytes() == opened(stripped).tobytes()
        assert jpeg.strip(stripped) == (stripped, False)


@given(st.binary(max_size=200))
def test_a_jpeg_that_is_none_is_a_value_error(junk: bytes) -> None:
    for document in (junk, b"\xff\xd8" + junk, picture("JPEG")[:200] + junk):
        try:
            stripped, _ = jpeg.strip(document)
        except ValueError:
            continue
        assert stripped.endswith(b"\xff\xd9")


# Office documents


def parts_of(document: bytes) -> dict[str, str]:
    import zipfile

    with zipfile.ZipFile(BytesIO(document)) as package:
        return {name: package.read(name).decode("utf-8", "replace") for name in package.namelist()}


@pytest.mark.parametrize(
    ("make", "part", "stays"),
    [
        (telling.docx, "word/document.xml", (VISIBLE, "added", "taken out", "Author 1", "Author 2")),
        (telling.docx, "word/comments.xml", ("check this", 'author="Author 1"')),
        (telling.xlsx, "xl/worksheets/sheet1.xml", (VISIBLE, 'orientation="portrait"')),
        (telling.xlsx, "xl/comments1.xml", ("look", "<author>Author 1</author>")),
        (telling.pptx, "ppt/slides/slide1.xml", (VISIBLE,)),
        (telling.odt, "content.xml", (VISIBLE, "check", "Author 1")),
    ],
)
def test_what_a_reader_sees_stays(cleaner: Cleaner, make: object, part: str, stays: tuple[str, ...]) -> None:
    text = parts_of(clean(cleaner, make()).content)[part]  # type: ignore[operator]
    assert all(words in text for words in stays), text


def test_an_office_document_says_what_stays_in_it(cleaner: Cleaner) -> None:
    left = set(clean(cleaner, telling.docx()).left) | set(clean(cleaner, telling.pptx()).left)
    assert left >= {
        "tracked changes, with the text that was deleted", "the text of comments", "hidden text, sheets or slides",
        "the speaker's notes",
    }  # fmt: skip


def test_nothing_points_at_a_part_that_was_dropped(cleaner: Cleaner) -> None:
    import posixpath
    import re

    for make in (telling.docx, telling.xlsx, telling.pptx):
        parts = parts_of(clean(cleaner, make()).content)
        for name in re.findall(r'PartName="/([^"]+)"', parts["[Content_Types].xml"]):
            assert name in parts
        for name, text in parts.items():
            if name.endswith(".rels"):
                folder = name.partition("_rels/")[0]
                for target in re.findall(r'Target="([^":]+)"', text):
                    assert posixpath.normpath(posixpath.join(folder, target)) in parts, (name, target)
        assert 'r:id="rId1"' not in parts.get("xl/worksheets/sheet1.xml", "")
    odt = parts_of(clean(cleaner, telling.odt()).content)
    for name in re.findall(r'full-path="([^"]+)"', odt["META-INF/manifest.xml"]):
        assert name in odt


def test_a_package_says_no_times_and_nothing_between_its_parts(cleaner: Cleaner) -> None:
    import zipfile

    for make in (telling.docx, telling.odt):
        with zipfile.ZipFile(BytesIO(clean(cleaner, make()).content)) as package:
            infos = package.infolist()
            assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
            assert not any(info.extra or info.comment for info in infos)
            assert not package.comment
    assert infos[0].filename == "mimetype"
    assert infos[0].compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        ("word/media/image2.emf", b"\1\0\0\0", r"cannot be cleaned here \(emf\)"),
        ("word/embeddings/oleObject1.bin", b"\xd0\xcf\x11\xe0", r"cannot be cleaned here \(bin\)"),
        ("word/media/video1.mp4", b"....ftypisom", r"cannot be cleaned here \(mp4\)"),
        ("word/afchunk.rtf", b"{\\rtf1}", r"cannot be cleaned here \(rtf\)"),
        ("xl/connections.xml", b"<a/>", "connections to data sources"),
        ("word/x.xml", b"<a", "no XML"),
        ("word/x.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares entities"),
        ("word/embeddings/a.docx", b"PK\3\4", "damaged"),
        ("word/media/image2.png", b"\x89PNG\r\n\x1a\n", "damaged"),
        ("../../x.xml", b"<a/>", "leads out of it"),
    ],
)
def test_what_nobody_here_can_clean_is_refused_by_its_kind(
    cleaner: Cleaner, part: str, content: bytes, reason: str
) -> None:
    import re

    assert re.search(reason, refusal(cleaner, telling.docx(**{part: content})))


def test_documents_in_documents_have_an_end(cleaner: Cleaner) -> None:
    inside = telling.xlsx()
    for _ in range(5):
        inside = telling.docx(**{"word/embeddings/a.docx": inside})
    assert "documents in documents" in refusal(cleaner, inside)


def test_a_package_bomb_is_refused(cleaner: Cleaner) -> None:
    assert "larger than" in refusal(cleaner, telling.docx(**{"word/media/image2.png": bytes(401 << 20)}))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"plain text", "a kind that cannot be cleaned"),
        (b"", "a kind that cannot be cleaned"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "older Office format"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypisom", "sound and video"),
        (b"ID3\4", "sound and video"),
        (b"{\\rtf1", "RTF"),
        (b"%PDF-1.7\nnot really", "damaged"),
        (b"PK\3\4 not really", "damaged"),
    ],
)
def test_what_cannot_be_cleaned_is_refused_with_a_reason(cleaner: Cleaner, document: bytes, reason: str) -> None:
    assert reason in refusal(cleaner, document)


def test_an_archive_is_no_document(cleaner: Cleaner) -> None:
    assert "ZIP archive" in refusal(cleaner, telling._package({"a.txt": "x"}))


def test_a_document_above_the_limit_is_refused() -> None:
    with Cleaner(Limits(input=1000)) as small, pytest.raises(ConfinedRefused, match="larger than"):
        small.clean([picture("PNG") * 2])


def test_a_reply_that_is_none_is_our_error() -> None:
    good = Reply(b"x", ("EXIF",), ())
    assert decode(encode(good)) == good
    for untrusted in (b"", b"\xc0", encode(good) + b"\0", encode(good)[:-1], encode(Reply(b"", ("x" * 201,), ()))):
        with pytest.raises(ConfinedFailed):
            decode(untrusted)
