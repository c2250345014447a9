# SPDX-License-Identifier: Apache-2.0
"""A receipt says what its editor signed, to the sender alone, and nothing that anybody changed on the way."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import age, labels, receipt
from keys.card import encode
from keys.errors import BadSignature, KeysError, MalformedAge, MalformedRecord, NoMatch
from keys.identity import Identity
from keys.receipt import open_receipt, seal_receipt
from keys.record import open_signed_record, seal_record
from keys.signing import verify_signature
from vault.bundle_layout import MAX_ITEMS

SENDER, EDITOR, OTHER = (Identity.decode(bytes(range(n, n + 64))) for n in range(3))
BUNDLE, MANIFEST = bytes(range(16)), bytes(range(32))
HASHES = tuple(hashlib.sha256(bytes([n])).digest() for n in range(3))


def sealed(documents: tuple[bytes, ...] = HASHES, opened_ns: int = 7) -> bytes:
    return seal_receipt(BUNDLE, MANIFEST, documents, opened_ns, editor=EDITOR, sender=SENDER.recipient)


SEALED = sealed()


def forged(**changed: object) -> bytes:
    """A receipt that EDITOR signed, with fields that ``seal_receipt`` would not write."""
    fields = {"bundle": BUNDLE, "tag_manifest": MANIFEST, "documents": HASHES, "opened_ns": 7,
              "editor": encode(EDITOR.card()), **changed}  # fmt: skip
    body = receipt._Receipt(**fields)  # type: ignore[arg-type]
    return seal_record(
        body, labels.RECEIPT_SIGNATURE, EDITOR, [SENDER.recipient], least=receipt.LEAST_SIZE, limit=receipt.MAX_SIZE
    )


@settings(max_examples=10)
@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=600), st.integers(0, (1 << 63) - 1))
def test_a_receipt_survives_being_sealed_and_opened(documents: list[bytes], opened_ns: int) -> None:
    found = open_receipt(sealed(tuple(documents), opened_ns), [SENDER.age]).receipt
    assert (found.bundle_id, found.tag_manifest_sha256, found.editor) == (BUNDLE, MANIFEST, EDITOR.card())
    assert (found.documents, found.opened_ns) == (tuple(documents), opened_ns)


def test_the_statement_and_its_signature_are_enough_for_others_to_check_it() -> None:
    found = open_receipt(SEALED, [OTHER.age, SENDER.age])
    label, _, message = found.statement.partition(b"\0")
    assert label == labels.RECEIPT_SIGNATURE.encode()
    verify_signature(labels.RECEIPT_SIGNATURE, message, found.signature, EDITOR.signing_public)
    assert found.digest == hashlib.sha256(found.statement).digest()
    assert all(part in found.statement for part in (BUNDLE, MANIFEST, *HASHES))


def test_the_same_statement_sealed_twice_has_one_digest_and_other_bytes() -> None:
    again = sealed()
    assert again != SEALED
    assert open_receipt(again, [SENDER.age]).digest == open_receipt(SEALED, [SENDER.age]).digest


def test_only_the_sender_opens_it() -> None:
    for nobody in (EDITOR, OTHER):
        with pytest.raises(NoMatch):
            open_receipt(SEALED, [nobody.age])


def test_nothing_in_clear_names_the_editor_the_bundle_or_a_document() -> None:
    card = encode(EDITOR.card()).encode()
    for said in (BUNDLE, MANIFEST, *HASHES, EDITOR.signing_public, EDITOR.recipient.raw, card, b"sandyk receipt"):
        assert said not in SEALED
    assert SEALED.count(b"-> ") == 2  # the sender, and nobody


def test_receipts_for_few_documents_are_of_one_size_and_the_largest_bundle_has_room() -> None:
    assert len(SEALED) == len(sealed(HASHES[:1])) == len(sealed(HASHES * 130))
    assert receipt.MAX_DOCUMENTS == MAX_ITEMS
    whole = sealed(HASHES[:1] * MAX_ITEMS)
    assert len(whole) <= receipt.MAX_FILE_SIZE
    assert len(open_receipt(whole, [SENDER.age]).receipt.documents) == MAX_ITEMS


@pytest.mark.parametrize("documents", [(), HASHES[:1] * (MAX_ITEMS + 1), (b"short",)])
def test_a_receipt_that_no_reader_would_take_is_not_written(documents: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedRecord):
        sealed(documents)


def test_a_receipt_signed_by_another_key_than_its_card_s_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_receipt(forged(editor=encode(OTHER.card())), [SENDER.age])


def test_a_receipt_by_a_case_is_refused() -> None:
    with pytest.raises(MalformedRecord):
        open_receipt(forged(editor=encode(EDITOR.card(case_id=bytes(16), epoch=1))), [SENDER.age])


def test_a_card_in_another_spelling_is_refused() -> None:
    with pytest.raises(MalformedRecord, match="another spelling"):
        open_receipt(forged(editor=encode(EDITOR.card()) + "\n"), [SENDER.age])


def test_a_card_that_is_none_is_refused() -> None:
    with pytest.raises(KeysError):
        open_receipt(forged(editor="sandyk card 1"), [SENDER.age])


def test_a_record_of_another_kind_is_no_receipt() -> None:
    """The label keeps what was signed for one purpose from serving as a receipt."""
    body = receipt._Receipt(BUNDLE, MANIFEST, HASHES, 7, encode(EDITOR.card()))
    for label in (labels.ACCESS_SIGNATURE, labels.BOOK_SIGNATURE):
        other = seal_record(body, label, EDITOR, [SENDER.recipient], least=1 << 14, limit=receipt.MAX_SIZE)
        with pytest.raises(BadSignature):
            open_receipt(other, [SENDER.age])


def test_every_truncation_is_refused() -> None:
    for size in (*range(0, 400, 7), *range(400, len(SEALED), 997), len(SEALED) - 1):
        with pytest.raises(KeysError):
            open_receipt(SEALED[:size], [SENDER.age])


@settings(max_examples=60)
@given(st.integers(0, 8 * len(SEALED) - 1))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeysError):
        open_receipt(bytes(changed), [SENDER.age])


@settings(max_examples=60)
@given(st.data())
def test_whatever_somebody_seals_to_the_sender_is_refused(data: st.DataObject) -> None:
    """Anybody can seal to a card: the plaintext is a stranger's."""
    plaintext = bytearray(age.unseal(SEALED, [SENDER.age], limit=receipt.MAX_SIZE))
    plaintext[data.draw(st.integers(0, len(plaintext) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KeysError):
        open_receipt(age.seal(bytes(plaintext), [SENDER.recipient]), [SENDER.age])


def test_a_plaintext_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(MalformedAge):
        open_receipt(age.seal(bytes(receipt.MAX_SIZE + 1), [SENDER.recipient]), [SENDER.age])


def test_a_body_that_is_no_receipt_is_refused() -> None:
    with pytest.raises(KeysError):
        open_signed_record(
            age.seal(bytes(1 << 14), [SENDER.recipient]), [SENDER.age], receipt._Receipt, labels.RECEIPT_SIGNATURE,
            signer=lambda _: EDITOR.signing_public, limit=receipt.MAX_SIZE,
        )  # fmt: skip
