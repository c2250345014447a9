# SPDX-License-Identifier: Apache-2.0
"""The catalogue: a page that is safe to open, whatever the evidence is called."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.bundle_items import BundleItem, place_items
from vault.catalogue import render
from vault.catalogue_words import LANGUAGES, WORDS, kind_of, style_sheet

ID = bytes(range(16))


class Page(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def item(name: bytes, content: bytes = b"", **more: object) -> BundleItem:
    return BundleItem(name, len(content), hashlib.sha256(content).digest(), None, None, **more)  # type: ignore[arg-type]


def page(*items: BundleItem, title: str = "", sender: str = "", thumbnails: Collection[str] = ()) -> Page:
    placed = place_items(items)
    return Page(
        render(ID, placed, title=title, sealed_ns=1_700_000_000 * 10**9, sender=sender, thumbnails=thumbnails)
    )


def test_everything_known_of_an_item_is_on_the_page() -> None:
    one = BundleItem(
        "Тергөө/протокол 1.pdf".encode(), 1_234_567, b"\xab" * 32, 1_600_000_000 * 10**9, 1_700_000_000 * 10**9,
        "Биринчи сап\nэкинчи сап", "булак", ("тинтүү", "2020"),
        ({"at_ns": 1_700_000_001 * 10**9, "event": "filed", "device": "cd" * 16, "sequence": 7},),
    )
    text = page(one, title="Тинтүүлөр", sender="SHA256:abc").text
    for expected in (
        *("Тинтүүлөр", "0001", "Тергөө/протокол 1.pdf", "1\u00a0234\u00a0567 bytes", "2020-09-13 12:26:40 UTC"),
        "ab" * 32,
        *("Биринчи сап\nэкинчи сап", "булак", "тинтүү", "SHA256:abc", "urn:uuid:00010203-0405"),
        *("text · PDF", "2023-11-14 22:13:21 UTC · filed · device cdcdcdcdcdcdcdcd… · sequence 7"),
    ):
        assert expected in text, expected


def test_links_lead_to_the_documents() -> None:
    items = [item("а #1?.pdf".encode()), item(b"100%.txt")]
    links = [attrs["href"] or "" for tag, attrs in page(*items).tags if tag == "a"]
    assert [unquote(link) for link in links] == [i.path for i in place_items(items)]
    assert not any(char in link for link in links for char in "#? ")


def test_a_drop_says_that_nothing_shows_its_sender() -> None:
    assert "Not signed" in page(item(b"a")).text
    assert "Not signed" not in page(item(b"a"), sender="SHA256:abc").text


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(['"><script>alert(1)</script>', "<img src=x onerror=alert(1)>", "</title><script>"]),
    st.sampled_from(["javascript:x", "&lt;", "</style>", "' onclick='x"]),
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_from_outside_becomes_markup(name: str, note: str, title: str) -> None:
    custody = ({"event": note, name: title},)
    one = item(name.encode("utf-8", "replace") or b"x", note=note, source=note, tags=(note or "t",), custody=custody)
    text = "n" if note else ""
    plain = item(b"x", note=text, source=text, tags=("t",), custody=({"event": text},))
    found, usual = page(one, title=title), page(plain)
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in usual.tags]
    assert all(not (key.startswith("on") or key == "src") for _, attrs in found.tags for key in attrs)
    assert all((attrs["href"] or "").startswith("data/0001/") for tag, attrs in found.tags if tag == "a")


def test_the_page_loads_nothing_and_says_so_to_the_browser() -> None:
    tags = page(item(b"a")).tags
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "embed", "img", "form", "base"}
    assert "url(" not in render(ID, place_items([item(b"a")]), sealed_ns=0)


def test_an_image_is_shown_only_for_a_document_that_has_a_thumbnail_in_the_bundle() -> None:
    tags = page(item(b"a.jpg"), item(b"b.jpg"), thumbnails={"0002"}).tags
    assert [attrs["src"] for tag, attrs in tags if tag == "img"] == ["metadata/thumbnails/0002.png"]


def test_every_word_of_the_page_is_there_in_every_language_and_cannot_end_the_style_sheet() -> None:
    style = style_sheet()
    for word, spellings in WORDS.items():
        assert len(spellings) == len(LANGUAGES)
        for language, spelling in zip(LANGUAGES, spellings, strict=True):
            assert spelling and not set(spelling) & set('"\\<>\n')
            rule = f'#{language}:checked ~ main .{word}::before {{ content: "{spelling}"; }}'
            assert (rule in style) is (language != "en")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PDF", ("text", "PDF")), ("a.tar.gz", ("archive", "GZ")), (".bashrc", ("other", "")), ("a", ("other", "")),
        ("a.жпг", ("other", "")), ("a.exe", ("other", "EXE")), ("a.<b>", ("other", "")), ("a.", ("other", "")),
    ],
)  # fmt: skip
def test_a_type_is_what_the_name_says(name: str, kind: tuple[str, str]) -> None:
    assert kind_of(name) == kind


def test_a_direction_override_in_a_name_is_shown_as_what_it_is() -> None:
    assert "photo\\u202egpj.exe" in page(item("photo\u202egpj.exe".encode())).text


def test_times_beyond_any_calendar_are_numbers() -> None:
    far = BundleItem(b"a", 0, bytes(32), (1 << 63) - 1, -(1 << 62))
    assert "2262-04-11" in page(far).text
    assert "1823-11-12" in page(far).text
