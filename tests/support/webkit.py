# SPDX-License-Identifier: Apache-2.0
"""WebKitGTK in its MiniBrowser, on a display in memory, through WebKitWebDriver: WebDriver over HTTP.

It is not Safari. The engine, its policies and its JavaScript are the same project's; files, downloads and the network
are GTK's, and Apple's own browser was not tried.
"""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
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

    def begin(self) -> None:
        """With a proxy, a folder for downloads, a display, and no bus, settings or state of anybody's."""
        driver = need("WebKitWebDriver")
        (self.home / ".config").mkdir()
        (self.home / ".config" / "user-dirs.dirs").write_text(f'XDG_DOWNLOAD_DIR="{self.downloads}"\n')
        display = self.ending.enter_context(desktop()).environment["DISPLAY"]
        port = self._listening(driver, display)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection = self.ending.enter_context(closing(connection))
        self._session = ""
        proxy = f"127.0.0.1:{self.proxy.port}"
        wanted = {"proxy": {"proxyType": "manual", "httpProxy": proxy, "sslProxy": proxy}}
        begun = self._send({"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/{begun['sessionId']}"

    def _listening(self, driver: str, display: str) -> int:
        """Where it listens. It wants to be told, so it is given a port that was free a moment ago."""
        for _try in range(TRIES):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port: int = free.getsockname()[1]
            process = self.start(
                [driver, f"--port={port}"], DISPLAY=display, XDG_RUNTIME_DIR=str(self.home), GTK_USE_PORTAL="0",
                DBUS_SESSION_BUS_ADDRESS="disabled:", GSETTINGS_BACKEND="memory",
            )  # fmt: skip
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    return port
                except ConnectionRefusedError:
                    continue
        raise AssertionError("WebKitWebDriver does not start")

    def command(self, name: str, **parameters: object) -> Any:
        """By its address."""
        return self._send(parameters, "/" + COMMANDS[name].format(**parameters))

    def _send(self, parameters: dict[str, object], path: str = "") -> Any:
        self._connection.request("POST", f"/session{self._session}{path}", json.dumps(parameters))
        response = self._connection.getresponse()
        value = json.loads(response.read())["value"]
        assert response.status == 200, value
        return value
