# SPDX-License-Identifier: Apache-2.0
"""What scenarios of agents on Windows are made of: real vaults, agents and pipes. No pytest: that Python has none."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.newsroom import CHEAP, newsroom, unlock

if sys.platform == "win32":
    import _winapi

    from vault.agent import pipes, windows

ROOT = Path(__file__).resolve().parents[2]


def again(folder: str) -> None:
    """A new vault, cheap to open."""
    newsroom(folder, case=None)


def start(folder: str, *, lasts: int = 600, idle: int = 600) -> None:
    from vault.agent import client

    with unlock(folder) as vault:
        client.start(vault, lasts=lasts, idle=idle)


def opens(folder: str, *, locks: bool = True) -> bool:
    """Whether the agent opens the vault.

    Without ``locks`` one whose slot is of no use is left alone: where it is this very process, which would end itself.
    """
    from vault.agent import client
    from vault.disk import Disk
    from vault.vaults import LockedVault

    before = client.lock
    client.lock = before if locks else lambda _folder: False
    try:
        vault = client.resume(LockedVault.at(folder, disk=Disk(), floor=CHEAP))
    finally:
        client.lock = before
    if vault is None:
        return False
    with vault:
        return vault.my_entry().label == "Айгүл"


def path(folder: str) -> str:
    from vault.agent import runtime

    return runtime.place_of(folder).socket


def agent_number(folder: str) -> int:
    from vault.agent import runtime

    number = runtime.number_of_holder(path(folder))
    assert number is not None
    return number


def ends(folder: str) -> bool:
    """Whether the agent ends by itself soon."""
    from vault.agent import runtime

    return runtime.wait_until_free(path(folder), tries=200)


def runs(number: int) -> bool:
    return not ended(number, patience=0)


def ended(number: int, patience: float = 5) -> bool:
    try:
        with windows.Process(number) as process:
            return process.ended(patience)
    except OSError:
        return True


def raw(folder: str, *pieces: bytes) -> bytes:
    """What the agent answers to these bytes."""
    answer, room = bytearray(), bytearray(4096)
    with pipes.connect(path(folder), timeout=5) as connection, contextlib.suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        while got := connection.recv_into(memoryview(room)):
            answer += room[:got]
            if len(answer) >= 6 and len(answer) >= 4 + int.from_bytes(answer[:4], "big"):
                break
    return bytes(answer)


def stopped_agent(folder: str) -> int:
    """An agent that lets itself be stopped, and was: unlike a real one, which gives nobody the right to."""
    from keys import keyring
    from vault.agent import protocol, runtime

    with unlock(folder) as vault:
        blob = bytes(keyring.hold(vault.keyring_file, vault.opened).encode())
    place, stamp = runtime.place_of(folder), runtime.stamp_of(os.path.join(folder, "keyring"))
    message = protocol.encode_start(protocol.Start(60, 60, stamp, place.folder, place.base)) + blob
    code = "from vault.agent import server, windows; windows.harden = lambda: None; server.main()"
    agent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert agent.stdin is not None and agent.stdout is not None
    agent.stdin.write(message)
    agent.stdin.close()
    assert agent.stdout.read(1) == b"1"
    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.OpenProcess.restype = ctypes.c_void_p
    handle = kernel32.OpenProcess(0x0800, False, agent.pid)
    assert ctypes.WinDLL("ntdll").NtSuspendProcess(ctypes.c_void_p(handle)) == 0
    return agent.pid


@contextlib.contextmanager
def planted(name: str, owner: str) -> Iterator[int]:
    """Somebody's pipe of this name, made before; everybody may open it, and nobody answers."""
    with windows.attributes(f"O:{owner}D:P(A;;FA;;;WD)") as security:
        handles = [
            _winapi.CreateNamedPipe(name, _winapi.PIPE_ACCESS_DUPLEX | 0x4000_0000, 0, 255, 4096, 4096, 0, security)
            for _ in range(30)
        ]
    try:
        yield handles[0]
    finally:
        for handle in handles:
            _winapi.CloseHandle(handle)


@contextlib.contextmanager
def answering(name: str, answer: bytes) -> Iterator[None]:
    """Something of the same user that listens where an agent would, and answers whatever it is asked with this."""
    user = windows.own_user()
    with windows.attributes(f"O:{user}D:P(A;;FA;;;{user})") as security:
        handles = [
            _winapi.CreateNamedPipe(name, _winapi.PIPE_ACCESS_DUPLEX, 0, 2, 4096, 4096, 0, security)
            for _ in range(2)  # one for who only looks who is there, one for who asks then
        ]

    def run(handle: int) -> None:
        with contextlib.suppress(OSError):  # somebody who came first, and may have left again
            _winapi.ConnectNamedPipe(handle)
        with contextlib.suppress(OSError):
            _winapi.ReadFile(handle, 64)
            _winapi.WriteFile(handle, answer)
        _winapi.CloseHandle(handle)

    threads = [threading.Thread(target=run, args=(handle,), daemon=True) for handle in handles]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def described(handle: int) -> str:
    """Owner and access list of what is open, as the system writes them."""
    advapi32 = ctypes.WinDLL("advapi32")
    descriptor, text = ctypes.c_void_p(), ctypes.c_wchar_p()
    assert not advapi32.GetSecurityInfo(ctypes.c_void_p(handle), 6, 5, None, None, None, None, ctypes.byref(descriptor))
    assert advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, 1, 5, ctypes.byref(text), None)
    return text.value or ""


def may(number: int, right: int) -> bool:
    """Whether this process gets a right to another one."""
    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.OpenProcess.restype = ctypes.c_void_p
    handle = kernel32.OpenProcess(right, False, number)
    if handle:
        kernel32.CloseHandle(ctypes.c_void_p(handle))
    return bool(handle)
