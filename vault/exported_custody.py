# SPDX-License-Identifier: Apache-2.0
"""What a bundle tells of the custody of its documents: events, and who and which device recorded them.

A bundle that a person signs names keys and devices, as the case's record does. One that a newsroom signs as a whole
(docs/decisions/0036-proof.md) names none: authors and devices are ordinals instead, dealt at random for each bundle,
and the places in a device's chain are left out, for they would be the same in the next bundle. Events keep their
times: who has another bundle of the same documents, signed by a person, can match them.

Of a clean copy whose original stays here no bundle tells the original's hash: whoever finds that file with the one who
gave it, or has the list of whom each version of it was given to, would know the source.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from secrets import SystemRandom
from typing import Any

from vault.index import EventRow
from vault.model import EVENT_CLEANED, EVENT_EXPORT_BEGUN, EVENT_EXPORTED, Event

_OF_ORIGINAL = re.compile(r"\Aclean copy of SHA-256 [0-9a-f]{64}")
Told = Mapping[bytes, tuple[dict[str, Any], ...]]
"""The events of each item, as ``custody.jsonl`` has them."""


def told(rows: Iterable[EventRow], items: Collection[bytes], *, by_newsroom: bool) -> Told:
    """The events of ``items``, in the order of ``rows``."""
    wanted = frozenset(items)
    of_these = [row for row in rows if not wanted.isdisjoint(row.event.items)]
    exported = {row.event.detail for row in of_these if row.event.kind == EVENT_EXPORTED}
    # That an export was begun is of interest only where nothing says that it was finished.
    chosen = [row for row in of_these if row.event.kind != EVENT_EXPORT_BEGUN or row.event.detail not in exported]
    authors = _ordinals((row.pack.author for row in chosen), "journalist")
    devices = _ordinals((row.pack.device for row in chosen), "device")
    events: dict[bytes, list[dict[str, Any]]] = defaultdict(list)
    for row in chosen:
        text: dict[str, Any] = {"at_ns": row.event.at_ns, "event": row.event.kind}
        if by_newsroom:
            text |= {"device": devices[row.pack.device], "signed_by": authors[row.pack.author]}
        else:
            text |= {
                "device": row.pack.device.hex(), "sequence": row.pack.sequence, "signed_by": row.pack.author.hex(),
            }  # fmt: skip
        if row.event.kind == EVENT_CLEANED:
            text["detail"] = _detail(row.event, items)
        for item in wanted.intersection(row.event.items):
            events[item].append(text)
    return {item: tuple(of_item) for item, of_item in events.items()}


def _detail(cleaned: Event, items: Collection[bytes]) -> str:
    """What made a clean copy of what; without the original's hash unless the original goes along."""
    if cleaned.items[0] in items:  # the original comes first (docs/format.md §6.2)
        return cleaned.detail
    return _OF_ORIGINAL.sub("clean copy of a document that is not here", cleaned.detail)


def _ordinals(keys: Iterable[bytes], what: str) -> dict[bytes, str]:
    """``journalist 1`` and so on. Neither the order of the keys nor that of the events shows in the numbers."""
    different = sorted(set(keys))
    SystemRandom().shuffle(different)
    return {key: f"{what} {number}" for number, key in enumerate(different, 1)}
