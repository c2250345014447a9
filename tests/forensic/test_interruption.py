# SPDX-License-Identifier: Apache-2.0
"""Real commands that are stopped anywhere: afterwards the vault is as it was, or as it should become. Never a third.

Killed at any instant; cut off from power at any flush, with whatever a file system may then lose; wiped by another
process while they work.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from keys.primitives import FLOOR
from keys.secret import Secret
from tests.support.commands import Desk
from tests.support.fake_vault import files_in
from tests.support.mounts import image_mounted, make_image, mounted
from tests.support.write_log import WriteLog, record
from vault.cases import create_case, find_case, open_store
from vault.disk import Disk
from vault.errors import DamagedVault, DoesNotOpen, NoVault, Wiped
from vault.founding import found
from vault.panic import panic
from vault.sources import StreamIncoming
from vault.vaults import LockedVault, Vault
from vault.verifying import verify

OLD, NEW = "the old passphrase here", "the new passphrase here"
CASE = "Mine"
WIPED = 15


class _Once:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data, b""
        return data


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with a case and three documents in it."""
    folder = tmp_path_factory.mktemp("template") / "vault"
    secret = Secret(OLD.encode())
    found(str(folder), secret, None, disk=Disk(), label="A", now_ns=time.time_ns(), cost=FLOOR)
    locked = LockedVault.at(str(folder), disk=Disk())
    with locked.unlock(secret) as vault, open_store(vault, create_case(vault, CASE)) as store:
        store.file([StreamIncoming(f"{n}.txt".encode(), _Once(os.urandom(40_000))) for n in range(3)])
    return folder


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    """How many of the possible interruptions are tried: all that matter with ``--runs`` large enough."""
    return int(request.config.getoption("--runs", default=None) or 25)


@pytest.fixture
def cuts(request: pytest.FixtureRequest) -> int:
    """The same for power cuts, of which each needs a passphrase to be stretched."""
    return int(request.config.getoption("--runs", default=None) or 12)


def desk_at(base: Path, template: Path) -> Desk:
    """Somebody at a machine, with a copy of the vault."""
    home = base / "home"
    for name in ("tmp", "run"):
        (home / name).mkdir(parents=True)
    shutil.copytree(template, home / "vault")
    (base / "old").write_text(OLD + "\n")
    (base / "new").write_text(NEW + "\n")
    return Desk(home, home / "vault", base / "old")


# --- what a vault is ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whole:
    """A vault that opens: with which passphrase, and how many documents it lists, all of which read back."""

    passphrase: str
    documents: int


DEAD = "dead"


def judge(folder: Path, *passphrases: str) -> list[Whole] | str:
    """What the vault is. Anything between whole and dead raises."""
    opens: list[Whole] = []
    for passphrase in passphrases:
        try:
            with LockedVault.at(str(folder), disk=Disk()).unlock(Secret(passphrase.encode())) as vault:
                opens.append(Whole(passphrase, documents_in(vault)))
        except (NoVault, Wiped):
            return DEAD
        except DoesNotOpen:
            continue
        except DamagedVault as error:
            # A slot that was being written is torn. It says that the other passphrase opens, and that one is tried too.
            assert "the former one still opens" in str(error)
    return opens or DEAD


def documents_in(vault: Vault) -> int:
    """How many documents read back. The index is a cache: that it had to be made anew is no damage, once."""
    with open_store(vault, find_case(vault, CASE)) as store:
        verdict = verify(store)
        if not verdict.whole and all("made anew from the packs" in one.what for one in verdict.findings):
            verdict = verify(store)
        assert verdict.whole, (verdict.findings, verdict.damaged)
        return verdict.items


# --- killed at any instant ---------------------------------------------------------------------------------------


