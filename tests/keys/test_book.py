# SPDX-License-Identifier: Apache-2.0
"""The book: what its owner was told, and nobody else can change."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import age, book, labels
from keys.book import Book, CaseEntry, Colleague, Contact, ForeignCase, open_book, seal_book
from keys.card import encode
from keys.errors import BadSignature, Damaged, Full, KeysError, Malformed, MalformedRecord, NameTaken, NoMatch, NotFound
from keys.identity import Identity
from keys.names import fold_name, parse_name, tidy_name
from keys.record import seal_record

ME, EDITOR, OTHER = (Identity.decode(bytes(range(n, n + 64))) for n in range(3))
CASE_ID, FOREIGN_ID = bytes(range(16)), bytes(range(16, 32))
EDITOR_CONTACT = Contact("Редактор", EDITOR.card(), 1)
CASE = CaseEntry(CASE_ID, "Школа №5", 2, (ME.signing_public, EDITOR.signing_public), OTHER.recipient.raw)
FOREIGN = ForeignCase("Мост", OTHER.card(case_id=FOREIGN_ID, epoch=4), 3)
COLLEAGUE = Colleague("Гүлнара", OTHER.signing_public, OTHER.card().fingerprint)
BOOK = Book().with_contact(EDITOR_CONTACT).with_case(CASE).with_foreign(FOREIGN)


@pytest.mark.parametrize(
    "made",
    [
        *(Book(), BOOK, BOOK.with_verified("Редактор", 9).with_case_verified(FOREIGN_ID, 8)),
        *(BOOK.with_colleague(COLLEAGUE), BOOK.with_colleague(replace(COLLEAGUE, here=False))),
    ],
)
def test_a_book_survives_being_sealed_and_opened(made: Book) -> None:
    assert open_book(seal_book(made, ME), ME) == made


def test_nobody_else_opens_it() -> None:
    with pytest.raises(NoMatch):
        open_book(seal_book(BOOK, ME), EDITOR)


def test_a_book_that_somebody_else_wrote_for_me_is_refused() -> None:
    """Whoever has my card can seal to me; a contact slipped in so would read evidence."""
    body = book._Book((), (), (), ())
    forged = seal_record(body, labels.BOOK_SIGNATURE, OTHER, [ME.recipient], least=1, limit=book.MAX_SIZE)
    with pytest.raises(BadSignature):
        open_book(forged, ME)


def test_small_books_have_one_size() -> None:
    some = BOOK
    for n in range(3, 15):
        some = some.with_contact(Contact(f"contact {n}", Identity.generate().card(), n))
    assert len(seal_book(Book(), ME)) == len(seal_book(BOOK, ME)) == len(seal_book(some, ME)) > 64 << 10


def test_flipped_and_missing_bytes_are_refused_with_our_error() -> None:
    sealed = seal_book(BOOK, ME)
    for i in (*range(0, 2000, 3), *range(2000, len(sealed), 701)):
        with pytest.raises(KeysError):
            open_book(sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :], ME)
        with pytest.raises(KeysError):
            open_book(sealed[:i], ME)
    with pytest.raises(Damaged):
        open_book(sealed[:-1], ME)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_noise_is_refused_with_our_error(noise: bytes) -> None:
    for sealed in (noise, age.seal(noise, [ME.recipient])):
        with pytest.raises(KeysError):
            open_book(sealed, ME)


def test_a_signed_book_that_takes_a_case_for_a_person_is_refused() -> None:
    entry = book._Contact("name", encode(FOREIGN.card), 0, None)
    body = book._Book((entry,), (), (), ())
    sealed = seal_record(body, labels.BOOK_SIGNATURE, ME, [ME.recipient], least=1, limit=65536)
    with pytest.raises(MalformedRecord):
        open_book(sealed, ME)


# Contacts


def test_contacts_are_found_by_name_whatever_its_case_and_by_key() -> None:
    assert BOOK.contact("РЕДАКТОР") == BOOK.contact_by_key(EDITOR.signing_public) == EDITOR_CONTACT
    assert BOOK.contact("Редакто") is None and BOOK.contact_by_key(bytes(32)) is None


def test_a_name_and_a_card_are_given_once() -> None:
    with pytest.raises(NameTaken):
        BOOK.with_contact(Contact(" рЕдактор ", OTHER.card(), 1))
    with pytest.raises(NameTaken, match="Редактор"):
        BOOK.with_contact(Contact("somebody else", EDITOR.card(), 1))


def test_verifying_changes_one_contact_only() -> None:
    two = BOOK.with_contact(Contact("other", OTHER.card(), 2)).with_verified("редактор", 5)
    assert two.contact("Редактор") == replace(EDITOR_CONTACT, verified_ns=5)
    assert two.contact("other") == Contact("other", OTHER.card(), 2)


def test_a_contact_who_is_removed_and_added_again_is_not_verified() -> None:
    again = BOOK.with_verified("Редактор", 5).without_contact("Редактор").with_contact(EDITOR_CONTACT)
    assert again.contact("Редактор") == EDITOR_CONTACT


def test_who_is_not_there_cannot_be_removed_or_verified() -> None:
    for change in (
        lambda: BOOK.without_contact("nobody"),
        lambda: BOOK.with_verified("nobody", 1),
        lambda: BOOK.without_case(bytes(16)),
        lambda: BOOK.with_case_verified(CASE_ID, 1),
    ):
        with pytest.raises(NotFound):
            change()


def test_a_case_is_no_contact_and_a_person_no_case() -> None:
    with pytest.raises(ValueError, match="contact"):
        Book().with_contact(Contact("name", FOREIGN.card, 0))
    with pytest.raises(ValueError, match="case"):
        Book().with_foreign(ForeignCase("name", EDITOR.card(), 0))


def test_a_thousand_contacts_and_cases_fit_and_no_more() -> None:
    contacts = tuple(Contact(f"c{n}", EDITOR.card(), n) for n in range(book.MAX_CONTACTS))
    cases = tuple(replace(CASE, case_id=n.to_bytes(16, "big"), name=f"c{n}") for n in range(book.MAX_CASES))
    full = Book(contacts, cases)
    with pytest.raises(Full):
        full.with_contact(Contact("new", OTHER.card(), 1))
    with pytest.raises(Full):
        full.with_case(replace(CASE, case_id=b"\xff" * 16))
    with pytest.raises(Full):
        full.with_foreign(FOREIGN)
    assert full.with_case(replace(cases[3], epoch=9)).case(cases[3].case_id).epoch == 9


# Colleagues


def test_a_colleague_is_found_by_name_whatever_its_case_and_replaced_under_it() -> None:
    known = BOOK.with_colleague(COLLEAGUE)
    assert known.colleague("гҮЛНАРА") == COLLEAGUE and known.colleague("Гүлнар") is None
    other = replace(COLLEAGUE, name="ГҮЛНАРА", fingerprint=bytes(32))
    assert known.with_colleague(other).colleagues == (other,)


def test_names_of_colleagues_have_a_limit_below_which_each_can_be_replaced() -> None:
    full = Book(colleagues=tuple(replace(COLLEAGUE, name=f"c{n}") for n in range(book.MAX_COLLEAGUES)))
    with pytest.raises(Full):
        full.with_colleague(COLLEAGUE)
    assert full.with_colleague(replace(COLLEAGUE, name="C7", here=False)).colleague("c7").here is False


def test_the_fullest_book_there_can_be_is_sealed_and_opened() -> None:
    """With names of the greatest length in bytes, and cases of 32 members."""
    name, card = "\U0001f469" * 190, EDITOR.card()
    made = Book(
        tuple(Contact(f"{name}{n}", card, n, n) for n in range(book.MAX_CONTACTS)),
        (),
        tuple(ForeignCase(f"{name}{n}", FOREIGN.card, n, n) for n in range(book.MAX_CASES)),
        tuple(replace(COLLEAGUE, name=f"{name}{n}") for n in range(book.MAX_COLLEAGUES)),
    )
    assert len(open_book(seal_book(made, ME), ME).colleagues) == book.MAX_COLLEAGUES


# Cases


def test_cases_are_found_by_id_and_by_name_whatever_its_case() -> None:
    assert BOOK.case(CASE_ID) == BOOK.case_named("ШКОЛА №5") == CASE
    assert BOOK.foreign_case(FOREIGN_ID) == BOOK.case_named("мост") == FOREIGN
    assert BOOK.case(FOREIGN_ID) is None and BOOK.foreign_case(CASE_ID) is None


def test_what_is_seen_later_replaces_what_was_seen_and_the_name_stays_ours() -> None:
    later = BOOK.with_case(replace(CASE, name="another name", epoch=3, members=(ME.signing_public,)))
    assert later.cases == (replace(CASE, epoch=3, members=(ME.signing_public,)),)


def test_a_granter_cannot_slip_a_case_under_the_name_of_another() -> None:
    twin = replace(CASE, case_id=b"\xab\xcd" * 8, name="школа №5")
    both = BOOK.with_case(twin)
    assert both.case(CASE_ID) == CASE
    assert both.case(twin.case_id).name == "школа №5 abcd"
    third = both.with_case(replace(CASE, case_id=b"\xab\xcd\xef" * 5 + b"\0", name="Школа №5"))
    assert len({fold_name(case.name) for case in third.cases}) == 3


def test_becoming_a_member_of_a_case_one_filed_to_keeps_its_name() -> None:
    member = BOOK.with_case(replace(CASE, case_id=FOREIGN_ID, name="its name over there"))
    assert member.foreign == ()
    assert member.case(FOREIGN_ID).name == "Мост"


def test_a_foreign_case_needs_a_free_name_and_an_unknown_id() -> None:
    with pytest.raises(NameTaken):
        BOOK.with_foreign(ForeignCase("школа №5", OTHER.card(case_id=bytes(16), epoch=1), 0))
    for known in (CASE_ID, FOREIGN_ID):
        with pytest.raises(NameTaken):
            BOOK.with_foreign(ForeignCase("new", OTHER.card(case_id=known, epoch=5), 0))


def test_a_forgotten_case_is_gone() -> None:
    assert BOOK.without_case(CASE_ID).without_case(FOREIGN_ID) == Book().with_contact(EDITOR_CONTACT)


# Names


@given(st.text(max_size=60))
def test_tidying_is_stable_and_what_it_makes_parses(typed: str) -> None:
    try:
        name = tidy_name(typed)
    except Malformed:
        return
    assert tidy_name(name) == parse_name(name) == name
    assert tidy_name(unicodedata.normalize("NFD", name)) == name
    assert name and name == name.strip()


@pytest.mark.parametrize("name", ["Гүлнара Ө.", "O‘tkir", "نام‌ها", "👩‍🔬", "№7 «Мост»", "İ", "东方"])
def test_names_of_all_scripts_are_kept(name: str) -> None:
    assert tidy_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name", ["", "\u2003", "\u200d", "a\u200bb", "a\u202eb", "\u2066a", "a\x07", "a\x7f", "\ue000", "\udc80", "\ufeffa"]
)
def test_what_hides_in_a_name_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        tidy_name(name)


def test_case_is_ignored_as_unicode_says() -> None:
    assert fold_name("STRASSE") == fold_name("straße")
    assert fold_name("ҮЙ") == fold_name("үй")
    assert fold_name("Й") == fold_name("и\u0306")
    assert fold_name("а") != fold_name("a")
