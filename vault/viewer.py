# SPDX-License-Identifier: Apache-2.0
"""A program of the user's that shows one document: how it is started, waited for, and ended.

Owns its environment and its life. Its home folder, settings, caches, lists of recent files and temporary files lie in
the view's folder and go with it; it finds no message bus, so that no program that runs already is handed the document
behind its back; what it may change and reach is ``viewer_start``'s. This process becomes the parent of whatever the
program leaves behind (PR_SET_CHILD_SUBREAPER, prctl(2)), so that one which forks and returns is still waited for. It
holds no key: the vault is closed before.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from gettext import gettext as _

from vault import viewer_start
from vault.errors import NotAllowed
from vault.refusals import refusal
from vault.view_places import ViewFolder
from vault.view_sweep import end_programs

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vault.viewer_start import main; main(sys.argv[1:])"
_SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PR_SET_CHILD_SUBREAPER = 36
_AT_ONCE = 2.0
"""Seconds: a program that ends sooner, and well, may have handed the document to one that runs already."""
_ROUNDS = 20
"""How often children are looked for: each round ends a generation."""
_KEPT = frozenset((
    "PATH", "TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ", "DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE",
    "XDG_CURRENT_DESKTOP", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "GDK_SCALE", "QT_SCALE_FACTOR", "SHELL", "USER",
    "LOGNAME",
))  # fmt: skip
"""What a program needs to be seen and understood. Whatever else is in an environment is no business of its."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the system holds the program to."""

    files: bool
    network: bool
    tcp: bool
    hidden: bool


def environment(view: ViewFolder, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the program finds in its environment: every folder that it could remember something in is the view's."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith("LC_")}
    home, run = view.home, os.path.join(view.path, "run")
    own = {"HOME": home, "TMPDIR": os.path.join(view.path, viewer_start.OWN_TMP), "XDG_RUNTIME_DIR": run}
    own |= {f"XDG_{kind}_HOME": os.path.join(home, f".{kind.lower()}") for kind in ("CONFIG", "CACHE", "DATA", "STATE")}
    # An address at which nobody answers: without one, libraries would look for the desktop's own bus.
    own |= {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={run}/no-bus", "LESSHISTFILE": "-", "LESSSECURE": "1"}
    # Settings are kept through that bus, which GTK's programs would complain about. Firefox looks for a running one
    # through the display, too (MOZ_NO_REMOTE).
    own |= {"GSETTINGS_BACKEND": "memory", "MOZ_NO_REMOTE": "1"}
    return kept | _ways_to_the_desktop(environ) | own


def _ways_to_the_desktop(environ: Mapping[str, str]) -> dict[str, str]:
    """Sockets of the desktop that are else found through folders which the program does not have any more."""
    found = {}
    session, home = environ.get("XDG_RUNTIME_DIR", ""), environ.get("HOME", "")
    if os.path.isabs(session):
        if environ.get("WAYLAND_DISPLAY"):
            found["WAYLAND_DISPLAY"] = os.path.join(session, environ["WAYLAND_DISPLAY"])
        found |= {"PIPEWIRE_RUNTIME_DIR": session, "PULSE_SERVER": f"unix:{session}/pulse/native"}
    if environ.get("DISPLAY") and not environ.get("XAUTHORITY") and os.path.isabs(home):
        found["XAUTHORITY"] = os.path.join(home, ".Xauthority")
    return found


def show(
    view: ViewFolder, document: str, words: list[str], *, network: bool, hide: Sequence[str],
    started: Callable[[Held], None], handed_over: Callable[[], None],
) -> int:  # fmt: skip
    """Run the program on the document until it, and all that it started, has ended; the exit code of the first.

    ``hide`` are folders that the program is to find empty: the vault's, and those with the sockets of agents.

    ``started`` is told what the system holds it to. ``handed_over`` is called, and may wait for the person, when it
    ended at once, or when a program that was running already has the document open. Whatever happens, what it started
    is ended before this returns or raises. Raises NotAllowed when it cannot be started.
    """
    for name in ("home", viewer_start.OWN_TMP, "run"):
        os.mkdir(os.path.join(view.path, name), 0o700)
    os.mkdir(os.path.join(view.path, viewer_start.NOTHING), 0o500)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    try:
        process, held = _start(view, document, words, network=network, hide=hide)
        started(held)
        code = _wait(process)
        quick = time.monotonic() - began < _AT_ONCE and code == 0
        if quick or _is_open_elsewhere(view.path):
            handed_over()
        return code
    finally:
        end_programs(view.path)
        _end_children()


def _start(
    view: ViewFolder, document: str, words: list[str], *, network: bool, hide: Sequence[str]
) -> tuple[subprocess.Popen[bytes], Held]:
    reader, writer = os.pipe()
    launcher = [sys.executable, "-I", "-S", "-B", "-c", _START, _SOURCE]
    launcher += [str(writer), str(os.getpid()), "yes" if network else "no", view.path, str(len(hide)), *hide]
    try:
        process = subprocess.Popen(
            [*launcher, *words, document], env=environment(view), cwd=view.home, pass_fds=(writer,), close_fds=True
        )
    except OSError as exc:
        os.close(reader)
        raise NotAllowed(_("the program could not be started: {reason}").format(reason=refusal(exc))) from exc
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    signs, failed, number = said.partition(viewer_start.FAILED)
    if failed:
        process.wait()
        code = struct.unpack("!I", number)[0] if len(number) == 4 else 0
        reason = refusal(OSError(code, os.strerror(code))) if code else ""
        raise NotAllowed(_("the program could not be started: {reason}").format(reason=reason))
    return process, Held(**{name: sign in signs for name, sign in viewer_start.SIGNS.items()})


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Until the program and every process that it left behind have ended; the program's own exit code."""
    code = process.wait()
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return code


def _end_children() -> None:
    """Whatever is still a child of this process, also with another environment; their own children come next."""
    for _round in range(_ROUNDS):
        children = _children()
        for number in children:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)  # not waited for yet, so the number is its own
                os.waitpid(number, 0)
        if not children:
            return


def _children() -> list[int]:
    found = []
    with suppress(OSError):
        for number in os.listdir("/proc"):
            if number.isdecimal() and _parent_of(number) == os.getpid():
                found.append(int(number))
    return found


def _parent_of(number: str) -> int:
    try:
        with open(f"/proc/{number}/stat", "rb") as f:  # proc(5): the second field after the name's bracket
            return int(f.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _is_open_elsewhere(folder: str) -> bool:
    """Whether a process that is none of the view's has a file below the folder open, as far as /proc shows it."""
    me = str(os.getpid())
    with suppress(OSError):
        for number in os.listdir("/proc"):
            if number.isdecimal() and number != me and _has_open(number, folder):
                return True
    return False


def _has_open(number: str, folder: str) -> bool:
    try:
        descriptors = os.listdir(f"/proc/{number}/fd")
    except OSError:
        return False
    for one in descriptors:
        with suppress(OSError):
            if os.readlink(f"/proc/{number}/fd/{one}").startswith(folder + "/"):
                return True
    return False
