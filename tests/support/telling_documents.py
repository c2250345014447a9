# SPDX-License-Identifier: Apache-2.0
"""Documents that tell who made them, when, where and with what: each such word holds CANARY.

Pictures are written by Pillow, PDFs by pikepdf; office documents are put together from parts in the forms in which
Word, Excel, PowerPoint and LibreOffice write them.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageCms, PngImagePlugin

CANARY = "Zhyldyz"
"""In every word that must be gone. Ten-million-to-one by chance in compressed bytes."""
BYTES = CANARY.encode()
VISIBLE = "The contract was signed at the lake house."


def canaries_in(data: bytes) -> bool:
    """Whether the word is in the bytes, as UTF-8 or UTF-16, or in what ZIP or PDF compressed."""
    forms = (BYTES, CANARY.encode("utf-16-le"), CANARY.encode("utf-16-be"))
    return any(form in unpacked for unpacked in _unpacked(data) for form in forms)


def _unpacked(data: bytes) -> list[bytes]:
    found = [data]
    if data.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(data)) as package:
            for info in package.infolist():
                found += [info.filename.encode(), info.extra, info.comment, *_unpacked(package.read(info))]
            found.append(package.comment)
    elif b"%PDF-" in data[:1024]:
        out = BytesIO()
        with pikepdf.open(BytesIO(data)) as pdf:
            pdf.save(out, stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
                     object_stream_mode=pikepdf.ObjectStreamMode.disable, qdf=True)  # fmt: skip
        found.append(out.getvalue())
    return found


def drawing(size: tuple[int, int] = (64, 40), mode: str = "RGB") -> Image.Image:
    """A picture of which each corner can be told."""
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    image.paste((255, 0, 0), (0, 0, size[0] // 4, size[1] // 4))
    image.paste((0, 0, 255), (size[0] // 2, size[1] // 2, size[0], size[1]))
    return image.convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """A camera's, with a position and a name."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x013B], tags[0x8298] = f"{CANARY} Inc", CANARY, f"{CANARY} K.", f"© {CANARY}"
    tags[0x0112] = orientation
    tags[0x8825] = {1: "N", 2: (42.0, 52.0, 30.0), 3: "E", 4: (74.0, 34.0, 11.0), 29: "2026:01:02"}
    tags[0x8769] = {0x9003: "2026:01:02 03:04:05", 0xA430: CANARY, 0x927C: BYTES}
    return tags


XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>{CANARY}</a></x:xmpmeta>".encode()


def picture(form: str, image: Image.Image | None = None, orientation: int = 1, **more: Any) -> bytes:
    """A picture of a form that Pillow writes, with all that it can be made to say, and words behind its end."""
    image = image or drawing(mode="P" if form == "GIF" else "RGB")
    out = BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", CANARY, zip=True)
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add(b"prVt", BYTES)
        more = {"pnginfo": text, "exif": exif(orientation), "icc_profile": profile} | more
    elif form == "GIF":
        more = {"comment": BYTES} | more
    elif form == "TIFF":
        more = {"tiffinfo": {270: CANARY, 305: CANARY, 315: CANARY, 700: XMP}, "icc_profile": profile} | more
    else:
        more = {"exif": exif(orientation), "xmp": XMP, "icc_profile": profile} | more
        more |= {"comment": BYTES} if form == "JPEG" else {}
    image.save(out, form, **more)
    return out.getvalue() + (b"" if form in ("TIFF", "WEBP") else BYTES)


