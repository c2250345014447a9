# SPDX-License-Identifier: Apache-2.0
"""Which processes a sweep takes for programs of a view: real ones, in real namespaces, and no stranger's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.mounts import need_root
from vault import view_places, view_sweep
from vault.view_places import ViewFolder
from vault.viewer_start import LAID, NOTHING, OWN_TMP

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes and mounts are seen on Linux only")

MARK = "0123456789abcdef"
OWN_MOUNTS = ("unshare", "--user", "--map-current-user", "--mount")
OWN_MOUNTS_ONLY = ("unshare", "--mount")
LET_NOBODY_LOOK = "import ctypes, os, signal; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(flush=True); signal.pause()"


@pytest.fixture
def view(tmp_path: Path) -> Iterator[ViewFolder]:
    """A view's folder with what is laid over other folders in it."""
    if subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not allowed here")
    made = view_places.make(MARK, on_disk=True, among=(str(tmp_path / "place"),))
    for name in (*LAID, "home"):
        os.mkdir(os.path.join(made.path, name))
    yield made
    view_sweep.clear(made)


@contextmanager
def sleeper(script: str, around: Sequence[str] = OWN_MOUNTS) -> Iterator[int]:
    """A process that runs a script, then sleeps with an empty environment; its number."""
    words = [*around, "sh", "-c", f"{script}\nexec env -i sh -c 'echo; exec sleep 1000'"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def bind(source: str | Path, over: str | Path) -> str:
    return f"mount --bind '{source}' '{over}' || exit"


@pytest.mark.parametrize("name", LAID)
def test_a_program_without_an_environment_is_known_by_what_was_laid_over_folders_for_it(
    view: ViewFolder, tmp_path: Path, name: str
) -> None:
    over = tmp_path / "hidden"
    over.mkdir()
    with sleeper(bind(f"{view.path}/{name}", over)) as number:
        assert view_sweep.programs(view.path) == (number,)


def test_it_is_known_in_mounts_of_its_own_too(view: ViewFolder) -> None:
    script = f"{bind(f'{view.path}/{OWN_TMP}', '/mnt')}\nexec {' '.join(OWN_MOUNTS)} env -i sh -c 'echo; exec sleep 99'"
    with sleeper(script) as number:
        assert view_sweep.programs(view.path) == (number,)


def test_it_is_known_when_it_lets_nobody_look_into_it(view: ViewFolder) -> None:
    script = f'{bind(f"{view.path}/{OWN_TMP}", "/mnt")}\nexec {sys.executable} -c "{LET_NOBODY_LOOK}"'
    with sleeper(script) as number:
        assert view_sweep.programs(view.path) == (number,)


def test_it_is_known_when_the_folder_is_gone_already(view: ViewFolder) -> None:
    with sleeper(bind(f"{view.path}/{NOTHING}", "/mnt")) as number:
        os.rmdir(f"{view.path}/{NOTHING}")
        assert view_sweep.programs(view.path) == (number,)


def test_it_is_ended_with_the_view(view: ViewFolder) -> None:
    with sleeper(bind(f"{view.path}/{NOTHING}", "/mnt")) as number:
        assert view_sweep.end_programs(view.path)
        assert os.waitpid(number, 0)[1] == signal.SIGKILL


def test_a_stranger_is_not_taken_for_one_and_lives(view: ViewFolder, tmp_path: Path) -> None:
    """Whatever it has mounted where: things of its own on the folders, another view's, a name like theirs."""
    other = view_places.make(MARK, on_disk=True, among=(str(tmp_path / "place"),))
    others = [tmp_path / "mine", Path(other.path, NOTHING), Path(f"{view.path}x", NOTHING), Path(view.path, "home")]
    for folder in others:
        folder.mkdir(parents=True, exist_ok=True)
    scripts = [bind(others[0], f"{view.path}/{name}") for name in LAID] + [bind(one, "/mnt") for one in others]
    with ExitStack() as stack:
        numbers = [stack.enter_context(sleeper(script)) for script in scripts]
        numbers.append(stack.enter_context(sleeper("", ())))
        assert view_sweep.programs(view.path) == ()
        assert view_sweep.end_programs(view.path)
        for number in numbers:
            assert os.waitpid(number, os.WNOHANG) == (0, 0)
    view_sweep.clear(other)


def test_who_has_it_mounted_without_a_user_namespace_is_none(view: ViewFolder) -> None:
    """That is what a system's service is that was started after root mounted the folder somewhere."""
    need_root()
    with sleeper(bind(f"{view.path}/{NOTHING}", "/mnt"), OWN_MOUNTS_ONLY):
        assert view_sweep.programs(view.path) == ()


def test_who_sees_it_mounted_knows_nobody_by_it(view: ViewFolder) -> None:
    """Whoever mounted it there did so for others, too: browsers make namespaces of their own, and inherit it."""
    need_root()
    with sleeper(bind(f"{view.path}/{NOTHING}", "/mnt"), OWN_MOUNTS_ONLY) as shared:
        into = ("nsenter", f"--mount=/proc/{shared}/ns/mnt")
        with sleeper("", (*into, *OWN_MOUNTS)):
            code = f"from vault import view_sweep; print(view_sweep.programs({view.path!r}))"
            asked = subprocess.run([*into, sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert asked.stdout == "()\n"
