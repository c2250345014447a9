# SPDX-License-Identifier: Apache-2.0
"""Work that takes longer than a key press, each in a thread of its own; what came of it is told to the screen.

Not Textual's own workers: leaving the program waits for those, however long a disk takes to answer, and a lock or a
wipe must not wait. A job is stopped as Ctrl-C stops a command: by KeyboardInterrupt where it says how far it is, so
that what holds for an interrupted command holds here. A thread that does not get there in time dies with the process,
which is what a power cut does to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from textual.message import Message


class Job:
    """Something under way. ``count`` and ``size`` are how far it is, as ``advance`` was told."""

    def __init__(
        self, act: Callable[[Job], Any], then: Callable[[Any], None], *, shown: bool, behind: bool
    ) -> None:  # fmt: skip
        self._act, self.then, self.shown, self.behind = act, then, shown, behind
        self.count = self.size = 0
        self.result: Any = None
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="sandyk-job", daemon=True)
        self.ended: Callable[[Job], object] = lambda job: None

    def advance(self, count: int, size: int) -> None:
        """One step of progress: documents and bytes. Raises KeyboardInterrupt once the job is to stop."""
        self.count += count
        self.size += size
        if self._stop.is_set():
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Ask it to stop at its next step."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def _run(self) -> None:
        try:
            self.result = self._act(self)
        except BaseException as exc:  # whatever it is: the screen decides what to say of it
            self.error = exc
        self.ended(self)


class Ended(Message):
    """A job came to its end, well or not."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class Jobs:
    """All that is under way. ``post`` hands a message to the screen from any thread."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._running: set[Job] = set()

    def start(
        self, act: Callable[[Job], Any], then: Callable[[Any], None], *, shown: bool = False, behind: bool = False
    ) -> Job:
        """Begin ``act``; ``then`` is called with what it returns, by the screen. ``shown``: a person waits for it;
        ``behind``: it goes on behind a hidden screen, because it changes nothing that is to be seen."""
        job = Job(act, then, shown=shown, behind=behind)
        job.ended = lambda ended: self._post(Ended(ended))
        self._running.add(job)
        job.thread.start()
        return job

    def finished(self, job: Job) -> None:
        """Forget a job whose end was told."""
        self._running.discard(job)

    @property
    def shown(self) -> Job | None:
        """The job that a person waits for, if there is one."""
        return next((job for job in self._running if job.shown), None)

    @property
    def running(self) -> frozenset[Job]:
        """All whose end was not told yet."""
        return frozenset(self._running)

    def end_all(self, seconds: float) -> None:
        """Ask all to stop, and wait for them together, at most so long."""
        for job in self._running:
            job.stop()
        until = time.monotonic() + seconds
        for job in list(self._running):
            job.thread.join(max(0.0, until - time.monotonic()))
