"""One alert: everything its page shows, read in a constant number of queries.

Handed: an alert's id. Hands on: an :class:`AlertPage`. Explanations and reasons are JSON written by other
rooms (and partly by a language model), so their shape is checked here and nothing is trusted to be there.
An open blind-audit alert is handed on without scores, reasons and explanation: its reviewer must not know.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from alerts.models import (
    Alert,
    AlertEvent,
    AlertOrigin,
    AlertStatus,
    AuditEntry,
    Explanation,
    ExplanationState,
    Verdict,
)
from triage import documents
from triage.models import Event

TOP_EVENTS = 10
TIMELINE_MINUTES = 15
TIMELINE_ROWS = 60
TIMELINE_POINTS = 10_000
STRIP_BINS = 60
AUDIT_ROWS = 100
CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class ClaimView:
    """One sentence and the numbers of the evidence lines it rests on; those not found are listed apart."""

    text: str
    evidence: list[int]
    missing: list[int]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the explanation with its claims."""

    heading: str
    claims: list[ClaimView]


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason as a bar. ``percent`` is the share of the score, None when it was not measured."""

    text: str
    percent: float | None
    width: float
    observed: str
    baseline: str
    fields: list[str]


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """An explanation ready to print. ``is_model`` tells a language model from the evidence explainer."""

    row: Explanation
    is_model: bool
    sections: list[Section]
    next_checks: list[str]
    techniques: list[str]
    evidence: list[dict[str, Any]]
    grounded: int
    claims: int


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of the alert; ``event`` is None once retention has taken it."""

    link: AlertEvent
    event: Event | None


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of the density strip, in SVG units (600 wide, 36 high)."""

    x: float
    y: float
    height: float
    count: int
    flagged: int
    starts_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events of the same entity around the alert's strongest event."""

    rows: list[Event]
    bins: list[Bin]
    total: int
    capped: bool
    anchor: dt.datetime
    start: dt.datetime
    end: dt.datetime
    highest: int


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Everything the alert page shows."""

    alert: Alert
    blind: bool
    explanation: ExplanationView | None
    failures: list[Explanation]
    reasons: list[ReasonView]
    events: list[EventView]
    fields: list[tuple[str, str]]
    timeline: Timeline
    history: list[AuditEntry]
    verdicts: list[Verdict]

    @property
    def verdict(self) -> Verdict | None:
        """The newest decision, if there is one."""
        return self.verdicts[0] if self.verdicts else None

    @property
    def top(self) -> EventView | None:
        """The strongest event."""
        return self.events[0] if self.events else None


def is_blind(alert: Alert) -> bool:
    """Whether the reviewer must see neither score nor explanation."""
    return alert.origin == AlertOrigin.BLIND_AUDIT and alert.status == AlertStatus.OPEN


def alert_page(alert_id: int) -> AlertPage:
    """Read one alert's page: nine queries. Raises ``Alert.DoesNotExist``."""
    rows = Alert.objects.select_related("source", "assignee", "ranking")
    alert = rows.defer("ranking__state", "ranking__report").get(pk=alert_id)
    blind = is_blind(alert)
    events = _events(alert)
    top = events[0] if events else None
    tries = list(alert.explanations.order_by("-id")[:20])
    return AlertPage(
        alert=alert,
        blind=blind,
        explanation=None if blind else _explanation(tries),
        failures=[] if blind else _recent_failures(alert, tries),
        reasons=[] if blind or top is None else reasons(top.link.reasons),
        events=events,
        fields=document_fields(top.event) if top and top.event else [],
        timeline=_timeline(alert, top.link.timestamp if top else alert.last_seen_at),
        history=list(alert.audit_entries.order_by("-id")[:AUDIT_ROWS]),
        verdicts=list(alert.verdicts.select_related("user").order_by("-id")[:20]),
    )


def _events(alert: Alert) -> list[EventView]:
    links = list(alert.alert_events.select_related("model_version").order_by("-score", "id")[:TOP_EVENTS])
    found = Event.objects.in_bulk([link.event_id for link in links])
    documents.prefetch(found.values())
    return [EventView(link=link, event=found.get(link.event_id)) for link in links]


def document_fields(event: Event) -> list[tuple[str, str]]:
    """Return the ECS fields of an event as sorted ``(name, text)`` pairs; a missing document gives one row."""
    fields = documents.of(event).fields
    if fields is None:
        return [("document", "cannot be read")]
    return [(name, _scalar_text(value)) for name, value in sorted(fields.items())]


