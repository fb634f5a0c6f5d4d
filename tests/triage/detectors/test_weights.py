"""How much the columns count: what usually comes together needs fewer events than counts of values."""

import pytest

from triage.detectors.baseline_forest import FEW_EVENTS, WEIGHTS, weights_for
from triage.features.kind import COLUMNS


@pytest.mark.parametrize(("events", "trust"), [(0, 0.0), (FEW_EVENTS, 0.5**0.5), (99 * FEW_EVENTS, 0.99**0.5)])
def test_counts_of_values_count_as_far_as_the_history_goes(events, trust):
    weights = dict(zip((*COLUMNS, "forest"), weights_for(events).tolist(), strict=True))
    assert weights["value_top3"] == weights["forest"] == trust
    assert weights["order_most"] == WEIGHTS["order_most"] * trust
    assert (weights["pattern"], weights["spelling"]) == (WEIGHTS["pattern"], WEIGHTS["spelling"])
