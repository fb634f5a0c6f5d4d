"""A loud source with a long queue delays nobody, and a claim costs the same however much waits."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage import champion, pipeline, reading, store
from triage.models import Event, RawBatch, Source

pytestmark = pytest.mark.django_db
LOUD_BATCHES = 2000


def fill(source: Source, batches: int, records: int, **fields: object) -> None:
    """Let many batches of a source wait; the bodies hold as many lines as they say."""
    body = b"\n".join([b"x"] * records)
    row = {
        "source": source,
        "receiver": "lines",
        "received_at": timezone.now(),
        "body": reading.compress(body),
        "body_bytes": len(body),
        "record_count": records,
        **fields,
    }
    RawBatch.objects.bulk_create([RawBatch(**row) for _ in range(batches)], batch_size=500)


@pytest.fixture
def loud() -> Source:
    source = make_source("loud")
    fill(source, LOUD_BATCHES, 100)
    return source


def test_ten_records_behind_two_hundred_thousand_are_in_the_first_passes(loud, monkeypatch):
    monkeypatch.setattr(champion, "current", lambda: None)
    quiet = make_source("quiet")
    for number in range(10):
        make_batch(quiet, f"record {number}")
    assert store.backlog_by_source() == {loud.pk: 200_000, quiet.pk: 10}

    taken = pipeline.process_pass("one")

    assert Event.objects.filter(source=quiet).count() == 10
    assert 7_000 < taken <= pipeline.PASS_RECORDS
    assert store.backlog_by_source() == {loud.pk: 200_010 - taken}


def test_the_loud_source_is_still_taken_oldest_first(loud):
    make_batch(make_source("quiet"), "a")
    first = sorted(batch.batch_id for batch in store.claim("one", 1000) if batch.source_id == loud.pk)
    second = sorted(batch.batch_id for batch in store.claim("two", 1000) if batch.source_id == loud.pk)
    ids = list(RawBatch.objects.filter(source=loud).order_by("pk").values_list("pk", flat=True))
    assert first + second == ids[: len(first) + len(second)]
    assert 9 <= len(first) <= 10


def test_many_sources_are_all_served_in_a_few_passes():
    sources = [make_source(f"s{number}x") for number in range(70)]
    for source in sources:
        make_batch(source, "a")
    served = {batch.source_id for _ in range(3) for batch in store.claim("one", 1000)}
    assert served == {source.pk for source in sources}


def test_a_claim_goes_through_the_index_of_what_waits():
    source, now = make_source("loud"), timezone.now()
    fill(source, 4000, 1, status="done", processed_at=now)
    fill(source, LOUD_BATCHES, 100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE triage_rawbatch")
    with CaptureQueriesContext(connection) as captured:
        store.claim("one", 1000)
    head = next(query["sql"] for query in captured if '"source_id" = ' in query["sql"] and "LIMIT" in query["sql"])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN {head}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {head}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "rawbatch_waiting" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
