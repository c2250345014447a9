# SPDX-License-Identifier: Apache-2.0
"""What Windows does otherwise with files that others have open.

Owns two things. A lock keeps other programs there from reading and writing what is locked, and is not only a sign
among ourselves: so a byte is locked that no file has. And a name cannot be replaced or removed while anybody has the
file open, were it a virus scanner that looks at it for a moment: so that is tried again, for a short time. Imports
nothing before it is needed: the emergency wipe may go through here. Sources: learn.microsoft.com, LockFileEx and
CreateFileW (sharing); the time is that of Go's cmd/internal/robustio.
"""

from __future__ import annotations

import errno
import sys

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

_BEYOND_LOW, _BEYOND_HIGH = 0xFFFF_FFFE, 0x7FFF_FFFF
"""The offset of the byte that is locked: the last one that a signed number of 64 bits lets a lock reach."""
_FAIL_IMMEDIATELY, _EXCLUSIVE = 1, 2
_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION = 5, 32, 33
_LOOKS_EVERY = 0.05


def lock(fd: int, *, wait: bool) -> None:
    """Lock a file until its descriptor is closed. Raises BlockingIOError if it is locked and not ``wait``, OSError."""
    if sys.platform != "win32":
        raise OSError(errno.ENOSYS, "for Windows only")
    import ctypes
    import msvcrt
    import time

    class Overlapped(ctypes.Structure):
        _fields_ = (
            ("internal", ctypes.c_size_t), ("internal_high", ctypes.c_size_t),
            ("offset", ctypes.c_uint32), ("offset_high", ctypes.c_uint32), ("event", ctypes.c_void_p),
        )  # fmt: skip

    lock_file = ctypes.WinDLL("kernel32", use_last_error=True).LockFileEx
    lock_file.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p,
    )  # fmt: skip
    while True:
        where = Overlapped(offset=_BEYOND_LOW, offset_high=_BEYOND_HIGH)
        if lock_file(msvcrt.get_osfhandle(fd), _EXCLUSIVE | _FAIL_IMMEDIATELY, 0, 1, 0, ctypes.byref(where)):
            return
        why = ctypes.get_last_error()
        if why != _LOCK_VIOLATION:
            raise ctypes.WinError(why)
        if not wait:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        time.sleep(_LOOKS_EVERY)  # and not by a call that Ctrl-C could not end


def patiently(change: Callable[[], None], patience: float = 2.0) -> None:
    """Replace or remove a name; try again for so many seconds while somebody has the file open. Raises OSError."""
    if sys.platform != "win32":
        change()
        return
    import time

    end = time.monotonic() + patience
    while True:
        try:
            change()
            return
        except OSError as error:
            if error.winerror not in (_ACCESS_DENIED, _SHARING_VIOLATION) or time.monotonic() >= end:
                raise
        time.sleep(_LOOKS_EVERY)


def is_open_elsewhere(error: OSError) -> bool:
    """Whether Windows refused because another program has the file open."""
    return getattr(error, "winerror", None) in (_SHARING_VIOLATION, _LOCK_VIOLATION)
