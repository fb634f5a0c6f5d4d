"""Verdicts as labels: what people decided about the events the detector flagged.

Handed: nothing. Hands on: one label per decided alert, and the precision they give. Only the newest verdict
of a person counts; automation's own closures never become labels, nor do duplicate and undetermined.
"""

import datetime as dt

from alerts.models import LABELS, AlertEvent, AlertOrigin, DecidedBy, Verdict
from triage.contracts import Rate
from triage.learning.statistics import wilson

#: Alerts per statement; below SQLite's limit of bound variables.
CHUNK = 500


def alert_labels() -> dict[int, int]:
    """Return alert id -> 1 (malicious) or 0 (not), for flagged alerts whose newest verdict is a label."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON, alert__origin=AlertOrigin.FLAGGED)
    newest = dict(rows.order_by("id").values_list("alert_id", "value"))
    return {alert_id: LABELS[value] for alert_id, value in newest.items() if value in LABELS}


def event_labels() -> dict[int, int]:
    """Return event id -> label: each decided alert by its most unusual event, so that a burst counts once."""
    decided = alert_labels()
    rows = AlertEvent.objects.filter(alert__verdicts__decided_by=DecidedBy.PERSON, score__isnull=False)
    top = dict(rows.order_by("score", "-event_id").values_list("alert_id", "event_id"))
    return {event: decided[alert] for alert, event in top.items() if alert in decided}


def precision() -> Rate | None:
    """Return the share of decided alerts that were true positives; None while nobody has decided any."""
    labels = alert_labels()
    return wilson(sum(labels.values()), len(labels)) if labels else None


def in_order() -> list[tuple[dt.datetime, int]]:
    """Return ``(decided at, label)`` of every decided alert, oldest decision first."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON, alert__origin=AlertOrigin.FLAGGED)
    newest = {
        alert: (when, value)
        for alert, when, value in rows.order_by("id").values_list("alert_id", "created_at", "value")
    }
    return sorted((when, LABELS[value]) for when, value in newest.values() if value in LABELS)


def cleared_events() -> set[int]:
    """Return the ids of events in alerts that people decided to be harmless: these may be learned from."""
    harmless = [alert for alert, label in alert_labels().items() if label == 0]
    found: set[int] = set()
    for start in range(0, len(harmless), CHUNK):
        rows = AlertEvent.objects.filter(alert__in=harmless[start : start + CHUNK])
        found.update(rows.values_list("event_id", flat=True))
    return found
