# SPDX-License-Identifier: Apache-2.0
"""The emergency wipe as a function: what it destroys, in which order, what it spares and what it admits."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.layout import KEYRING_SIZE, KILL_AREA_SIZE
from tests.support.fake_vault import (
    CASE,
    NAMES,
    PACK,
    PowerCut,
    StoppingDisk,
    blocks_changed,
    files_in,
    make_fake_vault,
)
from tests.support.mounts import loop_mounted, mounted, need_root, survives
from tests.support.strangers import run_as_stranger
from vault.disk import Disk, noise
from vault.layout import is_ours
from vault.medium import set_nocow
from vault.panic import NoVaultHere, WrongUsage, panic, parse
from vault.report import Report, as_text, shown


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "vault")


def wipe(folder: str, *, keep: bool = False, disk: Disk | None = None) -> Report:
    return panic(folder, keep=keep, disk=disk, discard=False)


def second_name_of_keyring(folder: str) -> str:
    """A hard link: the same bytes on the disk, reachable after the wipe took the name away."""
    path = folder + "-keyring"
    os.link(os.path.join(folder, "keyring"), path)
    return path


def test_nothing_is_left_and_nothing_failed(folder: str) -> None:
    make_fake_vault(folder)
    report = wipe(folder)
    assert not os.path.lexists(folder)
    assert (report.keys_gone, report.verified, report.not_done, report.left_behind) == (True, True, (), ())


def test_the_fake_vault_has_only_names_of_ours() -> None:
    assert all(is_ours(name) for name in NAMES)


def test_what_was_destroyed_is_counted(folder: str) -> None:
    make_fake_vault(folder)
    counts = dict(wipe(folder).destroyed)
    assert counts == {
        "keyring_bytes": KEYRING_SIZE, "sealed_files": 3, "indexes": 2, "packs": 2, "drops": 1,
        "other_files": 3, "folders": 8,
    }  # fmt: skip


def test_the_keyring_is_overwritten_in_place(folder: str) -> None:
    before = make_fake_vault(folder)["keyring"]
    other_name = second_name_of_keyring(folder)
    wipe(folder)
    assert blocks_changed(before, Path(other_name).read_bytes())


@pytest.mark.parametrize("name", ["rosters/0.age", "books/07.age", f"{CASE}/access/000001.age"])
def test_files_that_hold_keys_are_overwritten_whole(folder: str, name: str) -> None:
    before = make_fake_vault(folder)[name]
    os.link(os.path.join(folder, name), folder + "-other")
    wipe(folder)
    assert blocks_changed(before, Path(folder + "-other").read_bytes())


@pytest.mark.parametrize("name", [f"{CASE}/index", f"{CASE}/index-wal"])
def test_the_head_of_an_index_is_overwritten(folder: str, name: str) -> None:
    before = make_fake_vault(folder)[name]
    os.link(os.path.join(folder, name), folder + "-other")
    wipe(folder)
    after = Path(folder + "-other").read_bytes()
    assert after[:4096] != before[:4096]
    assert after[4096:] == before[4096:]


def test_from_every_power_cut_keys_die_first_and_a_second_run_finishes(tmp_path: Path) -> None:
    counting = StoppingDisk()
    make_fake_vault(str(tmp_path / "count"))
    wipe(str(tmp_path / "count"), disk=counting)
    assert counting.steps > 30
    for n in range(counting.steps):
        folder = str(tmp_path / f"cut-{n}")
        before = make_fake_vault(folder)
        with pytest.raises(PowerCut):
            wipe(folder, disk=StoppingDisk(n))
        after = files_in(folder)
        if n == 0:
            assert after == before, "before the first overwrite nothing has changed"
        else:
            keyring = after.get("keyring")
            assert keyring is None or blocks_changed(before["keyring"][:KILL_AREA_SIZE], keyring[:KILL_AREA_SIZE]), n
            assert "VAULT" in after or not after, "VAULT goes last"
        try:
            wipe(folder)
        except NoVaultHere:
            assert not files_in(folder), n
        else:
            assert not os.path.lexists(folder), n


def test_with_keep_from_every_power_cut_a_second_run_finishes(tmp_path: Path) -> None:
    counting = StoppingDisk()
    make_fake_vault(str(tmp_path / "count"))
    wipe(str(tmp_path / "count"), keep=True, disk=counting)
    for n in range(counting.steps):
        folder = str(tmp_path / f"cut-{n}")
        before = make_fake_vault(folder)
        with pytest.raises(PowerCut):
            wipe(folder, keep=True, disk=StoppingDisk(n))
        wipe(folder, keep=True)
        after = files_in(folder)
        assert blocks_changed(before.pop("keyring"), after.pop("keyring")), n
        assert after == before, n


def test_keep_leaves_a_keyring_of_the_right_size_and_everything_else(folder: str) -> None:
    before = make_fake_vault(folder)
    inode = os.stat(f"{folder}/keyring").st_ino
    report = wipe(folder, keep=True)
    after = files_in(folder)
    assert os.stat(f"{folder}/keyring").st_ino == inode
    assert len(after["keyring"]) == KEYRING_SIZE
    assert blocks_changed(before.pop("keyring"), after.pop("keyring"))
    assert after == before
    assert (report.kept, report.verified, report.not_done) == (True, True, ())


def test_the_first_thing_said_is_that_the_keys_are_gone(folder: str) -> None:
    """When it is said the kill area is overwritten and nothing else is."""
    before = make_fake_vault(folder)
    said: list[tuple[str, dict[str, bytes]]] = []
    panic(folder, say=lambda line: said.append((line, files_in(folder))), discard=False)
    [(line, then)] = said
    assert line.startswith("KEYS GONE within ")
    keyring = then.pop("keyring")
    assert blocks_changed(before["keyring"][:KILL_AREA_SIZE], keyring[:KILL_AREA_SIZE])
    assert keyring[KILL_AREA_SIZE:] == before.pop("keyring")[KILL_AREA_SIZE:]
    assert then == before


def test_strangers_files_survive_and_are_named(folder: str) -> None:
    make_fake_vault(folder)
    strangers = {
        "notes.txt": b"1",
        "VAULT.bak": b"2",
        "cases/readme": b"3",
        f"{CASE}/packs/photo\x1b[2J\u202etxt.jpg": b"4",
        "deep/er/VAULT": b"5",
        "rosters/9.age": b"6",
    }
    for name, data in strangers.items():
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        Path(folder, name).write_bytes(data)
    report = wipe(folder)
    assert files_in(folder) == strangers
    assert report.not_done == ()
    assert set(report.left_behind) == {
        "notes.txt", "VAULT.bak", "cases/readme", f"{CASE}/packs/photo\\x1b[2J\\u202etxt.jpg", "deep/", "rosters/9.age",
    }  # fmt: skip


def test_a_keyring_that_is_a_link_is_not_followed(folder: str, tmp_path: Path) -> None:
    make_fake_vault(folder)
    target = tmp_path / "somebody's"
    target.write_bytes(b"x" * KEYRING_SIZE)
    os.unlink(f"{folder}/keyring")
    os.symlink(target, f"{folder}/keyring")
    report = wipe(folder)
    assert target.read_bytes() == b"x" * KEYRING_SIZE
    assert not os.path.lexists(folder)
    assert not report.keys_gone
    assert "is a link" in report.not_done[0]


def test_a_roster_that_is_a_link_is_removed_and_not_followed(folder: str, tmp_path: Path) -> None:
    make_fake_vault(folder)
    target = tmp_path / "somebody's"
    target.write_bytes(b"x" * 9000)
    os.unlink(f"{folder}/rosters/0.age")
    os.symlink(target, f"{folder}/rosters/0.age")
    wipe(folder)
    assert target.read_bytes() == b"x" * 9000
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("size", [KILL_AREA_SIZE, 100])
def test_overwriting_follows_no_link_creates_nothing_and_extends_nothing(tmp_path: Path, size: int) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"x" * size)
    (tmp_path / "link").symlink_to(target)
    for name, offset in (("link", 0), ("missing", 0), ("target", 1), ("target", size)):
        with pytest.raises(OSError):
            Disk().overwrite_through(str(tmp_path / name), offset, noise(size))
    assert target.read_bytes() == b"x" * size
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]


def test_files_behind_a_linked_folder_are_not_touched(folder: str, tmp_path: Path) -> None:
    make_fake_vault(folder)
    os.rename(f"{folder}/cases", tmp_path / "cases")
    os.symlink(tmp_path / "cases", f"{folder}/cases")
    before = files_in(str(tmp_path / "cases"))
    report = wipe(folder)
    assert files_in(str(tmp_path / "cases")) == before
    assert not os.path.lexists(folder)
    assert report.keys_gone
    assert any("link" in line for line in report.not_done)


def test_a_vault_that_is_named_by_a_link_is_wiped_and_the_link_removed(folder: str, tmp_path: Path) -> None:
    make_fake_vault(folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    report = wipe(str(link))
    assert report.keys_gone
    assert not os.path.lexists(folder)
    assert not os.path.lexists(link)


def test_a_missing_keyring_is_admitted_and_the_rest_removed(folder: str) -> None:
    make_fake_vault(folder)
    os.unlink(f"{folder}/keyring")
    report = wipe(folder)
    assert not os.path.lexists(folder)
    assert not report.keys_gone
    assert "no keyring" in report.not_done[0]


@pytest.mark.parametrize("size", [1, 100, 4096, 5000, KILL_AREA_SIZE + 1, KEYRING_SIZE - 1, KEYRING_SIZE + 70000])
def test_a_keyring_of_the_wrong_size_is_overwritten_to_its_end_and_never_extended(folder: str, size: int) -> None:
    before = make_fake_vault(folder, keyring=bytes(size))["keyring"]
    other_name = second_name_of_keyring(folder)
    report = wipe(folder)
    after = Path(other_name).read_bytes()
    assert len(after) == size
    assert size == 1 or blocks_changed(before, after)
    assert report.keys_gone
    assert dict(report.destroyed)["keyring_bytes"] == size


def test_an_empty_keyring_is_not_called_destroyed(folder: str) -> None:
    make_fake_vault(folder, keyring=b"")
    report = wipe(folder)
    assert not report.keys_gone
    assert not os.path.lexists(folder)


@pytest.mark.parametrize(
    "names", [(), ("lock",), ("counter", "index"), ("keyring/", "notes"), ("keyring",), ("VAULT/",), ("cases/x",)]
)
def test_a_folder_without_a_vault_is_not_touched(folder: str, names: tuple[str, ...]) -> None:
    os.mkdir(folder)
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(b"not yours")
    before = (files_in(folder), sorted(os.listdir(folder)))
    with pytest.raises(NoVaultHere):
        wipe(folder)
    assert (files_in(folder), sorted(os.listdir(folder))) == before


@pytest.mark.parametrize("name", ["", "/nothing", "/file"])
def test_where_no_folder_is_there_is_no_vault(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NoVaultHere):
        wipe(str(tmp_path / "dangling") + name)


def test_remains_without_header_and_keyring_are_removed(folder: str) -> None:
    make_fake_vault(folder)
    for name in ("VAULT", "keyring"):
        os.unlink(f"{folder}/{name}")
    wipe(folder)
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("name", ["keyring", "counter", "rosters/0.age", f"{CASE}/index", PACK])
def test_a_fifo_in_a_files_place_does_not_hold_the_wipe_up(folder: str, name: str) -> None:
    make_fake_vault(folder)
    os.unlink(f"{folder}/{name}")
    os.mkfifo(f"{folder}/{name}")
    report = wipe(folder)
    assert not os.path.lexists(folder)
    assert report.keys_gone == (name != "keyring")


class BusyDisk(Disk):
    """Another process makes a file just before the vault folder is removed, ``times`` times."""

    def __init__(self, folder: str, times: int) -> None:
        self._folder, self._times = folder, times

    def step(self, operation: str, path: str) -> None:
        if operation == "rmdir" and path == self._folder and self._times:
            self._times -= 1
            os.makedirs(f"{path}/{CASE}/packs", exist_ok=True)
            Path(path, PACK).write_bytes(b"late")
            Path(path, "lock").write_bytes(b"")


def test_files_made_meanwhile_are_swept_up_too(folder: str) -> None:
    make_fake_vault(folder)
    report = wipe(folder, disk=BusyDisk(folder, 5))
    assert not os.path.lexists(folder)
    assert report.not_done == ()


def test_a_process_that_never_stops_making_files_does_not_hold_the_wipe_up_for_ever(folder: str) -> None:
    make_fake_vault(folder)
    report = wipe(folder, disk=BusyDisk(folder, 10**9))
    assert report.keys_gone
    assert any("keep making files" in line for line in report.not_done)


class RefusingDisk(Disk):
    """A medium that fails for good at some kind of change."""

    def __init__(self, operation: str, ending: str) -> None:
        self._operation, self._ending = operation, ending

    def step(self, operation: str, path: str) -> None:
        if operation == self._operation and path.endswith(self._ending):
            raise OSError(5, "Input/output error", path)


@pytest.mark.parametrize("operation", ["overwrite", "sync"])
def test_keys_are_not_called_gone_when_the_overwrite_or_the_sync_failed(folder: str, operation: str) -> None:
    make_fake_vault(folder)
    said: list[str] = []
    report = panic(folder, disk=RefusingDisk(operation, "/keyring"), say=said.append, discard=False)
    assert said == ["KEYS NOT OVERWRITTEN: Input/output error. Going on with the rest."]
    assert (report.keys_gone, report.verified) == (False, False)
    assert report.not_done[0] == "overwrite the keys: Input/output error"
    assert "No passphrase opens" not in as_text(report)
    assert not os.path.lexists(folder)


def test_a_pack_that_cannot_be_deleted_is_reported_and_the_rest_deleted(folder: str) -> None:
    make_fake_vault(folder)
    report = wipe(folder, disk=RefusingDisk("unlink", ".age"))
    assert report.keys_gone
    [line] = [line for line in report.not_done if line.startswith("delete")]
    assert re.fullmatch(r"delete \S+ and 4 more: Input/output error", line)
    assert {name for name in files_in(folder) if not name.endswith(".age")} == set()


def test_a_full_file_system_that_writes_anew_gets_a_second_chance(folder: str) -> None:
    """The first overwrite finds no room; deleting packs makes some; then the keys are overwritten."""

    class Full(Disk):
        def step(self, operation: str, path: str) -> None:
            if operation == "overwrite" and os.path.exists(os.path.join(folder, PACK)):
                raise OSError(28, "No space left on device", path)

    before = make_fake_vault(folder)["keyring"]
    other_name = second_name_of_keyring(folder)
    report = wipe(folder, disk=Full())
    assert report.keys_gone
    assert report.verified
    assert blocks_changed(before, Path(other_name).read_bytes())


def test_what_reads_back_differently_is_not_called_verified(folder: str) -> None:
    class Lying(Disk):
        def read_through(self, path: str, offset: int, size: int) -> tuple[bytes, bool]:
            return bytes(size), True

    make_fake_vault(folder)
    report = wipe(folder, disk=Lying())
    assert not report.verified
    assert report.not_done[0].startswith("verify")
    assert "No passphrase opens" not in as_text(report)


def test_two_wipes_at_once_leave_nothing_and_do_not_fail(folder: str) -> None:
    make_fake_vault(folder)
    command = [sys.executable, "-m", "vault", "panic", "--keep", "--vault", folder]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for process in both:
        output, _ = process.communicate()
        assert process.returncode == 0, output
    wipe(folder)
    assert not os.path.lexists(folder)


# --- what may not be written -------------------------------------------------------------------------------------


@pytest.fixture
def strangers_folder() -> Iterator[str]:
    """A folder that a user without rights can reach, which pytest's own are not."""
    base = tempfile.mkdtemp(dir="/tmp")
    os.chmod(base, 0o755)
    yield f"{base}/vault"
    shutil.rmtree(base, ignore_errors=True)


