# SPDX-License-Identifier: Apache-2.0
"""Attacks on what stands between somebody at the door and the evidence: agent, guard, arming, duress."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.secret import Secret
from tests.support.agents import runtime_folder
from tests.support.commands import desk
from tests.support.duress import COLLEAGUE, DECOY, opens, set_up, with_duress
from tests.support.newsroom import (
    PASSPHRASE,
    NoInput,
    add_paths,
    files_below,
    found_abroad,
    listing,
    newsroom,
    store_of,
    unlock,
)
from vault import arming, counter, decoys, traces
from vault.agent import asking, client, runtime
from vault.cli.agent import standing
from vault.disk import Disk
from vault.errors import Busy, NotAllowed
from vault.filing import add
from vault.guard import Action, Plan, Seen, Step, Watch
from vault.guard_run import Guard
from vault.panic import panic
from vault.sources import About


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


def why_not_armed(folder: str) -> str | None:
    return arming.why_not_armed(folder, time.time_ns(), disk=Disk())


# A wipe that happens by itself must never destroy the only copy


class _NoCounter(Disk):
    """A disk on which the counter cannot be written, as when it is full."""

    def replace(self, path: str, data: bytes) -> None:
        if path.endswith("/counter"):
            raise OSError(28, "No space left on device")
        super().replace(path, data)


def test_a_document_that_the_counter_could_not_count_disarms_the_guard(folder: str, tmp_path: Path) -> None:
    found_abroad(folder)
    (tmp_path / "letter").write_bytes(b"the only copy")
    with unlock(folder, disk=_NoCounter()) as vault:
        add_paths(vault, tmp_path / "letter")
    assert why_not_armed(folder) is not None


class _PowerCut(Disk):
    """A disk that stops before the counter is written: everything was filed by then."""

    def replace(self, path: str, data: bytes) -> None:
        if path.endswith("/counter"):
            raise SystemExit
        super().replace(path, data)


def test_a_document_that_was_filed_just_before_the_power_cut_disarms_the_guard(folder: str, tmp_path: Path) -> None:
    found_abroad(folder)
    (tmp_path / "letter").write_bytes(b"the only copy")
    with pytest.raises(SystemExit), unlock(folder, disk=_PowerCut()) as vault:
        add_paths(vault, tmp_path / "letter")
    assert why_not_armed(folder) is not None


def test_what_was_filed_before_an_add_was_interrupted_is_counted(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_abroad(folder)
    monkeypatch.setattr("vault.intake.MAX_ITEMS_PER_PACK", 1)
    monkeypatch.setattr("vault.intake.BATCH_DOCUMENTS", 1)
    for number in range(80):  # far more than are read ahead of what is written
        (tmp_path / f"letter {number}").write_bytes(bytes([number]) * 5000)
    paths = [bytes(tmp_path / f"letter {number}") for number in range(80)]
    done = 0

    def interrupt(documents: int, size: int) -> None:
        nonlocal done
        done += documents
        if done == 60:
            raise KeyboardInterrupt

    with unlock(folder) as vault, pytest.raises(KeyboardInterrupt):
        add(vault, "Mine", paths, about=About(), move=False, stdin=NoInput(), stdin_name=b"-", progress=interrupt)
    with unlock(folder) as vault, store_of(vault) as store:
        there = len(listing(store))
    assert there > 0
    assert counter.read(folder, Disk()).filed == there
    assert why_not_armed(folder) is not None


def test_what_was_filed_before_is_not_forgotten_by_adding_nothing_new(folder: str, tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"twice")
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "letter")
    found_abroad(folder)
    with unlock(folder) as vault:
        add_paths(vault, tmp_path / "letter")
    assert why_not_armed(folder) is None


# What happens by itself must leave the time to stop it


GONE = ("the file /media/stick/half",)


def test_a_countdown_does_not_run_out_while_the_lid_is_closed() -> None:
    watch = Watch(Plan(Action.PANIC, lasts=1e6, countdown=15.0), 0.0)
    steps = [
        [decision.step for decision in watch.look(seen)]
        for seen in (
            Seen(1.0, gone=GONE),
            Seen(40_000.0, slept=39_990.0, gone=GONE),  # the lid is opened, and the stick is not seen yet
            Seen(40_003.0, slept=39_990.0),
        )
    ]
    assert steps == [[Step.LOCK, Step.COUNT], [Step.COUNT], [Step.STOPPED]]


def test_after_a_suspension_the_whole_countdown_runs_and_then_wipes() -> None:
    watch = Watch(Plan(Action.PANIC, lasts=1e6, countdown=15.0), 0.0)
    moments = [Seen(1.0, gone=GONE), Seen(500.0, slept=490.0, gone=GONE), Seen(514.9, slept=490.0, gone=GONE)]
    for seen in moments:
        assert Step.WIPE not in [decision.step for decision in watch.look(seen)]
    assert [decision.step for decision in watch.look(Seen(515.0, slept=490.0, gone=GONE))] == [Step.WIPE]


# A guard must do what it was armed for


class _Gone:
    name = "a stick"

    def __init__(self) -> None:
        self.looks = 0

    def present(self) -> bool:
        self.looks += 1
        return self.looks < 2


def _a_terminal_that_is_gone(line: str) -> None:
    raise BrokenPipeError


def test_a_guard_whose_terminal_is_gone_wipes_all_the_same(folder: str) -> None:
    found_abroad(folder)
    with runtime_folder():
        plan = Plan(Action.PANIC, lasts=60.0, countdown=0.0)
        report = Guard(
            folder, plan, [_Gone()], describe="test", now_ns=time.time_ns, say=_a_terminal_that_is_gone, disk=Disk()
        ).run()
    assert report is not None and not report.not_done
    assert not Path(folder, "keyring").exists()


def test_a_guard_that_comes_second_to_a_wipe_ends_without_a_word_about_defects(folder: str) -> None:
    found_abroad(folder)
    said: list[str] = []
    guard = Guard(
        folder, Plan(Action.PANIC, lasts=60.0), [], describe="test", now_ns=time.time_ns, say=said.append, disk=Disk()
    )
    guard._on_order(10, None)
    panic(folder, discard=False)
    with runtime_folder():
        assert guard.run() is None
    assert "nothing of the vault is left" in said[-1]


# What says "locked" must have found every agent


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The runtime folder of a desktop session, which only the session's environment names; it is not named yet."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as sessions:
        monkeypatch.setattr(runtime, "_SESSIONS", sessions)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.delenv("TMPDIR", raising=False)
        Path(sessions, str(os.geteuid())).mkdir(mode=0o700)
        yield os.path.join(sessions, str(os.geteuid()))


@pytest.mark.parametrize("from_session", [True, False])
def test_an_agent_is_found_and_ended_from_another_environment(
    folder: str, session: str, monkeypatch: pytest.MonkeyPatch, *, from_session: bool
) -> None:
    """Unlocked on the desktop and locked over ssh, or the other way round."""
    if from_session:
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
    with unlock(folder) as vault:
        client.start(vault, lasts=60, idle=60)
    if from_session:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
    assert asking.standing(folder) is not None
    assert asking.lock(folder)
    assert asking.standing(folder) is None
    assert not asking.lock(folder)


def test_a_folder_that_a_stranger_made_does_not_hide_an_agent_in_another(
    folder: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", session)
    with unlock(folder) as vault:
        client.start(vault, lasts=60, idle=60)
    place = runtime.place_of(folder)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory() as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        Path(temporary, f"sandyk-{os.geteuid()}").mkdir(mode=0o755)
        with pytest.raises(NotAllowed):
            asking.lock(folder)
    assert runtime.note_of_holder(place.agent) is None


def test_a_guard_is_found_from_another_environment(folder: str, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = runtime.hold(runtime.place_of(folder).guard, "1\nlock on SIGUSR1\n")
    assert held is not None
    monkeypatch.setenv("XDG_RUNTIME_DIR", session)
    assert standing(folder)[0]["guard"] == "lock on SIGUSR1"
    with pytest.raises(Busy):
        Guard(
            folder, Plan(Action.LOCK, lasts=0.0), [], describe="test", now_ns=time.time_ns, say=lambda _: None,
            disk=Disk(),
        ).run()  # fmt: skip
    os.close(held)


# Duress


def test_a_colleague_who_left_keeps_no_duress_passphrase_though_the_decoy_went_before(tmp_path: Path) -> None:
    """Two journalists shared a decoy; one took it away, and then removed the other."""
    folder = with_duress(tmp_path / "shared")
    with unlock(folder, COLLEAGUE) as vault:
        set_up(vault, mine=COLLEAGUE, duress="what he took along")
    with unlock(folder) as vault:
        decoys.take_away(vault, Secret(DECOY.encode()))
        vault.remove_journalist("Бек")
    assert not opens(folder, "what he took along")
    assert opens(folder, PASSPHRASE)


def test_nobody_is_told_that_no_duress_passphrase_is_set_up_while_theirs_destroys(tmp_path: Path) -> None:
    folder = with_duress(tmp_path / "shared")
    with unlock(folder, COLLEAGUE) as vault:
        set_up(vault, mine=COLLEAGUE, duress="what he took along")
    with unlock(folder) as vault:
        decoys.take_away(vault, Secret(DECOY.encode()))
    with unlock(folder, COLLEAGUE) as vault:
        decoys.take_away(vault)
    assert not opens(folder, "what he took along")
    assert opens(folder, PASSPHRASE)


def test_a_passphrase_without_outside_half_opens_after_the_stick_was_thrown_away(tmp_path: Path) -> None:
    """SANDYK_TOKEN still names it, as the shell's start-up file says; a decoy must open, and say nothing of it."""
    at = desk(tmp_path, passphrase="a quiet decoy of mine")
    at.more["SANDYK_TOKEN"] = "/media/stick/half"
    assert "stick" not in at.run("case", "list").err
    at.passphrase.write_text("opens nothing at all\n")
    assert "is the stick in?" in at.run("case", "list", code=11).err


def test_a_link_that_looks_like_a_rehearsal_s_leftover_wipes_no_other_vault(tmp_path: Path) -> None:
    other = newsroom(tmp_path / "elsewhere")
    before = files_below(other)
    beside = tmp_path / "here"
    beside.mkdir()
    (beside / ".sandyk-drill-0123456789abcdef").symlink_to(other)
    gone = traces.remove(str(beside / "vault"), Disk(), {"HOME": str(tmp_path / "home")}, "linux")
    assert [os.path.basename(path) for path, _ in gone.failed] == [".sandyk-drill-0123456789abcdef"]
    assert files_below(other) == before
