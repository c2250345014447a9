# SPDX-License-Identifier: Apache-2.0
"""The side that asks: starts a child, hands it documents one by one, and believes nothing it says.

A document that crashes, hangs, fills memory or makes its process talk nonsense costs itself, and ends as one error,
``ConfinedFailed``. Nothing of a document is written to a disk, named on a command line or put into an environment:
everything goes through pipes. The child inherits no descriptor, no environment and no key.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO

import msgspec

from vault.confined import protocol
from vault.confined.protocol import DONE, ENDING, HEAD, LENGTH, REFUSED, Job, Limits
from vault.confined.sandbox import Confinement
from vault.errors import ConfinedFailed, ConfinedRefused

_START = "import sys; sys.path.insert(0, sys.argv[1]); from vault.confined.child import main; main(sys.argv[2:])"
_SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The folder that this code came from, so that the child finds no other ``vault``."""
_KEPT_VARIABLES = ("SYSTEMROOT",)
"""Without it Windows starts no Python."""


class Worker:
    """A child for one job. Use it in a ``with`` statement, from one thread; it starts with the first document."""

    def __init__(self, job: Job, limits: Limits = Limits()) -> None:
        self._job, self._limits = job, limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is doing. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        end_group(process)
        for pipe in _pipes(process):
            with suppress(OSError):
                pipe.close()
        process.wait()

    def run(self, pieces: Iterable[bytes], argument: bytes = b"") -> bytes:
        """The job's answer for one document: still untrusted, at most ``limits.output`` bytes.

        Raises ConfinedRefused when the job says why it will not, ConfinedFailed for everything else, and what
        ``pieces`` raises.
        """
        process = self._running()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            end_group(process)

        timer = threading.Timer(self._limits.seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            self._send(process, argument, _of_asker(pieces))
            kind, answer = self._receive(process)
        except _NotRead as exc:
            self.close()
            raise exc.error from None
        except (OSError, EOFError) as exc:
            raise self._failed(process, late.is_set()) from exc
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
        if late.is_set() or not protocol.FORKS:
            self.close()
        if kind == DONE:
            return answer
        words = answer.decode("utf-8", "replace")[: protocol.MAX_WORDS]
        if kind == REFUSED:
            raise ConfinedRefused(words)
        raise ConfinedFailed(f"its reader gave up{f' ({words})' if words.isidentifier() else ''}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-I", "-B", "-c", _START, _SOURCE]
            command += [self._job.module, self._job.function, self._limits.encode()]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                    cwd=os.path.abspath(os.sep), start_new_session=True,
                    env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                )  # fmt: skip
            except OSError as exc:
                raise ConfinedFailed(
                    f"no process could be started to read it: {exc.strerror or exc}"
                ) from exc
        return self._process

    def _send(self, process: subprocess.Popen[bytes], argument: bytes, pieces: Iterable[bytes]) -> None:
        assert process.stdin is not None
        _write(process.stdin, LENGTH.pack(len(argument)) + argument)
        sent = 0
        for whole in pieces:
            sent += len(whole)
            if sent > self._limits.input:
                raise ConfinedRefused(f"it is larger than {self._limits.input >> 20} MiB")
            for start in range(0, len(whole), protocol.PIECE):
                piece = whole[start : start + protocol.PIECE]
                _write(process.stdin, LENGTH.pack(len(piece)))
                _write(process.stdin, piece)
        _write(process.stdin, LENGTH.pack(0))

    def _receive(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        assert process.stdout is not None and process.stderr is not None
        kind, size = HEAD.unpack(_read(process.stdout, HEAD.size))
        if kind not in (DONE, REFUSED, protocol.FAILED) or size > self._limits.output:
            raise EOFError
        answer = _read(process.stdout, size)
        if ENDING.unpack(_read(process.stderr, ENDING.size))[0] != 0:
            raise EOFError
        if protocol.FORKS and select.select([process.stdout], [], [], 0)[0]:
            raise EOFError  # more than one answer: the rest would be taken for the next document's
        return kind, answer

    def _failed(self, process: subprocess.Popen[bytes], late: bool) -> ConfinedFailed:
        """End the child and say why it gave no answer."""
        assert process.stderr is not None
        end_group(process)
        ending = b""
        with suppress(OSError, EOFError):
            ending = _read(process.stderr, ENDING.size)
        self.close()
        if late:
            return ConfinedFailed(
                f"reading it took longer than {self._limits.seconds} seconds"
            )
        code = ENDING.unpack(ending)[0] if len(ending) == ENDING.size else 0
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return ConfinedFailed(
                f"reading it took more than {self._limits.cpu_seconds} seconds of processor time"
            )
        return ConfinedFailed("the process that read it crashed or answered nonsense")


def run(job: Job, pieces: Iterable[bytes], argument: bytes = b"", *, limits: Limits = Limits()) -> bytes:
    """One document in a child of its own; see ``Worker.run``."""
    with Worker(job, limits) as worker:
        return worker.run(pieces, argument)


def confinement() -> Confinement:
    """What confines a child on this machine, as one reports it that has read nothing. Raises ConfinedFailed."""
    report = run(Job("vault.confined.report", "report"), ())
    return msgspec.msgpack.decode(report, type=Confinement)


class _NotRead(Exception):
    """A document could not be had: this is nothing that its reader did."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def _of_asker(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same; an error of whatever gives them is told apart from one of the pipes that they go into."""
    try:
        yield from pieces
    except OSError as exc:
        raise _NotRead(exc) from exc


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the child and what it forked; it leads a session of its own, which nothing that reads documents can leave."""
    if process.returncode is not None:
        return  # its number may be another's by now
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None]


def _write(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]


def _read(pipe: IO[bytes], size: int) -> bytes:
    """Exactly so many bytes. Raises EOFError."""
    parts, left = [], size
    while left:
        part = pipe.read(min(left, protocol.PIECE))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
