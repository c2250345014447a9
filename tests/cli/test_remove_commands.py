# SPDX-License-Identifier: Apache-2.0
"""`remove` and `compact` as they are typed, and killed while they work."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import Desk, desk


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    one = desk(tmp_path)
    one.run("case", "new", "Road works")
    return one


def test_a_document_is_removed_after_a_yes_alone_and_what_is_left_is_said(at: Desk) -> None:
    at.run("add", "Road works", at.write("witness.txt", "names"), at.write("memo.txt", "plov"))
    refused = at.run("remove", "witness.txt", code=2)
    assert "--yes" in refused.err
    assert len(at.json("list")["items"]) == 2
    done = at.run("remove", "witness.txt", "--yes", "--reason", "the source asked")
    assert "removed 1 document(s)" in done.out
    assert "every other copy" in done.out and "old blocks" in done.out
    assert "still here" not in done.out, "no clean copy was ever made of it"
    assert [item["name"] for item in at.json("list")["items"]] == ["memo.txt"]
    log = at.run("log").out
    assert "removed the source asked" in log and "witness" not in log
    at.run("verify")
    at.run("remove", "witness.txt", "--yes", code=1)


@pytest.mark.parametrize("command", [("remove", "in/0.bin", "--yes"), ("compact", "Road works")])
def test_killed_while_packs_are_written_anew_nothing_is_lost_and_it_can_be_run_again(
    at: Desk, command: tuple[str, ...]
) -> None:
    """Killed when the folder of packs first changes, and at the next three changes of later runs."""
    for n in range(6):
        at.write(f"in/{n}.bin", os.urandom(4 << 20))
        at.run("add", "Road works", str(at.home / "in"))
    (packs,) = at.vault.glob("cases/*/packs")
    for changes in (1, 2, 3):
        process = subprocess.Popen(
            at.words(*command), env=at.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seen, last = 0, set(os.listdir(packs))
        while process.poll() is None and seen < changes:
            now = set(os.listdir(packs))
            seen, last = seen + (now != last), now
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert at.json("verify")["whole"]
        assert {item["name"] for item in at.json("list")["items"]} >= {f"in/{n}.bin" for n in range(1, 6)}
    at.run("compact", "Road works")
    assert at.json("compact", "Road works")["freed"] == 0
    assert at.json("verify")["whole"]
