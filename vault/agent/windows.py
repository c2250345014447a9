# SPDX-License-Identifier: Apache-2.0
"""What Windows says of users, pipes and processes, and what it is told about the agent's: by ctypes alone.

Owns every call that Python has no module for, with its types. Decides nothing. Names and constants are those of the
Windows SDK (winnt.h, winbase.h, aclapi.h, sddl.h, powrprof.h). Imported on Windows only.
"""

from __future__ import annotations

import sys

if sys.platform != "win32":
    raise ImportError

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ctypes import wintypes
from typing import NoReturn

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)

_TOKEN_QUERY = 0x0008
_TOKEN_USER = 1  # TOKEN_INFORMATION_CLASS
_SE_KERNEL_OBJECT = 6
_OWNER, _DACL = 0x1, 0x4  # SECURITY_INFORMATION
_SDDL_REVISION = 1
_PROCESS_TERMINATE, _SYNCHRONIZE, _PROCESS_QUERY_LIMITED = 0x0001, 0x0010_0000, 0x1000
_EXTENSION_POINTS, _DISABLED = 6, 1  # PROCESS_MITIGATION_POLICY
_NO_CRITICAL_BOX, _NO_FAULT_BOX = 0x0001, 0x0002  # SetErrorMode
_WER_NO_HEAP = 0x1
_NOTIFY_CALLBACK, _SUSPENDING = 2, 0x0004  # DEVICE_NOTIFY_CALLBACK, PBT_APMSUSPEND
_MAX_USER = 256
"""Bytes: a TOKEN_USER and the longest SID, which has 68 (SECURITY_MAX_SID_SIZE)."""


class _Attributes(ctypes.Structure):
    _fields_ = (("size", wintypes.DWORD), ("descriptor", ctypes.c_void_p), ("inherit", wintypes.BOOL))


def _declare(library: ctypes.CDLL, name: str, result: type | None, *arguments: type) -> None:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments


_P, _HANDLE, _DWORD, _BOOL, _WSTR = ctypes.c_void_p, wintypes.HANDLE, wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR
_declare(_kernel32, "GetCurrentProcess", _HANDLE)
_declare(_kernel32, "GetCurrentThread", _HANDLE)
_declare(_kernel32, "CloseHandle", _BOOL, _HANDLE)
_declare(_kernel32, "LocalFree", _P, _P)
_declare(_kernel32, "OpenProcess", _HANDLE, _DWORD, _BOOL, _DWORD)
_declare(_kernel32, "TerminateProcess", _BOOL, _HANDLE, wintypes.UINT)
_declare(_kernel32, "WaitForSingleObject", _DWORD, _HANDLE, _DWORD)
_declare(_kernel32, "DisconnectNamedPipe", _BOOL, _HANDLE)
_declare(_kernel32, "GetNamedPipeServerProcessId", _BOOL, _HANDLE, _P)
_declare(_kernel32, "VirtualLock", _BOOL, _P, ctypes.c_size_t)
_declare(_kernel32, "GetTickCount64", ctypes.c_ulonglong)
_declare(_kernel32, "QueryUnbiasedInterruptTime", _BOOL, _P)
_declare(_kernel32, "SetErrorMode", wintypes.UINT, wintypes.UINT)
_declare(_advapi32, "OpenProcessToken", _BOOL, _HANDLE, _DWORD, _P)
_declare(_advapi32, "OpenThreadToken", _BOOL, _HANDLE, _DWORD, _BOOL, _P)
_declare(_advapi32, "GetTokenInformation", _BOOL, _HANDLE, ctypes.c_int, _P, _DWORD, _P)
_declare(_advapi32, "ConvertSidToStringSidW", _BOOL, _P, _P)
_declare(_advapi32, "ConvertStringSecurityDescriptorToSecurityDescriptorW", _BOOL, _WSTR, _DWORD, _P, _P)
_declare(_advapi32, "GetSecurityInfo", _DWORD, _HANDLE, ctypes.c_int, _DWORD, _P, _P, _P, _P, _P)
_declare(_advapi32, "SetKernelObjectSecurity", _BOOL, _HANDLE, _DWORD, _P)
_declare(_advapi32, "ImpersonateNamedPipeClient", _BOOL, _HANDLE)
_declare(_advapi32, "RevertToSelf", _BOOL)


