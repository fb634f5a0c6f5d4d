import pytest

from triage.contracts import Rate
from triage.learning.statistics import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.277533), (1, 10, 0.017876, 0.404150), (5, 10, 0.236593, 0.763407), (10, 10, 0.722467, 1.0)],
)
def test_wilson_gives_the_known_intervals(successes, n, low, high):
    rate = wilson(successes, n)
    assert rate == Rate(value=successes / n, n=n, low=pytest.approx(low, abs=1e-6), high=pytest.approx(high, abs=1e-6))


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_not_a_proportion(successes, n):
    with pytest.raises(ValueError, match="is not a proportion"):
        wilson(successes, n)
