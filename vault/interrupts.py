# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while something is taken away: the second one must not stop what the first one began.

Owns the stretch in which SIGINT does nothing. Other signals are not touched, so a command that hangs on a dead disk
can still be ended (Ctrl-\\, SIGTERM); what it leaves then says by its name that it is not whole.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Until the ``with`` statement ends, Ctrl-C is not heard."""
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
