# SPDX-License-Identifier: Apache-2.0
"""What the file system and the machine below a vault can be asked, and one thing they can be told.

Gathers facts, words none of them (``report`` does) and never fails: whatever cannot be found out is ``None`` or
empty, which means unknown and is reported as unknown. Linux only so far; elsewhere everything is unknown. Sources:
ioctl numbers and flags from <linux/fs.h> and <linux/fiemap.h>; proc(5); Documentation/ABI in the Linux source for
/sys/dev/block, /sys/power. Standard library only. ``proc`` and ``sys`` are where those file systems are mounted.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass

_LONG = struct.calcsize("l")
_FS_IOC_GETFLAGS = 0x80006601 | _LONG << 16  # _IOR('f', 1, long)
_FS_IOC_SETFLAGS = 0x40006602 | _LONG << 16  # _IOW('f', 2, long)
_FS_NOCOW_FL = 0x00800000
_FS_IOC_FIEMAP = 0xC020660B
_FIEMAP_HEADER = struct.Struct("=QQLLLL")
_FIEMAP_EXTENT = struct.Struct("=QQQQQLLLL")
_MAX_EXTENTS = 256

SHARED = 0x2000
"""FIEMAP: the blocks belong to another file too: a snapshot or a reflink."""
INLINE = 0x0200
"""FIEMAP: the bytes lie among the file system's own records."""

_MAX_DEPTH = 8
"""How many block devices may lie on top of each other before the search below them ends."""


@dataclass(frozen=True, slots=True)
class Extents:
    """Where a file's blocks are: ``flags`` of all together, ``ranges`` as (physical offset, length) in bytes."""

    known: bool = False
    flags: int = 0
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo: ``options`` of the mount and of the file system, ``device`` as major:minor."""

    point: str
    kind: str
    source: str
    device: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drive:
    """A block device with nothing below it."""

    name: str
    rotational: bool | None
    discards: bool | None


@dataclass(frozen=True, slots=True)
class Below:
    """What lies below a file system. ``encrypted``: every way down leads through dm-crypt."""

    drives: tuple[Drive, ...] = ()
    encrypted: bool | None = None


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap area in use."""

    name: str
    in_memory: bool
    encrypted: bool | None


@dataclass(frozen=True, slots=True)
class Medium:
    """All facts about one vault's place. None: could not be found out."""

    extents: Extents
    no_cow: bool | None
    mount: Mount | None = None
    below: Below = Below()
    swaps: tuple[Swap, ...] | None = None
    hibernation: bool | None = None
    core_pattern: str | None = None


def nothing_known(extents: Extents, no_cow: bool | None) -> Medium:
    """The facts when nothing could be found out but what the file itself told."""
    return Medium(extents, no_cow)


def gather(
    folder: str, extents: Extents, no_cow: bool | None, *, proc: str = "/proc", sys_root: str = "/sys"
) -> Medium:
    """The facts of now: the file system that ``folder`` is on, the drives below it, memory's ways to a disk."""
    if sys.platform != "linux":
        return nothing_known(extents, no_cow)
    mount = mount_of(os.path.realpath(folder), proc=proc)
    return Medium(
        extents=extents,
        no_cow=no_cow,
        mount=mount,
        below=below(mount, sys_root=sys_root),
        swaps=_swaps(proc, sys_root),
        hibernation=_hibernation(sys_root),
        core_pattern=_text(f"{proc}/sys/kernel/core_pattern"),
    )


def extents(path: str) -> Extents:
    """Where the blocks of a file are (FS_IOC_FIEMAP); unknown where the file system does not say."""
    request = bytearray(_FIEMAP_HEADER.size + _MAX_EXTENTS * _FIEMAP_EXTENT.size)
    _FIEMAP_HEADER.pack_into(request, 0, 0, 2**64 - 1, 0, 0, _MAX_EXTENTS, 0)
    if not _ioctl(path, _FS_IOC_FIEMAP, request):
        return Extents()
    count = min(_FIEMAP_HEADER.unpack_from(request)[3], _MAX_EXTENTS)
    flags, ranges = 0, []
    for i in range(count):
        _, physical, length, _, _, its_flags, *_ = _FIEMAP_EXTENT.unpack_from(
            request, _FIEMAP_HEADER.size + i * _FIEMAP_EXTENT.size
        )
        flags |= its_flags
        ranges.append((physical, length))
    return Extents(known=count > 0, flags=flags, ranges=tuple(ranges))


def is_no_cow(path: str) -> bool | None:
    """Whether a file is excluded from copy-on-write; None where the file system has no such flags."""
    flags = bytearray(8)
    return bool(_flags_of(flags) & _FS_NOCOW_FL) if _ioctl(path, _FS_IOC_GETFLAGS, flags) else None


