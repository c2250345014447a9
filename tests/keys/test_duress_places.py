# SPDX-License-Identifier: Apache-2.0
"""Where decoys and duress slots lie, and how unlike two passphrases must be."""

from __future__ import annotations

import os
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import duress, layout
from keys.duress import Arrangement, arrangement, decoys_secret, edit_distance, too_alike
from keys.secret import Secret

secrets = st.binary(min_size=32, max_size=32).map(Secret)
texts = st.text(alphabet="abпҮ ", max_size=6)


@given(secrets, st.integers(0, 3))
def test_the_other_three_compartments_have_one_use_each(secret: Secret, compartment: int) -> None:
    found = arrangement(secret, compartment)
    assert {found.decoys, found.slots, found.spare, compartment} == {0, 1, 2, 3}
    assert found == arrangement(Secret(secret.expose()), compartment)


def test_each_of_the_six_orders_comes_up() -> None:
    found = [arrangement(Secret.random(), 2) for _ in range(300)]
    assert set(found) == {Arrangement(*o) for o in
                          [(0, 1, 3), (0, 3, 1), (1, 0, 3), (1, 3, 0), (3, 0, 1), (3, 1, 0)]}  # fmt: skip
    assert all(found.count(order) > 15 for order in set(found))


@given(secrets, st.integers(0, 3))
def test_what_a_decoy_would_use_never_lies_in_the_real_compartment(secret: Secret, compartment: int) -> None:
    """A duress passphrase set up from within a decoy leaves the real slots, and the duress slots' places, alone."""
    mine = arrangement(secret, compartment)
    theirs = arrangement(decoys_secret(secret, compartment), mine.decoys)
    assert theirs == Arrangement(decoys=mine.slots, slots=mine.spare, spare=compartment)


@given(secrets, st.integers(0, 3))
def test_a_decoy_s_secret_is_the_same_each_time_and_nobody_else_s(secret: Secret, compartment: int) -> None:
    found = decoys_secret(secret, compartment)
    assert found == decoys_secret(secret, compartment) != secret
    assert found != decoys_secret(Secret(os.urandom(32)), compartment)


@pytest.mark.parametrize("compartment", range(4))
def test_the_areas_of_a_compartment_are_its_slots_and_its_region_and_nothing_else(compartment: int) -> None:
    covered = bytearray(layout.KEYRING_SIZE)
    for offset, size in duress.areas((compartment,)):
        assert offset % 4096 == 0 and size % 4096 == 0
        covered[offset : offset + size] = b"\1" * size
    slots = range(layout.SLOTS_OFFSET + compartment * 32 * 4096, layout.SLOTS_OFFSET + (compartment + 1) * 32 * 4096)
    start = 0x84000 + compartment * 126_976
    assert {i for i, c in enumerate(covered) if c} == set(slots) | set(range(start, start + 126_976))


def test_regions_are_overwritten_before_slots() -> None:
    offsets = [offset for offset, _ in duress.areas((1, 3))]
    assert min(offsets[:2]) >= layout.REGIONS_OFFSET > max(offsets[2:])


# How far apart


def slow_distance(a: str, b: str) -> int:
    """The definition of optimal string alignment, as a recursion."""

    @cache
    def upto(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        best = min(upto(i - 1, j) + 1, upto(i, j - 1) + 1, upto(i - 1, j - 1) + (a[i - 1] != b[j - 1]))
        if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
            best = min(best, upto(i - 2, j - 2) + 1)
        return best

    return upto(len(a), len(b))


@given(texts, texts)
def test_the_distance_is_that_of_its_definition(a: str, b: str) -> None:
    assert edit_distance(a, b) == slow_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)


def slip(typed: str, at: int, kind: str, character: str) -> str:
    """One slip of the finger at a place."""
    at %= len(typed) or 1
    return {
        "insert": typed[:at] + character + typed[at:],
        "leave out": typed[:at] + typed[at + 1 :],
        "change": typed[:at] + character + typed[at + 1 :],
        "swap": typed[:at] + typed[at + 1 : at + 2] + typed[at : at + 1] + typed[at + 2 :],
    }[kind]


slips = st.tuples(st.integers(0, 50), st.sampled_from(["insert", "leave out", "change"]), st.characters(codec="utf-8"))
swaps = st.tuples(st.integers(0, 50), st.just("swap"), st.just(""))


@given(st.text(max_size=40), slips | swaps)
def test_one_slip_of_the_finger_is_one_edit(text: str, one: tuple[int, str, str]) -> None:
    assert edit_distance(text, slip(text, *one)) <= 1


@given(st.text(st.characters(codec="utf-8"), max_size=40), slips, slips)
def test_two_characters_wrong_missing_or_too_many_are_always_too_alike(
    text: str, one: tuple[int, str, str], other: tuple[int, str, str]
) -> None:
    typed = slip(slip(text, *one), *other)
    assert edit_distance(text, typed) <= 2
    if text and typed:
        assert too_alike(Secret(text.encode()), Secret(typed.encode()))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("a red house by the lake", "a red house by the lake", True),
        ("a red house by the lake", "a red house by the alke", True),
        ("a red house by the lake", "a red hose by teh lake", True),
        ("a red house by the lake", "a red mouse by the cakes", False),
        ("Үй көл жээгинде турат", "Үй көл жээгинде турад", True),
        ("Үй көл жээгинде турат", "Үй тоонун этегинде", False),
    ],
)
def test_passphrases_that_a_slip_turns_into_each_other_are_too_alike(one: str, other: str, alike: bool) -> None:
    assert too_alike(Secret(one.encode()), Secret(other.encode())) == alike
