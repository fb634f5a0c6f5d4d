"""What is remembered between events changes the speed, never the result, and has a bound in bytes."""

import math

import numpy as np

from triage.features import field, kind
from triage.features.field import FieldModel, weighed
from triage.features.kind import join_names
from triage.features.tokens import LONGEST_REMEMBERED, shape


def model() -> FieldModel:
    return FieldModel.learn({(str, f"user{number % 5}"): 10 for number in range(5)} | {(str, "a" * 300): 5})


def test_a_remembered_value_weighs_what_it_weighed() -> None:
    learned = model()
    values = ("user1", "never", 7, True, 1, "1", 7.0, math.nan, "a" * 300)
    field.forget()
    first = [weighed(learned, value) for value in values]
    again = [weighed(learned, value) for value in values]
    field.forget()
    fresh = [weighed(learned, value) for value in values[::-1]][::-1]
    assert first == again == fresh
    assert all(most == max(evidence) for evidence, most in fresh)


def test_rescaling_forgets() -> None:
    learned = model()
    before = weighed(learned, "never")[0]
    learned.rescale(np.full(len(field.TYPES), 0.5))
    assert weighed(learned, "never")[0] == tuple(min(25.0, one * 0.5) for one in learned.raw("never"))
    assert weighed(learned, "never")[0] != before


def test_long_values_are_not_kept() -> None:
    learned = model()
    field.forget()
    weighed(learned, "b" * (LONGEST_REMEMBERED + 1))
    assert len(field._values) == 0
    weighed(learned, "b" * LONGEST_REMEMBERED)
    assert len(field._values) == 1


def test_values_and_masks_stay_within_their_bytes() -> None:
    learned = model()
    field.forget()
    for number in range(500):
        weighed(learned, f"{number}" + "é" * 190)
        weighed(learned, "é" * (1_000 + number))
        assert field._values.held <= field.VALUE_BYTES
        assert field._masked.held <= field.MASKED_BYTES
    assert field._values.held > 500 * 190
    assert field._masked.held > 500 * 1_000
    field.forget()
    assert field._values.held == field._masked.held == field._forms.held == 0


def test_sets_of_names_are_remembered_by_their_size_whoever_makes_them_up() -> None:
    kind._names.forget()
    cold = join_names(("b", "a", "b"))
    assert cold == "a,b" == join_names(("b", "a", "b"))
    assert len(kind._names) == 1
    for number in range(300):
        join_names(tuple(f"made-up-{number}-{place}" for place in range(1_000)))
        assert kind._names.held <= kind.NAME_BYTES
    assert 0 < len(kind._names) < 150
    assert join_names(("b", "a", "b")) == cold


def test_an_outline_collapses_runs_of_a_class_and_repeats() -> None:
    assert shape("Alice Smith-42") == "Aa Aa-9"
    assert shape("ÄÖü ABC abc 123") == "\u00e9 A a 9"
    assert shape("10.0.0.1") == "9.9"
    assert shape("a" * 400) == "a"
    assert shape("--==--==") == "-=-="
