# SPDX-License-Identifier: Apache-2.0
"""Names that people give to contacts, cases and journalists (docs/format.md §4.1).

Any script is allowed, and so are the joiners that Persian and emoji need. What would let a name look like
another one, or play tricks with a terminal, is not: control characters, line separators, private characters and the
other invisible format characters, among them those that turn the direction of text. Letters of different scripts
that look alike stay possible: a name is a reminder, the words of a card are the proof.
"""

from __future__ import annotations

import unicodedata
from gettext import gettext as _

from keys.errors import Malformed

MAX_NAME = 200
"""Characters."""

# Not Cn: what this Python calls unassigned may be the letter or emoji of a newer Unicode.
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
_INVISIBLE = {"Cf", "Mn", "Me", "Zs"}


def tidy_name(typed: str) -> str:
    """The name as it is kept: NFC, no white space around it, single spaces inside. Raises Malformed."""
    tidy = unicodedata.normalize("NFC", " ".join(typed.split()))
    if len(tidy) > MAX_NAME:
        raise Malformed(_("a name has at most {max_name} characters").format(max_name=MAX_NAME))
    if any(unicodedata.category(c) in _REFUSED and c not in _JOINERS for c in tidy):
        raise Malformed(_("a name with characters that cannot be seen"))
    if all(unicodedata.category(c) in _INVISIBLE for c in tidy):
        raise Malformed(_("a name of nothing"))
    return tidy


def parse_name(untrusted: str) -> str:
    """A name that is kept as ``tidy_name`` makes it. Raises Malformed."""
    if tidy_name(untrusted) != untrusted:
        raise Malformed(_("a name that is not kept as names are"))
    return untrusted


def fold_name(name: str) -> str:
    """What two names have in common that count as the same: case is ignored."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