def pdf() -> bytes:
    """A PDF with properties, XMP, an attachment, a script, a comment, a signature and a photograph, updated once."""
    document = pikepdf.new()
    document.add_blank_page(page_size=(300, 200))
    page = document.pages[0]
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    photo = pikepdf.Stream(document, picture("JPEG"))
    photo.update(Dictionary(Type=Name.XObject, Subtype=Name.Image, Width=64, Height=40, BitsPerComponent=8,
                            ColorSpace=Name.DeviceRGB, Filter=Name.DCTDecode))  # fmt: skip
    photo.Metadata = document.make_stream(XMP, Type=Name.Metadata, Subtype=Name.XML)
    page.Resources = Dictionary(Font=Dictionary(F1=font), XObject=Dictionary(Im0=document.make_indirect(photo)))
    page.Contents = document.make_stream(
        f"BT /F1 12 Tf 20 20 Td ({VISIBLE}) Tj ET q 64 0 0 40 50 50 cm /Im0 Do Q".encode()
    )
    page.PieceInfo = Dictionary(Illustrator=Dictionary(Private=CANARY))
    page.LastModified = f"D:2026 {CANARY}"
    page.Group = Dictionary(S=Name.Transparency, Deep=Array([Dictionary(Metadata=document.make_stream(XMP))]))
    page["/PTEX.FileName"] = f"/home/{CANARY}/x.pdf"
    document.docinfo.Author = CANARY
    document.docinfo.Producer = f"{CANARY}Writer"
    with document.open_metadata() as xmp:
        xmp["dc:creator"] = [CANARY]
    attached = document.make_stream(BYTES * 3, Type=Name.EmbeddedFile)
    spec = document.make_indirect(Dictionary(Type=Name.Filespec, F=f"{CANARY}.doc", EF=Dictionary(F=attached)))
    root = document.Root
    root.Names = Dictionary(
        EmbeddedFiles=Dictionary(Names=Array([CANARY, spec])),
        JavaScript=Dictionary(Names=Array(["a", Dictionary(S=Name.JavaScript, JS=f"app.alert('{CANARY}')")])),
    )
    root.OpenAction = Dictionary(S=Name.Launch, F=f"C:\\{CANARY}.exe")
    root.AF = Array([spec])
    root.PieceInfo = Dictionary(A=CANARY)
    signature = Dictionary(Type=Name.Sig, Filter=Name("/Adobe.PPKLite"), Name=CANARY, Reason=CANARY, M="D:2026")
    field = document.make_indirect(
        Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Sig, T="field1", V=document.make_indirect(signature),
                   Rect=Array([0, 0, 1, 1]))
    )  # fmt: skip
    root.AcroForm = Dictionary(Fields=Array([field]), XFA=document.make_stream(BYTES))
    note = Dictionary(Type=Name.Annot, Subtype=Name.Text, Contents="see page two", T=CANARY, NM=CANARY,
                      M="D:20260102", Rect=Array([0, 0, 9, 9]))  # fmt: skip
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, A=Dictionary(S=Name.GoToR, F=f"/{CANARY}.pdf", D="x"),
                      Rect=Array([0, 0, 9, 9]))  # fmt: skip
    clip = Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, FS=spec, Rect=Array([0, 0, 9, 9]))
    page.Annots = Array([note, link, clip, field])
    out = BytesIO()
    document.save(out)
    return out.getvalue() + f"\n% {CANARY}\n".encode()


def _package(parts: dict[str, str | bytes], *, comment: bytes = BYTES) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.extra = b"\x99\x99\x07\x00" + BYTES
            package.writestr(info, content)
        package.comment = comment
    return out.getvalue()


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
)
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_CORE = f"""{_HEAD}<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>{CANARY}</dc:creator><cp:lastModifiedBy>{CANARY}</cp:lastModifiedBy>
</cp:coreProperties>"""


def _relationships(*rows: tuple[str, str, str], external: tuple[tuple[str, str, str], ...] = ()) -> str:
    lines = [f'<Relationship Id="{i}" Type="{_REL}/{kind}" Target="{target}"/>' for i, kind, target in rows]
    lines += [
        f'<Relationship Id="{i}" Type="{_REL}/{kind}" Target="{target}" TargetMode="External"/>'
        for i, kind, target in external
    ]
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'{_HEAD}<Relationships xmlns="{space}">{"".join(lines)}</Relationships>'


def _types(*overrides: str) -> str:
    lines = [f'<Override PartName="/{name}" ContentType="application/xml"/>' for name in overrides]
    return (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(lines)}</Types>'
    )


