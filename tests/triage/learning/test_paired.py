import random

import pytest

from triage.learning.paired import Paired, design_effect, difference, mcnemar_exact, rate_at, wilson_at, z_for


def test_the_interval_is_the_published_one():
    # Newcombe 1998, table II: 36, 12, 2, 0 by method 10.
    found = difference(Paired(36, 12, 2, 0), z=z_for(0.95))
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0569, 0.3404)


@pytest.mark.parametrize("pair", [Paired(0, 0, 0, 50), Paired(50, 0, 0, 0), Paired(10, 0, 0, 40)])
def test_no_disagreement_has_a_difference_of_zero_and_some_doubt(pair):
    found = difference(pair, z=1.96)
    assert found.value == 0.0
    assert -1 <= found.low < 0 < found.high <= 1


def test_swapping_the_models_turns_the_interval_round():
    one, other = difference(Paired(20, 9, 3, 68), z=1.96), difference(Paired(20, 3, 9, 68), z=1.96)
    assert (one.value, one.low) == (-other.value, pytest.approx(-other.high))


def test_without_events_nothing_is_compared():
    with pytest.raises(ValueError, match="no events"):
        difference(Paired(), z=1.96)


def test_bursts_make_the_interval_wider():
    pair = Paired(50, 30, 20, 9_900)
    plain, burst = difference(pair, z=1.96), difference(pair, z=1.96, effect=4.0)
    assert burst.value == pytest.approx(plain.value)
    assert burst.high - burst.low == pytest.approx(2 * (plain.high - plain.low), rel=0.2)


def test_independent_events_have_an_effect_of_about_one():
    rng = random.Random(3)
    blocks = [
        (500, sum(rng.random() < 0.02 for _ in range(500)), sum(rng.random() < 0.02 for _ in range(500)))
        for _ in range(200)
    ]
    assert 1.0 <= design_effect(blocks) < 1.3


def test_flags_that_come_in_one_minute_count_as_few():
    quiet = [(500, 0, 0)] * 99
    assert design_effect([*quiet, (500, 100, 0)]) > 50
    assert design_effect(quiet) == 1.0
    assert design_effect([(500, 100, 0)] * 7) == 1.0


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (1, 9, 0.021484375), (4, 4, 1.0)]
)
def test_the_exact_test_gives_the_known_values(only_first, only_second, p):
    assert mcnemar_exact(only_first, only_second) == p


def test_the_exact_test_takes_large_counts():
    assert mcnemar_exact(2_000, 2_400) == pytest.approx(1.85e-09, rel=0.1)


def test_wilson_agrees_with_the_whole_counts():
    assert wilson_at(1, 10, 1.959963984540054) == (pytest.approx(0.017876, abs=1e-6), pytest.approx(0.404150, abs=1e-6))
    rate = rate_at(10, 100, z=1.959963984540054, effect=10.0)
    assert (rate.value, rate.n, rate.low) == (0.1, 100, pytest.approx(0.017876, abs=1e-6))
