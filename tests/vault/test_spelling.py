# SPDX-License-Identifier: Apache-2.0
"""Which words are the same in a search, and which stay apart, in the languages that the newsrooms write."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import BadInput
from vault.query import MAX_QUERY, MAX_TERMS, parse
from vault.spelling import LONGEST_WORD, MOST_SPELLINGS, fold, normalised, spellings, words

LATIN_AND_CYRILLIC = [
    ("oʻzbekiston", "Ўзбекистон"), ("o'zbekiston", "ЎЗБЕКИСТОН"), ("o‘zbekiston", "Ўзбекистон"),
    ("ozbekiston", "Ўзбекистон"), ("yosh", "ёш"), ("yoʻl", "йўл"), ("shahar", "шаҳар"), ("Toshkent", "Тошкент"),
    ("aprel", "апрель"), ("iyul", "июль"), ("oktabr", "октябрь"), ("ma'no", "маъно"), ("sanʼat", "санъат"),
    ("e'lon", "эълон"), ("xalq", "халқ"), ("kelishuv", "келишув"), ("general", "генерал"), ("Chingiz", "Чингиз"),
    ("g'alaba", "ғалаба"), ("togʻ", "тоғ"), ("Mirziyoyev", "Мирзиёев"), ("o'qituvchi", "ўқитувчи"),
    ("tergovchi", "терговчи"), ("Sergeyev", "Сергеев"), ("Ivanov", "Иванов"),
]  # fmt: skip


@pytest.mark.parametrize(("latin", "cyrillic"), LATIN_AND_CYRILLIC)
def test_an_uzbek_word_is_found_in_the_other_alphabet_whichever_is_typed(latin: str, cyrillic: str) -> None:
    (in_latin,), (in_cyrillic,) = words(latin), words(cyrillic)
    assert in_cyrillic in spellings(latin)
    assert in_latin in spellings(cyrillic) or in_latin.replace("o", "oʻ", 1) in spellings(cyrillic)


@pytest.mark.parametrize(
    ("one", "other"),
    [("мать", "мат"), ("угол", "уголь"), ("полка", "полька"), ("брат", "брать"), ("сьезд", "съезд"), ("мой", "мои"),
     ("үч", "уч"), ("өт", "от"), ("жаң", "жан")],
)  # fmt: skip
def test_russian_and_kyrgyz_words_that_differ_in_a_letter_stay_apart(one: str, other: str) -> None:
    assert words(other)[0] not in spellings(one)
    assert words(one)[0] not in spellings(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Счёт", "счет"), ("ЁЛКА", "елка"), ("ЖАҢЫ ЖОЛ", "жаңы жол"), ("ＡＢＣ", "abc"), ("ﬁnal", "final"),
     ("o'zbek", "oʻzbek"), ("o‘zbek", "oʻzbek"), ("san’at", "sanʼat"), ("O'Brien", "o’brien")],
)  # fmt: skip
def test_spellings_of_one_word_are_one_word(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_words_are_letters_and_digits_with_apostrophes_between_them() -> None:
    assert words("Акт №12/3 от 01.02.2021, 'по делу' a_b") == ["акт", "no12", "3", "от", "01", "02", "2021", "по",
                                                              "делу", "a", "b"]  # fmt: skip


@given(st.text(max_size=200))
def test_words_of_words_are_the_same_words(text: str) -> None:
    found = words(text)
    assert words(" ".join(found)) == found or any(len(word) >= LONGEST_WORD for word in found)


def test_a_million_marks_on_one_letter_are_not_put_in_order() -> None:
    """Which would take an hour."""
    marks = "\u0301\u0316" * 1_000_000
    assert words(f"дом{marks} сад") == ["дом", "сад"]
    assert len(normalised(f"дом{marks}")) < 40


def test_every_mark_is_among_the_signs_that_are_counted() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    marks = [one for one in every if unicodedata.combining(unicodedata.normalize("NFKD", one)[0])]
    assert len(marks) > 800
    assert all(len(normalised("a" + f"{mark}\u0334" * 50)) <= 61 for mark in marks)  # some are two in NFKC
    assert all(len(normalised("a" + mark * 100)) <= 61 for mark in marks)


@given(st.text(max_size=80))
def test_every_text_has_spellings_in_bounds_and_the_first_is_its_own(text: str) -> None:
    for word in words(text):
        found = spellings(word)
        assert found[0] == fold(word)
        assert len(found) <= MOST_SPELLINGS
        assert len(set(found)) == len(found)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_no_text_that_is_typed_reaches_fts5_as_anything_but_phrases(typed: list[str]) -> None:
    try:
        query = parse(typed)
    except BadInput:
        return
    if query.match is not None:
        left = re.sub(r'"[^"]+"\*?', "P", query.match)
        assert re.fullmatch(r"\(P( OR P)*\)( AND \(P( OR P)*\))*", left)
    for finder in (query.finder(inside=True), query.finder(inside=False)):
        assert all(start < end for start, end in finder.places(" ".join(typed) + " текст"))


def test_operators_of_fts5_are_words() -> None:
    query = parse(["NOT", "near", "a*b", "AND"])
    assert query.match is not None and '("not"*' in query.match and '("near"*' in query.match


def test_several_words_are_a_phrase_in_one_argument_and_apart_in_several() -> None:
    assert [term.spellings[0] for term in parse(["road works"]).terms] == [("road", "works")]
    assert [term.spellings[0] for term in parse(["road", "works"]).terms] == [("road",), ("works",)]
    assert [term.spellings[0] for term in parse(['«road works» bridge']).terms] == [("road", "works"), ("bridge",)]
    assert [term.spellings[0] for term in parse(["01.02.2021"]).terms] == [("01", "02", "2021")]


def test_a_word_of_three_letters_stands_for_all_that_begin_with_it_and_a_shorter_one_does_not() -> None:
    assert [term.beginning for term in parse(["жол", "по", '"жол"']).terms] == [True, False, False]


@pytest.mark.parametrize("typed", ["ь", "Ъ", "ь ъ", "''"])
def test_nothing_in_the_other_alphabet_is_not_looked_for(typed: str) -> None:
    assert all(all(any_of) for any_of in parse([typed]).inside)
    assert all(all(all(row) for row in term.spellings) for term in parse([typed]).terms)


@pytest.mark.parametrize("typed", [[], [""], ['""', "  "], ["x" * (MAX_QUERY + 1)], ["a"] * (MAX_TERMS + 1)])
def test_what_is_no_search_is_refused(typed: list[str]) -> None:
    with pytest.raises(BadInput):
        parse(typed)


def test_signs_alone_are_looked_for_in_names_only() -> None:
    query = parse(["№§", "акт"])
    assert query.match is None or "§" not in query.match
    assert parse(["§"]).match is None and parse(["§"]).inside == (("§",),)


@pytest.mark.parametrize(
    ("typed", "text", "found"),
    [("договор", "Копия Договора №5", "Договора"), ("счет", "новый счёт", "счёт"),
     ("o'zbek", "yangi oʻzbeklar", "oʻzbeklar"), ("ўзбек", "yangi o‘zbeklar", "o‘zbeklar"),
     ("road works", "the Road\n works", "Road\n works"), ("жол", "жолдун баасы", "жолдун")],
)  # fmt: skip
def test_the_pattern_finds_the_place_in_the_text(typed: str, text: str, found: str) -> None:
    (start, end), *_ = parse([typed]).finder(inside=False).places(text)
    assert text[start:end] == found


def test_a_place_within_a_word_counts_in_names_alone() -> None:
    query, text = parse(["говор"]), "договор говорит İ"
    assert [text[a:b] for a, b in query.finder(inside=False).places(text)] == ["говорит"]
    assert next(text[a:b] for a, b in query.finder(inside=True).places(text)) == "говор"
