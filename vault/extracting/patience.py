# SPDX-License-Identifier: Apache-2.0
"""How long what is inside of a document may take, so that one thing inside does not use up the time of all the others.

By the processor time of this process alone (setitimer(2), ITIMER_PROF), in confined children only. Python's own code
and its regular expressions are interrupted wherever they are; what runs in a library of another language ends later, or
with its process. Windows has no such timer: there the limit of the whole process is all.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

IN_ALL = 40.0
"""Seconds for a document with all that is inside: what was read until then is told before the process is ended."""
FOR_THOSE_INSIDE = 30.0
_SHARE = 3
"""Each inside gets a third of what is left, so that any number of bad ones leave something for the next."""
_LEAST = 0.2
_AGAIN = 1.0
"""Seconds until it is said once more, to whatever took no notice."""


class TookTooLong(Exception):
    """Raised in the middle of whatever is going on."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TookTooLong when the body takes more processor time. May be nested; the outer time goes on meanwhile."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGPROF, _end)
    began, outer = time.process_time(), 0.0
    with suppress(OSError):
        outer, _ = signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN)
        if 0 < outer < seconds:
            signal.setitimer(signal.ITIMER_PROF, outer, _AGAIN)
    try:
        yield
    finally:
        left = max(_LEAST, outer - (time.process_time() - began)) if outer else 0.0
        with suppress(OSError):
            signal.setitimer(signal.ITIMER_PROF, left, _AGAIN if left else 0.0)


def share() -> float:
    """Seconds for one more thing inside: this process has read one document, so its time is the document's."""
    return max(_LEAST, (FOR_THOSE_INSIDE - time.process_time()) / _SHARE)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise TookTooLong
