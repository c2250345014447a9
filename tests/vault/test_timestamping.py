# SPDX-License-Identifier: Apache-2.0
"""Asking a time stamp server: it learns a hash and no more, and no server can hold us up, feed us or lead us astray."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.tools import need
from tests.support.tsa import REFUSAL, Answer, authority, proxying, serving, tsa
from vault import timestamp
from vault.errors import BadInput, TimestampFailed
from vault.timestamping import Stamper, ask, server_at

SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nnot looked at\n-----END SSH SIGNATURE-----\n"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_signature_is_stamped_and_the_stamp_verifies() -> None:
    roots = timestamp.read_roots(authority().root.read_bytes())
    with tsa() as web:
        stamper = Stamper(server_at(web.url()), roots=roots)
        response = stamper(SIGNATURE)
    assert stamper.stamp == timestamp.judge(response, SIGNATURE, roots=roots)


def test_the_server_is_sent_a_hash_and_nothing_that_names_the_program() -> None:
    with tsa() as web:
        Stamper(server_at(web.url("/path?query=1")))(SIGNATURE)
    (seen,) = web.seen
    assert (seen.method, seen.path) == ("POST", "/path?query=1")
    assert hashlib.sha256(SIGNATURE).digest() in seen.body
    assert len(seen.body) < 80
    assert {name.lower() for name in seen.headers} == {
        "host", "accept-encoding", "content-length", "content-type"
    }  # fmt: skip
    assert seen.headers["Content-Type"] == "application/timestamp-query"
    assert "sandyk" not in str(seen.headers).lower()


def other_request(request: bytes) -> bytes:
    """As if somebody played an older answer again."""
    return authority().reply(timestamp.request_for(SIGNATURE).der)


def other_signature(request: bytes) -> bytes:
    return authority().reply(timestamp.request_for(b"another").der)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request: Answer(REFUSAL), "status 2"),
        (lambda request: Answer(other_request(request)), "another request"),
        (lambda request: Answer(other_signature(request)), "something else"),
        (lambda request: Answer(authority("Other").reply(request)), "roots vouch for"),
        (lambda request: Answer(authority().reply(request)[:-1]), "damaged"),
        (lambda request: Answer(b""), "damaged"),
        (lambda request: Answer(b"<html>sign in to this network</html>"), "damaged"),
        (lambda request: Answer(bytes(timestamp.MAX_SIZE + 1)), "larger"),
        (lambda request: Answer(b"", 500), "HTTP status 500"),
        (lambda request: Answer(b"", 407), "HTTP status 407"),
        (lambda request: Answer(b"", 200, {"Content-Length": "100"}), "damaged"),
        (lambda request: Answer(b"x", 200, {"Transfer-Encoding": "chunked"}), "cannot be reached"),
    ],
)
def test_any_other_answer_is_no_time_stamp(answer, reason: str) -> None:
    with serving(answer) as web:
        stamper = Stamper(server_at(web.url()), roots=timestamp.read_roots(authority().root.read_bytes()), deadline=5)
        with pytest.raises(TimestampFailed, match=reason):
            stamper(SIGNATURE)
    assert stamper.stamp is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_named_and_not_followed(status: int) -> None:
    with tsa() as elsewhere, serving(lambda _: Answer(b"", status, {"Location": elsewhere.url()})) as web:
        with pytest.raises(TimestampFailed, match="elsewhere") as caught:
            ask(server_at(web.url()), b"request", limit=1000)
        assert elsewhere.url() in "".join(caught.value.hints)
        assert elsewhere.seen == []


def test_a_server_that_says_nothing_is_given_up() -> None:
    with serving(lambda _: None) as web, pytest.raises(TimestampFailed, match=r"within 0\.2 s|timed out"):
        ask(server_at(web.url()), b"request", limit=1000, deadline=0.2)


def test_a_server_that_never_ends_is_cut_off_by_the_limit() -> None:
    """It says that a terabyte is coming, and sends a part; no more than the limit is read."""
    endless = Answer(bytes(5000), 200, {"Content-Length": str(1 << 40)})
    with serving(lambda _: endless) as web, pytest.raises(TimestampFailed, match="larger"):
        ask(server_at(web.url()), b"request", limit=1000, deadline=5)


def test_no_server_is_our_error() -> None:
    """In words that can be translated, without the number that the system has for it."""
    with serving(lambda _: None) as web:
        url = web.url()
    with pytest.raises(TimestampFailed, match=r"cannot be reached: Connection refused$"):
        ask(server_at(url), b"request", limit=1000)


# The way to it


def test_a_proxy_is_used_and_looks_the_name_up_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name exists nowhere: asking for it outside of the proxy would fail."""
    with tsa() as web, proxying(web) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        server = server_at("http://tsa.invalid/tsr")
        assert f"of tsa.invalid, through the proxy 127.0.0.1:{proxy.port}: it learns a hash" in server.told()
        Stamper(server)(SIGNATURE)
    assert [(seen.method, seen.path) for seen in proxy.seen] == [("CONNECT", "tsa.invalid:80")]
    assert len(web.seen) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9050", "http://user:secret@127.0.0.1:1", "https://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_refused_and_not_gone_round(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    with tsa() as web:
        for name in ("http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
            with pytest.raises(BadInput, match="proxy") as caught:
                server_at(web.url())
            assert "secret" not in str(caught.value)
            monkeypatch.delenv(name)
        assert web.seen == []


def test_a_server_that_no_certificate_authority_vouches_for_is_refused(tmp_path: Path) -> None:
    command = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost"
    subprocess.run(
        [need("openssl"), *command.split(), "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with tls_server(context) as port, pytest.raises(TimestampFailed, match="certificate"):
        ask(server_at(f"https://localhost:{port}/"), b"request", limit=1000, deadline=10)


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """A server that would answer anything, if anybody came so far as to ask; its port."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "", "tsa.example", "ftp://tsa.example/", "file:///etc/passwd", "http://", "http:///x",
        "https://user@tsa.example/",
        "https://user:secret@tsa.example/", "http://tsa.example/#part", "http://tsa.example:0/",
        "http://tsa.example:99999/",
        "http://tsa.example/a b", "http://tsa.example/\r\nX: y",
        "http://мисал.kg/", "http://[::1", "http://x/" + "y" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(BadInput, match="address"):
        server_at(url)


@pytest.fixture(autouse=True, scope="module")
def _made_once() -> Iterator[None]:
    """Both authorities, outside of any deadline."""
    authority(), authority("Other")
    yield
