# SPDX-License-Identifier: Apache-2.0
"""The two JSON texts of a bundle: any items survive them, and nothing else parses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bundles import (
    CLOCK,
    ID,
    items_of,
)
from vault import bundle_layout as layout
from vault.bundle import (
    BundleItem,
)
from vault.bundle_items import TEXT_FORMAT, Contents, parse_contents, place_items, render_custody, render_items
from vault.errors import DamagedBundle

characters = st.characters(blacklist_categories=("Cs",))
texts = st.text(characters, max_size=40)
names = st.one_of(st.binary(min_size=1, max_size=60), st.text(characters, min_size=1).map(str.encode))
numbers = st.integers(-(1 << 62), 1 << 62)
values = st.one_of(texts, numbers, st.none(), st.booleans(), st.lists(numbers, max_size=3))
events = st.dictionaries(texts, values, max_size=3)
Row = tuple[bytes, str, list[dict[str, object]], int | None]
rows = st.lists(st.tuples(names, texts, st.lists(events, max_size=2), numbers | st.none()), min_size=1, max_size=4)


@given(rows, texts)
def test_the_texts_of_any_items_say_the_same_when_read(rows: list[Row], title: str) -> None:
    items = [
        BundleItem(name, 5, bytes(32), ns, None, note, note, (note,) if note else (), tuple(custody))
        for name, note, custody, ns in rows
    ]
    contents = Contents(ID, title, CLOCK, place_items(items))
    written = (render_items(contents), render_custody(contents.items))
    assert parse_contents(*written) == contents
    assert not any(b in written[0] + written[1] for b in (b"\x1b", b"\x7f", "\u202e".encode(), "\x9b".encode()))


def test_the_format_document_says_what_the_code_does() -> None:
    """Constants, and the order of the files in its drawing."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "format-bundle.md").read_text(encoding="utf-8")
    for constant in (layout.PROFILE, f"`{layout.NAMESPACE}`", str(layout.LEAST_PLAINTEXT), TEXT_FORMAT):
        assert constant in text
    drawn = re.findall(r"[├└]── ((?:[a-z]+/)?[A-Za-z0-9-]+\.[a-z.0-9]+)", text.partition("## 1.")[0])
    assert drawn == sorted(drawn, key=layout.place_of)
    assert set(drawn) == {name for name in layout.MAX_BYTES if name != layout.TIMESTAMP}


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_bytes_as_texts_are_our_error(a: bytes, b: bytes) -> None:
    good = Contents(ID, "", CLOCK, place_items(items_of()))
    for pair in ((a, b), (render_items(good), b or b"x"), (a, render_custody(good.items))):
        with pytest.raises(DamagedBundle):
            parse_contents(*pair)


def test_documents_are_numbered_so_that_names_sort_in_their_order() -> None:
    many = place_items([BundleItem(os.urandom(4), 0, bytes(32), None, None) for _ in range(10_001)])
    paths = [i.path for i in many]
    assert paths == sorted(paths)
    assert (paths[0][:11], paths[-1][:11]) == ("data/00001/", "data/10001/")
