# SPDX-License-Identifier: Apache-2.0
"""A desktop without a screen: an X server that draws into memory, a message bus, and what is seen on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.tools import need

PATIENCE = 60
"""Seconds after which a window that does not come is a failure."""
TRIES = 500


@dataclass(frozen=True, slots=True)
class Desktop:
    """``environment``: what tells programs of the display and of the bus."""

    environment: dict[str, str]

    def window(self, title: str) -> str:
        """The number of the window with this title, a regular expression, once there is one."""
        return self._xdotool("search", "--sync", "--onlyvisible", "--name", title).split()[0]

    def has_window(self, title: str) -> bool:
        """Whether there is one now."""
        return bool(self._xdotool("search", "--onlyvisible", "--name", title))

    def is_without(self, title: str) -> bool:
        """Whether there is none, or soon none: a server needs a moment to notice that a program has ended."""
        return not all(self.has_window(title) for _try in range(TRIES))

    def process_of(self, window: str) -> int:
        """The number of the process that a window says it is of."""
        return int(self._xdotool("getwindowpid", window))

    def press(self, window: str, key: str) -> None:
        """Press a key in a window."""
        self._xdotool("windowfocus", "--sync", window, "key", key)

    def _xdotool(self, *words: str) -> str:
        command = [need("xdotool"), *words]
        environment = {"PATH": os.environ["PATH"], **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.stdout


@contextmanager
def desktop() -> Iterator[Desktop]:
    """One that ends with the block. Skips without its programs, or fails, as ``need`` does."""
    server = [need("Xvfb"), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-displayfd", "1"]
    bus = [need("dbus-daemon"), "--session", "--nofork", "--nosyslog", "--print-address=1"]
    need("xdotool")
    with ExitStack() as stack:
        number, address = (_said(stack, command) for command in (server, bus))
        yield Desktop({"DISPLAY": f":{number}", "DBUS_SESSION_BUS_ADDRESS": address})


def _said(stack: ExitStack, command: list[str]) -> str:
    """The first line of a program that runs until the end of the stack."""
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()
