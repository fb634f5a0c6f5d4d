"""An estate with a row of every kind, so that no page is empty, and every text of it the same one.

Handed: a text, ordinary or hostile. Hands on: the samples that :mod:`tests.pages` builds addresses from. Columns are
filled past the forms, as senders, older versions and other programs may have filled them.
"""

import datetime as dt
from typing import Any

from django.utils import timezone

from alerts.models import (
    Alert,
    AlertPresence,
    AlertTechnique,
    AuditEntry,
    Channel,
    Condition,
    Delivery,
    MuteRule,
    Notification,
    ReviewAction,
    ReviewedAlert,
    SavedView,
    Verdict,
)
from tests.alerts.explained import by_model
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_batch
from triage.models import Alarm, ApiToken, ModelVersion, Source, SourceHealth, User

#: HTML, a script, template syntax, quotes, an override of the direction, an emoji, a formula, more than one line holds.
TEXT = HOSTILE + " {% debug %} ${7*7} \U0001f479 =cmd|' /C calc'!A0 <b>x</b>"
ORDINARY = "Accepted password for backup"
#: As long as the longest line a sender gets in.
LONG = 100_000


def make_estate(text: str = TEXT, *, alerts: int = 60) -> dict[str, Any]:
    """Make rows of every kind and return a sample for each argument of the URL conf.

    ``alerts`` more ordinary ones stand in the queue, so that it has a second page.
    """
    source = Source.objects.create(name=text[:80], token_hash="e" * 64)
    now = timezone.now()
    person = User.objects.create(username=text[:150], first_name=text[:150], last_name=text[:150], role="analyst")
    version = _version(text, now)
    alert = _alert(source, version, person, text, now)
    ids = {
        "alert_id": alert.pk,
        "event_id": alert.alert_events.order_by("pk").values_list("event_id", flat=True)[0],
        "source_id": source.pk,
        "version_id": version.pk,
        "user_id": person.pk,
        "batch_id": make_batch(source, "x", status="quarantined", reason=text).pk,
        "alarm_id": Alarm.objects.create(
            kind="kinds", model_version_id=version.pk, recommendation="retrain", text=text, raised_at=now
        ).pk,
        "token_id": ApiToken.objects.create(user=person, token_hash="f" * 64).pk,
        "kind": "user",
        "entity_name": "backup",
    }
    make_batch(source, "x", status="done", event_count=1, parser_counts={text[:30]: 1}, discard_counts={text: 1})
    SourceHealth.objects.create(source=source, judged_at=now, states=[["silent", text]], troubled=True)
    ids |= _workspace(alert, person, text, now)
    ids |= _notifications(alert, text, now)
    for number in range(alerts):
        make_alert(source, severity=("low", "medium", "info")[number % 3], p_value=None if number % 5 else 0.01)
    return ids


def _version(text: str, now: dt.datetime) -> ModelVersion:
    return ModelVersion.objects.create(
        version=text[:64],
        detector=text[:64],
        status="champion",
        artefact_sha256="0" * 64,
        decision=text,
        trained_at=now,
    )


def _alert(source: Source, version: ModelVersion, person: User, text: str, now: dt.datetime) -> Alert:
    """Make the alert that has everything: events, an explanation, a verdict, somebody who looks at it."""
    alert = make_full_alert(
        source, text=text, title=(text * 3)[:300], severity="critical", entity=f"user:{text}"[:200],
        host_name=text, user_name=text, source_ip=text[:64], process_name=text, model_version=version,
        template="t" * 64, assignee=person, escalated_at=now, escalated_by=person, techniques=["T1078"],
        injection_suspected=True,
        injection_findings=[{"event_id": 1, "field": text, "why": text, "excerpt": text}], kind={"action": text},
    )  # fmt: skip
    claim = {"text": text, "evidence": [1], "status": "grounded", "problems": [text]}
    by_model(alert, model=text[:120], answer={"what_happened": [claim], "next_checks": [text], "techniques": [text]})
    AlertTechnique.objects.create(alert=alert, technique_id="T1078")
    AlertPresence.objects.create(alert=alert, user=person, seen_at=now)
    document = {"user.name": text, "process.command_line": f"{text}\0{'L' * LONG}", text[:40]: text, "labels": [text]}
    flagged(source, message=text + "M" * LONG, entity=alert.entity, user_name=text, host_name=text, document=document)
    flagged(source, entity="user:backup")
    make_full_alert(source, text="تسجيل دخول", title="تسجيل دخول غير معتاد admin", entity="user:مدير")
    return alert


def _notifications(alert: Alert, text: str, now: dt.datetime) -> dict[str, Any]:
    """Make a channel with a message that was given up, one that fails, and something that is wrong."""
    channel = Channel.objects.create(
        name=text[:80], kind="webhook", address=text[:1000], topics=["source"], created_by=text[:150],
        quiet_from=0, quiet_until=60,
    )  # fmt: skip
    dead, _ = (
        Delivery.objects.create(channel=channel, state=state, attempts=8, error=text[:300], created_at=now, due_at=now)
        for state in ("dead", "waiting")
    )
    Notification.objects.create(
        channel=channel, topic="alert", subject=text[:160], key=text[:160], severity="critical", severity_rank=4,
        alert=alert, title=text[:300], text=text, created_at=now, delivery=dead, repeats=2,
    )  # fmt: skip
    Condition.objects.create(
        subject=text[:150], topic="source", severity="high", title=text[:300], text=text, since=now
    )
    return {"channel_id": channel.pk, "delivery_id": dead.pk}


def _workspace(alert: Alert, person: User, text: str, now: dt.datetime) -> dict[str, Any]:
    """Make what people leave behind: verdicts, actions, views, rules, the audit trail."""
    verdict = Verdict.objects.create(alert=alert, value="undetermined", note=text, decided_by="person", user=person)
    action = ReviewAction.objects.create(user=person, kind="verdict", value=text[:150], alert_count=1, query=text)
    ReviewedAlert.objects.create(action=action, alert=alert, revision=alert.revision, verdict=verdict)
    AuditEntry.objects.create(
        actor=text[:150], actor_kind="person", action=text[:64], alert=alert, details={"note": text, text[:40]: [text]}
    )
    views = [
        SavedView.objects.create(owner=person, page=page, name=text[:80], query="q=x", shared=True)
        for page in ("queue", "events")
    ]
    rule = MuteRule.objects.create(
        owner=person, reason=text, expires_at=now + dt.timedelta(days=3), example=alert, template="t" * 64,
        template_title=text[:300], entity=f"user:{text}"[:200],
    )  # fmt: skip
    return {"action_id": action.pk, "view_id": views[0].pk, "rule_id": rule.pk}
