# SPDX-License-Identifier: Apache-2.0
"""Looking at a set-up: every fact that the judges need, as far as it can be had without a passphrase.

Opens files for reading only, asks no other program and no network, and fails at nothing: what cannot be found out is
None. ``proc`` is where that file system is mounted. Sources: proc(5), getrlimit(2), Documentation/admin-guide/LSM/Yama
in the Linux source; the programs' own pages for where they keep settings.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _

import vault
from keys.preamble import parse_header
from keys.primitives import FLOOR, Cost
from vault import arming, counter, layout, traces, view_places
from vault.agent import asking, process, runtime
from vault.disk import Disk
from vault.doctor.machine import MachineFacts
from vault.doctor.place import PlaceFacts
from vault.doctor.use import UseFacts
from vault.errors import NotAllowed
from vault.medium import extents, is_no_cow
from vault.surroundings import look
from vault.terminal import time_text
from vault.vaults import MAX_HEADER_SIZE

_BACKUPS = (
    ("/etc/timeshift/timeshift.json", "Timeshift"), ("/etc/snapper/configs", "snapper"),
    ("/etc/rsnapshot.conf", "rsnapshot"), ("/Library/Preferences/com.apple.TimeMachine.plist", "Time Machine"),
    ("~/.config/backintime", "Back In Time"), ("~/.cache/deja-dup", "Déjà Dup"), ("~/.config/borg", "Borg"),
    ("~/.config/borgmatic", "borgmatic"), ("/etc/borgmatic", "borgmatic"), ("~/.local/share/Vorta", "Vorta"),
    ("~/.local/share/pika-backup", "Pika Backup"), ("~/.cache/restic", "restic"), ("~/.cache/duplicity", "duplicity"),
    ("~/.config/rclone", "rclone"), ("~/.config/kopia", "Kopia"), ("~/.config/Duplicati", "Duplicati"),
)  # fmt: skip
"""Files and folders that are there when a program for backups was set up or ran."""
_KEYS = (
    "~/.config/dconf/user", "~/.config/kglobalshortcutsrc", "~/.config/khotkeysrc", "~/.config/sway/config",
    "~/.config/i3/config", "~/.i3/config", "~/.config/hypr/hyprland.conf", "~/.xbindkeysrc", "~/.config/sxhkd/sxhkdrc",
    "~/.config/openbox/rc.xml", "~/.config/xfce4/xfconf/xfce-perchannel-xml/xfce4-keyboard-shortcuts.xml",
    "~/.config/niri/config.kdl", "~/.local/share/applications",
)  # fmt: skip
"""Where desktops keep which keys call which programs (docs/guide/en/panic-key.md). A folder: every file in it."""
_CALLS_THE_WIPE = re.compile(rb"sandyk[^\n\0]{0,200}panic|kill[^\n\0]{0,80}USR1[^\n\0]{0,200}sandyk")
_MAX_SETTINGS = 16 << 20


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part of the program: its name for pip, and the modules that show that it is installed."""

    name: str
    modules: tuple[str, ...]


EXTRAS = (
    Extra("repair", ("zfec",)), Extra("timestamps", ("rfc3161_client",)), Extra("clean", ("PIL", "pikepdf", "lxml")),
    Extra("text", ("pypdfium2", "olefile", "xlrd", "compressed_rtf")), Extra("browse", ("textual",)),
)  # fmt: skip


def _purpose(name: str) -> str:
    match name:
        case "repair":
            return _("no repair parts are made for bundles in parts, and none are used")
        case "timestamps":
            return _("bundles get no time stamps, and those of others are not checked")
        case "clean":
            return _("no clean copies are made, and pictures are not shown")
        case "text":
            return _("the search does not find words in documents")
        case _other:
            return _("the screen is not to be had: everything else works by commands")


def place_facts(folder: str, environ: Mapping[str, str] = os.environ) -> PlaceFacts:
    """Of a folder that exists."""
    mode = own = free = None
    keyring = os.path.join(folder, layout.KEYRING)
    with suppress(OSError):
        status = os.stat(folder)
        own = None if not hasattr(os, "geteuid") else status.st_uid == os.geteuid()
        mode = stat.S_IMODE(status.st_mode)
        free = shutil.disk_usage(folder).free
    return PlaceFacts(
        surroundings=look(folder, environ=environ),
        extents=extents(keyring),
        no_cow=is_no_cow(keyring),
        mode=mode,
        own=own,
        free=free,
        backups=backups(environ),
    )


