# SPDX-License-Identifier: Apache-2.0
"""Named pipes between processes of the same user on the same Windows: what ``local`` and ``door`` are elsewhere.

Owns a pipe's name, who may open it, and that each end asks the kernel who is at the other one. The name comes from the
user and the mark of the keyring (``vault.agent.process``), so that it needs no file, is the same through every path,
and is gone with its process. Nobody but this user may open it, nobody from another machine, and no program of lower
integrity. A client lets the server identify it, and not act as it; it believes a pipe only if this user made it. Waits
are overlapped, so that a client that says nothing keeps nobody waiting. Knows nothing of what is said.

CreateNamedPipeW, "Named Pipe Security and Access Rights" and "Impersonation Levels" in the Windows documentation.
"""

from __future__ import annotations

import sys

if sys.platform != "win32":
    raise ImportError

import _winapi
import hashlib
import os
import time
from _winapi import Overlapped  # type: ignore[attr-defined,unused-ignore]  # told of Windows alone
from collections.abc import Iterable
from contextlib import suppress
from gettext import gettext as _

from vault.agent import windows
from vault.errors import NotAllowed
from vault.language import later

PREFIX = "\\\\.\\pipe\\"
_INSTANCES = 20
"""Ends that the server has, all made at once: nobody can add one. Four more than are served at the same time, for
those whose client has not read its answer yet."""
_MAX_READ = 64
_ROOM = 4096
"""Bytes that the kernel keeps for whoever reads later; an answer fits, so that writing it never waits."""
_LINGER = 2.0
"""Seconds that a client has to read its answer."""

_FIRST_PIPE_INSTANCE, _OVERLAPPED = 0x0008_0000, 0x4000_0000
_REJECT_REMOTE_CLIENTS = 0x8
_IDENTIFICATION = 0x0010_0000 | 0x0001_0000  # SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION
_NO_DATA, _PIPE_BUSY, _TIMED_OUT = 232, 231, 121


def path_of(mark: str) -> str:
    """The pipe of the agent for the keyring with this mark, and this user. Raises OSError."""
    whose = f"{windows.own_user()}/{mark}".encode("ascii")
    return f"{PREFIX}sandyk-{hashlib.sha256(whose).hexdigest()[:32]}"


class Socket:
    """A client's end, or a server's. One thing at a time is under way on it."""

    def __init__(self, handle: int, timeout: float = 0.0) -> None:
        self.handle, self._timeout = handle, timeout

    def sendall(self, data: bytes | memoryview) -> None:
        """Raises OSError, TimeoutError."""
        self._finish(*_winapi.WriteFile(self.handle, data, overlapped=True))

    def recv_into(self, buffer: memoryview) -> int:
        """How many bytes came; 0 when the other end is closed. Raises OSError, TimeoutError."""
        try:
            got = self._finish(*_winapi.ReadFile(self.handle, len(buffer), overlapped=True))
        except BrokenPipeError:
            return 0
        buffer[: len(got)] = got
        return len(got)

    def close(self) -> None:
        """Safe to call twice."""
        if self.handle:
            _winapi.CloseHandle(self.handle)
            self.handle = 0

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(self, under_way: Overlapped, error: int) -> bytes:
        if error == _winapi.ERROR_IO_PENDING:
            _winapi.WaitForSingleObject(under_way.event, _milliseconds(self._timeout))
            if under_way.GetOverlappedResult(False)[1] != 0:
                _give_up(under_way)
                raise TimeoutError
        under_way.GetOverlappedResult(True)
        return under_way.getbuffer() or b""