def test_a_read_only_keyring_in_a_read_only_folder_is_made_writable(strangers_folder: str) -> None:
    """As a user without root's rights, to whom permissions mean something."""
    folder = strangers_folder
    before = make_fake_vault(folder)["keyring"]
    other_name = second_name_of_keyring(folder)
    root = os.geteuid() == 0
    if root:
        for where, _, names in os.walk(os.path.dirname(folder)):
            for name in (".", *names):
                os.chown(os.path.join(where, name), 65534, 65534)
    os.chmod(f"{folder}/keyring", 0o400)
    os.chmod(f"{folder}/books/07.age", 0o400)
    for name in ("cases", f"{CASE}/packs", "books", "."):
        os.chmod(f"{folder}/{name}", 0o500)
    code = "import sys; from vault.panic import run; sys.exit(run(sys.argv[1:]))"
    run = run_as_stranger(code, "panic", "--vault", folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not os.path.lexists(folder)
    assert blocks_changed(before, Path(other_name).read_bytes())


def test_a_keyring_that_the_system_protects_is_admitted_and_finished_later(folder: str) -> None:
    need_root()
    before = make_fake_vault(folder)
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", f"{folder}/keyring"]).returncode:
        pytest.skip("this file system has no immutable flag")
    try:
        report = wipe(folder)
        assert files_in(folder) == {"keyring": before["keyring"]}
    finally:
        subprocess.run(["chattr", "-i", f"{folder}/keyring"], check=True)
    assert not report.keys_gone
    assert report.not_done[:2] == (
        "overwrite the keys: Operation not permitted",
        "delete keyring: Operation not permitted",
    )
    assert wipe(folder).not_done == ()
    assert not os.path.lexists(folder)


def test_a_read_only_file_system_is_admitted(tmp_path: Path) -> None:
    before = make_fake_vault(str(tmp_path / "mnt/vault"))
    with mounted(tmp_path / "mnt", "--bind", str(tmp_path / "mnt")) as where:
        subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True)
        report = wipe(f"{where}/vault")
    assert files_in(str(tmp_path / "mnt/vault")) == before
    assert report.not_done[0] == "overwrite the keys: Read-only file system"
    assert any(line.startswith("delete ") for line in report.not_done)
    assert set(dict(report.destroyed).values()) == {0}


