"""Charts of the models page: drift of one source over time, and a candidate beside the champion.

Handed: a source, or a version. Hands on: charts of at most some dozen steps. A step without a block or without an
event is None: not measured.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.selectors.charts import Chart, Series, Values
from alerts.selectors.drift import ASPECTS, aspect_share
from triage.learning.statistics import wilson
from triage.models import Alarm, AlarmKind, DriftBlock, ModelStatus, ModelVersion, ShadowTally, Source

STEPS = 72
#: Rates need more events a step than evidence does, or their intervals hide them.
RATE_STEPS = 36
#: The newest blocks that are read: two weeks of a quiet source, a day and a half of the busiest.
MAX_BLOCKS = 2_000
TONES = {
    AlarmKind.KINDS: "accent",
    AlarmKind.FEATURES: "low",
    AlarmKind.SCORES: "medium",
    AlarmKind.ALERT_RATE: "high",
}
WORDS = {
    AlarmKind.KINDS: "mix",
    AlarmKind.FEATURES: "features",
    AlarmKind.SCORES: "scores",
    AlarmKind.ALERT_RATE: "alert rate",
}


@dataclass(frozen=True, slots=True)
class History:
    """One source under the serving model: how near it came to alarms, and which share of its events was flagged."""

    source: Source
    blocks: int
    nearness: Chart
    flagged: Chart


@dataclass(frozen=True, slots=True)
class Block:
    """What is read of a block: when it ended (Unix seconds), its events, how many were flagged, its judgement."""

    ended: float
    events: int
    flagged: int
    judged: dict[str, Any]


def history(source_id: int) -> History | None:
    """Return the charts of a source under the serving model, None without blocks: four queries."""
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    source = Source.objects.filter(pk=source_id).first()
    if serving is None or source is None:
        return None
    rows = DriftBlock.objects.filter(source=source, model_version=serving).order_by("-id")
    read = rows.values_list("ended_at", "events", "flagged", "judged")[:MAX_BLOCKS]
    blocks = [Block(ended.timestamp(), *rest) for ended, *rest in read]
    if not blocks:
        return None
    moments = [block.ended for block in blocks]
    fine, coarse = Grid.over(moments, STEPS), Grid.over(moments, RATE_STEPS)
    alarms = Alarm.objects.filter(source=source, model_version=serving, raised_at__gte=fine.start_at)
    marks = [(raised.timestamp(), "raised") for raised in alarms.order_by("id").values_list("raised_at", flat=True)[:8]]
    return History(source, len(blocks), _nearness(fine, _sorted(fine, blocks), marks), _flagged(coarse, blocks, marks))


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps of equal length in Unix seconds."""

    first: float
    step: int
    steps: int

    @classmethod
    def over(cls, moments: Sequence[float], most: int) -> "Grid":
        """Return the grid that holds some moments, in whole minutes, of at most ``most`` steps."""
        first = min(moments) // 60 * 60
        step = 60 * math.ceil((max(moments) - first + 1) / most / 60)
        return cls(first, step, int((max(moments) - first) // step) + 1)

    @property
    def start_at(self) -> dt.datetime:
        """Its first moment."""
        return dt.datetime.fromtimestamp(self.first, dt.UTC)

    @property
    def x(self) -> list[float]:
        """The beginning of every step."""
        return [self.first + self.step * number for number in range(self.steps)]

    def sorted(self, items: Iterable[Any], moment: Any) -> list[list[Any]]:
        """Return the items of each step; ``moment`` returns an item's Unix seconds."""
        found: dict[int, list[Any]] = defaultdict(list)
        for item in items:
            found[int((moment(item) - self.first) // self.step)].append(item)
        return [found[number] for number in range(self.steps)]


def _sorted(grid: Grid, blocks: list[Block]) -> list[list[Block]]:
    return grid.sorted(blocks, lambda block: block.ended)


def _nearness(grid: Grid, steps: list[list[Block]], marks: list[tuple[float, str]]) -> Chart:
    series = [Series(WORDS[kind], [_nearest(step, kind) for step in steps], tone=TONES[kind]) for kind in ASPECTS]
    return Chart(
        title="On the way to an alarm", x=grid.x, series=series, step=grid.step, percent=True, y_max=1.08, marks=marks,
        levels=[(1.0, "alarm")], sync="drift",
    )  # fmt: skip


def _nearest(step: list[Block], kind: AlarmKind) -> float | None:
    """Return how near an aspect came to an alarm within a step."""
    shares = [aspect_share(block.judged.get(kind.value)) for block in step]
    return max((share for share in shares if share is not None), default=None)


def _flagged(grid: Grid, blocks: list[Block], marks: list[tuple[float, str]]) -> Chart:
    steps = _sorted(grid, blocks)
    counts = [(sum(block.flagged for block in step), sum(block.events for block in step)) for step in steps]
    return Chart(
        title="Share of events flagged, with its 95 % interval", x=grid.x, series=[_rate("flagged", counts, "high")],
        step=grid.step, percent=True, marks=marks, sync="drift",
    )  # fmt: skip


def _rate(label: str, counts: Sequence[tuple[int, int]], tone: str) -> Series:
    """Return shares of counts ``(part, whole)`` with their intervals as a band."""
    rates = [wilson(part, whole) if whole else None for part, whole in counts]
    columns: list[Values] = [
        [None if rate is None else getattr(rate, name) for rate in rates] for name in ("value", "low", "high")
    ]
    return Series(label, columns[0], tone=tone, low=columns[1], high=columns[2])


def shadow(candidate: ModelVersion) -> Chart | None:
    """Return which share of the same events a candidate and the champion flagged over time: one query."""
    rows = ShadowTally.objects.filter(candidate=candidate, events__gt=0).order_by("-minute", "-id")
    names = ("champion_id", "minute", "events", "both", "only_candidate", "only_champion")
    found = list(rows.values_list(*names)[: 7 * 1440])
    found = [row for row in found if row[0] == found[0][0]]
    if not found:
        return None
    grid = Grid.over([60.0 * row[1] for row in found], RATE_STEPS)
    steps = grid.sorted(found, lambda row: 60.0 * row[1])
    sums = [[sum(column) for column in zip(*step, strict=True)] if step else [0] * len(names) for step in steps]
    return Chart(
        title="Share of the same events that each flags, with 95 % intervals", x=grid.x, step=grid.step, percent=True,
        series=[
            _rate("candidate", [(both + only, events) for _, _, events, both, only, _ in sums], "accent"),
            _rate("champion", [(both + only, events) for _, _, events, both, _, only in sums], "muted"),
        ],
    )  # fmt: skip
