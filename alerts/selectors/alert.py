"""One alert: everything its page shows, read in a constant number of queries.

Handed: an alert's id. Hands on: an :class:`AlertPage`. Reasons and findings are JSON written by other rooms, so their
shape is checked here and nothing is trusted to be there; explanations are read by :mod:`alerts.selectors.explanation`.
An open blind-audit alert is handed on without scores, reasons and explanation: its reviewer must not know.
"""

import datetime as dt
import json
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from alerts.models import (
    Alert,
    AlertEvent,
    AlertOrigin,
    AlertStatus,
    AuditEntry,
    DecidedBy,
    ExplanationState,
    Severity,
    Verdict,
)
from alerts.selectors.explanation import Explained, ExplanationView, explained
from alerts.selectors.tries import Try, texts
from triage import documents
from triage.models import Event

TOP_EVENTS = 10
TIMELINE_MINUTES = 15
TIMELINE_ROWS = 60
TIMELINE_POINTS = 10_000
STRIP_BINS = 60
AUDIT_ROWS = 100
#: Who may say a severity, by the key in ``Alert.severity_parts``.
SPEAKERS = (
    ("prefilter", "pre-filter"),
    ("rules", "rules"),
    ("injection", "suspected injection"),
    ("model", "language model"),
)


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
class Finding:
    """Text in an event that speaks to its reader. ``event_id`` is None where it is about no single event."""

    event_id: int | None
    field: str
    why: str
    excerpt: str


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
    explained: Explained | None
    said: list[tuple[str, str]]
    findings: list[Finding]
    reasons: list[ReasonView]
    events: list[EventView]
    fields: list[tuple[str, str]]
    timeline: Timeline
    history: list[AuditEntry]
    verdicts: list[Verdict]

    @property
    def explanation(self) -> ExplanationView | None:
        """The explanation in view."""
        return self.explained.view if self.explained else None

    @property
    def failures(self) -> list[Try]:
        """The tries that failed since the newest answer."""
        return self.explained.failures if self.explained else []

    @property
    def waiting(self) -> bool:
        """Whether an explanation is still to come."""
        return is_waiting(self.alert)

    @property
    def waits_until(self) -> dt.datetime | None:
        """When the next try is due, None when it is under way or due now."""
        return next_try(self.alert)

    @property
    def suspected(self) -> bool:
        """Whether text in its events speaks to whoever reads them; never told about a blind audit."""
        return self.alert.injection_suspected and not self.blind

    @property
    def stronger(self) -> str:
        """The larger model that a person may ask, empty when there is none to ask."""
        return stronger_model()

    @property
    def verdict(self) -> Verdict | None:
        """The newest decision that stands, if there is one."""
        return next((verdict for verdict in self.verdicts if verdict.withdrawn_at is None), None)

    @property
    def top(self) -> EventView | None:
        """The strongest event."""
        return self.events[0] if self.events else None


def is_blind(alert: Alert) -> bool:
    """Whether the reviewer must see neither score nor explanation."""
    return alert.origin == AlertOrigin.BLIND_AUDIT and alert.status == AlertStatus.OPEN


def is_waiting(alert: Alert) -> bool:
    """Whether an explanation is still to come; a closed alert and a blind audit wait for none."""
    awaited = alert.explanation_state in (ExplanationState.PENDING, ExplanationState.RUNNING)
    return awaited and alert.status == AlertStatus.OPEN and alert.origin != AlertOrigin.BLIND_AUDIT


def next_try(alert: Alert) -> dt.datetime | None:
    """Return when a waiting alert may be explained next, None when that is now."""
    due = alert.explanation_lease_until if alert.explanation_state == ExplanationState.PENDING else None
    return due if due is not None and due > timezone.now() else None


def stronger_model() -> str:
    """Return the name of the larger model that a person may ask, empty when there is none to ask."""
    allowed = settings.LLM_LARGE_BASE_URL and settings.LLM_DATA_POLICY != "off"
    return str(settings.LLM_LARGE_MODEL) if allowed else ""


def why_not_explain(alert: Alert, *, stronger: bool = False) -> str:
    """Return why a person cannot ask for a new explanation, empty when they can."""
    if is_blind(alert):
        return "a blind audit is judged without an explanation"
    if alert.status != AlertStatus.OPEN:
        return "the alert is closed; reopen it first"
    if alert.explanation_state == ExplanationState.RUNNING:
        return "it is being explained now"
    if stronger and not stronger_model():
        return "no stronger model is configured"
    return ""


def alert_page(alert_id: int, *, explanation_id: int | None = None) -> AlertPage:
    """Read one alert's page with its newest or the wanted explanation: ten queries. Raises ``Alert.DoesNotExist``."""
    rows = Alert.objects.select_related("source", "assignee", "ranking")
    alert = rows.defer("ranking__state", "ranking__report").get(pk=alert_id)
    blind = is_blind(alert)
    events = _events(alert)
    top = events[0] if events else None
    verdicts = list(alert.verdicts.select_related("user").order_by("-id")[:20])
    reviewed = any(one.decided_by == DecidedBy.PERSON and one.withdrawn_at is None for one in verdicts)
    return AlertPage(
        alert=alert,
        blind=blind,
        explained=None if blind else explained(alert, wanted=explanation_id, reviewed=reviewed),
        said=[] if blind else _said(alert),
        findings=[] if blind else _findings(alert),
        reasons=[] if blind or top is None else reasons(top.link.reasons),
        events=events,
        fields=document_fields(top.event) if top and top.event else [],
        timeline=_timeline(alert, top.link.timestamp if top else alert.last_seen_at),
        history=list(alert.audit_entries.order_by("-id")[:AUDIT_ROWS]),
        verdicts=verdicts,
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
            fields=texts(row.get("fields")),
        )
        for row, share in zip(found, shares, strict=True)
    ]
    return sorted(views, key=lambda view: -(view.percent or 0.0))


def _number(value: object) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e9 else None


def _said(alert: Alert) -> list[tuple[str, str]]:
    """Return who says which severity, in the order in which they speak."""
    parts = alert.severity_parts if isinstance(alert.severity_parts, dict) else {}
    return [(words, level) for who, words in SPEAKERS if (level := parts.get(who)) in Severity.values]


def _findings(alert: Alert) -> list[Finding]:
    rows = alert.injection_findings if isinstance(alert.injection_findings, list) else []
    return [
        Finding(
            event_id=number if isinstance(number := row.get("event_id"), int) else None,
            field=str(row.get("field") or ""),
            why=str(row.get("why") or ""),
            excerpt=str(row.get("excerpt") or ""),
        )
        for row in rows
        if isinstance(row, dict)
    ]


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
