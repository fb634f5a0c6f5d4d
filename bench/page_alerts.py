"""The analysts' side for the bench of pages: alerts with their events, verdicts, history, rules, views and money.

Handed: how many alerts, over events that :mod:`bench.page_events` made. Hands on: filled tables. Three in ten alerts
are open, the others decided over the month; most flagged events belong to a few templates, as in life.
"""

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import connection, models

from alerts.models import (
    Alert,
    AlertEvent,
    AlertTechnique,
    AuditEntry,
    Explanation,
    LlmCall,
    MuteRule,
    ReviewAction,
    SavedView,
    SpendBlock,
    Verdict,
    VerdictValue,
)
from triage.models import AlertPolicy, ApiToken, Event, ModelVersion, User

SEVERITIES = ("info", "low", "medium", "high", "critical")
TECHNIQUES = ("T1078", "T1110", "T1059.001", "T1003", "T1021.002", "T1071", "T1486", "T1566", "T1098", "T1053.005")
TEMPLATES = 400
REASON = {
    "feature": "user_host_new", "text": "this user was never seen on this host before", "contribution": 0.75,
    "fields": ["user.name", "host.name"], "observed": "both together", "baseline": "0 of 12,000 events",
}  # fmt: skip
CLAIM = "User logged in to a host that it never used before, from an address seen once in thirty days. "


