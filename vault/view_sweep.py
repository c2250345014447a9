# SPDX-License-Identifier: Apache-2.0
"""Ending views: their programs, the view itself, and what lies in clear in its folder.

Owns the order: first the programs that a view started, then the view, then its files, so that nothing is written anew
behind the broom. A program is known by the home folder that the view gave it in its environment, or by what
``viewer_start`` laid over other folders in its mounts, which it cannot shed by changing its environment. No process of
another user is touched. Files in memory are unlinked, which frees their pages; on a disk they are overwritten first,
for what that is worth there. Used by `view` at its end, by `lock`, by guards and by ``panic`` once the keys are gone.
Standard library only; processes are seen on Linux.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from gettext import gettext as _

from vault import view_places
from vault.agent import runtime
from vault.disk import full_sync, noise
from vault.refusals import refusal

_PROC = "/proc"
_GRACE = 0.3
"""Seconds that a view has to clear its screen and its folder by itself."""
_PATIENCE = 2.0
"""Seconds after which a process that was killed is given up."""
_PIECE = 1 << 20
_ROUNDS = 3
"""How often a folder is looked through for programs: one that forks meanwhile is found in the next round."""


def sweep(
    mark: str | None, *, stale_only: bool = False, among: tuple[str, ...] | None = None
) -> tuple[tuple[str, str], ...]:
    """End the views of the vault with this mark: the folder of each, and "" or why something of it is left.

    With ``stale_only`` only those whose view has ended, however it did. Raises nothing that can be foreseen.
    """
    outcome = []
    for folder in view_places.found(mark, among=among):
        holder = folder + view_places.HELD
        if stale_only and runtime.note_of_holder(holder) is not None:
            continue
        outcome.append((folder, end(folder)))
    return tuple(outcome)


def end(folder: str) -> str:
    """End whatever belongs to one view's folder and remove it; "" or why something is left."""
    holder = folder + view_places.HELD
    number = runtime.number_of_holder(holder)
    end_programs(folder)
    if number is not None:
        _end_process(number, lambda: runtime.number_of_holder(holder) == number)
        end_programs(folder)  # what it may have started in between
    problem = remove(folder)
    if not problem:
        _forget(holder)
    return problem


def clear(view: view_places.ViewFolder) -> str:
    """What a view does at its own end: the same, but for itself."""
    end_programs(view.path)
    problem = remove(view.path)
    os.close(view.holder)
    if not problem:
        _forget(view.path + view_places.HELD)
    return problem


def end_programs(folder: str) -> bool:
    """Kill the programs that were started to view what is in a folder; whether none is left."""
    for _round in range(_ROUNDS):
        running = programs(folder)
        if not running:
            return True
        for number in running:
            _end_process(number, lambda number=number: _serves(number, folder), graces=())  # type: ignore[misc]
    return not programs(folder)


def programs(folder: str) -> tuple[int, ...]:
    """The numbers of the processes that were started to view what is in the folder, as far as /proc shows them."""
    try:
        names = os.listdir(_PROC)
    except OSError:
        return ()
    me = os.getpid()
    return tuple(int(name) for name in names if name.isdecimal() and int(name) != me and _serves(int(name), folder))


