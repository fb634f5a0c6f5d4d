"""Whose turn it is: fair over sources, oldest first within one, nobody waits for ever."""

import doctest

import pytest

from triage import turns
from triage.turns import Rotation, Waiting, choose


def queue(first_id, *records):
    return [Waiting(first_id + number, count, 10 * count) for number, count in enumerate(records)]


def pick(queues, max_records, *, max_bytes=10**9, max_batches=256):
    return choose(queues, max_records=max_records, max_bytes=max_bytes, max_batches=max_batches)


def test_the_examples_hold():
    assert doctest.testmod(turns).failed == 0


def test_one_source_is_taken_oldest_first():
    assert pick({1: queue(10, 3, 3, 3, 3)}, 7) == [10, 11]


def test_a_quiet_source_comes_along_with_a_loud_one():
    assert pick({1: queue(10, *[1000] * 50), 2: queue(90, 1, 1, 1)}, 4000) == [10, 90, 91, 92, 11, 12]


def test_sources_of_equal_noise_get_equal_parts():
    chosen = pick({1: queue(100, *[10] * 99), 2: queue(300, *[10] * 99), 3: queue(500, *[10] * 99)}, 90)
    assert [sum(low <= number < low + 99 for number in chosen) for low in (100, 300, 500)] == [3, 3, 3]


def test_a_huge_batch_is_taken_in_its_turn_alone():
    assert pick({1: queue(10, 50_000), 2: queue(90, 1)}, 8000) == [10]
    assert pick({2: queue(90, 1), 1: queue(10, 50_000)}, 8000) == [90]


@pytest.mark.parametrize("limit", [{"max_bytes": 25}, {"max_batches": 2}])
def test_bytes_and_batches_are_limited_too(limit):
    assert pick({1: queue(10, 1, 1, 1, 1)}, 100, **limit) == [10, 11]


def test_empty_queues_give_nothing():
    assert pick({}, 10) == []
    assert pick({1: [], 2: queue(5, 1)}, 10) == [5]


def test_every_source_has_the_first_turn_once_in_a_round():
    rotation = Rotation()
    assert sorted(rotation.next([3, 5, 8])[0] for _ in range(3)) == [3, 5, 8]
    assert rotation.next([]) == []


def test_with_many_sources_the_next_pass_goes_on_where_this_one_stopped():
    rotation, waiting = Rotation(), list(range(100))
    seen = [number for _ in range(4) for number in rotation.next(waiting)]
    assert len(seen) == 4 * turns.MAX_SOURCES
    assert set(seen) == set(waiting)
