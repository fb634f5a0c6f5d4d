"""Watches the sources: reads their figures, has them judged, keeps the judgement for the pages.

Handed: the clock. Hands on: one ``SourceHealth`` row per source, at most half a minute old while a worker runs. All
figures come from the tables of minutes, a bounded number of small rows, whatever the traffic.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Min, OuterRef, Subquery, Sum
from django.utils import timezone

from triage import health, minutes
from triage.health import Figures, State, Window
from triage.models import IntakeMinute, ParserMinute, RawBatch, Source, SourceHealth, SourceMinute

#: The judged span ends now and is this long; what it is compared with is the day before it (minutes).
RECENT_MINUTES = 5
BEFORE_MINUTES = 24 * 60
#: A judgement younger than this is good enough (seconds).
FRESH_SECONDS = 30.0
#: Earlier days that are asked whether a silence is a usual pause, and how long before and after counts (minutes).
PAUSE_DAYS = 7
SUMS = ("events", "fallback", "unknown", "future", "ancient", "lag_count", "lag_medians", *minutes.LAG_COLUMNS)


@dataclass(frozen=True, slots=True)
class Judged:
    """A source's figures and what is the matter with it. ``totals`` are those of the day, for the pages."""

    source_id: int
    figures: Figures
    states: list[State]
    totals: dict[str, Any] = field(default_factory=dict)


def is_due(now: dt.datetime) -> bool:
    """Return whether the last judgement is older than :data:`FRESH_SECONDS`."""
    return not SourceHealth.objects.filter(judged_at__gt=now - dt.timedelta(seconds=FRESH_SECONDS)).exists()


def watch(now: dt.datetime | None = None) -> list[Judged]:
    """Judge every source and store the judgements; may run twice at once."""
    now = now or timezone.now()
    judged = look(now)
    rows = [
        SourceHealth(
            source_id=item.source_id,
            judged_at=now,
            states=[[state.name, state.reason] for state in item.states],
            figures=item.totals | asdict(item.figures),
            troubled=any(state.name in health.TROUBLE for state in item.states),
        )
        for item in judged
    ]
    names = ["judged_at", "states", "figures", "troubled"]
    with transaction.atomic():
        SourceHealth.objects.bulk_create(rows, update_conflicts=True, unique_fields=["source"], update_fields=names)
    return judged


def look(now: dt.datetime) -> list[Judged]:
    """Return every source judged at a time: nine queries, and one per source that seems silent."""
    minute = minutes.minute_of(now.timestamp())
    start = minute - RECENT_MINUTES
    recent, before = _windows(start + 1, minute + 1), _windows(start - BEFORE_MINUTES, start + 1)
    gaps, quiet = _gaps(minute - BEFORE_MINUTES), _quiet_minutes(now)
    refused, day_refused = _refused(start), _refused(minute - BEFORE_MINUTES)
    judged = []
    for source in Source.objects.all():
        figures = Figures(
            quiet_minutes=quiet.get(source.pk),
            gaps=gaps.get(source.pk, {}),
            recent=recent.get(source.pk, _EMPTY)[0],
            before=before.get(source.pk, _EMPTY)[0],
            refused=refused.get(source.pk, {}),
        )
        states = health.judge(figures) if source.enabled else []
        if states and states[0].name == health.SILENT and _is_usual_pause(source.pk, figures, minute):
            figures = replace(figures, is_usual_pause=True)
            states = health.judge(figures)
        totals = _totals(recent.get(source.pk, _EMPTY)[1], before.get(source.pk, _EMPTY)[1]) | {
            "usual_gap": health.usual_gap(figures.gaps),
            "day_refused": day_refused.get(source.pk, {}),
        }
        if totals["day_events"]:
            totals["per_minute"] = figures.recent.events / RECENT_MINUTES
        judged.append(Judged(source.pk, figures, states, totals))
    return judged


_EMPTY: tuple[Window, dict[str, int]] = (Window(), {})