class Served(Socket):
    """A server's end with a client at the other one, until it is closed; then it waits for the next.

    ``said`` is set once something was written: then the client is given time to read it.
    """

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        self.said = False
        self.until: float | None = None
        self._checked = self._gone = False
        self._reading: Overlapped | None = None
        self._coming: Overlapped | None = self._connect()

    @property
    def event(self) -> int:
        """What the kernel sets when something has happened."""
        under_way = self._coming or self._reading
        assert under_way is not None
        return under_way.event

    @property
    def waits_for_client(self) -> bool:
        """Whether nobody is at the other end."""
        return self._coming is not None

    def happened(self) -> bool:
        """Whether a client came, or said something, or left."""
        return _winapi.WaitForSingleObject(self.event, 0) == _winapi.WAIT_OBJECT_0

    def arrived(self) -> bool:
        """Begin to read from the client that came; False when it has left meanwhile. Raises OSError."""
        assert self._coming is not None
        self._coming.GetOverlappedResult(True)
        self._coming = None
        self._read()
        return not self._gone

    def recv(self, size: int) -> bytes:
        """What the client said, b"" when it has left. More than ``size`` is cut off: nobody may say so much.

        Raises NotAllowed for another user's client, OSError.
        """
        if self._gone or self._reading is None:
            return b""
        try:
            self._reading.GetOverlappedResult(True)
        except BrokenPipeError:
            return b""
        got = self._reading.getbuffer() or b""
        if not self._checked:
            if windows.client_user(self.handle, os._exit) != windows.own_user():
                raise NotAllowed(_("the process at the other end is another user's"))
            self._checked = True
        self._read()
        return got[:size]

    def send(self, data: bytes | memoryview) -> None:
        """Raises OSError, also when there is no room: nothing is ever waited for."""
        self.said = True
        self.sendall(data)

    def sendmsg(self, pieces: Iterable[bytes | memoryview]) -> None:
        """The same for several, none of them copied into one. Raises OSError."""
        for piece in pieces:
            self.send(piece)

    def close(self) -> None:
        """Leave the client, at once or when it has read what was said."""
        if self.said and self.until is None:
            self.until = time.monotonic() + _LINGER
        else:
            self.take_back()

    def left(self) -> bool:
        """Whether the client that was left has closed its end, or said more, or had its time."""
        return self.until is not None and (self.happened() or time.monotonic() > self.until)

    def take_back(self) -> None:
        """Take the client off, and wait for another."""
        if self._reading is not None:
            _give_up(self._reading)
            self._reading = None
        self.said, self.until, self._checked, self._gone = False, None, False, False
        windows.disconnect(self.handle)
        self._coming = self._connect()

    def _read(self) -> None:
        try:
            self._reading, _error = _winapi.ReadFile(self.handle, _MAX_READ, overlapped=True)
        except BrokenPipeError:
            self._gone = True  # and the event of what was read last stays set

    def _connect(self) -> Overlapped:
        while True:
            try:
                return _winapi.ConnectNamedPipe(self.handle, overlapped=True)
            except OSError as error:
                if error.winerror != _NO_DATA:  # one that came and left before anybody looked
                    raise
                windows.disconnect(self.handle)


class Door:
    """Where the agent is reached: the server's ends of its pipe. ``folder`` is not needed: a pipe has no file."""

    def __init__(self, _folder: str, path: str) -> None:
        self._path = path
        self._ends: list[Served] = []

    def open(self) -> bool:
        """Listen; False when there is a pipe of that name already, whoever has it. Raises OSError."""
        if is_there(self._path):  # said more plainly by FIRST_PIPE_INSTANCE, which Wine ignores
            return False
        user = windows.own_user()
        # Full access for this user alone; no reading and writing up for what has less than medium integrity.
        with windows.attributes(f"O:{user}D:P(A;;FA;;;{user})S:(ML;;NRNW;;;ME)") as security:
            for number in range(_INSTANCES):
                first = 0 if number else _FIRST_PIPE_INSTANCE
                try:
                    handle = _winapi.CreateNamedPipe(
                        self._path, _winapi.PIPE_ACCESS_DUPLEX | _OVERLAPPED | first, _REJECT_REMOTE_CLIENTS,
                        _INSTANCES, _ROOM, _ROOM, 0, security,
                    )  # fmt: skip
                except PermissionError:
                    return False
                self._ends.append(Served(handle))
        return True

    def wait(self, served: Iterable[Served], seconds: float) -> tuple[list[Served], bool]:
        """Wait until something happens: which of these said something or left, and whether somebody new came."""
        self._take_back()
        _winapi.WaitForMultipleObjects([end.event for end in self._ends], False, _milliseconds(seconds))
        ready = [end for end in served if end.happened()]
        return ready, any(end.waits_for_client and end.happened() for end in self._ends)

    def accept(self) -> Served | None:
        """Somebody new, if they have not left again. Who they are is asked when they say something. Raises OSError."""
        for end in self._ends:
            if end.waits_for_client and end.happened():
                if end.arrived():
                    return end
                end.take_back()
        return None

    def reachable(self) -> bool:
        """A pipe cannot be taken away from its server."""
        return True

    def close(self) -> None:
        """Nothing to do: the pipe goes with its process."""

    def _take_back(self) -> None:
        for end in self._ends:
            if end.left():
                end.take_back()
        if not any(end.waits_for_client for end in self._ends):
            lingering = [end for end in self._ends if end.until is not None]
            for end in sorted(lingering, key=lambda end: end.until or 0.0)[:1]:
                end.take_back()


