# SPDX-License-Identifier: Apache-2.0
"""What is told of a command that files very much is all of it, and is held in a fraction of the memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.newsroom import incoming
from vault.cli.streaming import print_json, print_lines
from vault.intake import Filed
from vault.ledger import Entry, Ledger
from vault.model import ItemId

FILED = st.builds(
    Filed,
    st.binary(min_size=1, max_size=40).map(lambda name: incoming(name, b"")),
    st.none() | st.binary(min_size=16, max_size=16).map(ItemId), st.integers(0, 1 << 62),
    st.binary(min_size=32, max_size=32),
)  # fmt: skip


@given(st.lists(FILED, max_size=30), st.integers(0, 3))
def test_every_document_is_told_in_order(filed: list[Filed], thousands: int) -> None:
    filed = (filed * (1 + thousands * 1000 // max(1, len(filed))))[: 3500]
    ledger, counting = Ledger(tell=True), Ledger(tell=False)
    for one in filed:
        ledger.add(one)
        counting.add(one)
    assert list(ledger.entries()) == [Entry(o.item, o.incoming.name, o.size, o.sha256) for o in filed]
    assert list(counting.entries()) == []
    for each in (ledger, counting):
        assert (each.documents, each.new, each.size) == (
            len(filed), sum(o.item is not None for o in filed), sum(o.size for o in filed)
        )  # fmt: skip


def test_it_takes_less_than_a_hundred_bytes_for_each_document() -> None:
    ledger = Ledger(tell=True)
    for n in range(20_000):
        name = f"Документтер/{n // 1000}/протокол {n}.txt".encode()
        ledger.add(Filed(incoming(name, b""), ItemId(os.urandom(16)), n, os.urandom(32)))
    assert sum(map(len, ledger._before)) < 100 * 20_000


def test_a_listing_is_printed_row_by_row(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Before the next row is asked for, the one before was written, and not kept."""
    written: list[int] = []

    def rows() -> Iterator[int]:
        for n in range(3):
            yield n
            written.append(capsysbinary.readouterr().out.count(b"row"))

    assert print_lines(rows(), lambda n: f"row {n}") == 3
    assert written == [1, 1, 1]


@pytest.mark.parametrize("rows", [[], [{"a": "ж\u202e"}], [{"a": 1}, {"b": ["x", None]}]], ids=str)
def test_what_is_printed_row_by_row_is_one_json_document(
    capsysbinary: pytest.CaptureFixture[bytes], rows: list[dict[str, Any]]
) -> None:
    print_json("items", rows, lambda row: row, lambda: {"unusable": [{"id": "\u202e"}], "outbox": None})
    out = capsysbinary.readouterr().out
    assert json.loads(out) == {"items": rows, "unusable": [{"id": "\u202e"}], "outbox": None}
    assert "\u202e".encode() not in out
    assert out.endswith(b"}\n")


def test_a_listing_that_breaks_off_is_no_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        raise OSError

    with pytest.raises(OSError):
        print_json("items", rows(), lambda row: row, dict)
    with pytest.raises(ValueError):
        json.loads(capsysbinary.readouterr().out)
