# SPDX-License-Identifier: Apache-2.0
"""The agent's process: holds one slot in locked memory, answers its own user's commands, forgets, ends.

Owns the loop and nothing else: ``lease`` judges when to forget, ``protocol`` what bytes mean, ``door`` how it is
reached, which on Windows is ``pipes``; both ask the kernel who is at the other end. To forget is to zero the buffer and
end the process; there is no forgetting and going on. It loads no cryptography, and the slot exists in it once: read
from a pipe into the buffer, sent from there. A connection has two seconds and one request; whatever is wrong with one
closes that one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from keys.memory import harden
from vault import layout
from vault.agent import clocks, protocol, runtime
from vault.agent.buffer import SecretBuffer
from vault.agent.lease import Lease
from vault.errors import VaultError

if sys.platform == "win32":
    from vault.agent import windows
    from vault.agent.pipes import Door
    from vault.agent.pipes import Served as Socket
else:
    from vault.agent.door import Door
    from vault.agent.local import Socket

LOOKS_EVERY = 0.1
"""Seconds between two looks at the keyring and the clocks: an emergency wipe elsewhere ends the agent this soon."""
_MAX_CONNECTIONS = 16
_PATIENCE = 2.0
READY = b"1"


class _Connection:
    def __init__(self, socket: Socket, until: float) -> None:
        self.socket, self.until, self.untrusted = socket, until, b""


class Agent:
    """Everything the process has. ``serve`` does not return."""

    def __init__(self, start: protocol.Start, buffer: SecretBuffer, end: Callable[[int], NoReturn] = os._exit) -> None:
        self._buffer, self._end = buffer, end
        self._keyring = os.path.join(start.folder, layout.KEYRING)
        self._door = Door(start.folder, start.base)
        self._connections: list[_Connection] = []
        now = clocks.now()
        self._lease = Lease(now + start.lasts, start.idle, now, clocks.slept(), start.stamp)

    def listen(self) -> bool:
        """Be reachable. False when another agent of the vault is. Raises OSError, NotAllowed."""
        return self._door.open()

    def serve(self) -> NoReturn:
        """Answer until there is a reason to forget."""
        try:
            while self._why_over() is None:
                self._look_at_sockets()
        finally:
            self.forget()

    def forget(self) -> NoReturn:
        """Zero the slot and end the process."""
        self._buffer.zero()
        self._door.close()
        self._end(0)

    def _why_over(self) -> str | None:
        try:
            stamp = runtime.stamp_of(self._keyring)
        except OSError:
            stamp = None
        return self._lease.why_over(clocks.now(), clocks.slept(), stamp, reachable=self._door.reachable())

    def _look_at_sockets(self) -> None:
        ready, somebody_new = self._door.wait([c.socket for c in self._connections], LOOKS_EVERY)
        now = clocks.now()
        for connection in list(self._connections):
            if connection.socket in ready:
                self._read(connection, now)
            elif now > connection.until:
                self._drop(connection)
        if somebody_new:
            self._accept(now)

    def _accept(self, now: float) -> None:
        try:
            socket = self._door.accept()
        except (OSError, VaultError):
            return
        if socket is not None:
            self._connections.append(_Connection(socket, now + _PATIENCE))
        if len(self._connections) > _MAX_CONNECTIONS:
            self._drop(self._connections[0])

    def _read(self, connection: _Connection, now: float) -> None:
        try:
            got = connection.socket.recv(protocol.REQUEST_SIZE + 1 - len(connection.untrusted))
            connection.untrusted += got
            operation = protocol.parse_request(connection.untrusted)
            if operation is None and got:
                return  # the rest may still come
            if operation is not None:
                self._answer(connection, operation, now)
        except VaultError:
            with suppress(OSError):
                connection.socket.send(protocol.answer_head(protocol.REFUSED))
        except OSError:
            pass
        self._drop(connection)

    def _answer(self, connection: _Connection, operation: int, now: float) -> None:
        head = protocol.answer_head
        if operation == protocol.LOCK:
            self._buffer.zero()
            with suppress(OSError):
                connection.socket.send(head(protocol.DONE))
            self.forget()
        elif self._why_over() is not None:
            self.forget()
        elif operation == protocol.STATUS:
            body = protocol.encode_standing(self._lease.standing(now, self._buffer.kind))
            connection.socket.send(head(protocol.DONE, len(body)) + body)
        else:
            self._lease = self._lease.used_at(now)
            connection.socket.sendmsg([head(protocol.DONE, self._buffer.size), self._buffer.view])

    def _drop(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        connection.socket.close()


def main(*, secretmem: bool = True) -> int:
    """``python -m vault.agent``: the start message on standard input, ``READY`` or nothing on standard output."""
    if not _detach():
        return 0  # nobody has to wait for the one that stays
    buffer = SecretBuffer(protocol.SLOT_BLOB_SIZE, secretmem=secretmem)
    try:
        agent = _receive(buffer)
        if agent is None or not agent.listen():
            return 1
        _forget_when_told(agent)
        os.write(1, READY)
        _close_streams()
        agent.serve()
    except (OSError, VaultError):
        return 1
    finally:
        buffer.zero()


def _detach() -> bool:
    """Become the process that stays, away from every terminal and folder; False in the one that started it."""
    if sys.platform == "win32":  # there the one that starts it sees to that: ``client``
        os.chdir(os.environ.get("SYSTEMROOT", "\\"))
        windows.harden()
        return True
    if os.fork():
        return False
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    harden()
    return True


def _forget_when_told(agent: Agent) -> None:
    if sys.platform == "win32":  # a process without a console gets no signals, and is killed at logoff
        windows.before_sleep(agent.forget)
        return
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: agent.forget())


def _receive(buffer: SecretBuffer) -> Agent | None:
    untrusted = _read_exactly(0, protocol.START_SIZE)
    names = _read_exactly(0, protocol.names_size(untrusted))
    start = protocol.parse_start(untrusted, names)
    return Agent(start, buffer) if buffer.fill_from(0) else None


def _read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        got = os.read(fd, size - len(data))
        if not got:
            break
        data += got
    return data


def _close_streams() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)