def connect(path: str, *, timeout: float) -> Socket:
    """A connection to a process of the same user. Raises FileNotFoundError, OSError, NotAllowed."""
    until = time.monotonic() + timeout
    while True:
        try:
            handle = _winapi.CreateFile(
                path, _winapi.GENERIC_READ | _winapi.GENERIC_WRITE, 0, _winapi.NULL, _winapi.OPEN_EXISTING,
                _OVERLAPPED | _IDENTIFICATION, _winapi.NULL,
            )  # fmt: skip
            break
        except OSError as error:
            if error.winerror != _PIPE_BUSY or time.monotonic() >= until:
                raise
            with suppress(TimeoutError):
                _wait_for_end(path, until - time.monotonic())
    connection = Socket(handle, timeout)
    try:
        if windows.owner_of(handle) != windows.own_user():
            raise NotAllowed(_("the process at the other end is another user's"))
    except BaseException:
        connection.close()
        raise
    return connection


def is_there(path: str) -> bool:
    """Whether a pipe has this name, whoever made it."""
    try:
        _wait_for_end(path, 0.001)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def receive_into(connection: Socket, buffer: memoryview) -> None:
    """Fill a buffer. Raises EOFError when the other end closes first, OSError."""
    done = 0
    while done < len(buffer):
        got = connection.recv_into(buffer[done:])
        if not got:
            raise EOFError
        done += got


def number_at(path: str) -> int | None:
    """The process of this user that has the pipe; 0 for one that cannot be asked; None when there is none."""
    try:
        with connect(path, timeout=_LINGER) as connection:
            return windows.server_process(connection.handle)
    except (FileNotFoundError, NotAllowed):
        return None
    except OSError:
        return 0


def end(path: str, order: bytes, *, grace: float, patience: float) -> tuple[int, str] | None:
    """Send an order to end to the process that has the pipe, and kill it after ``grace`` seconds.

    Its number, and "" or why it goes on; None when no process of this user has the pipe.
    """
    number = 0
    try:
        with connect(path, timeout=patience) as connection:
            number = windows.server_process(connection.handle)
            # Nobody but its maker has the server's ends, so the number is its own as long as one can be written to.
            with windows.Process(number) as process:
                connection.sendall(order)
                if not process.ended(grace):
                    process.kill()
                return number, "" if process.ended(patience) else later("it does not end")
    except (FileNotFoundError, NotAllowed):
        return None
    except OSError as error:
        if number and not is_there(path):  # it ended by itself meanwhile
            return number, ""
        return number, error.strerror or type(error).__name__


def _wait_for_end(path: str, seconds: float) -> None:
    """Wait until an end of a pipe is free. Raises FileNotFoundError, TimeoutError, OSError."""
    try:
        _winapi.WaitNamedPipe(path, _milliseconds(seconds))
    except OSError as error:
        if error.winerror == _TIMED_OUT:
            raise TimeoutError from error
        raise


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _give_up(under_way: Overlapped) -> None:
    """Stop it, and wait until the kernel lets go of its memory."""
    under_way.cancel()
    with suppress(OSError):
        under_way.GetOverlappedResult(True)
