"""From wishes to a threshold and back, on small histories."""

import math

import pytest

from triage.contracts import Rate
from triage.learning import budget
from triage.learning.budget import Decided, Wishes
from triage.learning.statistics import wilson

DAYS = [[9.0, 8.0, 3.0, 1.0], [9.5, 7.0, 2.0], [6.0, 5.0, 4.0, 2.5, 0.5]]


@pytest.mark.parametrize(
    ("wishes", "limits"),
    [
        (
            Wishes(alerts_per_day=150, hours_per_day=3, usd_per_day=5, usd_per_alert=0.05),
            {"alerts": 150, "hours": 36, "usd": 100},
        ),
        (Wishes(hours_per_day=3, minutes_per_alert=2), {"hours": 90}),
        (Wishes(alerts_per_day=10, usd_per_day=5), {"alerts": 10}),
        (Wishes(), {}),
    ],
)  # fmt: skip
def test_each_wish_limits_the_alerts_of_a_day(wishes: Wishes, limits: dict[str, float]) -> None:
    assert wishes.limits() == pytest.approx(limits)


@pytest.mark.parametrize(("per_day", "threshold", "above"), [(1, 7.0, 3), (2, 4.0, 6), (3, 2.0, 10), (1 / 3, 9.0, 1)])
def test_the_threshold_is_the_lowest_that_keeps_to_the_wish(per_day: float, threshold: float, above: int) -> None:
    assert budget.threshold_for(DAYS, per_day) == threshold
    assert sum(score > threshold for day in DAYS for score in day) == above - (per_day == 3)


def test_more_than_there_is_flags_everything() -> None:
    threshold = budget.threshold_for(DAYS, 100)
    assert threshold == math.nextafter(0.5, -math.inf)
    assert budget.alerts_per_day(DAYS, threshold).value == 4.0
    assert budget.threshold_for([[], []], 5) == 0.0


def test_equal_scores_are_flagged_together_or_not_at_all() -> None:
    assert budget.threshold_for([[5.0, 4.0, 4.0, 4.0, 1.0]], 2) == 4.0
    assert budget.alerts_per_day([[5.0, 4.0, 4.0, 4.0, 1.0]], 4.0).value == 1.0


def test_few_days_have_a_poisson_interval_and_many_their_own() -> None:
    few = budget.alerts_per_day(DAYS, 4.0)
    assert (few.value, few.n, few.method) == (2.0, 3, "Poisson")
    # Six alerts: the exact interval is 2.20 to 13.06.
    assert (round(3 * few.low, 2), round(3 * few.high, 2)) == (2.2, 13.06)
    many = budget.alerts_per_day(DAYS * 2, 4.0)
    assert (many.value, many.n, many.method) == (2.0, 6, "bootstrap over days")
    assert few.low < many.low <= 2.0 <= many.high < few.high
    none = budget.alerts_per_day(DAYS, 99.0)
    assert (none.value, none.low) == (0.0, 0.0)
    assert 3 * none.high == pytest.approx(3.689, abs=0.001)


def test_precision_is_of_decided_alerts_between_two_thresholds() -> None:
    decided = [Decided(9.0, True), Decided(8.0, False), Decided(5.0, False), Decided(4.0, False)]
    found = budget.precision(decided, 4.0)
    assert isinstance(found, Rate)
    assert (found.value, found.n) == (1 / 3, 3)
    assert budget.precision(decided, 4.0, 8.0) == budget.precision(decided[1:3], 0.0)
    assert budget.precision(decided, 9.0) is None


def test_recall_weighs_what_was_missed_by_how_likely_it_was_to_be_drawn() -> None:
    # Half of 60 alerts are true. One true event among the audited, drawn with one in twenty, stands for twenty.
    found = budget.recall(wilson(20, 40), 60.0, [(True, 0.05), (False, 0.05), (False, 0.001), (False, 0.5)])
    assert found is not None
    assert (found.value, found.n, found.method) == (0.6, 4, "Horvitz-Thompson")
    assert 0.2 < found.low < 0.6 < found.high == 1.0


def test_without_audits_or_a_precision_recall_is_not_measured() -> None:
    assert budget.recall(wilson(20, 40), 60.0, []) is None
    assert budget.recall(None, 60.0, [(True, 0.1)]) is None
    assert budget.recall(wilson(0, 40), 60.0, [(False, 0.1)]) is None
    assert budget.recall(wilson(3, 40), 60.0, [(False, 0.1)]).value == 1.0


def test_false_discoveries_are_limited_as_benjamini_and_hochberg_do() -> None:
    p_values = [
        (0.001, 9.0),
        (0.008, 8.0),
        (0.039, 7.0),
        (0.041, 6.0),
        (0.042, 5.0),
        (0.06, 4.0),
        (0.074, 3.0),
        (0.205, 2.0),
    ]
    # Of ten events at 5 %: 0.001 <= 0.005 and 0.008 <= 0.010, no other one passes its step.
    assert budget.discovery_threshold(p_values, 10, 0.05) == math.nextafter(8.0, -math.inf)
    # At 10 % the sixth passes (0.06 <= 0.06), and so do those before it, though the third alone would not.
    assert budget.discovery_threshold(p_values, 10, 0.1) == math.nextafter(4.0, -math.inf)
    assert budget.discovery_threshold(p_values, 10_000, 0.05) is None
    assert budget.discovery_threshold([], 10, 0.5) is None
