# SPDX-License-Identifier: Apache-2.0
"""Access files: members get the keys of a case, and nobody else does."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import access, age, labels
from keys.access import CaseKeys, Former, open_access, seal_access
from keys.card import encode
from keys.crowd import round_up
from keys.errors import BadSignature, Full, KeysError, Malformed, MalformedRecord, NoMatch
from keys.identity import Identity
from keys.record import open_record, seal_record

ME, COLLEAGUE, STRANGER = (Identity.decode(bytes(range(n, n + 64))) for n in range(3))
EPOCHS = tuple(Identity.decode(bytes(range(n, n + 64))) for n in range(100, 103))
KEYS = CaseKeys(
    bytes(range(16)), "Дело №7", EPOCHS, (ME.card(), COLLEAGUE.card()), (Former(STRANGER.signing_public, 2),), 123
)
SEALED = seal_access(KEYS, ME)


def stanzas(sealed: bytes) -> int:
    return sealed.count(b"\n-> ")


def shape(**changes: object) -> access._Access:
    """The body as ``seal_access`` makes it, with fields changed behind its back."""
    body = open_record(
        SEALED,
        ME,
        access._Access,
        labels.ACCESS_SIGNATURE,
        signer=lambda _: ME.signing_public,
        limit=access.MAX_SIZE,
    )
    return msgspec.structs.replace(body, **changes)


def seal_body(body: msgspec.Struct, signer: Identity = ME, label: str = labels.ACCESS_SIGNATURE) -> bytes:
    return seal_record(body, label, signer, [ME.recipient], least=1, limit=access.MAX_SIZE)


@pytest.mark.parametrize("member", [ME, COLLEAGUE])
def test_every_member_gets_the_keys_and_learns_who_granted_them(member: Identity) -> None:
    opened = open_access(SEALED, member)
    assert opened.keys == KEYS
    assert opened.granter == ME.card()


def test_nobody_else_opens_it() -> None:
    for other in (STRANGER, *EPOCHS):
        with pytest.raises(NoMatch):
            open_access(SEALED, other)


def test_a_new_epoch_is_closed_to_who_was_left_out() -> None:
    later = replace(
        KEYS,
        epochs=(*EPOCHS, Identity.generate()),
        members=(ME.card(),),
        former=(*KEYS.former, Former(COLLEAGUE.signing_public, 3)),
    )
    sealed = seal_access(later, ME)
    assert open_access(sealed, ME).keys == later
    with pytest.raises(NoMatch):
        open_access(sealed, COLLEAGUE)
    filed = age.seal(b"evidence", [later.current.recipient])
    with pytest.raises(NoMatch):
        age.unseal(filed, [identity.age for identity in KEYS.epochs], limit=100)


def test_flipped_and_missing_bytes_are_refused_with_our_error() -> None:
    """Every byte of the header, and some of the payload, where one tag stands for many bytes."""
    for i in (*range(4000), *range(4000, len(SEALED), 61)):
        with pytest.raises(KeysError):
            open_access(SEALED[:i] + bytes([SEALED[i] ^ 1]) + SEALED[i + 1 :], COLLEAGUE)
    for size in (*range(0, 4000, 7), *range(4000, len(SEALED), 499), len(SEALED) - 1):
        with pytest.raises(KeysError):
            open_access(SEALED[:size], ME)


def test_the_count_of_members_is_rounded_up_and_the_file_grows_in_steps() -> None:
    members = [Identity.generate().card() for _ in range(31)]
    sizes = set()
    for count, crowd in ((1, 2), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (32, 32)):
        sealed = seal_access(replace(KEYS, members=(ME.card(), *members[: count - 1])), ME)
        assert stanzas(sealed) == crowd
        sizes.add((crowd, len(sealed)))
    assert len(sizes) <= 6


def test_thirty_three_members_are_too_many() -> None:
    members = tuple(Identity.generate().card() for _ in range(33))
    with pytest.raises(Full):
        seal_access(replace(KEYS, members=members), ME)


def test_four_thousand_epochs_are_possible_and_more_are_not() -> None:
    epochs = EPOCHS[:1] * access.MAX_EPOCHS
    assert len(open_access(seal_access(replace(KEYS, epochs=epochs), ME), ME).keys.epochs) == 4096
    with pytest.raises(Full):
        seal_access(replace(KEYS, epochs=(*epochs, EPOCHS[1])), ME)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": ()},
        {"members": (ME.card(), ME.card())},
        {"members": (ME.card(), STRANGER.card(case_id=bytes(16), epoch=1))},
        {"epochs": ()},
        {"name": ""},
        {"name": " Дело"},
        {"name": "safe\u202egnp.exe"},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"case_id": bytes(15)},
        {"granted_ns": -1},
        {"former": (Former(STRANGER.signing_public, 3),)},
        {"former": (Former(STRANGER.signing_public, 0),)},
        {"former": (Former(b"", 1),)},
    ],
)
def test_what_could_not_be_opened_is_not_sealed(changes: dict[str, object]) -> None:
    with pytest.raises((Malformed, ValueError)):
        seal_access(replace(KEYS, **changes), ME)


def test_a_signature_by_another_than_the_granter_named_inside_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_access(seal_body(shape(), signer=STRANGER), ME)


def test_a_signature_made_for_another_purpose_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_access(seal_body(shape(), label=labels.BOOK_SIGNATURE), ME)


def test_a_grant_that_is_sealed_again_for_somebody_it_does_not_name_is_refused() -> None:
    """A member cannot pass another's signed grant on as if its granter had addressed it."""
    plaintext = age.unseal(SEALED, [COLLEAGUE.age], limit=access.MAX_SIZE)
    with pytest.raises(MalformedRecord):
        open_access(age.seal(plaintext, [STRANGER.recipient]), STRANGER)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": ("sandyk card 1",)},
        {"granter": "x"},
        {"granter": shape().granter.replace("\n", "\r\n")},
        {"members": tuple(m + "\n" for m in shape().members)},
        {"members": shape().members * 2},
        {"members": shape().members[1:]},
        {"name": "a\u200b"},
        {"former": (access._Former(bytes(32), 4),)},
    ],
)
def test_a_signed_body_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        open_access(seal_body(shape(**changes)), ME)


