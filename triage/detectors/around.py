"""What happened around an event, as evidence beside that of the event itself, with its reasons.

Handed: events with their window numbers. Hands on: the squared evidence that is added to their score, and what is
written about it. Without numbers nothing is added, and a score stays what it is without windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent, Reason
from triage.detectors.calibration import Tail
from triage.detectors.reasons import label, shown
from triage.features.usual_windows import COLUMNS, UsualWindows
from triage.features.windows import ENTITIES, MEASURES

#: How much each column's evidence counts, as measured beside the columns of the event (docs/detection.md).
WEIGHT = 1.5
#: Held-back events with numbers that are needed to calibrate.
MIN_HELD_BACK = 50
Reasons = tuple[Reason, ...]


class Around:
    """What is usual around events, and how much evidence it is to exceed it."""

    def __init__(self, usual: UsualWindows, tails: Sequence[Tail]) -> None:
        self.usual, self.tails = usual, list(tails)

    @classmethod
    def learn(
        cls,
        taught: Sequence[ParsedEvent],
        taught_numbers: np.ndarray,
        held_back: Sequence[ParsedEvent],
        held_back_numbers: np.ndarray,
    ) -> "Around | None":
        """Learn what is usual from one part of a history and its evidence from the next; ``None`` if too little."""
        usual = UsualWindows.learn(taught, taught_numbers)
        present = np.flatnonzero(held_back_numbers.max(axis=1) >= 0)
        if usual is None or len(present) < MIN_HELD_BACK:
            return None
        rows = usual.columns([held_back[place] for place in present.tolist()], held_back_numbers[present])
        return cls(usual, [Tail.learn(column) for column in rows.T])

    def relearn(self, events: Sequence[ParsedEvent], numbers: np.ndarray) -> "Around":
        """Learn what is usual from a whole history, with the evidence as it was measured where it ends."""
        return Around(UsualWindows.learn(events, numbers) or self.usual, self.tails)

    def evidence(self, events: Sequence[ParsedEvent], numbers: np.ndarray) -> np.ndarray:
        """Return the tail evidence of each column, shape ``(len(COLUMNS), n_events)``."""
        rows = self.usual.columns(events, numbers)
        return np.array([tail.evidence(column) for tail, column in zip(self.tails, rows.T, strict=True)])

    def raise_scores(self, scores: np.ndarray, events: Sequence[ParsedEvent], numbers: np.ndarray) -> np.ndarray:
        """Return scores with the squares of this evidence added to theirs; where there is none, bit for bit as is."""
        total = np.zeros(len(scores))
        # One after the other: NumPy's own sum takes another order for a single row than for many.
        for column in self.evidence(events, numbers):
            total += np.square(WEIGHT * column)
        return np.where(total > 0.0, np.sqrt(np.square(scores) + total), scores)

    def explain(
        self, events: Sequence[ParsedEvent], numbers: np.ndarray, scores: np.ndarray, found: Sequence[Reasons]
    ) -> list[Reasons]:
        """Return reasons with what happened around the events among them; ``scores`` are those without it."""
        raised = self.raise_scores(scores, events, numbers)
        evidence = self.evidence(events, numbers)
        return [
            reasons if raised[place] == scores[place]
            else self._merge(event, numbers[place], evidence[:, place], float(scores[place]), reasons)
            for place, (event, reasons) in enumerate(zip(events, found, strict=True))
        ]  # fmt: skip

    def _merge(
        self, event: ParsedEvent, numbers: np.ndarray, evidence: np.ndarray, score: float, reasons: Reasons
    ) -> Reasons:
        """Return all reasons of an event by their share of the raised score, largest first."""
        squares = np.square(WEIGHT * evidence)
        added = float(squares.sum())
        whole = max((score * score + added) ** 0.5, 1e-9)
        merged = [
            replace(one, contribution=1.0 - ((score * (1.0 - one.contribution)) ** 2 + added) ** 0.5 / whole)
            for one in reasons
        ]
        for place in np.flatnonzero(squares).tolist():
            left = max(score * score + added - float(squares[place]), 0.0) ** 0.5
            merged.append(self._write(event, numbers, place, 1.0 - left / whole))
        return tuple(sorted(merged, key=lambda one: (-one.contribution, one.text))[: max(len(reasons), len(COLUMNS))])

    def _write(self, event: ParsedEvent, numbers: np.ndarray, measure: int, share: float) -> Reason:
        """Return the reason of one column, about the entity that exceeds what is usual the most."""
        each = []
        for number, entity in enumerate(ENTITIES):
            count = int(numbers[number * len(MEASURES) + measure])
            if count >= 0:
                limit = self.usual.limit(event, entity)[measure]
                each.append(((count + 1) / (limit + 1), entity, count, limit))
        _, entity, count, limit = max(each)
        name = f"{label(entity)} {shown(event.fields[entity])}"
        what = _WHAT[COLUMNS[measure]].format(count=f"{count:,}")
        usual = f"usually at most {limit:,}"
        return Reason(COLUMNS[measure], f"{name} {what} within twenty minutes; {usual}", share, (entity,), what, usual)

    def state(self) -> dict[str, Any]:
        """Return it as a plain tree."""
        return {"usual": self.usual.state(), "tails": [tail.state() for tail in self.tails]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Around":
        """Rebuild it; raise ``ValueError`` when the state does not fit this code."""
        tails = [Tail.from_state(tail) for tail in state["tails"]]
        if len(tails) != len(COLUMNS):
            raise ValueError(f"{len(tails)} tails of windows, not {len(COLUMNS)}")
        return cls(UsualWindows.from_state(state["usual"]), tails)


_WHAT = {
    "burst": "took part in {count} events",
    "failures": "failed {count} times",
    "new_values": "came with {count} things never seen with it before",
}
