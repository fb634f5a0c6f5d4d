"""When to tell: quiet hours in a zone of their own, digests, messages an hour, and when to try again."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import pacing
from alerts.pacing import Pace

pytestmark = pytest.mark.once
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


def at(hour: int, minute: int = 0) -> dt.datetime:
    return NOON.replace(hour=hour, minute=minute)


def test_quiet_hours_are_those_of_the_channels_zone():
    pace = Pace(quiet_from=22 * 60, quiet_until=6 * 60, zone="Europe/Berlin")  # in July two hours ahead of UTC
    quiet = [hour for hour in range(24) if pacing.is_quiet(pace, at(hour))]
    assert quiet == [0, 1, 2, 3, 20, 21, 22, 23]


def test_quiet_hours_within_a_day_end_on_the_minute():
    pace = Pace(quiet_from=12 * 60, quiet_until=13 * 60 + 30)
    asked = ((11, 59), (12, 0), (13, 29), (13, 30))
    assert [pacing.is_quiet(pace, at(*clock)) for clock in asked] == [False, True, True, False]


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_and_loud_hours_share_the_day(start: int, end: int, minute: int):
    moment = at(minute // 60, minute % 60)
    quiet = pacing.is_quiet(Pace(quiet_from=start, quiet_until=end), moment)
    other = pacing.is_quiet(Pace(quiet_from=end, quiet_until=start), moment)
    assert quiet != other or start == end


def test_a_digest_is_due_when_the_oldest_has_waited_long_enough():
    pace = Pace(digest_minutes=30)
    assert pacing.is_held(pace, at(11, 31), NOON)
    assert not pacing.is_held(pace, at(11, 30), NOON)
    assert pacing.messages(pace, waiting=4, oldest=at(11, 30), sent_last_hour=0, now=NOON) == 1


@pytest.mark.parametrize(
    ("waiting", "sent", "made"),
    [(0, 0, 0), (1, 0, 1), (5, 0, 5), (6, 0, 1), (10_000, 0, 1), (3, 28, 1), (2, 28, 2), (3, 29, 1), (1, 30, 0)],
)
def test_what_is_more_than_an_hour_takes_is_put_together(waiting: int, sent: int, made: int):
    assert pacing.messages(Pace(per_hour=30), waiting=waiting, oldest=NOON, sent_last_hour=sent, now=NOON) == made


def test_what_was_held_comes_in_one_message():
    assert pacing.messages(Pace(), waiting=3, oldest=at(11, 58), sent_last_hour=0, now=NOON) == 1
    assert pacing.messages(Pace(), waiting=3, oldest=at(11, 59), sent_last_hour=0, now=NOON) == 3


@given(st.integers(0, 50_000), st.integers(0, 1100), st.integers(1, 1000), st.integers(0, 600))
def test_no_plan_passes_the_limit_of_an_hour(waiting: int, sent: int, per_hour: int, age: int):
    oldest = NOON - dt.timedelta(minutes=age)
    made = pacing.messages(Pace(per_hour=per_hour), waiting=waiting, oldest=oldest, sent_last_hour=sent, now=NOON)
    assert sent >= per_hour or sent + made <= per_hour
    assert bool(made) == (waiting > 0 and sent < per_hour)


def test_pauses_between_tries_grow_and_a_receiver_may_ask_for_more():
    waits = [pacing.retry_after(n).total_seconds() for n in range(1, pacing.MAX_ATTEMPTS)]
    assert waits == [30, 120, 480, 1920, 7200, 7200, 7200]
    assert pacing.retry_after(1, asked=600).total_seconds() == 600
    assert pacing.retry_after(3, asked=1).total_seconds() == 480
    assert pacing.retry_after(1, asked=1e9).total_seconds() == 7200
