# SPDX-License-Identifier: Apache-2.0
"""Unix sockets to processes of the same user on the same machine: the only module that may open a socket.

Owns that it is AF_UNIX and nothing else, and that each end asks the kernel who is at the other one: SO_PEERCRED on
Linux (unix(7)), getpeereid(3) elsewhere. Knows nothing of what is said.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from gettext import gettext as _

from vault.errors import NotAllowed

Socket = socket.socket
_UCRED = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))


def listen(path: str) -> Socket:
    """A listening socket that does not block. Raises OSError, also when something is at the path."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def connect(path: str, *, timeout: float) -> Socket:
    """A connection to a process of the same user. Raises OSError, NotAllowed."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
        check_peer(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_peer(connection: Socket) -> None:
    """Return, or raise NotAllowed when the other end is another user's."""
    if peer_uid(connection) != os.geteuid():
        raise NotAllowed(_("the process at the other end is another user's"))


def peer_uid(connection: Socket) -> int:
    """The user at the other end, as the kernel noted when the connection was made. Raises OSError."""
    if sys.platform == "linux":
        __, uid, __ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return int(uid)
    uid_at, gid_at = ctypes.c_uint32(), ctypes.c_uint32()  # type: ignore[unreachable,unused-ignore]
    if ctypes.CDLL(None, use_errno=True).getpeereid(connection.fileno(), ctypes.byref(uid_at), ctypes.byref(gid_at)):
        raise OSError(ctypes.get_errno(), "the system does not say who is at the other end")
    return uid_at.value


def receive_into(connection: Socket, buffer: memoryview) -> None:
    """Fill a buffer. Raises EOFError when the other end closes first, OSError."""
    done = 0
    while done < len(buffer):
        got = connection.recv_into(buffer[done:])
        if not got:
            raise EOFError
        done += got