def docx(**more: str | bytes) -> bytes:
    """A Word document with properties, comments, tracked changes, session marks, a template's path and a photograph."""
    document = f"""{_HEAD}<!-- {CANARY} --><w:document {_W}><w:body>
<w:p w:rsidR="00{CANARY}" w14:paraId="{CANARY}"><w:r w:rsidRPr="{CANARY}"><w:t>{VISIBLE}</w:t></w:r>
<w:ins w:id="1" w:author="{CANARY}" w:date="2026-01-02T03:04:05Z"><w:r><w:t>added</w:t></w:r></w:ins>
<w:del w:id="2" w:author="Other {CANARY}"><w:r><w:delText>taken out</w:delText></w:r></w:del>
<w:drawing><wp:inline><wp:docPr id="1" name="{CANARY}.jpg" descr="C:\\Users\\{CANARY}\\photo.jpg"/>
<a:blip r:embed="rId4"/></wp:inline></w:drawing></w:p></w:body></w:document>"""
    comments = f"""{_HEAD}<w:comments {_W}><w:comment w:id="0" w:author="{CANARY}" w:initials="{CANARY}"
 w:date="2026-01-02T03:04:05Z"><w:p><w:r><w:t>check this</w:t></w:r></w:p></w:comment></w:comments>"""
    settings = f"""{_HEAD}<w:settings {_W}><w:attachedTemplate r:id="rId1"/>
<w:rsids><w:rsid w:val="{CANARY}"/></w:rsids>
<w:docVars><w:docVar w:name="a" w:val="{CANARY}"/></w:docVars><w15:docId w15:val="{CANARY}"/></w:settings>"""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("word/document.xml", "docProps/core.xml", "word/people.xml"),
        "_rels/.rels": _relationships(("rId1", "officeDocument", "word/document.xml"),
                                      ("rId2", "metadata/core-properties", "docProps/core.xml"),
                                      ("rId3", "metadata/thumbnail", "docProps/thumbnail.jpeg")),
        "word/document.xml": document,
        "word/_rels/document.xml.rels": _relationships(
            ("rId1", "comments", "comments.xml"), ("rId2", "people", "people.xml"),
            ("rId4", "image", "media/image1.jpeg"), ("rId5", "customXml", "../customXml/item1.xml"),
        ),
        "word/comments.xml": comments,
        "word/people.xml": f'{_HEAD}<w15:people {_W}><w15:person w15:author="{CANARY}"/></w15:people>',
        "word/settings.xml": settings,
        "word/_rels/settings.xml.rels": _relationships(
            external=(("rId1", "attachedTemplate", f"file:///C:\\Users\\{CANARY}\\Normal.dotm"),)
        ),
        "word/media/image1.jpeg": picture("JPEG"),
        "docProps/core.xml": _CORE,
        "docProps/app.xml": f"{_HEAD}<Properties><Company>{CANARY}</Company></Properties>",
        "docProps/thumbnail.jpeg": picture("JPEG"),
        "customXml/item1.xml": f"<a>{CANARY}</a>",
    }  # fmt: skip
    return _package(parts | more)


def xlsx(**more: str | bytes) -> bytes:
    """A workbook with its path, a note's author, a printer's settings and a threaded comment."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("xl/workbook.xml", "xl/persons/person.xml"),
        "_rels/.rels": _relationships(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f"""{_HEAD}<workbook xmlns="{space}"
 xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"
 xmlns:x15ac="http://schemas.microsoft.com/office/spreadsheetml/2010/11/ac"><fileSharing userName="{CANARY}"/>
<mc:AlternateContent><mc:Choice Requires="x15">
<x15ac:absPath url="C:\\Users\\{CANARY}\\"/></mc:Choice></mc:AlternateContent>
<sheets><sheet name="One" sheetId="1" state="hidden"/></sheets></workbook>""",
        "xl/_rels/workbook.xml.rels": _relationships(("rId1", "worksheet", "worksheets/sheet1.xml"),
                                                     ("rId9", "person", "persons/person.xml")),
        "xl/worksheets/sheet1.xml": f"""{_HEAD}<worksheet xmlns="{space}" xmlns:r="{_REL}"
 xmlns:xr="http://schemas.microsoft.com/office/spreadsheetml/2014/revision" xr:uid="{CANARY}"><sheetData><row>
<c t="inlineStr"><is><t>{VISIBLE}</t></is></c></row></sheetData>
<pageSetup orientation="portrait" r:id="rId1"/></worksheet>""",
        "xl/worksheets/_rels/sheet1.xml.rels": _relationships(
            ("rId1", "printerSettings", "../printerSettings/printerSettings1.bin"),
            ("rId2", "comments", "../comments1.xml"),
            ("rId3", "threadedComment", "../threadedComments/threadedComment1.xml"),
        ),
        "xl/printerSettings/printerSettings1.bin": CANARY.encode("utf-16-le"),
        "xl/comments1.xml": f"""{_HEAD}<comments xmlns="{space}"><authors><author>{CANARY}</author></authors>
