"""Has a source changed since a model began to serve it? Blocks of neighbouring events are compared with earlier blocks.

Handed: blocks (some hundred events added up) of one source under one model. Hands on: per block and aspect a p-value
and the evidence that has gathered. Pure; what is stored and when is :mod:`triage.drifting`.

A block is as strange as its distance to the third nearest of the reference blocks, so that a source with several ways
of being (day and night, a nightly job) is compared with its like. Among the distances that the reference blocks have
from each other that gives a conformal p-value (Vovk, Gammerman and Shafer 2005). P-values become bets by a power
calibrator (Vovk and Wang 2021, "E-values: calibration, combination and applications"), and bets add up to a
Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2022, "E-detectors"): while p-values are independent and uniform,
the mean time to a false alarm is at least the level, in blocks. The level is chosen for all sources and aspects
together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

#: A block has at least so many events.
BLOCK_EVENTS = 250
#: Blocks of the reference: below the first number nothing is measured yet, at the second one it is complete.
MIN_REFERENCE, MAX_REFERENCE = 30, 200
NEIGHBOUR = 3
ASPECTS = ("kinds", "features", "scores", "alert_rate")
#: The spread of a column is at least this much, so that one that never moved does not make a mountain of a speck.
MIN_SPREAD = 0.05
#: Blocks nearer in time than this are too much alike to be compared with each other (days).
GAP_DAYS = 1.0
#: How far evidence must rise above the highest that the reference itself gathered.
MARGIN = 100.0
#: Where the reference gathered more than this by itself, nothing is judged.
RESTLESS = 1e8
#: The calibrator's exponent: below 1/2 it stakes more on p-values as small as the reference allows.
POWER = 0.3
#: Running evidence stays below this, so that it can be stored.
MAX_EVIDENCE = 1e30


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring events of one source. ``p_counts`` counts by class of p-value, ``evidence`` sums per column."""

    events: int
    flagged: int
    p_counts: tuple[int, ...]
    kinds: Mapping[str, int]
    evidence: Mapping[str, float]

    @classmethod
    def join(cls, blocks: Sequence["Block"]) -> "Block":
        """Return several blocks as one."""
        return cls(
            events=sum(block.events for block in blocks),
            flagged=sum(block.flagged for block in blocks),
            p_counts=tuple(map(sum, zip(*(block.p_counts for block in blocks), strict=True))),
            kinds=_added(block.kinds for block in blocks),
            evidence=_added(block.evidence for block in blocks),
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """One aspect of one block: its p-value and the evidence gathered up to it."""

    p_value: float
    evidence: float


def _added(parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            found[name] = found.get(name, 0) + value
    return found


class Reference:
    """What a source was like before: up to 200 of its blocks, evenly spaced, and how strange they are to each other.

    ``times`` are the blocks' ends in days, growing. Neighbours in time are alike, and a new block has none among blocks
    that are a day old; so strangeness within the reference is measured between blocks that are apart as well.
    """

    def __init__(self, blocks: Sequence[Block], times: Sequence[float]) -> None:
        if len(blocks) < MIN_REFERENCE:
            raise ValueError(f"{len(blocks)} blocks; a reference needs {MIN_REFERENCE}")
        self.size = min(len(blocks), MAX_REFERENCE)
        self._names = {
            "kinds": sorted({name for block in blocks for name in block.kinds}),
            "features": sorted({name for block in blocks for name in block.evidence}),
        }
        rows = {aspect: np.array([self._row(aspect, block) for block in blocks]) for aspect in ASPECTS}
        self._spread = np.maximum(rows["features"].std(axis=0), MIN_SPREAD)
        chosen = np.arange(self.size) * len(blocks) // self.size
        self._rows = {aspect: found[chosen] for aspect, found in rows.items()}
        when = np.asarray(times, dtype=float)
        near = np.abs(when[:, None] - when[chosen]) < min(GAP_DAYS, (when[-1] - when[0]) / 4)
        near[chosen, np.arange(self.size)] = True
        self._around, self._usual, self.highest = {}, {}, {}
        for aspect, found in rows.items():
            distances = np.where(near, np.inf, self._distances(aspect, found))
            self._around[aspect] = reach(distances[chosen])
            strange = self._strangeness(aspect, distances)
            self._usual[aspect] = np.sort(strange[chosen])
            self.highest[aspect] = self._highest(aspect, strange)

    def _row(self, aspect: str, block: Block) -> np.ndarray:
        return _ROWS[aspect](block, self._names.get(aspect, []))

    def _distances(self, aspect: str, rows: np.ndarray) -> np.ndarray:
        """Return how far each of the rows is from every reference block, shape ``(len(rows), size)``."""
        if aspect == "kinds":
            return np.asarray(np.nan_to_num(cdist(rows, self._rows[aspect], "jensenshannon")))
        if aspect == "features":
            return np.asarray(cdist(rows / self._spread, self._rows[aspect] / self._spread))
        return np.asarray(cdist(rows, self._rows[aspect], "chebyshev"))

    def _strangeness(self, aspect: str, distances: np.ndarray) -> np.ndarray:
        """Return the distance to the third nearest reference block, by the reach of the three nearest."""
        order = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOUR]
        third = np.take_along_axis(distances, order[:, -1:], axis=1)[:, 0]
        around = self._around[aspect][order].mean(axis=1)
        return np.asarray(np.where(around > 0, third / np.where(around > 0, around, 1.0), third))

    def _highest(self, aspect: str, strange: np.ndarray) -> float:
        """Return how much evidence these blocks, one after the other, would have gathered at most."""
        gathered = highest = 0.0
        for one in strange.tolist():
            gathered = (gathered + 1.0) * bet(self._p_value(aspect, one))
            highest = max(highest, gathered)
        return min(highest, MAX_EVIDENCE)

    def _p_value(self, aspect: str, strangeness: float) -> float:
        # Rounded sums must not decide between equals.
        at_least = self.size - int(np.searchsorted(self._usual[aspect], strangeness - 1e-12, side="left"))
        return (1 + at_least) / (self.size + 1)

    def p_value(self, aspect: str, block: Block) -> float:
        """Return the share of reference blocks that are at least as strange, the block itself included."""
        distances = self._distances(aspect, self._row(aspect, block)[None])
        return self._p_value(aspect, float(self._strangeness(aspect, distances)[0]))

    def judge(self, block: Block, before: Mapping[str, float]) -> dict[str, Judgement]:
        """Return the judgement of every aspect; ``before`` is the evidence gathered up to the block before."""
        found = {}
        for aspect in ASPECTS:
            p_value = self.p_value(aspect, block)
            gathered = (before.get(aspect, 0.0) + 1.0) * bet(p_value)
            found[aspect] = Judgement(p_value, min(gathered, MAX_EVIDENCE))
        return found

    def level(self, aspect: str, alarm_level: float) -> float | None:
        """Return the evidence that raises an alarm here: far more than this source's own days have gathered.

        None when it changes so much by itself that a change for good could not be told from it.
        """
        highest = self.highest[aspect]
        return None if highest > RESTLESS else max(alarm_level, MARGIN * highest)


def _kinds(block: Block, names: Sequence[str]) -> np.ndarray:
    """Return the shares of the known kinds and, last, of all others."""
    counts = [block.kinds.get(name, 0) for name in names]
    return np.array([*counts, block.events - sum(counts)]) / block.events


def _features(block: Block, names: Sequence[str]) -> np.ndarray:
    return np.array([block.evidence.get(name, 0.0) for name in names]) / block.events


def _scores(block: Block, _: Sequence[str]) -> np.ndarray:
    """Return the share of events up to each class of p-values."""
    return np.asarray(np.cumsum(block.p_counts) / block.events)


def _alert_rate(block: Block, _: Sequence[str]) -> np.ndarray:
    return np.array([block.flagged / block.events])


_ROWS: dict[str, Callable[[Block, Sequence[str]], np.ndarray]] = {
    "kinds": _kinds,
    "features": _features,
    "scores": _scores,
    "alert_rate": _alert_rate,
}


def reach(distances: np.ndarray) -> np.ndarray:
    """Return the yardstick at each reference block: how far its third nearest is, joined with how far that usually is.

    Rooms differ: by day blocks lie further apart than by night. The usual reach takes part so that a room without any
    spread is no yardstick of nothing; and no block's own reach is taken for more than twice that, as a lonely block
    would make everything beyond it look near.
    """
    own = np.sort(distances, axis=1)[:, NEIGHBOUR - 1]
    known = own[np.isfinite(own)]
    usual = float(np.median(known)) if len(known) else 0.0
    return np.asarray(np.minimum(own, 2 * usual) + usual)


def bet(p_value: float) -> float:
    """Return what a p-value is worth as evidence: 1 on average while p-values are uniform.

    >>> [round(bet(p), 3) for p in (1.0, 0.5, 0.05, 0.005)]
    [0.3, 0.487, 2.443, 12.242]
    """
    return float(POWER * p_value ** (POWER - 1.0))


def alarm_level(blocks_per_month: float) -> float:
    """Return the evidence that raises an alarm: one false alarm a month over all sources and aspects, at most.

    ``blocks_per_month`` is the number of blocks of all sources together; every aspect of each is a chance to err.
    """
    return max(len(ASPECTS) * blocks_per_month, 100.0)
