# SPDX-License-Identifier: Apache-2.0
"""Guards at work: real processes, real signals, real vaults that are really wiped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keys.layout import KILL_AREA_SIZE
from tests.support.agents import ends, place, runtime_folder
from tests.support.fake_vault import files_in
from tests.support.newsroom import add_paths, found_abroad, newsroom, unlock
from tests.support.tools import need
from vault.agent import asking, client, runtime
from vault.disk import Disk
from vault.errors import DiskFailed, DoesNotOpen, NotAllowed, NotFound
from vault.guard import Action, Plan
from vault.guard_kill import ReadyKill
from vault.guard_run import Guard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def runtime_dir() -> Iterator[Path]:
    with runtime_folder() as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


@pytest.fixture
def armed(folder: str) -> str:
    """A vault whose documents are abroad, as somebody confirmed today."""
    found_abroad(folder)
    return folder


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    path = tmp_path / "stick"
    path.write_bytes(b"half")
    return path


def unlocked(folder: str) -> None:
    with unlock(folder) as vault:
        client.start(vault, lasts=600, idle=600)


class Running:
    """A guard in a process of its own, and what it said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def until(self, part: str) -> str:
        """The next line with ``part`` in it."""
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if part in line:
                return line
        raise AssertionError(f"never said {part!r}: {said}")

    def order(self, number: int = signal.SIGUSR1) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Exit code and what is left of its output."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def guarding(folder: str, *words: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "vault", "guard", "--vault", folder, *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        try:
            running = Running(process)
            running.until("to act at once")
            yield running
        finally:
            process.kill()


def test_it_locks_when_the_stick_leaves_and_again_after_its_return(folder: str, stick: Path) -> None:
    with guarding(folder, "--token", str(stick)) as guard:
        for _ in range(2):
            unlocked(folder)
            stick.unlink()
            assert guard.until("is gone").endswith(": locked\n")
            assert runtime.note_of_holder(place(folder).agent) is None
            stick.write_bytes(b"half")
            guard.until("is back")
        guard.order(signal.SIGINT)
        assert guard.end()[0] == 0
    assert runtime.note_of_holder(place(folder).guard) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_ends_when_told_to_and_is_no_longer_visible(folder: str, number: int) -> None:
    with guarding(folder) as guard:
        note = runtime.note_of_holder(place(folder).guard)
        assert note is not None and note.startswith(f"{guard.process.pid}\nlock on SIGUSR1, until ")
        guard.order(number)
        code, _, err = guard.end()
    assert (code, "no longer watching" in err) == (0, True)
    assert runtime.note_of_holder(place(folder).guard) is None
    assert Path(place(folder).guard).read_bytes() == b""


def test_an_order_locks_at_once_and_the_guard_goes_on(folder: str) -> None:
    with guarding(folder) as guard:
        for _ in range(2):
            unlocked(folder)
            guard.order()
            assert "locked" in guard.until("SIGUSR1 came")
            assert asking.standing(folder) is None


def test_idleness_locks(folder: str) -> None:
    """A minute is the least that the command takes, so the guard is made here with less."""
    unlocked(folder)
    said: list[str] = []
    plan = Plan(Action.LOCK, lasts=2.0, idle=0.5)
    Guard(folder, plan, [], describe="test", now_ns=time.time_ns, say=said.append, disk=Disk()).run()
    assert any("no command was used" in line and line.endswith(": locked") for line in said)
    assert "no longer watching: its time is over" in said


def test_two_guards_do_not_watch_one_vault(folder: str) -> None:
    with guarding(folder):
        second = subprocess.run(
            [sys.executable, "-m", "vault", "guard", "--vault", folder], capture_output=True, text=True, cwd=ROOT
        )
    assert second.returncode == 14
    assert "another guard" in second.stderr


def test_a_wipe_is_not_armed_without_a_confirmed_copy_abroad(folder: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "vault", "guard", "--action", "panic", "--vault", folder],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.returncode == 1
    assert "not armed" in run.stderr and "--action lock" in run.stderr
    plan = Plan(Action.PANIC, lasts=1.0)
    with pytest.raises(NotAllowed):
        Guard(folder, plan, [], describe="", now_ns=time.time_ns, say=print, disk=Disk())


def test_an_order_wipes_at_once_and_the_agent_ends(armed: str) -> None:
    unlocked(armed)
    with guarding(armed, "--action", "panic") as guard:
        guard.order()
        assert "KEYS GONE in" in guard.until("SIGUSR1 came")
        code, out, _ = guard.end()
    assert (code, os.path.lexists(armed)) == (0, False)
    assert "can be a crime" in out  # the ordinary report
    assert ends(armed)


