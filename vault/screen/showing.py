# SPDX-License-Identifier: Apache-2.0
"""From the beginning of the screen to its end, in this order: shown, locked, stopped, keys zeroed, terminal empty."""

from __future__ import annotations

import logging
import threading

from vault import locking
from vault.screen import leaving
from vault.screen.app import CLOSING_SECONDS, Browse, Way
from vault.screen.leaving import Ending, Left


def show(way: Way) -> Ending:
    """Show the screen until somebody leaves it, and leave nothing of it behind. Raises Busy, NotAllowed: when the agent
    cannot be ended."""
    # asyncio and threads log what fails with the words of the error, and these may quote evidence.
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda _failed: None
    browse = Browse(way, insist=leaving.insist)
    try:
        browse.run()
        if browse.ending.left in (Left.WIPED, Left.GONE):
            leaving.clear_terminal()
        if browse.ending.left is Left.LOCKED:
            locking.lock(way.folder)
    finally:
        # After a wipe there is nothing left that an unfinished job could spoil.
        browse.desk.close(0 if browse.ending.left in (Left.WIPED, Left.GONE) else CLOSING_SECONDS)
        if way.opened is not None:
            way.opened.close()
    return browse.ending
