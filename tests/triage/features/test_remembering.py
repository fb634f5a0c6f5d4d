"""What is remembered between events changes the speed, never the result, and has a bound."""

import numpy as np

from triage.features import field
from triage.features.field import FieldModel, weighed
from triage.features.tokens import shape


def model() -> FieldModel:
    return FieldModel.learn({(str, f"user{number % 5}"): 10 for number in range(5)} | {(str, "a" * 300): 5})


def test_a_remembered_value_weighs_what_it_weighed() -> None:
    learned = model()
    first = [weighed(learned, value) for value in ("user1", "never", 7, True, "a" * 300)]
    again = [weighed(learned, value) for value in ("user1", "never", 7, True, "a" * 300)]
    field._remembered.cache_clear()
    field._masked_evidence.cache_clear()
    fresh = [weighed(learned, value) for value in ("user1", "never", 7, True, "a" * 300)]
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
    field._remembered.cache_clear()
    weighed(learned, "b" * (field.LONGEST_REMEMBERED + 1))
    assert field._remembered.cache_info().currsize == 0
    weighed(learned, "b" * field.LONGEST_REMEMBERED)
    assert field._remembered.cache_info().currsize == 1
    assert field._remembered.cache_info().maxsize == field.VALUES_REMEMBERED


def test_an_outline_collapses_runs_of_a_class_and_repeats() -> None:
    assert shape("Alice Smith-42") == "Aa Aa-9"
    assert shape("ÄÖü ABC abc 123") == "\u00e9 A a 9"
    assert shape("10.0.0.1") == "9.9"
    assert shape("a" * 400) == "a"
    assert shape("--==--==") == "-=-="
