"""Buckets of many numbers are those of each, at every edge."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from triage.features.numbers import buckets
from triage.features.tokens import bucket


def in_bulk(numbers: list[float]) -> list[str]:
    codes, names = buckets(np.array(numbers, dtype=float))
    return [names[code] for code in codes.tolist()]


def test_examples() -> None:
    assert in_bulk([3, 0.47, 491, -2.5e9, 0.0, -0.04, 15.97, 16, 1e30]) == [
        "3", "0.5", "~8.5", "-~31.0", "0", "-0.0", "16.0", "~4.0", "~99.5",
    ]  # fmt: skip


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_any_numbers(numbers: list[float]) -> None:
    assert in_bulk(numbers) == [bucket(number) for number in numbers]


def test_middles_between_tenths_are_rounded_as_text_is() -> None:
    numbers = [step / 100 for step in range(-1_700, 1_700)]
    assert in_bulk(numbers) == [bucket(number) for number in numbers]


def test_numbers_next_to_the_edges_of_half_octaves() -> None:
    numbers = []
    for step in range(8, 130):
        near = [2.0 ** (step / 2)]
        for _ in range(12):
            near = [math.nextafter(near[0], 0), *near, math.nextafter(near[-1], math.inf)]
        numbers += near
    assert in_bulk(numbers) == [bucket(number) for number in numbers]


def test_each_bucket_is_named_once() -> None:
    codes, names = buckets(np.array([5.0, 7.0, 5.0, 100.0, 101.0]))
    assert (codes.tolist(), names) == ([0, 1, 0, 2, 2], ["5", "7", "~6.5"])
