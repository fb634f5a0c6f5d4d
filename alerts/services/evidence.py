"""What an explainer is given about an alert: numbered lines of evidence and nothing else.

Handed: an alert. Hands on: an :class:`~triage.contracts.ExplanationRequest` made from its strongest events:
their fields, the capped message, the reasons with their baselines, the counts. Reads only.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from alerts.models import Alert, AlertEvent
from triage import documents
from triage.contracts import EvidenceLine, ExplanationRequest, Reason
from triage.explainers import lines
from triage.models import Event

#: Events whose names are looked at; the first one's fields become evidence.
TOP_EVENTS = 5
MAX_FIELDS = 24
MAX_REASONS = 8
MAX_IDENTIFIERS = 200
#: Told first, in this order; other fields follow by name.
_FIRST = (
    "event.action", "event.category", "event.code", "event.outcome", "user.name", "host.name", "source.ip",
    "destination.ip", "process.name", "process.command_line", "log.level",
)  # fmt: skip
_SKIPPED = frozenset({"message", "@timestamp", "event.original", "ecs.version", "event.ingested", "event.created"})
#: The end of a field's name -> what its value identifies.
_KINDS: tuple[tuple[str, str], ...] = (
    ("user.name", "user"), ("user.email", "mail"), ("user.full_name", "user"), ("user.id", "user"),
    ("target.name", "user"), ("effective.name", "user"), ("changes.name", "user"), ("related.user", "user"),
    ("host.name", "host"), ("host.hostname", "host"), ("host.id", "host"), ("related.hosts", "host"),
    ("observer.name", "host"), ("agent.name", "host"), ("domain", "host"), ("server.address", "host"),
    ("source.address", "host"), ("destination.address", "host"), ("client.address", "host"),
    ("host.ip", "address"), (".ip", "address"), ("related.ip", "address"), ("cloud.account.id", "user"),
)  # fmt: skip


def build_request(alert: Alert) -> ExplanationRequest:
    """Return the evidence of an alert; retention may have taken its events, the reasons are still there."""
    links = list(alert.alert_events.order_by("-score", "id")[:TOP_EVENTS])
    events = Event.objects.in_bulk([link.event_id for link in links])
    documents.prefetch(events.values())
    held = [documents.fields_of(events[link.event_id]) for link in links if link.event_id in events]
    top = events.get(links[0].event_id) if links else None
    reasons = _reasons(links[0]) if links else ()
    evidence = [
        EvidenceLine(number, origin, text)
        for number, (origin, text) in enumerate(_texts(alert, top, links, reasons), start=1)
    ]
    return ExplanationRequest(
        title=lines.plain(alert.title, 300),
        severity=alert.severity,
        entity=lines.plain(alert.entity, 200),
        evidence=tuple(evidence),
        reasons=reasons,
        techniques=tuple(alert.techniques),
        identifiers=_identifiers(alert, held),
    )


def _texts(
    alert: Alert, top: Event | None, links: list[AlertEvent], reasons: tuple[Reason, ...]
) -> Iterator[tuple[str, str]]:
    """Yield ``(origin, text)`` of each line, before it is numbered."""
    if links:
        yield _field("@timestamp", _time(links[0].timestamp))
    if top is not None:
        yield from _event_texts(top)
    for reason in reasons:
        yield lines.SCORE, _reason_text(reason)
    yield lines.CONTEXT, _count_text(alert)
    if alert.score is not None:
        yield lines.CONTEXT, _score_text(alert)


def _field(name: str, value: object) -> tuple[str, str]:
    line = lines.field_line(0, name, value)
    return line.origin, line.text


def _event_texts(event: Event) -> Iterator[tuple[str, str]]:
    document = _with_columns(event)
    rest = sorted(name for name in document if name not in _FIRST and name not in _SKIPPED)
    told = [name for name in (*_FIRST, *rest) if document.get(name) not in (None, "", [])]
    for name in told[:MAX_FIELDS]:
        yield _field(name, document[name])
    message = documents.of(event).message or event.message
    if message:
        yield _field("message", message)


def _with_columns(event: Event) -> dict[str, Any]:
    """Return the document, completed by the columns that say the same in a row."""
    columns = {
        "event.action": event.event_action, "event.category": event.event_category, "event.code": event.event_code,
        "event.outcome": event.event_outcome, "user.name": event.user_name, "host.name": event.host_name,
        "source.ip": event.source_ip, "destination.ip": event.destination_ip, "process.name": event.process_name,
    }  # fmt: skip
    return {name: value for name, value in columns.items() if value} | documents.fields_of(event)


def _reasons(link: AlertEvent) -> tuple[Reason, ...]:
    rows = link.reasons if isinstance(link.reasons, list) else []
    found = [_reason(row) for row in rows if isinstance(row, dict)]
    return tuple(sorted(found, key=lambda reason: -reason.contribution)[:MAX_REASONS])


def _reason(row: dict[str, Any]) -> Reason:
    contribution = row.get("contribution")
    fields = row.get("fields")
    return Reason(
        feature=lines.plain(row.get("feature") or "", 80),
        text=lines.plain(row.get("text") or row.get("feature") or "unusual", 300),
        contribution=float(contribution) if isinstance(contribution, int | float) else 0.0,
        fields=tuple(str(name) for name in fields) if isinstance(fields, list) else (),
        observed=lines.plain(row.get("observed") or "", 120),
        baseline=lines.plain(row.get("baseline") or "", 120),
    )


def _reason_text(reason: Reason) -> str:
    parts = [
        f"observed: {reason.observed}" if reason.observed not in reason.text else "",
        f"baseline: {reason.baseline}" if reason.baseline not in reason.text else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{reason.text} ({told})" if told else reason.text


def _count_text(alert: Alert) -> str:
    if alert.event_count == 1:
        return f"1 event is in this alert, at {_time(alert.first_seen_at)}."
    first, last = _time(alert.first_seen_at), _time(alert.last_seen_at)
    return f"{alert.event_count} events are in this alert, from {first} to {last}."


def _score_text(alert: Alert) -> str:
    text = f"The highest score is {alert.score:.3f}."
    if alert.p_value is None:
        return text
    return f"{text} In the events the model learned from, a share of {alert.p_value:.2g} scores at least as high."


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identifiers(alert: Alert, held: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return ``(kind, value)`` of every name in the parsed fields and on the alert, each once, longest-lived first."""
    found = [("user", alert.user_name), ("host", alert.host_name), ("address", alert.source_ip)]
    kind, _, value = alert.entity.partition(":")
    found += [(kind, value)] if kind in {"user", "host", "address"} else []
    for document in held:
        for name, value in document.items():
            named = next((kind for ending, kind in _KINDS if name.endswith(ending)), "")
            found += [(named, str(item)) for item in (value if isinstance(value, list) else [value])] if named else []
    plain = ((kind, lines.plain(value, 300)) for kind, value in found)
    return tuple(dict.fromkeys(pair for pair in plain if pair[1]))[:MAX_IDENTIFIERS]
