# SPDX-License-Identifier: Apache-2.0
"""The sealed text of a share: what its holder gets, and what a stranger cannot make of it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import age, labels, share_text
from keys.bech32 import encode as bech32
from keys.canonical import encode_base64
from keys.errors import BadSignature, KeysError, MalformedShare, NewerFormat, NoMatch
from keys.identity import Identity
from keys.secret import Secret
from keys.share_text import TEXT_SIZE, HeldShare, open_share, parse_text, seal_share
from keys.shares import split
from tests.support.tools import need_hybrid_age

OWNER, HOLDER, OTHER = (Identity.decode(bytes(range(n, n + 64))) for n in (1, 2, 3))
SHARES = split(Secret(bytes(32)), threshold=2, count=3)
HELD = HeldShare(SHARES[1], b"\x55" * 16, 3, date(2026, 11, 21), OWNER.card().words, OWNER.signing_public)
NAMED = replace(HELD, name="Бермет")
SEALED = seal_share(HELD, OWNER, HOLDER.card())


def plaintext(sealed: bytes) -> bytes:
    return age.unseal(sealed, [HOLDER.age], limit=TEXT_SIZE)


def signed_anew(text: bytes) -> bytes:
    """The lines of a share with one changed, signed by the owner as they are now."""
    lines = text.partition(b"\n\n")[0].split(b"\n")[:-1]
    signed = b"".join(line + b"\n" for line in lines)
    return signed + f"signature {encode_base64(OWNER.sign(labels.SHARE_SIGNATURE, signed))}\n\n".encode()


@pytest.mark.parametrize("held", [HELD, NAMED, replace(HELD, name="\U0001f9f0" * 40)])
def test_a_share_survives_being_sealed_and_opened(held: HeldShare) -> None:
    assert open_share(seal_share(held, OWNER, HOLDER.card()), HOLDER) == held


def test_the_size_tells_neither_name_nor_words() -> None:
    sizes = {len(seal_share(replace(HELD, share=s, name=n), OWNER, HOLDER.card())) for s in SHARES for n in (None, "Я")}
    assert len(sizes) == 1
    assert len(plaintext(SEALED)) == TEXT_SIZE


def test_the_longest_share_fits() -> None:
    longest = " ".join(["academic"] * 33).encode()
    held = replace(NAMED, share=replace(SHARES[1], words=Secret(longest)), name="\U0001f9f0" * 40,
                   owner=("overwhelm",) * 10, count=16)  # fmt: skip
    assert len(plaintext(seal_share(held, OWNER, HOLDER.card()))) == TEXT_SIZE


def test_a_longer_name_is_refused() -> None:
    with pytest.raises(ValueError, match="40 characters"):
        seal_share(replace(HELD, name="я" * 41), OWNER, HOLDER.card())


def test_nobody_but_the_holder_opens_it() -> None:
    for stranger in (OWNER, OTHER):
        with pytest.raises(NoMatch):
            open_share(SEALED, stranger)


def test_a_share_that_another_hand_changed_is_refused() -> None:
    """Whoever knows the holder's card can seal to it, and still cannot speak for the owner."""
    text = plaintext(SEALED).replace(b"share 2 of 3", b"share 2 of 4")
    with pytest.raises(BadSignature, match="changed after it was made"):
        open_share(age.seal(text, [HOLDER.recipient]), HOLDER)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"share 2 of 3", b"share 3 of 3"), (b"needed 2", b"needed 3"), (b"share 2 of 3", b"share 2 of 1"),
        (b"share 2 of 3", b"share 2 of 17"), (b"share 2 of 3", b"share 02 of 3"), (b"needed 2", b"needed two"),
        (b"set 55", b"set 5X"), (b"set 55", b"Set 55"), (b"made 2026-11-21", b"made 2026-13-21"),
        (b"made 2026-11-21", b"made 20261121"), (b"owner ", b"owner one more word "), (b"signing ", b"signing A"),
        (b"words ", b"words  "), (b"words ", b"words academic "), (b"sandyk share 1", b"sandyk share 0"),
        (b"needed 2\n", b""), (b"needed 2\n", b"needed 2\nneeded 2\n"), (b"needed 2\n", b"needed 2\nname \xff\n"),
        (b"\nwords", b"\nname  two spaces\nwords"), (b"\nwords", b"\nname \xe2\x80\xaeevil\nwords"),
    ],
)  # fmt: skip
def test_lines_that_no_writer_writes_are_refused_also_when_the_owner_signed_them(before: bytes, after: bytes) -> None:
    text = plaintext(SEALED)
    assert before in text
    with pytest.raises(MalformedShare):
        parse_text(signed_anew(text.replace(before, after, 1)))


def test_what_is_below_the_empty_line_is_for_people() -> None:
    head = plaintext(SEALED).partition(b"\n\n")[0]
    assert parse_text(head + b"\n\nanything \xff") == HELD == parse_text(head)


def test_a_share_of_a_later_version_is_named_as_that() -> None:
    with pytest.raises(NewerFormat):
        parse_text(b"sandyk share 2\nand more\n")


@given(st.binary(max_size=1200))
def test_any_bytes_are_refused_with_our_error(data: bytes) -> None:
    with pytest.raises(KeysError):
        parse_text(data)
    with pytest.raises(KeysError):
        open_share(data, HOLDER)


@settings(max_examples=40)
@given(st.integers(0, len(plaintext(SEALED).partition(b"\n\n")[0]) - 1), st.integers(1, 255))
def test_a_changed_byte_of_the_lines_is_noticed(place: int, change: int) -> None:
    text = bytearray(plaintext(SEALED))
    text[place] ^= change
    with pytest.raises(KeysError):
        parse_text(bytes(text))


@settings(max_examples=30)
@given(st.integers(0, len(SEALED) - 40))
def test_a_sealed_share_that_was_cut_off_is_refused(size: int) -> None:
    with pytest.raises(KeysError):
        open_share(SEALED[:size], HOLDER)


def test_somebody_with_stock_age_reads_the_words(tmp_path: Path) -> None:
    tools = need_hybrid_age()
    key = tmp_path / "key"
    key.write_text(bech32("age-secret-key-pq-", HOLDER.age_seed.expose()).upper() + "\n")
    (tmp_path / "share.age").write_bytes(SEALED)
    opened = subprocess.run([tools / "age", "-d", "-i", key, tmp_path / "share.age"],
                            capture_output=True, check=True).stdout  # fmt: skip
    assert parse_text(opened) == HELD
    assert b"One share of a key" in opened
    assert share_text.looks_like_text(opened)
