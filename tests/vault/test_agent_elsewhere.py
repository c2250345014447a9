# SPDX-License-Identifier: Apache-2.0
"""Agents that no runtime folder leads to: found by their processes, ended by `lock` and by the emergency wipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import agent_number, runtime_folder
from tests.support.mounts import mounted
from tests.support.newsroom import newsroom, unlock
from tests.support.strangers import stranger
from vault.agent import asking, client, process, runtime
from vault.cli.agent import standing
from vault.panic import panic
from vault.report import as_text

if sys.platform != "linux":
    pytest.skip("processes are found through /proc", allow_module_level=True)


@pytest.fixture(autouse=True)
def runtime_dir() -> Iterator[Path]:
    with runtime_folder() as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault", case=None)


@pytest.fixture
def lost(folder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The number of an agent that was started in an environment of which nobody here knows."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as other:
        with monkeypatch.context() as there:
            there.setenv("XDG_RUNTIME_DIR", other)
            with unlock(folder) as vault:
                client.start(vault, lasts=600, idle=600)
            number = agent_number(folder)
        assert not any(runtime.note_of_holder(place.agent) for place in runtime.places(folder))
        yield number
        if alive(number):
            os.kill(number, signal.SIGKILL)


def alive(number: int) -> bool:
    """Whether a process runs: one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_agent_of_another_environment_is_seen_and_locked(folder: str, lost: int) -> None:
    fields, lines = standing(folder)
    assert fields["locked"] is False and "another environment" in lines[0]
    assert asking.lock(folder)
    assert not alive(lost)
    assert not asking.lock(folder)
    assert standing(folder)[0]["locked"] is True


def test_one_that_was_stopped_is_killed(folder: str, lost: int) -> None:
    os.kill(lost, signal.SIGSTOP)
    assert asking.lock(folder)
    assert not alive(lost)


def test_unlocking_again_leaves_one_agent(folder: str, lost: int) -> None:
    with unlock(folder) as vault:
        client.start(vault, lasts=600, idle=600)
    assert not alive(lost)
    assert asking.elsewhere(folder) == (agent_number(folder),)


@pytest.mark.parametrize("keep", [True, False])
def test_the_emergency_wipe_ends_it_and_says_so_even_if_it_was_stopped(folder: str, lost: int, keep: bool) -> None:
    """Stopped, it does not see that the keyring changed: whoever lets it go on would have the keys in memory."""
    os.kill(lost, signal.SIGSTOP)
    report = panic(folder, keep=keep, discard=False)
    assert not alive(lost)
    assert report.not_done == ()
    assert "1 agent" in as_text(report)


def test_the_wipe_of_a_vault_that_nobody_unlocked_says_nothing_of_agents(folder: str) -> None:
    assert "agent" not in as_text(panic(folder, discard=False))


def test_an_agent_is_found_through_another_mount_of_the_vault(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        client.start(vault, lasts=600, idle=600)
    number = agent_number(folder)
    with mounted(tmp_path / "elsewhere", "--bind", folder) as there:
        assert runtime.place_of(there) != runtime.place_of(folder)
        assert asking.lock(there)
    assert not alive(number)


def test_another_vault_s_agent_goes_on(folder: str, lost: int, tmp_path: Path) -> None:
    other = newsroom(tmp_path / "other", case=None)
    assert not asking.lock(other)
    assert panic(other, discard=False).keys_gone
    assert alive(lost)


def test_a_process_of_another_user_that_looks_like_one_is_left_alone(folder: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    mark = process.mark_at(os.path.join(folder, "keyring"))
    assert mark is not None
    with stranger("import time; print('up', flush=True); time.sleep(60)", *process.arguments(mark),
                  stdout=subprocess.PIPE) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == "up\n"
        assert process.find(mark) == ()
        assert not asking.lock(folder)
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("words", [("-m", "vault.agent"), ("-m", "vault.agent", "{mark}", "more"), ("{mark}",)])
def test_a_process_with_another_command_line_is_no_agent(folder: str, words: tuple[str, ...]) -> None:
    mark = process.mark_at(os.path.join(folder, "keyring")) or ""
    code = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, *(word.format(mark=mark) for word in words)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "up\n"
        assert process.find(mark) == ()
        other.kill()


def test_where_no_vault_is_nobody_is_looked_for(tmp_path: Path) -> None:
    assert process.mark_at(str(tmp_path / "keyring")) is None
    assert process.find(None) == () == process.end(None)
