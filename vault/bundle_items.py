# SPDX-License-Identifier: Apache-2.0
"""The items of a bundle, and their two texts: ``metadata/items.json`` and ``metadata/custody.jsonl``.

Each text has one spelling: what was parsed is written again and compared, so that two
readers cannot see two different things in one signed file (JSON allows a key twice).
Read line by line, each judged before the next, because anybody can send a drop: the same bytes as one value would
take twenty times their size in memory. No I/O. Limits are the same for writing (BadInput) and for reading
(DamagedBundle).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _

import msgspec

from vault import bundle_layout as layout
from vault.errors import BadInput, DamagedBundle, VaultError
from vault.language import later
from vault.names import bag_name, is_bag_name, json_safe

HASH_SIZE = 32
MAX_NAME_BYTES = 4096
MAX_TEXT_CHARS = 65_536
MAX_TAGS = 100
MAX_TAG_CHARS = 200
MAX_TITLE_CHARS = 1000
MAX_EVENT_DEPTH = 4
MAX_EVENT_VALUES = 200
"""Names and values in an event together, in lists and objects too."""
MAX_EVENT_CHARS = 80_000
"""Of all strings in an event together, keys among them."""
MAX_EVENTS = 500_000
MAX_LINE = 2 << 20
"""Bytes. The limits above allow 1.9 MB for an item and 1 MB for an event, at 12 bytes for an escaped character."""
MAX_SIZE = (1 << 63) - 1
TEXT_FORMAT = "sandyk bundle 1"

_KEPT_EVENTS = 64
"""Different events that are remembered as judged: documents filed or sealed together share theirs."""
_ITEM_KEY = b'{"item":'
_ITEM_HEAD = re.compile(rb'\{"item":[1-9][0-9]{0,6}')
_EVENT_KEY = b',"event":'
_ANY_ITEM = _ITEM_KEY + b"1" + _EVENT_KEY
_OUT_OF_ORDER = later("the custody record is out of order, or speaks of an item that is not there")
_PATH = re.compile(r"data/([0-9]{4,6})/([^/]+)")

Event = Mapping[str, object]
"""A custody event: a JSON object of strings, whole numbers, booleans, nulls, and lists and objects of those."""


@dataclass(frozen=True, slots=True)
class BundleItem:
    """A document that is to go into a bundle."""

    name: bytes
    """Its true path as it was filed, 1 to 4096 bytes, any bytes."""
    size: int
    sha256: bytes
    """32 bytes."""
    mtime_ns: int | None
    """Nanoseconds since 1970, may be negative."""
    filed_ns: int | None
    note: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    custody: Collection[Event] = ()


@dataclass(frozen=True, slots=True)
class SealedItem(BundleItem):
    """A document in a bundle. ``path`` is where it lies: ``data/0001/<name>``."""

    path: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What ``items.json`` and ``custody.jsonl`` say together."""

    bundle_id: bytes
    title: str
    sealed_ns: int
    items: tuple[SealedItem, ...]