def fill(count: int, now: dt.datetime) -> None:
    """Make everything the analysts' pages read."""
    rng = random.Random(11)
    users, versions = _people(), _versions(now)
    events = list(_flagged(count * 3 // 2, rng))
    made = list(_alerts(count, events, users, versions, rng))
    _save(alert for alert, _ in made)
    _save(
        AlertEvent(
            alert=alert, event_id=event.pk, timestamp=event.timestamp, score=alert.score, p_value=alert.p_value,
            reasons=[REASON], model_version=versions[-1],
        )
        for alert, linked in made
        for event in linked
    )  # fmt: skip
    _mark_events(versions[-1].pk)
    alerts = [alert for alert, _ in made]
    _save(AlertTechnique(alert=alert, technique_id=one) for alert in alerts for one in alert.techniques)
    _save(_verdicts(alerts, users, rng))
    _save(_explanations(alerts[:: max(1, count // 10_000)]))
    _save(_spent(now, rng))
    _save(_calls(alerts))
    _save(_history(alerts, users, rng))
    _workspace(alerts, users, now)
    _backdate(Verdict, "decided_at")
    _backdate(AuditEntry, "updated_at")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _save(rows: Iterator[Any] | Any) -> None:
    """Insert rows in blocks."""
    rows = iter(rows)
    while block := list(islice(rows, 5_000)):
        type(block[0])._default_manager.bulk_create(block)


def _people() -> list[User]:
    roles = ("viewer", "analyst", "analyst", "analyst", "analyst", "lead", "admin", "analyst")
    rows = [User(username=f"{role}{number}", role=role) for number, role in enumerate(roles)]
    for row in rows:
        row.set_unusable_password()
    people = User.objects.bulk_create(rows)
    ApiToken.objects.bulk_create(ApiToken(user=one, token_hash=f"{one.pk:064d}") for one in people)
    return people


def _versions(now: dt.datetime) -> list[ModelVersion]:
    """Make a month of nightly versions, the last one serving."""
    rows = ModelVersion.objects.bulk_create(
        ModelVersion(
            version=f"2026-{number:03d}", detector="baseline_forest", artefact_sha256=f"{number:064x}",
            status="retired" if number < 29 else "champion", trained_at=now - dt.timedelta(days=30 - number),
            promoted_at=now - dt.timedelta(days=29 - number), decision="Every figure held on 12,000 later events.",
        )
        for number in range(30)
    )  # fmt: skip
    AlertPolicy.objects.create(
        created_by="lead5", wishes={"alerts_per_day": 200}, model_version=rows[-1], threshold=6.0
    )
    return rows


def _flagged(count: int, rng: random.Random) -> Iterator[Event]:
    """Yield events, evenly over all there are."""
    total = Event.objects.count()
    fields = (
        "pk",
        "timestamp",
        "source_id",
        "entity",
        "host_name",
        "user_name",
        "source_ip",
        "process_name",
        "event_code",
    )
    step = max(1, total // count)
    for number, event in enumerate(Event.objects.only(*fields[1:]).order_by("pk").iterator(chunk_size=20_000)):
        if number % step == 0:
            yield event


def _alerts(
    count: int, events: list[Event], users: list[User], versions: list[ModelVersion], rng: random.Random
) -> Iterator[tuple[Alert, list[Event]]]:
    """Yield unsaved alerts with their events."""
    rng.shuffle(events)
    for number in range(count):
        linked = events[number::count][:12]
        first, last = min(one.timestamp for one in linked), max(one.timestamp for one in linked)
        if last - first > dt.timedelta(days=2):
            linked, last = [one for one in linked if one.timestamp == first], first
        status = rng.choices(("open", "closed", "muted"), (30, 66, 4))[0]
        severity = rng.choices(SEVERITIES, (20, 40, 25, 12, 3))[0]
        template = min(int(rng.paretovariate(0.7)), TEMPLATES) - 1
        acted = first + dt.timedelta(minutes=rng.expovariate(1 / 40)) if status == "closed" else None
        event = linked[0]
        yield Alert(
            fingerprint=hashlib.sha256(f"{number}".encode()).hexdigest(), status=status, severity=severity,
            severity_rank=SEVERITIES.index(severity),
            title=f"Unusual action {template} of rule {template} by {event.user_name}",
            entity=event.entity, source_id=event.source_id, host_name=event.host_name, user_name=event.user_name,
            source_ip=event.source_ip, process_name=event.process_name,
            template=hashlib.sha256(f"template {template}".encode()).hexdigest(),
            model_version=rng.choice(versions[-5:]),
            score=rng.uniform(5, 12), p_value=10 ** -rng.uniform(2, 5), severity_parts={"prefilter": severity},
            techniques=rng.sample(TECHNIQUES, rng.choice((0, 1, 1, 2))), event_count=len(linked), first_seen_at=first,
            last_seen_at=last, assignee=rng.choice(users) if rng.random() < 0.2 else None, first_action_at=acted,
            decided_at=acted and acted + dt.timedelta(minutes=rng.expovariate(1 / 15)),
            explanation_state=rng.choices(("done", "pending", "failed"), (90, 8, 2))[0],
            kind={"parser": "ecs_json", "category": "authentication", "action": f"action_{template}"},
        ), linked  # fmt: skip


def _mark_events(version: int) -> None:
    """Give the events of alerts the marks of flagged ones, and their alerts the time they were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE triage_event e SET flagged = true, grouped = true, score = l.score, p_value = l.p_value,"
            " reasons = %s, model_version_id = %s FROM alerts_alertevent l WHERE l.event_id = e.id",
            [json.dumps([REASON]), version],
        )
        cursor.execute(
            "UPDATE alerts_alert SET created_at = last_seen_at, updated_at = coalesce(decided_at, last_seen_at)"
        )


def _verdicts(alerts: list[Alert], users: list[User], rng: random.Random) -> Iterator[Verdict]:
    deciding = [one for one in users if one.role != "viewer"]
    for alert in alerts:
        if alert.status == "closed":
            value = rng.choices(VerdictValue.values, (3, 6, 40, 25, 15, 8, 3))[0]
            note = "known change, see the ticket" if rng.random() < 0.3 else ""
            yield Verdict(alert=alert, value=value, note=note, decided_by="person", user=rng.choice(deciding))


def _explanations(alerts: list[Alert]) -> Iterator[Explanation]:
    claims = [{"text": CLAIM, "evidence": [1], "status": "grounded", "problems": []} for _ in range(4)]
    evidence = [{"number": number, "origin": "event", "text": f"user.name=person{number}"} for number in range(1, 9)]
    for alert in alerts:
        yield Explanation(
            alert=alert, explainer="openai_chat", model="small-1", prompt_version="v3", purpose="explain", tier="small",
            answer={"what_happened": claims, "why_it_matters": claims[:1], "next_checks": ["Ask the owner."]},
            evidence=evidence, claims=5, grounded=5, suggested_verdict="benign_tp", confidence="medium",
            input_tokens=2400, output_tokens=380, latency_ms=1800,
        )  # fmt: skip


def _spent(now: dt.datetime, rng: random.Random) -> Iterator[SpendBlock]:
    for back in range(30):
        day = (now - dt.timedelta(days=back)).date()
        yield SpendBlock(scope="all", period=f"{day}", spent_microusd=rng.randrange(800_000), calls=300)


def _calls(alerts: list[Alert]) -> Iterator[LlmCall]:
    for alert in alerts[::6]:
        yield LlmCall(
            day=alert.last_seen_at.date(), alert=alert, source_id=alert.source_id, purpose="explain", tier="small",
            state="settled", lease_until=alert.last_seen_at, settled_at=alert.last_seen_at, cost_microusd=1370,
            reserved_microusd=4000, cost_basis="measured", endpoint="llm.example", model="small-1", validation="valid",
            latency_ms=1800, input_tokens=2400, output_tokens=380,
        )  # fmt: skip


def _history(alerts: list[Alert], users: list[User], rng: random.Random) -> Iterator[AuditEntry]:
    for alert in alerts:
        if alert.status == "closed":
            name = rng.choice(users).username
            yield AuditEntry(actor=name, actor_kind="person", action="take", alert=alert)
            yield AuditEntry(
                actor=name,
                actor_kind="person",
                action="verdict",
                alert=alert,
                details={"value": "benign_tp", "note": ""},
            )


def _workspace(alerts: list[Alert], users: list[User], now: dt.datetime) -> None:
    """Make rules, views and what people can undo."""
    for number in range(60):
        MuteRule.objects.create(
            owner=users[number % len(users)], reason="A scanner of ours, see the ticket",
            template=alerts[number].template, template_title=alerts[number].title, example=alerts[number],
            max_severity="low", hidden_count=40 * number,
            shown_count=2 * number, expires_at=now + dt.timedelta(days=number - 40), last_hit_at=now,
        )  # fmt: skip
    for number in range(24):
        page, query = (
            ("queue", f"severity={SEVERITIES[number % 5]}")
            if number % 2
            else ("events", f"q=event.code:{4000 + number}")
        )
        SavedView.objects.create(
            owner=users[number % len(users)], page=page, name=f"view {number}", query=query, shared=number % 3 > 0
        )
    _save(
        ReviewAction(user=users[n % len(users)], kind="verdict", value="benign_tp", alert_count=1) for n in range(5_000)
    )


def _backdate(table: type[models.Model], column: str) -> None:
    """Give rows of alerts the time at which they would have been made. The trail is append-only, but not yet in use."""
    name = table._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        cursor.execute(
            f"UPDATE {name} t SET created_at = a.{column} FROM alerts_alert a"
            f" WHERE a.id = t.alert_id AND a.{column} IS NOT NULL"
        )
        cursor.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")
