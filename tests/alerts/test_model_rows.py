"""What the models page shows of a version's figures."""

from alerts.selectors import estate
from triage.models import ModelVersion

RATE = {"value": 0.01, "n": 1200, "low": 0.005, "high": 0.02}
NOT_MEASURED = {"value": None, "n": None, "low": None, "high": None}


def test_rates_carry_n_and_interval_and_what_was_not_measured_says_so() -> None:
    metrics = {
        "alert_budget": 0.02, "n_fit": 8000, "n_calibration": 1364, "flag_rate": RATE,
        "p_value_validity": [{"p": 0.05, "rate": RATE}], "labels": None,
    }  # fmt: skip
    version = ModelVersion(version="v1", metrics=metrics)
    assert estate.metrics_of(version) == [
        {"name": "flagged", **RATE},
        {"name": "p ≤ 0.05", **RATE},
        {"name": "precision", **NOT_MEASURED},
        {"name": "recall", **NOT_MEASURED},
    ]
    assert estate.taught_by(version) == {"n_fit": 8000, "n_calibration": 1364, "alert_budget": 0.02}


def test_a_version_without_figures_shows_none() -> None:
    version = ModelVersion(version="v1", metrics={})
    assert {row["value"] for row in estate.metrics_of(version)} == {None}
