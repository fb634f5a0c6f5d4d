"""An intake without a server: ASGI messages in, replies out, the real writer thread and database behind it."""

import asyncio
from dataclasses import dataclass

import orjson
import pytest

from triage import authentication
from triage.intake import database
from triage.intake.commit import GroupCommit
from triage.intake.front import Front
from triage.models import RawBatch


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)


class Intake:
    """Sends requests; ``store`` stands in for the database insert where a test needs it slow or broken."""

    def __init__(self, token, store):
        self.token = token
        self.store = store
        self.rings = 0
        self.body_reads = 0
        self.backlog = database.Backlog()
        self.commit = GroupCommit(
            self._store,
            on_commit=self._ring,
            idle=lambda: None,
            on_close=database.close_connection,
        )
        self.front = Front(commit=self.commit, backlog=self.backlog)

    def _store(self, submissions):
        return self.store(submissions)

    def _ring(self):
        self.rings += 1

    def close(self):
        self.commit.close()
        self.front.close()

    async def request(self, method, path, chunks, headers):
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        sent, pending = [], list(chunks)

        async def receive():
            self.body_reads += 1
            if not pending:
                return {"type": "http.disconnect"}
            chunk = pending.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(pending)}

        async def send(message):
            sent.append(message)

        await self.front(scope, receive, send)
        if not sent:
            return None
        start, body = sent
        return Answer(start["status"], dict(start["headers"]), body["body"])

    def head(self, body, headers):
        return {"authorization": f"Splunk {self.token}", "content-length": str(len(body)), **headers}

    async def post_async(self, path, body=b"", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request("POST", path, [body], self.head(body, headers))

    def post(self, path, body=b"", **headers):
        return asyncio.run(self.post_async(path, body, **headers))

    def send(self, method, path, chunks=(b"",), headers=None):
        return asyncio.run(self.request(method, path, chunks, headers or {}))

    def post_all(self, requests):
        """Send many at once; ``requests`` are ``(path, body)`` pairs."""

        async def together():
            return await asyncio.gather(*(self.post_async(path, body) for path, body in requests))

        return asyncio.run(together())


@pytest.fixture
def intake(transactional_db, source_token):
    authentication.cache.clear()
    running = Intake(source_token, database.insert)
    yield running
    running.close()


@pytest.fixture
def nothing_stored(intake):
    """Check at the end of the test that no batch came into being."""
    yield
    assert RawBatch.objects.count() == 0
