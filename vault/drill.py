# SPDX-License-Identifier: Apache-2.0
"""Rehearsing the emergency wipe: a throw-away vault beside the real one, wiped by the same program, timed.

The throw-away vault has a real vault's files in a real vault's sizes, filled with random bytes, in a new folder with
a random name. A fresh process wipes it, so that starting the program is part of the time. The real vault is neither
opened nor looked at: only the folder it is in is used, because times depend on the drive.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time

from keys.layout import COMPARTMENTS, KEYRING_SIZE, PAIRS_PER_COMPARTMENT
from vault.counter import Counter
from vault.disk import Disk
from vault.language import said as _
from vault.layout import ACCESS, BOOKS, CASES, COUNTER, HEADER, INDEX, KEYRING, OUTBOX, PACKS, ROSTERS
from vault.panic import DONE, FAILED, NoVaultHere, panic
from vault.report import shown

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

PACKS_MADE = 8
_PACK_SIZE = 256 << 10
_SEALED_SIZE = 64 << 10
_PATIENCE = 120
"""Seconds after which a rehearsal that does not end is called failed."""


def drill(folder: str, *, keep: bool, json: bool, say: Callable[[str], None], disk: Disk | None = None) -> int:
    """Rehearse beside the vault in ``folder`` and tell through ``say``. Returns the exit code."""
    disk = disk or Disk()
    place = os.path.join(_existing(os.path.dirname(folder)), f".sandyk-drill-{os.urandom(8).hex()}")
    try:
        try:
            make_throw_away(place, disk)
            if not json:
                say(_("DRILL on a throw-away vault, {place}. The real one is not touched.").format(place=shown(place)))
            times = _run(place, keep=keep)
        finally:
            removed = _remove(place, disk)
    except (OSError, subprocess.SubprocessError) as error:
        say(_as_json(error=str(error)) if json else _("DRILL FAILED: {error}").format(error=f"{error!s:.200}"))
        return FAILED
    keys_gone_ms, whole_ms, code, output = times
    passed = code == DONE and removed
    if json:
        say(_as_json(passed=passed, keys_gone_ms=keys_gone_ms, whole_ms=whole_ms, exit_code=code, removed=removed))
        return DONE if passed else FAILED
    for line in output:
        say(f"  | {line}")
    say(
        _("Keys gone {keys_gone} ms after the program was started; finished after {whole} ms.").format(
            keys_gone=f"{keys_gone_ms:.0f}", whole=f"{whole_ms:.0f}"
        )
    )
    say(_("A bigger vault's keys are gone as fast; deleting its files takes longer."))
    failed = _("DRILL FAILED: exit code {code}") if removed else _("DRILL FAILED: exit code {code}, remains are left")
    say(_("DRILL PASSED") if passed else failed.format(code=code))
    return DONE if passed else FAILED


def make_throw_away(folder: str, disk: Disk) -> None:
    """A vault that holds nothing: what ``init`` and a little work leave, as random bytes. Raises OSError."""
    case = f"{CASES}/{os.urandom(16).hex()}"
    disk.make_folder(folder)
    for name in (ROSTERS, BOOKS, CASES, case, f"{case}/{ACCESS}", f"{case}/{PACKS}", OUTBOX):
        disk.make_folder(os.path.join(folder, name))
    sizes = {KEYRING: KEYRING_SIZE, f"{case}/{INDEX}": _SEALED_SIZE, f"{case}/{ACCESS}/000001.age": _SEALED_SIZE}
    sizes |= {f"{ROSTERS}/{i}.age": _SEALED_SIZE for i in range(COMPARTMENTS)}
    sizes |= {f"{BOOKS}/{i:02}.age": _SEALED_SIZE for i in range(COMPARTMENTS * PAIRS_PER_COMPARTMENT)}
    sizes |= {f"{case}/{PACKS}/{os.urandom(16).hex()}.age": _PACK_SIZE for __ in range(PACKS_MADE)}
    for name, size in sizes.items():
        _write(disk, os.path.join(folder, name), os.urandom(size))
    _write(disk, os.path.join(folder, COUNTER), Counter().encode())
    salt = base64.b64encode(os.urandom(16))
    header = b"sandyk vault 1\nargon2id memory-kib=196608 passes=4 lanes=1\nsalt " + salt + b"\n"
    _write(disk, os.path.join(folder, HEADER), header)


def _run(place: str, *, keep: bool) -> tuple[float, float, int, list[str]]:
    """Wipe in a fresh process: milliseconds until the keys were gone, until its end; exit code; what it said."""
    command = [*_program(), "panic", "--vault", place, *(["--keep"] if keep else [])]
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            first = child.stdout.readline() if child.stdout else b""
            keys_gone_ms = (time.perf_counter() - began) * 1000
            rest, __ = child.communicate(timeout=_PATIENCE)
        except BaseException:
            child.kill()
            raise
    whole_ms = (time.perf_counter() - began) * 1000
    code = child.returncode if first.startswith(b"KEYS GONE") else child.returncode or FAILED
    return keys_gone_ms, whole_ms, code, (first + rest).decode("utf-8", "replace").splitlines()


def _program() -> list[str]:
    """How this program was started, so that the rehearsal starts it the same way."""
    ending = ".exe" if os.name == "nt" else ""  # which pip's launcher takes away
    started_as = sys.argv[0] + ending
    if os.path.basename(started_as) == f"sandyk{ending}" and os.access(started_as, os.X_OK):
        return [started_as]
    return [sys.executable, "-I", "-m", "vault"]


def _remove(place: str, disk: Disk) -> bool:
    """Remove what a kept or failed rehearsal left. Returns whether nothing is left."""
    if os.path.lexists(place):
        try:
            panic(place, disk=disk, discard=False)
        except NoVaultHere:
            _remove_empty(place)
    return not os.path.lexists(place)


def _remove_empty(place: str) -> None:
    for folder, *__ in os.walk(place, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            continue


def _existing(folder: str) -> str:
    """The folder, or the nearest one above it that exists."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _write(disk: Disk, path: str, data: bytes) -> None:
    fd = disk.create(path)
    try:
        disk.write(fd, data, path)
        disk.sync(fd, path)
    finally:
        os.close(fd)


def _as_json(
    *, passed: bool = False, keys_gone_ms: float = 0.0, whole_ms: float = 0.0, exit_code: int = FAILED,
    removed: bool = True, error: str = "",
) -> str:  # fmt: skip
    import json

    return json.dumps(
        {
            "drill": True,
            "passed": passed,
            "spawn_to_keys_gone_ms": round(keys_gone_ms, 1),
            "whole_ms": round(whole_ms, 1),
            "exit_code": exit_code,
            "removed": removed,
            "error": error,
        },
        indent=2,
    )
