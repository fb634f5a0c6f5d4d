"""Watches for drift: folds what the pipeline tallied into blocks, has them judged, raises alarms.

Handed: the clock. Hands on: ``DriftBlock`` rows with their judgement, and at most one open ``Alarm`` per source, model
and aspect. May run twice at once: whoever holds a source works on it, the other one passes it by.
"""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet
from django.utils import timezone

from triage.learning import drift, drift_words
from triage.learning.drift import Block, Reference
from triage.models import Alarm, AlarmKind, DriftBlock, ModelStatus, ModelVersion, ScoreTally, Source

#: Tallies looked at per source and call.
FOLD_ROWS = 2_000
#: A block of a busy source is what came in within one minute of the clock.
MINUTE = dt.timedelta(minutes=1)
#: Blocks are kept this long, and compared with.
KEEP_DAYS = 14
#: Blocks joined to say what a source is like now, and the p-value that ends them.
RECENT_BLOCKS, UNUSUAL = 40, 0.2
MOOT = "another model serves"


def is_due(now: dt.datetime) -> bool:
    """Return whether a minute's worth of tallies waits to be folded."""
    return ScoreTally.objects.filter(received_at__lt=now - MINUTE).exists()


def run(now: dt.datetime | None = None) -> int:
    """Fold, judge and raise alarms for every source that has something new; return the number of new blocks."""
    now = now or timezone.now()
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    if serving is None:
        return 0
    Alarm.objects.filter(closed_at__isnull=True).exclude(model_version=serving).update(closed_at=now, closed_by=MOOT)
    ScoreTally.objects.exclude(model_version=serving).delete()
    level = drift.alarm_level(blocks_per_month(now))
    waiting = ScoreTally.objects.order_by("source").values_list("source", flat=True).distinct()
    return sum(_run_source(source_id, serving, level, now) for source_id in list(waiting))


def blocks_per_month(now: dt.datetime) -> float:
    """Return how many blocks all sources together make in thirty days, by the newest week."""
    week = DriftBlock.objects.filter(ended_at__gt=now - dt.timedelta(days=7))
    found = week.aggregate(count=Count("pk"), first=Min("ended_at"))
    if not found["count"]:
        return 0.0
    days = max((now - found["first"]).total_seconds() / 86_400, 1 / 24)
    return float(found["count"] / days * 30)


def _run_source(source_id: int, serving: ModelVersion, level: float, now: dt.datetime) -> int:
    with transaction.atomic():
        # Not the key itself: intake may go on referring to the source meanwhile.
        held = Source.objects.filter(pk=source_id)
        if transaction.get_connection().features.has_select_for_update:
            held = held.select_for_update(no_key=True, skip_locked=True)
        if not held.exists():
            return 0
        blocks = fold(source_id, serving, now)
        for block in blocks:
            _judge(block, serving, level, now)
    return len(blocks)


def fold(source_id: int, serving: ModelVersion, now: dt.datetime) -> list[DriftBlock]:
    """Turn a source's tallies into blocks, inside the caller's transaction; what is no block yet waits."""
    rows = list(ScoreTally.objects.filter(source=source_id, model_version=serving).order_by("id")[:FOLD_ROWS])
    made: list[DriftBlock] = []
    part: list[ScoreTally] = []
    for place, row in enumerate(rows):
        part.append(row)
        following = rows[place + 1].received_at if place + 1 < len(rows) else now
        if sum(one.events for one in part) >= drift.BLOCK_EVENTS and _minute(following) != _minute(row.received_at):
            made.append(_block(part))
            part = []
    used = len(rows) - len(part)
    DriftBlock.objects.bulk_create(made)
    ScoreTally.objects.filter(pk__in=[row.pk for row in rows[:used]]).delete()
    return made


def _minute(time: dt.datetime) -> dt.datetime:
    return time.replace(second=0, microsecond=0)


def _block(part: Sequence[ScoreTally]) -> DriftBlock:
    whole = Block.join([value_of(row) for row in part])
    return DriftBlock(
        source_id=part[0].source_id,
        model_version_id=part[0].model_version_id,
        ended_at=max(row.received_at for row in part),
        events=whole.events,
        flagged=whole.flagged,
        p_counts=list(whole.p_counts),
        kinds=dict(whole.kinds),
        evidence={name: round(value, 4) for name, value in whole.evidence.items()},
    )


