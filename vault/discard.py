# SPDX-License-Identifier: Apache-2.0
"""Asking a file system to forget what was deleted, after a wipe. Best effort: the keys are gone already.

Everything here may be slow, refused or hang in the kernel, so it runs in a child process that is given up after
``DEADLINE`` seconds. Linux only so far. ioctl numbers from <linux/fs.h> and fs/ext4/ext4.h (EXT4_IOC_CHECKPOINT,
Linux 5.14, Documentation/filesystems/ext4/journal.rst); which of them leaves what behind was measured, see
docs/decisions/0007-emergency-wipe.md.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import time

from vault.language import later
from vault.language import said as _

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.medium import Medium

DEADLINE = 5.0
"""Seconds that all requests together may take."""

_FITRIM = 0xC0185879  # _IOWR('X', 121, struct fstrim_range): start, length, minimum; bytes
_EXT4_IOC_CHECKPOINT = 0x4004662B  # _IOW('f', 43, __u32)
_CHECKPOINT_ZEROOUT = 2
_EVERYTHING = 2**64 - 1

_NOT_THERE = "there is none"

FLUSH = later("flush the file system (syncfs)")
JOURNAL = later("empty and zero the ext4 journal (EXT4_IOC_CHECKPOINT)")
DISCARD_KEYRING = later("discard the keyring's blocks (FITRIM)")
DISCARD_ALL = later("discard all free blocks (FITRIM)")


def ask(medium: Medium, *, deadline: float = DEADLINE) -> tuple[tuple[str, str], ...]:
    """Ask the file system of ``medium`` for all that may help. Returns each request with "" or why not."""
    if sys.platform != "linux" or medium.mount is None:
        return ((DISCARD_ALL, later("known on Linux only")),)
    requests: list[tuple[str, Callable[[int], None]]] = [(FLUSH, _syncfs)]
    if medium.mount.kind == "ext4":
        requests.append((JOURNAL, _checkpoint))
    if medium.extents.ranges:
        requests.append((DISCARD_KEYRING, lambda fd: _trim(fd, medium.extents.ranges)))
    requests.append((DISCARD_ALL, lambda fd: _trim(fd, ((0, _EVERYTHING),))))
    try:
        # The mount point outlives the vault; a folder of the vault, held open, would keep its own blocks alive.
        fd = os.open(medium.mount.point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        return tuple((name, _why(error)) for name, __ in requests)
    try:
        return _in_a_child(fd, requests, deadline)
    finally:
        os.close(fd)


def _in_a_child(
    fd: int, requests: list[tuple[str, Callable[[int], None]]], deadline: float
) -> tuple[tuple[str, str], ...]:
    until = time.monotonic() + deadline
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        return tuple((name, _why(error)) for name, __ in requests)
    if child == 0:
        try:
            _serve(fd, writer, [request for __, request in requests])
        finally:
            os._exit(0)  # nothing of the parent may run twice
    os.close(writer)
    answers = _answers(reader, until, len(requests))
    if len(answers) < len(requests):
        os.kill(child, 9)
        os.waitpid(child, os.WNOHANG)  # stuck in the kernel it may outlive us; nobody waits for it
    else:
        os.waitpid(child, 0)
    late = _("not finished within {seconds} s").format(seconds=f"{deadline:.0f}")
    answers += [late] * (len(requests) - len(answers))
    return tuple((name, why) for (name, __), why in zip(requests, answers, strict=True) if why != _NOT_THERE)


def _serve(fd: int, writer: int, requests: list[Callable[[int], None]]) -> None:
    """In the child: one line for each request, empty when it was done."""
    for standard in {0, 1, 2} - {fd, writer}:
        try:
            os.close(standard)  # whoever reads the parent's output must not wait for a child that hangs
        except OSError:
            continue
    for request in requests:
        try:
            request(fd)
            why = ""
        except OSError as error:
            why = _why(error)
        except Exception as error:  # no libc to load, no such function: also only a reason why not
            why = type(error).__name__
        os.write(writer, why.replace("\n", " ").encode("utf-8", "replace")[:200] + b"\n")


def _answers(reader: int, until: float, wanted: int) -> list[str]:
    import select

    data = b""
    try:
        while data.count(b"\n") < wanted:
            left = until - time.monotonic()
            if left <= 0 or not select.select([reader], [], [], left)[0]:
                break
            piece = os.read(reader, 4096)
            if not piece:
                break
            data += piece
    finally:
        os.close(reader)
    return data.decode("utf-8", "replace").split("\n")[:-1]


def _syncfs(fd: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _checkpoint(fd: int) -> None:
    import fcntl

    try:
        fcntl.ioctl(fd, _EXT4_IOC_CHECKPOINT, struct.pack("=L", _CHECKPOINT_ZEROOUT))
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise OSError(error.errno, _NOT_THERE) from error
        raise


def _trim(fd: int, ranges: tuple[tuple[int, int], ...]) -> None:
    import fcntl

    for start, length in ranges:
        fcntl.ioctl(fd, _FITRIM, struct.pack("=QQQ", start, length, 0))


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
