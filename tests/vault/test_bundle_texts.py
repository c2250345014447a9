# SPDX-License-Identifier: Apache-2.0
"""The two JSON texts of a bundle: any items survive them, and nothing else parses."""

from __future__ import annotations

import os
import re
import tracemalloc
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
from vault.bundle_items import (
    MAX_EVENT_CHARS,
    MAX_EVENT_VALUES,
    MAX_EVENTS,
    MAX_LINE,
    MAX_TEXT_CHARS,
    TEXT_FORMAT,
    Contents,
    check_contents,
    parse_contents,
    place_items,
    render_custody,
    render_items,
)
from vault.errors import BadInput, DamagedBundle

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
    assert set(drawn) == set(layout.MAX_BYTES)


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


def contents_of(*events: dict[str, object], note: str = "", tags: tuple[str, ...] = ()) -> Contents:
    return Contents(ID, "", CLOCK, place_items([BundleItem(b"a", 5, bytes(32), None, None, note, "", tags, events)]))


def nested(depth: int) -> dict[str, object]:
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("lawful", "beyond"),
    [
        (nested(4), nested(5)),
        ({"a": [1] * (MAX_EVENT_VALUES - 2)}, {"a": [1] * (MAX_EVENT_VALUES - 1)}),
        ({"a": "x" * (MAX_EVENT_CHARS - 1)}, {"a": "x" * MAX_EVENT_CHARS}),
        ({"a": (1 << 63) - 1}, {"a": 1 << 63}),
        ({"a": True}, {"a": 1.5}),
        ({"a": "x"}, {"a": "\ud800"}),
    ],
)
def test_an_event_at_its_limit_is_written_and_read_and_one_beyond_is_neither(
    lawful: dict[str, object], beyond: dict[str, object]
) -> None:
    good = contents_of(lawful)
    check_contents(good)
    items, custody = render_items(good), render_custody(good.items)
    assert parse_contents(items, custody) == good
    with pytest.raises(BadInput):
        check_contents(contents_of(beyond))
    with pytest.raises((DamagedBundle, UnicodeEncodeError)):
        parse_contents(items, render_custody(contents_of(beyond).items))


def test_the_longest_lawful_lines_are_read() -> None:
    """Each character as two escapes of six bytes: so MAX_LINE follows from the other limits, and refuses nothing."""
    char = "\U000e0041"
    long = contents_of({"a": char * (MAX_EVENT_CHARS - 1)}, note=char * MAX_TEXT_CHARS, tags=(char * 200,) * 100)
    items, custody = render_items(long), render_custody(long.items)
    assert MAX_EVENT_CHARS * 12 < len(custody) < MAX_LINE
    assert len(items) + 12 * MAX_TEXT_CHARS < MAX_LINE, "the source may be as long as the note"
    assert parse_contents(items, custody) == long


@pytest.mark.parametrize(
    "custody",
    [
        b"\n" * 1000,
        b"{" * (MAX_LINE + 1),
        b'{"item":1,"event":{}}',
        b'{"item":2,"event":{}}\n',
        b'{"item":0,"event":{}}\n',
        b'{"item":1,"event":{}}\n' * (MAX_EVENTS + 1),
        b'{"item":1,"event":{"a":1,"a":1}}\n',
        b'{"item": 1,"event":{}}\n',
    ],
)
def test_a_custody_record_of_another_form_is_refused(custody: bytes) -> None:
    with pytest.raises(DamagedBundle):
        parse_contents(render_items(contents_of()), custody)


def test_custody_out_of_order_is_refused() -> None:
    two = Contents(ID, "", CLOCK, place_items(items_of(((b"a", b""), (b"b", b"")))))
    lines = render_custody(two.items).splitlines(keepends=True)
    assert parse_contents(render_items(two), b"".join(lines)) == two
    with pytest.raises(DamagedBundle):
        parse_contents(render_items(two), b"".join(reversed(lines)))


def test_a_hostile_record_takes_no_more_memory_than_twice_its_bytes() -> None:
    """As Python objects, empty lists take twenty times what they take as text."""
    line = b'{"item":1,"event":{"a":[' + b"[]," * 150 + b"[]]}}\n"
    items, custody = render_items(contents_of()), line * (4_000_000 // len(line))
    tracemalloc.start()
    contents = parse_contents(items, custody)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(custody)
    assert len(contents.items[0].custody) == custody.count(b"\n")


def test_custody_that_was_read_is_looked_at_as_if_it_were_a_list() -> None:
    line = b'{"item":1,"event":{"a":1}}\n{"item":1,"event":{"b":"c"}}\n'
    custody = parse_contents(render_items(contents_of()), line).items[0].custody
    assert list(custody) == [{"a": 1}, {"b": "c"}]
    assert {"a": 1} in custody
    assert {"a": 2} not in custody
    assert custody == ({"a": 1}, {"b": "c"})
    assert custody != ()
