"""The alert budget in words and as a curve, for the page and the command alike.

Handed: a forecast. Hands on: whole sentences, and a chart. What is not measured says so.
"""

from collections.abc import Sequence
from typing import Any

from alerts.selectors.charts import Chart, Series
from triage.contracts import Rate
from triage.learning import budget
from triage.learning.budget import Estimate, Wishes
from triage.models import AlertPolicy, ModelStatus, ModelVersion

BINDING = {
    "alerts": "the number of alerts",
    "hours": "the hours of analysts",
    "usd": "the money for explanations",
    "false discoveries": "the share of false discoveries",
}
#: Steps of the curve.
POINTS = 40


def sentences(found: Any) -> list[str]:
    """Return what a forecast says."""
    wishes: Wishes = found.wishes
    alerts = found.alerts
    hours = alerts.value * wishes.minutes_per_alert / 60
    days = "1 day" if found.days == 1 else f"{found.days} days"
    cost = f" and {alerts.value * wishes.usd_per_alert:.2f} USD" if wishes.usd_per_alert else ""
    said = [
        (
            f"Threshold {found.threshold:.4g}: {alerts.value:.1f} alerts a day ({alerts.low:.1f} to {alerts.high:.1f}, "
            f"{alerts.method}, {days}, {found.events:,} events under {found.model})."
        ),
        (
            f"What limits it is {BINDING[found.binding]}. That is {hours:.1f} hours a day "
            f"at {wishes.minutes_per_alert:g} minutes an alert{cost}."
        ),
        f"Precision: {rate(found.precision)}.",
        f"Recall: {rate(found.recall)}." + ("" if found.recall else " Only judged blind audits can measure it."),
    ]
    if found.more is None:
        said.append("There is nothing more to flag on these days.")
    else:
        said.append(
            f"Another {found.more.value:.0f} alerts a day would come from below the threshold; of those decided there, "
            f"true: {rate(found.more_precision)}."
        )
    return said


def rate(found: Rate | Estimate | None) -> str:
    """Return a rate with its interval and n, or that there is none.

    >>> rate(Rate(0.25, 40, 0.14, 0.4)), rate(None)
    ('25.0% (14.0% to 40.0%, n=40)', 'not measured')
    """
    return (
        "not measured" if found is None else f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%}, n={found.n:,})"
    )


def curve(days: Sequence[Sequence[float]], threshold: float) -> Chart | None:
    """Return alerts a day against the threshold, and where the chosen one is; None when every score is the same."""
    scores = [score for day in days for score in day]
    if len(scores) < 2 or min(scores) == max(scores):
        return None
    low, high = min(*scores, threshold), max(scores)
    at = [low + (high - low) * number / POINTS for number in range(POINTS + 1)]
    found = [budget.alerts_per_day(days, point) for point in at]
    series = Series(
        "alerts a day",
        [estimate.value for estimate in found],
        draw="area",
        low=[estimate.low for estimate in found],
        high=[estimate.high for estimate in found],
    )
    return Chart(
        title="Alerts a day by threshold, with 95 % intervals",
        x=[float(f"{point:.6g}") for point in at],
        series=[series],
        time=False,
        x_label="threshold",
        marks=[(min(threshold, high), "chosen")],
    )


def standing() -> AlertPolicy | None:
    """Return the policy that counts for the champion, or None while the model's own threshold does."""
    rows = AlertPolicy.objects.filter(model_version__status=ModelStatus.CHAMPION)
    return rows.select_related("model_version").order_by("-id").first()


def serving() -> ModelVersion | None:
    """Return the champion."""
    return ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
