"""What people decided: the mix of verdicts, how much of what was flagged was right, what was missed.

Handed: a span. Hands on: rates with 95 % Wilson intervals and n. Only the newest verdict of a person that stands counts
(see :mod:`alerts.selectors.labels`); precision leaves duplicate and undetermined out. Blind audits speak only once they
are judged, and only as sums.
"""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Case, Count, Exists, IntegerField, OuterRef, QuerySet, Value, When

from alerts.models import LABELS, AlertOrigin, DecidedBy, Severity, Verdict, VerdictValue
from alerts.selectors.overview import Span, queue_address
from triage.contracts import Rate
from triage.learning.statistics import wilson

#: Unflagged events with p-values up to this are drawn apart from the others (see :mod:`alerts.services.audits`), so
#: they are judged apart: a mean over both would be of no population.
NEAR_P = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """One verdict: how many alerts have it, its share of all decided ones, and its place in the bar (0 to 100)."""

    value: str
    label: str
    rate: Rate
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the decided alerts of one severity, or of all, the share that was true; None = not measured."""

    level: str
    rate: Rate | None
    address: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Blind audits of one stratum: of the judged unflagged events, the share that was true; None = not measured."""

    words: str
    title: str
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Everything that people decided in a span. ``automatic`` counts closures by automation, which are no labels."""

    mix: list[Share]
    decided: int
    automatic: int
    precision: Precision
    by_severity: list[Precision]
    missed: list[Missed]
    audited: int


#: Decided alerts by verdict and severity.
Counts = Counter[tuple[str, str]]


def decisions(span: Span) -> Decisions:
    """Return what was decided: two queries."""
    near = Case(When(alert__p_value__lte=NEAR_P, then=Value(1)), default=Value(0), output_field=IntegerField())
    groups = _newest(span).annotate(near=near).values_list("value", "alert__severity", "alert__origin", "near")
    flagged: Counts = Counter()
    audits: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}
    for value, level, origin, is_near, n in groups.annotate(n=Count("pk")):
        if origin == AlertOrigin.FLAGGED:
            flagged[value, level] += n
        elif value in LABELS:
            audits[is_near][value] += n
    automatic = Verdict.standing.filter(decided_by=DecidedBy.AUTOMATION, created_at__gte=span.start)
    return Decisions(
        mix=_mix(flagged),
        decided=sum(flagged.values()),
        automatic=automatic.filter(created_at__lt=span.end).count(),
        precision=_precision(flagged, ""),
        by_severity=[_precision(flagged, level) for level, _ in reversed(Severity.choices)],
        missed=[
            Missed("Nearly flagged", f"Unflagged events with a p-value up to {NEAR_P}", _true(audits[1])),
            Missed("All others", f"Unflagged events with a p-value above {NEAR_P}", _true(audits[0])),
        ],
        audited=audits[0].total() + audits[1].total(),
    )


def _newest(span: Span) -> QuerySet[Verdict]:
    """Return the newest standing verdict of a person on each alert that got one in the span."""
    people = Verdict.standing.filter(decided_by=DecidedBy.PERSON, created_at__gte=span.start, created_at__lt=span.end)
    later = people.filter(alert=OuterRef("alert"), pk__gt=OuterRef("pk"))
    return people.filter(~Exists(later)).order_by()


def _mix(counts: Counts) -> list[Share]:
    totals: Counter[str] = Counter()
    for (value, _), n in counts.items():
        totals[value] += n
    decided = totals.total()
    found: list[Share] = []
    start = 0.0
    for value, label in VerdictValue.choices:
        if totals[value]:
            width = 100 * totals[value] / decided
            found.append(Share(value, str(label), wilson(totals[value], decided), totals[value], start, width))
            start += width
    return found


def _precision(counts: Counts, level: str) -> Precision:
    decided: Counter[str] = Counter()
    for (value, its), n in counts.items():
        if value in LABELS and level in ("", its):
            decided[value] += n
    return Precision(level, _true(decided), queue_address(status="closed", severity=level))


def _true(decided: Counter[str]) -> Rate | None:
    """Return the share of true positives among decided alerts, None without any."""
    n = decided.total()
    return wilson(sum(LABELS[value] * count for value, count in decided.items()), n) if n else None
