"""What can people afford to look at, and what does it buy? From wishes to a threshold, and back to a forecast.

Handed: what came in on past days (per day, the highest score of every group of events that would be one alert), what
people decided about alerts, and what they wish to spend. Hands on: a threshold and a forecast with intervals. An alert
is a group of events with one fingerprint; what is still open when more of its events come takes them in, so counting
each group once a day supposes that alerts are closed on their day.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nextafter

import numpy as np

from triage.contracts import Rate
from triage.learning.statistics import wilson

#: From so many days on the interval comes from the days themselves.
MIN_DAYS = 5
RESAMPLES = 1_000
#: What people may be asked for beyond their wish: "what would another 50 alerts buy?"
MORE_ALERTS = 50


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be spent a day. None = no limit of this sort."""

    alerts_per_day: float | None = None
    hours_per_day: float | None = None
    usd_per_day: float | None = None
    minutes_per_alert: float = 5.0
    usd_per_alert: float | None = None
    #: Instead of the limits: the share of flagged events that may be usual ones.
    false_discoveries: float | None = None

    def limits(self) -> dict[str, float]:
        """Return how many alerts a day each wish allows; what does not limit is left out."""
        found: dict[str, float] = {}
        if self.alerts_per_day is not None:
            found["alerts"] = self.alerts_per_day
        if self.hours_per_day is not None:
            found["hours"] = 60 * self.hours_per_day / self.minutes_per_alert
        if self.usd_per_day is not None and self.usd_per_alert:
            found["usd"] = self.usd_per_day / self.usd_per_alert
        return found


@dataclass(frozen=True, slots=True)
class Decided:
    """An alert that a person decided: its highest score, and whether it was a true positive."""

    score: float
    is_true: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval and what it rests on."""

    value: float
    low: float
    high: float
    n: int
    method: str


def alerts_per_day(days: Sequence[Sequence[float]], threshold: float) -> Estimate:
    """Return the mean alerts a day above a threshold; ``days`` are scores of groups, one list per whole day.

    The interval is a percentile bootstrap over days, of few days an exact Poisson interval (Garwood 1936).
    """
    counts = np.array([sum(score > threshold for score in day) for day in days])
    if len(days) >= MIN_DAYS:
        chance = np.random.default_rng(0)
        means = chance.choice(counts, (RESAMPLES, len(counts))).mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        return Estimate(float(counts.mean()), float(low), float(high), len(days), "bootstrap over days")
    from scipy.stats import chi2  # the web process starts without it

    total = int(counts.sum())
    low = chi2.ppf(0.025, 2 * total) / 2 if total else 0.0
    high = chi2.ppf(0.975, 2 * total + 2) / 2
    return Estimate(total / len(days), float(low) / len(days), float(high) / len(days), len(days), "Poisson")


def threshold_for(days: Sequence[Sequence[float]], per_day: float) -> float:
    """Return the lowest threshold above which there are at most ``per_day`` alerts a day on average.

    >>> threshold_for([[1.0, 2.0, 3.0], [4.0, 5.0]], 1)
    3.0
    """
    scores = sorted((score for day in days for score in day), reverse=True)
    allowed = int(per_day * len(days) + 1e-9)
    if allowed >= len(scores):
        return nextafter(scores[-1], -inf) if scores else 0.0
    # Equal scores are flagged together or not at all.
    return scores[allowed]


def precision(decided: Sequence[Decided], above: float, up_to: float = inf) -> Rate | None:
    """Return the share of true positives among decided alerts with a score in ``(above, up_to]``; None without any."""
    found = [alert.is_true for alert in decided if above < alert.score <= up_to]
    return wilson(sum(found), len(found)) if found else None


def recall(right: Rate | None, alerts: float, audited: Sequence[tuple[bool, float]]) -> Estimate | None:
    """Return the share of what is true that is above the threshold; None without a precision or without audits.

    ``right`` is the precision of the ``alerts`` above it. ``audited`` holds, for each unflagged event that was sampled
    and judged, whether it was true and with which probability it was drawn. What was missed is the Horvitz-Thompson
    (1952) total of those, each missed event counted like an alert. The interval joins draws of the precision (Beta,
    Jeffreys' prior) with a bootstrap over the audited events.
    """
    if right is None or not audited:
        return None
    worth = np.array([is_true / chance for is_true, chance in audited])
    found = right.value * alerts
    if found + worth.sum() == 0:
        return None
    chance = np.random.default_rng(0)
    hits = round(right.value * right.n)
    drawn = alerts * chance.beta(hits + 0.5, right.n - hits + 0.5, RESAMPLES)
    missed = chance.choice(worth, (RESAMPLES, len(worth))).sum(axis=1)
    low, high = np.quantile(drawn / (drawn + missed), (0.025, 0.975))
    return Estimate(float(found / (found + worth.sum())), float(low), float(high), len(worth), "Horvitz-Thompson")


def discovery_threshold(p_values: Sequence[tuple[float, float]], events: int, rate: float) -> float | None:
    """Return the threshold at which at most a share ``rate`` of flagged events is expected to be usual; None if none.

    ``p_values`` are ``(p, score)`` of the events with the smallest p-values among ``events``. This is the procedure of
    Benjamini and Hochberg (1995); it holds for conformal p-values that share their calibration (Bates, Candes, Lei,
    Romano and Sesia 2023) as long as usual events are exchangeable with the calibrating ones.
    """
    ranked = sorted(p_values)
    passed = [place for place, (p, _) in enumerate(ranked, start=1) if p <= rate * place / events]
    if not passed:
        return None
    limit = ranked[passed[-1] - 1][0]
    return nextafter(min(score for p, score in ranked[: bisect_right(ranked, (limit, inf))]), -inf)
