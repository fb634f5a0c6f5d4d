"""Figures per source and minute: what came in, what it turned out to be, what was refused.

Handed: the events of a batch, or what a web process did in the last second. Hands on: a handful of rows that add
up, written with one statement each. A minute is a whole number, minutes since 1970 UTC, so that gaps between
minutes are plain subtraction on every database.

An event has *unknown fields* when its document holds a name that is neither of the Elastic Common Schema nor of a
product's own namespace: a sender's private key that no parser gave a meaning.
"""

import datetime as dt
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache

from django.db import connection
from django.db.models import Sum

from triage import deleting, ecs
from triage.contracts import ParsedEvent, StoredBatch
from triage.models import IntakeMinute, ParserMinute, SourceMinute
from triage.parsers.times import FLAG, INFERRED

MINUTE = 60
DAY_MINUTES = 1440
#: Upper ends of the lag classes, in seconds; negative = the event says it is of the future. The last has no end.
LAG_EDGES = (-10.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)
LAG_COLUMNS = tuple(f"lag_{number}" for number in range(len(LAG_EDGES) + 1))
MAX_PARSER = 32
#: A cached answer per set of field names; an attacker's endless new names must not grow it.
MAX_SHAPES = 4096
#: Longer shapes are looked at anew each time, so that the cache stays small.
MAX_CACHED_NAMES = 200

Value = int | float | str | None


@dataclass(slots=True)
class Minute:
    """What one source's records of one minute turned out to be; the columns of ``SourceMinute`` and the parsers."""

    source_id: int
    minute: int
    records: int = 0
    bytes: int = 0
    events: int = 0
    fallback: int = 0
    unknown: int = 0
    future: int = 0
    ancient: int = 0
    inferred: int = 0
    lag_count: int = 0
    lag_sum: float = 0.0
    lag_medians: float = 0.0
    lag_min: float | None = None
    lag_max: float | None = None
    lags: list[int] = field(default_factory=lambda: [0] * len(LAG_COLUMNS))
    parsers: Counter[str] = field(default_factory=Counter)

    def add(self, batch: StoredBatch, body_bytes: int, events: Sequence[ParsedEvent]) -> None:
        """Count one batch."""
        self.records += batch.record_count
        self.bytes += body_bytes
        self.events += len(events)
        for event in events:
            names = event.fields
            self.unknown += has_unknown(names)
            if FLAG in names:
                self.future += names[FLAG] == "future"
                self.ancient += names[FLAG] == "ancient"
            if INFERRED in names:
                self.inferred += 1
        parsers = Counter([event.parser[:MAX_PARSER] for event in events])
        self.parsers.update(parsers)
        self.fallback += parsers["fallback"]
        received = batch.received_at
        self._add_lags([received - event.timestamp for event in events if event.timestamp_origin != "received"])

    def _add_lags(self, lags: list[float]) -> None:
        if not lags:
            return
        lags.sort()
        self.lag_count += len(lags)
        self.lag_sum += sum(lags)
        self.lag_medians += statistics.median_low(lags) * len(lags)
        self.lag_min = lags[0] if self.lag_min is None else min(self.lag_min, lags[0])
        self.lag_max = lags[-1] if self.lag_max is None else max(self.lag_max, lags[-1])
        ends = [bisect_left(lags, edge) for edge in LAG_EDGES]
        for number, (start, end) in enumerate(zip([0, *ends], [*ends, len(lags)], strict=True)):
            self.lags[number] += end - start

    def row(self) -> tuple[Value, ...]:
        """Return the values of :data:`SOURCE_COLUMNS`."""
        plain = (getattr(self, name) for name in SOURCE_COLUMNS[: -len(LAG_COLUMNS)])
        return (*plain, *self.lags)


@dataclass(slots=True)
class Taken:
    """What one web process did for one source in one minute; the columns of ``IntakeMinute``."""

    source_id: int
    minute: int
    taken_records: int = 0
    taken_bytes: int = 0
    refused_busy: int = 0
    refused_rate: int = 0
    refused_too_large: int = 0
    refused_damaged: int = 0
    refused_invalid: int = 0
    refused_other: int = 0
    refused_bytes: int = 0


SOURCE_COLUMNS = tuple(item.name for item in fields(Minute) if item.name not in ("lags", "parsers")) + LAG_COLUMNS
INTAKE_COLUMNS = tuple(item.name for item in fields(Taken))
PARSER_COLUMNS = ("source_id", "minute", "parser", "events")
REFUSALS = tuple(name for name in INTAKE_COLUMNS if name.startswith("refused_") and name != "refused_bytes")


