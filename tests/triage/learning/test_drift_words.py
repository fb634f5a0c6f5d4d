"""What a drift means: the recommendation and the figures behind it."""

import pytest

from triage.learning import drift_words
from triage.learning.drift import Block

BEFORE = Block(
    1000, 10, (0,) * 6 + (100, 900), {"web|access|": 900, "fallback||": 100}, {"new_field": 100.0, "x": 1000.0}
)


def now(**changes: object) -> Block:
    plain = {
        "events": 1000, "flagged": 10, "p_counts": (0,) * 6 + (100, 900),
        "kinds": {"web|access|": 900, "fallback||": 100}, "evidence": {"new_field": 100.0, "x": 1000.0},
    }  # fmt: skip
    return Block(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("aspect", "changed", "days", "recommendation", "says"),
    [
        (
            "kinds", now(kinds={"web|access|": 700, "fallback||": 300}), 9.0, "check_feed",
            "Events that no parser understands rose from 10.0% to 30.0%: check the feed.",
        ),
        ("kinds", now(kinds={"fallback||": 100, "dns||": 900}), 9.0, "check_feed", "web access has all but gone"),
        ("kinds", now(kinds={"web|access|": 600, "fallback||": 100, "dns||": 300}), 9.0, "retrain", "retrain."),
        ("features", now(evidence={"new_field": 900.0, "x": 1000.0}), 9.0, "check_feed", "new field from 0.10 to 0.90"),
        ("features", now(evidence={"new_field": 100.0, "x": 1900.0}), 9.0, "retrain", "x from 1.00 to 1.90"),
        ("scores", now(p_counts=(0,) * 6 + (300, 700)), 0.5, "roll_back", "This model serves since 12.0 hours"),
        ("scores", now(p_counts=(0,) * 6 + (300, 700)), 2.0, "retrain", "came with 10.0% of events, now with 30.0%."),
        ("alert_rate", now(flagged=60), 1.5, "roll_back", "This model serves since 1.5 days"),
        ("alert_rate", now(flagged=60), 9.0, "relabel", "went from 1.00% (10) to 6.00% (60)."),
        ("alert_rate", now(flagged=0), 9.0, "check_feed", "went from 1.00% (10) to 0.00% (0)."),
    ],
)  # fmt: skip
def test_the_advice_fits_what_changed(aspect: str, changed: Block, days: float, recommendation: str, says: str) -> None:
    advice = drift_words.advise(aspect, BEFORE, changed, days)
    assert advice.recommendation == recommendation
    assert says in advice.text
    assert advice.text.endswith("Compared are the newest 1,000 events with 1,000 earlier ones of this source.")
    assert (advice.details["events_before"], advice.details["events_now"]) == (1000, 1000)
