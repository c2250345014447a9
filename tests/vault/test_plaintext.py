# SPDX-License-Identifier: Apache-2.0
"""A sealed bundle of which parts are left out, because they are there already."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import age
from keys.errors import NoMatch
from tests.support.bundles import EDITOR, OTHER, plaintext_of, read_all, seal
from vault.bundle import TarBundleReader, own_keys
from vault.errors import DamagedBundle
from vault.plaintext import WINDOW, DamagedSeal, SkippingPlaintext

LARGE = tuple((b"%d" % number, os.urandom(size)) for number, size in enumerate((5, 3_000_000, 0, 2_000_000, 70_000)))
SEALED = seal(LARGE)[0]
PLAIN = plaintext_of(SEALED)


class InMemory:
    """Sealed bytes that can be read at any place; counts how many were asked for."""

    def __init__(self, sealed: bytes) -> None:
        self._sealed = sealed
        self.size = len(sealed)
        self.asked = 0

    def read_at(self, offset: int, size: int) -> bytes:
        self.asked += size
        return self._sealed[offset : offset + size]


def reader_of(source: InMemory) -> TarBundleReader:
    return TarBundleReader(SkippingPlaintext(source, [EDITOR.age]), own_keys([EDITOR.age]))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2 * WINDOW)), max_size=12))
def test_reading_and_leaving_out_in_any_order_gives_the_same_bytes(steps: list[tuple[bool, int]]) -> None:
    plain, place = SkippingPlaintext(InMemory(SEALED), [EDITOR.age]), 0
    for leave_out, size in steps:
        if leave_out:
            plain.skip(size)
            place += size
        else:
            data = plain.read(size)
            assert data == PLAIN[place : place + len(data)]
            assert data or not size or place >= len(PLAIN)
            place += len(data)


def test_a_bundle_reads_the_same_when_nothing_is_left_out() -> None:
    assert read_all(reader_of(InMemory(SEALED))) == list(LARGE)


def test_what_is_left_out_is_not_even_asked_for() -> None:
    source = InMemory(SEALED)
    for item, document in reader_of(source).payload():
        if item.size > WINDOW:
            document.pass_over()
        else:
            assert document.read() == dict(LARGE)[item.name]
    assert source.asked < len(SEALED) / 1.5


def test_a_stream_cannot_leave_out_and_checks_what_it_reads() -> None:
    changed = bytearray(PLAIN)
    place = PLAIN.index(LARGE[1][1])
    changed[place] ^= 1
    for plaintext, error in ((PLAIN, None), (bytes(changed), DamagedBundle)):
        reader = TarBundleReader(io.BytesIO(plaintext))
        seen = []
        try:
            for item, document in reader.payload():
                document.pass_over()
                seen.append(item.name)
        except DamagedBundle:
            assert error is DamagedBundle
        assert (len(seen) == len(LARGE)) is (error is None)


def test_damage_shows_in_what_is_read() -> None:
    beginning = len(SEALED) - len(PLAIN)  # behind the header: in there a flip may look like somebody else's file
    for place in (len(SEALED) - 100_000, len(SEALED) // 2, beginning):
        changed = SEALED[:place] + bytes([SEALED[place] ^ 1]) + SEALED[place + 1 :]
        with pytest.raises(DamagedSeal):
            read_all(reader_of(InMemory(changed)))


@pytest.mark.parametrize("cut", [1, 16, 70_000, 3_000_000])
def test_a_file_that_was_cut_is_refused_at_once(cut: int) -> None:
    """Its last block is looked at first: also when nothing but the beginning would have been read."""
    with pytest.raises(DamagedSeal):
        SkippingPlaintext(InMemory(SEALED[:-cut]), [EDITOR.age])


def test_an_armored_file_and_somebody_elses_are_refused() -> None:
    sink = io.BytesIO()
    sealer = age.Sealer(sink, [EDITOR.recipient], armored=True)
    sealer.write(PLAIN)
    sealer.finish()
    with pytest.raises(DamagedSeal):
        SkippingPlaintext(InMemory(sink.getvalue()), [EDITOR.age])
    with pytest.raises(NoMatch):
        SkippingPlaintext(InMemory(SEALED), [OTHER.age])
