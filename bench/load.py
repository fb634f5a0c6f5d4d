"""A sender that costs little beside the server it loads: prepared requests over keep-alive connections.

Handed: a port and whole HTTP requests as bytes. Hands on: the reply time of each. One thread, one selector;
each connection has one request under way. A Python HTTP client would need more time than the server does.
"""

import http.client
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

REPLY_SECONDS = 60.0


def post(path: str, token: str, body: bytes, content_type: str = "application/json") -> bytes:
    """Return the bytes of one POST request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Splunk {token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Link:
    """One connection and the request it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reply = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.reply, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Read what is there; True once the reply is whole. Raises on anything but 200."""
        part = self.socket.recv(65_536)
        if not part:
            raise SystemExit("the intake closed the connection")
        self.reply += part
        head, separator, body = self.reply.partition(b"\r\n\r\n")
        if not separator:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the intake said {head.splitlines()[0].decode()}")
        length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        return len(body) >= int(length)


def send(port: int, requests: Sequence[bytes], *, clients: int, per_second: float = 0.0) -> list[float]:
    """Send every request and return the reply times in milliseconds, in the order of the replies.

    ``per_second`` holds requests back to a pace; 0 sends as fast as replies come.
    """
    todo, times = iter(requests), []
    started, sent = time.perf_counter(), 0
    with selectors.DefaultSelector() as ready:
        links = [_Link(port) for _ in range(min(clients, len(requests)))]
        idle = list(links)
        while True:
            while idle and (not per_second or sent <= (time.perf_counter() - started) * per_second):
                request = next(todo, None)
                if request is None:
                    break
                link = idle.pop()
                link.send(request)
                ready.register(link.socket, selectors.EVENT_READ, link)
                sent += 1
            if len(idle) == len(links) and sent == len(requests):
                break
            pause = REPLY_SECONDS if not per_second or not idle or sent == len(requests) else 0.001
            for link in _answered(ready, pause):
                times.append((time.perf_counter() - link.sent_at) * 1000)
                idle.append(link)
    for link in links:
        link.socket.close()
    return times


def _answered(ready: selectors.BaseSelector, pause: float) -> Iterator[_Link]:
    found = ready.select(pause)
    if not found and pause == REPLY_SECONDS:
        raise SystemExit("the intake does not answer")
    for key, _ in found:
        link: _Link = key.data
        if link.is_answered():
            ready.unregister(link.socket)
            yield link


class PageVisitor:
    """Asks for the queue page every half second, in a thread, as an analyst with the page open would.

    ``times`` holds the reply times in milliseconds.
    """

    def __init__(self, port: int, session: str) -> None:
        self.times: list[float] = []
        self._port, self._headers = port, {"Cookie": f"sessionid={session}"}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(REPLY_SECONDS)

    def _run(self) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=REPLY_SECONDS)
        while not self._stop.wait(0.5):
            start = time.perf_counter()
            link.request("GET", "/", headers=self._headers)
            reply = link.getresponse()
            reply.read()
            if reply.status != 200:
                raise SystemExit(f"the queue page said {reply.status}")
            self.times.append((time.perf_counter() - start) * 1000)
        link.close()
