# SPDX-License-Identifier: Apache-2.0
"""The agent in a real Python for Windows, over real pipes, under Wine, which is no Windows.

Not tried, because Wine has one user, and ignores these: another user's client or server, FILE_FLAG_FIRST_PIPE_INSTANCE,
the level of identification that a client grants, integrity levels, the owner's right to rewrite an access list, and
whether Windows calls back before it sleeps.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import desk
from tests.support.windows import START, environment, need_windows, windows_path
from tests.windows import agent_scenarios

PATIENCE = 300


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong with each scenario, "" for nothing: all of them run in one Windows process, one after another."""
    done = subprocess.run(
        [*need_windows(), "-m", "tests.windows.agent_scenarios"], stdin=subprocess.DEVNULL, capture_output=True,
        cwd=tmp_path_factory.mktemp("agents"), env=environment(), timeout=PATIENCE, check=False,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr.decode()
    return {one["name"]: one["problem"] for one in told}


@pytest.mark.parametrize("name", agent_scenarios.scenarios())
def test_agents_on_windows(problems: dict[str, str], name: str) -> None:
    """The sentence is the scenario's name."""
    assert not problems[name], problems[name]


class _Windows:
    """Commands on one vault. Not through pipes until their end: under Wine an agent keeps its starter's open."""

    def __init__(self, home: Path, vault: Path) -> None:
        self._home, self._vault = home, vault

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code, and what was said on both outputs. Nobody is there to be asked."""
        with subprocess.Popen(
            [*need_windows(), "-c", START, "--vault", windows_path(self._vault), *words], cwd=self._home,
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as child:  # fmt: skip
            assert child.stdout is not None
            code = child.wait(PATIENCE)
            os.set_blocking(child.stdout.fileno(), False)
            said = child.stdout.read() or b""
            return code, said.decode().replace("\r\n", "\n")


@pytest.fixture
def unlocked(tmp_path: Path) -> Iterator[_Windows]:
    """A vault with one case, made on Linux and unlocked on Windows."""
    need_windows()
    at = desk(tmp_path, "aida")
    at.run("case", "new", "Road works")
    at.write("notes.txt", "notes")
    windows = _Windows(at.home, at.vault)
    code, said = windows.run("unlock", "--for", "5m", "--passphrase-file", windows_path(at.passphrase))
    assert code == 0 and "unlocked until" in said, said
    yield windows
    windows.run("lock")


def test_after_unlock_commands_ask_nothing_until_lock(unlocked: _Windows) -> None:
    assert unlocked.run("add", "Road works", "notes.txt")[0] == 0
    code, said = unlocked.run("list", "Road works")
    assert code == 0 and "notes.txt" in said
    assert "UNLOCKED until" in (status := unlocked.run("status")[1]) and "locked out of swap" in status
    assert "an agent holds the keys\n" in unlocked.run("doctor")[1], "and not since when, which is noted nowhere"
    assert unlocked.run("lock") == (0, "locked: the agent that held the keys has ended\n")
    code, said = unlocked.run("list", "Road works")
    assert code != 0 and "nobody is at the terminal to be asked" in said, said
    assert "locked: each command asks" in unlocked.run("status")[1]


def test_the_command_panic_leaves_no_agent(unlocked: _Windows) -> None:
    assert unlocked.run("panic", "--keep")[1].startswith("KEYS GONE")
    code, said = unlocked.run("list", "Road works")
    assert code != 0 and "notes.txt" not in said
    assert unlocked.run("lock")[1].startswith("nothing was unlocked")
