"""The event search as its page shows it: rows, how far was looked, counts over time, most frequent values.

Handed: an :class:`~alerts.selectors.event_filter.EventFilter`. Hands on: values for the templates. The number of
questions to the database does not depend on how many rows are shown.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from alerts.models import Alert, AlertEvent, AlertOrigin, AlertStatus
from alerts.selectors.charts import Chart, Series
from alerts.selectors.event_filter import EventFilter
from triage import documents
from triage.conditions import EVERYTHING, text_of
from triage.models import Event, EventChunk
from triage.searching import over_time, results
from triage.searching.over_time import Counts, Spans
from triage.searching.plan import COLUMNS
from triage.searching.walk import Budget, Covered, Progress

PAGE = 50
#: A page goes on by itself this often before a person has to ask for more.
ROUNDS = 40
TOP_VALUES = 20
BARS = 60
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
DAY = 86_400
#: Characters of a message in the list.
MESSAGE = 400


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row: its field, and the value as text; empty when the event has none. ``more`` are not shown."""

    field: str
    text: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of the list. ``alert_id`` is the alert it is in; of an open blind audit neither score is told."""

    event: Event
    source: str
    message: str
    cells: list[Cell]
    alert_id: int | None
    blind: bool


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of the list. ``next`` goes on from here (None: nothing older); ``covered`` is all above that."""

    rows: list[EventRow]
    next: int | None
    covered: Covered
    full: bool


@dataclass(frozen=True, slots=True)
class Top:
    """A value of the field that events are grouped by; ``width`` is its bar, 0 to 100."""

    value: str
    count: int
    width: float
    share: float


@dataclass(frozen=True, slots=True)
class Tops:
    """The most frequent values of a field over what was looked at, and how many others there are."""

    field: str
    rows: list[Top]
    others: int
    events: int
    covered: Covered
    done: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over time. ``next`` is where counting goes on; ``outside`` are events that no bar holds."""

    chart: Chart
    spans: Spans
    counts: Counts
    next: int | None
    covered: Covered | None
    total: int
    flagged: int | None
    outside: int = 0
    about: bool = False


def flagged_ids(before: int | None, limit: int) -> Sequence[int]:
    """Return the ids of flagged events below an id, newest first: those in alerts, and those that wait for one."""
    linked = AlertEvent.objects.order_by("-event_id")
    waiting = Event.objects.filter(flagged=True, grouped=False).order_by("-pk")
    if before is not None:
        linked, waiting = linked.filter(event_id__lt=before), waiting.filter(pk__lt=before)
    ids = {*linked.values_list("event_id", flat=True)[:limit], *waiting.values_list("pk", flat=True)[:limit]}
    return sorted(ids, reverse=True)[:limit]


def event_page(asked: EventFilter, *, before: int | None = None, budget: Budget | None = None) -> EventPage:
    """Return the newest events that are asked for, below the id ``before``."""
    found = results.search(asked.whole(), limit=PAGE, before=before, budget=budget, flagged=flagged_ids)
    rows = event_rows(found.events, asked.columns)
    return EventPage(rows, found.next, covered_above(found.next), len(rows) >= PAGE)


def event_rows(events: Sequence[Event], columns: Sequence[str]) -> list[EventRow]:
    """Return events as rows of the list."""
    names = results.source_names()
    if any(name not in COLUMNS and name != "source" for name in columns):
        documents.prefetch([event for event in events if "_document" not in event.__dict__])
    links = _links([event.pk for event in events])
    return [_row(event, names.get(event.source_id, ""), columns, links.get(event.pk)) for event in events]


def _links(ids: Sequence[int]) -> dict[int, AlertEvent]:
    rows = AlertEvent.objects.filter(event_id__in=ids).select_related("alert")
    return {link.event_id: link for link in rows}


def is_hidden(alert: Alert) -> bool:
    """Whether score and p-value of an alert's events are kept from whoever reviews it."""
    return alert.origin == AlertOrigin.BLIND_AUDIT and alert.status == AlertStatus.OPEN


def _row(event: Event, source: str, columns: Sequence[str], link: AlertEvent | None) -> EventRow:
    blind = link is not None and is_hidden(link.alert)
    cells = [_cell(event, source, name) for name in columns]
    return EventRow(event, source, event.message[:MESSAGE], cells, link.alert_id if link else None, blind)


def _cell(event: Event, source: str, name: str) -> Cell:
    if name == "source":
        return Cell(name, source)
    if name in COLUMNS:
        return Cell(name, text_of(getattr(event, COLUMNS[name])))
    value = documents.fields_of(event).get(name)
    values = value if isinstance(value, list) else [] if value is None else [value]
    return Cell(name, text_of(values[0]) if values else "", max(0, len(values) - 1))


def most_frequent(asked: EventFilter) -> Tops:
    """Return the most frequent values of the field that is grouped by."""
    progress = Progress(None, Budget())
    counts = results.most_frequent(asked.whole(), asked.group, progress)
    events, ordered = sum(counts.values()), sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    most = max(counts.values(), default=1)
    rows = [Top(value, count, 100 * count / most, 100 * count / events) for value, count in islice(ordered, TOP_VALUES)]
    return Tops(asked.group, rows, max(0, len(counts) - len(rows)), events, progress.covered(), progress.done)


