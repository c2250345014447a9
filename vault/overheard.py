# SPDX-License-Identifier: Apache-2.0
"""Sentences that reach us in English and are shown in the language that is spoken.

A confined child that reads documents opens no catalogue, and what it says is written into the custody record or the
index of words as it is. Those words are listed here once more, and recognised when they are shown. What is not
recognised stays as it is: it may be anything, because the child has read a hostile document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from gettext import gettext as _

from vault.language import ENGLISH, later, spoken

KINDS = (
    later("EXIF"), later("XMP"), later("Photoshop and IPTC data"), later("comments"), later("colour profile"),
    later("resolution"), later("further pictures inside"), later("application data"), later("text chunks"),
    later("GPS position"), later("compressed anew: fine detail may differ from the original"),
    later("document properties"), later("attached data"), later("settings of printers"), later("names of people"),
    later("marks of editing sessions"), later("threads of comments"), later("macros"), later("the history of changes"),
    later("digital signatures"), later("previews"), later("settings"), later("earlier versions"),
    later("{kind} of pictures inside"), later("embedded fonts"),
    later("values from other documents that it is linked to"), later("the names of picture files inside"),
    later("the data behind pivot tables"), later("the speaker's notes"), later("paths"), later("paths of linked files"),
    later("links to files by their paths"), later("scripts"), later("document variables"), later("data sources"),
    later("versions of programs"), later("tracked changes, with the text that was deleted"),
    later("the text of comments"), later("times of changes and comments"),
    later("fields that show an author, a file name or a property"), later("alternative texts of pictures"),
    later("hidden text, sheets or slides"), later("file names of pictures"),
    later("data of the program that made it"), later("times"), later("previews of pages"), later("attachments"),
    later("scripts and actions"), later("XFA forms"), later("where it was captured"), later("paths of pictures"),
    later("legal attestation"), later("geographic position"), later("layers, also those that are switched off"),
    later("what is typed into form fields"), later("JPEG 2000 pictures inside, with whatever they say"),
    later("EXIF and other data of pictures inside"),
    later("a JPEG inside that could not be read, with whatever it says"), later("authors and times of comments"),
    later("names of layers"), later("language"), later("nothing known"),
)  # fmt: skip
"""What was taken out of a clean copy, or left in."""
REASONS = (
    later("it is encrypted"),
    later("it is damaged, or no PDF"),
    later("it is damaged, or not the picture that it begins as"),
    later("the picture is cut off"),
    later("no JPEG"),
    later("no marker where one must be"),
    later("a segment is cut off"),
    later("the picture has more than {pixels} million pixels, or more than {frames} frames"),
    later("it is a ZIP archive: unpack it, and file what is in it"),
    later("it holds something that cannot be cleaned here (without a kind)"),
    later("it holds something that cannot be cleaned here ({kind})"),
    later("it holds documents in documents in documents"),
    later("it is damaged: relationships lie where none belong"),
    later("it holds connections to data sources"),
    later("it holds a picture or object inside of its text"),
    later("one of its parts declares entities, which no office program writes"),
    later("one of its parts declares entities"),
    later("it is damaged: one of its parts is no XML"),
    later("it is damaged: none of its parts can be read"),
    later("a part is longer or shorter than it says"),
    later("it is damaged, or no package of an office program"),
    later("it is damaged, or no ZIP package"),
    later("it is damaged: two of its parts have one name"),
    later("it is damaged: one of its parts has a name that leads out of it"),
    later("unpacked it is larger than {size} MiB, or has over {count} parts"),
    later("unpacked it is larger than {size} MiB"),
    later("it has more than {count} objects"),
    later("it is damaged: one of its objects cannot be read"),
    later("no small picture of it fits"),
    later("of a kind that cannot be cleaned here"),
    later("a HEIC or AVIF picture: save it as JPEG or PNG"),
    later("sound and video cannot be cleaned here"),
    later("an older Office format: save it as docx, xlsx or pptx"),
    later("an Office format from before 2007, or a mail of Outlook: save it in a newer one"),
    later("RTF: save it as docx or OpenDocument"),
    later("an archive of a kind that is not read here: unpack it, and file what is in it"),
    later("only the first {size} MiB of its text are kept"),
    later("it holds more than {count} documents, or documents more than {depth} deep"),
    later("it holds more than {count} files"),
    later("only {count} pages are read as pictures"),
    later("it has more than {count} pages"),
    later("a mail has more than {count} parts"),
    later("pages inside that are pictures are not read"),
    later("pictures inside are not read"),
    later("something inside: {why}"),
    later("something inside is damaged"),
    later("something inside took too long"),
    later("reading it took too long"),
    later("reading all of it took too long"),
    later("its parts are too deep in each other: they are read as plain text"),
    later("it is damaged"),
    later("an object that only its own program reads"),
    later("pictures and documents inside: {why}"),
    later("only {count} pictures inside are read, of together {size} MiB"),
    later("pictures inside were not read: tesseract can read them"),
    later("what is inside of it was not read: {why}"),
    later("pages of it that are pictures: {why}"),
    later("it is damaged, or no compound file"),
    later("it is damaged, or no workbook"),
    later("it is damaged: its beginning is cut off"),
    later("it is damaged: it has no list of pieces"),
    later("it is older than Word 6, or damaged"),
    later("what it says of itself is damaged"),
    later("a part of its text is missing"),
    later("its text is damaged"),
    later("a sheet of it is damaged"),
    later("a workbook in Excel's binary form (xlsb): save it as xlsx"),
    later("an Office format from before 2007 that is not read here"),
    later("a part of it is damaged"),
    later("a part of it is encrypted"),
    later("a part of it is longer than it says"),
    later("a page of it is damaged"),
    later("an attachment of it is damaged"),
    later("{count} picture(s) of it could not be read"),
    later("pages of it are pictures: tesseract can read them"),
    later("its reader gave up ({kind})"),
    later("its reader gave up"),
    later("it is larger than {size} MiB"),
    later("reading it took longer than {seconds} seconds"),
    later("reading it took more than {seconds} seconds of processor time"),
    later("the process that read it crashed or answered nonsense"),
    later("the process that cleaned it answered nonsense"),
    later("no process could be started to read it: {why}"),
)
"""Why a document was not read or not cleaned, or not all of it."""


def kind(text: str) -> str:
    """One of ``KINDS``, in the language that is spoken."""
    return recognised(text, KINDS)


def reason(text: str) -> str:
    """One of ``REASONS``, in the language that is spoken; several with semicolons between them are taken one by one."""
    return "; ".join(recognised(one, REASONS) for one in text.split("; "))


def recognised(text: str, templates: Iterable[str]) -> str:
    """The text in the language that is spoken, if it is of the form of a template; fields ``why`` and ``kind`` too."""
    if spoken() == ENGLISH or not text:
        return text
    known = tuple(templates)
    if text in known:
        return _(text)
    for template in sorted(known, key=_words_said, reverse=True):  # a field also matches what another says in words
        match = _pattern(template).fullmatch(text) if "{" in template else None
        if match is not None:
            fields = match.groupdict()
            return _(template).format(
                **{name: recognised(said, known) if name in ("why", "kind") else said for name, said in fields.items()}
            )
    return text


def _words_said(template: str) -> int:
    return len(re.sub(r"\{\w+\}", "", template))


def _pattern(template: str) -> re.Pattern[str]:
    """What a template matches, with or without a full stop at its end."""
    pieces = re.split(r"\{(\w+)\}", template)  # literal text and names of fields, in turn
    parts = (f"(?P<{piece}>.+?)" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
    return re.compile("".join(parts).removesuffix(r"\.") + r"\.?", re.DOTALL)
