# SPDX-License-Identifier: Apache-2.0
"""The judge of where documents are: it errs only towards "only here"."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.identity import Identity
from keys.receipt import Receipt
from vault import whereabouts
from vault.custody import vouched
from vault.errors import NotTrusted
from vault.index import EventRow, PackRow
from vault.model import EVENT_EXPORTED, EVENT_FILED, EVENT_RECEIPT, Event, PackId
from vault.whereabouts import ExportNote, ReceiptNote, Tally, Where, confirmed, known_as, read_export, read_receipt

EDITOR, OTHER = (Identity.decode(bytes(range(n, n + 64))) for n in (1, 2))
OURS, STRANGE = 1, 2
"""Numbers of packs: of one whose events count, and of another."""
BUNDLE, MANIFEST = b"b" * 16, b"t" * 32
ITEMS = tuple(bytes([n]) * 16 for n in range(6))
HASHES = {item: hashlib.sha256(item).digest() for item in ITEMS}
NOTE = ExportNote(BUNDLE, MANIFEST, (known_as(OTHER.card()), known_as(EDITOR.card())))
EXPORT = Event(5, EVENT_EXPORTED, ITEMS[:4], str(NOTE))


def row(kind: str, *items: bytes, at_ns: int = 0, pack: int = OURS) -> EventRow:
    row = PackRow(pack, PackId(bytes(16)), 1, bytes(16), bytes(32), 1, bytes(32), b"", 0, 0)
    return EventRow(Event(at_ns, kind, items, ""), row)


def receipt(*items: bytes, editor: Identity = EDITOR, manifest: bytes = MANIFEST) -> Receipt:
    return Receipt(BUNDLE, manifest, tuple(HASHES.get(item, item) for item in items), 0, editor.card())


subsets = st.sets(st.sampled_from(ITEMS)).map(lambda found: tuple(sorted(found)))


@given(subsets, subsets, subsets)
def test_each_document_is_in_exactly_one_place(listed: tuple[bytes, ...], sent: tuple[bytes, ...],
                                               safe: tuple[bytes, ...]) -> None:  # fmt: skip
    events = [row(EVENT_FILED, *listed), row(EVENT_EXPORTED, *sent), row(EVENT_RECEIPT, *safe)]
    places = whereabouts.where(listed, events, {OURS})
    assert set(places) == set(listed)
    for item in listed:
        expected = Where.SAFE if item in safe else Where.SENT if item in sent else Where.HERE
        assert places[item] is expected
    tally = whereabouts.tally(len(places), places, events, {OURS})
    assert (tally.total, tally.safe) == (len(listed), len(set(listed) & set(safe)))
    assert tally.here == len(set(listed) - set(sent) - set(safe))


def test_what_nobody_vouches_for_counts_for_nothing() -> None:
    """It must neither arm a wipe nor hide what is only here."""
    events = [row(EVENT_EXPORTED, *ITEMS, pack=STRANGE), row(EVENT_RECEIPT, *ITEMS, pack=STRANGE)]
    places = whereabouts.where(ITEMS, events, {OURS})
    assert set(places.values()) == {Where.HERE}
    assert whereabouts.tally(len(ITEMS), places, events, {OURS}) == Tally(0, 0, len(ITEMS))


def test_the_last_times_are_those_of_the_latest_events() -> None:
    events = [row(EVENT_EXPORTED, at_ns=7), row(EVENT_RECEIPT, at_ns=9), row(EVENT_EXPORTED, at_ns=3)]
    assert whereabouts.tally(0, {}, events, {OURS}) == Tally(0, 0, 0, 7, 9)


@given(*[st.builds(Tally, *[st.integers(0, 99)] * 3, *[st.none() | st.integers(0, 99)] * 2)] * 2)
def test_tallies_of_cases_add_up(one: Tally, other: Tally) -> None:
    both = one + other
    assert (both.total, both.here) == (one.total + other.total, one.here + other.here)
    assert both == other + one
    assert one + Tally() == one


@given(subsets.filter(lambda found: bool(found) and set(found) <= set(ITEMS[:4])))
def test_exactly_the_items_that_a_receipt_names_are_confirmed(named: tuple[bytes, ...]) -> None:
    assert set(confirmed(receipt(*named), EXPORT, NOTE, HASHES)) == set(named)


def test_items_of_one_content_are_all_confirmed_by_its_hash() -> None:
    hashes = {**HASHES, ITEMS[1]: HASHES[ITEMS[0]]}
    assert confirmed(receipt(ITEMS[0]), EXPORT, NOTE, hashes) == ITEMS[:2]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (receipt(ITEMS[0], manifest=b"x" * 32), "other content"),
        (receipt(ITEMS[0], editor=Identity.decode(bytes(range(3, 67)))), "not sealed for"),
        (receipt(ITEMS[0], ITEMS[5]), "not in that export"),
        (receipt(ITEMS[0], b"?" * 32), "not in that export"),
    ],
)
def test_a_receipt_that_does_not_fit_the_export_is_refused_as_a_whole(said: Receipt, why: str) -> None:
    with pytest.raises(NotTrusted, match=why):
        confirmed(said, EXPORT, NOTE, HASHES)


def test_a_document_that_cannot_be_read_here_now_does_not_make_a_liar_of_the_editor() -> None:
    readable = {item: digest for item, digest in HASHES.items() if item != ITEMS[0]}
    assert confirmed(receipt(*ITEMS[:4]), EXPORT, NOTE, readable) == ITEMS[1:4]
    with pytest.raises(NotTrusted):
        confirmed(receipt(*ITEMS[:4], b"?" * 32), EXPORT, NOTE, readable)


def test_somebody_without_a_card_at_the_time_is_known_by_their_recipient() -> None:
    note = ExportNote(BUNDLE, MANIFEST, (whereabouts.known_by_recipient(EDITOR.recipient),))
    assert confirmed(receipt(ITEMS[0]), EXPORT, note, HASHES) == ITEMS[:1]


ids, hashes32 = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)
words = st.text(st.characters(codec="utf-8", exclude_characters=";"), min_size=1)


@given(ids, hashes32, st.lists(words, min_size=1).map(tuple))
def test_what_an_export_leaves_in_the_record_is_read(bundle: bytes, manifest: bytes, whom: tuple[str, ...]) -> None:
    note = ExportNote(bundle, manifest, whom)
    assert read_export(Event(0, EVENT_EXPORTED, (), str(note))) == note
    assert read_receipt(Event(0, EVENT_RECEIPT, (), str(note))) is None


@given(ids, hashes32, words)
def test_what_a_receipt_leaves_in_the_record_is_read_again(bundle: bytes, statement: bytes, editor: str) -> None:
    note = ReceiptNote(bundle, statement, editor)
    assert read_receipt(Event(0, EVENT_RECEIPT, (), str(note))) == note
    assert read_export(Event(0, EVENT_RECEIPT, (), str(note))) is None


@given(st.text())
def test_no_detail_of_an_event_is_too_strange_to_be_refused(detail: str) -> None:
    for kind in (EVENT_EXPORTED, EVENT_RECEIPT, "something later"):
        event = Event(0, kind, (), detail)
        for note in (read_export(event), read_receipt(event)):
            assert note is None or str(note) == detail


# Which packs count


ME, FORMER = b"m" * 32, b"f" * 32


def chained(*packs: tuple[bytes, int]) -> list[PackRow]:
    """A device's chain of packs, given by author and epoch: linked, and numbered from 1."""
    return [
        PackRow(n, PackId(bytes(16)), epoch, bytes(16), author, n, bytes([n]) * 32, bytes([n - 1]) * 32 * (n > 1), 0, 0)
        for n, (author, epoch) in enumerate(packs, 1)
    ]  # fmt: skip