def test_the_card_of_a_case_grants_nothing() -> None:
    case = Identity.generate()
    body = shape(granter=encode(case.card(case_id=bytes(16), epoch=1)))
    with pytest.raises(MalformedRecord):
        open_access(seal_body(body, signer=case), ME)


def signed(encoded: bytes, *, length: int | None = None, padding: bytes = b"") -> bytes:
    size = len(encoded) if length is None else length
    plaintext = ME.sign(labels.ACCESS_SIGNATURE, encoded) + size.to_bytes(4, "big") + encoded + padding
    return age.seal(plaintext, [ME.recipient])


def test_a_record_has_one_spelling() -> None:
    encoded = msgspec.msgpack.encode(shape())
    fields = msgspec.msgpack.decode(encoded)
    assert open_access(signed(encoded), ME).keys == KEYS
    spoiled = [
        signed(encoded, padding=bytes(9) + b"\1"),
        signed(encoded, length=len(encoded) + 1),
        signed(encoded, length=len(encoded) - 1),
        signed(encoded, length=(1 << 32) - 1),
        signed(encoded + b"\0"),
        signed(b""),
        signed(b"\x93" * 100_000),
        signed(msgspec.msgpack.encode(dict(reversed(fields.items())))),
        signed(msgspec.msgpack.encode({**fields, "extra": 1})),
        signed(msgspec.msgpack.encode({k: v for k, v in fields.items() if k != "name"})),
        signed(msgspec.msgpack.encode({**fields, "kind": "sandyk access 02"})),
        signed(msgspec.msgpack.encode({**fields, "kind": "sandyk roster 2"})),
        signed(msgspec.msgpack.encode({**fields, "granted_ns": 1 << 63})),
        signed(encoded.replace(b"\xa4case\xc4\x10", b"\xa4case\xc5\x00\x10")),
        age.seal(b"", [ME.recipient]),
        age.seal(bytes(67), [ME.recipient]),
    ]
    for sealed in spoiled:
        with pytest.raises(MalformedRecord):
            open_access(sealed, ME)


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_noise_is_refused_with_our_error(noise: bytes) -> None:
    for sealed in (noise, signed(noise), age.seal(noise, [ME.recipient])):
        with pytest.raises(KeysError):
            open_access(sealed, ME)


def test_authors_of_an_epoch_are_the_members_and_those_who_were_members_then() -> None:
    mine, hers, his = (i.signing_public for i in (ME, COLLEAGUE, STRANGER))
    assert KEYS.authors(1) == KEYS.authors(2) == {mine, hers, his}
    assert KEYS.authors(3) == {mine, hers}


def test_the_card_of_a_case_is_that_of_its_current_epoch() -> None:
    card = KEYS.card()
    assert (card.kind, card.case_id, card.epoch) == ("case", KEYS.case_id, 3)
    assert card.recipient == EPOCHS[2].recipient


def test_nothing_secret_shows_when_an_opened_file_is_printed() -> None:
    shown = repr(open_access(SEALED, ME))
    assert shown.count("Identity(<redacted>)") == 3
    assert repr(EPOCHS[0].age_seed.expose()) not in shown


def test_closing_closes_every_epoch() -> None:
    keys = open_access(SEALED, ME).keys
    keys.close()
    assert all(len(identity.age_seed) == 0 for identity in keys.epochs)


# Crowds


@pytest.mark.parametrize("kind", [age.HybridIdentity, age.X25519Identity])
def test_a_crowd_holds_everybody_and_dummies_of_the_same_kind(kind) -> None:
    for count, size in ((1, 2), (2, 2), (3, 4), (7, 8), (16, 16), (20, 32)):
        recipients = [kind.generate().recipient for _ in range(count)]
        crowd = round_up(recipients)
        assert len(set(crowd)) == len(crowd) == size
        assert set(recipients) <= set(crowd)
        assert {recipient.kind for recipient in crowd} == {recipients[0].kind}


def test_places_in_a_crowd_say_nothing() -> None:
    me = ME.recipient
    assert {round_up([me]).index(me) for _ in range(64)} == {0, 1}


def test_what_makes_no_crowd_is_refused() -> None:
    hybrid, classic = age.HybridIdentity.generate().recipient, age.X25519Identity.generate().recipient
    with pytest.raises(Full):
        round_up([classic] * 33)
    for recipients in ([], [hybrid, classic]):
        with pytest.raises(ValueError, match="one kind"):
            round_up(recipients)
