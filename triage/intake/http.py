"""A request and a reply as the intake sees them, and the way from and to ASGI.

Handed: an ASGI scope with its two channels. Hands on: a :class:`Request`, its capped body, and the reply on
the wire. A body is read no further than its cap; a sender that hangs up or stalls ends the reading.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from triage.authentication import SourceIdentity
from triage.intake import errors
from triage.intake.errors import Disconnected, Refusal
from triage.receivers.inflating import Budget

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: A sender that is silent in mid-body for this long is given up (seconds).
STALL_SECONDS = 30.0
#: All of a body has this long (seconds), and longer by what it brings at this rate (bytes per second).
BODY_SECONDS = 60.0
SLOWEST_RATE = 1024.0
MAX_QUERY_FIELDS = 50


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: a status, a body and further headers."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


def json_reply(status: int, value: Any, *headers: tuple[bytes, bytes]) -> Reply:
    """Return a compact JSON reply."""
    return Reply(status, orjson.dumps(value), headers)


@dataclass(slots=True)
class Request:
    """The head of a request. ``body_is_read`` says whether the whole body has been taken off the wire."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    query: dict[str, str] = field(default_factory=dict)
    body_is_read: bool = False
    #: Whose request it is; set by the front once the token is known.
    source: SourceIdentity | None = None
    #: The body is compressed inside its own format, so it may be larger than it looks; set by ``greet``.
    is_packed: bool = False
    #: What may still be inflated for it, the body and what is compressed inside; set by the front with the source.
    budget: Budget = field(default_factory=lambda: Budget(0))

    def header(self, name: bytes) -> str:
        """Return a header's value, empty when absent."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    @property
    def declared_length(self) -> int | None:
        """Return Content-Length; ``None`` when it is absent or no number (the server checks its form)."""
        value = self.headers.get(b"content-length", b"")
        return int(value) if value.isdigit() and len(value) < 20 else None


def request_of(scope: Scope) -> Request:
    """Read the head of a request. Of repeated headers the last counts; query text is made storable."""
    headers = dict(scope["headers"])
    query_text = scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(query_text, keep_blank_values=True, errors="replace", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        pairs = []
    query = {name: value.replace("\0", "\ufffd") for name, value in pairs}
    path = scope["path"].rstrip("/") or "/"
    return Request(method=scope["method"], path=path, headers=headers, query=query)


async def read_body(request: Request, receive: Receive, limit: int) -> bytes:
    """Return the body as it came, at most ``limit`` bytes; raise ``too_large``, ``timeout`` or Disconnected."""
    if (request.declared_length or 0) > limit:
        raise Refusal(errors.TOO_LARGE, "the declared length is larger than the limit")
    parts: list[bytes] = []
    size, more = 0, True
    clock = asyncio.get_running_loop().time
    begun = clock()
    while more:
        message = await _next(receive)
        if message["type"] != "http.request":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Refusal(errors.TOO_LARGE, "the body is larger than the limit")
        if clock() - begun > BODY_SECONDS + size / SLOWEST_RATE:
            raise Refusal(errors.TIMEOUT, "the body comes too slowly")
        parts.append(part)
        more = message.get("more_body", False)
    request.body_is_read = True
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _next(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(STALL_SECONDS):
            return await receive()
    except TimeoutError as error:
        raise Refusal(errors.TIMEOUT, "the body did not arrive in time") from error


async def send_reply(send: Send, request: Request, reply: Reply, limit: int) -> None:
    """Send a reply, and end the connection when more of the body would follow than is worth reading."""
    headers = list(reply.headers)
    if reply.status != 204:  # which has neither (RFC 9110, 8.6)
        headers += [(b"content-type", reply.content_type), (b"content-length", str(len(reply.body)).encode())]
    if not request.body_is_read and _is_long(request, limit):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else reply.body})


def _is_long(request: Request, limit: int) -> bool:
    declared = request.declared_length
    return declared > limit if declared is not None else b"transfer-encoding" in request.headers
