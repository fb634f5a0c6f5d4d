"""How much comes in, how much of it is flagged, and whether explanations keep up: three charts over time.

Handed: a span. Hands on: charts. What came in is read from the figures per source and minute; events are never counted.
A step before the first measurement, or in which nothing was scored, is None: not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Count, F, Min, Model, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.urls import reverse

from alerts.models import Alert, AlertOrigin, Explanation
from alerts.selectors.charts import Chart, Series, Values
from alerts.selectors.overview import Epoch, Span
from triage import minutes
from triage.contracts import Rate
from triage.learning.statistics import wilson
from triage.models import BatchStatus, RawBatch, SourceMinute

#: The newest batches that are asked how much was flagged; older steps are not measured.
MAX_BATCHES = 20_000

Counts = dict[int, int]
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Intake:
    """What came in and what was flagged. ``share`` is that of the scored events. None = not measured."""

    events: Chart
    flagged: Chart
    records: int | None
    stored: int | None
    flagged_events: int | None
    share: Rate | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Alerts opened, and alerts that got an explanation meanwhile: not always the same ones."""

    chart: Chart
    opened: int
    explained: int


def intake(span: Span) -> Intake:
    """Return the charts of what came in: five queries."""
    received, stored = _received(span)
    flagged, share = _flagged(span)
    per_minute = [_divided(values, span.step_minutes) for values in (received, stored)]
    return Intake(
        events=_chart(span, "Events a minute", [
            Series("received", per_minute[0], "area", "bar"), Series("stored", per_minute[1], "line", "accent"),
        ]),
        flagged=_chart(span, f"Events flagged in {span.step_words}", [Series("flagged", flagged, "bars", "high")]),
        records=_total(received),
        stored=_total(stored),
        flagged_events=_total(flagged),
        share=share,
    )  # fmt: skip


def flow(span: Span) -> Flow:
    """Return the chart of alerts: two queries."""
    opened, explained = _opened(span), _explained(span)
    chart = _chart(span, f"Alerts in {span.step_words}", [
        Series("opened", opened, "area", "bar"), Series("explained", explained, "line", "accent"),
    ])  # fmt: skip
    return Flow(chart, sum(opened), sum(explained))


def _chart(span: Span, title: str, series: list[Series]) -> Chart:
    return Chart(
        title=title,
        x=span.moments,
        series=series,
        step=60 * span.step_minutes,
        brush=_brush(),
        sync="rates",
        size="small",
    )


def _brush() -> str:
    """Return where a brushed span leads: the events of that time."""
    return f"{reverse('events')}?from={{from}}&to={{to}}"


def _received(span: Span) -> tuple[list[int | None], list[int | None]]:
    """Return records received and events stored per step; before the first minute ever nothing was measured."""
    first = minutes.minute_of(span.start.timestamp())
    end = first + span.steps * span.step_minutes
    began = SourceMinute.objects.aggregate(began=Min("minute"))["began"]
    rows = SourceMinute.objects.filter(minute__gte=first, minute__lt=end).order_by()
    steps = rows.annotate(step=_step("minute", first, span.step_minutes)).values_list("step")
    found = {step: (records, events) for step, records, events in steps.annotate(r=Sum("records"), e=Sum("events"))}
    pairs = [
        found.get(number, (0, 0)) if began is not None and first + (number + 1) * span.step_minutes > began else None
        for number in range(span.steps)
    ]
    return [pair and pair[0] for pair in pairs], [pair and pair[1] for pair in pairs]


def _flagged(span: Span) -> tuple[list[int | None], Rate | None]:
    """Return flagged events per step and their share of the scored ones, from what is kept with each batch.

    None where nothing is kept, or where events came and none of them was scored.
    """
    newest = RawBatch.objects.order_by("-id").values_list("pk", flat=True).first() or 0
    rows = RawBatch.objects.filter(pk__gt=newest - MAX_BATCHES, status=BatchStatus.DONE, event_count__gt=0).order_by()
    began = rows.filter(model_version__isnull=False).aggregate(began=Min("received_at"))["began"]
    steps = _within(rows, span, "received_at").annotate(
        scored=Sum("event_count", filter=Q(model_version__isnull=False)), n=Sum("flagged_count")
    )
    found = {step: (scored, n) for step, scored, n in steps}
    values = [
        _scored(*found.get(number, (1, 0))) if began and moment + 60 * span.step_minutes > began.timestamp() else None
        for number, moment in enumerate(span.moments)
    ]
    scored = sum(events or 0 for events, _ in found.values())
    return values, wilson(sum(n for events, n in found.values() if events), scored) if scored else None


def _scored(events: int | None, flagged: int) -> int | None:
    return flagged if events else None


def _opened(span: Span) -> list[int]:
    """Return alerts opened per step; blind audits are nobody's finding."""
    rows = Alert.objects.filter(origin=AlertOrigin.FLAGGED).order_by()
    return _filled(dict(_within(rows, span, "created_at").annotate(n=Count("pk"))), span)


def _explained(span: Span) -> list[int]:
    """Return alerts that got an explanation per step, by a model or from their evidence."""
    rows = Explanation.objects.filter(failure="").order_by()
    return _filled(dict(_within(rows, span, "created_at").annotate(n=Count("alert_id", distinct=True))), span)


def _within(rows: QuerySet[Row], span: Span, name: str) -> Any:
    """Return the rows of a span, to be counted per step."""
    inside = rows.filter(Q(**{f"{name}__gte": span.start}) & Q(**{f"{name}__lt": span.end}))
    seconds = inside.annotate(second=Epoch(name))
    return seconds.annotate(step=_step("second", span.moments[0], 60 * span.step_minutes)).values_list("step")


def _step(name: str, first: int, size: int) -> Combinable:
    return (F(name) - first) / size


def _filled(found: Counts, span: Span) -> list[int]:
    return [found.get(number, 0) for number in range(span.steps)]


def _divided(values: Sequence[int | None], by: int) -> Values:
    return [None if value is None else value / by for value in values]


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
