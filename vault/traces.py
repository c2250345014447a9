# SPDX-License-Identifier: Apache-2.0
"""This program's own traces outside the vault, and removing them: ``sandyk panic --traces``, after the keys are gone.

Owns which files are this program's by their names, and which lines of a shell's history call it. It touches no other
line and no other file, follows no link, and asks no shell: one that runs will write its history again when it ends.
A history is overwritten where it lies, to its old length, synced, and only then cut: a file that is written anew and
renamed would leave the old text whole in free blocks. Best effort: file systems that write anew keep it all the same.
Standard library only. Formats: bash(1) HISTORY, zshoptions(1) EXTENDED_HISTORY, fish history(1), about_PSReadLine.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from vault.disk import Disk, full_sync
from vault.language import later
from vault.language import said as _
from vault.layout import is_vault

NAME = "sandyk"
DRILL_PREFIX = f".{NAME}-drill-"
OUT_OF_REACH = (
    later(
        "shells that run now write their history again when they end: close them without saving (kill -9 $$), "
        "or run this again from the last one"
    ),
    later("what is shown in terminals, and what they keep to scroll back to"),
    later("old text in snapshots, backups, synced copies and swap; on flash, in cells that are not reused yet"),
    later(
        "logs of the system, lists of recent files and programs, thumbnails, search indexes, histories of other users"
    ),
    later("the program itself, which is still installed, and what the package manager notes of it"),
)
"""What stays, in words. Each holds on every machine, or cannot be ruled out from here."""

_MAX_HISTORY = 256 << 20
_PREFIXES = frozenset(
    b"sudo doas time env nice ionice nohup exec command builtin setsid timeout strace watch xargs "
    b"then do else if while ! { uvx pipx uv run & . source noglob nocorrect "
    b"proxychains torsocks torify systemd-run flatpak-spawn".split()
)
"""Words behind which another command stands, with options of their own in between."""
_SEPARATORS = re.compile(rb"[;|&()`{}\n]|\$\(|<\(|>\(")
_ASSIGNMENT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\+?=")
_VARIABLE = re.compile(rb"\bSANDYK_[A-Z]+\b")
_BASH_TIME = re.compile(rb"#\d{5,}\n?\Z")
_ZSH_TIME = re.compile(rb"\A: \d+:\d+;")


@dataclass(frozen=True, slots=True)
class Traces:
    """What became of them. Paths are as found, not escaped. ``lines``: history file and how many entries went."""

    removed: tuple[str, ...] = ()
    lines: tuple[tuple[str, int], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


def remove(vault: str, disk: Disk, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Traces:
    """Remove them all. ``vault`` is the folder that was wiped. Raises nothing that can be foreseen."""
    removed: list[str] = []
    lines: list[tuple[str, int]] = []
    failed: list[tuple[str, str]] = []

    def attempt(path: str, act: Callable[[], None]) -> None:
        try:
            act()
        except FileNotFoundError:
            return
        except OSError as error:
            failed.append((path, error.strerror or type(error).__name__))

    def take(path: str) -> None:
        disk.unlink(path)
        removed.append(path)

    for path in (*own_files(environ, platform), *_runtime_files(vault, environ)):
        attempt(path, lambda path=path: take(path))  # type: ignore[misc]
    for folder in own_folders(environ, platform):
        attempt(folder, lambda folder=folder: _clear(folder, vault, take, disk))  # type: ignore[misc]
    for path in drill_leftovers(vault):
        attempt(path, lambda path=path: _wipe_leftover(path, disk, removed))  # type: ignore[misc]
    for path, entries in histories(environ, platform):
        attempt(path, lambda path=path, entries=entries: lines.extend(_clean(path, entries, disk)))  # type: ignore[misc]
    return Traces(tuple(removed), tuple(lines), tuple(failed))


def own_files(environ: Mapping[str, str], platform: str) -> tuple[str, ...]:
    """Files that are there because of this program: completions, and the guard's unit for systemd."""
    if platform == "win32" or not environ.get("HOME"):
        return ()
    home, config, data = environ["HOME"], _xdg(environ, "CONFIG", ".config"), _xdg(environ, "DATA", ".local/share")
    return (
        os.path.join(data, "bash-completion", "completions", NAME),
        os.path.join(home, ".bash_completions", f"{NAME}.sh"),
        os.path.join(home, ".zfunc", f"_{NAME}"),
        os.path.join(config, "fish", "completions", f"{NAME}.fish"),
        os.path.join(config, "systemd", "user", f"{NAME}-guard.service"),
        os.path.join(config, "systemd", "user", "default.target.wants", f"{NAME}-guard.service"),
    )


