"""Verdicts as labels: what people decided about the events the detector flagged.

Handed: nothing. Hands on: one label per decided alert, and the precision they give. Only the newest verdict
of a person counts; automation's own closures never become labels, nor do duplicate and undetermined.
"""

from alerts.models import LABELS, AlertOrigin, DecidedBy, Verdict
from triage.contracts import Rate
from triage.learning.statistics import wilson


def alert_labels() -> dict[int, int]:
    """Return alert id -> 1 (malicious) or 0 (not), for flagged alerts whose newest verdict is a label."""
    rows = Verdict.objects.filter(decided_by=DecidedBy.PERSON, alert__origin=AlertOrigin.FLAGGED)
    newest = dict(rows.order_by("id").values_list("alert_id", "value"))
    return {alert_id: LABELS[value] for alert_id, value in newest.items() if value in LABELS}


def precision() -> Rate | None:
    """Return the share of decided alerts that were true positives; None while nobody has decided any."""
    labels = alert_labels()
    return wilson(sum(labels.values()), len(labels)) if labels else None
