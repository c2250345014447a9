# SPDX-License-Identifier: Apache-2.0
"""Entries of the custody record in the reader's language: what is recognised, what is not, and JSON in English."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import Desk, bundle
from tools import words
from vault import custody_words, quarantine
from vault.index import PackRow
from vault.model import (
    EVENT_CLEANED,
    EVENT_EXPORTED,
    EVENT_GRANTED,
    EVENT_MENDED,
    EVENT_PUT_ASIDE,
    EVENT_REMOVED,
    EVENT_SAVED,
    EVENT_TAKEN_IN,
    Event,
    PackId,
)

__all__ = ["bundle"]

HEX = {32: "0123456789abcdef" * 2, 64: "0123456789abcdef" * 4}
SAMPLES = {
    "bundle": HEX[32], "pack": HEX[32], "device": HEX[32], "new": HEX[32], "old": HEX[32], "sha256": HEX[64],
    "previous": "-", "epoch": "3", "sequence": "41", "count": "17", "maker": "sandyk/1 Pillow/11", "removed": "EXIF",
    "left": "nothing known", "words": "mango reptile", "whom": "mango reptile; recipient age1pq1abc…",
}  # fmt: skip
ENGLISH = re.compile(
    r"\b(?:bundle|manifest|for|signed|unsigned|by|taken|left|clean|copy|recipient|nothing|pack|statement|block)\b"
)


@pytest.fixture(params=words.LANGUAGES)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language, spoken in this process."""
    spoken = gettext.translation(words.DOMAIN, str(words.LOCALE), languages=[request.param])
    for module in ("custody_words", "overheard"):
        monkeypatch.setattr(f"vault.{module}.spoken", lambda: request.param)
        monkeypatch.setattr(f"vault.{module}._", spoken.gettext)
    yield request.param


def event(kind: str, detail: str) -> Event:
    return Event(1, kind, (), detail)


@pytest.mark.parametrize("kind", sorted(custody_words._FORMS))
def test_every_known_form_is_said_without_english_and_with_all_that_it_held(kind: str, reader: str) -> None:
    for form in custody_words._FORMS[kind]:
        used = {name: SAMPLES[name] for name in re.findall(r"\{(\w+)\}", form)}
        shown = custody_words.said(event(kind, form.format(**used)))
        assert not ENGLISH.search(shown), shown
        assert all(value in shown for name, value in used.items() if name not in ("left", "whom")), shown
    assert custody_words.said(event(kind, "")) != kind


def test_what_the_program_writes_today_has_a_form_that_is_known(reader: str) -> None:
    place = PackRow(
        1, PackId(bytes(16)), epoch=1, device=bytes(16), author=bytes(32), sequence=2, digest=bytes(32), previous=b"",
        created_ns=1, size=1,
    )  # fmt: skip
    (aside,) = quarantine.render(PackId(bytes(16)), place, (), 1)
    assert not ENGLISH.search(custody_words.said(aside))
    (alone,) = quarantine.render(PackId(bytes(16)), None, (), 1)
    assert not ENGLISH.search(custody_words.said(alone))
    saved = f"pack {HEX[32]}\n{HEX[32]} was {HEX[32]}"
    assert " was " not in custody_words.said(event(EVENT_SAVED, saved))


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        (EVENT_REMOVED, "bundle for the court"),
        (EVENT_GRANTED, f"pack {HEX[32]}"),
        (EVENT_TAKEN_IN, "bundle, signed by nobody"),
        (EVENT_EXPORTED, f"bundle {HEX[32]} manifest {HEX[64]} for"),
        (EVENT_MENDED, f"pack {HEX[32]}: many block(s) of 4096 bytes from its parity"),
        (EVENT_PUT_ASIDE, f"{HEX[64]} 10 pack of lies.pdf"),
        ("a kind of the future", "pack"),
    ],
)
def test_what_people_typed_and_what_is_not_known_stays_as_it_is(kind: str, detail: str, reader: str) -> None:
    assert custody_words.said(event(kind, detail)).endswith(detail)


def test_in_english_an_entry_is_shown_as_it_was_recorded() -> None:
    detail = f"clean copy of SHA-256 {HEX[64]}, by sandyk; taken out: EXIF; left in: nothing known"
    assert custody_words.said(event(EVENT_CLEANED, detail)) == f"{EVENT_CLEANED} {detail}"


@given(st.sampled_from(sorted(custody_words._FORMS)), st.text(max_size=200))
def test_no_hostile_entry_breaks_the_list(kind: str, detail: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.custody_words.spoken", lambda: "ky")
        assert custody_words.said(event(kind, detail))


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_log_of_an_export_its_receipt_and_what_came_in_is_read_without_english(
    language: str, bundle: tuple[Desk, Desk, str]
) -> None:
    one, editor, sealed = bundle
    receipt = str(editor.home / "receipt.age")
    editor.run("case", "new", "Kloop")
    editor.run("open", sealed, "--into", "Kloop", "--receipt", receipt)
    one.run("receipt", "take", receipt)
    for desk in (one, editor):
        shown = desk.run("log", "--lang", language).out
        assert not re.search(r"\b(?:manifest|statement|signed by|unsigned|bundle|for)\b", shown), shown
        assert desk.json("log", "--lang", language) == desk.json("log")
    item = one.json("list")["items"][0]["id"]
    shown = one.run("show", item, "--lang", language).out
    assert not re.search(r"\b(?:manifest|statement|bundle)\b", shown), shown
