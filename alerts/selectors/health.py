"""What the pages say about a source's health.

Handed: the last judgement of :mod:`triage.watch`. Hands on: figures ready to be shown. Unknown is None, never 0; a
judgement that is minutes old says so, because then no worker looks after the sources.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from triage import health, watch
from triage.models import Source, SourceHealth

#: A judgement older than this is not passed off as the present state.
OLD_AFTER = dt.timedelta(minutes=3)
#: A clock ahead by less than this is not worth a word (seconds).
NOTABLE_SKEW = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """A source's last judgement. ``events`` is the n of both shares, over the last day; lags are in words."""

    judged_at: dt.datetime
    is_old: bool
    states: list[tuple[str, str]]
    troubled: bool
    events: int = 0
    per_minute: float | None = None
    coverage: float | None = None
    unknown: float | None = None
    lag: str | None = None
    lag_p95: str | None = None
    skew: str | None = None
    skewed: bool = False
    future: int = 0
    ancient: int = 0
    usual_gap: str | None = None
    refused: int = 0
    refusals: list[tuple[str, int]] = field(default_factory=list)


def of(source: Source) -> Health | None:
    """Return the last judgement of a source that was selected with its health; None before the first."""
    row = getattr(source, "health", None)
    return None if row is None else _read(row)


def _read(row: SourceHealth) -> Health:
    figures: dict[str, Any] = row.figures
    recent = figures.get("recent") or {}
    lag, refused = recent.get("lag"), figures.get("day_refused") or {}
    if lag is None:
        lag = (figures.get("before") or {}).get("lag")
    p95 = figures.get("lag_p95")
    usual = figures.get("usual_gap")
    return Health(
        judged_at=row.judged_at,
        is_old=timezone.now() - row.judged_at > OLD_AFTER,
        states=[(name, reason) for name, reason in row.states],
        troubled=row.troubled,
        events=figures.get("day_events") or 0,
        per_minute=figures.get("per_minute"),
        coverage=_percent(figures.get("coverage")),
        unknown=_percent(figures.get("unknown_share")),
        lag=_lag(lag),
        lag_p95=None if p95 is None or p95 < 0 else health.span(p95),
        skew=_skew(lag),
        skewed=any(name == health.SKEWED for name, _ in row.states),
        future=figures.get("day_future") or 0,
        ancient=figures.get("day_ancient") or 0,
        usual_gap=None if usual is None else health.span(60.0 * usual),
        refused=sum(refused.values()),
        refusals=sorted(
            ((health.REASONS.get(name, name), count) for name, count in refused.items() if count),
            key=lambda item: -item[1],
        ),
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _lag(lag: float | None) -> str | None:
    """Return a lag in words; with a clock that is ahead it cannot be measured."""
    if lag is None or lag < -NOTABLE_SKEW:
        return None
    return "under 1 s" if lag < 1 else health.span(lag)


def _skew(lag: float | None) -> str | None:
    """Return how far ahead the source's clock runs, in words; a clock that is behind looks like a delay."""
    if lag is None:
        return None
    return f"{health.span(-lag)} ahead" if lag < -NOTABLE_SKEW else "none seen"


def trouble() -> list[SourceHealth]:
    """Return the sources that are silent or whose format changed: one query."""
    return watch.troubled()
