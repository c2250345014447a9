# SPDX-License-Identifier: Apache-2.0
"""What somebody looks for: words that must all occur, each as the beginning of a word, and phrases in quotes.

Says it three times: for the full-text index (FTS5, https://www.sqlite.org/fts5.html §3), for a scan of names, and as a
pattern that finds the place in a text. Everything that is typed is data: no operator of FTS5 reaches it. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _

from vault.errors import BadInput
from vault.spelling import APOSTROPHES, WORD, fold, other_script, spellings, words

MAX_QUERY = 1_000
"""Characters."""
MAX_TERMS = 20
LEAST_BEGINNING = 3
"""Letters from which on a word stands for all that begin with it; a shorter one would stand for half of a language."""
_QUOTES = str.maketrans("«»“”„‟", '""""""')
_PIECES = re.compile(r'"([^"]*)"?|([^\s"]+)')
_ANY_APOSTROPHE = re.compile(f"[{APOSTROPHES}]")
_NOTHING = "(?!)"
_WRITTEN_APOSTROPHES = "'ʻʼ‘’"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that must occur: any of ``spellings``, each a row of words; with ``beginning`` the last may go on.

    ``inside`` are folded texts of which one may stand anywhere in a name. ``spellings`` are empty for signs alone.
    """

    inside: tuple[str, ...]
    spellings: tuple[tuple[str, ...], ...]
    beginning: bool

    @property
    def match(self) -> str:
        """For FTS5: a parenthesis of phrases. They hold letters, digits and apostrophes, no quotation mark."""
        star = "*" if self.beginning else ""
        return "(" + " OR ".join(f'"{" ".join(row)}"{star}' for row in self.spellings) + ")"

    @property
    def pattern(self) -> str:
        """A regular expression for texts in NFKC and small letters. It says nothing of what stands before it."""
        rows = "|".join(r"[\W_]+".join(map(_letters, row)) for row in self.spellings)
        end = r"[^\W_]*" if self.beginning else r"(?![^\W_])"
        return f"(?:{rows}){end}" if rows else _NOTHING


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds what a query looks for. A pattern of letters alone, in small letters, is what ``re`` goes through fast."""

    pattern: re.Pattern[str]
    inside: bool

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Beginning and end of each place, in order."""
        small = text.lower()
        if len(small) != len(text):  # there are letters whose small form is two
            small = text
        for match in self.pattern.finditer(small):
            start, end = match.span()
            if start < end and (self.inside or not start or not WORD.match(small[start - 1])):
                yield start, end


@dataclass(frozen=True, slots=True)
class Query:
    """All of the terms must occur in one document."""

    terms: tuple[Term, ...]

    @property
    def match(self) -> str | None:
        """For FTS5; None when something is looked for that is in no word, and so in no index of words."""
        return " AND ".join(term.match for term in self.terms) if all(t.spellings for t in self.terms) else None

    @property
    def inside(self) -> tuple[tuple[str, ...], ...]:
        """For each term the texts of which one must stand in a folded name, note, source or tag."""
        return tuple(term.inside for term in self.terms)

    def finder(self, *, inside: bool) -> Finder:
        """What finds the places in texts; ``inside``: also within words, as in names."""
        parts = [term.pattern for term in self.terms]
        if inside:
            parts += [_letters(text) for term in self.terms for text in term.inside]
        return Finder(re.compile("|".join(parts)), inside)


def parse(typed: Sequence[str]) -> Query:
    """A query from arguments as they were typed. In quotes, or in one argument, several words are a phrase.

    Raises BadInput.
    """
    if sum(map(len, typed)) > MAX_QUERY:
        raise BadInput(_("a search has at most {count} characters").format(count=f"{MAX_QUERY:,}"))
    terms = tuple(term for argument in typed for term in _terms(_shown(argument).translate(_QUOTES)))
    if not terms:
        raise BadInput(_("there is nothing to look for"), _("`sandyk list` lists all documents"))
    if len(terms) > MAX_TERMS:
        raise BadInput(_("a search has at most {count} words and phrases").format(count=MAX_TERMS))
    return Query(terms)


def _shown(argument: str) -> str:
    """Bytes of a command line that are no UTF-8 as they are in what is searched: as U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _terms(argument: str) -> Iterator[Term]:
    # A shell takes quotation marks away: blanks inside of one argument say that there were some.
    several = " " in argument.strip()
    pieces = _PIECES.findall(argument) if '"' in argument else [(argument, "") if several else ("", argument)]
    for phrase, word in pieces:
        text = unicodedata.normalize("NFKC", phrase or word).strip()
        row, plain = tuple(words(text)), WORD.findall(text)
        if len(row) == 1 and not phrase:
            found = spellings(plain[0]) if len(plain) == 1 else row
            yield Term(_inside(text), tuple((one,) for one in found), len(row[0]) >= LEAST_BEGINNING)
        elif row:
            other = tuple(other_script(one) for one in plain)
            yield Term(_inside(text), tuple(dict.fromkeys((row, other) if all(other) else (row,))), False)
        elif text:
            yield Term((fold(text),), (), False)


def _inside(text: str) -> tuple[str, ...]:
    """The text, folded, and each of its words in the other alphabet, with every apostrophe that people write."""
    found: dict[str, None] = {}
    for one in (fold(text), fold(WORD.sub(lambda m: other_script(m.group()), text)).strip()):
        if not one:
            continue  # a soft sign alone is nothing in Latin letters, and nothing is in every name
        found[one] = None
        if _ANY_APOSTROPHE.search(one):
            found |= dict.fromkeys(_ANY_APOSTROPHE.sub(sign, one) for sign in _WRITTEN_APOSTROPHES)
    return tuple(found)


def _letters(text: str) -> str:
    """A folded text as a pattern."""
    return "".join(
        "[её]" if letter == "е" else f"[{APOSTROPHES}]" if letter in APOSTROPHES else re.escape(letter)
        for letter in text
    )