def test_a_stick_that_leaves_wipes_after_the_countdown(armed: str, stick: Path) -> None:
    with guarding(armed, "--action", "panic", "--token", str(stick), "--countdown", "1") as guard:
        stick.unlink()
        guard.until("WIPE in 1 s")
        guard.until("KEYS GONE in")
        assert guard.end()[0] == 0
    assert not os.path.lexists(armed)


@pytest.mark.parametrize("how", ["return", "ctrl-c"])
def test_a_countdown_can_be_stopped_and_the_keys_in_memory_are_gone_already(armed: str, stick: Path, how: str) -> None:
    before = files_in(armed)
    unlocked(armed)
    with guarding(armed, "--action", "panic", "--token", str(stick), "--countdown", "600") as guard:
        stick.unlink()
        guard.until("WIPE in 600 s")
        assert asking.standing(armed) is None
        if how == "return":
            stick.write_bytes(b"half")
        else:
            guard.order(signal.SIGINT)
        guard.until("the wipe was stopped")
        assert guard.process.poll() is None
    assert files_in(armed) == before


def test_what_is_filed_later_makes_a_tripwire_lock_only(armed: str, stick: Path) -> None:
    with guarding(armed, "--action", "panic", "--token", str(stick), "--countdown", "0") as guard:
        with unlock(armed) as vault:
            add_paths(vault, stick)
        before = files_in(armed)
        stick.unlink()
        assert "since something was filed" in guard.until("not wiped")
    assert files_in(armed) == before


@pytest.mark.parametrize("action", ["lock", "panic"])
def test_simulated_it_says_what_it_would_do_and_does_nothing(armed: str, stick: Path, action: str) -> None:
    before = files_in(armed)
    unlocked(armed)
    words = ("--action", action, "--token", str(stick), "--countdown", "0", "--simulate")
    with guarding(armed, *words) as guard:
        stick.unlink()
        guard.until("would lock now (nothing was done)")
        if action == "panic":
            guard.until("would wipe the vault now (nothing was done)")
            assert guard.end()[0] == 0
        else:
            guard.order()
            guard.until("would lock now (nothing was done)")
    assert files_in(armed) == before
    assert asking.standing(armed) is not None


def test_the_first_thing_that_a_signal_does_is_to_overwrite_the_kill_area(armed: str) -> None:
    """The handler is called as the interpreter calls it; the loop that does the rest never runs."""
    before = files_in(armed)
    unlocked(armed)
    guard = Guard(
        armed, Plan(Action.PANIC, lasts=1.0), [], describe="", now_ns=time.time_ns, say=print, disk=Disk()
    )
    guard._on_order(signal.SIGUSR1, None)
    after = files_in(armed)
    was, now = before.pop("keyring"), after.pop("keyring")
    assert all(was[i : i + 16] != now[i : i + 16] for i in range(0, KILL_AREA_SIZE, 16))
    assert was[KILL_AREA_SIZE:] == now[KILL_AREA_SIZE:]
    assert before == after
    with pytest.raises(DoesNotOpen):
        unlock(armed)


