# SPDX-License-Identifier: Apache-2.0
"""Searching the cases of a vault: names, notes, sources and tags in the index, words of documents in their texts.

First the documents whose name or the like has what is looked for, also within words, in the order in which they were
filed; then those that have it inside. Nothing is ranked: a journalist looks for all of them, and a score of words would
cost more than finding them. A page of each is in memory at a time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from vault import kinds, text_files
from vault.cases import Case, open_store
from vault.errors import Busy, DiskFailed, NewerFormat, VaultError, Wiped
from vault.extracting.answer import FAILED, LARGE, WAITING
from vault.model import Item
from vault.query import Finder, Query
from vault.refusals import refusal
from vault.spelling import fold
from vault.store import CaseStore
from vault.texts import Document, Texts, TextsUnusable
from vault.vaults import Vault

NAME, NOTE, SOURCE, TAG, TEXT = "name", "note", "source", "tag", "text"
_AROUND = 60
"""Characters of the text before and after what was found."""
_MOST = 200
"""Characters of what was found: a document may hold one word of megabytes."""
_FIRST, _PAGE = 20, 500
"""Documents that are looked at together: few at first, because few are shown."""
_UNLIMITED = sys.maxsize - 1
"""What ``islice`` can count to, and one more."""
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a document must be besides. Tags are compared folded, and all must be there; times are those of filing, in
    nanoseconds since 1970, ``until_ns`` not included."""

    tags: tuple[str, ...] = ()
    kind: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None

    def take(self, item: Item, kind: str) -> bool:
        """Whether a document is among those that are looked for."""
        return (
            {fold(tag) for tag in self.tags} <= {fold(tag) for tag in item.tags}
            and self.kind in (None, kind)
            and (self.since_ns is None or item.filed_ns >= self.since_ns)
            and (self.until_ns is None or item.filed_ns < self.until_ns)
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a snippet, and whether it is what was looked for."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found: its kind, where in it, and what stands there."""

    case: str
    item: Item
    kind: str
    where: str
    snippet: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Documents of a case that a search could not look into. ``unread``: nobody read them yet; ``waiting``: they show
    pictures that only tesseract could read; ``failed``: they could not be read; ``damaged``: why the case's texts do
    not open, if they do not, with ``hints`` of what to do."""

    case: str
    unread: int
    waiting: int = 0
    failed: int = 0
    damaged: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """``more``: there are others, which ``limit`` left out. ``passed_over``: cases that could not be looked into."""

    hits: tuple[Hit, ...]
    more: bool
    backlog: tuple[Backlog, ...]
    passed_over: tuple[tuple[Case, VaultError], ...] = ()


def search(
    vault: Vault, cases: Sequence[Case], query: Query, *, filters: Filters = Filters(), limit: int,
    names_only: bool = False,
) -> Results:  # fmt: skip
    """The first documents that have everything that is looked for, case by case.

    One of several cases that cannot be used is passed over; of a single one its error is raised.
    """
    limit = min(limit, _UNLIMITED)
    hits: list[Hit] = []
    backlog: list[Backlog] = []
    passed_over: list[tuple[Case, VaultError]] = []
    for case in cases:
        try:
            with open_store(vault, case) as store:
                some, missing = _search_case(vault, case, store, query, filters, limit + 1 - len(hits), names_only)
        except Wiped:
            raise
        except (VaultError, OSError) as exc:
            if len(cases) == 1:
                raise
            passed_over.append((case, as_ours(exc)))
            continue
        hits += some
        if not names_only:
            backlog.append(missing)
    return Results(tuple(hits[:limit]), len(hits) > limit, tuple(backlog), tuple(passed_over))


def as_ours(error: VaultError | OSError) -> VaultError:
    """What went wrong with a case that is passed over."""
    return error if isinstance(error, VaultError) else DiskFailed(refusal(error))


def _search_case(
    vault: Vault, case: Case, store: CaseStore, query: Query, filters: Filters, limit: int, names_only: bool
) -> tuple[list[Hit], Backlog]:
    """In one case. Texts that turn out to be damaged, at whatever page, cost what is in them and not the names."""
    damaged = ""
    hints: tuple[str, ...] = ()
    try:
        texts = None if names_only else text_files.texts_of(store, vault.device_secret)
        if texts is not None:
            with texts:
                missing = _backlog(case, store, texts)
                return list(islice(_Search(case, store, texts, query, filters).hits(), limit)), missing
    except (TextsUnusable, NewerFormat, Busy, DiskFailed) as exc:
        damaged, hints = str(exc), exc.hints
    missing = Backlog(case.name, store.index.count(), damaged=damaged, hints=hints)
    return list(islice(_Search(case, store, None, query, filters).hits(), limit)), missing


def _backlog(case: Case, store: CaseStore, texts: Texts) -> Backlog:
    states = texts.states()
    failed = states.get(FAILED, 0) + states.get(LARGE, 0)
    unread = max(0, store.index.count() - sum(states.values()))
    return Backlog(case.name, unread, states.get(WAITING, 0), failed)


class _Search:
    def __init__(self, case: Case, store: CaseStore, texts: Texts | None, query: Query, filters: Filters) -> None:
        self._case, self._store, self._texts = case, store, texts
        self._query, self._filters = query, filters
        self._in_names = query.finder(inside=True)
        self._in_texts = query.finder(inside=False)

    def hits(self) -> Iterator[Hit]:
        """Each document once."""
        seen: set[bytes] = set()
        by_name = self._store.index.items(containing=self._query.inside)
        for item, document in self._wanted(by_name):
            seen.add(item.id)
            yield self._hit(item, document, in_text=False)
        match = self._query.match
        if self._texts is None or match is None:
            return
        inside = (self._store.item(item) for item in self._texts.matching(match) if item not in seen)
        for item, document in self._wanted(item for item in inside if item is not None):
            yield self._hit(item, document, in_text=True)

    def _wanted(self, items: Iterable[Item]) -> Iterator[tuple[Item, Document | None]]:
        """Those that the filters take, with what is known of their texts."""
        items = iter(items)
        size = _FIRST
        while page := list(islice(items, size)):
            size = min(2 * size, _PAGE)
            known = self._texts.documents([item.id for item in page]) if self._texts else {}
            for item in page:
                document = known.get(item.id)
                if self._filters.take(item, _kind(item, document)):
                    yield item, document

    def _hit(self, item: Item, document: Document | None, *, in_text: bool) -> Hit:
        where, snippet = next(self._places(item, in_text=in_text), (TEXT if in_text else NAME, ()))
        return Hit(self._case.name, item, _kind(item, document), where, snippet)

    def _places(self, item: Item, *, in_text: bool) -> Iterator[tuple[str, tuple[Part, ...]]]:
        name = item.name.decode("utf-8", "replace")
        text = self._texts.text(item.id) if in_text and self._texts is not None else None
        if text is not None and (snippet := snippet_of(text.body, self._in_texts)):
            yield TEXT, snippet
        tags = ((TAG, tag) for tag in item.tags)
        for where, words in ((NAME, name), (NOTE, item.note), (SOURCE, item.source), *tags):
            if snippet := snippet_of(words, self._in_names):
                yield where, snippet


def _kind(item: Item, document: Document | None) -> str:
    return document.kind if document is not None else kinds.kind_of(item.name)


def snippet_of(text: str, finder: Finder) -> tuple[Part, ...]:
    """What stands around the first place, in one line, with all places there marked; nothing without one."""
    first = next(finder.places(text), None)
    if first is None:
        return ()
    begin, stop = first[0], min(first[1], first[0] + _MOST)
    start, end = max(0, begin - _AROUND), min(len(text), stop + _AROUND)
    while 0 < start < begin and not text[start - 1].isspace():
        start += 1
    while stop < end < len(text) and not text[end].isspace():
        end -= 1
    parts, at = [], start
    for begins, ends in finder.places(text[:end]):
        if begins >= at:
            parts += [Part(text[at:begins], False), Part(text[begins:ends], True)]
            at = ends
    parts.append(Part(text[at:end], False))
    edges = ("… " if start else "", " …" if end < len(text) else "")
    told = [Part(edges[0], False), *parts, Part(edges[1], False)]
    return tuple(Part(_BLANKS.sub(" ", part.text), part.match) for part in told if part.text)