def own_folders(environ: Mapping[str, str], platform: str) -> tuple[str, ...]:
    """Folders for settings, caches and state that bear this program's name."""
    if platform == "win32":
        base = environ.get("APPDATA", "")
        return (os.path.join(base, NAME),) if base else ()
    if not environ.get("HOME"):
        return ()
    bases = (("CONFIG", ".config"), ("CACHE", ".cache"), ("STATE", ".local/state"))
    return tuple(os.path.join(_xdg(environ, kind, default), NAME) for kind, default in bases)


def drill_leftovers(vault: str) -> tuple[str, ...]:
    """Throw-away vaults beside the real one, of rehearsals that were interrupted."""
    above = os.path.dirname(os.path.abspath(vault))
    try:
        names = sorted(os.listdir(above))
    except OSError:
        return ()
    return tuple(os.path.join(above, name) for name in names if name.startswith(DRILL_PREFIX))


Entries = Callable[[bytes], Iterator[bytes]]
"""Splits a history into entries, whose concatenation it is."""


def histories(environ: Mapping[str, str], platform: str) -> tuple[tuple[str, Entries], ...]:
    """The files in which shells keep what was typed, by their usual names, and how each is read."""
    if platform == "win32":
        base = environ.get("APPDATA", "")
        folder = os.path.join(base, "Microsoft", "Windows", "PowerShell", "PSReadLine")
        return ((os.path.join(folder, "ConsoleHost_history.txt"), powershell_entries),) if base else ()
    home = environ.get("HOME")
    if not home:
        return ()
    data = _xdg(environ, "DATA", ".local/share")
    dots = {home, environ.get("ZDOTDIR") or home}
    found: list[tuple[str, Entries]] = [(os.path.join(home, ".bash_history"), bash_entries)]
    found += [(os.path.join(dot, name), zsh_entries) for dot in sorted(dots) for name in (".zsh_history", ".histfile")]
    found.append((os.path.join(data, "fish", "fish_history"), fish_entries))
    found.append((os.path.join(data, "powershell", "PSReadLine", "ConsoleHost_history.txt"), powershell_entries))
    named = environ.get("HISTFILE", "")
    if os.path.isabs(named) and named not in [path for path, __ in found]:
        found.append((named, zsh_entries if "zsh" in named else bash_entries))
    return tuple(found)


def bash_entries(text: bytes) -> Iterator[bytes]:
    """With a time before each entry (``#`` and seconds), what follows up to the next one is one; else each line is."""
    entry = b""
    timed = False
    for line in text.splitlines(keepends=True):
        is_time = _BASH_TIME.fullmatch(line) is not None
        if entry and (is_time or not timed) and not (not timed and _goes_on(entry)):
            yield entry
            entry, timed = b"", False
        timed = timed or is_time
        entry += line
    if entry:
        yield entry


def zsh_entries(text: bytes) -> Iterator[bytes]:
    """A line, and those that follow a line's ending backslash."""
    return _continued(text, b"\\")


def powershell_entries(text: bytes) -> Iterator[bytes]:
    """A line, and those that follow a line's ending grave accent."""
    return _continued(text, b"`")


def fish_entries(text: bytes) -> Iterator[bytes]:
    """What begins with ``- cmd:``, with its time and paths."""
    entry = b""
    for line in text.splitlines(keepends=True):
        if line.startswith(b"- ") and entry:
            yield entry
            entry = b""
        entry += line
    if entry:
        yield entry