def set_nocow(fd: int) -> bool:
    """Exclude a new, still empty file from copy-on-write, so that it can be overwritten in place later.

    Btrfs heeds it on empty files only (ioctl_iflags(2), FS_NOCOW_FL). Returns whether the file system took it;
    one that writes in place anyway has no use for it and may refuse.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    flags = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags, True)
        fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("=LL", _flags_of(flags) | _FS_NOCOW_FL, 0))
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags, True)
    except OSError:
        return False
    return bool(_flags_of(flags) & _FS_NOCOW_FL)


def mount_of(path: str, *, proc: str = "/proc") -> Mount | None:
    """The mount that an absolute, resolved path is on: the longest mount point above it, the last one if stacked."""
    best: Mount | None = None
    for line in (_text(f"{proc}/self/mountinfo") or "").splitlines():
        mount = _parse_mount(line)
        if mount and _is_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def below(mount: Mount | None, *, sys_root: str = "/sys") -> Below:
    """The drives below a file system, through mapped devices and partitions."""
    if mount is None:
        return Below()
    device = mount.device
    if mount.source.startswith("/dev/"):
        try:
            number = os.stat(mount.source).st_rdev
            device = f"{os.major(number)}:{os.minor(number)}"  # Btrfs invents a number of its own for mountinfo
        except OSError:
            pass
    return _below_device(os.path.realpath(f"{sys_root}/dev/block/{device}"))


def _below_device(path: str, depth: int = 0) -> Below:
    if not os.path.isdir(path) or depth > _MAX_DEPTH:
        return Below()
    crypt = (_text(f"{path}/dm/uuid") or "").startswith("CRYPT-")
    try:
        slaves = sorted(os.listdir(f"{path}/slaves"))
    except OSError:
        slaves = []
    if not slaves:
        return Below((_drive(path),), crypt)
    parts = [_below_device(os.path.realpath(f"{path}/slaves/{name}"), depth + 1) for name in slaves]
    encrypted = crypt or (None if any(p.encrypted is None for p in parts) else all(p.encrypted for p in parts))
    return Below(tuple(dict.fromkeys(drive for part in parts for drive in part.drives)), encrypted)


def _drive(path: str) -> Drive:
    queue = path if os.path.isdir(f"{path}/queue") else os.path.dirname(path)  # a partition has its disk's queue
    rotational, granularity = _text(f"{queue}/queue/rotational"), _text(f"{queue}/queue/discard_granularity")
    return Drive(
        name=os.path.basename(path),
        rotational=None if rotational not in ("0", "1") else rotational == "1",
        discards=int(granularity) > 0 if granularity is not None and granularity.isdecimal() else None,
    )


def _swaps(proc: str, sys_root: str) -> tuple[Swap, ...] | None:
    text = _text(f"{proc}/swaps")
    if text is None:
        return None
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 2:
            continue
        name = _unescape(fields[0])
        base = os.path.basename(name)
        if fields[1] == "partition":
            under = _below_device(os.path.realpath(f"{sys_root}/class/block/{base}"))
        else:
            under = below(mount_of(os.path.realpath(name), proc=proc), sys_root=sys_root)
        found.append(Swap(name, base.startswith("zram"), under.encrypted))
    return tuple(found)


def _hibernation(sys_root: str) -> bool | None:
    states = _text(f"{sys_root}/power/state")
    if states is None:
        return None
    return "disk" in states.split() and "[disabled]" not in (_text(f"{sys_root}/power/disk") or "")


def _parse_mount(line: str) -> Mount | None:
    """A line of mountinfo (proc(5)): id, parent, major:minor, root, point, options, tags…, -, type, source, options."""
    before, separator, after = line.partition(" - ")
    left, right = before.split(), after.split()
    if not separator or len(left) < 6 or len(right) < 2:
        return None
    options = left[5].split(",") + (right[2].split(",") if len(right) > 2 else [])
    return Mount(_unescape(left[4]), right[0], _unescape(right[1]), left[2], tuple(dict.fromkeys(options)))


def _unescape(text: str) -> str:
    """Undo what the kernel does to white space and backslashes in paths."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            text = f.read(1 << 20).rstrip("\n")
    except OSError:
        return None
    return None if "\0" in text else text  # no kernel writes one, and no path can have it


def _flags_of(answer: bytearray) -> int:
    return int.from_bytes(answer[:4], sys.byteorder)  # declared as long, filled as int (ioctl_iflags(2))


def _ioctl(path: str, request: int, buffer: bytearray) -> bool:
    if sys.platform != "linux":  # elsewhere the same number may mean something else
        return False
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.ioctl(fd, request, buffer, True)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
