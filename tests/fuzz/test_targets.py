# SPDX-License-Identifier: Apache-2.0
"""Bytes of strangers raise errors of ours and nothing else: a short run of each target of the fuzzer."""

from __future__ import annotations

import pytest

from tests.fuzz.mutations import inputs
from tests.fuzz.targets import TARGETS, corpus, one


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_another_error_than_ours_or_has_two_spellings(name: str) -> None:
    """The same few thousand inputs each time; `make fuzz` looks for new ones."""
    target = TARGETS[name]
    for data in inputs(corpus(name, target), name, target.inputs):
        try:
            one(data, target)
        except Exception as exc:
            raise AssertionError(f"{name}: {data[:2000]!r}") from exc


REFUSED = {"agent", "bundle", "drop", "numbers", "pack-manifest", "slot-payload", "zip"}
"""Targets with seeds that are no whole input, but a good beginning of one."""


@pytest.mark.parametrize("name", sorted(set(TARGETS) - REFUSED))
def test_each_target_reaches_its_parser(name: str) -> None:
    """A target whose seeds are all refused would find nothing."""
    target = TARGETS[name]
    for data in target.seeds():
        target.run(data)
