# SPDX-License-Identifier: Apache-2.0
"""The terminal's other screen: what is shown there is not among the lines that one scrolls back to.

Owns the terminal while something is shown: the mode of its keys, its cursor, and that everything is cleared and put
back however the showing ends. Sequences: xterm's ctlseqs (1049, the alternate screen; ED 2 and ED 3, which also clears
what was scrolled away, where a terminal knows no other screen). It cannot take back what a terminal logs, or keeps
against its own rules. POSIX only.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from typing import Any

from vault.errors import NotAllowed
from vault.terminal import NoTerminal

_ENTER = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l"
_LEAVE = "\x1b[0m\x1b[2J\x1b[3J\x1b[H\x1b[?25h\x1b[?1049l"
_CLEAR = "\x1b[0m\x1b[2J\x1b[H"
_LOOKS_EVERY = 0.25
_SMALLEST = (8, 3)


class Screen:
    """The other screen, as long as it is shown."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._drawn: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns, lines = 80, 24
        return max(columns, _SMALLEST[0]), max(lines, _SMALLEST[1])

    def draw(self, lines: Sequence[str], status: str) -> None:
        """Show these lines, which must fit, and the status on the last one, turned round."""
        self._drawn = self.size
        bottom = self._drawn[1]
        self.write(_CLEAR + "\r\n".join(lines) + f"\x1b[{bottom};1H\x1b[7m{status}\x1b[0m")

    def key(self) -> bytes:
        """What was typed next; nothing when the terminal changed its size, so that all has to be drawn anew.

        Raises NoTerminal when it is gone.
        """
        while True:
            if select.select([self._fd], [], [], _LOOKS_EVERY)[0]:
                typed = os.read(self._fd, 32)
                if not typed:
                    raise NoTerminal(_("the terminal is gone"))
                return typed
            if self.size != self._drawn:
                return b""

    def write(self, text: str) -> None:
        """Text and sequences of ours. What the terminal's letters cannot say is escaped."""
        data = text.encode(sys.stdout.encoding or "ascii", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]


@contextmanager
def alternate_screen() -> Iterator[Screen]:
    """The other screen of the terminal at which somebody sits. Raises NoTerminal, NotAllowed."""
    if os.name != "posix":
        raise NotAllowed(_("showing documents in a terminal is not built for this system"))
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise NotAllowed(_("this terminal has no way to clear what it showed"))
    import termios

    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal(_("nobody is at a terminal to be shown it")) from None
    screen = Screen(fd)
    try:
        before = termios.tcgetattr(fd)
        termios.tcsetattr(fd, termios.TCSAFLUSH, _without_echo(fd, before))
        try:
            screen.write(_ENTER)
            yield screen
        finally:
            screen.write(_LEAVE)
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
    finally:
        os.close(fd)


def _without_echo(fd: int, before: list[Any]) -> list[Any]:
    """Each key as it is typed, and none that stops the program: then the shell would show beside the document."""
    import termios

    letters = list(before[6])
    letters[termios.VMIN], letters[termios.VTIME] = 1, 0
    letters[termios.VSUSP] = os.fpathconf(fd, "PC_VDISABLE").to_bytes(1, sys.byteorder)
    return [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:6], letters]
