# SPDX-License-Identifier: Apache-2.0
"""The console of Windows: where somebody is asked who sits there, wherever standard input and output lead.

``CONIN$`` and ``CONOUT$`` are what /dev/tty is elsewhere, and Python's files of these names speak UTF-8 (PEP 528).
Standard input says nothing of it: the device NUL calls itself a terminal. Sources: learn.microsoft.com, Console Handles
and SetConsoleMode. Owns no questions: ``vault.terminal`` asks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

_ECHO_INPUT = 0x0004


@contextmanager
def console() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The console's keyboard and its screen. Raises OSError when this process has none."""
    with open("CONIN$", "rb") as source, open("CONOUT$", "wb", buffering=0) as out:
        yield source, out  # type: ignore[misc,unused-ignore]  # without a buffer it is a BinaryIO too


@contextmanager
def without_echo(source: BinaryIO) -> Iterator[None]:
    """While this lasts the console does not show what is typed. Raises OSError."""
    if sys.platform != "win32":
        raise OSError("for Windows only")
    import ctypes
    import msvcrt

    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.GetConsoleMode.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32))
    kernel32.SetConsoleMode.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    handle, before = msvcrt.get_osfhandle(source.fileno()), ctypes.c_uint32()
    if not kernel32.GetConsoleMode(handle, ctypes.byref(before)):
        raise ctypes.WinError(ctypes.get_last_error())
    if not kernel32.SetConsoleMode(handle, before.value & ~_ECHO_INPUT):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        yield
    finally:
        kernel32.SetConsoleMode(handle, before.value)
