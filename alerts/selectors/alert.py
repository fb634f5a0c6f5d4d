"""One alert: everything its page shows, read in a constant number of queries.

Handed: an alert's id. Hands on: an :class:`AlertPage`. Reasons and findings are JSON written by other rooms, so their
shape is checked here and nothing is trusted to be there; explanations are read by :mod:`alerts.selectors.explanation`.
An open blind-audit alert is handed on without scores, reasons and explanation: its reviewer must not know. What the
entity did around it and what became of similar alerts are fragments of their own (:mod:`alerts.selectors.timeline`,
:mod:`alerts.selectors.similar`).
"""

import datetime as dt
from collections.abc import Sequence
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
from alerts.selectors.citations import Line, cited_lines, marks_of
from alerts.selectors.explanation import Explained, ExplanationView, explained
from alerts.selectors.fields import FieldTree, Marks, field_tree
from alerts.selectors.history import HistoryLine, history_lines
from alerts.selectors.techniques import TechniqueChip, technique_chips
from alerts.selectors.tries import Try, texts
from triage import documents
from triage.models import Event

TOP_EVENTS = 10
AUDIT_ROWS = 100
#: Read to tell which verdicts in the history were undone.
VERDICTS = 100
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
class AlertPage:
    """Everything the alert page shows. ``lines`` are the evidence, ``tree`` the fields of the strongest event."""

    alert: Alert
    blind: bool
    explained: Explained | None
    said: list[tuple[str, str]]
    findings: list[Finding]
    reasons: list[ReasonView]
    techniques: list[TechniqueChip]
    lines: list[Line]
    events: list[EventView]
    tree: FieldTree | None
    history: list[AuditEntry]
    story: list[HistoryLine]
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
    """Read one alert's page with its newest or the wanted explanation: eight queries. Raises ``Alert.DoesNotExist``."""
    rows = Alert.objects.select_related("source", "assignee", "ranking", "escalated_by", "mute_rule__owner")
    alert = rows.defer("ranking__state", "ranking__report").get(pk=alert_id)
    blind = is_blind(alert)
    events = top_events(alert)
    top = events[0] if events else None
    verdicts = list(alert.verdicts.select_related("user").order_by("-id")[:VERDICTS])
    reviewed = any(one.decided_by == DecidedBy.PERSON and one.withdrawn_at is None for one in verdicts)
    told = None if blind else explained(alert, wanted=explanation_id, reviewed=reviewed)
    why = [] if blind or top is None else reasons(top.link.reasons)
    lines = evidence_lines(told.view if told else None, why, top)
    history = list(alert.audit_entries.order_by("-id")[:AUDIT_ROWS])
    return AlertPage(
        alert=alert,
        blind=blind,
        explained=told,
        said=[] if blind else _said(alert),
        findings=[] if blind else _findings(alert),
        reasons=why,
        techniques=[] if blind else _techniques(alert, told),
        lines=lines,
        events=events,
        tree=_tree(top, lines, why),
        history=history,
        story=history_lines(alert, history, verdicts),
        verdicts=verdicts,
    )


def top_events(alert: Alert, *, start: int = 0, count: int = TOP_EVENTS) -> list[EventView]:
    """Return an alert's events by score, strongest first: three queries."""
    rows = alert.alert_events.select_related("model_version").order_by("-score", "id")
    links = list(rows[start : start + count])
    found = Event.objects.in_bulk([link.event_id for link in links])
    documents.prefetch(found.values())
    return [EventView(link=link, event=found.get(link.event_id)) for link in links]


def evidence_lines(view: ExplanationView | None, why: Sequence[ReasonView], strongest: EventView | None) -> list[Line]:
    """Return the evidence of an explanation with the fields it was read from and the claims that cite it."""
    if view is None:
        return []
    claims = [claim.evidence for section in view.sections for claim in section.claims]
    event_id = strongest.link.event_id if strongest else None
    return cited_lines(view.evidence, claims=claims, reasons=_named(why), strongest=event_id)


def marks(event_id: int, lines: Sequence[Line], why: Sequence[ReasonView]) -> Marks:
    """Return what points at the fields of one event; ``why`` are its own reasons."""
    return marks_of(event_id, lines, _named(why))


def _named(why: Sequence[ReasonView]) -> list[tuple[str, Sequence[str]]]:
    return [(reason.text, reason.fields) for reason in why]


def _tree(top: EventView | None, lines: Sequence[Line], why: Sequence[ReasonView]) -> FieldTree | None:
    if top is None or top.event is None:
        return None
    return field_tree(top.event, marks(top.event.pk, lines, why))


def _techniques(alert: Alert, told: Explained | None) -> list[TechniqueChip]:
    by_rule = texts(alert.techniques)
    return technique_chips(by_rule, told.view.techniques if told and told.view else [])


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
