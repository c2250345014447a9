# SPDX-License-Identifier: Apache-2.0
"""Asks a time stamp server (RFC 3161 section 3.4, over HTTP). The one module that opens a network connection.

Sends one POST with the request that it is given, and the headers without which HTTP does not work: nothing names this
program. Follows no redirect, keeps no cookie, sends no password. The answer is bounded in size, the whole exchange in
time. A proxy in ``https_proxy`` or ``http_proxy`` is used through CONNECT, for either scheme, so that the address of
this machine and the look-up of the server's name stay behind it (Tor: ``HTTPTunnelPort``); a proxy of another kind is
refused and not gone round. What comes back is untrusted until ``vault.timestamp`` judged it.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from gettext import gettext as _
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, Queue
from threading import Thread
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from vault import timestamp
from vault.errors import BadInput, BrokenTimestamp, TimestampFailed
from vault.names import printable
from vault.refusals import refusal

DEADLINE_SECONDS = 60.0
"""For all of it. A server answers within a second or two, through Tor within ten."""
MAX_URL_CHARS = 2000

_PLAIN = re.compile(rf"[!-~]{{1,{MAX_URL_CHARS}}}", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Server:
    """A time stamp server, and the way to it: host and port of a proxy, or None."""

    url: SplitResult
    proxy: tuple[str, int] | None

    def told(self) -> str:
        """Who is asked, by which way, and what is given away by it."""
        name = printable(self.url.hostname or "")
        if self.proxy is None:
            return _(
                "a time stamp is asked of {server}, without a proxy: it learns a hash, where it is asked from, and when"
            ).format(server=name)
        return _(
            "a time stamp is asked of {server}, through the proxy {proxy}: it learns a hash, where it is asked from, "
            "and when"
        ).format(server=name, proxy=printable(f"{self.proxy[0]}:{self.proxy[1]}"))


def server_at(url: str) -> Server:
    """The server of an address. Raises BadInput for one that cannot be meant, or a proxy that cannot be used."""
    address = _split(url)
    if address is None or address.scheme not in _PORTS or address.fragment:
        raise BadInput(
            _("what --timestamp names is no address of a time stamp server"),
            _("it begins with https:// or http://, and has no name or password in it"),
        )
    proxies = getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or proxy_bypass(address.hostname or ""):
        return Server(address, None)
    way = _split(named if "://" in named else f"http://{named}")
    if way is None or way.scheme != "http":
        raise BadInput(
            _("the environment names a proxy of a kind that is not used for time stamps"),
            _("https_proxy takes http://HOST:PORT, without a password; for Tor, HTTPTunnelPort in its torrc opens one"),
        )
    return Server(address, (way.hostname or "", way.port or _PORTS["http"]))


class Stamper:
    """Has signatures time stamped by a server, and keeps nothing that it would refuse later."""

    def __init__(self, server: Server, *, roots: timestamp.Roots = (), deadline: float = DEADLINE_SECONDS) -> None:
        self._server, self._roots, self._deadline = server, roots, deadline
        self.stamp: timestamp.Stamp | None = None
        """Of the last signature."""

    def __call__(self, signature: bytes) -> bytes:
        """The server's answer for the text of a ``.sig`` file. Raises TimestampFailed, LibraryMissing."""
        request = timestamp.request_for(signature)
        try:
            untrusted = ask(self._server, request.der, limit=timestamp.MAX_SIZE, deadline=self._deadline)
            self.stamp = timestamp.judge(untrusted, signature, nonce=request.nonce, roots=self._roots)
        except (TimestampFailed, BrokenTimestamp) as exc:
            hint = _("nothing was exported; try again, ask another server, or leave the time stamp out")
            raise TimestampFailed(str(exc), *exc.hints, hint) from exc
        return untrusted


def ask(server: Server, request: bytes, *, limit: int, deadline: float = DEADLINE_SECONDS) -> bytes:
    """The body of the server's answer to a request, at most ``limit`` bytes. Raises TimestampFailed."""
    outcome: Queue[bytes | TimestampFailed] = Queue(1)
    # A thread of its own, given up at the deadline: neither a look-up of a name nor an answer that comes byte by byte
    # can be bounded otherwise. It holds nothing but the request, and ends with the process.
    Thread(target=lambda: outcome.put(_attempt(server, request, limit, deadline)), daemon=True).start()
    try:
        result = outcome.get(timeout=deadline)
    except Empty:
        raise TimestampFailed(
            _("the time stamp server did not answer within {deadline:g} s").format(deadline=deadline)
        ) from None
    if isinstance(result, TimestampFailed):
        raise result
    return result


def _attempt(server: Server, request: bytes, limit: int, timeout: float) -> bytes | TimestampFailed:
    path = server.url._replace(scheme="", netloc="").geturl() or "/"
    connection = _connection(server, timeout)
    try:
        connection.request("POST", path, request, {"Content-Type": "application/timestamp-query"})
        response = connection.getresponse()
        untrusted = response.read(limit + 1)
    except (OSError, HTTPException, ValueError) as exc:
        why = refusal(exc) if isinstance(exc, OSError) else str(exc)
        reason = printable(why[:200]) or type(exc).__name__
        return TimestampFailed(_("the time stamp server cannot be reached: {reason}").format(reason=reason))
    finally:
        connection.close()
    if 300 <= response.status < 400:
        elsewhere = printable((response.getheader("Location") or "")[:200])
        return TimestampFailed(
            _("the time stamp server sends us elsewhere, which is not followed"),
            _("if you trust that address, give it yourself: {elsewhere}").format(elsewhere=elsewhere),
        )
    if response.status != 200:
        return TimestampFailed(
            _("the time stamp server answered with the HTTP status {status}").format(status=response.status)
        )
    if len(untrusted) > limit:
        return TimestampFailed(_("the time stamp server's answer is larger than a time stamp can be"))
    return untrusted


def _connection(server: Server, timeout: float) -> HTTPConnection:
    host, port = server.url.hostname or "", server.url.port or _PORTS[server.url.scheme]
    at = server.proxy or (host, port)
    if server.url.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(*at, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = HTTPConnection(*at, timeout=timeout)
    if server.proxy:
        connection.set_tunnel(host, port)
    return connection


def _split(url: str) -> SplitResult | None:
    """The parts of an address of plain ASCII with a host, a sound port and no user; None for anything else."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        sound = parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None
