# SPDX-License-Identifier: Apache-2.0
"""How words are compared in a search: one spelling for case and compatibility forms, and other spellings of a query.

What is indexed is the word as it stands there, folded; nothing of it is thrown away, so that no Russian word becomes
another one. It is the query that is spelt in several ways: an Uzbek word in Latin letters also in Cyrillic and the
other way round, by the alphabets of the laws of 1995 and 1940 (oʻ ў, gʻ ғ, sh ш, ch ч, ya я, ʼ ъ), with the variations
that people write. Why so: docs/decisions/0051-text-search.md. Pure: values in, values out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import combinations, product

FOLDING = f"2 {unicodedata.unidata_version}"
"""Words folded by another version of these rules, or of Unicode, are folded anew before they are relied on."""
LONGEST_WORD = 64
"""Characters of a word that count: what is longer is no word of a language."""
MOST_SPELLINGS = 40
"""Of one word of a query."""
MOST_CHANGES = 2
"""How many letters of one spelling are not in the likeliest form."""

APOSTROPHES = "'`´ʹʻʼʽˈ‘’‛′＇"
"""All that people and their keyboards put where the Uzbek Latin alphabet has U+02BB and U+02BC."""
_TURNED, _PLAIN = "ʻ", "ʼ"
WORD = re.compile(rf"[^\W_]+(?:[{APOSTROPHES}][^\W_]+)*(?:(?<=[oOgG])[ʻ‘])?")
_MOST_SIGNS = re.compile(r"([^\w\s\x00-\x7f]{30})[^\w\s\x00-\x7f]+")
"""More signs in a row than a text for streams may have marks in one (UAX #15, section 13). Putting a row of marks in
order takes the square of its length: a planted text of 4 MiB of them would take an hour."""
_LETTERS_THAT_ARE_MARKS = (("\uff9e", "\u3099"), ("\uff9f", "\u309a"))
"""Marks of halfwidth katakana: letters to Python, marks in NFKC, where they would be put in order."""
_APOSTROPHE = re.compile(rf"(?<=[^\W_])[{APOSTROPHES}]")

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "yo|e", "ж": "j|zh", "з": "z", "и": "i",
    "й": "y|i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "x|h|kh", "ц": "ts|s", "ч": "ch", "ш": "sh", "щ": "sh|shch", "ъ": "ʼ|", "ы": "i|y", "ь": "|ʼ",
    "э": "e", "ю": "yu|u", "я": "ya|a", "ў": "oʻ|o", "қ": "q|k", "ғ": "gʻ|g", "ҳ": "h", "ң": "ng", "ө": "o", "ү": "u",
}  # fmt: skip
"""Each letter's Latin spellings, the likeliest first."""
_CYRILLIC_VOWELS = frozenset("аеёиоуўыэюяьъөү")
_YE = "ye|e"
"""е at the beginning of a word and after a vowel."""
_LATIN = {
    "shch": "щ|шч", "sh": "ш", "ch": "ч", "yo": "ё|йо", "yu": "ю", "ya": "я", "ye": "е", "ts": "ц|тс", "zh": "ж",
    "kh": "х", "oʻ": "ў", "gʻ": "ғ", "oʼ": "ў", "gʼ": "ғ", "a": "а|я", "b": "б|бь", "c": "ц|к", "d": "д|дь", "e": "е|э",
    "f": "ф", "g": "г|ғ", "h": "ҳ|х", "i": "и|ы", "j": "ж|дж", "k": "к|қ", "l": "л|ль", "m": "м|мь", "n": "н|нь",
    "o": "о|ў", "p": "п|пь", "q": "қ|к", "r": "р|рь", "s": "с|сь|ц", "t": "т|ть", "u": "у|ю", "v": "в|вь", "w": "в",
    "x": "х|кс", "y": "й|ы", "z": "з|зь", "ʼ": "ъ||ь", "ʻ": "ъ||ь",
}  # fmt: skip
_LATIN_ALONE = {"oʻ": "oʻ|o", "gʻ": "gʻ|g", "o": "o|oʻ", "g": "g|gʻ", "ʼ": "ʼ|"}
"""What stays Latin: with and without apostrophes."""
_E = "э|е"
"""e at the beginning of a word."""
_LATIN_LETTERS = re.compile("shch|sh|ch|yo(?![ʻʼ])|y[eua]|ts|zh|kh|[og][ʻʼ]|.", re.S)
_CYRILLIC_LETTER = re.compile("[а-яёўқғҳңөү]")
_LATIN_LETTER = re.compile("[a-z]")


def normalised(text: str) -> str:
    """Text in NFKC; of more than 30 signs in a row, which no word has, only the first stay."""
    for letter, mark in _LETTERS_THAT_ARE_MARKS:
        text = text.replace(letter, mark)
    return unicodedata.normalize("NFKC", _MOST_SIGNS.sub(r"\1", text))


def fold(text: str) -> str:
    """Text as it is compared in a search: compatibility forms and case made equal, ё as е."""
    return normalised(text).casefold().replace("ё", "е")


def words(text: str) -> list[str]:
    """The words of a text, folded, in order: letters, digits, and apostrophes between them in one form."""
    return [_in_one_form(word) for word in WORD.findall(fold(text))]


def spellings(word: str) -> tuple[str, ...]:
    """How else a word of a query may be written, folded; the first is the word itself. At most MOST_SPELLINGS."""
    plain = _in_one_form(unicodedata.normalize("NFKC", word).casefold())
    found = {fold(plain): None}
    if _CYRILLIC_LETTER.search(plain) and not _LATIN_LETTER.search(plain):
        found |= dict.fromkeys(_variations(_from_cyrillic(plain)))
    elif _LATIN_LETTER.search(plain) and not _CYRILLIC_LETTER.search(plain):
        found |= dict.fromkeys(_variations(_letters(plain, _LATIN_ALONE)))
        found |= dict.fromkeys(fold(other) for other in _variations(_from_latin(plain)))
    return tuple(one for one in found if one)[:MOST_SPELLINGS]


def other_script(word: str) -> str:
    """The likeliest spelling of a word in the other of the two alphabets, folded; the word itself if it has none."""
    plain = _in_one_form(unicodedata.normalize("NFKC", word).casefold())
    if _CYRILLIC_LETTER.search(plain) and not _LATIN_LETTER.search(plain):
        return "".join(choices[0] for choices in _from_cyrillic(plain))
    if _LATIN_LETTER.search(plain) and not _CYRILLIC_LETTER.search(plain):
        return fold("".join(choices[0] for choices in _from_latin(plain)))
    return fold(plain)


def _in_one_form(word: str) -> str:
    return _APOSTROPHE.sub(lambda m: _TURNED if m.string[m.start() - 1] in "og" else _PLAIN, word)[:LONGEST_WORD]


def _letters(word: str, table: Mapping[str, str]) -> list[list[str]]:
    return [table.get(letter, letter).split("|") for letter in _LATIN_LETTERS.findall(word)]


def _from_cyrillic(word: str) -> list[list[str]]:
    return [
        (_YE if letter == "е" and (n == 0 or word[n - 1] in _CYRILLIC_VOWELS) else _CYRILLIC.get(letter, letter))
        .split("|")
        for n, letter in enumerate(word)
    ]  # fmt: skip


def _from_latin(word: str) -> list[list[str]]:
    letters = _letters(word, _LATIN)
    if word.startswith("e"):
        letters[0] = _E.split("|")
    return letters


def _variations(letters: list[list[str]]) -> Iterator[str]:
    """Spellings with the likeliest letters, then with one letter in another form, then with two."""
    open_places = [n for n, choices in enumerate(letters) if len(choices) > 1]
    left = MOST_SPELLINGS
    for changes in range(MOST_CHANGES + 1):
        for places in combinations(open_places, changes):
            for chosen in product(*(letters[n][1:] for n in places)):
                if not left:
                    return
                left -= 1
                others = dict(zip(places, chosen, strict=True))
                yield "".join(others.get(n, choices[0]) for n, choices in enumerate(letters))
