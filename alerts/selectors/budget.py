"""The alert budget in words and as a curve, for the page and the command alike.

Handed: a forecast. Hands on: whole sentences, and the points of a small chart. What is not measured says so.
"""

from collections.abc import Sequence
from typing import Any

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
#: Points of the curve.
POINTS = 40
WIDTH, HEIGHT = 400.0, 120.0


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


def curve(days: Sequence[Sequence[float]], threshold: float) -> dict[str, Any]:
    """Return the points of alerts a day against the threshold, and where the chosen one is, in chart units."""
    scores = sorted(score for day in days for score in day)
    if len(scores) < 2 or scores[0] == scores[-1]:
        return {"points": "", "x": None, "low": None, "high": None, "most": None}
    low, high = min(scores[0], threshold), scores[-1]
    most = budget.alerts_per_day(days, low).value or 1.0
    points = []
    for number in range(POINTS + 1):
        at = low + (high - low) * number / POINTS
        count = sum(score > at for score in scores) / len(days)
        points.append(f"{WIDTH * number / POINTS:.1f},{HEIGHT * (1 - count / most):.1f}")
    place = WIDTH * min((threshold - low) / (high - low), 1.0)
    return {"points": " ".join(points), "x": round(place, 1), "low": low, "high": high, "most": most}


def standing() -> AlertPolicy | None:
    """Return the policy that counts for the champion, or None while the model's own threshold does."""
    rows = AlertPolicy.objects.filter(model_version__status=ModelStatus.CHAMPION)
    return rows.select_related("model_version").order_by("-id").first()


def serving() -> ModelVersion | None:
    """Return the champion."""
    return ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
