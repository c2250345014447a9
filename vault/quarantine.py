# SPDX-License-Identifier: Apache-2.0
"""What the custody record says of packs that were put aside, and how that fills their places in the chains.

Owns the text of the event ``pack put aside`` (docs/format.md §6.2). No I/O. Only what a present member vouches for
counts: else whoever takes a pack away could explain its absence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from gettext import gettext as _

from vault.custody import Finding
from vault.index import EventRow, PackRow
from vault.model import EVENT_PUT_ASIDE, Event, Item, PackId
from vault.names import printable

_PLACE = re.compile(
    r"pack ([0-9a-f]{32})(?: epoch ([0-9]{1,6}) device ([0-9a-f]{32}) sequence ([0-9]{1,19})"
    r" digest ([0-9a-f]{64}) previous ([0-9a-f]{64}|-))?(?:\n.*)?",
    re.ASCII | re.DOTALL,
)
_LONGEST = 60_000
"""Characters of one event's text; a manifest takes 65,536."""
_NOWHERE = -1
"""Number of a pack that the index does not hold."""


@dataclass(frozen=True, slots=True)
class Note:
    """A pack that was put aside: where it stands in which chain, if that was known, and how many documents it cost."""

    pack: PackId
    place: PackRow | None
    lost: int
    at_ns: int


def render(pack: PackId, place: PackRow | None, lost: Iterable[Item], at_ns: int) -> list[Event]:
    """The events that record it: one, or several where the lost documents have long names."""
    head = f"pack {pack.hex()}"
    if place is not None:
        head += f" epoch {place.epoch} device {place.device.hex()} sequence {place.sequence}"
        head += f" digest {place.digest.hex()} previous {place.previous.hex() or '-'}"
    events: list[Event] = []
    text = head
    items: list[bytes] = []
    for item in lost:
        line = f"\n{item.sha256.hex()} {item.size} {printable(item.name)}"
        if len(text) + len(line) > _LONGEST:
            events.append(Event(at_ns, EVENT_PUT_ASIDE, tuple(items), text))
            text, items = head, []
        text += line
        items.append(item.id)
    return [*events, Event(at_ns, EVENT_PUT_ASIDE, tuple(items), text)]


def pack_of(event: Event) -> PackId | None:
    """The pack that an event of putting aside, or back, is about."""
    match = _PLACE.fullmatch(event.detail)
    return PackId(bytes.fromhex(match[1])) if match else None


def notes(events: Iterable[EventRow], vouched: Collection[int], present: Collection[PackId]) -> list[Note]:
    """Packs that were put aside and are not back, by what ``vouched`` packs (numbers of the index) record of them."""
    found: dict[PackId, Note] = {}
    for row in events:
        match = _PLACE.fullmatch(row.event.detail)
        if match is None or row.pack.n not in vouched or row.event.kind != EVENT_PUT_ASIDE:
            continue
        pack = PackId(bytes.fromhex(match[1]))
        if pack in present:
            continue
        before = found[pack].lost if pack in found else 0
        found[pack] = Note(pack, _place(pack, match), before + len(row.event.items), row.event.at_ns)
    return list(found.values())


def _place(pack: PackId, match: re.Match[str]) -> PackRow | None:
    if match[2] is None:
        return None
    previous = b"" if match[6] == "-" else bytes.fromhex(match[6])
    return PackRow(
        _NOWHERE, pack, int(match[2]), bytes.fromhex(match[3]), b"", int(match[4]), bytes.fromhex(match[5]), previous,
        0, 0,
    )  # fmt: skip


def with_places(packs: Iterable[PackRow], put_aside: Iterable[Note]) -> list[PackRow]:
    """All packs in the order in which chains are judged, those that were put aside in their places."""
    rows = [*packs, *(note.place for note in put_aside if note.place is not None)]
    return sorted(rows, key=lambda row: (row.device, row.sequence, row.n))


def remarks(put_aside: Iterable[Note]) -> list[Finding]:
    """What is to be said of each."""
    return [
        Finding(
            _("put aside because it did not read; it cost {lost} document(s), which `sandyk log` names").format(
                lost=note.lost
            )
            if note.place is not None
            else _("put aside because it did not read; what it held and its place in a chain are not known"),
            note.pack.hex()[:8],
        )
        for note in put_aside
    ]


def explained(findings: Iterable[Finding], put_aside: Iterable[Note]) -> list[Finding]:
    """Findings of a chain; a gap says that packs of unknown place were put aside, which may be those missing."""
    unknown = sum(note.place is None for note in put_aside)
    return [
        Finding(_(
            "{what}; {unknown} pack(s) of unknown place were put aside because they did not read, perhaps these"
        ).format(what=f.what, unknown=unknown), f.about)
        if unknown and f.gap else f
        for f in findings
    ]  # fmt: skip

