# SPDX-License-Identifier: Apache-2.0
"""reader.html in a real browser. What a test asks of one is here; each engine is driven its own way.

``Chromium`` through node and playwright-core (reader/driver.mjs), Firefox and WebKitGTK through WebDriver
(tests/support/webdriver.py).
"""

from __future__ import annotations

import json
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.tools import need, need_node_package

ROOT = Path(__file__).resolve().parents[2]
READER = ROOT / "vault" / "data" / "reader.html"
SOURCES = ROOT / "reader"
DRIVER = SOURCES / "driver.mjs"
ENDED = "#result:not([hidden]), #refusal:not([hidden])"
IDLE = "#busy[hidden]"

everywhere = pytest.mark.parametrize("browser", ["chromium", "firefox", "webkit"], indirect=True, scope="session")
"""For a test of the page that is to pass in each engine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page says after `Open and check`."""

    reason: str
    """Why it was refused; empty when it was opened."""
    text: str


class Browser(ABC):
    """One browser. Each `open_page` is the page afresh."""

    @abstractmethod
    def do(self, name: str, **more: object) -> Any:
        """Ask for one of the actions of reader/driver.mjs; its answer."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def open_page(self, **more: object) -> None:
        """The page, fresh."""
        self.do("open", **more)

    def try_file(self, sealed: Path, key: str) -> Outcome:
        """Choose a sealed file, paste a key, open it, and wait for what the page says."""
        return self.try_files([sealed], key)

    def try_files(self, sealed: Sequence[Path], key: str) -> Outcome:
        """The same with several files at once, in this order."""
        return Outcome(**self.do("attempt", files=[str(path) for path in sealed], key=key))

    def outcome(self, seconds: int = 60) -> Outcome:
        """Click `Open and check`, and what the page says then."""
        self.do("click", at="#open")
        self.do("wait", at=IDLE, seconds=seconds)
        self.do("wait", at=ENDED, seconds=seconds)
        if self.do("count", at="#refusal:not([hidden])"):
            reason = self.do("evaluate", script="document.getElementById('refusal').dataset.reason")
            return Outcome(reason, self.do("text", at="#refusal"))
        return Outcome("", self.do("text", at="#result"))

    def quiet(self) -> None:
        """Nothing left the page, nothing was forbidden that it tried, nothing ran or broke."""
        events = self.do("events")
        heard = {name: what for name, what in events.items() if what and name != "downloads"}
        assert not heard, heard


class Chromium(Browser):
    """In a new profile each time, unless the page is wanted just as before."""

    def __init__(self) -> None:
        node, chromium = need("node"), need("chromium")
        need_node_package("playwright-core", SOURCES)
        self.process = subprocess.Popen(
            [node, str(DRIVER), chromium, str(READER)], cwd=SOURCES, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def do(self, name: str, **more: object) -> Any:
        """Ask the driver for something; its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": name, **more}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def peak_of_renderers(self) -> int:
        """The most bytes that any of its pages' processes ever had in memory (proc(5), VmHWM)."""
        peaks = [0]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
                status = (process / "status").read_text()
            except OSError:
                continue  # it ended meanwhile
            found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
            if b"--type=renderer" in words and found and self._started(process):
                peaks.append(int(found[1]) << 10)
        return max(peaks)

    def _started(self, process: Path) -> bool:
        """Whether a process descends from this browser's driver."""
        number = int(process.name)
        while number > 1 and number != self.process.pid:
            try:
                number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                return False
        return number == self.process.pid

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
