"""One web process: intake paths go to the intake, everything else to Django.

Handed: ASGI connections from the server. Hands on: replies. Django runs behind WSGI in a small pool of
threads that stay, so that its database connections do too; static files are served from the apps' folders.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from a2wsgi import WSGIMiddleware

from triage.intake import database, errors, static_files
from triage.intake.commit import GroupCommit
from triage.intake.errors import Disconnected, Refusal
from triage.intake.front import Front
from triage.intake.http import Message, Receive, Request, Scope, Send, json_reply, read_body, request_of, send_reply
from triage.intake.limits import Limits
from triage.intake.routes import endpoint_for
from triage.intake.tally import Tally

PAGE_THREADS = 8
#: Nobody uploads to the pages or the API; their bodies are read into memory: one, and all that arrive together.
MAX_PAGE_BODY_BYTES = 2**18
MAX_PAGE_BODIES_BYTES = 2**25

TOO_LARGE = json_reply(413, {"error": {"code": "too_large", "message": "The body is too large."}})
BUSY = json_reply(503, {"error": {"code": "busy", "message": "Try again later."}}, (b"retry-after", b"5"))
TOO_SLOW = json_reply(408, {"error": {"code": "timeout", "message": "The body did not arrive in time."}})
PAGE_REFUSALS = {errors.TOO_LARGE: TOO_LARGE, errors.BUSY: BUSY, errors.TIMEOUT: TOO_SLOW}


def _with_body(body: bytes, receive: Receive) -> Receive:
    """Return the channel of a request whose body has come, so that no thread of the pages waits for a slow sender."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


def _in_turn(*steps: Callable[[], None]) -> None:
    for step in steps:
        step()


class Application:
    """The ASGI application. Its intake threads start with the first request and end with the server.

    ``django`` is the WSGI application of the pages; ``wake`` sends the pipeline's message.
    """

    def __init__(self, django: Any, *, wake: Callable[[], object]) -> None:
        self._pages: Any = WSGIMiddleware(static_files.in_front_of(django), workers=PAGE_THREADS)
        self._page_bytes = 0
        self._doorbell = database.Doorbell(wake)
        backlog, limits = database.Backlog(), Limits()
        tally = Tally(limits)
        self._commit = GroupCommit(
            database.insert,
            on_commit=self._doorbell.ring,
            idle=partial(_in_turn, backlog.measure, tally.flush),
            on_close=partial(_in_turn, tally.flush, database.close_connection),
        )
        self._intake = Front(commit=self._commit, backlog=backlog, limits=limits, tally=tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if endpoint_for(scope["path"].rstrip("/")) is not None:
            await self._intake(scope, receive, send)
            return
        request = request_of(scope)
        try:
            body = await self._page_body(request, receive)
        except Disconnected:
            return
        except Refusal as refusal:
            await send_reply(send, request, PAGE_REFUSALS[refusal.reason], MAX_PAGE_BODY_BYTES)
            return
        await self._pages(scope, _with_body(body, receive), send)

    async def _page_body(self, request: Request, receive: Receive) -> bytes:
        """Return the body of a request for Django, within the memory that all of them share while they arrive."""
        is_chunked = b"transfer-encoding" in request.headers
        size = MAX_PAGE_BODY_BYTES if is_chunked else min(request.declared_length or 0, MAX_PAGE_BODY_BYTES)
        if self._page_bytes + size > MAX_PAGE_BODIES_BYTES:
            raise Refusal(errors.BUSY)
        self._page_bytes += size
        try:
            return await read_body(request, receive, MAX_PAGE_BODY_BYTES)
        finally:
            self._page_bytes -= size

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def close(self) -> None:
        """Commit what waits, then end every thread of the intake."""
        self._commit.close()
        self._intake.close()
        self._doorbell.close()
