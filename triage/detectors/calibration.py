"""From raw columns to probabilities, against events held back from learning.

Handed: the columns of held-back events. Hands on: evidence in nats for any value, strictly growing beyond
the largest one seen, and conformal p-values (Vovk, Gammerman and Shafer 2005).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

#: Points kept of a held-back distribution; the tail is kept whole.
TAIL_POINTS = 512
BODY_POINTS = 256


class Tail:
    """The upper tail of one column: ``-ln`` of the share of held-back values at least as large."""

    __slots__ = ("excess", "levels", "points")

    def __init__(self, points: np.ndarray, levels: np.ndarray, excess: float) -> None:
        self.points, self.levels, self.excess = points, levels, excess

    @classmethod
    def learn(cls, values: np.ndarray) -> "Tail":
        """Learn from held-back values, shape ``(n,)``."""
        ordered = np.sort(values)
        points, first = np.unique(ordered, return_index=True)
        levels = -np.log((len(ordered) - first + 1) / (len(ordered) + 1))
        if len(points) > TAIL_POINTS + BODY_POINTS:
            body = np.linspace(0, len(points) - TAIL_POINTS - 1, BODY_POINTS).astype(int)
            keep = np.concatenate([body, np.arange(len(points) - TAIL_POINTS, len(points))])
            points, levels = points[keep], levels[keep]
        spread = float(np.quantile(ordered, 0.99) - np.quantile(ordered, 0.5))
        return cls(points, levels, max(spread, 0.5))

    def evidence(self, values: np.ndarray) -> np.ndarray:
        """Return ``-ln p`` of each value, plus how far it lies beyond the largest held-back value."""
        inside = np.interp(values, self.points, self.levels)
        return np.asarray(inside + np.maximum(0.0, (values - self.points[-1]) / self.excess))

    def state(self) -> dict[str, Any]:
        """Return the tail as a plain tree."""
        return {"points": self.points, "levels": self.levels, "excess": self.excess}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Tail":
        """Rebuild a tail; raise ``ValueError`` when its arrays do not fit together."""
        if len(state["points"]) != len(state["levels"]) or len(state["points"]) == 0:
            raise ValueError("a calibration tail has points without levels")
        return cls(state["points"], state["levels"], float(state["excess"]))


def conformal_p_values(calibration: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return ``(1 + #{calibration >= s}) / (n + 1)`` for each score; ``calibration`` is sorted upwards.

    Valid (P(p <= a) <= a) while new events are exchangeable with the held-back ones; drift breaks that.

    >>> conformal_p_values(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 9.0])).tolist()
    [1.0, 0.75, 0.25]
    """
    at_least = len(calibration) - np.searchsorted(calibration, scores, side="left")
    return np.asarray((1 + at_least) / (len(calibration) + 1))


def threshold_for(calibration: np.ndarray, alert_budget: float) -> float:
    """Return the score an event must exceed so that its conformal p-value is at most the budget.

    With fewer than ``1 / alert_budget - 1`` held-back events no p-value is that small: then it is the highest of their
    scores, which one event in ``n + 1`` exceeds.

    >>> threshold_for(np.arange(199.0), 0.01), threshold_for(np.arange(50.0), 0.01)
    (197.0, 49.0)
    """
    # p <= budget needs that at most budget * (n + 1) - 1 held-back scores are at least as high.
    allowed = max(int(alert_budget * (len(calibration) + 1) + 1e-9) - 1, 0)
    return float(calibration[len(calibration) - 1 - allowed])