def test_the_root_of_a_mounted_stick_is_emptied(tmp_path: Path) -> None:
    with mounted(tmp_path / "mnt", "-t", "tmpfs", "none") as where:
        make_fake_vault(where)
        report = wipe(where)
        assert os.listdir(where) == []
    assert (report.not_done, report.left_behind) == ((), ("./",))


def test_a_full_disk_is_wiped(tmp_path: Path) -> None:
    with mounted(tmp_path / "mnt", "-t", "tmpfs", "-o", "size=2m", "none") as where:
        before = make_fake_vault(f"{where}/vault")["keyring"]
        other_name = second_name_of_keyring(f"{where}/vault")
        with open(f"{where}/filler", "wb", buffering=0) as f, pytest.raises(OSError, match="No space"):
            while True:
                f.write(bytes(4096))
        case = next(Path(where, "vault", "cases").iterdir())
        (case / "index-shm").touch()  # as SQLite leaves it there: as long as it should be, and a hole
        os.truncate(case / "index-shm", 32 << 10)
        report = wipe(f"{where}/vault")
        assert blocks_changed(before, Path(other_name).read_bytes())
    assert report.not_done == ()


def test_without_o_direct_the_cache_is_used_and_said(tmp_path: Path) -> None:
    with mounted(tmp_path / "mnt", "-t", "ramfs", "none") as where:
        make_fake_vault(f"{where}/vault")
        report = wipe(f"{where}/vault")
    assert (report.keys_gone, report.verified, report.past_the_cache) == (True, True, False)
    assert "through the system's cache" in as_text(report)


