# SPDX-License-Identifier: Apache-2.0
"""What code that a hostile document took over would try, as jobs of a confined child. Each says how far it came."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable

from vault.extracting import patience

_LIBC = ctypes.CDLL(None, use_errno=True)
_SEEN: list[bytes] = []


def _outcome(act: Callable[[], object]) -> bytes:
    try:
        return b"done: " + repr(act()).encode()
    except OSError as exc:
        return b"refused: " + errno.errorcode.get(exc.errno or 0, "?").encode()


def echo(untrusted: bytes, argument: bytes) -> bytes:
    return argument + untrusted


def open_file(untrusted: bytes, argument: bytes) -> bytes:
    """Read the file that the argument names."""
    return _outcome(lambda: os.open(argument, os.O_RDONLY))


def write_file(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: os.open(argument, os.O_WRONLY | os.O_CREAT, 0o600))


def list_folder(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: os.listdir(argument))


def tcp(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: socket.socket().connect(("127.0.0.1", int(argument))))


def udp(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(argument)))
    )


def unix_socket(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: socket.socketpair())


def execute(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: os.execv(sys.executable, [sys.executable, "-c", "print('x' * 99)"]))


def fork(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(os.fork)


def leave_the_session(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(os.setsid)


def kill_others(untrusted: bytes, argument: bytes) -> bytes:
    """Kill the process whose number is the argument."""
    return _outcome(lambda: os.kill(int(argument), signal.SIGKILL))


def executable_memory(untrusted: bytes, argument: bytes) -> bytes:
    return _outcome(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))


def io_uring(untrusted: bytes, argument: bytes) -> bytes:
    """A call that is in no list of forbidden ones older than itself."""

    def setup() -> int:
        done = _LIBC.syscall(425, 1, ctypes.create_string_buffer(120))
        if done < 0:
            raise OSError(ctypes.get_errno(), "")
        return done

    return _outcome(setup)


def trace(untrusted: bytes, argument: bytes) -> bytes:
    """PTRACE_TRACEME."""

    def traceme() -> int:
        done = _LIBC.ptrace(0, 0, 0, 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), "")
        return done

    return _outcome(traceme)


def descriptors(untrusted: bytes, argument: bytes) -> bytes:
    """Which descriptors are open."""
    found = []
    for fd in range(1024):
        try:
            os.lseek(fd, 0, os.SEEK_CUR)
        except OSError as exc:
            if exc.errno == errno.EBADF:
                continue
        found.append(str(fd))
    return ",".join(found).encode()


def surroundings(untrusted: bytes, argument: bytes) -> bytes:
    """Environment and command line."""
    return repr((sorted(os.environ), sys.argv)).encode()


def remember(untrusted: bytes, argument: bytes) -> bytes:
    """What other documents left in this process."""
    _SEEN.append(untrusted)
    return b"|".join(_SEEN)


def eat_memory(untrusted: bytes, argument: bytes) -> bytes:
    return bytes(len(bytearray(64 << 30)))


def eat_memory_slowly(untrusted: bytes, argument: bytes) -> bytes:
    held = []
    while True:
        held.append(bytearray(1 << 20))


def spin(untrusted: bytes, argument: bytes) -> bytes:
    while True:
        pass


def spin_inside(untrusted: bytes, argument: bytes) -> bytes:
    """One thing inside of another takes its time, and then the other does."""
    said = b""
    try:
        with patience.within(0.3):
            try:
                with patience.within(0.1):
                    while True:
                        pass
            except patience.TookTooLong:
                said += b"inner "
            while True:
                pass
    except patience.TookTooLong:
        return said + b"outer"


def sleep(untrusted: bytes, argument: bytes) -> bytes:
    """For ever, without processor time: a read from a pipe into which nobody writes."""
    os.read(0, 1)
    return b""


def garbage(untrusted: bytes, argument: bytes) -> bytes:
    os.write(1, b"garbage" * 100)
    os._exit(0)


def endless_answer(untrusted: bytes, argument: bytes) -> bytes:
    os.write(1, b"D" + b"\xff" * 8)
    while True:
        os.write(1, bytes(65536))


def answer_twice(untrusted: bytes, argument: bytes) -> bytes:
    """What comes behind the answer would be taken for the answer to the next document."""
    os.write(1, b"D" + (2).to_bytes(8, "big") + b"ok" + b"D" + (4).to_bytes(8, "big") + b"evil")
    os._exit(0)


def half_an_answer(untrusted: bytes, argument: bytes) -> bytes:
    os.write(1, b"D" + (10).to_bytes(8, "big") + b"half")
    os._exit(0)


def crash(untrusted: bytes, argument: bytes) -> bytes:
    ctypes.string_at(0)
    return b""


def die(untrusted: bytes, argument: bytes) -> bytes:
    os._exit(7)


def stumble(untrusted: bytes, argument: bytes) -> bytes:
    raise RecursionError("secret text of the document")


def refuse(untrusted: bytes, argument: bytes) -> bytes:
    from vault.confined.protocol import Refused

    raise Refused("it is encrypted" * 500)
