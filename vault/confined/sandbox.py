# SPDX-License-Identifier: Apache-2.0
"""What a process gives up before it reads a hostile byte, for ever, and what it then says holds.

On Linux: rlimits, no new privileges, not dumpable, Landlock (landlock(7)) with no rule at all, so no file and no TCP
port, and seccomp with the list of ``bpf``. Elsewhere: the rlimits there are, on Windows a job object, and being a
process of its own. Each part is tried by itself; ``Confinement`` says which took hold, and claims none that did not.
Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from vault.confined import bpf, job_object
from vault.confined.protocol import Limits

# <linux/prctl.h>
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
# <linux/landlock.h>; the numbers of these three calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_FOLDER = 1, 4, 8
_CREATE_RULESET_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of Landlock knows; the later ones know no more."""
_TCP = 0b11
"""Bind and connect, from version 4 on."""
_SCOPES = 0b11
"""Abstract Unix sockets and signals, from version 6 on."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What took hold. ``landlock`` is the version in force, 0 for none; the process is one of its own in any case."""

    limits: tuple[str, ...] = ()
    no_new_privileges: bool = False
    landlock: int = 0
    seccomp: bool = False

    @property
    def no_files(self) -> bool:
        """Whether the system refuses it every file by name."""
        return self.seccomp or self.landlock > 0

    @property
    def no_network(self) -> bool:
        """Whether the system refuses it every socket."""
        return self.seccomp

    @property
    def no_programs(self) -> bool:
        """Whether the system refuses it other programs and processes."""
        return self.seccomp


_here = Confinement()


def confinement_here() -> Confinement:
    """What holds in this process."""
    return _here


def end_with(parent: int) -> None:
    """Let this process, on Linux, end when its parent does, also one that is gone already. Before ``confine``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def end_before_others() -> None:
    """When memory runs out, let Linux end this process and its children, and not the one that holds the vault.

    proc_pid_oom_score_adj(5). Elsewhere, and where it is not allowed, nothing changes.
    """
    with suppress(OSError), open("/proc/self/oom_score_adj", "r+") as score:
        score.write("1000")


def confine(limits: Limits) -> Confinement:
    """Give up everything that ``limits`` and the system let this process give up. There is no way back."""
    global _here
    no_new_privileges, landlock, seccomp = False, 0, False
    set_limits = [*_lower_limits(limits), *job_object.enter(limits, processes=1)]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        no_new_privileges = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        landlock = _landlock(libc) if no_new_privileges else 0
        set_limits += _limit("NOFILE", 3)  # after Landlock, which needs a descriptor for a moment
        seccomp = no_new_privileges and _seccomp(libc)
    _here = Confinement(tuple(set_limits), no_new_privileges, landlock, seccomp)
    return _here


def confine_for_program(limits: Limits, readable: Sequence[str], program: Sequence[str]) -> Confinement:
    """The same for a process that is to become another program: it may read below ``readable``, and start what is in
    ``program``, which names the program and its loader. No network, no writing, no other process.
    """
    global _here
    no_new_privileges, landlock, seccomp = False, 0, False
    set_limits = [*_lower_limits(limits), *job_object.enter(limits, processes=2)]  # itself, and the program
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        no_new_privileges = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        rules = [(path, _READ_FILE | _READ_FOLDER) for path in readable]
        rules += [(path, _READ_FILE | _EXECUTE) for path in program]
        landlock = _landlock(libc, rules) if no_new_privileges else 0
        set_limits += _limit("NOFILE", 64)
        seccomp = no_new_privileges and _seccomp(libc, for_a_program=True)
    _here = Confinement(tuple(set_limits), no_new_privileges, landlock, seccomp)
    return _here


def _lower_limits(limits: Limits) -> list[str]:
    return [
        *_no_dumps(),
        *_limit("FSIZE", 0),
        *_limit("NPROC", 0),
        *_limit("CPU", limits.cpu_seconds, limits.cpu_seconds + 1),  # SIGXCPU, which tells, and then SIGKILL
        *_limit("AS", limits.memory),
    ]


def _no_dumps() -> list[str]:
    """Why 1 and not 0 on Linux: ``keys.memory.leave_no_dumps``. A program that we become can be dumped again."""
    return (_limit("CORE", 1) if sys.platform == "linux" else []) or _limit("CORE", 0)


def _limit(name: str, soft: int, hard: int | None = None) -> list[str]:
    """The name, if the system has such a limit and takes it."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, soft if hard is None else hard))
        return [name]
    return []


def _landlock(libc: ctypes.CDLL, rules: Sequence[tuple[str, int]] = ()) -> int:
    """Handle every right the kernel knows, and grant those in ``rules``: a path, rights. The version in force, or 0."""
    version = int(libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))
    if version < 1:
        return 0
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    attributes = struct.pack("=QQQ", files, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = int(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    if ruleset < 0:
        return 0
    for path, rights in rules:
        _grant(libc, ruleset, path, rights)
    done = int(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    libc.close(ruleset)
    return version if done == 0 else 0


def _grant(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # what is not there needs no right
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        granted = rights if os.path.isdir(path) else rights & ~_READ_FOLDER
        # struct landlock_path_beneath_attr: packed, so 12 bytes
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", granted, place), 0)
        os.close(place)


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _seccomp(libc: ctypes.CDLL, *, for_a_program: bool = False) -> bool:
    instructions = bpf.program(platform.machine(), for_a_program=for_a_program)
    if instructions is None or sys.byteorder != "little":
        return False
    fprog = _Program(len(instructions) // 8, instructions)
    return int(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0)) == 0
