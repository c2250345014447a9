# SPDX-License-Identifier: Apache-2.0
"""Reading the documents of a case that nobody read yet, and remembering what is in them.

Decides which, in which order, and when what was read is made durable: some dozens at a time, so that whoever is killed
goes on where they were. Filing is not slowed by it, because it is a step of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue

from vault import text_files
from vault.cases import Case
from vault.errors import DiskFailed, VaultError, Wiped
from vault.extracting.answer import FAILED, LARGE, READ, STATES, WAITING
from vault.extracting.reader import Reader, Reading
from vault.model import Item, ItemId
from vault.refusals import refusal
from vault.sources import Problem
from vault.store import CaseStore
from vault.texts import Document, Text, Texts, TextsUnusable
from vault.vaults import Vault

WORKERS = 2
"""Each waits for a child most of the time."""
_AHEAD = 16
"""Documents under way at a time."""
BATCH = 64
BATCH_CHARACTERS = 1 << 20
"""Documents and characters that are made durable together."""
BATCH_PICTURES = 8
"""Pictures that were read: what took so long is not lost for much."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a run did. ``states``: how many documents came out in each state; ``problems``: which were not read;
    ``partly``: of which something was not.

    One whose bytes could not be had from the vault is a problem in no state: it is tried again next time.
    """

    case: str
    states: dict[str, int]
    problems: tuple[Problem, ...]
    partly: tuple[Problem, ...]


def index_case(
    vault: Vault, case: Case, store: CaseStore, new_reader: Callable[[], Reader], *, again: bool = False,
    progress: Callable[[int, int], None] = lambda documents, size: None,
) -> Indexed:  # fmt: skip
    """Read what was not read yet, what waits for something that is here now, and with ``again`` what failed.

    Texts that are damaged are thrown away first. Raises LibraryMissing, Busy, DiskFailed, Wiped.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(new_reader()) for _n in range(WORKERS)]
        texts = stack.enter_context(_usable_texts(vault, store))
        text_files.forget_removed(texts, store)
        todo = list(_todo(texts, store, readers[0], again=again))
        states = dict.fromkeys(STATES, 0)
        problems: list[Problem] = []
        partly: list[Problem] = []
        batch: list[Text] = []
        pictures = 0
        for item, reading in _read_all(store, readers, todo):
            if isinstance(reading, VaultError):
                problems.append(Problem(item.name, str(reading)))
                continue
            batch.append(_text(item, reading, readers[0].name))
            states[reading.state] += 1
            if reading.state in (FAILED, LARGE):
                problems.append(Problem(item.name, reading.detail))
            elif reading.state == READ and reading.detail:
                partly.append(Problem(item.name, reading.detail))
            pictures += reading.pictures
            size = sum(len(text.body) for text in batch)
            if len(batch) >= BATCH or size >= BATCH_CHARACTERS or pictures >= BATCH_PICTURES:
                _remember(store, texts, batch)
                pictures = 0
            progress(1, item.size)
        _remember(store, texts, batch)
    return Indexed(case.name, states, tuple(problems), tuple(partly))


def _usable_texts(vault: Vault, store: CaseStore) -> Texts:
    """The texts, every page of them read: one that is damaged would else fail searches that this is told to mend."""
    for files in (False, True):  # a link in the place of SQLite's log is no reason to read everything again
        try:
            return _checked(vault, store)
        except TextsUnusable:
            text_files.remove_texts(store, files=files)
    return _checked(vault, store)


def _checked(vault: Vault, store: CaseStore) -> Texts:
    texts = text_files.texts_of(store, vault.device_secret, create=True)
    assert texts is not None
    try:
        texts.check()
    except BaseException:
        texts.close()
        raise
    return texts


def _todo(texts: Texts, store: CaseStore, reader: Reader, *, again: bool) -> Iterator[ItemId]:
    known = texts.items()
    yield from (item for item in store.index.item_ids() if item not in known)
    yield from [d.item for d in texts.in_state(WAITING) if reader.reads_pictures_of(d.kind)]
    tried_again = (FAILED, LARGE) if again else ()
    for d in texts.in_part():
        if d.state in tried_again or (d.state != WAITING and reader.may_read_more(d.kind, d.detail, d.reader)):
            yield d.item


def _read_all(
    store: CaseStore, readers: Sequence[Reader], todo: Iterable[ItemId]
) -> Iterator[tuple[Item, Reading | VaultError]]:
    """What came of each document, in order, with few under way: a reader belongs to one thread at a time."""
    idle: SimpleQueue[Reader] = SimpleQueue()
    for reader in readers:
        idle.put(reader)

    def read(item: Item) -> Reading | VaultError:
        mine = idle.get()
        try:
            return mine.read(item.name, item.size, lambda: store.read(item))
        except Wiped:
            raise  # it is not this document
        except (VaultError, OSError) as exc:
            store.check_alive()
            return exc if isinstance(exc, VaultError) else DiskFailed(refusal(exc))
        finally:
            idle.put(mine)

    waiting: deque[tuple[Item, Future[Reading | VaultError]]] = deque()
    with ThreadPoolExecutor(len(readers)) as pool:
        try:
            for item_id in todo:
                if (item := store.item(item_id)) is not None:
                    waiting.append((item, pool.submit(read, item)))
                if len(waiting) > _AHEAD:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        except BaseException:  # also when somebody pressed Ctrl-C: nobody waits for what is under way
            for _item, future in waiting:
                future.cancel()
            for reader in readers:
                reader.close()
            raise


def _text(item: Item, reading: Reading, reader: str) -> Text:
    about = "\n".join((item.name.decode("utf-8", "replace"), item.note, item.source, *item.tags))
    document = Document(ItemId(item.id), reading.state, reading.kind, reading.detail, reader)
    return Text(document, about, reading.text)


def _remember(store: CaseStore, texts: Texts, batch: list[Text]) -> None:
    if batch:
        store.check_alive()
        texts.remember(batch)
        ids = [text.document.item for text in batch]
        # Whoever removed one of them while it was read found no text of it to forget.
        if gone := set(ids) - store.index.ids_among(ids):
            texts.forget(gone)
        batch.clear()
