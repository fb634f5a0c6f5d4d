"""The queue and the event table: claims, leases, storing once, quarantine, retention."""

import datetime as dt
from contextlib import closing

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage import deleting, partitions, store
from triage.models import BatchStatus, Event, RawBatch, Source, batch_and_position, event_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return make_source()


def event_row(identifier: int, source: Source, message: str = "hello") -> tuple[object, ...]:
    (now,) = store.timestamp_texts([timezone.now().timestamp()])
    return (
        identifier, source.pk, now, now, "received", "fallback", "", "", "", "", "", "", "", "", "", "", "",
        message, None, None, False, False, "", None, None,
    )  # fmt: skip


def outcome(batch: RawBatch, count: int) -> store.BatchOutcome:
    return store.BatchOutcome(batch.pk, count, 0, {"fallback": count}, {"unknown_format": count}, None)


def test_an_event_id_holds_its_batch_and_position() -> None:
    assert batch_and_position(event_id(7, 12)) == (7, 12)
    assert event_id(7, 12) == 7 * 2**20 + 12
    assert event_id(2**33 - 1, 2**20 - 1) < 2**53


def test_the_oldest_batches_are_claimed_up_to_a_number_of_records(source: Source) -> None:
    batches = [make_batch(source, "a", "b", "c") for _ in range(4)]

    claimed = store.claim("one", 7)

    assert [batch.batch_id for batch in claimed] == [batches[0].pk, batches[1].pk]
    assert [batch.record_count for batch in claimed] == [3, 3]
    assert [batch.batch_id for batch in store.claim("two", 100)] == [batches[2].pk, batches[3].pk]
    assert store.claim("three", 100) == []


def test_a_batch_larger_than_the_limit_is_claimed_alone(source: Source) -> None:
    large = make_batch(source, *"abcdefgh")
    make_batch(source, "x")
    assert [batch.batch_id for batch in store.claim("one", 3)] == [large.pk]


def test_finishing_stores_events_and_marks_the_batch_done(source: Source) -> None:
    batch = make_batch(source, "a", "b")
    store.claim("one", 10)

    store.finish("one", [outcome(batch, 2)], [event_row(event_id(batch.pk, n), source, f"m{n}") for n in range(2)])

    batch.refresh_from_db()
    assert (batch.status, batch.lease_owner, batch.event_count) == (BatchStatus.DONE, "", 2)
    assert batch.parser_counts == {"fallback": 2}
    assert batch.discard_counts == {"unknown_format": 2}
    assert list(Event.objects.order_by("id").values_list("message", "score")) == [("m0", None), ("m1", None)]
    assert store.backlog_records() == 0


def test_a_lost_lease_stores_nothing(source: Source) -> None:
    batch = make_batch(source, "a")
    store.claim("slow", 10)
    RawBatch.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert [item.batch_id for item in store.claim("fast", 10)] == [batch.pk]

    with pytest.raises(store.LostLeaseError, match="slow lost a lease"):
        store.finish("slow", [outcome(batch, 1)], [event_row(event_id(batch.pk, 0), source)])

    assert Event.objects.count() == 0
    store.finish("fast", [outcome(batch, 1)], [event_row(event_id(batch.pk, 0), source)])
    with pytest.raises(store.LostLeaseError):
        store.finish("fast", [outcome(batch, 1)], [event_row(event_id(batch.pk, 0), source)])
    assert Event.objects.count() == 1


def test_a_live_lease_is_not_taken(source: Source) -> None:
    make_batch(source, "a")
    assert len(store.claim("one", 10)) == 1
    assert store.claim("two", 10) == []


def test_a_restarted_worker_frees_what_its_predecessor_held(source: Source) -> None:
    make_batch(source, "a")
    make_batch(source, "b")
    store.claim("pipeline-0", 1)
    store.claim("pipeline-1", 1)

    assert store.release("pipeline-0") == 1

    assert len(store.claim("pipeline-2", 10)) == 1


def test_a_batch_that_kills_its_workers_goes_to_quarantine(source: Source) -> None:
    killer, other = make_batch(source, "a", attempts=store.MAX_ATTEMPTS), make_batch(source, "b")

    claimed = store.claim("one", 10)

    assert [batch.batch_id for batch in claimed] == [other.pk]
    killer.refresh_from_db()
    assert killer.status == BatchStatus.QUARANTINED
    assert killer.reason == "given up after 4 tries: a worker died or lost its lease each time"


def test_quarantine_and_replay(source: Source) -> None:
    batch = make_batch(source, "a")
    store.claim("one", 10)
    store.quarantine(batch.pk, "broken")
    assert store.stage_counts() == {"accepted": 1, "events": 0, "flagged": 0, "quarantined": 1}
    assert store.claim("one", 10) == []

    assert store.requeue(batch.pk) is True

    assert store.requeue(batch.pk) is False
    assert [item.batch_id for item in store.claim("one", 10)] == [batch.pk]


