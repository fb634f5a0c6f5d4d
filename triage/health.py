"""How a source is: silent, changed, lagging, skewed, refused; or nothing to say.

Handed: figures of the last minutes and of the day before them. Hands on: states with their reason in words. A pure
function over numbers: what was not measured gives no state, never a wrong one.

A share has *jumped* when it is at least a fifth larger than before and when chance is no explanation: with ``b`` the
share before and ``r`` the share now of ``n`` events, the probability of ``r`` or more by chance is at most
``exp(-n KL(r || b))`` (Chernoff's bound), and that has to be below one in ten thousand.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

SILENT, CHANGED, LAGGING, SKEWED, REFUSED = "silent", "format changed", "lagging", "clock skewed", "refused"
#: States that ask for somebody: what was there is missing or is not understood any more.
TROUBLE = frozenset({SILENT, CHANGED})

#: A source that sends every minute is silent after this long; others after some of their usual gaps (minutes).
SILENT_MINUTES = 3
USUAL_GAPS = 3
#: Gaps that have to be known before silence can be told from a pause.
MIN_GAPS = 5
#: The gap that this share of all gaps does not exceed is the usual one.
USUAL_SHARE = 0.95
#: Events before the last minutes that a comparison needs.
MIN_BASELINE = 50
MIN_JUMP = 0.2
LOG_ODDS = math.log(10_000)
LAG_SECONDS = 300.0
SKEW_SECONDS = 30.0
HALF_HOUR = 1800.0
#: Lags of a zone mistake lie this close to a multiple of half an hour (seconds).
ZONE_JITTER = 90.0
FUTURE_SHARE = 0.05
REASONS: Mapping[str, str] = {
    "refused_busy": "the backlog was full",
    "refused_rate": "over the source's own limit",
    "refused_too_large": "too large",
    "refused_damaged": "damaged or cut off",
    "refused_invalid": "not in the protocol's format",
    "refused_other": "other faults",
}


@dataclass(frozen=True, slots=True)
class Window:
    """Figures of a span. Lags in seconds from an event's own time to its receipt; None = no event had a time."""

    events: int = 0
    unknown: int = 0
    future: int = 0
    ancient: int = 0
    parsers: Mapping[str, int] = field(default_factory=dict)
    lag: float | None = None
    lag_min: float | None = None
    lag_max: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known about one source. ``quiet_minutes``: whole minutes since its last record, None = it never sent.

    ``gaps`` counts by length, in minutes, the distances between the minutes of the last day in which it sent.
    ``is_usual_pause``: on most earlier days it was silent at this time too. ``refused`` counts requests by column.
    """

    quiet_minutes: float | None = None
    gaps: Mapping[int, int] = field(default_factory=dict)
    is_usual_pause: bool = False
    recent: Window = field(default_factory=Window)
    before: Window = field(default_factory=Window)
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """One thing that is the matter, with its reason in words."""

    name: str
    reason: str


def judge(figures: Figures) -> list[State]:
    """Return what is the matter with a source, the most urgent first; nothing when all is well or not measured."""
    found = (_silent(figures), *_changed(figures), _lagging(figures), _skewed(figures), _refused(figures))
    return [state for state in found if state is not None]


def usual_gap(gaps: Mapping[int, int]) -> int | None:
    """Return the usual longest distance between two records, in minutes; None when too few are known.

    >>> usual_gap({1: 300, 60: 2}), usual_gap({1: 3})
    (1, None)
    """
    total = sum(gaps.values())
    if total < MIN_GAPS:
        return None
    seen = 0
    for gap in sorted(gaps):
        seen += gaps[gap]
        if seen >= USUAL_SHARE * total:
            return gap
    return max(gaps)


def silent_after(gaps: Mapping[int, int]) -> int | None:
    """Return the minutes after which a source counts as silent; None when its pace is not known."""
    usual = usual_gap(gaps)
    return None if usual is None else max(SILENT_MINUTES, USUAL_GAPS * usual)


def _silent(figures: Figures) -> State | None:
    limit = silent_after(figures.gaps)
    if limit is None or figures.quiet_minutes is None or figures.quiet_minutes < limit or figures.is_usual_pause:
        return None
    pace = span(60.0 * (usual_gap(figures.gaps) or 0))
    quiet = span(60.0 * figures.quiet_minutes)
    return State(SILENT, f"No record for {quiet}; it usually sends at least every {pace}.")


def has_jumped(now: int, n: int, before: int, n_before: int) -> bool:
    """Return whether ``now`` of ``n`` is a larger share than ``before`` of ``n_before``, beyond chance.

    >>> has_jumped(5, 5, 0, 1000), has_jumped(2, 5, 300, 1000), has_jumped(5, 5, 0, 10)
    (True, False, False)
    """
    if not n or n_before < MIN_BASELINE:
        return False
    share, base = now / n, (before + 0.5) / (n_before + 1)
    if share - base < MIN_JUMP:
        return False
    divergence = share * math.log(share / base)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - base))
    return n * divergence > LOG_ODDS


def _changed(figures: Figures) -> list[State]:
    recent, before = figures.recent, figures.before
    reasons: list[str] = []
    for parser, count in sorted(recent.parsers.items(), key=lambda item: -item[1]):
        if has_jumped(count, recent.events, before.parsers.get(parser, 0), before.events):
            shares = _shares(count, recent.events, before.parsers.get(parser, 0), before.events)
            what = "events that no parser understands" if parser == "fallback" else f"events read as {parser}"
            reasons.append(f"{what}: {shares}")
    if has_jumped(recent.unknown, recent.events, before.unknown, before.events):
        shares = _shares(recent.unknown, recent.events, before.unknown, before.events)
        reasons.append(f"events with unknown fields: {shares}")
    return [State(CHANGED, f"{'; '.join(reasons).capitalize()}.")] if reasons else []


def _shares(now: int, n: int, before: int, n_before: int) -> str:
    return f"{100 * now / n:.0f} % of the last {n:,}, {100 * before / n_before:.0f} % of the {n_before:,} before"


def _lagging(figures: Figures) -> State | None:
    lag, usual = figures.recent.lag, figures.before.lag
    if lag is None or usual is None or figures.before.events < MIN_BASELINE:
        return None
    if lag < LAG_SECONDS or lag < 2 * max(usual, 0.0) + LAG_SECONDS:
        return None
    return State(LAGGING, f"Events arrive {span(lag)} after their own time; usually {span(max(usual, 0.0))}.")


def _skewed(figures: Figures) -> State | None:
    recent = figures.recent
    if recent.lag is None:
        return None
    if recent.lag < -SKEW_SECONDS:
        return State(SKEWED, f"Its events carry a time {span(-recent.lag)} ahead of their arrival.")
    zone = zone_offset(recent)
    if zone:
        return State(
            SKEWED, f"Every event looks {span(zone)} old on arrival: probably local time sent without its zone."
        )
    if recent.events and recent.future / recent.events >= FUTURE_SHARE:
        return State(SKEWED, f"{recent.future:,} of {recent.events:,} events carry a time of the future.")
    return None


def zone_offset(window: Window) -> float | None:
    """Return the seconds by which a source's clock seems to be in another zone; None when it does not.

    >>> zone_offset(Window(lag=7201.0, lag_min=7200.2, lag_max=7204.0)), zone_offset(Window(lag=1.0))
    (7200.0, None)
    """
    if window.lag is None or window.lag_min is None or window.lag_max is None:
        return None
    zone = HALF_HOUR * round(window.lag / HALF_HOUR)
    if not HALF_HOUR <= zone <= 14 * 3600:
        return None
    return zone if zone - 5 <= window.lag_min and window.lag_max <= zone + ZONE_JITTER else None


def _refused(figures: Figures) -> State | None:
    counts = {name: count for name, count in figures.refused.items() if count}
    if not counts:
        return None
    parts = ", ".join(
        f"{count:,} {REASONS.get(name, name)}" for name, count in sorted(counts.items(), key=lambda item: -item[1])
    )
    return State(REFUSED, f"Requests refused in the last minutes: {parts}.")


def span(seconds: float) -> str:
    """Return a span in its largest fitting unit.

    >>> span(7), span(90), span(3600), span(90_000), span(0.4)
    ('7 s', '90 s', '60 min', '25 h', '0.4 s')
    """
    for least, size, unit in ((172_800, 86_400, "d"), (7200, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{max(0.0, seconds):.1f} s"