def remove(folder: str) -> str:
    """Remove a view's folder with all that is in it; "" or why something is left. Links are not followed."""
    problem = ""
    if not os.path.lexists(folder):
        return ""
    _permit(folder)
    if view_places.kind_in_memory(folder) is None:
        problem = _overwrite(folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        problem = refusal(error)
    return problem


def _permit(folder: str) -> None:
    """Give back to the owner what a program took away from folders of its own."""
    with suppress(OSError):
        os.chmod(folder, 0o700)
    for _path, folders, _files, fd in os.fwalk(folder, follow_symlinks=False):
        for name in folders:
            with suppress(OSError):
                if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                    os.chmod(name, 0o700, dir_fd=fd)


def _overwrite(folder: str) -> str:
    """Every file, in place and synced; the first problem, or ""."""
    problem = ""
    for _path, _folders, files, fd in os.fwalk(folder, follow_symlinks=False):
        for name in files:
            try:
                _overwrite_file(name, fd)
            except OSError as error:
                problem = problem or _("a file could not be overwritten: {reason}").format(
                    reason=refusal(error)
                )
    return problem


def _overwrite_file(name: str, folder_fd: int) -> None:
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        return  # no file of the view: a program could have linked a stranger's here
    os.chmod(name, 0o600, dir_fd=folder_fd)
    fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        left = os.fstat(fd).st_size
        while left:
            left -= os.write(fd, noise(min(left, _PIECE)))
        full_sync(fd)
    finally:
        os.close(fd)


def _forget(holder: str) -> None:
    """Remove the file that showed that a view lives, unless one has just taken it."""
    import fcntl

    with suppress(OSError):
        fd = os.open(holder, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(holder)
        finally:
            os.close(fd)
    view_places.leave(holder)


def _serves(number: int, folder: str) -> bool:
    try:
        return _user_of(number) == os.getuid() and (_has_its_home(number, folder) or _has_its_mounts(number, folder))
    except OSError:  # it has ended
        return False


def _user_of(number: int) -> int | None:
    """The real user. Not the owner of /proc/N: that is root for whatever lets nobody look into it (proc(5))."""
    for line in _read(f"{_PROC}/{number}/status").splitlines():
        if line.startswith(b"Uid:"):
            return int(line.split()[1])
    return None


def _has_its_home(number: int, folder: str) -> bool:
    with suppress(OSError):  # one that lets nobody look
        untrusted = _read(f"{_PROC}/{number}/environ").split(b"\0")
        return b"HOME=" + os.fsencode(view_places.home_of(folder)) in untrusted
    return False


def _has_its_mounts(number: int, folder: str) -> bool:
    """Whether a process has folders of the view's mounted, in namespaces that are not those of this process.

    By what is mounted, the fourth field of proc_pid_mountinfo(5), and never by where: anybody may mount something on a
    folder of the view's. If this process has one mounted too, then it says nothing: whoever mounted it, so that this
    process sees it, let others see it, or this process was started from within the view.
    """
    try:
        if any(_namespace(number, kind) == _namespace("self", kind) for kind in ("mnt", "user")):
            return False
        return _mounts(number, folder) and not _mounts("self", folder)
    except OSError:
        return False


def _namespace(number: int | str, kind: str) -> str:
    return os.readlink(f"{_PROC}/{number}/ns/{kind}")


def _mounts(number: int | str, folder: str) -> bool:
    from vault.viewer_start import LAID

    view = os.path.basename(folder)
    endings = tuple(os.fsencode(f"/{view}/{name}") for name in LAID)
    lines = _read(f"{_PROC}/{number}/mountinfo").splitlines()
    return any(line.split(b" ")[3].removesuffix(b"//deleted").endswith(endings) for line in lines)


def _read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def _end_process(
    number: int, still: Callable[[], bool], *, graces: tuple[tuple[signal.Signals, float], ...] | None = None
) -> None:
    """Tell a process to end, then kill it, as long as ``still`` says that its number is its own."""
    orders = ((signal.SIGTERM, _GRACE),) if graces is None else graces
    fd = _handle(number)
    try:
        for order, patience in (*orders, (signal.SIGKILL, _PATIENCE)):
            if not still():  # asked while the handle is held, which is of no later process with the same number
                return
            with suppress(OSError):
                _tell(number, fd, order)
            if _wait(fd, still, patience):
                return
    finally:
        if fd is not None:
            os.close(fd)


def _handle(number: int) -> int | None:
    """What stays this process's even if its number becomes another's; None on a kernel before 5.3, and elsewhere."""
    try:
        return os.pidfd_open(number)
    except (OSError, AttributeError):
        return None


def _tell(number: int, fd: int | None, order: signal.Signals) -> None:
    if fd is None:
        os.kill(number, order)
    else:
        signal.pidfd_send_signal(fd, order)


def _wait(fd: int | None, still: Callable[[], bool], patience: float) -> bool:
    if fd is not None:
        return bool(select.select([fd], [], [], patience)[0])
    until = time.monotonic() + patience
    while still() and time.monotonic() < until:
        time.sleep(0.01)
    return not still()
