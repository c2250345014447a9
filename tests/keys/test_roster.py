# SPDX-License-Identifier: Apache-2.0
"""The roster: read and written by whoever opens the compartment, by nobody else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import age, labels, roster
from keys.card import encode
from keys.errors import BadSignature, Damaged, KeysError, Malformed, NameTaken, NoMatch, NotFound
from keys.identity import Identity
from keys.kdf import compartment_identity
from keys.record import seal_record
from keys.roster import Roster, RosterEntry, open_roster, seal_roster
from keys.secret import Secret

DEVICE, OTHER_DEVICE = Secret(bytes(range(32))), Secret(bytes(range(1, 33)))
CARDS = [Identity.decode(bytes(range(n, n + 64))).card() for n in range(17)]
TWO = Roster().with_entry(7, "Гүлнара", CARDS[0], 11).with_entry(3, "Өмүр", CARDS[1], 12)


def full(label: str = "{}") -> Roster:
    made = Roster()
    for pair in range(16):
        made = made.with_entry(pair, label.format(chr(0x400 + pair)), CARDS[pair], (1 << 63) - 1)
    return made


@pytest.mark.parametrize("made", [Roster(), TWO, full()])
def test_a_roster_survives_being_sealed_and_opened(made: Roster) -> None:
    assert open_roster(seal_roster(made, DEVICE), DEVICE) == made


def test_the_size_says_nothing() -> None:
    longest = full("{}" + "\U0001f9f0" * 199)
    assert len(longest.entries[0].label) == 200
    assert len(seal_roster(Roster(), DEVICE)) == len(seal_roster(TWO, DEVICE)) == len(seal_roster(longest, DEVICE))


def test_another_compartment_does_not_open_it() -> None:
    with pytest.raises(NoMatch):
        open_roster(seal_roster(TWO, DEVICE), OTHER_DEVICE)


def test_a_roster_by_another_hand_is_refused() -> None:
    """Whoever learned the compartment's recipient can seal to it, and still cannot write a roster."""
    body = roster._Roster(())
    recipient = compartment_identity(DEVICE).recipient
    forged = seal_record(body, labels.ROSTER_SIGNATURE, Identity.generate(), [recipient], least=1, limit=roster.SIZE)
    with pytest.raises(BadSignature):
        open_roster(forged, DEVICE)


def test_flipped_and_missing_bytes_are_refused_with_our_error() -> None:
    sealed = seal_roster(TWO, DEVICE)
    for i in (*range(0, 2000, 3), *range(2000, len(sealed), 701)):
        with pytest.raises(KeysError):
            open_roster(sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :], DEVICE)
        with pytest.raises(KeysError):
            open_roster(sealed[:i], DEVICE)
    with pytest.raises(Damaged):
        open_roster(sealed[:-1], DEVICE)


def test_entries_are_found_by_pair_and_by_name_whatever_its_case() -> None:
    entry = RosterEntry(3, "Өмүр", CARDS[1], 12)
    assert TWO.by_pair(3) == TWO.by_label("өМҮР") == entry
    assert TWO.by_pair(4) is None and TWO.by_label("Ө") is None
    assert TWO.pairs == {3, 7}
    assert [e.pair for e in TWO.entries] == [3, 7]


@pytest.mark.parametrize(
    ("pair", "label", "card"), [(7, "new", CARDS[2]), (8, "ГҮЛНАРА ", CARDS[2]), (8, "new", CARDS[0])]
)
def test_a_name_a_place_and_a_card_are_given_once(pair: int, label: str, card) -> None:
    with pytest.raises(NameTaken):
        TWO.with_entry(pair, label, card, 0)


def test_what_is_taken_out_is_gone() -> None:
    assert TWO.without_pair(7).pairs == {3}
    with pytest.raises(NotFound):
        TWO.without_pair(0)


@pytest.mark.parametrize("label", ["", " ", "\u200d", "a\x1b[31m", "a\u202eb", "x" * 201, "\udc80"])
def test_a_name_that_hides_something_is_refused(label: str) -> None:
    with pytest.raises(Malformed):
        Roster().with_entry(0, label, CARDS[0], 0)


@pytest.mark.parametrize(("pair", "card"), [(-1, CARDS[0]), (16, CARDS[0])])
def test_a_place_that_does_not_exist_is_refused(pair: int, card) -> None:
    with pytest.raises(ValueError, match="not a pair"):
        Roster().with_entry(pair, "name", card, 0)


@pytest.mark.parametrize("pairs", [(1, 1), (2, 1), (16,), (-1,)])
def test_a_signed_roster_that_contradicts_itself_is_refused(pairs: tuple[int, ...]) -> None:
    identity = compartment_identity(DEVICE)
    body = [{"pair": p, "label": f"n{p}{i}", "card": encode(CARDS[i]), "added_ns": 0} for i, p in enumerate(pairs)]
    encoded = msgspec.msgpack.encode({"kind": "sandyk roster 1", "entries": body})
    plaintext = identity.sign(labels.ROSTER_SIGNATURE, encoded) + len(encoded).to_bytes(4, "big") + encoded
    with pytest.raises(Malformed):
        open_roster(age.seal(plaintext, [identity.recipient]), DEVICE)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_noise_is_refused_with_our_error(noise: bytes) -> None:
    with pytest.raises(KeysError):
        open_roster(noise, DEVICE)


def recovering(*recovery: tuple[int, int]) -> bytes:
    """A roster of two with recovery slots as somebody in the compartment could write them."""
    entries = tuple(roster._Entry(e.pair, e.label, encode(e.card), e.added_ns) for e in TWO.entries)
    body = roster._RosterWithRecovery(entries, tuple(roster._Recovery(*each) for each in recovery))
    identity = compartment_identity(DEVICE)
    return seal_record(body, labels.ROSTER_SIGNATURE, identity, [identity.recipient], least=1, limit=roster.SIZE)


def test_recovery_slots_take_places_of_their_own() -> None:
    made = TWO.with_recovery(7, 4)
    assert open_roster(recovering((7, 4)), DEVICE) == made == open_roster(seal_roster(made, DEVICE), DEVICE)
    assert made.pairs == {3, 4, 7}
    for taken in (3, 7):
        with pytest.raises(NameTaken):
            TWO.with_recovery(7, taken)
    with pytest.raises(NameTaken):
        made.with_recovery(3, 4)
    with pytest.raises(NameTaken):
        made.with_entry(4, "New", CARDS[2], 1)
    with pytest.raises(NotFound):
        TWO.with_recovery(9, 4)
    assert made.with_recovery(7, None) == TWO == made.with_recovery(7, 4).with_recovery(7, None)
    assert made.without_pair(7).pairs == {3}


@pytest.mark.parametrize(
    "recovery", [((7, 3),), ((7, 7),), ((9, 4),), ((7, 4), (7, 5)), ((3, 4), (7, 4)), ((7, 5), (3, 4))]
)
def test_recovery_slots_that_contradict_the_roster_are_refused(recovery: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(Malformed):
        open_roster(recovering(*recovery), DEVICE)


def test_the_size_does_not_tell_of_recovery_slots() -> None:
    assert len(seal_roster(TWO.with_recovery(7, 4), DEVICE)) == len(seal_roster(TWO, DEVICE))
