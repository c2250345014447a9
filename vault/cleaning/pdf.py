# SPDX-License-Identifier: Apache-2.0
"""PDF: what it says of its making is taken out of every object, and the file is written anew. In children only.

Writing anew (by qpdf, through pikepdf) leaves behind what an earlier version of the file said and no page uses any
more. Pages keep their text, fonts and pictures as they are; JPEGs inside lose everything but the picture. Keys are
those of ISO 32000-1; section numbers are given where they are not plain.

pikepdf crashes when a document is collected while parts of it are in use: each function here keeps its ``pdf``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from vault.cleaning import jpeg
from vault.cleaning.reply import Reply, encode, reply
from vault.confined.protocol import Refused

MAX_OBJECTS = 2_000_000
MAX_INFLATED = 256 << 20

_TELLING = {
    "/Metadata": "XMP", "/PieceInfo": "data of the program that made it", "/LastModified": "times",
    "/Thumb": "previews of pages", "/AF": "attachments", "/EF": "attachments", "/EmbeddedFiles": "attachments",
    "/Collection": "attachments", "/AA": "scripts and actions", "/JavaScript": "scripts and actions",
    "/JS": "scripts and actions", "/XFA": "XFA forms", "/DSS": "digital signatures", "/Perms": "digital signatures",
    "/SpiderInfo": "where it was captured", "/URLS": "where it was captured", "/IDS": "where it was captured",
    "/OPI": "paths of pictures", "/CreatorInfo": "data of the program that made it", "/Legal": "legal attestation",
    "/Alt": "alternative texts of pictures", "/LGIDict": "geographic position", "/GPTS": "geographic position",
}  # fmt: skip
"""Keys that are deleted wherever they stand, and what each is. Keys that a program made up, and put elsewhere than
into the catalog or a page, are not known here, and stay."""
_PDFTEX = "/PTEX."
_OF_CATALOG = frozenset(
    ("/Type", "/Version", "/Extensions", "/Pages", "/PageLabels", "/Names", "/Dests", "/ViewerPreferences",
     "/PageLayout", "/PageMode", "/Outlines", "/OpenAction", "/URI", "/AcroForm", "/StructTreeRoot", "/MarkInfo",
     "/Lang", "/OutputIntents", "/OCProperties", "/Requirements")
)  # fmt: skip
"""What is kept of the catalog (§7.7.2); the rest of the standard's keys is in the table above, or names people."""
_OF_PAGE = frozenset(
    ("/Type", "/Parent", "/Resources", "/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox", "/BoxColorInfo",
     "/Contents", "/Rotate", "/Group", "/Dur", "/Trans", "/Annots", "/Tabs", "/StructParents", "/PresSteps",
     "/UserUnit")
)  # fmt: skip
"""What is kept of a page (§7.7.3.3)."""
_SAYS_WHO = ("/T", "/M", "/CreationDate", "/NM")
"""Of annotations (§12.5.2, §12.5.6.2): author, times, a unique name."""
_ACTIONS = frozenset(
    ("/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound",
     "/RichMediaExecute", "/GoTo3DView")
)  # fmt: skip
"""Actions that run something, send something, or name a file. Links to the web stay: they are what a reader sees."""
_ATTACHED = frozenset(("/FileAttachment", "/Sound", "/Movie", "/Screen", "/RichMedia", "/3D"))


def warm_up() -> None:
    """Load what is loaded late: a confined process can load nothing."""
    pdf = Pdf.new()
    pdf.add_blank_page()
    out = BytesIO()
    pdf.save(out)
    clean_pdf(out.getvalue())


def clean(untrusted: bytes, argument: bytes) -> bytes:  # noqa: ARG001  # every job has these two
    """The job: a ``Reply``. Raises Refused."""
    return encode(clean_pdf(untrusted))


def clean_pdf(untrusted: bytes) -> Reply:
    """The document without what it says of its making. Raises Refused."""
    try:
        pdf = Pdf.open(BytesIO(untrusted))
    except pikepdf.PasswordError as exc:
        raise Refused("it is encrypted") from exc
    except (pikepdf.PdfError, RuntimeError) as exc:
        # One that opens without a password still makes qpdf ask for random bytes, in a way that is refused here.
        raise Refused("it is encrypted" if b"/Encrypt" in untrusted else "it is damaged, or no PDF") from exc
    try:
        if pdf.is_encrypted:
            raise Refused("it is encrypted")
        if len(pdf.objects) > MAX_OBJECTS:
            raise Refused(f"it has more than {MAX_OBJECTS:,} objects")
        done = _Cleaning(pdf)
        done.run()
        out = BytesIO()
        # The id is then the hash of what is left; another one would tie copies of one document together.
        pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return reply(out.getvalue(), done.removed, done.left)
    except (pikepdf.PdfError, RuntimeError, ValueError, TypeError, KeyError) as exc:
        raise Refused("it is damaged: one of its objects cannot be read") from exc
    finally:
        pdf.close()


