# SPDX-License-Identifier: Apache-2.0
"""Where decoys and duress slots lie, and what a duress passphrase destroys (docs/format.md §2, docs/decisions/0030).

Of the three compartments that a journalist does not live in, one holds the decoys of their compartment, one the slots
of the duress passphrases, each in the pair that its journalist has at home, and one is spare. Which is which, and the
secret that the decoys share, follow from the device secret: whoever has it finds all of them, and nothing has
to be written down; nobody comes back from a decoy's secret to the real one. Pure: it reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from keys import labels, layout, slots
from keys.primitives import hkdf
from keys.secret import Secret

LEAST_DISTANCE = 3
"""Edits between two passphrases of which one destroys: a slip of the finger must not lead from one to the other."""

_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The three other compartments, 0 to 3 each, and what one's own uses them for."""

    decoys: int
    slots: int
    spare: int


def arrangement(device_secret: Secret, compartment: int) -> Arrangement:
    """The use that the journalists of a compartment have for the others: one of six orders, HKDF of their secret."""
    others = [c for c in range(layout.COMPARTMENTS) if c != compartment]
    number = int.from_bytes(hkdf(device_secret.expose(), labels.ARRANGEMENT, size=8), "big")
    return Arrangement(*(others[i] for i in _ORDERS[number % len(_ORDERS)]))


def decoys_secret(device_secret: Secret, compartment: int) -> Secret:
    """The device secret of the decoys of a compartment, 32 bytes.

    The first of a row whose own arrangement keeps clear: were duress set up once more from within a decoy, its decoys
    would lie among our duress slots, its duress slots in our spare compartment, and nothing in the real one.
    """
    mine = arrangement(device_secret, compartment)
    clear = Arrangement(decoys=mine.slots, slots=mine.spare, spare=compartment)
    for number in count():
        secret = Secret(hkdf(device_secret.expose(), labels.DECOYS, salt=number.to_bytes(4, "big")))
        if arrangement(secret, mine.decoys) == clear:
            return secret
    raise AssertionError("counting never ends")


def areas(compartments: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """What to overwrite so that these compartments open for nobody: offset and size, in this order.

    Regions first: every byte of one enters every derivation, so that the first sector written is enough.
    """
    regions = tuple((slots.region_offset(c), layout.REGION_SIZE) for c in compartments)
    size = layout.SLOTS_PER_COMPARTMENT * layout.SLOT_SIZE
    return regions + tuple((layout.SLOTS_OFFSET + c * size, size) for c in compartments)


def edit_distance(a: str, b: str) -> int:
    """How many characters inserted, left out, changed or swapped with a neighbour lead from one to the other.

    Optimal string alignment: Damerau-Levenshtein in which no piece is edited twice.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        above, row = row, [i + 1]
        for j, y in enumerate(b):
            best = min(above[j] + (x != y), above[j + 1] + 1, row[j] + 1)
            if i and j and (x, y) == (b[j - 1], a[i - 1]):
                best = min(best, before[j - 1] + 1)
            row.append(best)
        before = above
    return row[-1]


def too_alike(one: Secret, other: Secret) -> bool:
    """Whether two passphrases (``keys.words.normalise``) are fewer than ``LEAST_DISTANCE`` edits apart."""
    return edit_distance(one.expose().decode("utf-8"), other.expose().decode("utf-8")) < LEAST_DISTANCE
