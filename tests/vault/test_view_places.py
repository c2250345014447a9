# SPDX-License-Identifier: Apache-2.0
"""Folders of views: what counts as memory, whose folder is trusted, and what a sweep takes away and what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.mounts import loop_mounted, mounted
from vault import view_places, view_sweep
from vault.agent import runtime
from vault.errors import ConfinedFailed, NotAllowed
from vault.medium import Extents, Mount, Swap, nothing_known
from vault.view_places import ViewFolder
from vault.viewer import environment
from vault.viewing import for_terminal, plain_name, program_words, swap_note

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is memory is known on Linux only")

MARK = "0123456789abcdef"


@pytest.fixture
def disk(tmp_path: Path) -> tuple[str, ...]:
    """One place, on whatever the tests lie."""
    return (str(tmp_path / "place"),)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """One place on a tmpfs of its own, mounted where no file system in memory usually is."""
    with mounted(tmp_path / "mnt", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as where:
        yield (f"{where}/place",)


def on_disk(places: tuple[str, ...]) -> ViewFolder:
    return view_places.make(MARK, on_disk=True, among=places)


# What is memory


def test_a_file_system_in_memory_is_known_by_what_the_kernel_says_and_not_by_its_path(tmp_path: Path) -> None:
    with mounted(tmp_path / "shm", "-t", "tmpfs", "tmpfs") as where:
        assert view_places.kind_in_memory(where) == "tmpfs"
    with mounted(tmp_path / "shm", "-t", "ramfs", "ramfs") as where:
        assert view_places.kind_in_memory(where) == "ramfs"


def test_a_disk_where_memory_usually_is_is_refused(tmp_path: Path) -> None:
    with loop_mounted(tmp_path, "ext4", mib=8) as where:
        assert view_places.kind_in_memory(where) is None
        with pytest.raises(NotAllowed, match="no file system in memory was found"):
            view_places.make(MARK, among=(f"{where}/sandyk",))
        assert not os.path.exists(f"{where}/sandyk")


@pytest.mark.parametrize("path", ["/proc", "/sys", "/nonexistent", "/etc/hostname"])
def test_what_is_no_folder_in_memory_is_none(path: str) -> None:
    assert view_places.kind_in_memory(path) is None


def test_a_document_that_has_no_room_in_memory_is_refused(memory: tuple[str, ...]) -> None:
    with pytest.raises(NotAllowed, match="has room for this document"):
        view_places.make(MARK, size=2 << 20, among=memory)


# Whose folder


def test_a_place_that_is_open_to_others_is_not_used(memory: tuple[str, ...]) -> None:
    os.mkdir(memory[0], 0o755)
    with pytest.raises(NotAllowed):
        view_places.make(MARK, among=memory)


def test_a_place_that_is_a_link_is_not_used_and_nothing_behind_it_is_swept(
    memory: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    stranger = tmp_path / "elsewhere" / f"{MARK}.view-12345678"
    stranger.mkdir()
    os.symlink(tmp_path / "elsewhere", memory[0])
    with pytest.raises(NotAllowed):
        view_places.make(MARK, among=memory)
    assert view_sweep.sweep(MARK, among=memory) == ()
    assert stranger.is_dir()


def test_a_view_s_folder_is_for_its_user_alone_and_names_nothing_but_the_mark(memory: tuple[str, ...]) -> None:
    view = view_places.make(MARK, among=memory)
    assert os.stat(view.path).st_mode & 0o777 == 0o700
    assert os.path.basename(view.path).startswith(f"{MARK}.view-")
    assert view.in_memory
    assert runtime.number_of_holder(view.path + view_places.HELD) == os.getpid()
    assert view_sweep.clear(view) == ""
    assert not os.path.exists(memory[0])


# Sweeping


def test_only_the_views_of_the_vault_with_this_mark_are_found(disk: tuple[str, ...]) -> None:
    view = on_disk(disk)
    assert view_places.found("f" * 16, among=disk) == ()
    assert view_places.found(None, among=disk) == ()
    assert view_places.found(MARK, among=disk) == (view.path,)
    view_sweep.clear(view)


def test_a_living_view_is_left_alone_by_those_who_sweep_what_was_left(disk: tuple[str, ...]) -> None:
    view = on_disk(disk)
    assert view_sweep.sweep(MARK, stale_only=True, among=disk) == ()
    os.close(view.holder)  # as when its process was killed
    assert view_sweep.sweep(MARK, stale_only=True, among=disk) == ((view.path, ""),)
    assert not os.path.exists(disk[0])


def test_the_file_of_a_view_that_was_killed_before_its_folder_was_made_goes_too(disk: tuple[str, ...]) -> None:
    view = on_disk(disk)
    os.close(view.holder)
    os.rmdir(view.path)
    assert view_sweep.sweep(MARK, among=disk) == ((view.path, ""),)
    assert not os.path.exists(disk[0])


def test_on_a_disk_every_file_is_overwritten_before_it_is_removed(disk: tuple[str, ...], tmp_path: Path) -> None:
    """Seen through a second name of each file, made behind the sweep's back by a descriptor that stays open."""
    view = on_disk(disk)
    Path(view.path, "home").mkdir()
    paths = [Path(view.path, "document.txt"), Path(view.path, "home", "recent")]
    descriptors = []
    for path in paths:
        path.write_bytes(b"the name of the source " * 200_000)
        path.chmod(0o400)
        descriptors.append(os.open(path, os.O_RDONLY))
    assert view_sweep.clear(view) == ""
    for fd in descriptors:
        left = os.pread(fd, 8 << 20, 0)
        os.close(fd)
        assert len(left) == 23 * 200_000
        assert b"source" not in left
    assert not os.path.exists(disk[0])