def test_a_done_batch_is_never_quarantined(source: Source) -> None:
    batch = make_batch(source, "a", status=BatchStatus.DONE)
    store.quarantine(batch.pk, "late")
    batch.refresh_from_db()
    assert (batch.status, batch.reason) == (BatchStatus.DONE, "")


def test_raw_text_is_the_line_as_it_came(source: Source) -> None:
    batch = make_batch(source, '{"b": 1,   "a": 2}', "plain  text")
    assert store.raw_text(event_id(batch.pk, 0)) == '{"b": 1,   "a": 2}'
    assert store.raw_text(event_id(batch.pk, 1)) == "plain  text"
    assert store.raw_text(event_id(batch.pk + 1, 0)) is None
    assert store.raw_text(event_id(batch.pk, 2)) is None


def test_events_of_a_day_land_in_that_days_partition(source: Source, backend: str) -> None:
    if backend != "postgresql":
        pytest.skip("partitions exist on PostgreSQL only")
    day = dt.datetime(2026, 3, 4, 5, 6, tzinfo=dt.UTC)
    batch = make_batch(source, "a", received_at=day)
    store.claim("one", 10)
    row = event_row(event_id(batch.pk, 0), source)
    row = (*row[:2], *store.timestamp_texts([day.timestamp()]), *row[3:])
    store.finish("one", [outcome(batch, 1)], [row])
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM triage_event")
        assert cursor.fetchall() == [("triage_event_20260304",)]

    store.expire(day + dt.timedelta(days=2))

    assert Event.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('triage_event_20260304')")
        assert cursor.fetchone() == (None,)


def test_retention_takes_old_batches_but_never_waiting_ones(source: Source) -> None:
    long_ago = timezone.now() - dt.timedelta(days=40)
    waiting = make_batch(source, "waiting", received_at=long_ago)
    make_batch(source, "old", received_at=long_ago, status=BatchStatus.DONE)
    fresh = make_batch(source, "fresh", status=BatchStatus.DONE)

    assert store.expire(timezone.now() - dt.timedelta(days=30)) == 1

    assert set(RawBatch.objects.values_list("pk", flat=True)) == {waiting.pk, fresh.pk}


def test_recent_batches_are_the_newest_in_order(source: Source) -> None:
    done = [make_batch(source, "a", "b", status=BatchStatus.DONE) for _ in range(4)]
    make_batch(source, "waiting")
    assert store.recent_batches(5) == [done[2].pk, done[3].pk]
    assert store.recent_batches(1) == [done[3].pk]


def test_grouping_looks_only_at_flagged_events_through_the_index(source: Source) -> None:
    from django.db import connection

    query = Event.objects.filter(flagged=True, grouped=False).order_by("id")[:10]
    if connection.vendor == "sqlite":
        assert "event_to_group" in query.explain()
    assert store.ungrouped_exist() is False


def test_retention_deletes_in_small_parts_and_keeps_what_waits(
    source: Source, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(deleting, "AT_ONCE", 2)
    now = timezone.now()
    kept_day = now - dt.timedelta(days=5)
    for days in (9, 9, 9, 8, 8, 1):
        batch = make_batch(source, "a", received_at=now - dt.timedelta(days=days))
        store.claim("one", 1)
        row = event_row(event_id(batch.pk, 0), source)
        row = (*row[:2], *store.timestamp_texts([batch.received_at.timestamp()]), *row[3:])
        store.finish("one", [outcome(batch, 1)], [row])
    waiting = make_batch(source, "late", received_at=now - dt.timedelta(days=9))

    with CaptureQueriesContext(connection) as asked:
        assert store.expire(kept_day) == 5
    assert list(Event.objects.values_list("pk", flat=True)) == [event_id(batch.pk, 0)]
    assert set(RawBatch.objects.values_list("pk", flat=True)) == {batch.pk, waiting.pk}
    deleted = [query["sql"] for query in asked if query["sql"].startswith("DELETE")]
    events = [sql for sql in deleted if 'triage_event"' in sql]
    assert len(events) == (0 if backend == "postgresql" else 3)  # partitions are dropped; 2 + 2 + 1 rows
    assert store.expire(kept_day) == 0


@pytest.mark.second
@pytest.mark.django_db(transaction=True)
def test_a_partition_that_somebody_reads_stays_until_the_next_time(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend != "postgresql":
        pytest.skip("partitions exist on PostgreSQL only")
    monkeypatch.setattr(partitions, "PATIENCE", "50ms")
    day = dt.date(2026, 3, 4)
    partitions.drop_before(day)  # what other tests left
    partitions.ensure([str(day)])
    with closing(connection.copy()) as other, other.cursor() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM triage_event_20260304")
        assert partitions.drop_before(day + dt.timedelta(days=1)) == 1  # the chunks' one, which nobody reads
        assert str(day) in partitions.days_there()
        reader.execute("ROLLBACK")
    assert partitions.drop_before(day + dt.timedelta(days=1)) == 1
    assert str(day) not in partitions.days_there()
