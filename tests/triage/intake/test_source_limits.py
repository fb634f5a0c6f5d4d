"""Limits and fairness at the front: refused before the body is read, in the protocol's words, and counted."""

import asyncio

import pytest

from tests.factories import make_source
from triage import authentication
from triage.authentication import hash_token
from triage.intake import commit
from triage.intake.commit import BusyError
from triage.models import IntakeMinute, RawBatch, Source

EVENT, INGEST = "/services/collector/event", "/api/v1/ingest"


@pytest.fixture
def limited(intake):
    def set_limits(**limits):
        Source.objects.update(**limits)
        authentication.cache.clear()

    return set_limits


def flush(intake):
    intake.front._tally.flush()


def test_a_source_over_its_rate_is_refused_unread_until_the_debt_is_paid(intake, limited):
    limited(records_per_second=1)
    assert intake.post(INGEST, b'{"a":1}\n' * 20).status == 200
    reads = intake.body_reads
    answer = intake.post(INGEST, b'{"a":1}')
    assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limited")
    assert 10 <= int(answer.headers[b"retry-after"]) <= 15
    assert intake.post(EVENT, b'{"event":"x"}').status == 503
    assert intake.body_reads == reads
    assert RawBatch.objects.get().record_count == 20
    flush(intake)
    row = IntakeMinute.objects.get()
    assert (row.refused_rate, row.refused_busy, row.taken_records) == (2, 0, 20)


def test_bytes_of_the_day_are_known_after_a_restart(intake, limited):
    limited(bytes_per_day=100)
    source = Source.objects.get()
    assert intake.post(INGEST, b'{"a":"' + b"x" * 100 + b'"}').status == 200
    flush(intake)
    from triage.intake.front import Front

    intake.front.close()
    intake.front = Front(commit=intake.commit, backlog=intake.backlog)
    answer = intake.post(INGEST, b'{"a":1}')
    assert answer.status == 429
    assert int(answer.headers[b"retry-after"]) <= 3600
    assert RawBatch.objects.filter(source=source).count() == 1


def test_a_body_that_is_not_stored_costs_nothing(intake, limited):
    limited(records_per_second=1)
    working, intake.store = intake.store, lambda submissions: [BusyError("no")] * len(submissions)
    assert intake.post(INGEST, b'{"a":1}\n' * 20).status == 503
    intake.store = working
    assert intake.post(INGEST, b'{"a":1}\n').status == 200
    flush(intake)
    row = IntakeMinute.objects.get()
    assert (row.refused_busy, row.taken_records) == (1, 1)


@pytest.mark.parametrize(
    ("body", "column"), [(b"{", "refused_invalid"), (b'{"event":""}', "refused_invalid"), (b"", "refused_invalid")]
)
def test_bad_bodies_are_counted_for_their_source(intake, body, column):
    assert intake.post(EVENT, body).status == 400
    flush(intake)
    assert getattr(IntakeMinute.objects.get(), column) == 1
    assert RawBatch.objects.count() == 0


def test_nobodys_refusals_are_not_counted(intake):
    intake.send("POST", EVENT, [b"x"], {"authorization": "Splunk wrong"})
    flush(intake)
    assert IntakeMinute.objects.count() == 0


def test_above_half_of_the_backlog_only_the_loud_source_is_busy(intake, settings, monkeypatch):
    settings.MAX_BACKLOG_RECORDS = 1000
    edge, other = Source.objects.get(), make_source("other")
    Source.objects.filter(pk=other.pk).update(token_hash=hash_token("other-token"))
    monkeypatch.setattr("triage.store.backlog_by_source", lambda: {edge.pk: 600, other.pk: 10})
    intake.backlog.measure()
    loud = intake.post(EVENT, b'{"event":"x"}')
    assert (loud.status, loud.headers[b"retry-after"]) == (503, b"12")
    intake.token = "other-token"
    assert intake.post(EVENT, b'{"event":"x"}').status == 200
    assert [row.source_id for row in RawBatch.objects.all()] == [other.pk]


def test_below_half_of_the_backlog_nobody_is(intake, settings, monkeypatch):
    settings.MAX_BACKLOG_RECORDS = 1000
    monkeypatch.setattr("triage.store.backlog_by_source", lambda: {Source.objects.get().pk: 500})
    intake.backlog.measure()
    assert intake.post(EVENT, b'{"event":"x"}').status == 200


def test_one_source_cannot_fill_the_writers_queue(intake, monkeypatch):
    import threading

    monkeypatch.setattr(commit, "MAX_WAITING", 8)
    other = make_source("other")
    Source.objects.filter(pk=other.pk).update(token_hash=hash_token("other-token"))
    hold, working = threading.Event(), intake.store

    def slow(submissions):
        hold.wait(30)
        return working(submissions)

    intake.store = slow

    async def everybody():
        loud = [asyncio.create_task(intake.post_async(EVENT, b'{"event":"loud"}')) for _ in range(20)]
        while sum(task.done() for task in loud) < 16:
            await asyncio.sleep(0.001)
        quiet = asyncio.create_task(intake.post_async(EVENT, b'{"event":"quiet"}', authorization="Splunk other-token"))
        await asyncio.sleep(0.05)
        assert not quiet.done()
        hold.set()
        return [task.status for task in await asyncio.gather(*loud)], (await quiet).status

    statuses, quiet = asyncio.run(everybody())
    assert (statuses.count(200), statuses.count(503), quiet) == (4, 16, 200)
