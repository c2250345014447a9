# SPDX-License-Identifier: Apache-2.0
"""The judge of recorded histories is itself held against histories that it must refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.history import Attempt, Document, Outcome, Removal, illegal

A, B, C = ("a", "1" * 64), ("b", "2" * 64), ("c", "3" * 64)


def outcome(*documents: Document) -> Outcome:
    return Outcome(documents, frozenset(documents), frozenset(documents))


HISTORY = [Attempt(frozenset({A, B}), frozenset({A, B})), Attempt(frozenset({C}))]
WHOLE = outcome(A, B, C)


@pytest.mark.parametrize("legal", [WHOLE, outcome(A, B)], ids=["the killed one came through", "or did not"])
def test_a_legal_outcome_is_accepted(legal: Outcome) -> None:
    assert illegal(HISTORY, legal) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (outcome(A, C), "acknowledged and lost: b"),
        (outcome(A, B, C, ("d", "4" * 64)), "listed and never filed: d"),
        (outcome(A, B, C, ("a", "9" * 64)), "listed and never filed: a"),
        (outcome(A, A, B), "listed 2 times and filed 1 times: a"),
        (replace(WHOLE, reads=frozenset({A, C})), "listed and does not read: b"),
        (replace(WHOLE, in_custody=frozenset({A, B})), "listed without a custody event: c"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_illegal_outcome_is_named(wrong: Outcome, sentence: str) -> None:
    assert illegal(HISTORY, wrong) == [sentence]


def test_an_answer_that_names_what_was_not_given_is_named() -> None:
    assert illegal([Attempt(frozenset({A}), frozenset({A, B}))], outcome(A, B)) == [
        "listed and never filed: b", "an attempt acknowledged what it was not given: b"
    ]  # fmt: skip


DOCUMENTS = st.frozensets(st.sampled_from([A, B, C, ("d", "4" * 64)]), max_size=4)


@given(st.lists(st.tuples(DOCUMENTS, DOCUMENTS, DOCUMENTS), max_size=6))
def test_whatever_a_vault_that_keeps_its_word_does_is_legal(attempts: list[tuple[frozenset[Document], ...]]) -> None:
    """Each attempt puts some of its documents in, at least those that it then acknowledges."""
    history, held = [], set[Document]()
    for given_, kept, said in attempts:
        held |= given_ & (kept | said)
        history.append(Attempt(given_, given_ & said))
    assert illegal(history, outcome(*held)) == []


@given(st.lists(st.tuples(DOCUMENTS, DOCUMENTS), min_size=1, max_size=6), st.data())
def test_losing_any_document_that_was_acknowledged_is_illegal(
    attempts: list[tuple[frozenset[Document], frozenset[Document]]], data: st.DataObject
) -> None:
    history = [Attempt(given_, given_ & said) for given_, said in attempts]
    promised = sorted({document for attempt in history for document in attempt.acknowledged})
    if not promised:
        return
    lost = data.draw(st.sampled_from(promised))
    held = {document for attempt in history for document in attempt.documents} - {lost}
    assert f"acknowledged and lost: {lost[0]}" in illegal(history, outcome(*held))


@pytest.mark.parametrize(
    ("removal", "held", "sentences"),
    [
        (Removal(frozenset({A}), frozenset({A})), (B,), []),
        (Removal(frozenset({A}), frozenset({A})), (A, B), ["removed and listed: a"]),
        (Removal(frozenset({A})), (A, B), []),
        (Removal(frozenset({A})), (B,), []),
        (Removal(frozenset({A})), (A,), ["acknowledged and lost: b"]),
        (Removal(frozenset(), frozenset({A})), (B,), [
            "acknowledged and lost: a", "an attempt acknowledged what it was not given: a"]),
    ],
    ids=["gone", "back again", "stopped before", "stopped after", "took another one", "took what it was not told"],
)  # fmt: skip
def test_what_was_removed_and_nothing_else_is_gone(
    removal: Removal, held: tuple[Document, ...], sentences: list[str]
) -> None:
    assert illegal(HISTORY, outcome(*held), [removal]) == sentences
