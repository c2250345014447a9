# SPDX-License-Identifier: Apache-2.0
"""What an armed guard asks of the scheduler: granted or refused, it never stands in its way, and is given back."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.strangers import run_as_stranger

ROOT = Path(__file__).resolve().parents[2]

if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
    pytest.skip("the numbers of the system calls are known for Linux on two processors", allow_module_level=True)

CODE = """
import ctypes, json, os, platform, struct
from vault.guard_hurry import calm, hurry

def state():
    getattr_number, io_number = {"x86_64": (315, 252), "aarch64": (275, 31)}[platform.machine()]
    seen, libc = ctypes.create_string_buffer(48), ctypes.CDLL(None)
    assert libc.syscall(getattr_number, 0, seen, 48, 0) == 0
    _, _, _, nice, _, slice_ns, _, _ = struct.unpack("=IIQiIQQQ", seen.raw)
    policy = os.sched_getscheduler(0)
    inherited = os.popen("cat /proc/self/sched 2>/dev/null | grep ^policy").read().split()[-1:]
    return {"policy": policy & ~os.SCHED_RESET_ON_FORK, "nice": nice, "slice": slice_ns,
            "io": libc.syscall(io_number, 1, 0), "children": inherited}

os.nice(3)
print(json.dumps([state(), (hurry(), state())[1], (calm(), state())[1]]))
"""


def has_slices() -> bool:
    """Whether an ordinary process of this kernel may choose its slice (Linux 6.12)."""
    return tuple(int(n) for n in platform.release().split(".")[:2]) >= (6, 12)


def test_root_is_run_before_ordinary_programs_and_goes_back_to_them() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may have another class")
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, cwd=ROOT, check=True)
    before, hurried, calmed = json.loads(run.stdout)
    assert (before["policy"], hurried["policy"], calmed["policy"]) == (os.SCHED_OTHER, os.SCHED_FIFO, os.SCHED_OTHER)
    assert hurried["io"] >> 13 == 1
    assert hurried["children"] in ([], ["0"])  # the class is for this process alone
    assert calmed["nice"] in (0, 3)


def test_an_ordinary_user_gets_a_short_slice_and_no_error() -> None:
    if os.geteuid() != 0:
        pytest.skip("the interpreter of the checkout cannot be run as another user")
    run = run_as_stranger(CODE)
    assert run.returncode == 0, run.stderr
    before, hurried, calmed = json.loads(run.stdout)
    assert hurried["policy"] == calmed["policy"] == os.SCHED_OTHER
    assert hurried["nice"] == before["nice"] == 3
    assert hurried["io"] >> 13 == 2 and hurried["io"] & 0x1FFF == 0
    if has_slices():
        assert hurried["slice"] == 100_000 < before["slice"]
