# SPDX-License-Identifier: Apache-2.0
"""Deleting what a vault consists of, once its keys are gone.

Owns which files are overwritten before their names go (whatever holds keys or tables of contents; packs are only
unlinked, their content is unreadable already) and what happens when a file resists. Touches nothing that
``layout.is_ours`` does not know, follows no link, descends into no stranger's folder. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat

from vault.disk import Disk, noise
from vault.language import later
from vault.language import said as _
from vault.layout import (
    ACCESS,
    BOOKS,
    CASES,
    HEADER,
    INDEX,
    KEYRING,
    OUTBOX,
    PACKS,
    QUARANTINE,
    ROSTERS,
    TEXT,
    is_our_folder,
    is_ours,
)

_SWEEPS = 32
"""How often the folder is gone through again because another process still creates files."""
_WHOLE = 1 << 20
"""Bytes overwritten of a file that holds keys: its age header has a stanza for each reader, so a part is not enough."""
_MANY = 256
"""Names from which on several are removed at once."""
_AT_ONCE = 4
"""With online discard the file system waits for the drive at each name: four threads took 0.3 to 0.65 of the time of
one, eight no less (docs/performance.md). Without it they take as long as one."""
_HEAD = 4 << 10
"""Bytes overwritten of an index: SQLCipher's salt and the first page, which holds the table of contents."""


class Tally:
    """What was destroyed, what resisted, what is a stranger's."""

    def __init__(self) -> None:
        self.counts = {"sealed_files": 0, "indexes": 0, "packs": 0, "drops": 0, "other_files": 0, "folders": 0}
        self.left_behind: tuple[str, ...] = ()
        self.changes = 0
        """Names that are gone: what tells a sweep that it got further."""
        self.overwritten: set[str] = set()
        self._notes: list[str] = []
        self._failures: dict[tuple[str, str], str] = {}

    def note(self, text: str) -> None:
        """Something that was not done, in words that need no example."""
        if text not in self._notes:
            self._notes.append(text)

    def fail(self, what: str, relative: str, error: OSError) -> None:
        """An operation on a file failed. It counts once, however often it is tried."""
        self._failures[what, relative] = error.strerror or type(error).__name__

    def succeed(self, what: str, relative: str) -> None:
        """What failed before has been done after all."""
        self._failures.pop((what, relative), None)

    @property
    def failures(self) -> tuple[tuple[str, str, int, str], ...]:
        """What could not be done, why, to how many files, and the first of them (relative, unescaped)."""
        grouped: dict[tuple[str, str], list[str]] = {}
        for (what, relative), why in self._failures.items():
            grouped.setdefault((what, why), []).append(relative)
        return tuple((what, why, len(files), files[0]) for (what, why), files in grouped.items())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not done, as sentences."""
        return tuple(self._notes)


class _Found:
    """One look at a vault folder: paths relative to it, with ``/``; folders before what is inside them."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: list[str] = []
        self.strangers: list[str] = []


def has_remains(folder: str) -> bool:
    """Whether files lie here that only a vault has: a mere ``lock`` or ``counter`` may be anybody's."""
    try:
        return any("/" in relative for relative in _look(folder, Tally()).files)
    except OSError:
        return False


def clear(folder: str, disk: Disk, tally: Tally) -> None:
    """Destroy everything of ours but the keyring and VAULT; again and again while others add to it."""
    for __ in range(_SWEEPS):
        before = tally.changes
        found = _look(folder, tally)
        tally.left_behind = tuple(found.strangers)
        _clear_once(folder, found, disk, tally)
        if tally.changes == before:
            return


def finish(folder: str, disk: Disk, tally: Tally) -> None:
    """Remove the keyring, then VAULT, then the folder, unless a stranger's file is in it."""
    for __ in range(_SWEEPS):
        for name in (KEYRING, HEADER):
            if not _is_folder(os.path.join(folder, name)):
                _unlink(folder, name, disk, tally)
        if _remove_folder(folder, "", disk, tally):
            break
        before = tally.changes
        clear(folder, disk, tally)
        if tally.changes == before and (tally.left_behind or tally.failures):
            break
    else:
        tally.note(_("remove the folder: other programs keep making files in it; end them and run this again"))
    try:
        disk.sync_folder(os.path.dirname(folder))
    except OSError as error:
        tally.fail(later("sync the folder above the vault"), "", error)


def unlink_link(path: str, disk: Disk, tally: Tally) -> None:
    """Remove the link by which the vault folder was named."""
    try:
        disk.unlink(path)
    except OSError as error:
        tally.fail(later("remove the link to the vault folder"), os.path.basename(path), error)


def permit(path: str) -> None:
    """Make a file and the folder it is in writable for us, as far as we may. A link is left alone."""
    for each, mode in ((os.path.dirname(path), 0o700), (path, 0o600)):
        try:
            status = os.lstat(each)
            if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                os.chmod(each, stat.S_IMODE(status.st_mode) | mode)
        except OSError:
            continue


def _clear_once(folder: str, found: _Found, disk: Disk, tally: Tally) -> None:
    mine = [relative for relative in found.files if relative not in (KEYRING, HEADER)]
    for relative in mine:
        _overwrite(folder, relative, disk, tally)
    for relative in _unlink_many(folder, mine, disk, tally) if len(mine) >= _MANY else mine:
        _unlink(folder, relative, disk, tally)
    for relative in found.links:
        if _unlink(folder, relative, disk, tally):
            tally.note(_("a link stood where a folder of the vault belongs; what it pointed to was not touched"))
    for relative in reversed(found.folders):
        _remove_folder(folder, relative, disk, tally)