def test_a_stranger_s_file_that_a_program_linked_into_the_folder_is_neither_overwritten_nor_followed(
    disk: tuple[str, ...], tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.txt"
    stranger.write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("mine, too")
    view = on_disk(disk)
    os.link(stranger, f"{view.path}/hard")
    os.symlink(stranger, f"{view.path}/soft")
    os.symlink(tmp_path / "folder", f"{view.path}/folder")
    assert view_sweep.clear(view) == ""
    assert stranger.read_text() == "mine"
    assert (tmp_path / "folder" / "file").read_text() == "mine, too"


def test_what_cannot_be_removed_is_said(disk: tuple[str, ...]) -> None:
    view = on_disk(disk)
    busy = Path(view.path, "busy")
    with mounted(busy, "-t", "tmpfs", "tmpfs"):
        assert view_sweep.clear(view) != ""
        assert busy.is_dir()
    assert view_sweep.sweep(MARK, among=disk) == ((view.path, ""),)


def test_a_view_that_does_not_end_by_itself_is_killed(disk: tuple[str, ...]) -> None:
    """It ignores SIGTERM; the process is one that holds a view's folder as ``view`` does."""
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from vault import view_places\n"
        f"view_places.make({MARK!r}, on_disk=True, among=(sys.argv[1],)); print('READY', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, disk[0]], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (outcome,) = view_sweep.sweep(MARK, among=disk)
        assert outcome[1] == ""
        assert process.wait(30) == -signal.SIGKILL
    assert not os.path.exists(disk[0])


def test_a_program_is_known_by_the_home_that_its_view_gave_it(disk: tuple[str, ...]) -> None:
    view = on_disk(disk)
    other = subprocess.Popen(["sleep", "1000"], env={"PATH": os.environ["PATH"], "HOME": view.home + "x"})
    mine = subprocess.Popen(["sleep", "1000"], env={"PATH": os.environ["PATH"], "HOME": view.home})
    try:
        assert view_sweep.programs(view.path) == (mine.pid,)
        assert view_sweep.clear(view) == ""
        assert mine.wait(30) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


# What is judged


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        (b"a/b/Protokoll.PDF", "document.pdf"), ("тинтүү.docx".encode(), "document.docx"), (b"no ending", "document"),
        (b".profile", "document"), (b"x.$(reboot)", "document"), (b"x.tar.gz", "document.gz"), (b"x.", "document"),
        ("x.пдф".encode(), "document"), (b"x.averylongending", "document"), (b"x.\xff\xfe", "document"),
    ],
)  # fmt: skip
def test_of_a_name_only_a_plain_ending_stays(name: bytes, shown_as: str) -> None:
    assert plain_name(name) == shown_as


def test_a_program_may_have_options_and_no_shell_reads_them() -> None:
    assert program_words("sh -c 'a; b' '$HOME'")[1:] == ["-c", "a; b", "$HOME"]


MEMORY = Mount("/dev/shm", "tmpfs", "tmpfs", "0:1", ("rw",))
BARE, ENCRYPTED = Swap("/swapfile", False, False), Swap("/dev/dm-1", False, True)
COMPRESSED = Swap("/dev/zram0", True, None)


@pytest.mark.parametrize(
    ("mount", "swaps", "said"),
    [
        (MEMORY, (BARE, ENCRYPTED), "(/swapfile)"), (MEMORY, (ENCRYPTED, COMPRESSED), None), (MEMORY, (), None),
        (MEMORY, None, "could not be found out"), (replace(MEMORY, options=("rw", "noswap")), (BARE,), None),
        (replace(MEMORY, kind="ramfs"), (BARE,), None), (None, (BARE,), "(/swapfile)"),
    ],
)  # fmt: skip
def test_swap_is_said_where_it_may_keep_parts_of_the_document(
    mount: Mount | None, swaps: tuple[Swap, ...] | None, said: str | None
) -> None:
    note = swap_note(replace(nothing_known(Extents(), None), mount=mount, swaps=swaps))
    assert note is None if said is None else said in str(note)


def test_of_the_environment_a_program_gets_what_it_needs_to_be_seen_and_nothing_else() -> None:
    view = ViewFolder("/dev/shm/x", True, -1)
    given = {
        "PATH": "/bin", "DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": "/run/user/1000",
        "HOME": "/h", "SANDYK_VAULT": "/secret", "SANDYK_TOKEN": "/stick", "HISTFILE": "/h/.history",
        "LC_TIME": "ky_KG.UTF-8", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus", "OLDPWD": "/h/source",
        "DESKTOP_STARTUP_ID": "x",
    }  # fmt: skip
    found = environment(view, given)
    assert found["WAYLAND_DISPLAY"] == "/run/user/1000/wayland-0"
    assert found["XAUTHORITY"] == "/h/.Xauthority"
    assert (found["DISPLAY"], found["LC_TIME"]) == (":0", "ky_KG.UTF-8")
    assert not {"SANDYK_VAULT", "SANDYK_TOKEN", "HISTFILE", "OLDPWD", "DESKTOP_STARTUP_ID"} & set(found)
    assert found["HOME"] == view.home
    assert "/run/user/1000/bus" not in found["DBUS_SESSION_BUS_ADDRESS"]


@pytest.mark.parametrize("untrusted", [b"\x89PNG\r\n\x1a\n" + os.urandom(200), b"\xff\xd8\xff", b"GIF89a" + bytes(9)])
def test_a_picture_that_is_none_is_an_error_of_ours(untrusted: bytes) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(ConfinedFailed):
        for_terminal(untrusted, 80, 24)