# --- what is left on the medium ----------------------------------------------------------------------------------


def make_vault_with_synced_keyring(where: str, *, nocow: bool) -> bytes:
    keyring = os.urandom(KEYRING_SIZE)
    make_fake_vault(f"{where}/vault")
    os.unlink(f"{where}/vault/keyring")
    fd = os.open(f"{where}/vault/keyring", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    if nocow:
        set_nocow(fd)
    os.write(fd, keyring)
    os.fsync(fd)
    os.close(fd)
    subprocess.run(["sync", "-f", where], check=True)
    return keyring


@pytest.mark.parametrize(("kind", "mib"), [("ext4", 32), ("btrfs", 128), ("xfs", 320)])
def test_no_byte_of_the_keyring_is_left_on_the_medium(tmp_path: Path, kind: str, mib: int) -> None:
    """In the raw image, after an unmount, without any discard; the same search finds the keyring before the wipe."""
    with loop_mounted(tmp_path, kind, mib=mib) as where:
        keyring = make_vault_with_synced_keyring(where, nocow=True)
        assert survives(tmp_path / "image", keyring), "the search would find it"
        report = wipe(f"{where}/vault")
        assert report.not_done == ()
    assert not survives(tmp_path / "image", keyring)


def test_where_every_write_goes_elsewhere_the_report_says_so(tmp_path: Path) -> None:
    """Btrfs without its no-copy-on-write flag keeps the old keyring in free blocks, and we must not hide it."""
    with loop_mounted(tmp_path, "btrfs", mib=128) as where:
        keyring = make_vault_with_synced_keyring(where, nocow=False)
        report = wipe(f"{where}/vault")
    assert survives(tmp_path / "image", keyring)
    assert any("writes to new blocks instead of in place" in line for line in report.medium)


@pytest.mark.parametrize(("kind", "mib"), [("btrfs", 128), ("xfs", 320)])
def test_a_copy_that_shares_the_keyrings_blocks_makes_the_wipe_fail_and_is_named(
    tmp_path: Path, kind: str, mib: int
) -> None:
    with loop_mounted(tmp_path, kind, mib=mib) as where:
        before = make_fake_vault(f"{where}/vault")["keyring"]
        copy = f"{where}/copy"
        subprocess.run(["cp", "--reflink=always", f"{where}/vault/keyring", copy], check=True)
        subprocess.run(["sync", "-f", where], check=True)
        report = wipe(f"{where}/vault")
        assert Path(copy).read_bytes() == before
    assert report.keys_gone
    assert any("snapshot or a copy" in line for line in report.not_done)
    assert "CAN STILL BE OPENED" in as_text(report)
    assert "No passphrase opens" not in as_text(report)


# --- words -------------------------------------------------------------------------------------------------------

OPTIONS = ["--keep", "--drill", "--json", "--now", "--help", "-h"]


@given(st.lists(st.sampled_from([*OPTIONS, "--vault=x"]), unique=True), st.text(min_size=1))
def test_any_word_that_is_not_known_is_wrong_usage(known: list[str], word: str) -> None:
    if word in (*OPTIONS, "--vault") or word.startswith("--vault="):
        return
    with pytest.raises(WrongUsage):
        parse(["panic", *known, word])


@pytest.mark.parametrize(
    "words",
    [["--vault"], ["--vault", ""], ["--vault="], ["--vault", "--keep"], ["--vault", "a", "--vault", "b"], ["panic"]],
)
def test_a_vault_that_is_not_named_clearly_is_wrong_usage(words: list[str]) -> None:
    with pytest.raises(WrongUsage):
        parse(["panic", *words])


def test_options_may_come_before_and_after_the_command() -> None:
    arguments = parse(["--vault", "a", "--json", "panic", "--now", "--keep"])
    assert (arguments.vault, arguments.json, arguments.keep, arguments.drill) == ("a", True, True, False)


@given(st.text())
def test_a_shown_name_is_printable_and_tells_different_names_apart(name: str) -> None:
    assert all(c.isprintable() for c in shown(name))
    assert "\\" in shown(name) or shown(name) == name
