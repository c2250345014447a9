# SPDX-License-Identifier: Apache-2.0
"""The child: loads a job's code, then for each document gives up everything, reads it, answers, and ends.

On Linux the process that loaded the code forks before each document and never reads one itself, so that no document
finds what another left behind; elsewhere it takes one document and ends. Descriptors: 0 requests, 1 responses, 2 how
each document's process ended; whoever reads documents has no 2.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import sys
from collections.abc import Callable

from vault.confined import protocol
from vault.confined.protocol import DONE, ENDING, FAILED, HEAD, LENGTH, REFUSED, Job, Limits, Refused
from vault.confined.sandbox import confine, end_before_others, end_with

JobFunction = Callable[[bytes, bytes], bytes]


def main(words: list[str]) -> None:
    """``words``: module, function, limits. Never returns."""
    module, function, limits = words
    end_before_others()
    run = load(Job(module, function))
    if protocol.FORKS:
        gc.freeze()  # so that collecting in the forks does not copy every page
        _fork_for_each(run, Limits.decode(limits))
    ending = _one(run, Limits.decode(limits))
    _write_all(2, ENDING.pack(ending))
    os._exit(0)


def load(job: Job) -> JobFunction:
    """The job's code, with everything it will need in memory."""
    module = importlib.import_module(job.module)
    getattr(module, "warm_up", lambda: None)()
    run: JobFunction = getattr(module, job.function)
    return run


def _fork_for_each(run: JobFunction, limits: Limits) -> None:
    me = os.getpid()
    while True:
        pid = os.fork()
        if pid == 0:
            ending = 1
            try:
                end_with(me)
                os.close(2)
                ending = _one(run, limits)
            finally:
                os._exit(ending)  # without the clean-up of libraries that a document may have led astray
        _wait_while_asked(pid)
        ending = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if ending == protocol.NO_MORE:
            os._exit(0)
        _write_all(2, ENDING.pack(ending))
        if ending != 0:
            os._exit(0)  # so that whoever waits for a response sees that none will come


def _wait_while_asked(pid: int) -> None:
    """Return when the process ended; end with it when nobody reads our endings any more, because who asked is gone."""
    try:
        child = os.pidfd_open(pid)
    except (OSError, AttributeError):  # a kernel before 5.3, or a Python built for one: it ends by its limits alone
        return
    poller = select.poll()
    poller.register(child, select.POLLIN)
    poller.register(2, 0)  # POLLERR comes unasked
    found = dict(poller.poll())
    os.close(child)
    if 2 in found:
        os._exit(0)  # which ends the other, see ``sandbox.end_with``


def _one(run: JobFunction, limits: Limits) -> int:
    """Confine this process, answer one request, and return the exit code. Everything is imported before."""
    confine(limits)
    try:
        head = _read(LENGTH.size)
        if not head:
            return protocol.NO_MORE
        argument = _read(*LENGTH.unpack(head))
        pieces = []
        while size := LENGTH.unpack(_read(LENGTH.size))[0]:
            pieces.append(_read(size))
        untrusted = b"".join(pieces)
        del pieces
    except Exception:
        return 1  # the one who asked went away
    try:
        kind, answer = DONE, run(untrusted, argument)
    except Refused as exc:
        kind, answer = REFUSED, str(exc).encode("utf-8", "replace")[: protocol.MAX_WORDS]
    except Exception as exc:  # whatever a parser raises: the one who asked learns the name of its class
        kind, answer = FAILED, type(exc).__name__.encode("utf-8", "replace")
    _write_all(1, HEAD.pack(kind, len(answer)))
    _write_all(1, answer)
    return 0


def _read(size: int) -> bytes:
    """Exactly so many bytes, or none at the end. Not buffered: what follows belongs to another process."""
    parts: list[bytes] = []
    left = size
    while left:
        part = os.read(0, min(left, protocol.PIECE))
        if not part:
            if parts:
                raise EOFError
            return b""
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


if __name__ == "__main__":
    main(sys.argv[1:])