class _ItemText(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    size: int
    sha256: str
    modified_ns: int | None
    filed_ns: int | None
    note: str
    source: str
    tags: list[str]
    name: str | None = None
    name_base64: str | None = None


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    bundle: str
    title: str
    sealed_ns: int


class _EventText(msgspec.Struct, forbid_unknown_fields=True):
    item: int
    event: dict[str, object]


class _Events:
    """Events that were judged, by their text. The last few are kept, for documents share those of their filing."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Event] = {}

    def event(self, text: bytes) -> Event:
        """What the end of a line says, from the value of ``event`` on."""
        event = self._kept.get(text)
        if event is None:
            event = msgspec.json.decode(_ANY_ITEM + text, type=_EventText).event
            if len(self._kept) == _KEPT_EVENTS:
                del self._kept[next(iter(self._kept))]
            self._kept[text] = event
        return event


class Custody(Collection[Event]):
    """The events of an item that was read: judged, and kept as their texts until somebody looks at them."""

    __slots__ = ("_events", "_texts")

    def __init__(self, texts: Iterable[bytes], events: _Events) -> None:
        self._texts, self._events = tuple(texts), events

    def __iter__(self) -> Iterator[Event]:
        return map(self._events.event, self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, event: object) -> bool:
        return event in list(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a tuple of events has none


def place_items(items: Sequence[BundleItem]) -> tuple[SealedItem, ...]:
    """The items with their paths: numbered from 1 with leading zeros, so that paths sort in the items' order."""
    digits = max(4, len(str(len(items))))
    return tuple(
        SealedItem(
            *(item.name, item.size, item.sha256, item.mtime_ns, item.filed_ns),
            *(item.note, item.source, item.tags, item.custody),
            path=f"data/{number:0{digits}}/{bag_name(item.name.rpartition(b'/')[2])}",
        )
        for number, item in enumerate(items, 1)
    )


def check_contents(contents: Contents) -> None:
    """Raise BadInput unless everything keeps the limits above."""
    _expect_title(contents.title, BadInput)
    if not 1 <= len(contents.items) <= layout.MAX_ITEMS:
        raise BadInput(_("a bundle holds 1 to {max_items} items").format(max_items=layout.MAX_ITEMS))
    digits = max(4, len(str(len(contents.items))))
    checked: dict[int, Event] = {}  # thousands of documents share the event of their filing
    for number, item in enumerate(contents.items, 1):
        problem = _problem_of(item) or _problem_of_path(item.path, f"{number:0{digits}}")
        if problem or not all(id(event) in checked or _is_event(event) for event in item.custody):
            problem = problem or _("its custody record holds something that cannot be written")
            raise BadInput(_("item {number}: {problem}").format(number=number, problem=problem))
        if isinstance(item.custody, tuple):
            checked |= {id(event): event for event in item.custody}
    if sum(len(item.custody) for item in contents.items) > MAX_EVENTS:
        raise BadInput(_("a bundle holds at most {max_events} custody events").format(max_events=MAX_EVENTS))


def render_items(contents: Contents) -> bytes:
    """``items.json``: a line of its own for each item, in the order of their numbers."""
    head = _head_line(contents.bundle_id, contents.title, contents.sealed_ns)
    lines = ",\n".join(_json(_item_text(item)) for item in contents.items)
    return json_safe(f"{head}\n{lines}\n]}}\n").encode("utf-8")


def render_custody(items: Iterable[BundleItem]) -> bytes:
    """``custody.jsonl``: a line for each event, by item and then in the order given."""
    lines: list[str] = []
    known: dict[int, tuple[Event, str]] = {}  # with the event itself, so that its id stays its own
    for number, item in enumerate(items, 1):
        for event in item.custody:
            if id(event) not in known:
                known[id(event)] = event, _json(dict(event))
            lines.append(f'{{"item":{number},"event":{known[id(event)][1]}}}\n')
    return json_safe("".join(lines)).encode("utf-8")


def parse_contents(untrusted_items: bytes, untrusted_custody: bytes) -> Contents:
    """Both texts, checked against every limit and spelling. Raises DamagedBundle."""
    try:
        custody = _parse_custody(untrusted_custody)
        contents = _parse_items(untrusted_items, custody)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise DamagedBundle(_("the list of items or the custody record is damaged")) from exc
    if custody and max(custody) > len(contents.items):
        raise DamagedBundle(_(_OUT_OF_ORDER))
    return contents


def _parse_items(untrusted: bytes, custody: Mapping[int, Sequence[bytes]]) -> Contents:
    """All of it, with the texts of events by the numbers of their items."""
    events = _Events()
    lines = _lines(untrusted)
    head_line = next(lines, b"")
    head = msgspec.json.decode(head_line.removesuffix(b',"items":[') + b"}", type=_Head)
    bundle_id = layout.parse_urn(head.bundle)
    _expect_title(head.title, DamagedBundle)
    layout.date_of(head.sealed_ns)
    _expect_spelling(head_line, _head_line(bundle_id, head.title, head.sealed_ns))
    items: list[SealedItem] = []
    ended = False
    for line in lines:
        if ended or len(items) == layout.MAX_ITEMS:
            raise DamagedBundle(_("a bundle holds 1 to {max_items} items").format(max_items=layout.MAX_ITEMS))
        more = line.endswith(b",")
        told = custody.get(len(items) + 1)
        text = msgspec.json.decode(line[:-1] if more else line, type=_ItemText)
        item = _item(text, Custody(told, events) if told else ())
        problem = _problem_of(item)
        if problem:
            raise DamagedBundle(_("item {number}: {problem}").format(number=len(items) + 1, problem=problem))
        _expect_spelling(line, _json(_item_text(item)) + ("," if more else ""))
        items.append(item)
        if not more:
            _expect_spelling(next(lines, b""), "]}")
            ended = True
    if not ended:
        raise DamagedBundle(_("the list of items is cut off"))
    digits = max(4, len(str(len(items))))
    for number, item in enumerate(items, 1):
        problem = _problem_of_path(item.path, f"{number:0{digits}}")
        if problem:
            raise DamagedBundle(_("item {number}: {problem}").format(number=number, problem=problem))
    return Contents(bundle_id, head.title, head.sealed_ns, tuple(items))


def _parse_custody(untrusted: bytes) -> dict[int, list[bytes]]:
    """For each item that has any, the texts of its events: what follows the item's number in their lines."""
    events: dict[int, list[bytes]] = {}
    judged: dict[bytes, bytes] = {}
    last, count = 1, 0
    for line in _lines(untrusted):
        head, __, untrusted_text = line.partition(_EVENT_KEY)
        text = judged.get(untrusted_text)
        if text is None or not _ITEM_HEAD.fullmatch(head):
            number, text = _judge_event(line), untrusted_text
            if len(judged) < _KEPT_EVENTS:
                judged[text] = text
        else:
            number = int(head[len(_ITEM_KEY) :])
        if number < last:
            raise DamagedBundle(_(_OUT_OF_ORDER))
        if count == MAX_EVENTS:
            raise DamagedBundle(_("the custody record holds an event that may not be, or too many"))
        events.setdefault(number, []).append(text)
        last, count = number, count + 1
    return events


def _judge_event(line: bytes) -> int:
    """The number of the item that a line speaks of, if all of the line is as it must be. Raises DamagedBundle."""
    text = msgspec.json.decode(line, type=_EventText)
    if not _is_event(text.event):
        raise DamagedBundle(_("the custody record holds an event that may not be, or too many"))
    _expect_spelling(line, _event_line(text.item, text.event))
    return text.item


def _lines(untrusted: bytes) -> Iterator[bytes]:
    """The lines without their ends, one after the other. Raises DamagedBundle."""
    start = 0
    while start < len(untrusted):
        end = untrusted.find(b"\n", start, start + MAX_LINE + 1)
        if end < 0:
            raise DamagedBundle(_("a line of the list of items or of the custody record is too long, or has no end"))
        yield untrusted[start:end]
        start = end + 1


def _expect_spelling(untrusted_line: bytes, line: str) -> None:
    if json_safe(line).encode("utf-8") != untrusted_line:
        raise DamagedBundle(_("the list of items or the custody record is not spelled as this format wants it"))


def _expect_title(title: str, error: type[VaultError]) -> None:
    if len(title) > MAX_TITLE_CHARS or not _is_text(title):
        raise error(
            _("the title is longer than {max_title_chars} characters, or no Unicode text").format(
                max_title_chars=MAX_TITLE_CHARS
            )
        )


def _head_line(bundle_id: bytes, title: str, sealed_ns: int) -> str:
    head = {"format": TEXT_FORMAT, "bundle": layout.urn_of(bundle_id), "title": title, "sealed_ns": sealed_ns}
    return f'{_json(head)[:-1]},"items":['


def _event_line(number: int, event: Event) -> str:
    return _json({"item": number, "event": dict(event)})


def _item_text(item: SealedItem) -> dict[str, object]:
    return {
        "path": item.path,
        **_name_text(item.name),
        "size": item.size,
        "sha256": item.sha256.hex(),
        "modified_ns": item.mtime_ns,
        "filed_ns": item.filed_ns,
        "note": item.note,
        "source": item.source,
        "tags": list(item.tags),
    }


def _item(text: _ItemText, custody: Collection[Event]) -> SealedItem:
    if text.name is not None:
        name = text.name.encode("utf-8")
    else:
        name = base64.b64decode(text.name_base64 or "", validate=True)
    sha256 = bytes.fromhex(text.sha256)
    return SealedItem(
        *(name, text.size, sha256, text.modified_ns, text.filed_ns),
        *(text.note, text.source, tuple(text.tags), custody),
        path=text.path,
    )


def _name_text(name: bytes) -> dict[str, str]:
    """The name as text if it is text; else as base64, because JSON has no bytes."""
    try:
        return {"name": name.decode("utf-8")}
    except UnicodeDecodeError:
        return {"name_base64": base64.b64encode(name).decode("ascii")}


def _json(value: object) -> str:
    """As ``json.dumps`` without spaces and with letters of every script as they are, in a third of the time."""
    return msgspec.json.encode(value).decode("utf-8")


def _problem_of(item: BundleItem) -> str:
    if not 1 <= len(item.name) <= MAX_NAME_BYTES:
        return _("its name has not 1 to {max_name_bytes} bytes").format(max_name_bytes=MAX_NAME_BYTES)
    if not 0 <= item.size <= MAX_SIZE or len(item.sha256) != HASH_SIZE:
        return _("its size or digest is impossible")
    if not all(ns is None or -MAX_SIZE <= ns <= MAX_SIZE for ns in (item.mtime_ns, item.filed_ns)):
        return _("a time is impossible")
    if max(len(item.note), len(item.source)) > MAX_TEXT_CHARS:
        return _("its note or source is longer than {max_text_chars} characters").format(max_text_chars=MAX_TEXT_CHARS)
    if len(item.tags) > MAX_TAGS or not all(1 <= len(tag) <= MAX_TAG_CHARS for tag in item.tags):
        return _(
            "it has more than {max_tags} tags, or one without or with more than {max_tag_chars} characters"
        ).format(max_tags=MAX_TAGS, max_tag_chars=MAX_TAG_CHARS)
    if not all(_is_text(text) for text in (item.note, item.source, *item.tags)):
        return _("its note, source or tags are no Unicode text")
    return ""


def _problem_of_path(path: str, number: str) -> str:
    match = _PATH.fullmatch(path)
    if match is None or match.group(1) != number or not is_bag_name(match.group(2)):
        return _("its path in the bundle is not its number and a safe name")
    return ""


def _is_event(event: object) -> bool:
    """Plain JSON of limited size and depth. Fractions are refused: they have many spellings."""
    waiting, values, chars = [(event, MAX_EVENT_DEPTH)], 0, 0
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, Mapping):
            inside, fits = [*value.keys(), *value.values()], all(isinstance(key, str) for key in value)
        elif isinstance(value, (list, tuple)):
            inside, fits = [*value], True
        else:
            inside, fits = [], _is_plain(value)
        values += len(inside)
        chars += len(value) if isinstance(value, str) else 0
        too_deep = not depth and isinstance(value, (Mapping, list, tuple))
        if not fits or too_deep or values > MAX_EVENT_VALUES or chars > MAX_EVENT_CHARS:
            return False
        waiting += [(one, depth - 1) for one in inside]
    return True


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    return value is None or (isinstance(value, int) and -MAX_SIZE <= value <= MAX_SIZE)


def _is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
