# SPDX-License-Identifier: Apache-2.0
"""The system calls that a confined process keeps, as a classic BPF program for seccomp(2).

A list of what is allowed, not of what is forbidden: what the kernel learns next year is refused without us. Kept are
reading and writing what is open already, memory that is not executable, clocks, its own timer, random bytes, and
ending. Not kept: opening anything, sockets, other programs, other processes, threads, signals to others, new
executable memory, ioctl. Another program (tesseract) also has to be started, and to load its libraries: it may open
files, which Landlock limits.

Numbers are those of <asm/unistd_64.h> and <asm-generic/unistd.h>; the layout of ``seccomp_data`` and of instructions
is <linux/seccomp.h>, <linux/filter.h>. Pure: it only makes bytes.
"""

from __future__ import annotations

import struct

_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7  # <linux/audit.h>
_NUMBERS = {
    # name: (x86_64, aarch64)
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "lseek": (8, 62),
    "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "futex": (202, 98), "sched_yield": (24, 124), "restart_syscall": (219, 128), "getpid": (39, 172),
    "gettid": (186, 178), "gettimeofday": (96, 169), "setitimer": (38, 103), "clock_gettime": (228, 113),
    "getrandom": (318, 278), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
_WITHOUT_EXECUTING = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Kept, unless they ask for executable memory: ``prot`` is the third argument of both."""
_FOR_A_PROGRAM = {
    "execve": (59, 221), "openat": (257, 56), "pread64": (17, 67), "fstat": (5, 80), "newfstatat": (262, 79),
    "statx": (332, 291), "faccessat": (269, 48), "readlinkat": (267, 78), "fcntl": (72, 25),
    "set_tid_address": (218, 96), "set_robust_list": (273, 99), "rseq": (334, 293), "sched_getaffinity": (204, 123),
    "sysinfo": (99, 179), "uname": (63, 160), "getdents64": (217, 61), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getcwd": (79, 17), "dup": (32, 23),
}  # fmt: skip
"""What the dynamic linker, the C library and programs of their own kind ask for besides, and executable memory."""
_OF_ITSELF = {"prlimit64": (302, 261)}
"""For a program, too, but only of the process that asks: the first argument is another's number, or 0. Limits of any
process of the same user could be lowered with it, to none."""
_FOR_A_PROGRAM_X86_64 = {"arch_prctl": (158,), "access": (21,), "readlink": (89,)}
_ARCHITECTURES = {"x86_64": (_X86_64, 0), "aarch64": (_AARCH64, 1)}

# Offsets in struct seccomp_data, little-endian.
_AT_NUMBER, _AT_ARCHITECTURE, _AT_WHOSE, _AT_PROTECTION = 0, 4, 16, 16 + 2 * 8
_PROT_EXEC = 4
_LOAD, _RETURN = 0x20, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_RET|BPF_K
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45  # BPF_JMP|BPF_K with JEQ, JGE, JSET
_KILL, _ALLOW = 0x80000000, 0x7FFF0000  # SECCOMP_RET_KILL_PROCESS, _ALLOW
_REFUSE = 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM: libraries that probe get an answer they know
_X32 = 0x40000000
"""From here on numbers mean another ABI on x86_64, which the list does not speak of; none on aarch64 is so high."""


def program(machine: str, *, for_a_program: bool = False) -> bytes | None:
    """The instructions for a machine as ``platform.machine()`` names it, 8 bytes each; None where we have no list.

    ``for_a_program``: for a process that is to become another program, once or again, and nothing else of its kind.
    """
    if machine not in _ARCHITECTURES:
        return None
    architecture, column = _ARCHITECTURES[machine]
    allowed = [numbers[column] for numbers in _NUMBERS.values()]
    guarded = [numbers[column] for numbers in _WITHOUT_EXECUTING.values()]
    own: list[int] = []
    if for_a_program:
        allowed += [numbers[column] for numbers in _FOR_A_PROGRAM.values()] + guarded
        allowed += [number for numbers in _FOR_A_PROGRAM_X86_64.values() for number in numbers[column : column + 1]]
        guarded = []
        own = [numbers[column] for numbers in _OF_ITSELF.values()]
    allow = b"".join(_on_number(number, _ALLOW) for number in allowed)
    unless = b"".join((*map(_on_number_without_executing, guarded), *map(_on_number_of_itself, own)))
    return b"".join(
        (
            _op(_LOAD, _AT_ARCHITECTURE),
            _op(_IF_EQUAL, architecture, 1, 0),
            _op(_RETURN, _KILL),
            _op(_LOAD, _AT_NUMBER),
            _op(_IF_AT_LEAST, _X32, 0, 1),
            _op(_RETURN, _KILL),
            allow,
            unless,
            _op(_RETURN, _REFUSE),
        )
    )


def _on_number(number: int, verdict: int) -> bytes:
    return _op(_IF_EQUAL, number, 0, 1) + _op(_RETURN, verdict)


def _on_number_without_executing(number: int) -> bytes:
    return b"".join(
        (
            _op(_IF_EQUAL, number, 0, 4),
            _op(_LOAD, _AT_PROTECTION),
            _op(_IF_ANY_BIT, _PROT_EXEC, 0, 1),
            _op(_RETURN, _REFUSE),
            _op(_RETURN, _ALLOW),
        )
    )


def _on_number_of_itself(number: int) -> bytes:
    return b"".join(
        (
            _op(_IF_EQUAL, number, 0, 4),
            _op(_LOAD, _AT_WHOSE),  # 32 bits, as a pid_t has
            _op(_IF_EQUAL, 0, 0, 1),
            _op(_RETURN, _ALLOW),
            _op(_RETURN, _REFUSE),
        )
    )


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One ``struct sock_filter``; jumps count the instructions to skip."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
