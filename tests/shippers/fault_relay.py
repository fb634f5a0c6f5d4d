"""A relay between a shipper and Winnow that can fail in the ways a network and a busy server do.

Handed: requests of a real client. Hands on: the same requests to Winnow, after giving the first ones the
answer that the test asked for. It keeps what it saw, so that a test can say what a client sent again.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from triage.intake.http import Reply

#: Headers that belong to one connection, not to the request.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"})
RELAY_SECONDS = 30


@dataclass
class Plan:
    """What the relay does to the requests whose path holds ``path``.

    ``reply``: the answer the first ``times`` of them get instead of Winnow's. ``cut``: the first ``times``
    reach Winnow, but the connection ends before its answer comes back.
    """

    path: str = ""
    reply: Reply | None = None
    cut: bool = False
    times: int = 0
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, path: str) -> bool:
        """Whether the next request of this path fails; counts it."""
        with self.lock:
            if self.times <= 0 or self.path not in path:
                return False
            self.times -= 1
            return True

    def note(self, method: str, path: str, status: int) -> None:
        """Keep what a client was told."""
        with self.lock:
            self.seen.append((method, path.partition("?")[0], status))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _relay(self) -> None:
        body, plan = self._body(), self.server.plan
        fails = plan.takes(self.path)
        if fails and plan.reply is not None:
            plan.note(self.command, self.path, plan.reply.status)
            headers = [(name.decode(), value.decode()) for name, value in plan.reply.headers]
            headers.append(("content-type", plan.reply.content_type.decode()))
            self._answer(plan.reply.status, headers, plan.reply.body)
            return
        status, headers, answer = self._ask(body)
        if fails and plan.cut:
            plan.note(self.command, self.path, 0)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        plan.note(self.command, self.path, status)
        self._answer(status, headers, answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send the request on; a Winnow that is away is a gateway's 503."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        link = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=RELAY_SECONDS)
        with contextlib.closing(link):
            try:
                link.request(self.command, self.path, body, headers)
                reply = link.getresponse()
                answer = reply.read()
            except OSError:
                return 503, [("retry-after", "1")], b""
        kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP]
        return reply.status, kept, answer

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def __getattr__(self, name: str) -> Any:
        """Relay every method alike: the server looks up ``do_GET``, ``do_POST`` and so on."""
        if name.startswith("do_"):
            return self._relay
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; ``Plan.seen`` has it."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.plan = upstream, Plan()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the game."""


@contextlib.contextmanager
def fault_relay(upstream: int) -> Iterator[_Server]:
    """Run a relay to a port; set its ``plan`` before a client starts."""
    server = _Server(upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
