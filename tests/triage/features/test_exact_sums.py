"""Sums of many rows are rounded once, whatever the order of their terms."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from triage.features.exact import LARGE, TINY, ExactSum, exact_sum

evidence = st.one_of(st.just(0.0), st.floats(min_value=TINY, max_value=25.0))
anything = st.floats(min_value=0.0, max_value=1e6)


@given(st.lists(st.lists(evidence, min_size=4, max_size=4), min_size=1, max_size=40))
def test_sums_are_those_of_fsum_in_any_order(rows: list[list[float]]) -> None:
    terms = np.array(rows)
    expected = [math.fsum(column) for column in terms.T.tolist()]
    assert exact_sum(terms).tolist() == expected
    assert exact_sum(terms[::-1]).tolist() == expected


@given(st.lists(st.lists(anything, min_size=3, max_size=3), min_size=1, max_size=20))
def test_tiny_and_large_terms_are_summed_one_by_one(rows: list[list[float]]) -> None:
    terms = np.array(rows)
    assert exact_sum(terms).tolist() == [math.fsum(column) for column in terms.T.tolist()]


def test_plain_addition_would_fail() -> None:
    terms = np.array([[0.1]] * 10)
    assert exact_sum(terms).tolist() == [1.0]
    assert sum([0.1] * 10) != 1.0


def test_only_some_rows_get_a_term_and_what_is_out_of_bounds_is_marked() -> None:
    running = ExactSum(4)
    running.add(np.array([1.0, 2.0, 3.0, LARGE]))
    running.add(np.array([0.5, TINY / 2, 1.0]), np.array([2, 0, 3]))
    assert running.rounded().tolist() == [1.0 + TINY / 2, 2.0, 3.5, LARGE + 1.0]
    assert running.odd.tolist() == [True, False, False, True]
