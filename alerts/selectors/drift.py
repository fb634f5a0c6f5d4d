"""What the models page says about drift: alarms that wait for a decision, and how near each source is to one.

Handed: the ledger. Hands on: small values for templates. What is not measured is None, with the reason beside it.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max

from triage.models import Alarm, AlarmKind, DriftBlock, ModelStatus, ModelVersion, Source

#: Sources shown, those nearest to an alarm first; and the newest alarms that are closed.
MAX_SOURCES, MAX_CLOSED = 20, 5
ASPECTS = (AlarmKind.KINDS, AlarmKind.FEATURES, AlarmKind.SCORES, AlarmKind.ALERT_RATE)


@dataclass(frozen=True, slots=True)
class Aspect:
    """How far the evidence has come on its way to an alarm: 0 to 100 on a log scale, None = not judged."""

    name: str
    percent: int | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """One source under the serving model. ``reference`` is how many blocks it is compared with, None while too few."""

    source: Source
    blocks: int
    ended_at: dt.datetime | None
    reference: int | None
    aspects: list[Aspect]

    @property
    def nearest(self) -> int:
        """The aspect nearest to an alarm, -1 when nothing is measured."""
        return max((aspect.percent for aspect in self.aspects if aspect.percent is not None), default=-1)


@dataclass(frozen=True, slots=True)
class Drift:
    """Alarms and watched sources."""

    open: list[Alarm]
    closed: list[Alarm]
    watched: list[Watched]
    more: int


def drift() -> Drift:
    """Return what is known: six queries, however many sources there are."""
    alarms = Alarm.objects.select_related("source", "model_version")
    found = _watched()
    return Drift(
        open=list(alarms.filter(closed_at__isnull=True)[:100]),
        closed=list(alarms.filter(closed_at__isnull=False).order_by("-closed_at")[:MAX_CLOSED]),
        watched=found[:MAX_SOURCES],
        more=max(len(found) - MAX_SOURCES, 0),
    )


def _watched() -> list[Watched]:
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    if serving is None:
        return []
    rows = DriftBlock.objects.filter(model_version=serving).values("source").annotate(n=Count("pk"), last=Max("pk"))
    counts = {row["source"]: (row["n"], row["last"]) for row in rows}
    newest = {
        block.source_id: block for block in DriftBlock.objects.filter(pk__in=[last for _, last in counts.values()])
    }
    sources = Source.objects.filter(pk__in=counts).in_bulk()
    watched = [_source(sources[key], n, newest[key]) for key, (n, _) in counts.items() if key in sources]
    return sorted(watched, key=lambda one: (-one.nearest, one.source.name))


def _source(source: Source, blocks: int, newest: DriftBlock) -> Watched:
    judged = newest.judged
    aspects = [_aspect(kind, judged.get(kind.value)) for kind in ASPECTS] if judged else []
    return Watched(source, blocks, newest.ended_at, judged.get("reference"), aspects)


def _aspect(kind: AlarmKind, judged: dict[str, Any] | None) -> Aspect:
    name = str(kind.label)
    if judged is None:
        return Aspect(name, None, "not judged yet")
    share = aspect_share(judged)
    if share is None:
        return Aspect(name, None, "changes too much by itself to be judged")
    return Aspect(name, round(100 * share))


def aspect_share(judged: dict[str, Any] | None) -> float | None:
    """Return how far an aspect's evidence has come on its way to an alarm, 0 to 1 on a log scale.

    None = not judged, yet or at all.
    """
    if judged is None or judged["level"] is None:
        return None
    return min(math.log1p(judged["evidence"]) / math.log1p(judged["level"]), 1.0)
