# SPDX-License-Identifier: Apache-2.0
"""WebKitGTK in its MiniBrowser, on a display in memory, through WebKitWebDriver: WebDriver over HTTP.

It is not Safari. The engine, its policies and its JavaScript are the same project's; files, downloads and the network
are GTK's, and Apple's own browser was not tried.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from contextlib import ExitStack
from typing import Any

from tests.support.display import desktop
from tests.support.tools import need
from tests.support.webdriver import PATIENCE, WRITTEN, WebDriver

COMMANDS = {
    "navigate": "url", "run": "execute/async", "click": "element/{id}/click", "type": "element/{id}/value",
    "timeouts": "timeouts",
}  # fmt: skip
"""Where below a session's address WebDriver's commands are sent."""
TRIES = 10


class WebKit(WebDriver):
    """One MiniBrowser."""

    finished = WRITTEN

    def __init__(self) -> None:
        driver = need("WebKitWebDriver")
        with ExitStack() as stack:
            super().__init__()
            display = stack.enter_context(desktop()).environment["DISPLAY"]
            (self.home / ".config").mkdir()
            (self.home / ".config" / "user-dirs.dirs").write_text(f'XDG_DOWNLOAD_DIR="{self.downloads}"\n')
            self._environment = {
                "PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.home), "LANG": "C.UTF-8",
                "XDG_RUNTIME_DIR": str(self.home), "DISPLAY": display, "DBUS_SESSION_BUS_ADDRESS": "disabled:",
                "GSETTINGS_BACKEND": "memory", "GTK_USE_PORTAL": "0",
            }  # fmt: skip
            self._process, port = self._start(driver)
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            self._session = ""
            proxy = f"127.0.0.1:{self.proxy.port}"
            wanted = {"proxy": {"proxyType": "manual", "httpProxy": proxy, "sslProxy": proxy}}
            begun = self._send("POST", "", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/{begun['sessionId']}"
            self._stack = stack.pop_all()

    def _start(self, driver: str) -> tuple[subprocess.Popen[bytes], int]:
        """The driver once it listens, and where. It wants to be told: a port that was free a moment ago."""
        for _try in range(TRIES):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            process = subprocess.Popen(
                [driver, f"--port={port}"], env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    return process, port
                except ConnectionRefusedError:
                    continue
        raise AssertionError("WebKitWebDriver does not start")

    def command(self, name: str, **parameters: object) -> Any:
        """By its address."""
        return self._send("POST", "/" + COMMANDS[name].format(**parameters), parameters)

    def _send(self, method: str, path: str, parameters: dict[str, object] | None = None) -> Any:
        body = None if parameters is None else json.dumps(parameters)
        self._connection.request(method, f"/session{self._session}{path}", body)
        response = self._connection.getresponse()
        value = json.loads(response.read())["value"]
        assert response.status == 200, value
        return value

    def close(self) -> None:
        """End it, with all its processes."""
        self._connection.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._stack.close()
        super().close()
