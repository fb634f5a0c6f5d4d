"""What the pages say about the installation: freshness, learning, sources, models.

Handed: nothing, or a source. Hands on: small values for templates. Unknown is None, never 0.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, Max, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from alerts.selectors import health
from alerts.selectors.health import Health
from triage.health import SILENT
from triage.models import BatchStatus, LearnState, ModelStatus, ModelVersion, RawBatch, Source

#: No event for this long and the freshness badge turns red.
STALE_AFTER = dt.timedelta(minutes=5)
STATISTICS_BATCHES = 5_000
QUARANTINE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the last records came in. ``received_at`` is None when none ever did."""

    received_at: dt.datetime | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Learning:
    """The cold start: how far learning is while there is no champion. ``waiting`` = nothing came in yet."""

    events: int
    needed: int
    phase: str
    detail: str
    champion: ModelVersion | None

    @property
    def active(self) -> bool:
        """Whether no model is serving yet."""
        return self.champion is None

    @property
    def counted(self) -> int:
        """Events that count towards the first model."""
        return min(self.events, self.needed)


@dataclass(slots=True)
class SourceStats:
    """What one source sent in the window; ``batches`` says how many requests that rests on."""

    batches: int = 0
    events: int = 0
    flagged: int = 0
    parsers: Counter[str] = field(default_factory=Counter)
    discards: Counter[str] = field(default_factory=Counter)
    first_at: dt.datetime | None = None
    last_at: dt.datetime | None = None

    @property
    def shares(self) -> list[tuple[str, int, float]]:
        """``(parser, events, percent)``, most frequent first."""
        total = sum(self.parsers.values()) or 1
        return [(name, n, 100 * n / total) for name, n in self.parsers.most_common()]

    @property
    def fallback_reasons(self) -> list[tuple[str, int]]:
        """``(reason, events)``, most frequent first."""
        return self.discards.most_common(20)

    @property
    def fallback(self) -> int:
        """Events that no parser understood."""
        return self.parsers.get("fallback", 0)

    @property
    def fallback_percent(self) -> float | None:
        """Share of fallback events, None when nothing came in."""
        return 100 * self.fallback / self.events if self.events else None

    @property
    def per_minute(self) -> float | None:
        """Events a minute between the first and the last batch of the window; None below two batches."""
        if self.first_at is None or self.last_at is None or self.last_at <= self.first_at:
            return None
        return self.events / ((self.last_at - self.first_at).total_seconds() / 60)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source with what it sent lately, and its last batch ever."""

    source: Source
    last_seen_at: dt.datetime | None
    stats: SourceStats
    stale: bool
    health: Health | None = None

    @property
    def needs_a_look(self) -> bool:
        """Whether it is silent or has changed its format, as judged lately."""
        return self.source.enabled and self.health is not None and self.health.troubled and not self.health.is_old


def freshness() -> Freshness:
    """Return when the last records came in: one query."""
    rows = RawBatch.objects.filter(source__synthetic=False)
    last = rows.order_by("-id").values_list("received_at", flat=True).first()
    return Freshness(received_at=last, stale=last is not None and timezone.now() - last > STALE_AFTER)


def learning() -> Learning:
    """Return the state of learning: one query with a champion, three without."""
    champion = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    if champion is not None:
        return Learning(events=0, needed=settings.LEARN_MIN_EVENTS, phase="", detail="", champion=champion)
    state = LearnState.objects.first()
    total = RawBatch.objects.aggregate(total=Sum("event_count"))["total"] or 0
    return Learning(
        events=total,
        needed=settings.LEARN_MIN_EVENTS,
        phase=state.phase if state else "idle",
        detail=state.detail if state else "",
        champion=None,
    )


def event_total() -> int:
    """Return how many events the kept batches hold."""
    return RawBatch.objects.aggregate(total=Sum("event_count"))["total"] or 0


def source_count() -> int:
    """Return how many sources exist."""
    return Source.objects.count()


def sources() -> list[SourceRow]:
    """Return every source with what it sent in the last 24 hours (at most the newest 5,000 batches): two queries."""
    last = RawBatch.objects.filter(source=OuterRef("pk")).order_by("-id").values("received_at")[:1]
    named = Source.objects.select_related("health")
    rows = list(named.annotate(last_seen_at=Subquery(last, output_field=DateTimeField())))
    stats = _stats(RawBatch.objects.all())
    now = timezone.now()
    found = [
        SourceRow(
            source=row,
            last_seen_at=row.last_seen_at,
            stats=stats.get(row.pk, SourceStats()),
            stale=_is_stale(row.last_seen_at, health.of(row), now),
            health=health.of(row),
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: not row.needs_a_look)


def source_row(source_id: int) -> SourceRow:
    """Return one source with what it sent in the last 24 hours: three queries. Raises ``Source.DoesNotExist``."""
    source = Source.objects.select_related("health").get(pk=source_id)
    batches = RawBatch.objects.filter(source=source)
    last = batches.order_by("-id").values_list("received_at", flat=True).first()
    judged = health.of(source)
    return SourceRow(
        source=source,
        last_seen_at=last,
        stats=_stats(batches).get(source_id, SourceStats()),
        stale=_is_stale(last, judged, timezone.now()),
        health=judged,
    )


def _is_stale(last: dt.datetime | None, judged: Health | None, now: dt.datetime) -> bool:
    """Return whether a source is silent: by its own pace where that is known and judged lately, else by the clock."""
    if last is None:
        return False
    if judged is not None and not judged.is_old and judged.usual_gap is not None:
        return any(name == SILENT for name, _ in judged.states)
    return now - last > STALE_AFTER


def _stats(batches: QuerySet[RawBatch]) -> dict[int, SourceStats]:
    since = timezone.now() - dt.timedelta(hours=24)
    names = ("source_id", "received_at", "event_count", "flagged_count", "parser_counts", "discard_counts")
    recent = batches.filter(received_at__gte=since).order_by("-id").values_list(*names)[:STATISTICS_BATCHES]
    found: dict[int, SourceStats] = {}
    for source_id, received_at, events, flagged, parsers, discards in recent:
        stats = found.setdefault(source_id, SourceStats(last_at=received_at))
        stats.first_at = received_at
        stats.batches += 1
        stats.events += events
        stats.flagged += flagged
        stats.parsers.update(parsers)
        stats.discards.update(discards)
    return found


def quarantined(source_id: int | None = None) -> list[RawBatch]:
    """Return the newest 50 batches in quarantine, without their bodies: one query."""
    rows = RawBatch.objects.filter(status=BatchStatus.QUARANTINED).select_related("source").defer("body")
    if source_id is not None:
        rows = rows.filter(source_id=source_id)
    return list(rows.order_by("-id")[:QUARANTINE_ROWS])


def models() -> list[ModelVersion]:
    """Return the newest 100 model versions, the champion first: one query."""
    rows = list(ModelVersion.objects.order_by("-trained_at", "-id")[:100])
    return sorted(rows, key=lambda row: row.status != ModelStatus.CHAMPION)


def metrics_of(version: ModelVersion) -> list[dict[str, Any]]:
    """Return a version's measured rates as rows ``{name, value, n, low, high}``; value None = not measured."""
    found = version.metrics if isinstance(version.metrics, dict) else {}
    rows = [_rate("flagged", found.get("flag_rate"))]
    levels = found.get("p_value_validity") or []
    rows += [_rate(f"p ≤ {level['p']}", level["rate"]) for level in levels]
    labels = found.get("labels") or {}
    return [*rows, *(_rate(name, labels.get(name)) for name in ("precision", "recall"))]


def _rate(name: str, measured: dict[str, Any] | None) -> dict[str, Any]:
    values = measured if isinstance(measured, dict) else {}
    return {"name": name, **{key: values.get(key) for key in ("value", "n", "low", "high")}}


def taught_by(version: ModelVersion) -> dict[str, Any]:
    """Return how many events a version learned from, how many calibrated it, and its budget."""
    found = version.metrics if isinstance(version.metrics, dict) else {}
    return {name: found.get(name) for name in ("n_fit", "n_calibration", "alert_budget")}


def last_trained_at() -> dt.datetime | None:
    """Return when a model was last trained."""
    found: dt.datetime | None = ModelVersion.objects.aggregate(last=Max("trained_at"))["last"]
    return found