def spans_for(low: dt.datetime, high: dt.datetime) -> Spans:
    """Return at most :data:`BARS` (and one for each end) equal spans of a handy length that hold a range."""
    seconds = max(1.0, (high - low).total_seconds())
    days = (DAY * number for number in (1, 2, 5, 10, 30, 100, 365, 1000, 10_000))
    step = next(one for one in (*STEPS, *days) if seconds / one <= BARS)
    start = int(low.timestamp() // step) * step
    return Spans(start, step, max(1, -(-int(high.timestamp() - start + 0.999999) // step)))


def extent(asked: EventFilter) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the time a chart of a filter covers; None when nothing is stored.

    An open end is where the events end. A few whose time is far off everybody else's are left outside.
    """
    low, high = asked.bounds()
    if low is not None and high is not None:
        return low, high
    least, most = _ends(EventChunk.objects.filter(first_at__isnull=False))
    if least is None or most is None:
        return None
    low, high = low or least, high or most + dt.timedelta(seconds=1)
    return (low, high) if low < high else (low, low + dt.timedelta(seconds=1))


def _ends(chunks: QuerySet[EventChunk]) -> tuple[dt.datetime | None, dt.datetime | None]:
    ends = chunks.aggregate(least=Min("first_at"), most=Max("last_at"), chunks=Count("pk"))
    least, most, aside = ends["least"], ends["most"], ends["chunks"] // 200
    if not aside:
        return least, most
    usual_least = chunks.order_by("first_at").values_list("first_at", flat=True)[aside]
    usual_most = chunks.order_by("-last_at").values_list("last_at", flat=True)[aside]
    usual = usual_most - usual_least
    far = 2 * usual
    return (
        usual_least - usual / 50 if usual_least - least > far else least,
        usual_most + usual / 50 if most - usual_most > far else most,
    )


def histogram(
    asked: EventFilter, spans: Spans, *, brush: str, before: int | None = None, counted: Counts | None = None
) -> Histogram:
    """Count what is asked for over time; ``before`` and ``counted`` go on from where an earlier answer stopped."""
    found = over_time.over_time(asked.whole(), spans, before=before)
    if found.flagged is None:
        found.flagged = _flagged_in_alerts(asked, spans)
    if counted is not None:
        found.outside += counted.outside
        found.all = [one + other for one, other in zip(found.all, counted.all, strict=True)]
        found.flagged = [one + other for one, other in zip(found.flagged or [], counted.flagged or [], strict=True)]
    progress = found.progress
    following = None if progress is None or progress.done else progress.before
    covered = None if following is None or progress is None else covered_above(following)
    return Histogram(
        chart=_chart(spans, found, brush),
        spans=spans,
        counts=found,
        next=following,
        covered=covered,
        total=sum(found.all),
        flagged=None if found.flagged is None else sum(found.flagged),
        outside=_outside(asked, found),
        about=found.about,
    )


def covered_above(before: int | None) -> Covered:
    """Return what lies above an id (None: everything): what was looked at in all answers so far."""
    progress = Progress(None, Budget(), done=before is None)
    progress.before = before
    return progress.covered()


def _flagged_in_alerts(asked: EventFilter, spans: Spans) -> list[int] | None:
    """Count flagged events per span from the alerts they are in; None when more than a time is asked for."""
    if asked.condition != EVERYTHING:
        return None
    low, high = asked.bounds()
    first, behind = (dt.datetime.fromtimestamp(second, dt.UTC) for second in (spans.start, spans.end))
    oldest = EventChunk.objects.aggregate(Min("pk"))["pk__min"] or 0
    links = AlertEvent.objects.filter(alert__origin=AlertOrigin.FLAGGED, event_id__gte=oldest)
    within = Q(timestamp__gte=max(low or first, first), timestamp__lt=min(high or behind, behind))
    waiting = Event.objects.filter(flagged=True, grouped=False)
    counts = [0] * spans.count
    for rows in (links, waiting):
        placed = rows.filter(within).annotate(place=spans.place("timestamp")).order_by()
        for place, count in placed.values_list("place").annotate(Count("pk")):
            counts[place] += count
    return counts


def _outside(asked: EventFilter, found: Counts) -> int:
    """Return how many events no bar holds."""
    if found.progress is not None:
        return found.outside
    if asked.condition != EVERYTHING or asked.bounds() != (None, None) or found.about:
        return 0
    return max(0, (EventChunk.objects.aggregate(told=Sum("events"))["told"] or 0) - sum(found.all))


def _chart(spans: Spans, counts: Counts, brush: str) -> Chart:
    x = [spans.start + spans.step * place for place in range(spans.count)]
    series = [Series("events", counts.all, draw="bars", tone="bar")]
    if counts.flagged is not None:
        series.append(Series("flagged", counts.flagged, draw="bars", tone="critical"))
    return Chart(title="", x=x, series=series, step=spans.step, brush=brush, size="small")
