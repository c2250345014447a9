# SPDX-License-Identifier: Apache-2.0
"""Judges a recorded history of filing and removing: whether what a case holds in the end is a legal outcome of it.

Values in, sentences out; no I/O. A document is known by its name and the SHA-256 of its content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Document = tuple[str, str]
"""Name, and SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One command that files ``documents``: those it acknowledged are durable from then on, of the others none or some.

    ``acknowledged`` is empty for a command that was killed, or failed, before it had said anything.
    """

    documents: frozenset[Document]
    acknowledged: frozenset[Document] = frozenset()


@dataclass(frozen=True, slots=True)
class Removal:
    """One command that removes ``documents``: those it acknowledged are gone for good, each of the others may be."""

    documents: frozenset[Document]
    acknowledged: frozenset[Document] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case holds: what it lists, with repetitions, what of that reads back, and what its custody record has."""

    listed: tuple[Document, ...]
    reads: frozenset[Document]
    in_custody: frozenset[Document]


def illegal(
    history: Sequence[Attempt], outcome: Outcome, removals: Sequence[Removal] = ()
) -> list[str]:  # fmt: skip
    """What no order of the attempts, each stopped anywhere after what it acknowledged, can have led to.

    A document that somebody set out to remove is not filed again under the same name.
    """
    listed = Counter(outcome.listed)
    tried = Counter(document for attempt in history for document in attempt.documents)
    promised = {document for attempt in history for document in attempt.acknowledged}
    doomed = {document for removal in removals for document in removal.documents}
    gone = {document for removal in removals for document in removal.acknowledged}
    wrong = [f"acknowledged and lost: {name}" for name, _ in _in_order(promised - doomed - set(listed))]
    wrong += [f"removed and listed: {name}" for name, _ in _in_order(gone & set(listed))]
    wrong += [f"listed and does not read: {name}" for name, _ in _in_order(set(listed) - outcome.reads)]
    wrong += [f"listed and never filed: {name}" for name, _ in _in_order(set(listed) - set(tried))]
    wrong += [
        f"listed {count} times and filed {tried[document]} times: {document[0]}"
        for document, count in sorted(listed.items())
        if tried[document] and count > tried[document]
    ]
    wrong += [f"listed without a custody event: {name}" for name, _ in _in_order(set(listed) - outcome.in_custody)]
    wrong += [
        f"an attempt acknowledged what it was not given: {name}"
        for attempt in (*history, *removals)
        for name, _ in _in_order(attempt.acknowledged - attempt.documents)
    ]
    return wrong


def _in_order(documents: Iterable[Document]) -> list[Document]:
    return sorted(documents)
