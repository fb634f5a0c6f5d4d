"""The whole intake in one process: requests in, replies out, the real writer, the real database, the real pipeline.

Handed: bodies for endpoints. Hands on: answers; and says after each whether what is stored is what was acknowledged,
and after a pass of the pipeline whether every record became one event that can be shown.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from tests.hostile.endpoints import Answer, Endpoint
from triage import authentication, pipeline, reading, receivers, store
from triage.authentication import hash_token, new_token
from triage.intake import database
from triage.intake.commit import GroupCommit
from triage.intake.front import Front
from triage.models import Event, EventChunk, RawBatch, RecordKey, Source

SECONDS_PER_REQUEST = 60.0


@dataclass(frozen=True)
class Sending:
    """One request of a test."""

    endpoint: Endpoint
    body: bytes
    headers: dict[str, str]
    name: str = ""

    def __str__(self) -> str:
        return f"{self.endpoint.name}: {self.name} {self.headers} {len(self.body)} bytes {self.body[:3000]!r}"


class Noticed(logging.Handler):
    """Keeps what is logged as an error or worse, and whether a token was in any line."""

    def __init__(self, tokens: Iterable[str]) -> None:
        super().__init__(logging.DEBUG)
        self.tokens = tuple(tokens)
        self.errors: list[str] = []
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self.errors.append(text)
        if any(token in text for token in self.tokens):
            self.leaks.append(text)


class Harness:
    """One intake. Use it from one thread; ``close`` ends its own."""

    def __init__(self) -> None:
        authentication.cache.clear()
        self.token, self.ack_token = new_token(), new_token()
        names = (("hostile", self.token, False), ("hostile-ack", self.ack_token, True))
        for name, token, use_ack in names:
            Source.objects.create(name=name, token_hash=hash_token(token), use_ack=use_ack)
        self.loop = asyncio.new_event_loop()
        self.commit = GroupCommit(
            database.insert, on_commit=lambda: None, idle=lambda: None, on_close=database.close_connection
        )
        self.front = Front(commit=self.commit, backlog=database.Backlog())
        self.noticed = Noticed((self.token, self.ack_token))
        self._loggers = [logging.getLogger(), logging.getLogger("triage"), logging.getLogger("django")]
        for logger in self._loggers:
            logger.addHandler(self.noticed)
        self.events = 0

    def close(self) -> None:
        for logger in self._loggers:
            logger.removeHandler(self.noticed)
        self.commit.close()
        self.front.close()
        self.loop.close()

    def headers(self, sending: Sending) -> list[tuple[bytes, bytes]]:
        token = self.ack_token if sending.endpoint.with_ack else self.token
        headers = {
            "authorization": f"Splunk {token}",
            "content-length": str(len(sending.body)),
            **sending.endpoint.headers,
            **sending.headers,
        }
        return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items() if value]

    async def request(self, sending: Sending) -> Answer:
        path, _, query = sending.endpoint.path.partition("?")
        scope = {
            "type": "http", "method": sending.endpoint.method, "path": path, "query_string": query.encode(),
            "headers": self.headers(sending),
        }  # fmt: skip
        half = len(sending.body) // 2
        pending, sent = [sending.body[:half], sending.body[half:]], []

        async def receive():
            if not pending:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

        async def send(message):
            sent.append(message)

        async with asyncio.timeout(SECONDS_PER_REQUEST):
            await self.front(scope, receive, send)
        start, body = sent
        return Answer(start["status"], dict(start["headers"]), body["body"])

    def send_all(self, sendings: Sequence[Sending]) -> list[Answer]:
        """Send together, as different senders do, so that bodies are joined; check every answer."""

        async def together() -> list[Answer]:
            return await asyncio.gather(*(self.request(sending) for sending in sendings))

        answers = self.loop.run_until_complete(together())
        for sending, answer in zip(sendings, answers, strict=True):
            self.check(sending, answer)
        return answers

    def send(self, endpoint: Endpoint, body: bytes, name: str = "", **headers: str) -> Answer:
        """Send one request; check its answer and that what is stored is what it acknowledges."""
        before = self.stored()
        sending = Sending(endpoint, body, {key.replace("_", "-"): value for key, value in headers.items()}, name)
        (answer,) = self.send_all([sending])
        added = self.stored() - before
        expected = acknowledged(sending, answer)
        if answer.status >= 400 and expected is None:
            assert added == 0, f"{answer.status} but {added} records are stored of {sending}"
        elif expected is not None:
            assert added == expected, f"{expected} acknowledged, {added} stored of {sending}"
        return answer

    def check(self, sending: Sending, answer: Answer) -> None:
        """Nothing but the protocol's own words, never a fault of ours, never the token."""
        assert answer.status < 500, f"{answer} for {sending}; {self.noticed.errors[-1:]}"
        assert answer.status != 429, f"{answer} for {sending}"
        sending.endpoint.form(answer)
        shown = answer.body + repr(answer.headers).encode()
        assert self.token.encode() not in shown, sending
        assert self.ack_token.encode() not in shown, sending
        assert b"<html" not in answer.body.lower() or b"<html" in sending.body.lower(), sending
        assert b"Traceback" not in answer.body, sending
        assert not self.noticed.errors, f"{self.noticed.errors[0]} after {sending}"
        assert not self.noticed.leaks, sending

    def stored(self) -> int:
        """Return how many records are stored and not yet forgotten."""
        return RawBatch.objects.aggregate(total=Sum("record_count"))["total"] or 0

    def drain(self, *, show: int = 3) -> int:
        """Run the pipeline to the end, check that each record became one event, and forget all of it."""
        records = self.stored()
        while pipeline.process_pass("hostile"):
            pass
        stuck = RawBatch.objects.exclude(status="done").values_list("status", "receiver", "reason", "id")
        assert not list(stuck[:5]), [(*row[:3], self._body(row[3])) for row in stuck[:3]]
        assert not self.noticed.errors, self.noticed.errors[0]
        assert Event.objects.count() == records
        for batch in store.stored_batches(RawBatch.objects.all()):
            self._check_batch(batch, show)
        self.forget()
        self.events += records
        return records

    def _check_batch(self, batch, show: int) -> None:
        body = reading.inflate(batch.body)
        found = receivers.get(batch.receiver).records(body, batch.parameters)
        assert len(found) == batch.record_count, (batch.receiver, body[:3000])
        step = max(1, batch.record_count // show)
        for position in {*range(0, batch.record_count, step), batch.record_count - 1}:
            text = reading.raw(batch, position)
            assert isinstance(text, str), (batch.receiver, body[:3000])

    def _body(self, identifier: int) -> bytes:
        return reading.inflate(bytes(RawBatch.objects.get(pk=identifier).body))[:3000]

    def forget(self) -> None:
        for model in (Event, EventChunk, RawBatch, RecordKey):
            model.objects.all().delete()


def acknowledged(sending: Sending, answer: Answer) -> int | None:
    """Return how many records an answer says are stored, ``None`` when it does not say (or repeats may be among)."""
    name = sending.endpoint.name
    if name.startswith("ingest ") and answer.status == 200:
        return int(answer.json["accepted"])
    if name == "bulk" and answer.status == 200:
        return sum(next(iter(item.values()))["status"] == 201 for item in answer.json["items"])
    if name.startswith("loki") and answer.status == 400 and b" entries are not taken" in answer.body:
        refused, _, total, *_ = answer.body.split()
        return int(total) - int(refused) if b"Records" not in sending.body else -1
    return None