def value_of(row: ScoreTally | DriftBlock) -> Block:
    """Return a row as the pure room knows it."""
    return Block(row.events, row.flagged, tuple(row.p_counts), row.kinds, row.evidence)


def history(source_id: int, model: ModelVersion) -> QuerySet[DriftBlock]:
    """Return the blocks of a source under a model since a person last called what is there the new normal."""
    rows = DriftBlock.objects.filter(source=source_id, model_version=model)
    closed = Alarm.objects.filter(source=source_id, model_version=model, closed_at__isnull=False).exclude(
        closed_by=MOOT
    )
    last = closed.order_by("-closed_at").values_list("closed_at", flat=True).first()
    return rows if last is None else rows.filter(ended_at__gt=last)


def reference_of(source_id: int, model: ModelVersion, now: dt.datetime) -> Reference | None:
    """Return what a source was like until yesterday began; None while that is too little to compare with."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    old = history(source_id, model).filter(ended_at__lt=midnight - dt.timedelta(days=drift.GAP_DAYS))
    span = old.aggregate(first=Min("pk"), last=Max("pk"), count=Count("pk"))
    if span["count"] < drift.MIN_REFERENCE:
        return None
    return _reference(source_id, model.pk, span["first"], span["last"], span["count"])


@lru_cache(maxsize=64)
def _reference(source_id: int, model_id: int, first: int, last: int, _count: int) -> Reference:
    """Return the reference made of these blocks, which never change but are forgotten."""
    rows = DriftBlock.objects.filter(source=source_id, model_version=model_id, pk__gte=first, pk__lte=last)
    blocks = list(rows.order_by("ended_at", "id"))
    return Reference([value_of(row) for row in blocks], [row.ended_at.timestamp() / 86_400 for row in blocks])


def _judge(block: DriftBlock, serving: ModelVersion, alarm_level: float, now: dt.datetime) -> None:
    """Judge a block against its reference and raise what has become an alarm."""
    reference = reference_of(block.source_id, serving, now)
    if reference is None:
        return
    earlier = history(block.source_id, serving).filter(pk__lt=block.pk)
    last = earlier.order_by("-id").values_list("judged", flat=True).first() or {}
    before = {aspect: last[aspect]["evidence"] for aspect in drift.ASPECTS if aspect in last}
    judged: dict[str, Any] = {"reference": reference.size}
    for aspect, found in reference.judge(value_of(block), before).items():
        level = reference.level(aspect, alarm_level)
        raised = level is not None and found.evidence >= level
        judged[aspect] = {"p": found.p_value, "evidence": 0.0 if raised else found.evidence, "level": level}
        if raised:
            _raise_alarm(aspect, block, serving, {"evidence": found.evidence, "level": level}, now)
    block.judged = judged
    block.save(update_fields=["judged"])


def _raise_alarm(
    aspect: str, block: DriftBlock, serving: ModelVersion, figures: dict[str, Any], now: dt.datetime
) -> None:
    """Raise an alarm unless one of this kind is open for the source."""
    kind = AlarmKind(aspect)
    same = Alarm.objects.filter(kind=kind, source=block.source_id, model_version=serving, closed_at__isnull=True)
    if same.exists():
        return
    rows = history(block.source_id, serving).filter(pk__lt=block.pk).order_by("-id")
    earlier = list(rows[: RECENT_BLOCKS + drift.MAX_REFERENCE])
    # It began where blocks ceased to be usual.
    changed = len(list(takewhile(lambda row: row.judged.get(aspect, {}).get("p", 1.0) <= UNUSUAL, earlier)))
    newest, before = [block, *earlier[: min(changed, RECENT_BLOCKS)]], earlier[changed:]
    served = (now - (serving.promoted_at or serving.trained_at)).total_seconds() / 86_400
    advice = drift_words.advise(aspect, _joined(before), _joined(newest), served)
    figures |= {"blocks_before": len(before), "blocks_now": len(newest)}
    Alarm.objects.create(
        kind=kind,
        source_id=block.source_id,
        model_version=serving,
        recommendation=advice.recommendation,
        text=advice.text,
        details=advice.details | figures,
        raised_at=now,
    )


def _joined(rows: Sequence[DriftBlock]) -> Block:
    return Block.join([value_of(row) for row in rows])


def expire(now: dt.datetime) -> int:
    """Forget old blocks; return how many went."""
    return DriftBlock.objects.filter(ended_at__lt=now - dt.timedelta(days=KEEP_DAYS)).delete()[0]