def _look(folder: str, tally: Tally) -> _Found:
    found, waiting = _Found(), [""]
    while waiting:
        below = waiting.pop()
        for entry in _entries(os.path.join(folder, below) if below else folder, below, tally):
            relative = f"{below}/{entry.name}" if below else entry.name
            if _is_folder(entry.path):
                if is_our_folder(relative):
                    found.folders.append(relative)
                    waiting.append(relative)
                else:
                    found.strangers.append(relative + "/")
            elif is_ours(relative):
                found.files.append(relative)
            elif entry.is_symlink() and is_our_folder(relative):
                found.links.append(relative)
            else:
                found.strangers.append(relative)
    return found


def _entries(path: str, relative: str, tally: Tally) -> list[os.DirEntry[str]]:
    for attempt in (1, 2):
        try:
            with os.scandir(path) as entries:
                return list(entries)
        except FileNotFoundError:
            break
        except PermissionError as error:
            if attempt == 2:
                tally.fail(later("look into"), relative, error)
            permit(os.path.join(path, "."))
        except OSError as error:
            tally.fail(later("look into"), relative, error)
            break
    return []


def _is_folder(path: str) -> bool:
    """A folder and not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _overwrite(folder: str, relative: str, disk: Disk, tally: Tally) -> None:
    kind, limit = _kind(relative)
    if not limit or relative in tally.overwritten:
        return
    path = os.path.join(folder, relative)
    for attempt in (1, 2):
        try:
            status = os.lstat(path)
            size = min(status.st_size, limit)
            if stat.S_ISREG(status.st_mode) and size:
                disk.overwrite_through(path, 0, noise(size))
                tally.overwritten.add(relative)
                tally.counts[kind] += 1
            tally.succeed("overwrite", relative)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            tally.fail(later("overwrite"), relative, error)
            if attempt == 2 or not isinstance(error, PermissionError):
                return
            permit(path)


def _unlink_many(folder: str, names: list[str], disk: Disk, tally: Tally) -> list[str]:
    """Remove names in several threads; returns those that are left, because they resisted or no thread began."""
    import threading

    removed: list[list[str]] = []

    def remove(share: list[str], done: list[str]) -> None:
        for relative in share:
            try:
                disk.unlink(os.path.join(folder, relative))
            except OSError:
                continue  # whoever takes them one by one finds out why
            done.append(relative)

    threads = []
    for n in range(_AT_ONCE):
        removed.append([])
        threads.append(threading.Thread(target=remove, args=(names[n::_AT_ONCE], removed[n])))
        try:
            threads[n].start()
        except RuntimeError:  # as many as the system allows
            threads.pop()
            break
    for thread in threads:
        thread.join()
    gone = {relative for share in removed for relative in share}
    for relative in gone:
        _count_unlinked(relative, tally)
    return [relative for relative in names if relative not in gone]


def _unlink(folder: str, relative: str, disk: Disk, tally: Tally) -> bool:
    path = os.path.join(folder, relative)
    for attempt in (1, 2):
        try:
            disk.unlink(path)
        except FileNotFoundError:
            tally.succeed("delete", relative)
            return False
        except OSError as error:
            tally.fail(later("delete"), relative, error)
            if attempt == 2 or not isinstance(error, PermissionError):
                return False
            permit(path)
        else:
            break
    _count_unlinked(relative, tally)
    return True


def _count_unlinked(relative: str, tally: Tally) -> None:
    tally.succeed("delete", relative)
    tally.changes += 1
    tally.overwritten.discard(relative)  # a new file of this name, by another process, is another file
    kind, limit = _kind(relative)
    if not limit and relative not in (KEYRING, HEADER):
        tally.counts[kind] += 1


def _remove_folder(folder: str, relative: str, disk: Disk, tally: Tally) -> bool:
    """Remove an empty folder; "" is the vault itself. Returns False when something is inside, True otherwise."""
    path = os.path.join(folder, relative) if relative else folder
    for attempt in (1, 2):
        try:
            disk.remove_folder(path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            if error.errno == errno.EBUSY and not relative:  # the root of a stick can only be emptied
                tally.left_behind = (*tally.left_behind, "./")
                return True
            tally.fail(later("remove the folder"), relative + "/", error)
            if attempt == 2 or not relative or not isinstance(error, PermissionError):
                return True
            permit(path)
        else:
            break
    tally.succeed("remove the folder", relative + "/")
    tally.counts["folders"] += 1
    tally.changes += 1
    return True


def _kind(relative: str) -> tuple[str, int]:
    """The name under which a file is counted, and how many bytes of it are overwritten before it goes."""
    parts = relative.split("/")
    if parts[0] in (ROSTERS, BOOKS) or parts[0].startswith(KEYRING) or (len(parts) == 4 and parts[2] == ACCESS):
        return "sealed_files", _WHOLE
    # SQLite's -shm says which pages are in the log and nothing of what is in them; on a full disk it is a hole.
    if parts[0] == CASES and parts[-1].startswith((INDEX, TEXT)) and not parts[-1].endswith("-shm"):
        return "indexes", _HEAD
    if len(parts) == 4 and parts[2] in (PACKS, QUARANTINE):
        return "packs", 0
    return ("drops" if parts[0] == OUTBOX else "other_files"), 0
