# SPDX-License-Identifier: Apache-2.0
"""What documents are about, as a small text file says it: so that no source is named on a command line (docs/cli.md).

A parser without I/O. Whether a manifest takes what it says is ``filing``'s to judge.
"""

from __future__ import annotations

from gettext import gettext as _

from vault.errors import BadInput
from vault.sources import About

MAX_ABOUT_FILE = 1 << 20
"""Bytes: more than the longest note, source and tags there may be."""


def parse_about(untrusted: bytes) -> About:
    """What a small text file says of documents: lines ``note: …``, ``source: …``, ``tag: …``. Raises BadInput.

    UTF-8. A note and a source once at most, tags as often as one likes, empty lines between them; nothing else, so that
    a slip of the finger loses no name of a source. Errors tell the number of a line and never what is in it.
    """
    try:
        lines = untrusted.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise BadInput(_("what the documents are about is no UTF-8 text")) from None
    said: dict[str, list[str]] = {"note": [], "source": [], "tag": []}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in said or not value.strip():
            raise BadInput(
                _("line {number} is none of these: note: TEXT, source: TEXT, tag: WORD").format(number=number),
                _("nothing was filed"),
            )
        if key.strip() != "tag" and said[key.strip()]:
            raise BadInput(
                _("line {number} says a second {word}").format(number=number, word=key.strip()),
                _("one line of each; tags may be repeated"),
            )
        said[key.strip()].append(value.strip())
    return About("".join(said["note"]), "".join(said["source"]), tuple(said["tag"]))


def joined(one: About, other: About) -> About:
    """Both together. Raises BadInput when both say a note, or a source."""
    for name, twice in (("note", one.note and other.note), ("source", one.source and other.source)):
        if twice:
            raise BadInput(
                _("there are two of them: a {name} on the command line, and one in the file").format(name=name)
            )
    return About(one.note or other.note, one.source or other.source, one.tags + other.tags)