def backups(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Programs for backups whose settings are here."""
    return tuple(dict.fromkeys(name for path, name in _BACKUPS if _is_there(_at_home(path, environ))))


def machine_facts(folder: str, *, encoding: str, proc: str = "/proc") -> MachineFacts:
    """Of this machine and this process."""
    scope = _read(f"{proc}/sys/kernel/yama/ptrace_scope").strip()
    return MachineFacts(
        core_limit=_limit("RLIMIT_CORE"),
        core_pattern=_read(f"{proc}/sys/kernel/core_pattern").strip() if os.path.isdir(f"{proc}/sys/kernel") else None,
        ptrace_scope=int(scope) if scope.isdigit() else None,
        memory_lock=_limit("RLIMIT_MEMLOCK"),
        root=_administrator(),
        encoding=encoding,
        now_ns=time.time_ns(),
        newest_ns=_newest(folder),
        in_memory=next(filter(view_places.kind_in_memory, map(os.path.dirname, view_places.places())), None),
        changeable_by_others=_changeable(os.path.dirname(os.path.abspath(vault.__file__))),
        missing=tuple((extra.name, _purpose(extra.name)) for extra in EXTRAS if not _is_installed(extra)),
        tesseract=shutil.which("tesseract") is not None,
    )


def use_facts(folder: str, environ: Mapping[str, str] = os.environ, *, floor: Cost = FLOOR) -> UseFacts:
    """Of the vault in ``folder``, whose header was read before. Raises KeysError, OSError when it went meanwhile."""
    agents, since = _agents(folder)
    drops = None
    with suppress(OSError):
        drops = arming.waiting_drops(folder)
    return UseFacts(
        cost=parse_header(Disk().read(os.path.join(folder, layout.HEADER), limit=MAX_HEADER_SIZE), floor=floor).cost,
        agents=agents,
        agent_since=since,
        guard=_guard(folder),
        command=shutil.which(traces.NAME),
        panic_key=panic_key(environ),
        histories=tuple(_histories(environ)),
        drops=drops,
        counter=counter.read(folder, Disk()),
        left_over=(*traces.drill_leftovers(folder), *_dead_views(folder)),
    )


def panic_key(environ: Mapping[str, str]) -> str | None:
    """The first file of settings of a desktop in which something calls the wipe, or signals a guard."""
    for name in _KEYS:
        path = _at_home(name, environ)
        if path is None:
            continue
        for each in _files(path):
            if _CALLS_THE_WIPE.search(_bytes(each)):
                return each
    return None


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    with suppress(OSError):
        return [os.path.join(path, name) for name in sorted(os.listdir(path))]
    return []


def _histories(environ: Mapping[str, str]) -> list[tuple[str, int]]:
    found = []
    for path, entries in traces.histories(environ, sys.platform):
        count = sum(traces.calls_us(entry) for entry in entries(_bytes(path)))
        if count:
            found.append((path, count))
    return found


def _agents(folder: str) -> tuple[int | None, str | None]:
    """How many processes hold the keys, and since when the one does whose place is known."""
    try:
        held = [place for place in runtime.places(folder) if runtime.note_of_holder(place.agent) is not None]
    except NotAllowed:
        return None, None
    numbers = {*asking.elsewhere(folder), *filter(None, (runtime.number_of_holder(place.agent) for place in held))}
    since = None
    with suppress(OSError, IndexError):
        if held[0].files:  # a pipe has none
            since = time_text(os.stat(held[0].agent).st_mtime_ns)  # its number was written when it began
    return max(len(numbers), len(held)), since


def _guard(folder: str) -> str | None:
    try:
        notes = [runtime.note_of_holder(place.guard) for place in runtime.places(folder)]
    except NotAllowed:
        return None
    return next((note.partition("\n")[2].strip() for note in notes if note), None)


def _dead_views(folder: str) -> list[str]:
    mark = process.mark_at(os.path.join(folder, layout.KEYRING))
    return [path for path in view_places.found(mark) if runtime.note_of_holder(path + view_places.HELD) is None]


def _newest(folder: str) -> int | None:
    times = []
    for name in (layout.HEADER, layout.KEYRING, layout.COUNTER, layout.ROSTERS, layout.BOOKS, layout.CASES):
        with suppress(OSError):
            times.append(os.lstat(os.path.join(folder, name)).st_mtime_ns)
    return max(times, default=None)


def _administrator() -> bool:
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.WinDLL("shell32").IsUserAnAdmin())
    return os.geteuid() == 0


def _changeable(folder: str) -> bool | None:
    """Whether the folder of the program, or one above it, is one that others may write to; sticky ones are not."""
    if os.name != "posix":
        return None
    try:
        while True:
            mode = os.stat(folder).st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                return True
            above = os.path.dirname(folder)
            if above == folder:
                return False
            folder = above
    except OSError:
        return None


def _is_installed(extra: Extra) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in extra.modules)


def _limit(name: str) -> int | None:
    with suppress(ImportError, AttributeError, OSError):
        import resource

        soft: int = resource.getrlimit(getattr(resource, name))[0]
        return -1 if soft == resource.RLIM_INFINITY else soft
    return None


def _at_home(path: str, environ: Mapping[str, str]) -> str | None:
    if not path.startswith("~/"):
        return path
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return os.path.join(home, path[2:]) if home else None


def _is_there(path: str | None) -> bool:
    return path is not None and os.path.lexists(path) and (not os.path.isdir(path) or bool(_files(path)))


def _read(path: str) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: str) -> bytes:
    """The beginning of a file, or nothing. Never waits for a pipe that somebody put there."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(fd, "rb") as f:
            return f.read(_MAX_SETTINGS) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    return b""
