# SPDX-License-Identifier: Apache-2.0
"""The items of a bundle, and their two texts: ``metadata/items.json`` and ``metadata/custody.jsonl``.

Each text has one spelling: what was parsed is written again and compared, so that two
readers cannot see two different things in one signed file (JSON allows a key twice).
No I/O. Limits are the same for writing (BadInput) and for reading (DamagedBundle).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from vault import bundle_layout as layout
from vault.errors import BadInput, DamagedBundle, VaultError
from vault.names import bag_name, is_bag_name, json_safe

HASH_SIZE = 32
MAX_NAME_BYTES = 4096
MAX_TEXT_CHARS = 65_536
MAX_TAGS = 100
MAX_TAG_CHARS = 200
MAX_TITLE_CHARS = 1000
MAX_EVENT_DEPTH = 4
MAX_SIZE = (1 << 63) - 1
TEXT_FORMAT = "sandyk bundle 1"

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
    custody: tuple[Event, ...] = ()


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


class _ItemsText(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    bundle: str
    title: str
    sealed_ns: int
    items: list[_ItemText]


class _EventText(msgspec.Struct, forbid_unknown_fields=True):
    item: int
    event: dict[str, object]


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


def check_contents(contents: Contents, error: type[VaultError] = BadInput) -> None:
    """Raise ``error`` unless everything keeps the limits above."""
    if not 1 <= len(contents.items) <= layout.MAX_ITEMS:
        raise error(f"a bundle holds 1 to {layout.MAX_ITEMS} items")
    if len(contents.title) > MAX_TITLE_CHARS or not _is_text(contents.title):
        raise error(f"the title is longer than {MAX_TITLE_CHARS} characters, or no Unicode text")
    digits = max(4, len(str(len(contents.items))))
    for number, item in enumerate(contents.items, 1):
        problem = _problem_of(item) or _problem_of_path(item.path, f"{number:0{digits}}")
        if problem:
            raise error(f"item {number}: {problem}")


def render_items(contents: Contents) -> bytes:
    """``items.json``: a line of its own for each item, in the order of their numbers."""
    head = {
        "format": TEXT_FORMAT,
        "bundle": layout.urn_of(contents.bundle_id),
        "title": contents.title,
        "sealed_ns": contents.sealed_ns,
    }
    lines = ",\n".join(_json(_item_text(item)) for item in contents.items)
    return json_safe(f'{_json(head)[:-1]},"items":[\n{lines}\n]}}\n').encode("utf-8")


def render_custody(items: Iterable[BundleItem]) -> bytes:
    """``custody.jsonl``: a line for each event, by item and then in the order given."""
    lines = (
        _json({"item": number, "event": dict(event)}) for number, item in enumerate(items, 1) for event in item.custody
    )
    return json_safe("".join(f"{line}\n" for line in lines)).encode("utf-8")


def parse_contents(untrusted_items: bytes, untrusted_custody: bytes) -> Contents:
    """Both texts, checked against every limit and spelling. Raises DamagedBundle."""
    try:
        text = msgspec.json.decode(untrusted_items, type=_ItemsText)
        custody = _parse_custody(untrusted_custody, len(text.items))
        contents = Contents(
            layout.parse_urn(text.bundle),
            text.title,
            text.sealed_ns,
            tuple(_item(item, custody.get(number, ())) for number, item in enumerate(text.items, 1)),
        )
        layout.date_of(contents.sealed_ns)
        check_contents(contents, DamagedBundle)
        respelled = (render_items(contents), render_custody(contents.items))
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise DamagedBundle("the list of items or the custody record is damaged") from exc
    if respelled != (untrusted_items, untrusted_custody):
        raise DamagedBundle("the list of items or the custody record is not spelled as this format wants it")
    return contents


def _parse_custody(untrusted: bytes, items: int) -> dict[int, tuple[Event, ...]]:
    events: dict[int, list[Event]] = {}
    for line in untrusted.split(b"\n")[:-1]:
        text = msgspec.json.decode(line, type=_EventText)
        if not 1 <= text.item <= items:
            raise DamagedBundle("the custody record speaks of an item that is not there")
        events.setdefault(text.item, []).append(text.event)
    return {number: tuple(of_item) for number, of_item in events.items()}


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


def _item(text: _ItemText, custody: tuple[Event, ...]) -> SealedItem:
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
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _problem_of(item: BundleItem) -> str:
    if not 1 <= len(item.name) <= MAX_NAME_BYTES:
        return f"its name has not 1 to {MAX_NAME_BYTES} bytes"
    if not 0 <= item.size <= MAX_SIZE or len(item.sha256) != HASH_SIZE:
        return "its size or digest is impossible"
    if not all(ns is None or -MAX_SIZE <= ns <= MAX_SIZE for ns in (item.mtime_ns, item.filed_ns)):
        return "a time is impossible"
    if max(len(item.note), len(item.source)) > MAX_TEXT_CHARS:
        return f"its note or source is longer than {MAX_TEXT_CHARS} characters"
    if len(item.tags) > MAX_TAGS or not all(1 <= len(tag) <= MAX_TAG_CHARS for tag in item.tags):
        return f"it has more than {MAX_TAGS} tags, or one without or with more than {MAX_TAG_CHARS} characters"
    if not all(_is_text(text) for text in (item.note, item.source, *item.tags)):
        return "its note, source or tags are no Unicode text"
    if not all(_is_event(event, MAX_EVENT_DEPTH) for event in item.custody):
        return "its custody record holds something that cannot be written"
    return ""


def _problem_of_path(path: str, number: str) -> str:
    match = _PATH.fullmatch(path)
    if match is None or match.group(1) != number or not is_bag_name(match.group(2)):
        return "its path in the bundle is not its number and a safe name"
    return ""


def _is_event(value: object, depth: int) -> bool:
    """Plain JSON of limited depth. Fractions are refused: they have many spellings."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return len(value) <= MAX_TEXT_CHARS and _is_text(value)
    if isinstance(value, int):
        return -MAX_SIZE <= value <= MAX_SIZE
    if depth and isinstance(value, (list, tuple)):
        return all(_is_event(element, depth - 1) for element in value)
    if depth and isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_text(k) and _is_event(v, depth - 1) for k, v in value.items())
    return False


def _is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
