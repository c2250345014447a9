# SPDX-License-Identifier: Apache-2.0
"""An entry of the custody record, in the language of whoever reads it.

Owns which forms of words the record is known to hold (docs/format.md §6.2), and what each is in that language. The
record itself, JSON and exported custody keep their English: they are evidence. What people typed, and what has no form
that is known here, is shown as it stands. Untrusted: a member may have recorded anything, so a form is recognised only
as a whole, with hashes and numbers where they belong, and nothing here says that an entry is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from gettext import gettext as _

from vault import overheard
from vault.language import ENGLISH, later, spoken
from vault.model import (
    EVENT_CLEANED,
    EVENT_EXPORT_BEGUN,
    EVENT_EXPORTED,
    EVENT_MENDED,
    EVENT_PUT_ASIDE,
    EVENT_PUT_BACK,
    EVENT_RECEIPT,
    EVENT_REWRITTEN,
    EVENT_SAVED,
    EVENT_TAKEN_IN,
    Event,
)

_FIELDS = {
    "bundle": "[0-9a-f]{32}", "pack": "[0-9a-f]{32}", "device": "[0-9a-f]{32}", "new": "[0-9a-f]{32}",
    "old": "[0-9a-f]{32}", "sha256": "[0-9a-f]{64}", "previous": "[0-9a-f]{64}|-", "epoch": "[0-9]{1,6}",
    "sequence": "[0-9]{1,19}", "count": "[0-9]{1,19}", "maker": "[^;]+", "removed": "[^;]*", "left": "[^;]*",
    "words": ".+", "whom": ".+",
}  # fmt: skip
"""What each field of a form matches. Nothing overlaps its neighbours, so that matching takes no longer than reading."""
_EXPORT = (later("bundle {bundle} manifest {sha256} for {whom}"),)
_FORMS: Mapping[str, tuple[str, ...]] = {
    EVENT_TAKEN_IN: (
        later("bundle {bundle}, signed by {words}"), later("bundle {bundle}, unsigned"),
        later("drop {bundle}, unsigned"), later("age file, unsigned"),
    ),
    EVENT_CLEANED: (later("clean copy of SHA-256 {sha256}, by {maker}; taken out: {removed}; left in: {left}"),),
    EVENT_EXPORT_BEGUN: _EXPORT,
    EVENT_EXPORTED: _EXPORT,
    EVENT_RECEIPT: (later("bundle {bundle} statement {sha256} by {words}"),),
    EVENT_MENDED: (later("pack {pack}: {count} block(s) of 4096 bytes from its parity"),),
    EVENT_PUT_ASIDE: (
        later("pack {pack}"),
        later("pack {pack} epoch {epoch} device {device} sequence {sequence} digest {sha256} previous {previous}"),
    ),
    EVENT_PUT_BACK: (later("pack {pack}"),),
    EVENT_SAVED: (later("pack {pack}"), later("{new} was {old}")),
    EVENT_REWRITTEN: (later("{count} pack(s)"),),
}  # fmt: skip
"""By kind of event, the forms that its lines have. An event of another kind has what people typed, or a number."""
_SAID_OF_WHOM = (later("whoever has the passphrase"), later("recipient {words}"))


def said(event: Event) -> str:
    """What was done, and its detail, in the language that is spoken; in English as recorded. Not made printable."""
    forms = _FORMS.get(event.kind, ()) if spoken() != ENGLISH else ()
    detail = "\n".join(_line(line, forms) for line in event.detail.split("\n"))
    return f"{_(event.kind)} {detail}".strip()


def _line(untrusted: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        match = _pattern(form).fullmatch(untrusted)
        if match is not None:
            return _(form).format(**{name: _field(name, said) for name, said in match.groupdict().items()})
    return untrusted


def _field(name: str, untrusted: str) -> str:
    return _IN_WORDS[name](untrusted) if name in _IN_WORDS else untrusted


def _kinds(untrusted: str) -> str:
    return ", ".join(map(overheard.kind, untrusted.split(", ")))


def _people(untrusted: str) -> str:
    return "; ".join(_line(one, _SAID_OF_WHOM) for one in untrusted.split("; "))


_IN_WORDS: Mapping[str, Callable[[str], str]] = {"removed": _kinds, "left": _kinds, "whom": _people}


def _pattern(form: str) -> re.Pattern[str]:
    """What a form matches."""
    pieces = re.split(r"\{(\w+)\}", form)  # literal text and names of fields, in turn
    parts = (f"(?P<{piece}>{_FIELDS[piece]})" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
    return re.compile("".join(parts), re.ASCII)
