"""One HTTP connection with bounds: how large a request's head may be, and how long a sender may take over it.

Handed: a connection from the server. Hands on: requests, as uvicorn does it. uvicorn and httptools read heads of any
size, wait for them without end, and once a refused body trickles in they forget to end the idle connection; here
such a connection is ended. How fast a body has to come is decided where it is read (:mod:`triage.intake.http`).
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: All that is no body: request line, headers, and of a chunked body its sizes and trailers (bytes).
MAX_HEAD_BYTES = 64 * 2**10
MAX_HEADERS = 200
#: A chunk of one byte takes six on the wire; what is beyond that is neither head nor body.
WIRE_PER_BODY_BYTE = 16
#: From the connection, or from the first byte of a further request, to the end of the head (seconds).
HEAD_SECONDS = 20.0
#: Connections of one process; more are closed at once, so that senders try another time.
MAX_CONNECTIONS = 4_000

_TOO_LARGE = b"The head of the request is too large."
_TOO_LARGE_REPLY = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_TOO_LARGE), _TOO_LARGE)
)


class HeadTooLargeError(ValueError):
    """A request whose head is over the limit; raised through the parser."""


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, with a limit and a clock on every head."""

    _clock: asyncio.TimerHandle | None = None
    _wire_bytes = _body_bytes = _headers_count = 0
    _is_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock; one connection too many is ended."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes, and see that a clock is running when it is the sender's turn."""
        self._wire_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._wire_bytes > MAX_HEAD_BYTES + WIRE_PER_BODY_BYTE * self._body_bytes:
            self._refuse()
        elif self._clock is None and self._is_senders_turn():
            self._start_clock()

    def on_message_begin(self) -> None:
        """Start to count the headers of a request."""
        self._headers_count = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, up to a number."""
        self._headers_count += 1
        if self._headers_count > MAX_HEADERS:
            self._is_too_large = True
            raise HeadTooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on, unless its head is too large."""
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise HeadTooLargeError
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body apart from what is around it."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start to count anew."""
        self._stop_clock()
        self._wire_bytes = self._body_bytes = 0
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Still answer a sender that has sent all of its request and closed its half of the connection."""
        if not self._is_answering():
            return False
        self.cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused; never in the place of the reply to an earlier request."""
        if self._is_answering():
            self.cycle.keep_alive = False
        elif self._is_too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        """Answer a head that is too large, unless a reply is under way, and end the connection."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE_REPLY)
        self.transport.close()

    def _is_senders_turn(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_answering(self) -> bool:
        """Return whether a request has come whole and its reply is not yet out."""
        return not self._is_senders_turn() and not self.cycle.more_body

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(HEAD_SECONDS, self._time_is_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _time_is_up(self) -> None:
        self._clock = None
        if self._is_senders_turn() and not self.transport.is_closing():
            self.transport.close()