authors = st.lists(st.sampled_from([ME, FORMER]), max_size=8)


@given(authors, authors)
def test_a_chain_that_a_member_continued_after_the_other_left_counts_to_its_beginning(
    before: list[bytes], after: list[bytes]
) -> None:
    packs = chained(*((author, 1) for author in before), *((ME, 2) for _ in after), (ME, 2))
    assert vouched(packs, {ME}) == {pack.n for pack in packs}


@given(authors, st.integers(1, 4), st.integers(0, 4))
def test_what_a_former_member_adds_after_they_left_never_counts(before: list[bytes], false: int, later: int) -> None:
    """Neither at the end, nor once somebody continued the chain from there."""
    packs = chained(*((a, 1) for a in before), (ME, 2), *[(FORMER, 1)] * false, *[(ME, 2)] * later)
    forged = {len(before) + 1 + n for n in range(1, false + 1)}
    assert not vouched(packs, {ME}) & forged
    assert {pack.n for pack in packs if pack.author == ME} <= vouched(packs, {ME})


@given(authors.filter(bool), st.data())
def test_what_a_former_member_puts_beside_the_chain_never_counts(before: list[bytes], data: st.DataObject) -> None:
    packs = chained(*((author, 1) for author in before), (ME, 2))
    twin = packs[data.draw(st.integers(0, len(before) - 1))]
    false = replace(twin, n=99, author=FORMER, digest=b"?" * 32)
    place = data.draw(st.sampled_from([packs.index(twin), packs.index(twin) + 1]))
    packs.insert(place, false)
    assert vouched(packs, {ME}) == {pack.n for pack in packs} - {99}


def test_a_machine_of_somebody_who_left_that_nobody_continued_counts_for_nothing() -> None:
    """Its packs may be true, or dated back: nothing shows it."""
    assert vouched(chained((FORMER, 1), (FORMER, 1)), {ME}) == frozenset()
    assert vouched(chained((FORMER, 1), (ME, 1)), {ME}) == {2}


def test_links_that_lead_in_a_circle_come_to_an_end() -> None:
    one, two = chained((FORMER, 1), (ME, 2))
    assert vouched([replace(one, previous=two.digest), two], {ME}) >= {2}
