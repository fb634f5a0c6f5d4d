"""What an explainer is given about an alert: numbered lines of evidence and nothing else.

Handed: an alert. Hands on: an :class:`~triage.contracts.ExplanationRequest`: the strongest event's fields and capped
message, how other events of the alert differ, the reasons with their baselines, and what else is known around it with
a receipt for each query. Verdicts of people on alerts of the same kind are told as counts; who decided, and what
analysts noted, is not. Blind audits are left out. Also hands on what the evidence says by itself. Reads only.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings

from alerts.models import Alert, AlertEvent
from alerts.selectors import context as around
from alerts.selectors.context import Context
from triage import documents, explainers
from triage.contracts import EvidenceLine, ExplanationAnswer, ExplanationRequest, Reason
from triage.explainers import case, lines
from triage.explainers.case import moment
from triage.models import Event

logger = logging.getLogger(__name__)

#: Events whose names are looked at; the first one's fields become evidence, the others' where they differ.
TOP_EVENTS = 5
MAX_DIFFERENCES = 8
#: Origin, text, and the event it is of, where it is of one.
Told = tuple[str, str, int | None]
#: Fields in which another event of the same alert is worth telling apart.
_TELLING = (
    "event.action", "event.outcome", "user.name", "host.name", "source.ip", "destination.ip", "destination.port",
    "process.name", "process.command_line", "url.path", "dns.question.name",
)  # fmt: skip


def build_request(alert: Alert) -> ExplanationRequest:
    """Return the evidence of an alert; retention may have taken its events, the reasons are still there."""
    links = list(alert.alert_events.order_by("-score", "id")[:TOP_EVENTS])
    events = Event.objects.in_bulk([link.event_id for link in links])
    documents.prefetch(events.values())
    held = [events[link.event_id] for link in links if link.event_id in events]
    reasons = _reasons(links[0]) if links else ()
    top = events.get(links[0].event_id) if links else None
    told = _texts(alert, top, links, reasons, held)
    return ExplanationRequest(
        title=lines.plain(alert.title, 300),
        severity=alert.severity,
        entity=lines.plain(alert.entity, 200),
        evidence=tuple(EvidenceLine(number, *line) for number, line in enumerate(told, start=1)),
        reasons=reasons,
        techniques=tuple(alert.techniques),
        identifiers=_identifiers(alert, [_with_columns(event) for event in held]),
    )


def _texts(
    alert: Alert, top: Event | None, links: list[AlertEvent], reasons: tuple[Reason, ...], held: list[Event]
) -> Iterator[Told]:
    """Yield each line, before it is numbered."""
    if links:
        yield *case.field("@timestamp", moment(links[0].timestamp)), links[0].event_id
    if top is not None:
        for pair in case.event_texts(_with_columns(top), documents.of(top).message or top.message):
            yield *pair, top.pk
    for reason in reasons:
        yield lines.SCORE, case.reason_text(reason), None
    yield lines.CONTEXT, _count_text(alert), None
    if alert.score is not None:
        yield lines.CONTEXT, _score_text(alert), None
    if top is not None:
        yield lines.CONTEXT, f"The strongest event was read by the parser {lines.plain(top.parser, 40)}.", None
        yield from _differences(top, [event for event in held if event.pk != top.pk])
    at = links[0].timestamp if links else alert.last_seen_at
    for pair in _context_texts(around.context(alert, at), lines.plain(alert.entity, 200)):
        yield *pair, None


def _differences(top: Event, others: list[Event]) -> Iterator[Told]:
    """Yield in which telling fields other events of the alert differ from the strongest, each difference once."""
    first = _with_columns(top)
    told: set[str] = set()
    for event in others:
        document = _with_columns(event)
        for name in _TELLING:
            value = document.get(name)
            text = case.field(name, value)[1]
            if value not in (None, "", first.get(name)) and text not in told and len(told) < MAX_DIFFERENCES:
                told.add(text)
                yield lines.CONTEXT, f"Another event of this alert, at {moment(event.timestamp)}, has {text}", event.pk


def _context_texts(found: Context, entity: str) -> Iterator[tuple[str, str]]:
    """Yield a receipt for each query, and what it found in more words."""
    at = moment(found.at)
    if found.around is not None and found.before is not None:
        others = max(found.around.total() - 1, 0)
        so_far = "" if found.complete else ", so far"
        yield _receipt(f"other events of {entity} within 15 minutes of {at}{so_far}", others)
        if others:
            yield lines.CONTEXT, f"With this one, by outcome: {_counts(found.around)}."
        earlier = f"from {moment(found.since)} until 15 minutes before {at}"
        yield _receipt(f"events of {entity} {earlier}", found.before)
        if found.first is not None and found.last is not None:
            first, last = moment(found.first), moment(found.last)
            yield lines.CONTEXT, f"The first of these events was at {first}, the last at {last}."
    if found.alerts is not None:
        yield _receipt(f"other alerts of {entity} in the {around.ALERT_DAYS} days before {at}", found.alerts)
        if found.alerts_today:
            yield lines.CONTEXT, f"Of these alerts {found.alerts_today:,} came in the last 24 hours."
    if found.decided is not None:
        span = f"{around.DECISION_DAYS} days before {moment(found.asked_at)}"
        decided = f"alerts of this kind that analysts decided in the {span}"
        yield _receipt(decided, found.decided.total(), more=found.decided_more)
        if found.decided:
            yield lines.CONTEXT, f"{lines.DECISIONS}{_counts(found.decided)}."


def _receipt(searched: str, found: int, *, more: bool = False) -> tuple[str, str]:
    """Return the receipt of a query; of one that was not read to its end only what was found at least."""
    if more or found > around.MAX_ROWS:
        return lines.CONTEXT, f"Searched {searched}: found at least {min(found, around.MAX_ROWS):,}."
    line = lines.receipt_line(0, searched, found)
    return line.origin, line.text


def _counts(counted: Mapping[str, int]) -> str:
    ordered = Counter(dict(sorted(counted.items()))).most_common()
    return ", ".join(f"{n:,} {lines.plain(name, 40) or 'without one'}" for name, n in ordered)


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
    return tuple(sorted(found, key=lambda reason: -reason.contribution)[: case.MAX_REASONS])


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


def _count_text(alert: Alert) -> str:
    if alert.event_count == 1:
        return f"1 event is in this alert, at {moment(alert.first_seen_at)}."
    first, last = moment(alert.first_seen_at), moment(alert.last_seen_at)
    return f"{alert.event_count} events are in this alert, from {first} to {last}."


def _score_text(alert: Alert) -> str:
    text = f"The highest score is {alert.score:.3f}."
    return text if alert.p_value is None else f"{text} {case.rarity_text(alert.p_value)}"


def _identifiers(alert: Alert, held: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return ``(kind, value)`` of every name in the parsed fields and on the alert, each once, longest-lived first."""
    known = [("user", alert.user_name), ("host", alert.host_name), ("address", alert.source_ip)]
    kind, _, value = alert.entity.partition(":")
    known += [(kind, value)] if kind in {"user", "host", "address"} else []
    return case.identifiers(known, held)


def answer_by_rule(request: ExplanationRequest, *, note: str) -> ExplanationAnswer:
    """Return the explanation that needs no language model; ``note`` says why none was asked."""
    asked = _answer_of_plug_in(request) if settings.EXPLAINER != "evidence" else None
    answer: ExplanationAnswer = asked or explainers.get("evidence")().explain(request)
    return replace(answer, details={**answer.details, "note": note})


def _answer_of_plug_in(request: ExplanationRequest) -> ExplanationAnswer | None:
    """Return what an installed explainer says, None when it fails: an alert is never without its evidence."""
    try:
        answer: ExplanationAnswer = explainers.get(settings.EXPLAINER)().explain(request)
    except Exception:  # an outsider's code, whose trouble is in the log and costs nobody an explanation
        logger.exception("explainer %s gave no answer; the evidence stands in for it", settings.EXPLAINER)
        return None
    return answer
