"""What a candidate flagged beside the champion, added up per minute of receipt.

Handed: the figures of a pass, stored in its own transaction. Hands on: what a candidate and a champion did on the same
events so far, as the gate of the shadow wants it. Knows none of the heavy libraries.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from django.db.models import Count, Sum

from triage import minutes
from triage.learning import shadow_gate
from triage.learning.paired import Paired, design_effect
from triage.learning.shadow_gate import LabelledPair, LivePair
from triage.models import ModelStatus, ModelVersion, ShadowTally

#: Columns of p-values and their levels.
LEVELS = {"p_01": 0.01, "p_05": 0.05, "p_10": 0.1, "p_50": 0.5}


@dataclass(frozen=True, slots=True)
class Shadowed:
    """One minute's events that both models scored; the columns of ``ShadowTally``."""

    candidate_id: int
    champion_id: int
    minute: int
    events: int
    both: int
    only_candidate: int
    only_champion: int
    p_01: int
    p_05: int
    p_10: int
    p_50: int


COLUMNS = tuple(item.name for item in fields(Shadowed))


def add(rows: Sequence[Shadowed]) -> None:
    """Add figures to the table, inside the caller's transaction; in order, so that no two writers deadlock."""
    minutes.upsert(ShadowTally._meta.db_table, COLUMNS, 3, sorted(astuple(row) for row in rows))


def seen(candidate_id: int, champion_id: int) -> LivePair:
    """Return what the two did on the same events so far."""
    names = ("events", "both", "only_candidate", "only_champion", *LEVELS)
    rows = list(
        ShadowTally.objects.filter(candidate=candidate_id, champion=champion_id, events__gt=0)
        .order_by("minute")
        .values_list(*names)
    )
    events, both, only_candidate, only_champion, *levels = (
        [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * len(names)
    )
    return LivePair(
        pair=Paired(both, only_candidate, only_champion, events - both - only_candidate - only_champion),
        p_counts=dict(zip(LEVELS.values(), levels, strict=True)) if rows else {},
        blocks=tuple((row[0], row[2], row[3]) for row in rows),
    )


def size(candidate_id: int, champion_id: int) -> tuple[int, int]:
    """Return over how many events, and how many minutes, the two were compared."""
    rows = ShadowTally.objects.filter(candidate=candidate_id, champion=champion_id, events__gt=0)
    found = rows.aggregate(events=Sum("events"), minutes=Count("id"))
    return found["events"] or 0, found["minutes"]


def report(row: ModelVersion) -> dict[str, Any] | None:
    """Return what a version's time in shadow has shown, as JSON values; None when it never was there.

    Of a candidate the figures are those of this moment; what was said about verdicts is as old as the gate's last look.
    """
    stored: dict[str, Any] | None = row.metrics.get("shadow")
    if row.status != ModelStatus.CANDIDATE:
        return stored
    found: dict[str, Any] = {"verdict": shadow_gate.WAIT, "events": 0, "minutes": 0, **(stored or {})}
    found |= {"needed_events": shadow_gate.MIN_EVENTS, "needed_minutes": shadow_gate.MIN_MINUTES}
    tallies = ShadowTally.objects.filter(candidate=row, events__gt=0).order_by("-minute", "-id")
    newest = tallies.values_list("champion_id", "champion__version").first()
    if newest is None:
        return found
    live = seen(row.pk, newest[0])
    now = shadow_gate.measured(live, LabelledPair(), design_effect(live.blocks))
    verdicts = {name: found.get(name, now[name]) for name in ("confirmed", "false_alarms")}
    return {**found, **now, **verdicts, "events": live.pair.n, "minutes": len(live.blocks), "champion": newest[1]}


def forget_decided() -> None:
    """Drop the figures of versions that are no candidates any more; the ledger keeps their sums."""
    ShadowTally.objects.exclude(candidate__status=ModelStatus.CANDIDATE).delete()
