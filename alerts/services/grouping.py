"""Flagged events become alerts.

Handed: flagged events that are in no alert yet (the rows are the queue). Hands on: alerts with their events,
and a wake-up for explaining. One transaction per call; running it twice or at once doubles nothing: an
event id is in one alert at most and a fingerprint has one open alert at most, both by database constraint.
"""

import datetime as dt
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from alerts import grouping
from alerts.models import Alert, AlertEvent, AlertStatus, AlertTechnique
from alerts.services import audit, muting, notifying, ranking, severity
from triage import documents, state
from triage.models import Event

logger = logging.getLogger(__name__)

AUTOMATION = "grouping"
GROUP_BELL = "group"
EXPLAIN_BELL = "explain"
EXPLAIN_TASK = "alerts.tasks.explain_pending"
#: How often a pass is tried again after another worker opened the same alert first.
ATTEMPTS = 5
#: Rows per statement; below SQLite's limit of bound variables.
CHUNK = 500


def group_flagged(*, limit: int = 2000) -> int:
    """Put up to ``limit`` flagged, ungrouped events into alerts; return how many were taken.

    0 means that nothing is left, or that other workers hold the rest.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _group_once(limit)
        except IntegrityError as error:
            logger.info("another worker was faster, trying again: %s", error)
    return _group_once(limit)


def _group_once(limit: int) -> int:
    with transaction.atomic():
        events = list(_ungrouped()[:limit])
        if not events:
            return 0
        documents.prefetch(events)
        placed = _already_placed(events)
        _place([event for event in events if event.pk not in placed])
        for start in range(0, len(events), CHUNK):
            Event.objects.filter(pk__in=[event.pk for event in events[start : start + CHUNK]]).update(grouped=True)
        transaction.on_commit(wake_explaining, robust=True)
    return len(events)


def _ungrouped() -> QuerySet[Event]:
    rows = Event.objects.filter(flagged=True, grouped=False).order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True)
    return rows


def _already_placed(events: Sequence[Event]) -> set[int]:
    placed: set[int] = set()
    for start in range(0, len(events), CHUNK):
        ids = [event.pk for event in events[start : start + CHUNK]]
        placed.update(AlertEvent.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    return placed


def wake_explaining() -> None:
    """Ring for the explainers; a lost message is found by the sweep."""
    if state.ring(EXPLAIN_BELL):
        current_app.send_task(EXPLAIN_TASK)


def flagged_event(event: Event) -> grouping.FlaggedEvent:
    """Return an event row as the pure rooms know it; a document that cannot be read counts as empty."""
    return grouping.FlaggedEvent(
        source_id=event.source_id,
        parser=event.parser,
        entity=event.entity,
        message=documents.of(event).message or event.message,
        category=event.event_category,
        action=event.event_action,
        code=event.event_code,
        outcome=event.event_outcome,
        host_name=event.host_name,
        user_name=event.user_name,
        source_ip=event.source_ip,
        process_name=event.process_name,
        p_value=event.p_value,
        fields=documents.fields_of(event),
    )


def reasons(event: Event) -> list[dict[str, Any]]:
    """Return the reasons of an event row; unreadable ones are left out."""
    found = _json(event.reasons)
    return [reason for reason in found if isinstance(reason, dict)] if isinstance(found, list) else []


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        logger.warning("an event's JSON column cannot be read: %s", error)
        return None


def place(events: Sequence[Event]) -> None:
    """Put events into alerts inside the caller's transaction, whether or not they have been taken."""
    documents.prefetch(events)
    _place(events)