def minute_of(seconds: float) -> int:
    """Return the minute of a time (seconds since 1970 UTC)."""
    return int(seconds) // MINUTE


def start_of(minute: int) -> dt.datetime:
    """Return when a minute began."""
    return dt.datetime.fromtimestamp(minute * MINUTE, dt.UTC)


def has_unknown(names: Iterable[str]) -> bool:
    """Return whether a document holds a field that is neither the schema's nor a product's.

    >>> has_unknown({"host.name": 1, "okta.uuid": 2}), has_unknown({"host.name": 1, "hostname": 2})
    (False, True)
    """
    shape = tuple(names)
    return _has_unknown(shape) if len(shape) <= MAX_CACHED_NAMES else _has_unknown.__wrapped__(shape)


@lru_cache(maxsize=MAX_SHAPES)
def _has_unknown(names: tuple[str, ...]) -> bool:
    return any(not ecs.is_known(name) for name in names)


def summarise(read: Iterable[tuple[StoredBatch, Sequence[ParsedEvent]]]) -> list[Minute]:
    """Return one :class:`Minute` per source and minute of receipt, in the order in which they are to be locked."""
    found: dict[tuple[int, int], Minute] = {}
    for batch, events in read:
        key = (batch.source_id, minute_of(batch.received_at))
        if key not in found:
            found[key] = Minute(*key)
        found[key].add(batch, batch.body_bytes, events)
    return [found[key] for key in sorted(found)]


def add(rows: Sequence[Minute]) -> None:
    """Add figures to the table, inside the caller's transaction; rows come in order, so no two writers deadlock."""
    upsert(SourceMinute._meta.db_table, SOURCE_COLUMNS, 2, [row.row() for row in rows])
    parsers = [
        (row.source_id, row.minute, name, count) for row in rows for name, count in sorted(row.parsers.items()) if count
    ]
    upsert(ParserMinute._meta.db_table, PARSER_COLUMNS, 3, parsers)


def add_taken(rows: Iterable[Taken]) -> None:
    """Add what a web process did."""
    ordered = sorted(rows, key=lambda row: (row.source_id, row.minute))
    values = [tuple(getattr(row, name) for name in INTAKE_COLUMNS) for row in ordered]
    upsert(IntakeMinute._meta.db_table, INTAKE_COLUMNS, 2, values)


def upsert(table: str, columns: Sequence[str], keys: int, rows: Sequence[tuple[Value, ...]]) -> None:
    """Insert rows whose first ``keys`` columns are their identity, or add them to the rows that are there.

    Both databases write ``INSERT ... ON CONFLICT DO UPDATE`` alike; all names are constants of this module.
    """
    if not rows:
        return
    columns = [connection.ops.quote_name(name) for name in columns]  # "both" means something to PostgreSQL
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    updates = ", ".join(_joined(table, name) for name in columns[keys:])
    statement = (
        f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - constants
        f" ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {updates}"
    )
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(statement, row)


def _joined(table: str, column: str) -> str:
    """Return how a column of two rows becomes one."""
    mine, theirs = f"{table}.{column}", f"excluded.{column}"
    order = {'"lag_min"': "<", '"lag_max"': ">"}.get(column)
    if order is None:
        return f"{column} = {mine} + {theirs}"
    better = f"{mine} IS NULL OR {theirs} {order} {mine}"
    return f"{column} = CASE WHEN {better} THEN COALESCE({theirs}, {mine}) ELSE {mine} END"


def day_usage(source_id: int, day: int) -> tuple[int, int]:
    """Return the records and bytes that all web processes took for a source on a UTC day (days since 1970)."""
    start = day * DAY_MINUTES
    rows = IntakeMinute.objects.filter(source=source_id, minute__gte=start, minute__lt=start + DAY_MINUTES)
    found = rows.aggregate(records=Sum("taken_records"), size=Sum("taken_bytes"))
    return found["records"] or 0, found["size"] or 0


def expire(before: dt.datetime) -> None:
    """Forget minutes that began before a time."""
    minute = minute_of(before.timestamp())
    for table in (SourceMinute, ParserMinute, IntakeMinute):
        deleting.in_parts(table._default_manager.filter(minute__lt=minute))