<commentList><comment ref="A1" authorId="0"><text><t>look</t></text></comment></commentList></comments>""",
        "xl/threadedComments/threadedComment1.xml": f"<a>{CANARY}</a>",
        "xl/persons/person.xml": f'<personList><person displayName="{CANARY}" userId="{CANARY}"/></personList>',
        "docProps/core.xml": _CORE,
    }  # fmt: skip
    return _package(parts | more)


def pptx(**more: str | bytes) -> bytes:
    """A presentation with comment authors of both kinds, notes, and a workbook behind a chart."""
    p = "http://schemas.openxmlformats.org/presentationml/2006/main"
    p188 = "http://schemas.microsoft.com/office/powerpoint/2018/8/main"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("ppt/presentation.xml"),
        "_rels/.rels": _relationships(("rId1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'{_HEAD}<p:presentation xmlns:p="{p}"/>',
        "ppt/commentAuthors.xml": f"""{_HEAD}<p:cmAuthorLst xmlns:p="{p}"><p:cmAuthor id="0" name="{CANARY}"
 initials="{CANARY}" lastIdx="1" clrIdx="0"/></p:cmAuthorLst>""",
        "ppt/authors.xml": f"""{_HEAD}<p188:authorLst xmlns:p188="{p188}"><p188:author id="{{1}}" name="{CANARY}"
 initials="{CANARY}" userId="S::{CANARY}@example.org" providerId="AD"/></p188:authorLst>""",
        "ppt/slides/slide1.xml": f'{_HEAD}<p:sld xmlns:p="{p}" show="0"><p:t>{VISIBLE}</p:t></p:sld>',
        "ppt/notesSlides/notesSlide1.xml": f'{_HEAD}<p:notes xmlns:p="{p}"><p:t>say it slowly</p:t></p:notes>',
        "ppt/comments/modernComment1.xml": f"""{_HEAD}<p188:cmLst xmlns:p188="{p188}">
<p188:cm id="{{2}}" authorId="{{1}}"
 created="2026-01-02T03:04:05.000"/></p188:cmLst>""",
        "ppt/embeddings/Microsoft_Excel_Sheet1.xlsx": xlsx(),
        "docProps/core.xml": _CORE,
        "docProps/thumbnail.jpeg": picture("JPEG"),
    }  # fmt: skip
    return _package(parts | more)


_O = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:officeooo="http://openoffice.org/2009/office" '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
)


def odt(**more: str | bytes) -> bytes:
    """A LibreOffice text with properties, settings, a comment, tracked changes, session marks and a photograph."""
    content = f"""{_HEAD}<office:document-content {_O}><office:automatic-styles><style:style style:name="P1">
<style:text-properties officeooo:rsid="{CANARY}" officeooo:paragraph-rsid="{CANARY}"/></style:style>
</office:automatic-styles>
<office:body><office:text><text:tracked-changes><text:changed-region><text:deletion><office:change-info>
<dc:creator>{CANARY}</dc:creator><dc:date>2026-01-02T03:04:05</dc:date></office:change-info></text:deletion>
</text:changed-region></text:tracked-changes><text:p>{VISIBLE}<office:annotation><dc:creator>{CANARY}</dc:creator>
<dc:date>2026-01-02T03:04:05</dc:date><meta:creator-initials>{CANARY}</meta:creator-initials><text:p>check</text:p>
</office:annotation><draw:frame draw:name="{CANARY}.jpg"><draw:image xlink:href="Pictures/1.jpg"/>
<svg:title>{CANARY}</svg:title><svg:desc>{CANARY}</svg:desc></draw:frame>
<draw:frame><draw:image xlink:href="file:///home/{CANARY}/x.png"/></draw:frame></text:p></office:text></office:body>
</office:document-content>"""
    names = ["content.xml", "meta.xml", "settings.xml", "Pictures/1.jpg", "Thumbnails/thumbnail.png"]
    entries = "".join(f'<manifest:file-entry manifest:full-path="{name}"/>' for name in names)
    parts: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": content,
        "meta.xml": f"<a>{CANARY}</a>",
        "settings.xml": f"<a>{CANARY}</a>",
        "Pictures/1.jpg": picture("JPEG"),
        "Thumbnails/thumbnail.png": picture("PNG"),
        "Configurations2/accelerator/current.xml": "",
        "META-INF/manifest.xml": f"{_HEAD}<manifest:manifest {_O}>{entries}</manifest:manifest>",
    }
    return _package(parts | more)