def own_user() -> str:
    """The security identifier of the user this process runs as, like ``S-1-5-21-…-1001``. Raises OSError."""
    token = wintypes.HANDLE()
    _must(_advapi32.OpenProcessToken(_kernel32.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)))
    return _user_of(token)


def client_user(pipe: int, end: Callable[[int], NoReturn]) -> str:
    """The user at the client's end of a pipe, as the kernel noted when it was opened; data must have been read from it.

    Asked as that user for a moment, which needs no more than identification of the client. A thread that could not
    become itself again must not go on: then ``end`` is called. Raises OSError.
    """
    _must(_advapi32.ImpersonateNamedPipeClient(pipe))
    token = wintypes.HANDLE()
    try:
        opened = _advapi32.OpenThreadToken(_kernel32.GetCurrentThread(), _TOKEN_QUERY, True, ctypes.byref(token))
        error = ctypes.get_last_error()
    finally:
        if not _advapi32.RevertToSelf():
            end(1)
    if not opened:
        raise ctypes.WinError(error)
    return _user_of(token)


def owner_of(pipe: int) -> str:
    """The user who owns a pipe that is open: whoever made it, and nobody can name a stranger. Raises OSError."""
    owner, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
    error = _advapi32.GetSecurityInfo(
        pipe, _SE_KERNEL_OBJECT, _OWNER, ctypes.byref(owner), None, None, None, ctypes.byref(descriptor)
    )
    if error:
        raise ctypes.WinError(error)
    try:
        return _sid_text(owner)
    finally:
        _kernel32.LocalFree(descriptor)


def server_process(pipe: int) -> int:
    """The number of the process that made a pipe whose client's end is open here. Raises OSError."""
    number = wintypes.DWORD()
    _must(_kernel32.GetNamedPipeServerProcessId(pipe, ctypes.byref(number)))
    return number.value


def disconnect(pipe: int) -> None:
    """Take the client off the server's end of a pipe, with whatever it did not read."""
    _kernel32.DisconnectNamedPipe(pipe)


@contextmanager
def attributes(sddl: str) -> Iterator[int]:
    """The address of SECURITY_ATTRIBUTES with a descriptor (sddl.h), for an object nobody inherits. Raises OSError."""
    with _descriptor(sddl) as descriptor:
        made = _Attributes(ctypes.sizeof(_Attributes), descriptor, False)
        yield ctypes.addressof(made)


class Process:
    """Another process of this user, held so that its number stays its own."""

    def __init__(self, number: int) -> None:
        """Raises OSError, also when there is none."""
        self.number = number
        self._handle = _kernel32.OpenProcess(_SYNCHRONIZE, False, number)
        _must(self._handle)

    def ended(self, patience: float) -> bool:
        """Wait until it has ended, or patience has, in seconds; whether it has."""
        return bool(_kernel32.WaitForSingleObject(self._handle, int(patience * 1000)) == 0)

    def kill(self) -> None:
        """Raises OSError."""
        handle = _kernel32.OpenProcess(_PROCESS_TERMINATE, False, self.number)
        _must(handle)
        try:
            _must(_kernel32.TerminateProcess(handle, 1))
        finally:
            _kernel32.CloseHandle(handle)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        _kernel32.CloseHandle(self._handle)


def lock_memory(address: int, size: int) -> bool:
    """Keep pages out of the page file, and out of error reports where Windows knows how to; whether the first worked.

    Hibernation writes them to the disk all the same.
    """
    with suppress(AttributeError):  # since Windows 10, version 1703
        _kernel32.WerRegisterExcludedMemoryBlock(ctypes.c_void_p(address), wintypes.DWORD(size))
    return bool(_kernel32.VirtualLock(address, size))


def since_start() -> float:
    """Seconds since the machine was started, with those that it slept or hibernated; in steps of up to 16 ms."""
    return float(_kernel32.GetTickCount64()) / 1000


