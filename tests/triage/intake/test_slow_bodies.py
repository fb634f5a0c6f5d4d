"""A sender that trickles is given up in the protocol's own words; nothing of its body is kept."""

import asyncio

import pytest

from triage.intake import http
from triage.intake.http import Request, read_body
from triage.models import RawBatch

EVENT = "/services/collector/event"


def test_a_body_below_the_slowest_rate_is_refused(intake, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", -1.0)
    monkeypatch.setattr(http, "SLOWEST_RATE", 1e9)
    answer = intake.send("POST", EVENT, [b'{"event":', b'"a"}'], {"authorization": f"Splunk {intake.token}"})
    assert answer.status == 408
    assert RawBatch.objects.count() == 0
    monkeypatch.undo()
    assert intake.post(EVENT, b'{"event":"a"}').status == 200


@pytest.mark.parametrize("chunks", [[b"abc"], [b"a", b"", b"bc"]])
def test_a_body_at_a_good_rate_is_read(chunks):
    pending = list(chunks)

    async def receive():
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

    assert asyncio.run(read_body(Request("POST", "/", {}), receive, 3)) == b"abc"
