# SPDX-License-Identifier: Apache-2.0
"""Every change that a real command makes to a folder, recorded; and what a power cut may leave of it at any point.

The command runs under strace, so that nothing escapes: not the writes of SQLite, not those of its threads. From the log
states are built as a journaling file system may leave them:

- a write is there for certain once its file was synced after it, or when the file was opened with O_DSYNC. Of the
  others each may be there, not there, or there in part, in sectors of 512 bytes;
- a name that appears, changes or goes is so for certain once its folder was synced after it. Of the later ones the
  file system has carried out some first ones, in order.

Shared memory of SQLite (``-shm``) does not outlive the machine and is left out.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tools import need

SECTOR = 512
_CALLS = (
    "openat,close,read,lseek,write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2,"
    "mkdir,mkdirat,rmdir"
)
_LINE = re.compile(r"(?s)^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*?)(?:\) += (-?\d+).*| <unfinished \.\.\.>)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Change:
    """One call that changed something. ``kind`` is ``data``, ``cut``, ``name``, ``gone``, ``moved``, ``folder``,
    ``no-folder``; or ``sync``, ``sync-folder``, ``said``, which change nothing."""

    kind: str
    path: str = ""
    file: int = -1
    offset: int = 0
    data: bytes = b""
    durable: bool = False
    to: str = ""


_NAMES = frozenset(("name", "gone", "moved", "folder", "no-folder"))
_FLUSHES = frozenset(("sync", "sync-folder"))


@dataclass(slots=True)
class _Open:
    file: int
    path: str
    offset: int = 0
    durable: bool = False
    folder: bool = False


@dataclass(slots=True)
class WriteLog:
    """What was there before, and the changes in their order."""

    before: dict[str, bytes]
    folders: frozenset[str]
    changes: list[Change] = field(default_factory=list)

    def said(self, text: bytes) -> int:
        """The number of changes after which the command had said this. Raises ValueError."""
        for number, change in enumerate(self.changes, 1):
            if change.kind == "said" and text in change.data:
                return number
        raise ValueError(f"it never said {text!r}")

    def cuts(self) -> list[int]:
        """Points worth a power cut, as numbers of changes that were made before: around every flush and every name."""
        cuts = {0, len(self.changes)}
        for number, change in enumerate(self.changes):
            if change.kind in _FLUSHES or change.durable or change.kind in _NAMES:
                cuts |= {number, number + 1}
        return sorted(cuts)

    def state(self, cut: int, chance: random.Random | None, share: float = 0.5) -> State:
        """What may be left after ``cut`` changes: with a ``chance``, ``share`` of what no flush covers, else none."""
        done = self.changes[:cut]
        names = [n for n, change in enumerate(done) if change.kind in _NAMES]
        certain = max((n for n in names if _name_is_certain(done, n)), default=-1)
        open_ = [n for n in names if n > certain]
        applied = {n for n in names if n <= certain}
        applied |= set(open_[: chance.randint(0, len(open_)) if chance else 0])
        numbers = {path: number for number, path in enumerate(self.before)}
        state = State(dict(enumerate(self.before.values())), numbers, set(self.folders))
        for number, change in enumerate(done):
            if change.kind in _NAMES:
                if number in applied:
                    state.rename(change)
            elif change.kind in ("data", "cut"):
                if change.durable or _is_synced(done, number):
                    state.write(change)
                elif chance and chance.random() < share:
                    state.write(change, chance if chance.random() < 0.5 else None)
        return state


@dataclass(slots=True)
class State:
    """Files by number, names of files, folders."""

    files: dict[int, bytes]
    names: dict[str, int]
    folders: set[str]

    def rename(self, change: Change) -> None:
        """Carry out a change of names."""
        if change.kind == "name":
            self.names[change.path] = change.file
        elif change.kind == "gone":
            self.names.pop(change.path, None)
        elif change.kind == "moved":
            if change.path in self.names:
                self.names[change.to] = self.names.pop(change.path)
        elif change.kind == "folder":
            self.folders.add(change.path)
        else:
            self.folders.discard(change.path)

    def write(self, change: Change, torn: random.Random | None = None) -> None:
        """Carry out a write, or some sectors of it."""
        old = self.files.get(change.file, b"")
        if change.kind == "cut":
            self.files[change.file] = old[: change.offset].ljust(change.offset, b"\0")
            return
        new = bytearray(old.ljust(change.offset + len(change.data), b"\0"))
        for at in range(0, len(change.data), SECTOR):
            if torn is None or torn.random() < 0.5:
                piece = change.data[at : at + SECTOR]
                new[change.offset + at : change.offset + at + len(piece)] = piece
        self.files[change.file] = bytes(new)

    def lay_out(self, folder: Path) -> Path:
        """Write the state to a folder that is not there yet. The folder itself may be gone in it."""
        for name in sorted(self.folders):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, number in self.names.items():
            if not name.endswith("-shm") and os.path.dirname(name) in self.folders:
                (folder / name).write_bytes(self.files.get(number, b""))
        return folder


def _name_is_certain(done: list[Change], number: int) -> bool:
    change = done[number]
    above = {os.path.dirname(change.path), os.path.dirname(change.to or change.path)}
    return above <= {later.path for later in done[number + 1 :] if later.kind == "sync-folder"}


def _is_synced(done: list[Change], number: int) -> bool:
    return any(later.kind == "sync" and later.file == done[number].file for later in done[number + 1 :])


def record(command: list[str], folder: Path, log: Path, **more: object) -> WriteLog:
    """Run a command to its end and record what it does to ``folder``. Raises CalledProcessError."""
    found = WriteLog(
        {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()},
        frozenset(["", *(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_dir())]),
    )
    strace = [need("strace"), "-f", "-qq", "-xx", "-s", str(1 << 26), "-e", f"trace={_CALLS}", "-e", "signal=none"]
    subprocess.run([*strace, "-o", str(log), *command], check=True, capture_output=True, **more)  # type: ignore[call-overload]
    _Reader(found, str(folder)).read(log.read_text("ascii", "replace"))
    return found


class _Reader:
    """Turns strace's lines into changes. All threads share one table of open files."""

    def __init__(self, log: WriteLog, folder: str) -> None:
        self._log, self._folder = log, folder
        self._open: dict[int, _Open] = {}
        self._names = {name: number for number, name in enumerate(log.before)}
        self._next = len(self._names)

    def read(self, text: str) -> None:
        for call, arguments, result in _calls(text):
            if result >= 0:
                getattr(self, f"_{call}", self._ignore)(arguments, result)

    def _ignore(self, arguments: str, result: int) -> None:
        return

    def _add(self, change: Change) -> None:
        self._log.changes.append(change)

    def _inside(self, path: str) -> str | None:
        """The path below the folder, "" for the folder itself."""
        if path == self._folder:
            return ""
        return path[len(self._folder) + 1 :] if path.startswith(self._folder + "/") else None

    def _openat(self, arguments: str, fd: int) -> None:
        self._open.pop(fd, None)
        [path], flags = _strings(arguments)[:1], arguments.rpartition('"')[2]
        inside = self._inside(os.fsdecode(path))
        if inside is None:
            return
        if inside in self._log.folders or "O_DIRECTORY" in flags:
            self._open[fd] = _Open(-1, inside, folder=True)
            return
        if inside not in self._names:
            if "O_CREAT" not in flags:  # a folder that the command made
                self._open[fd] = _Open(-1, inside, folder=True)
                return
            self._names[inside], self._next = self._next, self._next + 1
            self._add(Change("name", inside, self._names[inside]))
        file = self._names[inside]
        self._open[fd] = _Open(file, inside, durable="O_DSYNC" in flags or "O_SYNC" in flags)
        if "O_TRUNC" in flags:
            self._add(Change("cut", inside, file))

    def _close(self, arguments: str, result: int) -> None:
        self._open.pop(int(arguments), None)

    def _read(self, arguments: str, size: int) -> None:
        self._advance(arguments, size)

    def _advance(self, arguments: str, size: int) -> None:
        place = self._open.get(_number(arguments))
        if place is not None:
            place.offset += size

    def _lseek(self, arguments: str, offset: int) -> None:
        place = self._open.get(_number(arguments))
        if place is not None:
            place.offset = offset

    def _write(self, arguments: str, size: int) -> None:
        fd = _number(arguments)
        [data] = _strings(arguments)
        place = self._open.get(fd)
        if place is not None:
            self._add(Change("data", place.path, place.file, place.offset, data[:size], place.durable))
            place.offset += size
        elif fd == 1:
            self._add(Change("said", data=data[:size]))

    def _pwrite64(self, arguments: str, size: int) -> None:
        place = self._open.get(_number(arguments))
        if place is not None:
            [data], offset = _strings(arguments), int(arguments.rpartition(", ")[2])
            self._add(Change("data", place.path, place.file, offset, data[:size], place.durable))

    def _ftruncate(self, arguments: str, _: int) -> None:
        place = self._open.get(_number(arguments))
        if place is not None:
            self._add(Change("cut", place.path, place.file, int(arguments.rpartition(", ")[2]), durable=place.durable))

    def _fsync(self, arguments: str, _: int) -> None:
        place = self._open.get(_number(arguments))
        if place is not None:
            self._add(Change("sync-folder" if place.folder else "sync", place.path, place.file))

    _fdatasync = _fsync

    def _unlink(self, arguments: str, _: int) -> None:
        inside = self._inside(os.fsdecode(_strings(arguments)[0]))
        if inside is not None:
            self._names.pop(inside, None)
            self._add(Change("no-folder" if "AT_REMOVEDIR" in arguments else "gone", inside))

    _unlinkat = _unlink

    def _rmdir(self, arguments: str, _: int) -> None:
        inside = self._inside(os.fsdecode(_strings(arguments)[0]))
        if inside is not None:
            self._add(Change("no-folder", inside))

    def _mkdir(self, arguments: str, _: int) -> None:
        inside = self._inside(os.fsdecode(_strings(arguments)[0]))
        if inside is not None:
            self._add(Change("folder", inside))

    _mkdirat = _mkdir

    def _rename(self, arguments: str, _: int) -> None:
        old, new = (self._inside(os.fsdecode(path)) for path in _strings(arguments))
        if old is not None and new is not None:
            self._names[new] = self._names.pop(old)
            self._add(Change("moved", old, to=new))

    _renameat = _renameat2 = _rename


def _calls(text: str) -> Iterator[tuple[str, str, int]]:
    """Name, arguments and result of each call, as it returned."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        process, call, arguments, result = match.groups()
        if result is None:
            begun[process] = arguments
        else:
            yield call, begun.pop(process, "") + arguments if "resumed>" in line else arguments, int(result)


def _strings(arguments: str) -> list[bytes]:
    return [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(arguments)]


def _number(arguments: str) -> int:
    return int(arguments.partition(",")[0])
