# SPDX-License-Identifier: Apache-2.0
"""A time stamp server on this machine: openssl answers, behind HTTP, with a root of its own; and ways to misbehave."""

from __future__ import annotations

import atexit
import functools
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.tools import need

CONFIG = """\
[tsa]
default_tsa = this
[this]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1, millisecs:500
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
# No ``certs``: openssl then writes the chain in an order that is not DER, which strict parsers refuse.

REFUSAL = bytes.fromhex("30053003020102")
"""A TimeStampResp that is nothing but PKIStatus "rejection" (RFC 3161 section 2.4.2)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A root, and the server's certificate below it."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root's certificate, PEM."""
        return self.folder / "ca.pem"

    def reply(self, request: bytes) -> bytes:
        """What the server answers to a request."""
        query, answer = self.folder / "query", self.folder / "answer"
        query.write_bytes(request)
        _openssl(self.folder, "ts -reply -config ts.cnf -queryfile query -signer tsa.pem -inkey tsa.key -out answer")
        return answer.read_bytes()


def authority(name: str = "Time") -> Authority:
    """An authority of this name; made once for each process."""
    return _made(name)


@functools.cache
def _made(name: str) -> Authority:
    folder = Path(tempfile.mkdtemp(prefix="tsa-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "ts.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    (folder / "ext").write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
    for key in ("ca.key", "tsa.key"):
        _openssl(folder, f"ecparam -name prime256v1 -genkey -noout -out {key}")
    ca = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
    _openssl(folder, f"req -x509 -new -key ca.key -days 3650 -subj /O=Test/CN={name}-Root -out ca.pem {ca}")
    _openssl(folder, f"req -new -key tsa.key -subj /O=Test/CN={name} -out tsa.csr")
    signing = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile ext"
    _openssl(folder, f"x509 -req -in tsa.csr {signing} -out tsa.pem")
    return Authority(folder)


def _openssl(folder: Path, command: str) -> None:
    subprocess.run([need("openssl"), *command.split()], cwd=folder, capture_output=True, check=True)


@dataclass
class Answer:
    """An answer of an HTTP server."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """What a server saw of one request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """A server that runs: its address, and what it saw."""

    port: int
    seen: list[Seen]

    def url(self, path: str = "/tsr") -> str:
        """An address on it."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def serving(answer: Callable[[bytes], Answer | None]) -> Iterator[Web]:
    """An HTTP server that answers each POST; with None it stays silent until the test ends."""
    over, seen = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(Seen(self.command, self.path, dict(self.headers), body))
            given = answer(body)
            if given is None:
                over.wait()
                return
            self.send_response_only(given.status)
            for name, value in {"Content-Length": str(len(given.body)), **given.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Web(server.server_address[1], seen)
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def tsa(name: str = "Time") -> Iterator[Web]:
    """A time stamp server that does as it should."""
    with serving(lambda request: Answer(authority(name).reply(request))) as web:
        yield web


@contextmanager
def proxying(to: Web) -> Iterator[Web]:
    """An HTTP proxy that knows CONNECT alone, and leads every name to one server, as a proxy to Tor could."""
    seen: list[Seen] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def tunnel(client: socket.socket) -> None:
        with client:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += client.recv(1)
            method, path, _ = request.decode().split(" ", 2)
            seen.append(Seen(method, path, {}, b""))
            if method != "CONNECT":
                client.sendall(b"HTTP/1.0 501 no\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", to.port)) as server:
                client.sendall(b"HTTP/1.0 200 ok\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=tunnel, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield Web(listener.getsockname()[1], seen)
    finally:
        listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(4096):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