def _place(events: Sequence[Event]) -> None:
    """Add each event to the open alert of its fingerprint, opening what is missing.

    Every worker takes its locks in the order of fingerprints, so that none waits in a circle.
    """
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        groups[grouping.fingerprint(flagged_event(event))].append(event)
    open_alerts = _open_alerts(sorted(groups))
    touched: list[int] = []
    news: list[Alert] = []
    mutes = muting.Judge.now()
    for fingerprint in sorted(groups):
        alert = open_alerts.get(fingerprint)
        members = groups[fingerprint]
        before = (alert.status, alert.severity_rank) if alert else None
        if alert is None:
            alert = _open(fingerprint, members, mutes)
        else:
            _extend(alert, members, mutes)
        AlertEvent.objects.bulk_create([_link(alert, event) for event in members], batch_size=CHUNK)
        techniques = [AlertTechnique(alert=alert, technique_id=one) for one in alert.techniques]
        AlertTechnique.objects.bulk_create(techniques, ignore_conflicts=True)
        touched.append(alert.pk)
        if (alert.status, alert.severity_rank) != before:
            news.append(alert)
    mutes.write()
    notifying.note_alerts(news)
    transaction.on_commit(partial(ranking.rank_alerts, alert_ids=touched), robust=True)


def _open_alerts(fingerprints: list[str]) -> dict[str, Alert]:
    found: dict[str, Alert] = {}
    for start in range(0, len(fingerprints), CHUNK):
        rows = Alert.objects.select_for_update().filter(fingerprint__in=fingerprints[start : start + CHUNK])
        found |= {alert.fingerprint: alert for alert in rows.exclude(status=AlertStatus.CLOSED).order_by("fingerprint")}
    return found


def _link(alert: Alert, event: Event) -> AlertEvent:
    return AlertEvent(
        alert=alert,
        event_id=event.pk,
        timestamp=event.timestamp,
        score=event.score,
        p_value=event.p_value,
        reasons=reasons(event),
        model_version_id=event.model_version_id,
    )


def _strength(event: Event) -> tuple[bool, float]:
    return (event.score is not None, event.score or 0.0)


def _open(fingerprint: str, events: Sequence[Event], mutes: muting.Judge) -> Alert:
    """Open an alert, described by its strongest event."""
    top = max(events, key=_strength)
    described = flagged_event(top)
    alert = Alert(
        fingerprint=fingerprint,
        title=grouping.title(described),
        entity=top.entity,
        source_id=top.source_id,
        host_name=top.host_name,
        user_name=top.user_name,
        source_ip=top.source_ip,
        process_name=top.process_name,
        kind=_kind(described),
        template=grouping.template(described),
        severity="info",
        severity_rank=0,
        first_seen_at=top.timestamp,
        last_seen_at=top.timestamp,
    )
    _absorb(alert, events)
    mutes.judge(alert)
    alert.save()
    details = {"events": len(events), "severity": alert.severity, "fingerprint": fingerprint}
    if alert.mute_rule_id:
        details["mute_rule"] = alert.mute_rule_id
    audit.record_automation(action="alert.opened", automation=AUTOMATION, alert=alert, details=details)
    return alert


def _kind(described: grouping.FlaggedEvent) -> dict[str, str]:
    """Return what the ranking needs to know of an event after it has left."""
    return {
        "template": grouping.template(described),
        "parser": described.parser,
        "category": described.category,
        "action": described.action,
        "code": described.code,
    }


def _extend(alert: Alert, events: Sequence[Event], mutes: muting.Judge) -> None:
    _absorb(alert, events)
    mutes.judge(alert)
    alert.revision += 1
    alert.save()


def _absorb(alert: Alert, events: Sequence[Event]) -> None:
    """Bring the alert's counts, times, score, techniques and severity up to date; severity never falls."""
    top = max(events, key=_strength)
    alert.event_count += len(events)
    alert.first_seen_at = min(alert.first_seen_at, *_times(events))
    alert.last_seen_at = max(alert.last_seen_at, *_times(events))
    if top.score is not None and (alert.score is None or top.score > alert.score):
        alert.score, alert.p_value = top.score, top.p_value
        alert.model_version_id = top.model_version_id
    severity.absorb(alert, {event.pk: flagged_event(event) for event in events})


def _times(events: Sequence[Event]) -> list[dt.datetime]:
    return [event.timestamp for event in events]
