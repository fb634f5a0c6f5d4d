"""How good an order of alerts is, with its uncertainty, and what a number of log-odds is worth as a probability.

Handed: labels (1 worth an analyst's time, 0 not), orders or log-odds, and groups: alerts of one incident stand or fall
together. Hands on: average precision, bootstrap intervals over groups (Efron 1979), a sigmoid fitted as Platt (1999)
does it, Brier scores and reliability bins.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES, LEVEL = 1_000, 0.95
BINS = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its bootstrap interval; ``low`` and ``high`` are None where it cannot be resampled."""

    value: float
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Return it as JSON, rounded."""
        edges = [None if edge is None else round(edge, 4) for edge in (self.low, self.high)]
        return {"value": round(self.value, 4), "low": edges[0], "high": edges[1]}


def average_precision(labels: np.ndarray, order: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the average precision of an order (higher = earlier); equal places share one precision.

    NaN without a positive. ``weights`` (>= 0) count each alert several times.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    places = np.argsort(-order, kind="stable")
    ranked, sizes = order[places], weights[places]
    hits = np.cumsum(sizes * labels[places])
    seen = np.cumsum(sizes)
    last = np.append(ranked[1:] != ranked[:-1], True)  # the end of each run of equal places
    hits, seen = hits[last], seen[last]
    if not len(hits) or hits[-1] <= 0:
        return math.nan
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / np.maximum(seen, 1e-12)).sum() / hits[-1])


def resampled(groups: np.ndarray, labels: np.ndarray, random_state: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Return bootstrap weights, shape ``(n_kept, n)``: groups are drawn, and draws of one class are left out."""
    _, places = np.unique(groups, return_inverse=True)
    n = int(places.max()) + 1
    chance = np.random.default_rng(random_state)
    draws = np.stack([np.bincount(chance.integers(0, n, n), minlength=n)[places] for _ in range(resamples)])
    positive, total = draws @ labels, draws.sum(axis=1)
    return np.asarray(draws[(positive > 0) & (positive < total)], dtype=np.float64)


def interval(value: float, found: np.ndarray) -> Interval:
    """Return a figure with the percentile interval of its resampled values; too few of them give none."""
    if len(found) < RESAMPLES // 10:
        return Interval(value, None, None)
    low, high = np.quantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(value, float(low), float(high))


def precision_intervals(labels: np.ndarray, orders: dict[str, np.ndarray], draws: np.ndarray) -> dict[str, Interval]:
    """Return the average precision of each order over the same draws."""
    return {name: interval(value, found) for name, (value, found) in _precisions(labels, orders, draws).items()}


def precision_difference(labels: np.ndarray, first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> Interval:
    """Return by how much the first order's average precision exceeds the second's, paired over draws."""
    both = _precisions(labels, {"first": first, "second": second}, draws)
    (a, found_a), (b, found_b) = both["first"], both["second"]
    return interval(a - b, found_a - found_b)


def _precisions(
    labels: np.ndarray, orders: dict[str, np.ndarray], draws: np.ndarray
) -> dict[str, tuple[float, np.ndarray]]:
    return {
        name: (average_precision(labels, order), np.array([average_precision(labels, order, draw) for draw in draws]))
        for name, order in orders.items()
    }


def fit_sigmoid(log_odds: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return ``(slope, offset)`` so that ``slope * x + offset`` are calibrated log-odds.

    Platt's targets keep few labels from promising certainty: ``(n1 + 1) / (n1 + 2)`` and ``1 / (n0 + 2)``. Newton steps
    with a small ridge; both classes must be there.
    """
    positive = int(labels.sum())
    targets = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2))
    columns = np.column_stack([log_odds, np.ones(len(log_odds))])
    share = positive / len(labels)
    found = np.array([0.0, math.log(share / (1 - share))])
    loss = _log_loss(columns @ found, targets)
    for _ in range(100):
        chance = 1 / (1 + np.exp(-(columns @ found)))
        slope = columns.T @ (chance - targets) + 1e-6 * found
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while _log_loss(columns @ (found - size * step), targets) > loss + 1e-12 and size > 1e-6:
            size /= 2
        found = found - size * step
        now = _log_loss(columns @ found, targets)
        if abs(loss - now) < 1e-12:
            break
        loss = now
    return float(found[0]), float(found[1])


def _log_loss(log_odds: np.ndarray, targets: np.ndarray) -> float:
    return float((np.logaddexp(0.0, log_odds) - targets * log_odds).sum())


def brier(chances: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared difference between probabilities and what came."""
    return float(((chances - labels) ** 2).mean())


def reliability(chances: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[dict[str, Any]]:
    """Return alerts in bins of equal size by probability: n, mean probability, and the share that was true."""
    order = np.argsort(chances, kind="stable")
    return [
        {
            "n": len(part),
            "said": round(float(chances[part].mean()), 4),
            "came": round(float(labels[part].mean()), 4),
        }
        for part in np.array_split(order, bins)
        if len(part)
    ]
