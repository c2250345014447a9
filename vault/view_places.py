# SPDX-License-Identifier: Apache-2.0
"""Where a document lies in clear while it is looked at: a folder in memory, and how whoever ends a view finds it.

Owns the few places there are, the question to the kernel whether one is in memory, and a view's folder in it. The
places are fixed and ask no environment, so that ``panic`` from a hotkey finds what a desktop's terminal made. Nothing
in a name says which vault it is of: a hash of which file the keyring is (``vault.agent.process``). A place counts as
memory only by what fstatfs(2) says of the open folder, never by its path. It ends and removes nothing: ``view_sweep``
does. Standard library only, because the emergency wipe looks here.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _

from vault.agent import runtime
from vault.errors import DiskFailed, NotAllowed
from vault.refusals import refusal

TMPFS_MAGIC, RAMFS_MAGIC = 0x01021994, 0x858458F6
"""<linux/magic.h>; f_type of statfs(2)."""
HELD = ".held"
"""Ends the name of the file beside a view's folder that the view holds while it lives, with its process number."""
_VIEW = ".view-"
_STATFS_ROOM = 512
"""Bytes: more than any ``struct statfs``. ``f_type`` is its first word, one that another machine reads as unknown."""
_TRIES = 16


@dataclass(frozen=True, slots=True)
class ViewFolder:
    """One view's folder, open to its user alone. ``holder`` is the descriptor that shows that the view lives."""

    path: str
    in_memory: bool
    holder: int

    @property
    def home(self) -> str:
        """What a program that shows the document takes for its home folder."""
        return home_of(self.path)


def places() -> tuple[str, ...]:
    """The folders in which views have theirs, the best one first; each may be missing, or be on a disk.

    None of them is one in which agents have their sockets: those are hidden from the programs of views.
    """
    if os.name != "posix":
        return ()
    user = os.geteuid()
    return f"/run/user/{user}/sandyk-views", f"/dev/shm/sandyk-{user}", f"/tmp/sandyk-views-{user}"  # noqa: S108


def home_of(folder: str) -> str:
    """The home folder in a view's folder; its name in an environment is how a program of the view is known."""
    return os.path.join(folder, "home")


def kind_in_memory(path: str) -> str | None:
    """``tmpfs`` or ``ramfs``, when the folder lies on one; None for anything else and where nobody can tell."""
    if sys.platform != "linux":
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return {TMPFS_MAGIC: "tmpfs", RAMFS_MAGIC: "ramfs"}.get(_file_system_of(fd))
    finally:
        os.close(fd)


def _file_system_of(fd: int) -> int:
    import ctypes

    room = ctypes.create_string_buffer(_STATFS_ROOM)
    if ctypes.CDLL(None, use_errno=True).fstatfs(fd, room) != 0:
        return 0
    return int(struct.unpack_from("@L", room)[0])


def memory_places(size: int = 0, *, among: tuple[str, ...] | None = None) -> Iterator[str]:
    """The places in memory that have room for ``size`` bytes. One that is not there yet is not made."""
    for place in places() if among is None else among:
        with suppress(OSError, NotAllowed):
            there = os.path.lexists(place)
            if there:
                runtime.check_own(place)
            where = place if there else os.path.dirname(place)
            room = os.statvfs(where)
            if kind_in_memory(where) is not None and room.f_bavail * room.f_frsize > size:
                yield place


def make(mark: str, *, size: int = 0, on_disk: bool = False, among: tuple[str, ...] | None = None) -> ViewFolder:
    """A new, empty folder for a view of the vault with this mark, in memory, with room for ``size`` bytes.

    With ``on_disk`` the last place serves where none in memory does. Raises NotAllowed when there is none, DiskFailed.
    """
    candidates = places() if among is None else among
    place = next(memory_places(size, among=candidates), None)
    if place is None and on_disk and candidates:
        place = candidates[-1]
    if place is None:
        raise NotAllowed(_why_none(candidates))
    try:
        _make_own(place)
        view = _make_in(place, mark)
    except OSError as exc:
        raise DiskFailed(
            _("no folder could be made to view it in: {reason}").format(reason=refusal(exc))
        ) from exc
    if not (view.in_memory or on_disk):  # what was asked about a moment ago is another file system now
        os.close(view.holder)
        raise NotAllowed(_why_none(candidates))
    return view


def _why_none(candidates: tuple[str, ...]) -> str:
    if next(memory_places(among=candidates), None) is None:
        return _("no file system in memory was found on this machine")
    return _("no file system in memory has room for this document")


def _make_in(place: str, mark: str) -> ViewFolder:
    for _attempt in range(_TRIES):
        path = os.path.join(place, f"{mark}{_VIEW}{os.urandom(4).hex()}")
        try:
            holder = runtime.hold(path + HELD, f"{os.getpid()}\n")
        except FileNotFoundError:  # another view was the last one in it, and has just left
            _make_own(place)
            continue
        if holder is None:
            continue
        # Somebody who sweeps may have taken the file away between its making and its lock: then nothing shows it.
        if _is_at(holder, path + HELD):
            os.mkdir(path, 0o700)
            return ViewFolder(path, kind_in_memory(path) is not None, holder)
        os.close(holder)
    raise DiskFailed(_("no folder could be made to view it in: {reason}").format(reason=_("too many were in the way")))


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _make_own(place: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(place, 0o700)
    runtime.check_own(place)


def leave(folder: str) -> None:
    """Remove the place in which a view's folder was, if nothing is in it any more."""
    with suppress(OSError):
        os.rmdir(os.path.dirname(folder))


def found(mark: str | None, *, among: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The folders of views of the vault with this mark, living or left behind, in every place; none for no mark."""
    if mark is None:
        return ()
    begin, paths = f"{mark}{_VIEW}", dict[str, None]()
    for place in places() if among is None else among:
        with suppress(OSError, NotAllowed):
            runtime.check_own(place)
            for name in sorted(os.listdir(place)):
                if name.startswith(begin):
                    paths[os.path.join(place, name.removesuffix(HELD))] = None
    return tuple(paths)
