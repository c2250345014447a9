# SPDX-License-Identifier: Apache-2.0
"""A browser that is driven by WebDriver (https://www.w3.org/TR/webdriver2/), watched from inside and from outside.

A stock Firefox and WebKitGTK both speak it, each over its own wire. WebDriver tells nothing of what a page tries. So
the page is given a listener, in a script before its policy; and all its requests go to a proxy that refuses and
remembers each.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import signal
import socketserver
import struct
import subprocess
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from tests.support.browser import READER, Browser

PATIENCE = 120
"""Seconds after which something that does not come is a failure."""
CLICKS = 10
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""How WebDriver marks a reference to an element."""

HEAD = '<meta charset="utf-8">\n'
WATCH = """
window.heard = { violations: [], errors: [] }
document.addEventListener("securitypolicyviolation", (event) => heard.violations.push(event.violatedDirective))
addEventListener("error", (event) => heard.errors.push(String(event.message)), true)
addEventListener("unhandledrejection", (event) => heard.errors.push(String(event.reason)))
for (const name of ["error", "warn"]) console[name] = (...said) => heard.errors.push(said.join(" "))
"""
WAIT = """
const [selector, done] = arguments
const look = () => document.querySelector(selector) && (observer.disconnect(), done(null))
const observer = window.waiting = new MutationObserver(look) // kept from the collector of garbage
observer.observe(document, { attributes: true, childList: true, subtree: true })
look()
"""
LISTEN = """
const [at, done] = arguments
const hit = (event) => event.composedPath().includes(at)
window.clicked = new Promise((got) =>
  addEventListener("click", (event) => got(hit(event)), { capture: true, once: true }))
done(null)
"""
SET = """
const [at, value, done] = arguments
at.focus()
at.value = value
for (const name of ["input", "change"]) at.dispatchEvent(new Event(name, { bubbles: true }))
done(null)
"""


