# SPDX-License-Identifier: Apache-2.0
"""Small real file systems in a file, for tests that run as root on Linux; skipped elsewhere, with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest


def need_root() -> None:
    """Skip unless mounting is possible."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux: it mounts a file system")


@contextmanager
def mounted(where: Path, *arguments: str) -> Iterator[str]:
    """``mount arguments where``, as a context. Skips where the system does not allow it."""
    need_root()
    where.mkdir(exist_ok=True)
    run = subprocess.run(["mount", *arguments, str(where)], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"cannot mount: {run.stderr.strip()}")
    try:
        yield str(where)
    finally:
        subprocess.run(["umount", str(where)], check=True)


REQUIRED = ("ext4", "xfs", "btrfs", "vfat", "exfat")
"""Kinds whose tools must be there where ``SANDYK_REQUIRE_TOOLS=1``. That the kernel knows them is asked of nobody."""
_MKFS = {
    "ext4": ("-q", "-F"), "xfs": ("-q", "-f"), "btrfs": ("-q", "-f"), "vfat": ("-F", "32"), "exfat": (),
}  # fmt: skip


def make_image(image: Path, kind: str, *, mib: int, mkfs: tuple[str, ...] = ()) -> Path:
    """A new, sparse file with an empty file system in it."""
    need_root()
    program = shutil.which(f"mkfs.{kind}") or shutil.which(f"/usr/sbin/mkfs.{kind}")
    if program is None:
        _lacking(kind, f"mkfs.{kind} is not installed")
    if not os.path.exists("/dev/loop-control"):
        _lacking(kind, "there are no loop devices")
    with image.open("wb") as f:
        f.truncate(mib << 20)
    subprocess.run([program, *_MKFS[kind], *mkfs, str(image)], check=True, capture_output=True)
    return image


@contextmanager
def image_mounted(image: Path, kind: str, where: Path, *, options: str = "") -> Iterator[str]:
    """An image that ``make_image`` made, mounted on a loop device; exFAT by FUSE if the kernel does not know it."""
    if kind in _FUSE and not _kernel_knows(kind):
        with _by_fuse(image, kind, where) as mount:
            yield mount
        return
    with mounted(where, "-t", kind, "-o", f"loop{',' + options if options else ''}", str(image)) as mount:
        yield mount


_FUSE = {"exfat": "mount.exfat-fuse"}
"""Drivers outside the kernel: Debian's package exfat-fuse. (fusefat knows no chmod, so no vault can be made on it.)"""


def _kernel_knows(kind: str) -> bool:
    """Whether the kernel can mount it, perhaps with a module that it has to load first."""
    with suppress(FileNotFoundError):
        subprocess.run(["modprobe", "-q", kind], capture_output=True, check=False)
    return kind in Path("/proc/filesystems").read_text().split()


@contextmanager
def _by_fuse(image: Path, kind: str, where: Path) -> Iterator[str]:
    """Mounted by a driver of block devices: umount returns when it has written everything and let go of its own."""
    program = shutil.which(_FUSE[kind]) or shutil.which(f"/usr/sbin/{_FUSE[kind]}")
    if program is None or not os.path.exists("/dev/fuse"):
        _lacking(kind, f"the kernel cannot mount {kind}, and {_FUSE[kind]} or /dev/fuse is not there either")
    where.mkdir(exist_ok=True)
    device = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True, check=True).stdout
    try:
        subprocess.run([program, "-o", "rw", device.strip(), where], check=True, capture_output=True)
        try:
            yield str(where)
        finally:
            subprocess.run(["umount", str(where)], check=True)
    finally:
        subprocess.run(["losetup", "-d", device.strip()], check=True)


@contextmanager
def loop_mounted(base: Path, kind: str, *, mib: int, options: str = "", mkfs: tuple[str, ...] = ()) -> Iterator[str]:
    """A new file system of a kind in ``base/image``, mounted at ``base/mnt``."""
    image = make_image(base / "image", kind, mib=mib, mkfs=mkfs)
    with image_mounted(image, kind, base / "mnt", options=options) as where:
        yield where


def _lacking(kind: str, reason: str) -> NoReturn:
    if kind in REQUIRED and os.environ.get("SANDYK_REQUIRE_TOOLS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def survives(image: Path, secret: bytes, window: int = 16) -> bool:
    """Whether any aligned ``window`` bytes of the secret are found in an image, read block by block."""
    wanted = {secret[i : i + window] for i in range(0, len(secret) - window + 1, window)}
    with image.open("rb") as f:
        while block := f.read(1 << 20):
            if any(block[i : i + window] in wanted for i in range(0, len(block), window)):
                return True
    return False