def calls_us(entry: bytes) -> bool:
    """Whether an entry of a history runs this program, or names its variables."""
    text = _ZSH_TIME.sub(b"", entry).replace(b"\\\n", b" ").replace(b"`\n", b" ")
    if text.startswith(b"- cmd: "):
        text = text[len(b"- cmd: ") :].partition(b"\n  when:")[0].replace(b"\\n", b"\n")
    return _VARIABLE.search(text) is not None or any(_is_call(part) for part in _SEPARATORS.split(text))


def _is_call(part: bytes) -> bool:
    words = part.split()
    behind_a_prefix = False
    for word in words:
        bare = word.strip(b"'\"\\")
        name = re.split(rb"[/\\]", bare)[-1]
        if name.removesuffix(b".exe") == NAME.encode():
            return True
        if name in _PREFIXES:
            behind_a_prefix = True
        elif not _ASSIGNMENT.match(bare) and not behind_a_prefix:
            return False
    return False


def _continued(text: bytes, mark: bytes) -> Iterator[bytes]:
    entry = b""
    for line in text.splitlines(keepends=True):
        entry += line
        if not line.rstrip(b"\r\n").endswith(mark):
            yield entry
            entry = b""
    if entry:
        yield entry


def _goes_on(entry: bytes) -> bool:
    return entry.rstrip(b"\n").endswith(b"\\")


def _clean(path: str, entries: Entries, disk: Disk) -> Iterator[tuple[str, int]]:
    """Take our entries out of one history, in place. Yields the file and their number, if there were any."""
    fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(fd, "r+b", buffering=0) as f:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        text = f.read(_MAX_HISTORY)
        every = list(entries(text))
        kept = [entry for entry in every if not calls_us(entry)]
        if len(kept) == len(every):
            return
        data = b"".join(kept)
        disk.step("overwrite", path)
        f.seek(0)
        _write_all(fd, data + b"\n" * (len(text) - len(data)))
        full_sync(fd)
        f.seek(len(text))
        data += f.read(_MAX_HISTORY)  # what a shell appended meanwhile
        f.seek(0)
        _write_all(fd, data)
        os.truncate(fd, len(data))
        full_sync(fd)
    yield path, len(every) - len(kept)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _clear(folder: str, vault: str, take: Callable[[str], None], disk: Disk) -> None:
    """Delete a folder of ours with its files, unless it is a vault or has one in it. Links are not followed."""
    if not os.path.isdir(folder) or os.path.islink(folder) or f"{os.path.realpath(vault)}/".startswith(f"{folder}/"):
        return
    if any(is_vault(where) for where, *__ in os.walk(folder)):
        raise OSError(errno.ENOTEMPTY, _("a vault lies in it"))
    for where, folders, names in os.walk(folder, topdown=False):
        for name in names:
            take(os.path.join(where, name))
        for name in folders:
            path = os.path.join(where, name)
            disk.unlink(path) if os.path.islink(path) else disk.remove_folder(path)
    disk.remove_folder(folder)


def _wipe_leftover(path: str, disk: Disk, removed: list[str]) -> None:
    from vault.panic import NoVaultHere, panic

    if os.path.islink(path):  # whoever may write beside the vault could point it at another one
        raise OSError(errno.ELOOP, _("a link, which is not followed"))
    try:
        panic(path, disk=disk, discard=False)
    except NoVaultHere:
        disk.remove_folder(path)  # one in which nothing was made yet; anything else resists and is named
    removed.append(path)


def _runtime_files(vault: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Socket and numbers of the processes that ran beside this vault."""
    from vault.agent.runtime import places
    from vault.errors import NotAllowed

    found: list[str] = []
    with suppress(NotAllowed, OSError):
        for place in places(vault, environ):
            found += place.files
    return tuple(found)


def _xdg(environ: Mapping[str, str], kind: str, default: str) -> str:
    given = environ.get(f"XDG_{kind}_HOME", "")
    return given if os.path.isabs(given) else os.path.join(environ["HOME"], default)
