"""Counted attempts: the limit, the wait, who is one caller, and that a bucket always empties."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from triage import attempts
from triage.models import AttemptCount

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def clock(monkeypatch):
    now = [NOON]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    return now


def test_the_limit_holds_and_says_how_long(clock):
    assert [attempts.count({"a": 2}) for _ in range(4)] == [(0, False), (0, False), (900, True), (900, False)]
    clock[0] += dt.timedelta(seconds=899)
    assert attempts.count({"a": 2}) == (1, False)


def test_a_bucket_empties_though_somebody_never_stops(clock):
    answers = []
    for _ in range(60):
        answers.append(attempts.count({"a": 3})[0])
        clock[0] += dt.timedelta(minutes=1)
    assert answers == ([0, 0, 0] + [60 * minutes for minutes in range(12, 0, -1)]) * 4


def test_the_longest_wait_of_several_counts(clock):
    attempts.count({"a": 0})
    clock[0] += dt.timedelta(minutes=5)
    assert attempts.count({"a": 0, "b": 0, "c": 9}) == (900, True)
    assert attempts.count({"a": 0, "c": 9}) == (600, False)


def test_taking_back_is_one_attempt_of_those_named_only(clock):
    attempts.count({"a": 9, "b": 9})
    attempts.count({"a": 9})
    attempts.take_back(["a", "b", "never"])
    attempts.take_back(["b"])
    assert dict(AttemptCount.objects.values_list("bucket", "count")) == {"a": 1, "b": 0}


def test_what_is_over_is_forgotten(clock):
    attempts.count({"a": 9})
    clock[0] += attempts.WINDOW
    attempts.count({"b": 9})
    assert attempts.forget() == 1
    assert AttemptCount.objects.get().bucket == "b"


def test_only_hashes_are_kept():
    attempts.count({attempts.bucket("name", "hunter2"): 9})
    assert "hunter2" not in str(AttemptCount.objects.values().get())
    assert attempts.bucket("name", "a") != attempts.bucket("address", "a")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:0:1::5", "2001:db8:0:1::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""), ("unknown", ""), ("fe80::1%eth0", "fe80::%eth0/64"),
    ],
)  # fmt: skip
def test_one_caller_is_an_address_or_a_network(address: str, place: str):
    assert attempts.place_of(address) in {place, "fe80::/64"}


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_a_hundred():
    def one(_: int) -> int:
        try:
            return attempts.count({"a": 10, "b": 1000})[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(one, range(100)))
    assert waits.count(0) == 10
    assert dict(AttemptCount.objects.values_list("bucket", "count")) == {"a": 100, "b": 100}