def awake() -> float:
    """Seconds since the machine was started, without those that it slept or hibernated."""
    ticks = ctypes.c_ulonglong()
    _must(_kernel32.QueryUnbiasedInterruptTime(ctypes.byref(ticks)))
    return ticks.value / 10_000_000  # 100 ns each


def harden() -> None:
    """Best effort: no error report with this process's memory, no stranger's code in it by hooks, and no other program
    of this user reads its memory. An administrator's may, and one that has a handle already.
    """
    _kernel32.SetErrorMode(_NO_CRITICAL_BOX | _NO_FAULT_BOX)
    with suppress(AttributeError):
        _kernel32.WerSetFlags(wintypes.DWORD(_WER_NO_HEAP))
    with suppress(AttributeError):
        disabled = wintypes.DWORD(_DISABLED)
        _kernel32.SetProcessMitigationPolicy(_EXTENSION_POINTS, ctypes.byref(disabled), ctypes.sizeof(disabled))
    rights = _PROCESS_TERMINATE | _SYNCHRONIZE | _PROCESS_QUERY_LIMITED
    # OW: without an entry of its own, the owner of an object may always rewrite who has which right to it.
    with suppress(OSError), _descriptor(f"D:P(A;;RC;;;OW)(A;;{rights:#x};;;{own_user()})") as descriptor:
        _advapi32.SetKernelObjectSecurity(_kernel32.GetCurrentProcess(), _DACL, descriptor)


def before_sleep(forget: Callable[[], object]) -> Callable[[int | None, int, int | None], int]:
    """Have ``forget`` called, in another thread, when the machine is about to sleep or hibernate; best effort.

    Returns what Windows is to call (DEVICE_NOTIFY_CALLBACK_ROUTINE), for as long as the process lives.
    """

    def told(_context: int | None, kind: int, _setting: int | None) -> int:
        if kind == _SUSPENDING:
            forget()
        return 0

    routine = ctypes.WINFUNCTYPE(wintypes.ULONG, ctypes.c_void_p, wintypes.ULONG, ctypes.c_void_p)(told)
    registration = ctypes.c_void_p()
    subscription = (ctypes.c_void_p * 2)(ctypes.cast(routine, ctypes.c_void_p), None)
    with suppress(OSError, AttributeError):  # since Windows 8
        ctypes.WinDLL("powrprof").PowerRegisterSuspendResumeNotification(
            wintypes.DWORD(_NOTIFY_CALLBACK), ctypes.byref(subscription), ctypes.byref(registration)
        )
    _kept.append((routine, subscription))
    return routine


_kept: list[object] = []
"""What Windows has the address of, for as long as the process lives."""


def _user_of(token: wintypes.HANDLE) -> str:
    """The user in a token, which is closed. Raises OSError."""
    room, size = (ctypes.c_void_p * (_MAX_USER // ctypes.sizeof(ctypes.c_void_p)))(), wintypes.DWORD()
    try:
        _must(_advapi32.GetTokenInformation(token, _TOKEN_USER, room, ctypes.sizeof(room), ctypes.byref(size)))
        return _sid_text(ctypes.c_void_p(room[0]))  # TOKEN_USER begins with the address of the SID behind it
    finally:
        _kernel32.CloseHandle(token)


def _sid_text(sid: ctypes.c_void_p) -> str:
    text = wintypes.LPWSTR()
    _must(_advapi32.ConvertSidToStringSidW(sid, ctypes.byref(text)))
    try:
        return text.value or ""
    finally:
        _kernel32.LocalFree(ctypes.cast(text, ctypes.c_void_p))


@contextmanager
def _descriptor(sddl: str) -> Iterator[int | None]:
    made = ctypes.c_void_p()
    _must(
        _advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, _SDDL_REVISION, ctypes.byref(made), None)
    )
    try:
        yield made.value
    finally:
        _kernel32.LocalFree(made)


def _must(done: object) -> None:
    if not done:
        raise ctypes.WinError(ctypes.get_last_error())
