# SPDX-License-Identifier: Apache-2.0
"""Looking at one document without leaving it anywhere: read, shown or handed to a program, and gone.

Owns the order (docs/decisions/0053-view.md): the folder that shows `lock` and ``panic`` that a view lives; the document
out of the vault, checked; the vault asked once more whether it was wiped meanwhile; the vault closed. What reads a
picture runs in a confined child. Nothing is noted in the custody record, unless the document was written to a disk.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from gettext import gettext as _
from types import FrameType

from vault import kinds, view_places, view_sweep
from vault.agent import asking, runtime
from vault.confined.protocol import Job, Limits
from vault.confined.worker import run
from vault.decoding import Text, decode
from vault.errors import BadInput, ConfinedFailed, DiskFailed, LibraryMissing, NotAllowed
from vault.medium import Medium
from vault.model import EVENT_COPIED_OUT, Event, Item, ItemId
from vault.refusals import refusal
from vault.store import CaseStore
from vault.verifying import read_whole
from vault.view_places import ViewFolder

MAX_SHOWN = 64 << 20
"""Bytes of a document that is shown in a terminal: it is held in memory, as text a few times over."""
_PICTURE = Job("vault.cleaning.pixels", "pixels")
_SIZE = struct.Struct("!HH")
_MAX_SIDE = 2000
"""Pixels: more than any terminal has."""
_PLAIN_ENDING = re.compile("[a-z0-9]{1,8}")
_LIMITS = Limits(seconds=60, cpu_seconds=30, output=_SIZE.size + 3 * _MAX_SIDE * _MAX_SIDE)


@dataclass(frozen=True, slots=True)
class Picture:
    """Red, green and blue for each of ``width * height`` pixels, row by row."""

    width: int
    height: int
    pixels: bytes


@contextmanager
def one_view(mark: str | None, *, size: int, on_disk: bool) -> Iterator[ViewFolder]:
    """A view's folder, which is gone afterwards with all that is in it, also after SIGTERM and SIGHUP.

    Raises NotAllowed, DiskFailed: also when something could not be removed.
    """
    if mark is None:
        raise DiskFailed(_("the keyring could not be looked at"))
    with _ended_by_signals():
        view = view_places.make(mark, size=size, on_disk=on_disk)
        try:
            yield view
        finally:
            with _undisturbed():
                problem = view_sweep.clear(view)
            if problem:  # worse than whatever ended the view
                raise DiskFailed(
                    _("what was viewed could not be removed: {reason}").format(reason=problem),
                    _("it lies in {folder}").format(folder=view.path),
                )


def read(store: CaseStore, item: Item) -> bytes:
    """A document for a terminal. Raises NotAllowed when it is too large, DamagedPack, DiskFailed, Wiped."""
    if item.size > MAX_SHOWN:
        raise NotAllowed(
            _("this document is larger than {size} MiB, too large for a terminal").format(size=MAX_SHOWN >> 20)
        )
    pieces: list[bytes] = []
    read_whole(store, item, pieces.append)
    store.check_alive()
    return b"".join(pieces)


def write(store: CaseStore, item: Item, view: ViewFolder) -> str:
    """The document as a file in the view's folder, for its user alone and not to be changed; its path.

    On a disk it is a copy in clear like any other, and noted in the custody record. Raises DiskFailed, DamagedPack,
    Wiped when somebody wiped the vault meanwhile.
    """
    if not view.in_memory:
        store.record(Event(store.now(), EVENT_COPIED_OUT, (ItemId(item.id),), ""))
    path = os.path.join(view.path, plain_name(item.name))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400)
        with os.fdopen(fd, "wb") as f:
            read_whole(store, item, f.write)
    except OSError as exc:
        reason = refusal(exc)
        raise DiskFailed(_("the document could not be laid ready: {reason}").format(reason=reason)) from exc
    # Whoever wipes the vault from here on finds this folder; who did so before is found out now.
    store.check_alive()
    return path


def plain_name(original: bytes) -> str:
    """``document`` and the original's ending, because programs go by it, if it is a short and plain one."""
    ending = kinds.ending(original)
    return f"document.{ending}" if _PLAIN_ENDING.fullmatch(ending) else "document"


