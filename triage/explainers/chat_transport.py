"""The wire to a language model, with an end to everything.

Handed: a time limit in seconds. Hands on: an ``httpx2`` client whose exchanges end in time and in size whatever
the other side does. The client library's own limits are per read: a server that sends a byte now and then, in
the headers as well as in the body, would hold a worker for days, and one that sends without end its memory.
Redirects are not followed, and an endpoint inside is reached without any proxy.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from triage import outbound
from triage.explainers import endpoints
from triage.explainers.chat_failures import ACCOUNT_CODES

MAX_BODY_BYTES = 1_000_000
CONNECT_SECONDS = 5.0
#: Headers about how the body travelled; it is handed on whole and plain.
#: The request never left, so nobody sends a bill for it.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_FRAMING = frozenset({"transfer-encoding", "content-encoding", "content-length"})


class TooLargeError(httpx2.RequestError):
    """The reply is larger than any answer."""


class Limited(httpx2.BaseTransport):
    """Passes requests on, counts them, and cuts each reply off at ``seconds`` and :data:`MAX_BODY_BYTES`.

    ``deadline`` is a moment of the monotonic clock that no exchange outlives, retries included. ``unanswered`` counts
    requests that ended without a reply: the other side may have worked on them, and sent a bill. After
    ``most_unanswered`` of them nothing more is sent. ``judge`` is asked about the address of each connection once it is
    open, before a byte is sent, and raises when it may not be used.
    """

    def __init__(
        self,
        inner: httpx2.BaseTransport,
        *,
        seconds: float,
        deadline: float,
        most_unanswered: int | None = None,
        judge: Callable[[str], None] | None = None,
    ) -> None:
        self._inner = inner
        self._seconds = seconds
        self._deadline = deadline
        self._most_unanswered = most_unanswered
        self._judge = judge
        self.calls = 0
        self.unanswered = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the reply, read to its end."""
        if self._most_unanswered is not None and self.unanswered >= self._most_unanswered:
            raise httpx2.ReadTimeout("as many requests as there is money for got no reply", request=request)
        self.calls += 1
        ends = min(time.monotonic() + self._seconds, self._deadline)
        if ends <= time.monotonic():
            raise httpx2.ReadTimeout("the time for this question is used up", request=request)
        with _Guard(ends, self._judge) as guard:
            request.extensions = {**request.extensions, "trace": guard.watch}
            try:
                response = self._inner.handle_request(request)
                with closing(response):
                    body = _read(response.iter_bytes(), ends, request)
            except httpx2.RequestError as error:
                self.unanswered += not isinstance(error, _NOT_SENT)
                if time.monotonic() >= ends and not isinstance(error, TooLargeError):
                    raise httpx2.ReadTimeout("the reply took too long to arrive", request=request) from error
                raise
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _FRAMING]
        if response.status_code == 429 and _is_account_trouble(body):
            headers.append(("x-should-retry", "false"))  # the client library would ask twice more for nothing
        return httpx2.Response(response.status_code, headers=headers, content=body, extensions=response.extensions)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _Guard:
    """Shuts a connection down when its time is over, so that a read that waits comes to an end."""

    def __init__(self, ends: float, judge: Callable[[str], None] | None) -> None:
        self._judge = judge
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(max(ends - time.monotonic(), 0.0), self._shut)
        self._timer.daemon = True

    def __enter__(self) -> "_Guard":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Remember each connection that the transport reports."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            stream: Any = info["return_value"]
            found = stream.get_extra_info("socket")
            if isinstance(found, socket.socket):
                self._sockets.append(found)
                if event.endswith("connect_tcp.complete"):
                    self._ask(found)

    def _ask(self, connection: socket.socket) -> None:
        """Close a connection that leads where it may not; nothing was sent on it."""
        try:
            if self._judge is not None:
                self._judge(str(connection.getpeername()[0]))
        except outbound.RefusedError as error:
            connection.close()
            raise httpx2.ConnectError(str(error)) from error

    def _shut(self) -> None:
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                continue


def _read(chunks: Iterator[bytes], ends: float, request: httpx2.Request) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"the reply is larger than {MAX_BODY_BYTES:,} bytes", request=request)
        if time.monotonic() > ends:
            raise httpx2.ReadTimeout("the reply took too long to arrive", request=request)
    return bytes(body)


def _is_account_trouble(body: bytes) -> bool:
    try:
        error = json.loads(body)["error"]
        return error["code"] in ACCOUNT_CODES
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def client(
    *, base_url: str, seconds: float, deadline: float, inside: bool, most_unanswered: int | None = None
) -> tuple[httpx2.Client, Limited]:
    """Return a client for one question and the transport that counts its calls.

    The environment's proxies and certificates are used for an endpoint outside only.
    """
    timeout = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    proxy = None if inside else _proxy(base_url)
    inner = httpx2.HTTPTransport(proxy=proxy, trust_env=not inside)
    judge = None if proxy else _judge_inside if inside else outbound.check_peer
    limited = Limited(inner, seconds=seconds, deadline=deadline, most_unanswered=most_unanswered, judge=judge)
    plain = {"Accept-Encoding": "identity"}  # nothing to unpack, so nothing that grows by unpacking
    made = httpx2.Client(transport=limited, timeout=timeout, follow_redirects=False, trust_env=False, headers=plain)
    return made, limited


def _judge_inside(address: str) -> None:
    """Raise unless an address is inside: the name meant one that was when it was decided what may be sent."""
    outbound.check_peer(address)
    if not endpoints.is_inside(address):
        raise outbound.RefusedError(f"the endpoint's name led inside, and now leads to {address}")


def _proxy(base_url: str) -> str | None:
    """Return the environment's proxy for this endpoint."""
    parts = urlsplit(base_url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