def test_a_wipe_that_is_killed_anywhere_leaves_the_vault_whole_or_dead(
    tmp_path: Path, template: Path, runs: int
) -> None:
    """And dead for certain once it was said."""
    before = files_in(str(template))
    chance = random.Random(20)
    seen = {"whole": 0, "dead, not said": 0, "dead, said": 0}
    for n in range(runs):
        desk = desk_at(tmp_path / str(n), template)
        process = subprocess.Popen(
            desk.words("panic"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=desk.environment()
        )
        try:
            process.communicate(timeout=chance.uniform(0, 0.12))
        except subprocess.TimeoutExpired:
            process.kill()
        said = (process.communicate()[0] or b"").startswith(b"KEYS GONE")
        found_ = judge(desk.vault, OLD)
        assert found_ in ([Whole(OLD, 3)], DEAD), n
        assert not said or found_ == DEAD, n
        if found_ != DEAD:
            left = {name: data for name, data in files_in(str(desk.vault)).items() if "index" not in name}
            assert left == {name: data for name, data in before.items() if "index" not in name}, n
        seen["whole" if found_ != DEAD else f"dead, {'' if said else 'not '}said"] += 1
        shutil.rmtree(tmp_path / str(n))
    print(json.dumps(seen))


# --- cut off from power anywhere ---------------------------------------------------------------------------------


def states(log: WriteLog, count: int, seed: int) -> Iterator[tuple[int, str, Callable[[Path], Path]]]:
    """Cuts, evenly chosen, with what may be left at each: nothing that was not flushed, or chance's choice of it."""
    chance = random.Random(seed)
    cuts = log.cuts()
    for number in range(count):
        cut = cuts[number * (len(cuts) - 1) // max(1, count - 1)]
        share = (None, 0.1, 0.5, 0.9, 1.0)[number % 5]
        state = log.state(cut, None if share is None else chance, share or 0.0)
        yield cut, f"cut after {cut} of {len(log.changes)} changes, {share} of what was not flushed", state.lay_out


def recorded(base: Path, template: Path, *words: str) -> WriteLog:
    desk = desk_at(base, template)
    return record(desk.words(*words), desk.vault, base / "log", env=desk.environment(), cwd=desk.home)


def test_a_wipe_that_loses_power_anywhere_leaves_the_vault_whole_or_dead(
    tmp_path: Path, template: Path, cuts: int
) -> None:
    log = recorded(tmp_path / "run", template, "panic")
    said = log.said(b"KEYS GONE")
    results = []
    for cut, what, lay_out in states(log, cuts, 1):
        folder = lay_out(tmp_path / f"{cut}")
        found_ = judge(folder, OLD)
        assert found_ in ([Whole(OLD, 3)], DEAD), what
        assert cut < said or found_ == DEAD, what
        results.append(found_ == DEAD)
        shutil.rmtree(folder, ignore_errors=True)
    assert not results[0]
    assert results[-1]


def test_the_first_change_of_a_wipe_is_to_the_kill_area_and_flushed_before_anything_is_said(
    tmp_path: Path, template: Path
) -> None:
    log = recorded(tmp_path / "run", template, "panic")
    first, then = log.changes[:2]
    assert (first.kind, first.path, first.offset, len(first.data)) == ("data", "keyring", 0, 16384)
    assert (then.kind, then.path) == ("sync", "keyring")
    assert [change.kind for change in log.changes[: log.said(b"KEYS GONE")]] == ["data", "sync", "said"]


def test_a_changed_passphrase_survives_a_power_cut_anywhere(tmp_path: Path, template: Path, cuts: int) -> None:
    """The old one opens or the new one does; once it was said, only the new one."""
    log = recorded(
        tmp_path / "run", template, "journalist", "passwd", "--new-passphrase-file", str(tmp_path / "run/new")
    )
    said = log.said(b"passphrase changed")
    for cut, what, lay_out in states(log, cuts, 2):
        folder = lay_out(tmp_path / f"{cut}")
        opens = judge(folder, OLD, NEW)
        assert opens != DEAD, what
        assert all(one.documents == 3 for one in opens if isinstance(one, Whole)), what
        if cut >= said:
            assert opens == [Whole(NEW, 3)], what
        shutil.rmtree(folder, ignore_errors=True)


def test_documents_survive_a_power_cut_once_it_was_said_that_they_are_filed(
    tmp_path: Path, template: Path, cuts: int
) -> None:
    """And before that, the vault holds them or does not, and is whole."""
    document = tmp_path / "document"
    document.write_bytes(os.urandom(100_000))
    log = recorded(tmp_path / "run", template, "add", CASE, str(document))
    said = log.said(b"filed in")
    for cut, what, lay_out in states(log, cuts, 3):
        folder = lay_out(tmp_path / f"{cut}")
        found_ = judge(folder, OLD)
        assert found_ in ([Whole(OLD, 3)], [Whole(OLD, 4)]), what
        assert cut < said or found_ == [Whole(OLD, 4)], what
        shutil.rmtree(folder, ignore_errors=True)


# --- wiped while others work -------------------------------------------------------------------------------------


def big_files(desk: Desk, count: int, size: int) -> list[str]:
    return [desk.write(f"in/{n}", os.urandom(size)) for n in range(count)]


FILES, FILE_SIZE = 16, 4 << 20
ATTEMPTS = 20
"""Tries to catch a command in the middle: on a busy machine it may be over before anybody looks."""


@pytest.mark.parametrize("keep", [False, True], ids=["all", "keep"])
@pytest.mark.parametrize("command", ["add", "get", "export"])
def test_a_command_that_works_while_the_vault_is_wiped_stops_and_puts_nothing_back(
    tmp_path: Path, template: Path, command: str, keep: bool
) -> None:
    """Nothing is added and nothing is changed after the wipe: a command may only close and remove what it had open."""
    for attempt in range(ATTEMPTS):
        desk = desk_at(tmp_path / str(attempt), template)
        process = caught_in_the_middle(desk, command)
        if process is not None:
            break
        shutil.rmtree(desk.home)
    else:
        pytest.fail(f"it could not be stopped in the middle in {ATTEMPTS} tries")
    desk.run("panic", *(["--keep"] if keep else []))
    after = files_in(str(desk.vault))
    os.kill(process.pid, signal.SIGCONT)
    err = process.communicate()[1].decode()
    assert process.returncode == WIPED, err
    assert "Traceback" not in err
    assert judge(desk.vault, OLD) == DEAD
    if keep:
        closed = {name for name in after if name.endswith((".new", "/index-wal", "/index-shm"))}
        left = files_in(str(desk.vault))
        assert left.items() <= after.items()
        assert after.keys() - left.keys() <= closed
    else:
        assert not desk.vault.exists()


def caught_in_the_middle(desk: Desk, command: str) -> subprocess.Popen[bytes] | None:
    """The command, stopped when it has written something and not yet half of all; None if it was too far by then."""
    paths = big_files(desk, FILES, FILE_SIZE)
    if command != "add":
        desk.run("add", CASE, *paths)
    out = str(desk.home / "out")
    words = {
        "add": ["add", CASE, *paths],
        "get": ["get", "--all", CASE, "-o", out],
        "export": ["export", CASE, "-o", out, "--to", "A"],
    }[command]
    before = written(desk, command)
    process = subprocess.Popen(
        desk.words(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=desk.environment(), cwd=desk.home
    )
    while written(desk, command) <= before + (1 << 20):
        if process.poll() is not None:
            break
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    if process.returncode is None:
        status = os.waitpid(process.pid, os.WUNTRACED)[1]  # kill(2) does not wait until every thread has stopped
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
        elif written(desk, command) < before + FILES * FILE_SIZE // 2:
            return process
    process.kill()
    err = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), err.decode()
    return None


def written(desk: Desk, command: str) -> int:
    """Bytes in the files that a command writes."""
    where, pattern = (desk.vault / "cases", "*/packs/*") if command == "add" else (desk.home, "out*/**/*")
    total = 0
    for path in (*where.glob(pattern), *desk.home.glob("out*")):
        with suppress(FileNotFoundError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


# --- media that resist -------------------------------------------------------------------------------------------


def test_on_a_read_only_medium_nothing_is_claimed(tmp_path: Path, template: Path) -> None:
    desk = desk_at(tmp_path, template)
    before = files_in(str(desk.vault))
    with mounted(tmp_path / "mnt", "--bind", str(desk.vault)) as where:
        subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True)
        done = desk.run("panic", "--vault", where, code=1)
    assert done.out.startswith("KEYS NOT OVERWRITTEN: Read-only file system")
    assert "No passphrase opens" not in done.out
    assert files_in(str(desk.vault)) == before


@pytest.mark.parametrize(("kind", "mib"), [("ext4", 32), ("btrfs", 128)])
def test_on_a_full_disk_the_keys_are_overwritten_all_the_same(tmp_path: Path, kind: str, mib: int) -> None:
    """At once. Sealed files that find no room to be written anew, as btrfs does, are deleted, and it says so."""
    image = make_image(tmp_path / "image", kind, mib=mib)
    with image_mounted(image, kind, tmp_path / "mnt") as where:
        folder = f"{where}/vault"
        found(folder, Secret(OLD.encode()), None, disk=Disk(), label="A", now_ns=time.time_ns(), cost=FLOOR)
        os.sync()
        with open(f"{where}/filler", "wb", buffering=0) as f, pytest.raises(OSError, match="No space"):
            while True:
                f.write(bytes(1 << 16))
        said: list[str] = []
        report = panic(folder, say=said.append)
        assert not os.path.exists(folder)
    assert said[0].startswith("KEYS GONE")
    assert report.verified
    assert all("No space left" in line for line in report.not_done)
    assert kind == "btrfs" or report.not_done == ()


def test_on_a_medium_that_fails_every_write_nothing_is_called_gone(tmp_path: Path, template: Path) -> None:
    """As with a stick that is pulled out: the file system is still mounted, and each request to the drive fails."""
    desk = desk_at(tmp_path, template)
    with mounted(tmp_path / "drive", "-t", "tmpfs", "-o", "size=40m", "none") as drive:
        image = make_image(Path(drive) / "image", "ext4", mib=32)
        with image_mounted(image, "ext4", tmp_path / "mnt") as where:
            shutil.copytree(desk.vault, f"{where}/vault")
            subprocess.run(["sync", "-f", where], check=True)
            image.write_bytes(b"")
            os.truncate(image, 32 << 20)
            with open(f"{drive}/filler", "wb", buffering=0) as f, pytest.raises(OSError, match="No space"):
                while True:
                    f.write(bytes(1 << 16))
            done = desk.run("panic", "--vault", f"{where}/vault", code=1)
    assert done.out.startswith("KEYS NOT OVERWRITTEN: ")
    assert "No passphrase opens" not in done.out
    assert "COULD NOT BE DONE:" in done.out