class WebDriver(Browser):
    """One browser, its home and its downloads in a folder that ends with it."""

    finished: int
    """The inotify event by which the engine's downloads end."""

    def __init__(self) -> None:
        self._seconds = 0
        with ExitStack() as self.ending:
            self.home = Path(tempfile.mkdtemp(prefix="sandyk-browser-"))
            self.ending.callback(shutil.rmtree, self.home, ignore_errors=True)
            self.downloads = self.home / "downloads"
            self.downloads.mkdir()
            self._arrivals = self.ending.enter_context(closing(Arrivals(self.downloads, self.finished)))
            self.proxy = self.ending.enter_context(closing(DeadEnd()))
            self.begin()
            self.ending = self.ending.pop_all()

    @abstractmethod
    def begin(self) -> None:
        """Start the browser. What ``ending`` gets is undone at the end, the last first, also when this fails."""

    @abstractmethod
    def command(self, name: str, **parameters: object) -> Any:
        """Send one of WebDriver's commands; its answer. What the engine calls an error fails the test."""

    def requests(self) -> list[str]:
        """What was asked of the network since this was last called."""
        heard, self.proxy.asked[:] = list(self.proxy.asked), []
        return heard

    def start(self, words: Sequence[str], output: int = subprocess.DEVNULL, **more: str) -> subprocess.Popen[str]:
        """A program that ends with the browser, with all that it starts. ``more``: of its environment."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.home), "LANG": "C.UTF-8"}
        process = subprocess.Popen(
            words, env={**own, **more}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip

        def end() -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)

        self.ending.callback(end)
        return process

    def close(self) -> None:
        """End it, with all its processes and files."""
        self.ending.close()

    def do(self, name: str, **more: Any) -> Any:
        """The action of this name."""
        return getattr(self, f"_{name}")(**more)

    def _open(self, *, before: str = "", lawless: bool = False) -> None:
        """The page after a script, or without its policy when it is to be lawless."""
        page = READER.read_text("utf-8")
        if lawless:
            page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', "", page)
        page = page.replace(HEAD, f"{HEAD}<script>{WATCH}{before}</script>\n", 1)
        copy = self.home / "reader.html"
        copy.write_text(page, "utf-8")
        self.requests()  # those before are another test's
        self.command("navigate", url=copy.as_uri())
        assert self._evaluate("typeof heard.errors") == "object"

    def _attempt(self, files: list[str], key: str) -> dict[str, str]:
        self._choose("#file", files)
        self._check("input[value=paste]")
        self._fill("#key-text", key)
        outcome = self.outcome(PATIENCE)
        return {"reason": outcome.reason, "text": outcome.text}

    def _choose(self, at: str, files: str | list[str]) -> None:
        """WebDriver adds to what was chosen before, so that is taken away first."""
        self._evaluate(f"document.querySelector({at!r}).value = ''")
        chosen = [files] if isinstance(files, str) else files
        self.command("type", id=self._find(at), text="\n".join(chosen))

    def _fill(self, at: str, text: str) -> None:
        self._run(SET, {ELEMENT: self._find(at)}, text)

    def _select(self, at: str, value: str) -> None:
        self._fill(at, value)

    def _click(self, at: str) -> None:
        """A click on what is disabled would be lost. Over when the page has got it: WebKit answers earlier.

        Where a page moves just then, WebKit can click beside it.
        """
        self._wait(f":is({at}):not(:disabled)")
        element = self._find(at)
        for _try in range(CLICKS):
            self._run(LISTEN, {ELEMENT: element})
            self.command("click", id=element)
            if self._evaluate("clicked"):
                return
        raise AssertionError(f"no click reaches {at}")

    _check = _click

    def _press(self, key: str) -> None:
        code = {"Tab": "\ue004", "Enter": "\ue007"}[key]
        self.command("type", id=self._evaluate("document.activeElement")[ELEMENT], text=code)

    def _wait(self, at: str, seconds: int = PATIENCE) -> None:
        self._run(WAIT, at, seconds=seconds)

    def _text(self, at: str) -> str:
        (text,) = self._texts(at)
        return text

    def _texts(self, at: str) -> list[str]:
        return self._evaluate(f"[...document.querySelectorAll({at!r})].map((found) => found.innerText)")

    def _value(self, at: str) -> str:
        return self._evaluate(f"document.querySelector({at!r}).value")

    def _count(self, at: str) -> int:
        return self._evaluate(f"document.querySelectorAll({at!r}).length")

    def _evaluate(self, script: str) -> Any:
        """The value of an expression, or what it promises."""
        then = "then((value) => arguments[0]([value]), (error) => arguments[0](String(error)))"
        answer = self._run(f"Promise.resolve({script}).{then}")
        assert isinstance(answer, list), answer
        return answer[0]

    def _downloads(self, folder: str, count: int = 1) -> list[str]:
        """Wait until so many downloads ended, and move them into a folder under the names that they have."""
        names = self._arrivals.names(count)
        Path(folder).mkdir(exist_ok=True)
        for name in names:
            shutil.move(self.downloads / name, Path(folder) / name)
        return names

    def _events(self) -> dict[str, list[str]]:
        return {**self._evaluate("heard"), "requests": self.requests()}

    def _find(self, at: str) -> str:
        found = self._evaluate(f"document.querySelector({at!r})")
        assert found is not None, f"there is no {at}"
        return found[ELEMENT]

    def _run(self, script: str, *arguments: object, seconds: int = PATIENCE) -> Any:
        """A script that calls its last argument with its answer."""
        if seconds != self._seconds:
            self.command("timeouts", script=seconds * 1000)
            self._seconds = seconds
        return self.command("run", script=script, args=list(arguments))


class DeadEnd:
    """A proxy that refuses everybody. ``asked``: the first line of each request."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Remember(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked.append(self.rfile.readline(1000).decode("ascii", "replace").strip())
                with suppress(OSError):  # who asked has gone
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Remember)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


MOVED_HERE = 0x80
WRITTEN = 0x08
"""``IN_MOVED_TO`` and ``IN_CLOSE_WRITE`` of inotify(7)."""


class Arrivals:
    """Names of files in a folder, each as soon as its writer is done with it."""

    def __init__(self, folder: Path, event: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_CLOEXEC)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, os.fsencode(folder), event) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def names(self, count: int) -> list[str]:
        """Wait for so many names that did not come before."""
        found: dict[str, None] = {}
        while len(found) < count:
            readable, _, _ = select.select([self._watch], [], [], PATIENCE)
            assert readable, f"only {list(found)} arrived"
            events = os.read(self._watch, 1 << 16)
            while events:
                (size,) = struct.unpack_from("=I", events, 12)
                name = os.fsdecode(events[16 : 16 + size].rstrip(b"\0"))
                events = events[16 + size :]
                if not name.endswith(".part"):  # what Firefox calls a file that is not whole
                    found[name] = None
        return list(found)

    def close(self) -> None:
        """Look no more."""
        os.close(self._watch)
