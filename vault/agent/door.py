# SPDX-License-Identifier: Apache-2.0
"""Where the agent is reached: a Unix socket in the runtime folder, in a place that one process holds.

Owns that the folder is ours alone when the socket is made, that one agent has the place, and whether the socket that
lies there is still its own. On Windows ``pipes.Door`` is the same with a named pipe.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable
from contextlib import suppress

from vault.agent import local, runtime
from vault.errors import NotAllowed


class Door:
    """The place of the agent of the vault in ``folder``, in the runtime folder ``base``."""

    def __init__(self, folder: str, base: str) -> None:
        self._place = runtime.Place(folder, base)
        self._listener: local.Socket | None = None
        self._inode = 0

    def open(self) -> bool:
        """Take the vault's place and listen. False when another agent keeps it. Raises OSError, NotAllowed."""
        runtime.check_own(self._place.base)
        if runtime.hold(self._place.agent, f"{os.getpid()}\n") is None:
            return False
        with suppress(FileNotFoundError):  # left by one that was killed
            os.unlink(self._place.socket)
        self._listener = local.listen(self._place.socket)
        self._inode = os.lstat(self._place.socket).st_ino
        return True

    def wait(self, served: Iterable[local.Socket], seconds: float) -> tuple[list[local.Socket], bool]:
        """Wait until something happens: which of these said something or left, and whether somebody new came."""
        assert self._listener is not None
        ready, _, _ = select.select([self._listener, *served], [], [], seconds)
        return [socket for socket in ready if socket is not self._listener], self._listener in ready

    def accept(self) -> local.Socket | None:
        """Somebody new of the same user, if they have not left again. Raises OSError, NotAllowed."""
        assert self._listener is not None
        socket, _ = self._listener.accept()
        try:
            socket.setblocking(False)
            local.check_peer(socket)
        except (OSError, NotAllowed):
            socket.close()
            raise
        return socket

    def reachable(self) -> bool:
        """Whether the socket that lies there is still the one that was made."""
        try:
            status = os.lstat(self._place.socket)
        except OSError:
            return False
        return stat.S_ISSOCK(status.st_mode) and status.st_ino == self._inode

    def close(self) -> None:
        """Remove the socket, unless another one lies there now."""
        with suppress(OSError):
            if os.lstat(self._place.socket).st_ino == self._inode:
                os.unlink(self._place.socket)
