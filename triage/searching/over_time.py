"""How many events a search has in each span of time.

Handed: a condition and equal spans. Hands on: counts, flagged ones apart, and what part of the events they cover. Where
only time and source are asked for, the chunks' own figures tell it, and rows are read for those chunks alone that
reach over an edge.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet, Sum

from triage.conditions import All, Condition, Match, Within
from triage.documents import CHUNK_EVENTS
from triage.models import POSITION_BITS, Event, EventChunk, RawBatch
from triage.searching.gates import Chunk, named
from triage.searching.plan import Plan, plan
from triage.searching.results import ROW_GROUP, group_size, hits, lines_of, rows_of, source_names
from triage.searching.walk import Budget, Group, Progress, groups

#: Chunks that reach over an edge and are read event by event; of more, the rest is spread evenly over its time.
MAX_STRADDLING = 96


class _Seconds(Func):
    """Whole seconds since 1970 of a time, rounded down, on both databases."""

    output_field = IntegerField()

    def as_postgresql(self, compiler, connection, **context):  # type: ignore[no-untyped-def]  # Django's own signature
        """Ask PostgreSQL."""
        return self.as_sql(compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint")

    def as_sqlite(self, compiler, connection, **context):  # type: ignore[no-untyped-def]  # Django's own signature
        """Ask SQLite."""
        return self.as_sql(compiler, connection, template="CAST(STRFTIME('%%%%s', %(expressions)s) AS INTEGER)")


@dataclass(frozen=True, slots=True)
class Spans:
    """``count`` equal spans of ``step`` whole seconds from ``start`` (seconds since 1970) on."""

    start: int
    step: int
    count: int

    @property
    def end(self) -> int:
        """The first second behind them."""
        return self.start + self.step * self.count

    def within(self) -> Condition:
        """Return what asks for events in any of them."""
        low, high = (dt.datetime.fromtimestamp(second, dt.UTC) for second in (self.start, self.end))
        return Within("timestamp", low, high, high_included=False)

    def place(self, name: str) -> F:
        """Return which span the time of a column is in, for the database."""
        return (_Seconds(F(name)) - self.start) / self.step  # type: ignore[return-value]


@dataclass(slots=True)
class Counts:
    """Events per span; ``flagged`` is None where it was not counted, ``outside`` are those that lie in no span.

    ``about``: some were spread evenly over their time. ``progress`` says how far was looked; None means at everything.
    """

    all: list[int]
    flagged: list[int] | None = None
    outside: int = 0
    about: bool = False
    progress: Progress | None = field(default=None)


def over_time(condition: Condition, spans: Spans, *, before: int | None = None, budget: Budget | None = None) -> Counts:
    """Count the events that meet a condition per span; ``before`` goes on from where an earlier count stopped."""
    asked = plan(condition, source_names())
    if before is None and is_plain(condition):
        return _from_chunks(asked, spans)
    progress = Progress(before, budget or Budget())
    counts = Counts([0] * spans.count, [0] * spans.count, progress=progress)
    for group in groups(asked, progress, largest=group_size(asked)):
        rows = rows_of(asked, group, progress)
        if asked.in_rows:
            _add_rows(counts, rows, spans, flagged=True)
        elif asked.rest is None:
            for lines in lines_of(asked, group, progress):
                _add_rows(counts, rows.filter(pk__in=list(lines)), spans, flagged=True)
        else:
            for event in hits(asked, group, progress, None):
                _add(counts, int((event.timestamp.timestamp() - spans.start) // spans.step), 1, flagged=event.flagged)
        progress.take(group)
    return counts


def _with(condition: Condition, within: Condition) -> Condition:
    return All((*_parts(condition), within))


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, All) else (condition,)


def is_plain(condition: Condition) -> bool:
    """Whether only time and source are asked for."""
    return all(
        (isinstance(part, Within) and part.field == "timestamp") or (isinstance(part, Match) and part.field == "source")
        for part in _parts(condition)
    )


def _add(counts: Counts, place: int, events: int, *, flagged: bool) -> None:
    if not 0 <= place < len(counts.all):
        counts.outside += events
    else:
        counts.all[place] += events
        if flagged and counts.flagged is not None:
            counts.flagged[place] += events


def _add_rows(counts: Counts, rows: QuerySet[Event], spans: Spans, *, flagged: bool) -> None:
    names = ("place", "flagged") if flagged else ("place",)
    for place, *marks, events in (
        rows.order_by().annotate(place=spans.place("timestamp")).values_list(*names).annotate(Count("pk"))
    ):
        _add(counts, place, events, flagged=bool(marks and marks[0]))


def chunks_of(condition: Condition, sources: Mapping[int, str]) -> QuerySet[EventChunk]:
    """Return the chunks that hold events of a plain condition."""
    rows = EventChunk.objects.all()
    for part in _parts(condition):
        if isinstance(part, Match):
            batches = RawBatch.objects.filter(source_id__in=named(part, sources)).values("pk")
            rows = rows.annotate(batch=F("pk").bitrightshift(POSITION_BITS)).filter(batch__in=batches)
        elif isinstance(part, Within):
            rows = rows if part.low is None else rows.exclude(last_at__lt=part.low)
            rows = rows if part.high is None else rows.exclude(first_at__gt=part.high)
    return rows


def _from_chunks(asked: Plan, spans: Spans) -> Counts:
    counts = Counts([0] * spans.count)
    wanted = _with(asked.condition, spans.within())
    placed = chunks_of(wanted, asked.sources).annotate(place=spans.place("first_at"), last=spans.place("last_at"))
    over = Q(first_at__isnull=True) | ~Q(place=F("last")) | _over_an_edge(wanted)
    for place, events in placed.filter(~over).order_by().values_list("place").annotate(Sum("events")):
        _add(counts, place, events, flagged=False)
    columns = ("pk", "received_at", "events", "first_at", "last_at")
    rest = [
        Chunk(pk, received_at, events or CHUNK_EVENTS, first_at, last_at)
        for pk, received_at, events, first_at, last_at in placed.filter(over).order_by("-pk").values_list(*columns)
    ]
    rest.sort(key=_length, reverse=True)  # those of which least is known without reading them
    read = plan(wanted, asked.sources)
    for start in range(0, min(len(rest), MAX_STRADDLING), ROW_GROUP):
        group = Group(rest[start : min(start + ROW_GROUP, MAX_STRADDLING)], whole=False)
        _add_rows(counts, rows_of(read, group, None), spans, flagged=False)
    for chunk in rest[MAX_STRADDLING:]:
        _spread(counts, spans, chunk)
    return counts


def _length(chunk: Chunk) -> float:
    if chunk.first_at is None or chunk.last_at is None:
        return float("inf")
    return (chunk.last_at - chunk.first_at).total_seconds()


def _over_an_edge(condition: Condition) -> Q:
    """Return which chunks may hold events on both sides of a bound of a plain condition."""
    found = Q()
    for part in _parts(condition):
        if isinstance(part, Within) and part.low is not None:
            found |= Q(first_at__lt=part.low) if part.low_included else Q(first_at__lte=part.low)
        if isinstance(part, Within) and part.high is not None:
            found |= Q(last_at__gt=part.high) if part.high_included else Q(last_at__gte=part.high)
    return found


def _spread(counts: Counts, spans: Spans, chunk: Chunk) -> None:
    """Spread a chunk's events evenly over its time; without known times all of them are where they were received."""
    counts.about = True
    first = (chunk.first_at or chunk.received_at).timestamp()
    last = (chunk.last_at or chunk.received_at).timestamp()
    shares = (np.arange(chunk.events) + 0.5) / chunk.events
    places, events = np.unique((first - spans.start + (last - first) * shares) // spans.step, return_counts=True)
    for place, n in zip(places.astype(int).tolist(), events.tolist(), strict=True):
        _add(counts, place, n, flagged=False)