class _Cleaning:
    def __init__(self, pdf: Pdf) -> None:
        self.pdf = pdf
        self.removed: set[str] = set()
        self.left: set[str] = set()

    def run(self) -> None:
        if Name.Info in self.pdf.trailer:
            self.removed.add("document properties")
            del self.pdf.trailer[Name.Info]
        for key in [key for key in self.pdf.trailer.keys() if key not in ("/Root", "/Size")]:  # noqa: SIM118
            del self.pdf.trailer[key]  # the id too, half of which would be kept
        root = self.pdf.Root
        if "/OCProperties" in root:
            self.left.add("layers, also those that are switched off")
        if "/AcroForm" in root:
            self.left.add("what is typed into form fields")
        for one in self.pdf.objects:
            for found in _dictionaries(one):
                self._clean(found)
        self._keep(root, _OF_CATALOG)
        for page in self.pdf.pages:
            self._keep(page.obj, _OF_PAGE)

    def _clean(self, found: Object) -> None:
        for key in list(found.keys()):
            if key in _TELLING or key.startswith(_PDFTEX):
                self._delete(found, key, _TELLING.get(key, "paths of pictures"))
        self._clean_actions(found)
        if found.get("/FT") == Name.Sig and "/V" in found:
            self._delete(found, "/V", "digital signatures")
        if isinstance(found.get("/Annots"), Array):
            self._clean_annotations(found)
        if found.get("/Type") in (Name.Page, Name.XObject) and "/ID" in found:
            self._delete(found, "/ID", "where it was captured")
        if found.get("/Type") == Name.Sig:
            for key in [key for key in found.keys() if key not in ("/Type", "/Filter")]:  # noqa: SIM118
                self._delete(found, key, "digital signatures")
        if isinstance(found, Stream) and found.get("/Subtype") == Name.Image:
            self._clean_picture(found)

    def _keep(self, found: Object, keys: frozenset[str]) -> None:
        for key in [key for key in found.keys() if key not in keys]:  # noqa: SIM118
            self._delete(found, key, "data of the program that made it")

    def _delete(self, found: Object, key: str, words: str) -> None:
        del found[key]
        self.removed.add(words)

    def _clean_actions(self, found: Object) -> None:
        for key in ("/A", "/Next", "/OpenAction", "/PA"):
            action = found.get(key)
            several = list(action) if isinstance(action, Array) and key == "/Next" else [action]
            if any(isinstance(one, Dictionary) and one.get("/S") in _ACTIONS for one in several):
                self._delete(found, key, "scripts and actions")

    def _clean_annotations(self, page: Object) -> None:
        kept = []
        for annotation in page.Annots:
            if not isinstance(annotation, Dictionary):
                continue
            kind = annotation.get("/Subtype")
            if kind in _ATTACHED:
                self.removed.add("attachments")
                continue
            kept.append(annotation)
            if kind not in ("/Widget", "/Link", "/Popup") and "/Contents" in annotation:
                self.left.add("the text of comments")
            for key in _SAYS_WHO:
                # The /T of a form field is its name, by which scripts and other fields know it.
                if key in annotation and not (key == "/T" and kind == Name.Widget):
                    self._delete(annotation, key, "authors and times of comments")
        page.Annots = Array(kept)

    def _clean_picture(self, stream: Stream) -> None:
        filters = stream.get("/Filter")
        names = [str(one) for one in filters] if isinstance(filters, Array) else [str(filters)]
        if "/JPXDecode" in names:
            self.left.add("JPEG 2000 pictures inside, with whatever they say")
        if "/DCTDecode" not in names:
            return
        try:
            raw = stream.read_raw_bytes()
            if names == ["/FlateDecode", "/DCTDecode"] and "/DecodeParms" not in stream:
                raw = zlib.decompressobj().decompress(raw, MAX_INFLATED)
            elif names != ["/DCTDecode"]:
                raise ValueError
            picture, told = jpeg.strip(raw)
        except (ValueError, zlib.error):
            self.left.add("a JPEG inside that could not be read, with whatever it says")
            return
        if told:
            self.removed.add("EXIF and other data of pictures inside")
            parameters = stream.get("/DecodeParms")
            stream.write(
                picture, filter=Name.DCTDecode, decode_parms=parameters if isinstance(parameters, Dictionary) else None
            )


def _dictionaries(one: Object) -> Iterator[Object]:
    """An indirect object's dictionaries, nested ones too. Those that are indirect themselves come by themselves."""
    waiting = [one]
    while waiting:
        found = waiting.pop()
        if isinstance(found, (Dictionary, Stream)):
            yield found
            children = [found.get(key) for key in found.keys()]  # noqa: SIM118  # no dict, though it looks like one
        elif isinstance(found, Array):
            children = list(found)
        else:
            continue
        waiting += [
            child for child in children
            if isinstance(child, (Dictionary, Array)) and not child.is_indirect
        ]  # fmt: skip
