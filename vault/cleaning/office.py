# SPDX-License-Identifier: Apache-2.0
"""Office Open XML (docx, xlsx, pptx) and OpenDocument (odt, ods, odp). Runs in a confined child only.

A package is written anew from the parts that are understood: XML by the rules of ``office_xml``, pictures by
``images``, packages inside by this code again. What is known and tells is dropped; a document with a part of any other
kind is refused, because nobody here knows what that part says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection

from vault.cleaning import images, package
from vault.cleaning.office_xml import Rules, parse, remove, serialise
from vault.cleaning.reply import Reply, encode, reply
from vault.confined.protocol import Refused

MAX_DEPTH = 3
"""Of documents in documents: a chart in a presentation holds a sheet."""
_ODF_TYPE = re.compile(rb"application/vnd\.oasis\.opendocument\.[a-z-]{1,40}")
_TYPES, _MIMETYPE, _MANIFEST = "[Content_Types].xml", "mimetype", "META-INF/manifest.xml"

_OOXML_DROPPED = (
    (re.compile(r"docProps/.*|package/services/.*|docMetadata/.*|.*\.psmdcp"), "document properties"),
    (re.compile(r"customXml/.*|.*/?userCustomization/.*|customUI/.*"), "attached data"),
    (re.compile(r".*/printerSettings/.*"), "settings of printers"),
    (re.compile(r".*/people\.xml|.*/persons/.*"), "names of people"),
    (re.compile(r".*/comments(Extended|Ids|Extensible)\.xml"), "marks of editing sessions"),
    (re.compile(r".*/threadedComments/.*"), "threads of comments"),
    (re.compile(r".*/(vba\w*\.(bin|xml))|.*/activeX/.*|.*/macrosheets/.*"), "macros"),
    (re.compile(r"xl/revisions/.*"), "the history of changes"),
    (re.compile(r"_xmlsignatures/.*"), "digital signatures"),
)  # fmt: skip
_ODF_DROPPED = (
    (re.compile(r"(.*/)?meta\.xml|manifest\.rdf|.*/manifest\.rdf"), "document properties"),
    (re.compile(r"Thumbnails/.*"), "previews"),
    (re.compile(r"(.*/)?settings\.xml|Configurations2/.*|layout-cache|current\.xml"), "settings"),
    (re.compile(r"(Basic|Scripts|Dialogs)/.*"), "macros"),
    (re.compile(r"Versions/.*|VersionList\.xml"), "earlier versions"),
    (re.compile(r"META-INF/\w*signatures\.xml"), "digital signatures"),
    (re.compile(r"ObjectReplacements/.*"), "previews"),
)  # fmt: skip
_REFUSED = re.compile(r"xl/(connections\.xml|queryTables/.*|model/.*)")
_XML = re.compile(r".*\.(xml|rels|vml)", re.I)
_PICTURE = re.compile(r".*\.(jpe?g|jfif|png|gif|tiff?|webp)", re.I)
_NUMBERED = re.compile(r".*/(image|img|picture|media)?-?[0-9A-F]+\.\w+", re.I)
"""How office programs call the pictures that they take in: by a number or a hash."""
_FONT = re.compile(r".*\.(odttf|fntdata|ttf|otf)", re.I)
_PACKAGE = re.compile(r".*/embeddings/.*\.(docx|xlsx|pptx)", re.I)


def warm_up() -> None:
    """Load every codec and parser: a confined process can load none."""
    images.warm_up()
    Rules().clean(b"<a b='c'/>")
    package.read(package.write({"a": b"b" * 99}))


def clean(untrusted: bytes, argument: bytes) -> bytes:  # noqa: ARG001  # every job has these two
    """The job: a ``Reply``. Raises Refused."""
    return encode(clean_package(untrusted, 0))


def clean_package(untrusted: bytes, depth: int) -> Reply:
    """The document without people, times, paths and properties. Raises Refused."""
    if depth > MAX_DEPTH:
        raise Refused("it holds documents in documents in documents")
    parts = package.read(untrusted)
    rules = Rules()
    if _TYPES in parts:
        cleaned = _clean_ooxml(parts, rules, depth)
        return reply(package.write(cleaned), rules.removed, rules.left)
    if _ODF_TYPE.fullmatch(parts.get(_MIMETYPE, b"")):
        cleaned = _clean_odf(parts, rules)
        return reply(package.write(cleaned, stored=_MIMETYPE), rules.removed, rules.left)
    raise Refused("it is a ZIP archive: unpack it, and file what is in it")


def _clean_ooxml(parts: dict[str, bytes], rules: Rules, depth: int) -> dict[str, bytes]:
    kept = _without(parts, _OOXML_DROPPED, rules)
    gone = parts.keys() - kept.keys()
    dropped_ids: dict[str, frozenset[str]] = {}
    for name in [name for name in kept if name.endswith(".rels")]:
        kept[name], owner, ids = _clean_relationships(name, kept[name], gone, rules)
        dropped_ids[owner] = ids
    kept[_TYPES] = _clean_types(kept[_TYPES], gone)
    for name, content in kept.items():
        if _REFUSED.fullmatch(name):
            raise Refused("it holds connections to data sources")
        if name.startswith("xl/externalLinks/"):
            rules.left.add("values from other documents that it is linked to")
        elif name.startswith("xl/pivotCache/"):
            rules.left.add("the data behind pivot tables")
        elif name.startswith("ppt/notesSlides/"):
            rules.left.add("the speaker's notes")
        if _PACKAGE.fullmatch(name):
            inside = clean_package(content, depth + 1)
            kept[name] = inside.content
            rules.removed |= set(inside.removed)
            rules.left |= set(inside.left)
        elif name != _TYPES and not name.endswith(".rels"):
            kept[name] = _clean_part(name, content, rules, dropped_ids.get(name, frozenset()))
    return kept


def _clean_odf(parts: dict[str, bytes], rules: Rules) -> dict[str, bytes]:
    if b"encryption-data" in parts.get(_MANIFEST, b""):
        raise Refused("it is encrypted")
    kept = _without(parts, _ODF_DROPPED, rules)
    gone = parts.keys() - kept.keys()
    for name, content in kept.items():
        if name == _MANIFEST:
            root = parse(content)
            for entry in list(root):
                path = next((value for key, value in entry.attrib.items() if key.endswith("}full-path")), "")
                if path in gone or (path.endswith("/") and path != "/" and not any(k.startswith(path) for k in kept)):
                    remove(entry)
            kept[name] = serialise(root)
        elif name != _MIMETYPE:
            kept[name] = _clean_part(name, content, rules, frozenset())
    # The type comes first and plain, so that it can be read without unpacking (OpenDocument 1.3, part 2, 3.3).
    return {_MIMETYPE: kept.pop(_MIMETYPE), **kept}


def _without(
    parts: dict[str, bytes], dropped: Collection[tuple[re.Pattern[str], str]], rules: Rules
) -> dict[str, bytes]:
    kept = {}
    for name, content in parts.items():
        # The relationships of a dropped part go with it.
        about = re.sub(r"_rels/(.*)\.rels$", r"\1", name)
        words = next((words for pattern, words in dropped if pattern.fullmatch(about)), None)
        if words is None:
            kept[name] = content
        else:
            rules.removed.add(words)
    return kept


def _clean_part(name: str, content: bytes, rules: Rules, dropped_ids: frozenset[str]) -> bytes:
    if _XML.fullmatch(name):
        return rules.clean(content, dropped_ids=dropped_ids)
    if _PICTURE.fullmatch(name):
        # The document itself says how the picture is turned.
        picture = images.clean_image(content, turn=False)
        rules.removed |= {f"{words} of pictures inside" for words in picture.removed}
        rules.left |= set(picture.left)
        if not _NUMBERED.fullmatch(name):
            rules.left.add("the names of picture files inside")
        return picture.content
    if _FONT.fullmatch(name):
        rules.left.add("embedded fonts")
        return content
    ending = re.sub(r"[^a-z0-9]", "", posixpath.splitext(name)[1].lower())[:10]
    raise Refused(f"it holds something that cannot be cleaned here ({ending or 'without a kind'})")


def _clean_relationships(
    name: str, untrusted: bytes, gone: Collection[str], rules: Rules
) -> tuple[bytes, str, frozenset[str]]:
    """The part, whose relationships they are, and the ids of those that were taken out."""
    place = re.fullmatch(r"(.*?)_rels/(.*)\.rels", name)
    if place is None:
        raise Refused("it is damaged: relationships lie where none belong")
    folder, owner = place.groups()
    root, dropped = parse(untrusted), set()
    for one in list(root):
        kind, target = one.get("Type", "").rpartition("/")[2], one.get("Target", "")
        if one.get("TargetMode") == "External":
            if kind == "attachedTemplate":
                dropped.add(one.get("Id", ""))
                remove(one)
                rules.removed.add("paths")
            elif kind != "hyperlink":
                one.set("Target", "removed")
                rules.removed.add("paths of linked files")
            elif target.lower().startswith("file:") or re.match(r"[a-z]:|\\\\", target, re.I):
                rules.left.add("links to files by their paths")
        elif posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/") in gone:
            dropped.add(one.get("Id", ""))
            remove(one)
    return serialise(root), folder + owner, frozenset(dropped)


def _clean_types(untrusted: bytes, gone: Collection[str]) -> bytes:
    root = parse(untrusted)
    for one in list(root):
        if one.get("PartName", "").lstrip("/") in gone:
            remove(one)
    return serialise(root)
