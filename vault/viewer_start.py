# SPDX-License-Identifier: Apache-2.0
"""The last steps of a process before it becomes the program that shows a document: what it gives up for that.

On Linux it ends with whoever started it, dumps no core, gets a /tmp of its own and a network with nothing in it (where
user namespaces are allowed: user_namespaces(7)), and may write to no file but below the view's folder (landlock(7)),
nor may what it starts. Reading is left alone: programs need their libraries and fonts. Each part is tried by itself,
and what took hold is said through a pipe, which closes when the program has started. What goes through sockets to other
programs (the desktop, the clipboard, a print service) is none of these. Numbers: <linux/prctl.h>, <linux/sched.h>,
<linux/mount.h>, <linux/landlock.h>. Standard library only: it runs by itself.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

from keys.memory import leave_no_dumps

SIGNS = {"files": b"F", "network": b"N", "tcp": b"T", "hidden": b"H"}
"""What took hold, as it is said: no file elsewhere, no network, no TCP, folders that are hidden."""
NOTHING, OWN_TMP = "nothing", "tmp"
"""Folders in the view's: an empty one, which is laid over what is hidden, and one which takes the place of /tmp."""
LAID = (NOTHING, OWN_TMP)
"""What the programs of a view, and nobody else, have mounted: ``view_sweep`` knows them by it."""
FAILED = b"!"
"""Before the number of the error for which the program did not start."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _SIGKILL = 1, 38, 9
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_ONLY = 1
_RULE_PATH_BENEATH = 1
_WRITE_FILE, _MAKE_SOCK = 1 << 1, 1 << 9
_CHANGES = {1: 0x1FF2, 2: 0x3FF2, 3: 0x7FF2}
"""By version of Landlock: write, remove and make of every kind; from 2 on refer, from 3 on truncate. Not read, execute
and (from 5 on) ioctl."""
_FILE_CHANGES = {1: 0x0002, 2: 0x0002, 3: 0x4002}
"""Those of them that mean a file and no folder."""
_TCP = 0b11
_WITH_TCP = 4
_DEVICES = (
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts",
    "/dev/dri", "/dev/snd", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/proc",
)  # fmt: skip
"""What programs write to and that keeps nothing: terminals, screens, sound, their own entries in /proc."""


def main(words: list[str]) -> None:
    """``words``: descriptor to report on, parent's number, ``yes`` or ``no`` to the network, folder, how many folders
    to hide, these, program and its arguments. Never returns."""
    report, parent, network, folder, count, *rest = words
    hide, command = rest[: int(count)], rest[int(count) :]
    fd = int(report)
    os.set_inheritable(fd, False)
    try:
        if sys.platform == "linux":
            os.write(fd, b"".join(give_up(int(parent), folder, command[0], hide, network=network == "yes")))
        os.execvp(command[0], command)  # noqa: S606  # what the user named, without a shell in between
    except OSError as error:
        os.write(fd, FAILED + struct.pack("!I", error.errno or 0))
    os._exit(127)


def give_up(parent: int, folder: str, program: str, hide: list[str], *, network: bool) -> Iterator[bytes]:
    """Each sign of ``SIGNS`` that took hold."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)
    leave_no_dumps()
    alone = _leave(libc, 0 if network else _CLONE_NEWNET)
    cut_off = alone and not network
    if cut_off:
        yield SIGNS["network"]
    # Mounts of its own stay its own; without that nothing below is hidden from it alone.
    alone = alone and libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0
    if alone and _hide(libc, hide, os.path.join(folder, NOTHING)):
        yield SIGNS["hidden"]
    # Not where that would hide what it is about: the view itself, or the program.
    needed = any(path.startswith("/tmp/") for path in (folder, program))  # noqa: S108
    own_tmp = alone and not needed and _take_own_tmp(libc, os.path.join(folder, OWN_TMP))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        version = _landlock(libc, folder, network=network, own_tmp=own_tmp)
        if version:
            yield SIGNS["files"]
        if version >= _WITH_TCP and not network and not cut_off:
            yield SIGNS["tcp"]


def _leave(libc: ctypes.CDLL, also: int) -> bool:
    """Into mounts of its own, and what ``also`` names, as the same user; where user namespaces are allowed."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | also) != 0:
        return False
    with suppress(OSError):
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
                f.write(text)
    return True


def _hide(libc: ctypes.CDLL, folders: list[str], empty: str) -> bool:
    """Lay an empty folder over each of these that is there."""
    there = [folder for folder in folders if os.path.isdir(folder)]
    return all(libc.mount(os.fsencode(empty), os.fsencode(one), None, _MS_BIND, None) == 0 for one in there)


def _take_own_tmp(libc: ctypes.CDLL, tmp: str) -> bool:
    """The view's ``tmp`` in the place of /tmp: office suites lay sockets there, whatever TMPDIR says. X11's stay."""
    display = "/tmp/.X11-unix"  # noqa: S108
    if os.path.isdir(display):
        os.mkdir(tmp + "/.X11-unix", 0o700)
        if libc.mount(display.encode(), os.fsencode(tmp) + b"/.X11-unix", None, _MS_BIND, None) != 0:
            return False
    return int(libc.mount(os.fsencode(tmp), b"/tmp", None, _MS_BIND | _MS_REC, None)) == 0


def _landlock(libc: ctypes.CDLL, folder: str, *, network: bool, own_tmp: bool) -> int:
    """Handle every change of files, and allow it below the folder and on devices. The version in force, or 0."""
    version = int(libc.syscall(_CREATE_RULESET, None, 0, _VERSION_ONLY))
    if version < 1:
        return 0
    known = min(version, max(_CHANGES))
    tcp = _TCP if version >= _WITH_TCP and not network else 0
    ruleset = int(
        libc.syscall(
            _CREATE_RULESET, struct.pack("=QQ", _CHANGES[known], tcp), ctypes.c_size_t(16 if version >= 4 else 8), 0
        )
    )
    if ruleset < 0:
        return 0
    allowed = _allow(libc, ruleset, folder, _CHANGES[known])
    _allow(libc, ruleset, "/tmp", _CHANGES[known] if own_tmp else _MAKE_SOCK)  # noqa: S108
    for device in _DEVICES:
        rights = _WRITE_FILE if os.path.isdir(device) else _FILE_CHANGES[known]
        _allow(libc, ruleset, device, rights)
    done = allowed and int(libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    os.close(ruleset)
    return version if done else 0


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> bool:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        rule = struct.pack("=Qi", rights, fd)  # struct landlock_path_beneath_attr is packed
        return int(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)) == 0
    finally:
        os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1:])