def _scalar_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_scalar_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def reasons(rows: object) -> list[ReasonView]:
    """Return reasons as bars, largest first; bars are drawn relative to the largest, from zero."""
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    shares = [_number(row.get("contribution")) for row in found]
    largest = max((share for share in shares if share is not None), default=0.0)
    views = [
        ReasonView(
            text=str(row.get("text") or row.get("feature") or ""),
            percent=None if share is None else 100 * share,
            width=100 * max(share or 0.0, 0.0) / largest if largest > 0 else 0.0,
            observed=str(row.get("observed") or ""),
            baseline=str(row.get("baseline") or ""),
            fields=_texts(row.get("fields")),
        )
        for row, share in zip(found, shares, strict=True)
    ]
    return sorted(views, key=lambda view: -(view.percent or 0.0))


def _number(value: object) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e9 else None


def _texts(value: object) -> list[str]:
    return [str(item) for item in value if isinstance(item, str | int | float)] if isinstance(value, list) else []


def _explanation(tries: list[Explanation]) -> ExplanationView | None:
    """Return the newest try that gave an answer."""
    row = next((row for row in tries if not row.failure), None)
    if row is None:
        return None
    answer = row.answer if isinstance(row.answer, dict) else {}
    lines = [line for line in row.evidence if isinstance(line, dict)] if isinstance(row.evidence, list) else []
    numbers = {line.get("number") for line in lines}
    named = (
        ("What happened", "what_happened"),
        ("Why it matters", "why_it_matters"),
        ("Why it may be harmless", "why_it_may_be_benign"),
    )
    sections = [Section(heading, _claims(answer.get(key), numbers)) for heading, key in named]
    claims = [claim for section in sections for claim in section.claims]
    return ExplanationView(
        row=row,
        is_model=bool(row.model),
        sections=[section for section in sections if section.claims],
        next_checks=_texts(answer.get("next_checks")),
        techniques=_texts(answer.get("techniques")),
        evidence=lines,
        grounded=sum(1 for claim in claims if claim.evidence and not claim.missing),
        claims=len(claims),
    )


def _claims(rows: object, numbers: set[Any]) -> list[ClaimView]:
    views = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        cited = row.get("evidence")
        points = [n for n in cited if isinstance(n, int)] if isinstance(cited, list) else []
        views.append(
            ClaimView(
                text=str(row.get("text", "")),
                evidence=[n for n in points if n in numbers],
                missing=[n for n in points if n not in numbers],
            )
        )
    return views


def _recent_failures(alert: Alert, tries: list[Explanation]) -> list[Explanation]:
    """Return the failed tries since the last answer, newest first; all of them when the alert has failed."""
    failures = []
    for row in tries:
        if not row.failure:
            break
        failures.append(row)
    return failures if alert.explanation_state != ExplanationState.PENDING or failures else []


def _timeline(alert: Alert, anchor: dt.datetime) -> Timeline:
    """Read the entity's events around a time: two queries, or none without an entity."""
    half = dt.timedelta(minutes=TIMELINE_MINUTES)
    start, end = anchor - half, anchor + half
    if not alert.entity:
        return Timeline([], [], 0, False, anchor, start, end, 0)
    rows = Event.objects.filter(entity=alert.entity, timestamp__gte=start, timestamp__lte=end).order_by("timestamp")
    points = list(rows.values_list("timestamp", "flagged", "id")[:TIMELINE_POINTS])
    nearest = sorted(points, key=lambda point: (not point[1], abs(point[0] - anchor)))[:TIMELINE_ROWS]
    shown = Event.objects.defer("reasons").in_bulk([point[2] for point in nearest])
    bins = _bins([(stamp, flagged) for stamp, flagged, _ in points], start)
    return Timeline(
        rows=sorted(shown.values(), key=lambda event: (event.timestamp, event.pk)),
        bins=bins,
        total=len(points),
        capped=len(points) == TIMELINE_POINTS,
        anchor=anchor,
        start=start,
        end=end,
        highest=max((one.count for one in bins), default=0),
    )


def _bins(points: list[tuple[dt.datetime, bool]], start: dt.datetime) -> list[Bin]:
    width = dt.timedelta(minutes=2 * TIMELINE_MINUTES) / STRIP_BINS
    counts, flagged = [0] * STRIP_BINS, [0] * STRIP_BINS
    for stamp, is_flagged in points:
        index = min(int((stamp - start) / width), STRIP_BINS - 1)
        counts[index] += 1
        flagged[index] += is_flagged
    highest = max(counts, default=0) or 1
    step = 600 / STRIP_BINS
    return [
        Bin(
            x=index * step + 0.5,
            y=round(36 - max(2.0, 34 * count / highest), 1),
            height=round(max(2.0, 34 * count / highest), 1),
            count=count,
            flagged=flagged[index],
            starts_at=start + index * width,
        )
        for index, count in enumerate(counts)
        if count
    ]