def for_terminal(untrusted: bytes, columns: int, rows: int, encoding: str | None = None) -> Text | Picture:
    """What a terminal of this size can show of a document. Raises NotAllowed, BadInput, LibraryMissing,
    ConfinedFailed.
    """
    kind = kinds.kind_of(b"", untrusted[: kinds.HEAD])  # by what it is, not by its name
    if kind == kinds.IMAGE and encoding is None:
        return _picture(untrusted, columns, rows)
    if kind == kinds.PDF and encoding is None:
        raise NotAllowed(_("this is a PDF, which a terminal cannot show"))
    text = decode(untrusted, encoding)
    if text is None:
        raise NotAllowed(_("this is no text and no picture that a terminal could show"))
    return text


def _picture(untrusted: bytes, columns: int, rows: int) -> Picture:
    """Two pixels, one above the other, for each character."""
    if importlib.util.find_spec("PIL") is None:
        raise LibraryMissing(
            _("pictures need Pillow, which is not installed"), _("install it with: pip install 'sandyk[clean]'")
        )
    width, height = min(columns, _MAX_SIDE), min(2 * rows, _MAX_SIDE)
    answer = run(_PICTURE, (untrusted,), _SIZE.pack(width, height), limits=_LIMITS)
    if len(answer) < _SIZE.size:
        raise ConfinedFailed(_("the process that read it crashed or answered nonsense"))
    found_width, found_height = _SIZE.unpack_from(answer)
    pixels = answer[_SIZE.size :]
    if not (0 < found_width <= width and 0 < found_height <= height) or len(pixels) != 3 * found_width * found_height:
        raise ConfinedFailed(_("the process that read it crashed or answered nonsense"))
    return Picture(found_width, found_height, pixels)


def to_hide(folder: str) -> tuple[str, ...]:
    """What a program that shows a document has no business with: the vault, and wherever an agent may listen."""
    with suppress(OSError, NotAllowed):
        runtime.place_of(folder)  # made now, so that it is hidden also from who unlocks meanwhile
    bases = []
    with suppress(OSError, NotAllowed):
        bases += [place.base for place in runtime.places(folder)]
    return (os.path.realpath(folder), *dict.fromkeys(bases))


def agent_answers(folder: str) -> bool:
    """Whether an agent holds the keys of the vault, or nobody can tell."""
    try:
        return asking.place_of_agent(folder) is not None
    except (OSError, NotAllowed):
        return True


def swap_note(medium: Medium) -> str | None:
    """What the machine may do with memory, if it is not known to be harmless. ``medium`` is about the view's folder."""
    if medium.mount is not None and (medium.mount.kind == "ramfs" or "noswap" in medium.mount.options):
        return None
    if medium.swaps is None:
        return _("whether this machine swaps memory to a disk could not be found out")
    bare = [swap.name for swap in medium.swaps if not swap.in_memory and not swap.encrypted]
    if not bare:
        return None
    return _("swap without encryption is on ({names}): parts of the document may be put there, and stay").format(
        names=", ".join(bare)
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP do what Ctrl-C does, so that whatever was begun is cleared."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nothing that a person or a system sends stop the clearing."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # a handler that Python did not set
                signal.signal(number, handler)


def program_words(command: str) -> list[str]:
    """A program and its options as a shell would split them, without a shell. Raises BadInput."""
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise BadInput(_("the program's name cannot be read: a quotation mark is not closed")) from exc
    if not words:
        raise BadInput(_("no program was named"))
    found = shutil.which(words[0])
    if found is None:
        raise BadInput(_("there is no program {name!a} here").format(name=words[0]))
    return [os.path.abspath(found), *words[1:]]
