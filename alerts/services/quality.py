"""Watches whether what is flagged is still right, by people's verdicts.

Handed: the clock. Hands on: at most one open alarm per model, when a whole window of verdicts is worse than the pooled
past. Running it twice changes nothing.
"""

import datetime as dt

from django.utils import timezone

from alerts.selectors import labels
from triage.learning import quality
from triage.models import Alarm, AlarmKind, ModelStatus, ModelVersion, Recommendation


def watch(now: dt.datetime | None = None) -> Alarm | None:
    """Look at the newest whole window; return the alarm it raises, or None."""
    now = now or timezone.now()
    model = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    decided = labels.in_order()
    window = len(decided) // quality.WINDOW
    past, recent = decided[: (window - 1) * quality.WINDOW], decided[: window * quality.WINDOW][-quality.WINDOW :]
    if model is None or len(past) < quality.MIN_PAST or _was_told(model, window):
        return None
    past_true, recent_true = sum(label for _, label in past), sum(label for _, label in recent)
    p_value = quality.fall(past_true, len(past), recent_true, len(recent))
    if p_value > quality.ALARM_P:
        return None
    began = recent[0][0]
    with_model = model.promoted_at is not None and past[-1][0] <= model.promoted_at <= began
    return Alarm.objects.create(
        kind=AlarmKind.QUALITY,
        model_version=model,
        recommendation=Recommendation.ROLL_BACK if with_model else Recommendation.RELABEL,
        text=(
            f"Of the newest {len(recent)} decided alerts {recent_true} were true positives, of the {len(past):,} "
            f"before {past_true:,} ({past_true / len(past):.0%}); so few come by chance once in {1 / p_value:,.0f} "
            "times. " + ("It began when this model was promoted: consider rolling back." if with_model else _LOOK)
        ),
        details={
            "window": window, "recent": len(recent), "recent_true": recent_true, "past": len(past),
            "past_true": past_true, "p_value": p_value,
        },
        raised_at=now,
    )  # fmt: skip


_LOOK = "Look at these verdicts again, and decide more alerts before the model learns from them."


def _was_told(model: ModelVersion, window: int) -> bool:
    """Return whether an alarm is open, or this window raised one that a person has closed."""
    rows = Alarm.objects.filter(kind=AlarmKind.QUALITY, model_version=model)
    return rows.filter(closed_at__isnull=True).exists() or rows.filter(details__window=window).exists()
