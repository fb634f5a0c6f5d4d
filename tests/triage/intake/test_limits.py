"""What a source may send: debt once, then its own rate; bytes per day over restarts and processes."""

import pytest

from tests.factories import make_source
from triage.authentication import SourceIdentity
from triage.intake import errors
from triage.intake.errors import Refusal
from triage.intake.limits import LONGEST_WAIT, Limits
from triage.intake.tally import Tally
from triage.models import IntakeMinute

MIDNIGHT = 20_000 * 86_400


class Clock:
    def __init__(self, now=MIDNIGHT + 3600.0):
        self.now = now

    def __call__(self):
        return self.now


def limits_at(clock):
    return Limits(clock=clock, now=clock)


def slow(rate):
    return SourceIdentity(1, "edge", records_per_second=rate)


def refused_for(limits, source):
    with pytest.raises(Refusal) as caught:
        limits.check(source)
    assert caught.value.reason == errors.RATE
    return caught.value.retry_after


def test_a_source_without_limits_leaves_no_trace():
    limits = limits_at(Clock())
    limits.settle(SourceIdentity(1, "edge"), 10**9, 10**12)
    limits.check(SourceIdentity(1, "edge"))
    assert limits.sources() == []


def test_debt_is_allowed_once_and_then_paid_at_the_sources_own_rate():
    clock = Clock()
    limits = limits_at(clock)
    limits.check(slow(100))
    limits.settle(slow(100), 1500, 1)  # burst of 500, so 1,000 in debt
    assert refused_for(limits, slow(100)) == 10
    clock.now += 9.9
    assert refused_for(limits, slow(100)) == 1
    clock.now += 0.2
    limits.check(slow(100))


def test_the_burst_is_five_seconds_and_fills_no_further():
    clock = Clock()
    limits = limits_at(clock)
    clock.now += 10_000
    limits.check(slow(10))
    limits.settle(slow(10), 50, 1)
    assert refused_for(limits, slow(10)) == 1


def test_what_was_not_stored_is_not_charged():
    limits = limits_at(Clock())
    limits.settle(slow(10), 500, 7)
    limits.settle(slow(10), -500, -7)
    limits.check(slow(10))


def test_a_large_debt_is_never_a_wait_of_more_than_an_hour():
    limits = limits_at(Clock())
    limits.settle(slow(1), 10**9, 1)
    assert refused_for(limits, slow(1)) == LONGEST_WAIT


def test_bytes_of_a_day_end_with_the_utc_day():
    clock = Clock(MIDNIGHT + 86_400 - 90)
    limits = limits_at(clock)
    daily = SourceIdentity(1, "edge", bytes_per_day=1000)
    limits.settle(daily, 1, 999)
    limits.check(daily)
    limits.settle(daily, 1, 1)
    assert refused_for(limits, daily) == 90
    clock.now += 90
    limits.check(daily)


@pytest.fixture
def daily(db):
    return SourceIdentity(make_source().pk, "edge", bytes_per_day=1000)


def process_at(clock):
    limits = limits_at(clock)
    return limits, Tally(limits, now=clock)


def send(process, source, records, size):
    limits, tally = process
    limits.check(source)
    limits.settle(source, records, size)
    tally.took(source, records, size)


def test_bytes_of_a_day_survive_a_restart(daily):
    clock = Clock()
    first = process_at(clock)
    send(first, daily, 3, 1000)
    first[1].flush()

    limits, tally = process_at(clock)
    assert not limits.knows(daily)
    tally.load(daily)
    assert limits.knows(daily)
    assert refused_for(limits, daily) == LONGEST_WAIT
    clock.now += 86_400
    assert not limits.knows(daily)
    tally.load(daily)
    limits.check(daily)


def test_several_processes_share_the_bytes_of_a_day(daily):
    clock = Clock()
    one, two = process_at(clock), process_at(clock)
    send(one, daily, 1, 600)
    send(two, daily, 1, 600)
    for _, tally in (one, two, one):
        tally.flush()
    assert refused_for(one[0], daily) == refused_for(two[0], daily) == LONGEST_WAIT


def test_several_processes_share_a_rate(db):
    clock = Clock()
    source = SourceIdentity(make_source().pk, "edge", records_per_second=100)
    one, two = process_at(clock), process_at(clock)
    for process in (one, two):
        send(process, source, 1, 1)
        process[1].flush()
    one[1].flush()
    send(two, source, 900, 1)
    two[1].flush()
    one[0].check(source)
    one[1].flush()
    # 500 at once, 1 of its own, 901 of the other
    assert refused_for(one[0], source) == 5
    one[1].flush()
    assert refused_for(one[0], source) == 5, "what was heard once is not debited again"


def test_refusals_are_counted_by_reason_and_written_once(daily):
    clock = Clock()
    _, tally = process_at(clock)
    for reason in (errors.BUSY, errors.RATE, errors.RATE, errors.TOO_LARGE, errors.EVENT_BLANK, errors.METHOD):
        tally.refused(daily, reason, 100)
    tally.refused(daily, errors.DAMAGED, None)
    tally.flush()
    tally.flush()
    row = IntakeMinute.objects.get()
    assert (row.source_id, row.minute) == (daily.id, (MIDNIGHT + 3600) // 60)
    assert (row.refused_busy, row.refused_rate, row.refused_too_large, row.refused_damaged) == (1, 2, 1, 1)
    assert (row.refused_invalid, row.refused_other, row.refused_bytes) == (1, 1, 600)


def test_figures_that_cannot_be_written_are_kept(daily, monkeypatch):
    from django.db import OperationalError

    from triage import minutes

    _, tally = process_at(Clock())
    tally.refused(daily, errors.BUSY, 7)

    def broken(rows):
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(minutes, "add_taken", broken)
        patch.setattr("django.db.connection.close", lambda: None)
        tally.flush()
    assert IntakeMinute.objects.count() == 0
    tally.refused(daily, errors.BUSY, 7)
    tally.flush()
    assert IntakeMinute.objects.get().refused_busy == 2
