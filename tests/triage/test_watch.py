"""A feed that stops or changes overnight is seen within five minutes, on a clock that the test moves."""

import datetime as dt
import doctest

import pytest

from tests.factories import make_batch, make_source
from triage import champion, health, minutes, pipeline, watch
from triage.models import Source, SourceHealth

pytestmark = pytest.mark.django_db
NIGHT = dt.datetime(2026, 3, 4, 0, 0, tzinfo=dt.UTC)
STEP = dt.timedelta(seconds=30)


def syslog(now, seconds=2):
    return (
        f"<34>1 {now - dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ} db-1 sshd 412 - - Accepted password for root"
    )


@pytest.fixture
def source(monkeypatch) -> Source:
    monkeypatch.setattr(champion, "current", lambda: None)
    return make_source()


def past(source, start, count, *, every=1, parser="syslog", lag=2.0):
    """Write the figures of a feed that sent ten events every so many minutes."""
    first, rows = minutes.minute_of(start.timestamp()), []
    for number in range(count):
        row = minutes.Minute(source.pk, first + every * number, records=10, bytes=900, events=10)
        row.parsers[parser] = 10
        row.lag_count, row.lag_sum, row.lag_medians, row.lag_min, row.lag_max = 10, 10 * lag, 10 * lag, lag, lag
        row.lags[1] = 10
        rows.append(row)
    minutes.add(rows)
    last = start + dt.timedelta(minutes=every * (count - 1))
    make_batch(source, "x", received_at=last, status="done", processed_at=last)


def receive(source, now, *lines):
    make_batch(source, *lines, received_at=now)
    while pipeline.process_pass("test"):
        pass


def states(now):
    return [state for state, _ in watch_row(now).states]


def watch_row(now):
    watch.watch(now)
    return SourceHealth.objects.get()


def first_seen(state, start, *, feed=lambda now: None):
    """Return after how long a state is first seen when it is looked for every half minute."""
    now = start
    while now < start + dt.timedelta(minutes=30):
        now += STEP
        feed(now)
        if state in states(now):
            return now - start
    raise AssertionError(f"never {state}")


def test_the_examples_hold():
    assert doctest.testmod(watch).failed == 0


def test_a_feed_that_stops_is_visible_within_five_minutes(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    assert states(NIGHT + STEP) == []
    assert first_seen(health.SILENT, NIGHT) == dt.timedelta(minutes=3)
    assert [row.source.name for row in watch.troubled()] == ["edge"]


def test_a_feed_that_starts_again_is_well_again(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    now = NIGHT + dt.timedelta(minutes=20)
    assert states(now) == [health.SILENT]
    receive(source, now, *[syslog(now)] * 3)
    assert states(now + STEP) == []
    assert watch.troubled() == []


def test_a_format_that_changes_overnight_is_visible_within_five_minutes(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)

    def feed(now):
        if now.second == 0:
            receive(source, now, *["@@ a format of its own @@"] * 3)

    assert first_seen(health.CHANGED, NIGHT, feed=feed) <= dt.timedelta(minutes=5)
    (reason,) = (reason for state, reason in SourceHealth.objects.get().states if state == health.CHANGED)
    assert reason.startswith("Events that no parser understands: ")


def test_a_format_that_stays_is_no_change(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    for minute in range(1, 10):
        now = NIGHT + dt.timedelta(minutes=minute)
        receive(source, now, *[syslog(now)] * 10)
        assert states(now) == []


def test_a_slow_feed_has_its_own_pace(source):
    past(source, NIGHT - dt.timedelta(hours=20), 21, every=60)
    assert states(NIGHT + dt.timedelta(minutes=170)) == []
    assert states(NIGHT + dt.timedelta(minutes=190)) == [health.SILENT]


def test_a_pause_of_every_night_is_not_silence(source):
    for days in (4, 3, 2, 1):
        past(source, NIGHT - dt.timedelta(days=days, hours=-8), 600)
    evening = NIGHT - dt.timedelta(days=1, hours=-8) + dt.timedelta(minutes=600)
    assert states(evening + dt.timedelta(minutes=30)) == []
    assert states(evening + dt.timedelta(hours=16)) == [health.SILENT]


def test_records_that_wait_for_the_pipeline_are_no_silence(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    now = NIGHT + dt.timedelta(minutes=10)
    make_batch(source, "x", received_at=now - STEP)
    assert states(now) == []


def test_a_source_that_is_switched_off_or_never_sent_has_no_state(source):
    assert states(NIGHT) == []
    figures = SourceHealth.objects.get().figures
    assert (figures["coverage"], figures["unknown_share"], figures["lag_p95"]) == (None, None, None)
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    Source.objects.update(enabled=False)
    assert states(NIGHT + dt.timedelta(hours=1)) == []


def test_figures_of_a_day(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    receive(source, NIGHT, *[syslog(NIGHT)] * 9, "@@")
    minutes.add_taken([minutes.Taken(source.pk, minutes.minute_of(NIGHT.timestamp()), refused_rate=3)])
    row = watch_row(NIGHT + STEP)
    assert row.states == [[health.REFUSED, "Requests refused in the last minutes: 3 over the source's own limit."]]
    assert row.troubled is False
    assert row.figures["day_events"] == 3620
    assert row.figures["coverage"] == pytest.approx(1 - 1 / 3620)
    assert row.figures["recent"]["lag"] == pytest.approx(2.0)
    assert row.figures["usual_gap"] == 1
    assert row.figures["per_minute"] == pytest.approx((4 * 10 + 10 + 10) / 5)


def test_a_clock_that_is_ahead_is_measured(source):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    later = NIGHT + dt.timedelta(minutes=6)
    receive(source, later, *[syslog(later, seconds=-120)] * 5)
    assert watch_row(later).states == [[health.SKEWED, "Its events carry a time 2 min ahead of their arrival."]]


def test_the_same_number_of_queries_whatever_the_number_of_sources(source, django_assert_num_queries):
    past(source, NIGHT - dt.timedelta(hours=6), 361)
    with django_assert_num_queries(9):
        watch.look(NIGHT)
    for number in range(20):
        past(make_source(f"s{number}x"), NIGHT - dt.timedelta(hours=1), 61)
    with django_assert_num_queries(9):
        assert len(watch.look(NIGHT)) == 21


def test_a_judgement_is_due_every_half_minute(source):
    assert watch.is_due(NIGHT) is True
    watch.watch(NIGHT)
    assert watch.is_due(NIGHT + dt.timedelta(seconds=29)) is False
    assert watch.is_due(NIGHT + dt.timedelta(seconds=31)) is True
