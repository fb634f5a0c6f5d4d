"""Figures per source and minute: what a batch adds, and rows that add up whoever writes them."""

import datetime as dt
import doctest
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from tests.factories import make_batch, make_source
from triage import champion, ecs, minutes, pipeline, store
from triage.contracts import ParsedEvent, StoredBatch
from triage.models import ParserMinute, SourceMinute

RECEIVED = 1_700_000_030.0
MINUTE = 28_333_333


def event(lag=1.0, *, parser="syslog", origin="event", **fields):
    names = {name.replace("__", "."): value for name, value in fields.items()}
    return ParsedEvent(RECEIVED - lag, origin, parser, "text", {"host.name": "a"} | names)


def batch(source_id=1, received_at=RECEIVED, records=2):
    return StoredBatch(1, source_id, "lines", {}, received_at, b"", records, body_bytes=100)


def test_the_examples_hold():
    assert doctest.testmod(minutes).failed == 0
    assert doctest.testmod(ecs).failed == 0


def test_a_minute_counts_what_its_batches_were():
    events = [
        event(5.0),
        event(1e7, winnow__time_flag="ancient"),
        event(-900.0, winnow__time_flag="future", winnow__time_inferred="zone"),
        event(parser="fallback", origin="received", hostname="x"),
    ]
    (row,) = minutes.summarise([(batch(), events[:2]), (batch(), events[2:])])
    assert (row.source_id, row.minute, row.records, row.bytes, row.events) == (1, MINUTE, 4, 200, 4)
    assert (row.fallback, row.unknown, row.future, row.ancient, row.inferred) == (1, 1, 1, 1, 1)
    assert row.parsers == {"syslog": 3, "fallback": 1}
    assert (row.lag_count, row.lag_min, row.lag_max) == (3, -900.0, 1e7)
    assert row.lags == [1, 1, 0, 0, 0, 0, 0, 1]


def test_sources_and_minutes_are_kept_apart_and_in_order():
    parts = [(batch(2), [event()]), (batch(1, RECEIVED + 60), [event()]), (batch(1), [event()])]
    assert [(row.source_id, row.minute) for row in minutes.summarise(parts)] == [
        (1, MINUTE),
        (1, MINUTE + 1),
        (2, MINUTE),
    ]


def test_the_median_lag_of_batches_is_weighted_by_their_events():
    first, second = [event(lag) for lag in (1.0, 2.0, 600.0)], [event(10.0)]
    (row,) = minutes.summarise([(batch(), first), (batch(), second)])
    assert row.lag_medians / row.lag_count == pytest.approx((3 * 2.0 + 10.0) / 4)


@pytest.mark.django_db
def test_rows_add_up():
    source = make_source()
    first = minutes.summarise([(batch(source.pk), [event(5.0), event(7.0)])])
    second = minutes.summarise([(batch(source.pk), [event(2.0, parser="fallback")])])
    third = minutes.summarise([(batch(source.pk), [event(origin="received")])])
    for rows in (first, second, third):
        minutes.add(rows)
    row = SourceMinute.objects.get()
    assert (row.records, row.events, row.fallback, row.lag_count) == (6, 4, 1, 3)
    assert (row.lag_min, row.lag_max, row.lag_1) == (pytest.approx(2.0), pytest.approx(7.0), 3)
    assert dict(ParserMinute.objects.values_list("parser", "events")) == {"syslog": 3, "fallback": 1}


@pytest.mark.django_db
def test_a_lag_that_was_not_measured_first_is_taken_over_later():
    source = make_source()
    minutes.add(minutes.summarise([(batch(source.pk), [event(origin="received")])]))
    assert SourceMinute.objects.get().lag_min is None
    minutes.add(minutes.summarise([(batch(source.pk), [event(3.0)])]))
    row = SourceMinute.objects.get()
    assert (row.lag_min, row.lag_max) == (pytest.approx(3.0), pytest.approx(3.0))


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_lose_nothing():
    sources = [make_source(f"s{number}") for number in range(3)]
    parts = [(batch(source.pk, RECEIVED + 60 * step), [event()]) for source in sources for step in range(2)]

    def write(number):
        try:
            order = parts if number % 2 else parts[::-1]
            for _ in range(10):
                with transaction.atomic():
                    minutes.add(minutes.summarise(order))
                minutes.add_taken([minutes.Taken(sources[0].pk, MINUTE, refused_busy=1)])
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [row.records for row in SourceMinute.objects.all()] == [80] * 6
    assert [row.events for row in ParserMinute.objects.all()] == [40] * 6
    assert minutes.IntakeMinute.objects.get().refused_busy == 40


@pytest.mark.django_db
def test_figures_are_stored_with_the_events_or_not_at_all(monkeypatch):
    monkeypatch.setattr(champion, "current", lambda: None)
    source = make_source()
    make_batch(source, "Nov 22 10:00:01 db-1 sshd[412]: Failed password for root from 203.0.113.9 port 4711 ssh2", "?!")
    work = store.claim("slow", 100)
    make_batch(source, "later")
    store.release("slow")
    assert len(store.claim("fast", 100)) == 2

    with pytest.raises(store.LostLeaseError):
        pipeline.process("slow", work)
    assert SourceMinute.objects.count() == ParserMinute.objects.count() == 0

    pipeline.process("fast", work)
    row = SourceMinute.objects.get()
    assert (row.records, row.events, row.fallback, row.lag_count) == (2, 2, 1, 1)
    assert row.bytes == work[0].body_bytes > 50


@pytest.mark.django_db
def test_minutes_go_with_the_retention_period():
    source = make_source()
    minutes.add(minutes.summarise([(batch(source.pk), [event()]), (batch(source.pk, RECEIVED + 60), [event()])]))
    minutes.add_taken([minutes.Taken(source.pk, MINUTE, refused_busy=1)])
    store.expire(dt.datetime.fromtimestamp(RECEIVED + 60, dt.UTC))
    assert [row.minute for row in SourceMinute.objects.all()] == [MINUTE + 1]
    assert [row.minute for row in ParserMinute.objects.all()] == [MINUTE + 1]
    assert minutes.IntakeMinute.objects.count() == 0
