# SPDX-License-Identifier: Apache-2.0
"""A secret has no readable form."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.secret import Secret


@given(st.binary(min_size=1))
def test_expose_gives_back_what_went_in(value: bytes) -> None:
    assert Secret(value).expose() == Secret(bytearray(value)).expose() == Secret(memoryview(value)).expose() == value


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda s: "%s" % s])  # noqa: UP031
def test_no_way_of_printing_shows_the_bytes(show) -> None:
    assert show(Secret(b"hunter2")) == "Secret(<redacted>)"


@pytest.mark.parametrize("copier", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickling_and_copying_are_refused(copier) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        copier(Secret(b"hunter2"))


def test_a_secret_is_no_dictionary_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        {Secret(b"a"): 1}


def test_equal_bytes_are_equal_and_bytes_themselves_are_not() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


def test_closing_zeroes_the_buffer_and_ends_all_use() -> None:
    secret = Secret(b"hunter2")
    buffer = secret._bytes
    secret.close()
    secret.close()
    assert buffer == bytes(7)
    assert len(secret) == 0
    with pytest.raises(ValueError, match="closed"):
        secret.expose()


def test_leaving_a_with_block_closes() -> None:
    with Secret(b"hunter2") as secret:
        assert secret.expose() == b"hunter2"
    with pytest.raises(ValueError, match="closed"):
        secret.expose()


def test_random_secrets_have_the_size_asked_for_and_differ() -> None:
    made = [Secret.random(20) for _ in range(20)]
    assert {len(s) for s in made} == {20}
    assert len({s.expose() for s in made}) == 20
