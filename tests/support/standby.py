# SPDX-License-Identifier: Apache-2.0
"""`sandyk` commands without the wait for Python: a process has loaded the program, and forks for each command.

What runs is what the console script runs, in a process of its own: its own arguments, environment, current folder,
standard streams, session and end. Only the loading is done once instead of a thousand times; a test holds that
both say the same. Refuses what loading has to do with: ``panic`` and ``--version``, which load nothing, another locale
or timezone, and Python's own variables. Such commands, and all of them where there is no pidfd_open(2), are started as
the console script.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import keys
import vault

if sys.platform != "win32":
    import fcntl
    import termios

SCRIPT = Path(sys.executable).parent / "sandyk"
AT_THE_START = ("PYTHON", "LD_", "TZ", "MALLOC_", "GLIBC_")
LOCALE = ("LC_", "LANG")
"""How the names of those variables begin that are looked at while Python is loaded."""
UTF8 = "C.UTF-8"
ELSEWHERE = ("vault.__main__", "vault.screen", "vault.cleaning", "vault.extracting")
MOST = 1 << 17
"""The most bytes of a request: the words of a command and its environment. A socket has room for more (unix(7))."""


def can_be_forked(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether nothing in a command has to do with how the program is loaded."""
    early = {name: value for name, value in environment.items() if name.startswith(AT_THE_START)}
    locale = {name: value for name, value in environment.items() if name.startswith(LOCALE)}
    in_utf8 = early == {"PYTHONUTF8": "1"} or (not early and locale in ({"LC_ALL": UTF8}, {"LANG": UTF8}))
    return (
        hasattr(os, "pidfd_open")
        and command[0] == str(SCRIPT)
        and not {"panic", "--version"} & set(command)
        and sum(map(len, command)) < MOST // 16
        and in_utf8
    )


def run(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, input: bytes = b""
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """Run a command to its end in a session of its own, without a terminal, as ``subprocess.run`` does."""
    if not can_be_forked(command, env):
        return subprocess.run(command, input=input, capture_output=True, env=env, cwd=cwd, start_new_session=True)
    (stdin, to_it), (from_it, stdout), (complaints, stderr) = os.pipe(), os.pipe(), os.pipe()
    ended = start(command, (stdin, stdout, stderr), env=env, cwd=cwd)
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    said: dict[int, bytes] = {}
    readers = [threading.Thread(target=_read_into, args=(said, each)) for each in (from_it, complaints)]
    for reader in readers:
        reader.start()
    try:
        with open(to_it, "wb", buffering=0) as sink:
            sink.write(input)
    except BrokenPipeError:
        pass  # it ended without reading all of it, as subprocess.run has it
    for reader in readers:
        reader.join()
    return subprocess.CompletedProcess(list(command), exit_code(ended), said[from_it], said[complaints])


def run_for_text(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same for a command that reads nothing and prints text."""
    done = run(command, env=env, cwd=cwd)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _read_into(said: dict[int, bytes], descriptor: int) -> None:
    with open(descriptor, "rb") as source:
        said[descriptor] = source.read()


def start(
    command: Sequence[str], streams: tuple[int, int, int], *, env: Mapping[str, str], cwd: Path
) -> socket.socket:  # fmt: skip
    """Start a command with three descriptors as its streams; where ``exit_code`` learns of its end.

    It has a session of its own, and a terminal as its first stream is that session's terminal.
    """
    ours, theirs = socket.socketpair()
    request = json.dumps([list(command), dict(env), str(cwd)]).encode()
    with theirs:
        socket.send_fds(_standing_by(), [request], [*streams, theirs.fileno()])
    return ours


def start_at_a_terminal(
    command: Sequence[str], size: tuple[int, int], *, env: Mapping[str, str], cwd: Path
) -> tuple[int, socket.socket]:  # fmt: skip
    """Start a command at a terminal of so many rows and columns: the other end of it, and where its end is told."""
    ours, terminal = os.openpty()
    termios.tcsetwinsize(terminal, size)
    ended = start(command, (terminal, terminal, terminal), env=env, cwd=cwd)
    os.close(terminal)
    return ours, ended


def exit_code(ended: socket.socket) -> int:
    """Wait until the command has ended: its exit code, or the negative number of the signal that ended it."""
    with ended:
        return os.waitstatus_to_exitcode(int(ended.recv(32)))


@functools.cache
def _standing_by() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": UTF8, "PYTHONPATH": ""}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=environment,
            # Python looks once at what a stream is: pipes, as they will be.
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", start_new_session=True,
        )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(ours.close)  # the other end sees it and ends; atexit goes from the last to the first
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"loaded\n", process.stderr.read().decode()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    return ours


# Below is the process that stands by.


def _stand_by(requests: socket.socket) -> None:
    """Fork for each request, and answer with the wait status when the command has ended. Returns in the commands."""
    children: dict[int, tuple[int, socket.socket]] = {}
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            if key.fd in children:
                number, ended = children.pop(key.fd)
                selector.unregister(key.fd)
                os.close(key.fd)
                with ended:
                    ended.send(str(os.waitpid(number, 0)[1]).encode())
                continue
            request, descriptors, _flags, _address = socket.recv_fds(requests, MOST, 4)
            if not request:
                sys.exit()
            *streams, ending = descriptors
            number = os.fork()
            if number == 0:
                selector.close()
                requests.close()
                for watched, (_number, ended) in children.items():
                    os.close(watched)
                    ended.close()
                os.close(ending)
                _become(*json.loads(request), streams)
                return
            for descriptor in streams:
                os.close(descriptor)
            watched = os.pidfd_open(number)
            children[watched] = number, socket.socket(fileno=ending)
            selector.register(watched, selectors.EVENT_READ)


def _become(command: list[str], environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """In the new process: what the kernel and Python set up for a program that is started afresh."""
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # also opening a terminal would do that, but it is open
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    sys.argv[:] = command
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)


def _load() -> None:
    """What commands load, and Typer when it is first asked for anything.

    Not the screen, which is large and rare, nor what confined children load, which are never forks.
    """
    from vault.cli.app import app

    for package in (keys, vault):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=print):
            if not module.name.startswith(ELSEWHERE):
                with contextlib.suppress(ImportError):  # made for another system, or for a library that is not here
                    importlib.import_module(module.name)
    with contextlib.redirect_stdout(io.StringIO()):
        app(["add", "--help"], prog_name="sandyk", standalone_mode=False)


def _main() -> NoReturn:
    from vault.entry import main

    _load()
    gc.freeze()
    assert threading.active_count() == 1, "a thread is lost in a fork"
    assert tempfile.tempdir is None, "somebody has asked already where temporary files go"
    os.write(1, b"loaded\n")
    _stand_by(socket.socket(fileno=int(sys.argv[1])))
    code = main()
    threading._shutdown()  # waits for threads, as every end does
    sys.stdout.flush()
    sys.stderr.flush()
    # The rest of an end takes down a thousand modules, in pages that the forks share.
    os._exit(code)


if __name__ == "__main__":
    _main()
