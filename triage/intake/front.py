"""The front layer: one straight line for every protocol.

Handed: an ASGI request whose path is the intake's. Hands on: a committed body and the protocol's own reply.
route -> token -> declared length -> capped read -> capped inflate -> validate and count -> group commit
-> reply. The token is checked before a byte of the body is read; a fault of ours is "busy", never a 500,
because shippers drop what a 500 answers.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error, connection

from triage import authentication, receivers
from triage.authentication import SourceIdentity
from triage.intake import errors
from triage.intake.commit import BusyError, GroupCommit, Receipt, Submission
from triage.intake.database import Backlog, close_connection
from triage.intake.errors import Disconnected, Refusal
from triage.intake.fairness import Shares
from triage.intake.http import Receive, Reply, Request, Scope, Send, read_body, request_of, send_reply
from triage.intake.limits import Limits
from triage.intake.protocol import IntakeProtocol, Reading, refusal_of
from triage.intake.routes import endpoint_for
from triage.intake.tally import Tally
from triage.receivers.base import BodyError
from triage.receivers.inflating import Budget, inflate, known

logger = logging.getLogger(__name__)

#: Bodies above this are inflated and read in a thread, so that small requests don't wait for them (bytes).
INLINE_BYTES = 64 * 2**10
#: Large bodies worked on at once; each may take a multiple of the body limit in memory.
LARGE_AT_ONCE = 2
#: Of bodies above this only one is read at a time: as values, it may take fourteen times its size (bytes).
HUGE_BYTES = 16 * 2**20
_huge = threading.Lock()
#: Body bytes that all requests together may hold while they arrive; one body may always come.
MAX_ARRIVING_BYTES = 256 * 2**20
#: What a body without a declared length counts for.
UNDECLARED_BYTES = 2**20
MAX_KEY_LENGTH = 200


class Front:
    """Answers every request on an intake path."""

    def __init__(
        self, *, commit: GroupCommit, backlog: Backlog, limits: Limits | None = None, tally: Tally | None = None
    ) -> None:
        self._commit = commit
        self._backlog = backlog
        self._limits = limits or Limits()
        self._tally = tally or Tally(self._limits)
        self._arriving = Shares()
        self._lookups = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake-token")
        self._large = ThreadPoolExecutor(max_workers=LARGE_AT_ONCE, thread_name_prefix="intake-body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a sender that hung up gets no answer and has stored nothing."""
        request = request_of(scope)
        endpoint = endpoint_for(request.path)
        if endpoint is None:
            raise LookupError(f"{request.path} is not a path of the intake")
        try:
            reply = await self._reply(endpoint, request, receive)
        except Disconnected:
            return
        await send_reply(send, request, reply, settings.MAX_WIRE_BYTES)

    def close(self) -> None:
        """End the threads and give their connections back."""
        self._lookups.submit(close_connection)  # in its own thread, where its connection is
        self._lookups.shutdown()
        self._large.shutdown()

    async def _reply(self, endpoint: IntakeProtocol, request: Request, receive: Receive) -> Reply:
        try:
            return await self._take(endpoint, request, receive)
        except Refusal as refusal:
            return self._refuse(endpoint, request, refusal)
        except BodyError as error:
            return self._refuse(endpoint, request, refusal_of(error))
        except (BusyError, Error) as error:
            logger.warning("%s is told to come back later: %s", request.path, type(error).__name__)
            return self._refuse(endpoint, request, self._busy())
        except Disconnected:
            raise
        except Exception:
            logger.exception("the intake failed on %s", request.path)
            return self._refuse(endpoint, request, self._busy())

    def _busy(self) -> Refusal:
        return Refusal(errors.BUSY, retry_after=self._backlog.retry_seconds())

    def _refuse(self, endpoint: IntakeProtocol, request: Request, refusal: Refusal) -> Reply:
        """Count the refusal for its source, if that is known, and answer in the protocol's words."""
        if request.source is not None:
            self._tally.refused(request.source, refusal.reason, request.declared_length)
            self._commit.start()  # its thread writes the count down
        refusal.request_headers = request.headers
        return endpoint.refused(refusal)

    async def _take(self, endpoint: IntakeProtocol, request: Request, receive: Receive) -> Reply:
        """Take one body, or raise what it is refused for."""
        if request.method not in endpoint.methods:
            raise Refusal(errors.METHOD)
        answer = endpoint.answer(request, is_busy=self._backlog.is_full())
        if answer is not None:
            return answer
        source = request.source = await self._source(endpoint.token(request))
        request.budget = Budget(settings.MAX_BODY_BYTES)
        greeting = endpoint.greet(request)
        if greeting is not None:
            return greeting
        encoding = request.header(b"content-encoding").lower()
        if not known(encoding):
            raise Refusal(errors.ENCODING)
        await self._admit(source)
        body, reading = await self._arrive(endpoint, request, receive, encoding)
        receipt, found = Receipt(), None
        if reading.record_count:
            receipt = await self._store(_submission(source, request, body, reading), source)
        if reading.look_up is not None:
            found = await asyncio.get_running_loop().run_in_executor(self._lookups, _asked, reading.look_up)
        return endpoint.accepted(reading, receipt, found)

    async def _admit(self, source: SourceIdentity) -> None:
        """Refuse a source that is over its limits or its share, before its body is read."""
        if self._backlog.refuses(source.id):
            raise self._busy()
        if source.bytes_per_day is not None and not self._limits.knows(source):
            question = partial(_asked, partial(self._tally.load, source))
            await asyncio.get_running_loop().run_in_executor(self._lookups, question)
        self._limits.check(source)

    async def _store(self, submission: Submission, source: SourceIdentity) -> Receipt:
        """Commit a body and charge its source for it; what is not stored is not charged."""
        records, size = submission.record_count, len(submission.body)
        self._limits.settle(source, records, size)
        try:
            receipt = await self._commit.submit(submission)
        except BaseException:
            self._limits.settle(source, -records, -size)
            raise
        self._tally.took(source, records, size)
        return receipt

    async def _arrive(
        self, endpoint: IntakeProtocol, request: Request, receive: Receive, encoding: str
    ) -> tuple[bytes, Reading]:
        """Read and interpret a body within the memory that all arriving bodies share."""
        limit = settings.MAX_WIRE_BYTES
        size = min(UNDECLARED_BYTES if request.declared_length is None else request.declared_length, limit)
        source_id = request.source.id if request.source is not None else 0
        if self._arriving.total and not self._arriving.admits(source_id, size, MAX_ARRIVING_BYTES):
            raise self._busy()
        self._arriving.take(source_id, size)
        try:
            wire = await read_body(request, receive, limit)
            return await self._read(endpoint, request, wire, encoding)
        finally:
            self._arriving.give(source_id, size)

    async def _source(self, token: str) -> SourceIdentity:
        """Return the enabled source of a token; only an unfamiliar token costs a query, in a thread."""
        is_known, source = authentication.cached_source(token)
        if not is_known:
            loop = asyncio.get_running_loop()
            source = await loop.run_in_executor(self._lookups, _asked, partial(authentication.source_for, token))
        if source is None:
            raise Refusal(errors.UNKNOWN_SENDER)
        if not source.enabled:
            raise Refusal(errors.DISABLED_SENDER)
        return source

    async def _read(
        self, endpoint: IntakeProtocol, request: Request, wire: bytes, encoding: str
    ) -> tuple[bytes, Reading]:
        if len(wire) <= INLINE_BYTES and encoding in ("", "identity") and not request.is_packed:
            return _inflate_and_interpret(endpoint, request, wire, encoding)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._large, _inflate_and_interpret, endpoint, request, wire, encoding)