def test_after_the_signal_the_kernel_is_asked_for_nothing_else_first(armed: str, tmp_path: Path) -> None:
    """By the system calls: the byte that wakes the loop, at most the end of what was under way, then the overwrite."""
    strace = need("strace")
    trace = tmp_path / "trace"
    command = [strace, "-f", "-o", str(trace), sys.executable, "-m", "vault", "guard", "--action", "panic"]
    with subprocess.Popen(
        [*command, "--vault", armed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        running = Running(process)
        running.until("to act at once")
        number = runtime.number_of_holder(place(armed).guard)
        assert number is not None
        os.kill(number, signal.SIGUSR1)
        assert running.end()[0] == 0
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text(errors="replace").splitlines()]
    came = next(i for i, call in enumerate(calls) if call.startswith("--- SIGUSR1"))
    names = [call.partition("(")[0] for call in calls[came + 1 : came + 10]]
    assert names[:2] == ["write", "rt_sigreturn"]
    overwritten = names.index("pwrite64")
    assert overwritten <= 7  # a folder that is being listed is listed to its end
    assert not {"unlink", "unlinkat", "connect", "execve", "fork", "clone"} & set(names[:overwritten])
    assert names[overwritten + 1] == "fdatasync"
    assert calls[came + 1 + overwritten + 1].endswith("= 0")


def test_a_simulated_signal_overwrites_nothing(armed: str) -> None:
    before = files_in(armed)
    guard = Guard(
        armed, Plan(Action.PANIC, lasts=1.0), [], describe="", now_ns=time.time_ns, say=print, disk=Disk(),
        simulate=True,
    )  # fmt: skip
    guard._on_order(signal.SIGUSR1, None)
    assert files_in(armed) == before


def test_firing_twice_is_as_good_as_once(folder: str) -> None:
    kill = ReadyKill(folder)
    kill.fire()
    kill.fire()
    assert (kill.problem, kill.same_file()) == ("", True)
    assert kill.milliseconds is not None
    with pytest.raises(DoesNotOpen):
        unlock(folder)
    kill.close()
    kill.close()


def test_after_it_was_let_go_firing_says_that_it_did_nothing(folder: str) -> None:
    before = files_in(folder)
    kill = ReadyKill(folder)
    kill.close()
    kill.fire()
    assert kill.problem and kill.milliseconds is None
    assert files_in(folder) == before


@pytest.mark.parametrize("trouble", ["missing", "a link", "short", "long", "a folder", "a pipe"])
def test_what_is_no_keyring_is_not_armed_and_not_touched(folder: str, trouble: str) -> None:
    path = Path(folder, "keyring")
    data = path.read_bytes()
    path.unlink()
    if trouble == "a link":
        Path(folder, "elsewhere").write_bytes(data)
        path.symlink_to("elsewhere")
    elif trouble in ("short", "long"):
        path.write_bytes(data[:-1] if trouble == "short" else data + b"x")
    elif trouble == "a folder":
        path.mkdir()
    elif trouble == "a pipe":
        os.mkfifo(path)
    before = files_in(folder) if trouble != "a pipe" else None
    with pytest.raises(DiskFailed, match="keyring"):
        ReadyKill(folder)
    assert before is None or files_in(folder) == before


def test_a_keyring_that_was_replaced_is_noticed(folder: str) -> None:
    kill = ReadyKill(folder)
    path = Path(folder, "keyring")
    data = path.read_bytes()
    path.unlink()
    assert not kill.same_file()
    path.write_bytes(data)
    assert not kill.same_file()
    kill.close()


# Whose files are deleted after the order


@pytest.mark.parametrize("instead", ["another vault", "another vault without its keyring", "a keyring put back"])
def test_what_lies_at_the_watched_vault_s_place_after_it_was_moved_is_not_touched(
    armed: str, tmp_path: Path, instead: str
) -> None:
    moved = tmp_path / "moved"
    with guarding(armed, "--action", "panic") as guard:
        os.kill(guard.process.pid, signal.SIGSTOP)  # so that it cannot see the change before the order
        if instead == "a keyring put back":
            moved.mkdir()
            shutil.copyfile(Path(armed, "keyring"), moved / "copy")
            os.rename(Path(armed, "keyring"), moved / "keyring")
            os.rename(moved / "copy", Path(armed, "keyring"))
        else:
            os.rename(armed, moved)
            newsroom(armed, case=None)
            if instead == "another vault without its keyring":
                Path(armed, "keyring").unlink()
        before = files_in(armed)
        guard.order()
        guard.order(signal.SIGCONT)
        assert "KEYS GONE in" in guard.until("SIGUSR1 came")
        guard.until("its keys are gone, and nothing else of it was destroyed")
        guard.until("sandyk panic --vault DIR")
        code, out, _ = guard.end()
    assert (code, out) == (1, "")
    assert files_in(armed) == before
    watched = (moved / "keyring").read_bytes()
    assert len(watched) == 1 << 20
    if instead == "another vault":
        unlock(armed).close()
    if instead != "a keyring put back":
        with pytest.raises(DoesNotOpen):
            unlock(str(moved))


def test_after_another_wipe_took_the_keyring_the_rest_is_deleted(armed: str) -> None:
    with guarding(armed, "--action", "panic") as guard:
        os.kill(guard.process.pid, signal.SIGSTOP)
        Path(armed, "keyring").unlink()
        guard.order()
        guard.order(signal.SIGCONT)
        guard.end()
    assert not os.path.lexists(armed)


def test_an_order_that_comes_while_the_guard_looks_is_not_lost(armed: str) -> None:
    """The keys go in the signal's handler; that the look which was under way saw the vault gone is not the end."""

    class _Meanwhile:
        name = "a stick"

        def present(self) -> bool:
            os.rename(armed, armed + "-moved")
            guard._on_order(signal.SIGUSR1, None)
            return True

    said: list[str] = []
    guard = Guard(
        armed, Plan(Action.PANIC, lasts=60.0), [_Meanwhile()], describe="", now_ns=time.time_ns, say=said.append,
        disk=Disk(),
    )  # fmt: skip
    with pytest.raises(NotFound, match="its keys are gone, and nothing else"):
        guard.run()
    assert "KEYS GONE in" in said[-1]
    with pytest.raises(DoesNotOpen):
        unlock(armed + "-moved")
