"""Breaker states as values: text and back, damaged text, clocks that were set back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.explainers import breaker
from triage.explainers.breaker import Breaker

TIMES = st.floats(0, 2e9, allow_nan=False)


@given(st.builds(Breaker, st.integers(0, 99), TIMES, TIMES, st.text(max_size=20)))
def test_a_state_survives_as_text(state):
    assert breaker.loads(breaker.dumps(state)) == state


def test_a_closed_breaker_is_the_empty_text():
    assert breaker.dumps(Breaker()) == ""
    assert breaker.loads("") == Breaker()


@pytest.mark.parametrize(
    "text",
    ["{", "null", "7", "[]", '"x"', '{"open_until": "soon"}', '{"failures": []}', '{"open_until": NaN}',
     '{"trial_until": 1e999}', '{"failures": 1e999}'],
)  # fmt: skip
def test_a_damaged_text_is_a_closed_breaker(text):
    assert breaker.loads(text) == Breaker()


@given(st.text(max_size=60))
def test_no_text_raises(text):
    assert isinstance(breaker.loads(text), Breaker)


def test_a_moment_further_ahead_than_any_opening_is_not_waited_for():
    assert breaker.wait_seconds(Breaker(1, 3600.0), 0.0) == 3600.0
    assert breaker.wait_seconds(Breaker(1, 3601.0), 0.0) == 0.0
    assert breaker.wait_seconds(Breaker(1, 0.0, 9999.0), 0.0) == 0.0


def test_names_of_notes_differ_by_endpoint_and_model_and_tell_neither():
    names = {breaker.note_name(key) for key in (("a", "bc"), ("ab", "c"), ("a", "b"))}
    assert len(names) == 3
    assert all(name.startswith("breaker-") and len(name) == 40 for name in names)


def test_an_open_breaker_is_left_as_it_is_by_those_who_wait():
    store = breaker.InProcess()
    store.change(("a", "b"), lambda _: Breaker(5, 100.0, 0.0, "timeout"))
    assert breaker.enter(store, ("a", "b"), 40.0) == (60.0, "timeout")
    assert store.change(("a", "b"), lambda state: state) == Breaker(5, 100.0, 0.0, "timeout")
