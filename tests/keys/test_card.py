# SPDX-License-Identifier: Apache-2.0
"""A card arrives whole or not at all."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import labels
from keys.canonical import encode_base64
from keys.card import MAX_CARD_SIZE, Card, encode, make_card, parse_card
from keys.errors import MalformedCard
from keys.identity import Identity
from keys.words import fingerprint_words

ME = Identity.decode(bytes(range(64)))
SOMEBODY = Identity.decode(bytes(range(1, 65)))
CASE_ID = bytes(range(16))
PERSON_CARD = make_card(ME)
CASE_CARD = make_card(ME, case_id=CASE_ID, epoch=3)
BOTH = pytest.mark.parametrize("card", [PERSON_CARD, CASE_CARD], ids=["person", "case"])


@BOTH
def test_a_card_survives_being_written_and_read(card: Card) -> None:
    assert parse_card(encode(card)) == parse_card(encode(card).encode()) == card


def test_a_persons_card_looks_like_this() -> None:
    assert encode(PERSON_CARD) == (
        "sandyk card 1\n"
        "kind person\n"
        f"recipient {ME.recipient}\n"
        f"signing {encode_base64(ME.signing_public)}\n"
        f"mldsa65 {encode_base64(hashlib.sha256(ME.mldsa_public).digest())}\n"
        f"signature {encode_base64(PERSON_CARD.signature)}\n"
    )


def test_a_case_card_also_says_which_case_and_epoch() -> None:
    lines = encode(CASE_CARD).splitlines()
    assert lines[1:4] == ["kind case", "case 000102030405060708090a0b0c0d0e0f", "epoch 3"]
    assert (CASE_CARD.kind, CASE_CARD.case_id, CASE_CARD.epoch) == ("case", CASE_ID, 3)


@BOTH
def test_every_flipped_bit_is_refused(card: Card) -> None:
    text = encode(card).encode()
    for i in range(len(text)):
        flipped = bytearray(text)
        flipped[i] ^= 1 << (i % 8)
        with pytest.raises(MalformedCard):
            parse_card(bytes(flipped))


@BOTH
def test_every_truncation_is_refused(card: Card) -> None:
    text = encode(card)
    for end in range(len(text) - 1):  # without its last line feed a card is still whole
        with pytest.raises(MalformedCard):
            parse_card(text[:end])


@BOTH
def test_every_missing_or_doubled_line_is_refused(card: Card) -> None:
    lines = encode(card).splitlines()
    for i in range(len(lines)):
        with pytest.raises(MalformedCard):
            parse_card("\n".join(lines[:i] + lines[i + 1 :]))
        with pytest.raises(MalformedCard):
            parse_card("\n".join([*lines[:i], lines[i], *lines[i:]]))


@pytest.mark.parametrize(
    "mail",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "\n\r\n " + t + "\r\n\n \n",
        lambda t: t.replace("\n", " \t\n"),
        lambda t: "  " + t.replace("\n", "\n  "),
        lambda t: t.rstrip("\n"),
    ],
)
def test_what_mail_programs_add_around_lines_is_tolerated(mail) -> None:
    assert parse_card(mail(encode(CASE_CARD))) == CASE_CARD


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t + "-- \nregards\n",
        lambda t: "Dear all,\n" + t,
        lambda t: t.replace("kind case\n", "kind case\n\n"),
        lambda t: t.replace("kind case", "kind  case"),
        lambda t: t.replace("epoch 3", "epoch 03"),
        lambda t: t.replace("epoch 3", "epoch 0"),
        lambda t: t.replace("epoch 3", "epoch 1000000"),
        lambda t: t.replace("epoch 3", "epoch ٣"),
        lambda t: t.replace("0a0b0c", "0A0B0C"),
        lambda t: t.replace("age1pq1", "AGE1PQ1"),
        lambda t: t.replace("recipient age1", "recipient\u00a0age1"),
        lambda t: t.replace("\n", "\x0b"),
        lambda t: "\ufeff" + t,
        lambda t: t + " " * MAX_CARD_SIZE,
        lambda t: t.replace("\n", "\r"),
        lambda t: "",
        lambda t: "\udc80",
    ],
)
def test_anything_else_is_refused(spoil) -> None:
    with pytest.raises(MalformedCard):
        parse_card(spoil(encode(CASE_CARD)))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_noise_is_refused_with_our_error(noise: bytes | str) -> None:
    with pytest.raises(MalformedCard):
        parse_card(noise)


def test_a_key_cannot_be_exchanged_for_another() -> None:
    """Neither half of somebody's card can be put into mine, nor my signature into a card of theirs."""
    mine, theirs = encode(PERSON_CARD).splitlines(), encode(make_card(SOMEBODY)).splitlines()
    for i in (2, 3, 4, 5):
        with pytest.raises(MalformedCard):
            parse_card("\n".join([*mine[:i], theirs[i], *mine[i + 1 :]]))


def test_a_persons_card_cannot_be_made_the_card_of_a_case() -> None:
    lines = encode(PERSON_CARD).splitlines()
    with pytest.raises(MalformedCard):
        parse_card("\n".join([lines[0], "kind case", "case " + "00" * 16, "epoch 1", *lines[2:]]))


def test_a_signing_key_of_small_order_is_refused() -> None:
    """Such a key lets one signature fit many messages."""
    text = encode(PERSON_CARD).splitlines()
    for key in (bytes(32), b"\x01" + bytes(31)):
        lines = [*text[:3], f"signing {encode_base64(key)}", text[4], f"signature {encode_base64(key + bytes(32))}"]
        with pytest.raises(MalformedCard):
            parse_card("\n".join(lines))


def test_the_fingerprint_is_made_of_kind_keys_and_case_but_not_of_the_epoch() -> None:
    raw = ME.recipient.raw + ME.signing_public + hashlib.sha256(ME.mldsa_public).digest()
    label = labels.CARD_FINGERPRINT.encode() + b"\0"
    assert PERSON_CARD.fingerprint == hashlib.sha256(label + b"person" + raw).digest()
    assert CASE_CARD.fingerprint == hashlib.sha256(label + b"case" + raw + CASE_ID).digest()
    assert make_card(ME, case_id=CASE_ID, epoch=4).fingerprint == CASE_CARD.fingerprint
    assert PERSON_CARD.words == fingerprint_words(PERSON_CARD.fingerprint)


def test_different_keys_and_cases_have_different_words() -> None:
    cards = [
        PERSON_CARD,
        CASE_CARD,
        make_card(SOMEBODY),
        make_card(ME, case_id=bytes(16), epoch=3),
        make_card(Identity(ME.age_seed, SOMEBODY.signing_seed)),
        make_card(Identity(SOMEBODY.age_seed, ME.signing_seed)),
    ]
    assert len({card.words for card in cards}) == len(cards)


@pytest.mark.parametrize(
    ("case_id", "epoch"), [(CASE_ID, None), (None, 1), (bytes(15), 1), (CASE_ID, 0), (CASE_ID, 1_000_000)]
)
def test_half_a_case_makes_no_card(case_id: bytes | None, epoch: int | None) -> None:
    with pytest.raises(ValueError, match=r"case|epoch"):
        make_card(ME, case_id=case_id, epoch=epoch)
