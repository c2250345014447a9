# SPDX-License-Identifier: Apache-2.0
"""What documents are about, said without the command line: the name of a source stands in no shell's history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import Desk
from vault.about import joined, parse_about
from vault.errors import BadInput
from vault.sources import About

TEXT = "note: minutes\n\nsource: Азамат, the archive: room 5\ntag: 2025\ntag: roads\n"
ABOUT = About("minutes", "Азамат, the archive: room 5", ("2025", "roads"))


@pytest.mark.parametrize("untrusted", [TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT, TEXT.rstrip()])
def test_the_lines_of_any_editor_mean_the_same(untrusted: str) -> None:
    assert parse_about(untrusted.encode()) == ABOUT


@pytest.mark.parametrize(
    "untrusted",
    ["note minutes", "sourse: Азамат", "Note: x", "note:", "source:  ", "note: a\nnote: b", "source: a\nsource: b",
     "note: a\nand on", "# a remark", ":", "note: \udc80"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_not_quoted(untrusted: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_about(untrusted.encode("utf-8", "surrogateescape"))
    assert "Азамат" not in str(error.value)


@given(st.binary(max_size=60))
def test_noise_is_refused_with_our_error_or_is_nothing(noise: bytes) -> None:
    for untrusted in (noise, TEXT.encode() + noise.replace(b"tag", b"")):
        try:
            about = parse_about(untrusted)
        except BadInput:
            continue
        assert about == (ABOUT if untrusted is not noise else About())


def test_the_command_line_adds_tags_and_does_not_contradict() -> None:
    assert joined(About(tags=("a",)), ABOUT) == About(ABOUT.note, ABOUT.source, ("a", "2025", "roads"))
    for twice in (About(note="x"), About(source="x")):
        with pytest.raises(BadInput):
            joined(twice, ABOUT)


def test_add_takes_the_source_from_a_file_or_from_standard_input(one: Desk) -> None:
    for name, words, typed in (("a", one.write("about.txt", TEXT), b""), ("b", "-", TEXT.encode())):
        document = one.write(name, name)
        one.run("add", "Road works", document, "--about-file", words, stdin=typed)
    items = one.json("list")["items"]
    assert {(item["note"], item["source"], tuple(item["tags"])) for item in items} == {
        (ABOUT.note, ABOUT.source, ABOUT.tags)
    }
    assert len(items) == 2


def test_standard_input_is_one_thing_only(one: Desk) -> None:
    run = one.run("add", "Road works", "-", "--about-file", "-", code=2)
    assert "standard input" in run.err
