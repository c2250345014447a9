# SPDX-License-Identifier: Apache-2.0
"""Work beside whoever hands it over: a few jobs ahead, none after one that failed, and all done before it counts.

A bundle goes through several hands on its way (read, unseal, hash, seal, write), each of which works outside the
interpreter's lock; a lane lets two of them work at once. Owns the bound on what waits, and the rule that a failure in
a lane reaches its owner. What a job does is the owner's: it hands over bytes that nobody changes any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Self

from vault.interrupts import undisturbed

if TYPE_CHECKING:
    from hashlib import _Hash

AHEAD = 4
"""Jobs that wait at most. With pieces of a megabyte or two each, a lane holds no more than 10 MB."""
HEARS_EVERY = 0.5
"""Seconds after which whoever waits for a lane looks whether Ctrl-C came."""
TOGETHER_BYTES = 1 << 20
TOGETHER_PIECES = 256
"""What goes to a lane in one job: handing over costs as much as hashing 40 KB (docs/performance.md)."""


class Lane:
    """Does jobs in a thread of its own, in the order in which they were handed over. Use it in ``with``.

    When a job raised, none that waits is begun any more, and ``do`` and ``wait`` raise the same. Leaving the ``with``
    statement by an exception drops what was not begun; otherwise it waits, and raises as ``wait`` does.
    """

    def __init__(self, name: str) -> None:
        self._waiting: Queue[Callable[[], object] | None] = Queue(AHEAD)
        self._failure: BaseException | None = None
        self.dropped = False
        """Whether the owner gave up: a job that takes long may look, and end."""
        # A daemon, so that one that hangs on a dead disk keeps no command from ending that does not wait for it.
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.dropped = error is not None
        try:
            if error is None:
                self._wait_until_done()
        except BaseException:
            self.dropped = True
            raise
        finally:
            with undisturbed():  # after a second Ctrl-C it would go on writing into what its owner takes away
                self._waiting.put(None)
                self._thread.join()
        if error is None:
            self._expect_no_failure()

    def do(self, job: Callable[[], object]) -> None:
        """Hand a job over; waits while too many wait. Raises what an earlier job raised."""
        self._expect_no_failure()
        self._waiting.put(job)

    def wait(self) -> None:
        """Return when everything is done that was handed over. Raises what a job raised."""
        self._wait_until_done()
        self._expect_no_failure()

    def _wait_until_done(self) -> None:
        """``Queue.join`` that hears Ctrl-C in any case: one that comes just before a wait without end begins is heard
        only when that ends, which on a dead disk is never (Python's signal handlers run between its own steps)."""
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks:
                self._waiting.all_tasks_done.wait(HEARS_EVERY)

    def _expect_no_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while True:
            job = self._waiting.get()
            try:
                if job is None:
                    return
                if self._failure is None and not self.dropped:
                    job()
            except BaseException as exc:  # whatever it is, its place is in the owner's thread
                self._failure = exc
            finally:
                self._waiting.task_done()


class Hashing:
    """SHA-256 of one stream after another, in a lane of its own; small ones go there together.

    ``update`` as often as there are pieces, then ``expect`` what the digest must be. Nothing is known to be right
    before ``wait`` has returned.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._digest = hashlib.sha256()
        self._steps: list[tuple[_Hash, bytes, Callable[[], Exception] | None]] = []
        self._size = 0

    def update(self, piece: bytes) -> None:
        """More of the current stream. Raises what ``expect`` was told to, for an earlier one."""
        self._size += len(piece)
        self._add(piece, None)

    def expect(self, sha256: bytes, otherwise: Callable[[], Exception]) -> None:
        """The stream ends here; raise what ``otherwise`` gives, now or later, unless it has this digest."""
        self._add(sha256, otherwise)
        self._digest = hashlib.sha256()

    def wait(self) -> None:
        """Return when every digest was as expected."""
        self._hand_over()
        self._lane.wait()

    def _add(self, data: bytes, otherwise: Callable[[], Exception] | None) -> None:
        self._steps.append((self._digest, data, otherwise))
        if self._size >= TOGETHER_BYTES or len(self._steps) >= TOGETHER_PIECES:
            self._hand_over()

    def _hand_over(self) -> None:
        steps, self._steps, self._size = self._steps, [], 0
        self._lane.do(lambda: _hash(steps))


def _hash(steps: list[tuple[_Hash, bytes, Callable[[], Exception] | None]]) -> None:
    for digest, data, otherwise in steps:
        if otherwise is None:
            digest.update(data)
        elif digest.digest() != data:
            raise otherwise()
