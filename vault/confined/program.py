# SPDX-License-Identifier: Apache-2.0
"""Another program on bytes from a document, confined: it may read its own files, and reach nothing else.

``run`` is the side that asks. It starts a Python that gives everything up (``sandbox.confine_for_program``) and then
becomes the program: what it gave up it does not get back. Bytes go in and out through pipes. What holds where:
docs/decisions/0051-text-search.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _

from vault.confined.protocol import Limits
from vault.confined.sandbox import confine_for_program, end_before_others, end_with
from vault.confined.worker import end_group
from vault.errors import ConfinedFailed
from vault.refusals import refusal

_START = "import sys; sys.path.insert(0, sys.argv[1]); from vault.confined.program import become; become(sys.argv[2:])"
_SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
"""What a dynamically linked program loads. Nothing of a person's is there."""
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1",
            "/lib/ld-musl-aarch64.so.1")  # fmt: skip
_KEPT_VARIABLES = ("SYSTEMROOT",)


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its path, its arguments, the folders that it reads, and variables as ``NAME=value``."""

    path: str
    arguments: tuple[str, ...]
    reads: tuple[str, ...]
    variables: tuple[str, ...] = ()


def become(words: list[str]) -> None:
    """In the child: who asks, limits, the folders, a lone ``--``, variables, ``--``, the program, its arguments."""
    parent, limits, *rest = words
    reads, rest = _until_dashes(rest)
    variables, command = _until_dashes(rest)
    path = os.path.realpath(command[0])
    loaders = [os.path.realpath(loader) for loader in _LOADERS if os.path.exists(loader)]
    if sys.platform == "linux":
        end_with(int(parent))  # which holds for the program that this becomes, too (prctl(2), PR_SET_PDEATHSIG)
    end_before_others()
    confine_for_program(Limits.decode(limits), (*_LIBRARIES, *reads), (path, *loaders))
    environment = dict(word.split("=", 1) for word in variables)
    if sys.platform == "win32":  # no process becomes another there; the job ends the program with this one
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        done = subprocess.run(
            [path, *command[1:]], stdin=0, stdout=1, stderr=subprocess.DEVNULL, env=environment | kept, check=False
        )
        os._exit(int(done.returncode != 0))
    os.execve(path, command, environment)  # noqa: S606  # no shell is what we want


def _until_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    at = words.index("--")
    return words[:at], words[at + 1 :]


def run(
    program: Program, data: bytes, limits: Limits, started: Callable[[Callable[[], None]], None] = lambda end: None
) -> bytes:
    """What the program writes when it reads ``data``: untrusted, ``limits.output`` bytes at most.

    ``started`` is given what ends it, from any thread. Raises ConfinedFailed.
    """
    command = [sys.executable, "-I", "-B", "-c", _START, _SOURCE, str(os.getpid()), limits.encode()]
    command += [*program.reads, "--"]
    command += [*program.variables, "--", program.path, *program.arguments]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=os.path.abspath(os.sep), start_new_session=True,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        )  # fmt: skip
    except OSError as exc:
        raise ConfinedFailed(
            _("no process could be started to read it: {reason}").format(reason=refusal(exc))
        ) from exc
    late = threading.Event()

    def give_up() -> None:
        late.set()
        end_group(process)

    timer = threading.Timer(limits.seconds, give_up)
    feeder = threading.Thread(target=_feed, args=(process, data))
    timer.start()
    feeder.start()
    started(partial(end_group, process))
    assert process.stdout is not None
    try:
        answer = process.stdout.read(limits.output + 1)
        if len(answer) > limits.output:
            end_group(process)
        code = process.wait()
    finally:
        end_group(process)
        process.wait()
        timer.cancel()
        feeder.join()
        process.stdout.close()
    if late.is_set():
        raise ConfinedFailed(_("reading it took longer than {count} seconds").format(count=limits.seconds))
    if code or len(answer) > limits.output:  # one that wrote too much may have ended well before it was ended
        raise ConfinedFailed(_("the process that read it crashed or answered nonsense"))
    return answer


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    with suppress(OSError), process.stdin as pipe:  # a program that ends early is judged by its answer
        pipe.write(data)
