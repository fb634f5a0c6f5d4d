"""What else is known around an alert: its entity's other alerts and events, and what was decided on alerts like it.

Handed: an alert. Hands on: counts, each with what was searched, so that "none" can be said with a receipt. Every query
is bounded in time and rows; how many there are does not depend on the alert.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, DecidedBy, Verdict
from triage.models import Event

ALERT_DAYS = 30
DECISION_DAYS = 90
AROUND = dt.timedelta(minutes=15)
#: Rows looked at; more are told as "at least".
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Context:
    """Counts around an alert's strongest event at ``at``; None where there is nothing to search by, or no longer.

    ``alerts`` of the entity in the days before and ``alerts_today`` of them in the last 24 hours; ``around`` its events
    within 15 minutes by outcome; ``before`` its events from ``since`` until then, ``first`` and ``last`` of them;
    ``decided`` the newest verdicts of people on other alerts of the kind until ``asked_at``, with ``decided_more`` only
    of the newest. ``complete`` tells whether the 15 minutes after the event had passed by then.
    """

    at: dt.datetime
    asked_at: dt.datetime
    since: dt.datetime
    alerts: int | None = None
    alerts_today: int = 0
    around: Counter[str] | None = None
    before: int | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    decided: Counter[str] | None = None
    decided_more: bool = False

    @property
    def complete(self) -> bool:
        return self.asked_at >= self.at + AROUND


def context(alert: Alert, at: dt.datetime) -> Context:
    """Return what is known around an alert: six queries at most."""
    asked_at = timezone.now()
    kept = asked_at - dt.timedelta(days=settings.RETENTION_DAYS)
    since = max(at - dt.timedelta(days=ALERT_DAYS), kept)
    told = _with_decisions(Context(at, asked_at, since), alert)
    if not alert.entity:
        return told
    told = _with_alerts(told, alert)
    # Events have left before that: not to find them would say nothing.
    return told if at - AROUND < kept else _with_events(told, alert.entity)


def _with_alerts(told: Context, alert: Alert) -> Context:
    others = Alert.objects.filter(
        entity=alert.entity, last_seen_at__gte=told.at - dt.timedelta(days=ALERT_DAYS), last_seen_at__lte=told.at
    )
    others = others.exclude(pk=alert.pk).exclude(origin=AlertOrigin.BLIND_AUDIT)
    today = Q(last_seen_at__gte=told.at - dt.timedelta(days=1))
    found = others.aggregate(alerts=Count("pk"), today=Count("pk", filter=today))
    return replace(told, alerts=found["alerts"], alerts_today=found["today"])


def _with_events(told: Context, entity: str) -> Context:
    """Complete what is known by the entity's events; the index by entity and time serves each query."""
    events = Event.objects.filter(entity=entity).order_by()
    around = events.filter(timestamp__gte=told.at - AROUND, timestamp__lte=told.at + AROUND)
    outcomes = Counter(around.values_list("event_outcome", flat=True)[: MAX_ROWS + 2])  # one is the event itself
    before = events.filter(timestamp__gte=told.since, timestamp__lt=told.at - AROUND)
    moments = before.values_list("timestamp", flat=True)
    # Two queries that each read one row of the index; an aggregate of both would read all of the entity's.
    return replace(
        told,
        around=outcomes,
        before=before.values("pk")[: MAX_ROWS + 1].count(),
        first=moments.order_by("timestamp").first(),
        last=moments.order_by("-timestamp").first(),
    )


def _with_decisions(told: Context, alert: Alert) -> Context:
    """Complete what is known by the newest verdict of a person on each other alert of the kind; notes are not read."""
    if not alert.template:
        return told
    verdicts = Verdict.standing.filter(
        decided_by=DecidedBy.PERSON,
        alert__template=alert.template,
        created_at__gte=told.asked_at - dt.timedelta(days=DECISION_DAYS),
    ).exclude(alert=alert)
    rows = list(verdicts.order_by("-id").values_list("alert_id", "value")[: MAX_ROWS + 1])
    newest: dict[int, str] = {}
    for alert_id, value in rows[:MAX_ROWS]:
        newest.setdefault(alert_id, value)
    return replace(told, decided=Counter(newest.values()), decided_more=len(rows) > MAX_ROWS)
