# SPDX-License-Identifier: Apache-2.0
"""Padmé: little waste, few sizes, never smaller."""

from hypothesis import given
from hypothesis import strategies as st

from vault.padding import padme

sizes = st.integers(0, 1 << 50)


@given(sizes)
def test_a_padded_size_is_never_smaller_and_padding_it_again_changes_nothing(size: int) -> None:
    assert padme(size) >= size
    assert padme(padme(size)) == padme(size)


@given(st.integers(2, 1 << 50))
def test_at_most_twelve_percent_are_added(size: int) -> None:
    assert padme(size) - size <= 0.12 * size


@given(st.integers(1 << 20, 1 << 50))
def test_above_one_mebibyte_at_most_3_1_percent_are_added(size: int) -> None:
    assert padme(size) - size <= 0.0313 * size


@given(sizes, sizes)
def test_a_larger_file_never_has_a_smaller_padded_size(a: int, b: int) -> None:
    assert (padme(a) <= padme(b)) or a > b


@given(sizes, st.integers(0, 1 << 20))
def test_no_size_is_below_the_least(size: int, least: int) -> None:
    assert padme(size, least=least) == padme(max(size, least))


def test_the_last_bits_of_a_size_are_zero() -> None:
    # PURBs (PETS 2019), algorithm 1: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits are zero.
    assert [padme(n) for n in (9, 10, 31, 33, 1000, 1025)] == [10, 10, 32, 36, 1024, 1088]


def test_between_one_and_two_mebibytes_there_are_32_sizes() -> None:
    # 2^20: exponent 20 has 5 bits, so 5 bits of the mantissa stay.
    step = 1 << 15
    assert len({padme(n) for n in range((1 << 20) + 1, (2 << 20) + 1, step // 2)}) == 32