def _asked(question: Callable[[], Any]) -> Any:
    """Ask the database; a connection that failed is not used again."""
    try:
        return question()
    except Error:
        connection.close()
        raise


def _inflate_and_interpret(
    endpoint: IntakeProtocol, request: Request, wire: bytes, encoding: str
) -> tuple[bytes, Reading]:
    """Return the body to store and what it is. A byte order mark goes, so that bodies can be joined."""
    body = inflate(wire, encoding, request.budget).removeprefix(b"\xef\xbb\xbf")
    with _huge if len(body) > HUGE_BYTES else nullcontext():
        reading = endpoint.interpret(request, body)
    if reading.record_count > settings.MAX_RECORDS_PER_BATCH:
        raise Refusal(errors.TOO_LARGE, f"more than {settings.MAX_RECORDS_PER_BATCH} records")
    return (body if reading.body is None else reading.body), reading


def _submission(source: SourceIdentity, request: Request, body: bytes, reading: Reading) -> Submission:
    return Submission(
        source_id=source.id,
        receiver=reading.receiver,
        parameters=reading.parameters,
        body=body,
        record_count=reading.record_count,
        idempotency_key=reading.idempotency_key or _idempotency_key(request),
        joinable=receivers.get(reading.receiver).joinable,
        pieces=reading.pieces,
        ack_channel=reading.ack_channel,
    )


def _idempotency_key(request: Request) -> str | None:
    """Return the sender's key; one that is too long or odd for a column is represented by its hash."""
    key = request.header(b"idempotency-key")
    if not key:
        return None
    if len(key) > MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        return "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    return key
