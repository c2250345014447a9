# SPDX-License-Identifier: Apache-2.0
"""A stock Firefox without a window. Its own wire for WebDriver is Marionette: JSON with its length before it.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import queue
import re
import socket
import subprocess
import threading
from typing import Any

from tests.support.tools import need
from tests.support.webdriver import MOVED_HERE, PATIENCE, WebDriver

COMMANDS = {
    "navigate": "WebDriver:Navigate", "run": "WebDriver:ExecuteAsyncScript", "click": "WebDriver:ElementClick",
    "type": "WebDriver:ElementSendKeys", "timeouts": "WebDriver:SetTimeouts",
}  # fmt: skip
"""Firefox's names for WebDriver's commands."""
REMEMBER = """
globalThis.asked = []
Services.obs.addObserver((subject) => {
  const { URI, loadInfo } = subject.QueryInterface(Ci.nsIChannel)
  if (!loadInfo.triggeringPrincipal.isSystemPrincipal) asked.push(URI.spec)
}, "http-on-opening-request")
"""
"""For what pages ask. Firefox itself asks its maker for news, of which the proxy hears too."""
SAVE_ONLY = """
const types = Cc["@mozilla.org/mime;1"].getService(Ci.nsIMIMEService)
const pdf = types.getFromTypeAndExtension("application/pdf", "pdf")
pdf.preferredAction = Ci.nsIHandlerInfo.saveToDisk
Cc["@mozilla.org/uriloader/handler-service;1"].getService(Ci.nsIHandlerService).store(pdf)
"""
"""What the guide tells editors to choose: else Firefox opens each PDF that it saved in front of the page."""


class Firefox(WebDriver):
    """One Firefox in a new profile. Its version is what is installed; Debian's is the extended support release."""

    finished = MOVED_HERE

    def begin(self) -> None:
        """With a proxy, a folder for downloads, and no state of anybody's."""
        firefox = need("firefox-esr")
        profile = self.home / "profile"
        profile.mkdir()
        wanted = {
            "marionette.port": 0, "browser.download.folderList": 2, "browser.download.dir": str(self.downloads),
            "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": self.proxy.port,
            "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": self.proxy.port,
        }  # fmt: skip
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        (profile / "user.js").write_text("".join(lines))
        words = ["--headless", "--no-remote", "--profile", str(profile), "--marionette", "--remote-allow-system-access"]
        process = self.start([firefox, *words], subprocess.PIPE)
        where = ("127.0.0.1", self._port(process))
        self._connection = self.ending.enter_context(socket.create_connection(where, PATIENCE))
        self._stream = self._connection.makefile("rb")
        self._number = 0
        self._receive()  # a greeting
        self._send("WebDriver:NewSession", {})
        self._in_chrome(REMEMBER)
        self._in_chrome(SAVE_ONLY)

    def _port(self, process: subprocess.Popen[str]) -> int:
        """Where it listens. What else it says is read too, lest it wait for a reader."""
        ports: queue.Queue[int] = queue.Queue()

        def read() -> None:
            for line in process.stdout or ():
                if found := re.search(r"Marionette\tINFO\tListening on port (\d+)", line):
                    ports.put(int(found[1]))
            ports.put(0)  # it has ended

        threading.Thread(target=read, daemon=True).start()
        return ports.get(timeout=PATIENCE)

    def command(self, name: str, **parameters: object) -> Any:
        """By its name in Marionette."""
        return self._send(COMMANDS[name], {"sandbox": None, **parameters} if name == "run" else parameters)

    def requests(self) -> list[str]:
        """What pages asked for, also of what the proxy never heard."""
        return self._in_chrome("return asked.splice(0)")

    def _in_chrome(self, script: str) -> Any:
        """A script with the browser's own rights."""
        self._send("Marionette:SetContext", {"value": "chrome"})
        answer = self._send("WebDriver:ExecuteScript", {"script": script, "sandbox": "system"})
        self._send("Marionette:SetContext", {"value": "content"})
        return answer

    def _send(self, name: str, parameters: dict[str, object]) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._connection.sendall(b"%d:%b" % (len(message), message))
        _, number, error, result = self._receive()
        assert number == self._number
        assert error is None, error
        return result.get("value", result)

    def _receive(self) -> Any:
        size = b""
        while not size.endswith(b":"):
            one = self._stream.read(1)
            assert one, "Firefox has ended"
            size += one
        return json.loads(self._stream.read(int(size[:-1])))