def _windows(first: int, end: int) -> dict[int, tuple[Window, dict[str, int]]]:
    """Return per source the joined figures of the minutes from ``first`` up to, not with, ``end``."""
    parsers: dict[int, dict[str, int]] = {}
    rows = ParserMinute.objects.filter(minute__gte=first, minute__lt=end).values_list("source", "parser")
    for source_id, parser, count in rows.annotate(Sum("events")).order_by():
        parsers.setdefault(source_id, {})[parser] = count
    sums: dict[str, Any] = {name: Sum(name) for name in SUMS}
    sums |= {"least": Min("lag_min"), "greatest": Max("lag_max"), "size": Sum("bytes")}
    totals = SourceMinute.objects.filter(minute__gte=first, minute__lt=end).values("source").order_by()
    rows_of: Iterable[Any] = totals.annotate(**sums)
    found = {}
    for row in rows_of:
        window = Window(
            events=row["events"],
            unknown=row["unknown"],
            future=row["future"],
            ancient=row["ancient"],
            parsers=parsers.get(row["source"], {}),
            lag=row["lag_medians"] / row["lag_count"] if row["lag_count"] else None,
            lag_min=row["least"],
            lag_max=row["greatest"],
        )
        found[row["source"]] = (window, {name: row[name] for name in (*SUMS, "size")})
    return found


def _totals(*parts: dict[str, int]) -> dict[str, Any]:
    """Join the sums of neighbouring spans into the figures of the day; None = not measured."""
    joined = {name: sum(part.get(name, 0) for part in parts) for name in (*SUMS, "size")}
    events = joined["events"]
    return {
        "day_events": events,
        "day_bytes": joined["size"],
        "day_future": joined["future"],
        "day_ancient": joined["ancient"],
        "coverage": 1 - joined["fallback"] / events if events else None,
        "unknown_share": joined["unknown"] / events if events else None,
        "lag_p95": lag_quantile([joined[name] for name in minutes.LAG_COLUMNS], 0.95),
    }


def lag_quantile(counts: Iterable[int], share: float) -> float | None:
    """Return the upper end of the lag class (seconds) that holds a quantile.

    None when it is not measured, or in the last class, which has no end.

    >>> lag_quantile([0, 90, 10, 0, 0, 0, 0, 0], 0.95), lag_quantile([0] * 8, 0.95), lag_quantile([0] * 7 + [1], 0.95)
    (60.0, None, None)
    """
    numbers = list(counts)
    total, seen = sum(numbers), 0
    for number, count in enumerate(numbers):
        seen += count
        if total and seen >= share * total:
            return minutes.LAG_EDGES[number] if number < len(minutes.LAG_EDGES) else None
    return None


def _gaps(first: int) -> dict[int, dict[int, int]]:
    """Return per source how often each distance between two minutes with records occurred."""
    statement = (
        "SELECT source_id, gap, count(*) FROM (SELECT source_id, minute - lag(minute) OVER"  # noqa: S608 - constants
        f" (PARTITION BY source_id ORDER BY minute) AS gap FROM {SourceMinute._meta.db_table}"
        " WHERE minute >= %s AND records > 0) AS gaps WHERE gap IS NOT NULL GROUP BY source_id, gap"
    )
    found: dict[int, dict[int, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, [first])
        for source_id, gap, count in cursor.fetchall():
            found.setdefault(source_id, {})[gap] = count
    return found


def _refused(first: int) -> dict[int, dict[str, int]]:
    sums = {f"{name}__sum": Sum(name) for name in minutes.REFUSALS}
    rows: Iterable[Any] = IntakeMinute.objects.filter(minute__gt=first).values("source").annotate(**sums).order_by()
    return {row["source"]: {name: row[f"{name}__sum"] for name in minutes.REFUSALS} for row in rows}


def _quiet_minutes(now: dt.datetime) -> dict[int, float]:
    """Return the minutes since each source's last batch was received, whether or not the pipeline has come to it."""
    last = RawBatch.objects.filter(source=OuterRef("pk")).order_by("-id").values("received_at")[:1]
    rows = Source.objects.annotate(last=Subquery(last)).exclude(last=None).values_list("pk", "last")
    return {pk: max(0.0, (now - moment).total_seconds() / 60) for pk, moment in rows}


def _is_usual_pause(source_id: int, figures: Figures, minute: int) -> bool:
    """Return whether most of the earlier days that are known were silent at this time too (at least two are)."""
    quiet = int(figures.quiet_minutes or 0)
    rows = SourceMinute.objects.filter(source=source_id, records__gt=0)
    oldest = rows.aggregate(oldest=Min("minute"))["oldest"]
    days = [day * minutes.DAY_MINUTES for day in range(1, PAUSE_DAYS + 1)]
    known = [day for day in days if oldest is not None and oldest <= minute - day - quiet]
    silent = [
        day for day in known if not rows.filter(minute__gt=minute - day - quiet, minute__lte=minute - day).exists()
    ]
    return len(silent) >= 2 and 2 * len(silent) > len(known)


def troubled() -> list[SourceHealth]:
    """Return the sources that are silent or whose format changed, as last judged: one query."""
    return list(SourceHealth.objects.filter(troubled=True, source__enabled=True).select_related("source"))
