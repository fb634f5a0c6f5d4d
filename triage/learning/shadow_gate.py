"""The second gate: a candidate has run beside the champion on live events; may it take over? Pure, with its reasons.

Handed: what both models flagged of the same later events, and what people said of the flagged ones. Hands on: a
:class:`ShadowDecision` in whole sentences. A rate is compared by the interval of the paired difference, widened for
bursts; verdicts by the exact test on those the two models disagree about.

The candidate is looked at again whenever its events have doubled. :data:`LOOKS` looks share one error of 5 %, so each
uses intervals of 99.5 %: looking often does not make a bad candidate pass.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from triage.contracts import Rate
from triage.learning.gate import MAX_VALIDITY_RATIO, MIN_VALIDITY_LEVEL
from triage.learning.paired import Block, Paired, design_effect, difference, mcnemar_exact, rate_at, z_for

PROMOTE, REJECT, WAIT, UNDECIDED = "promote", "reject", "wait", "undecided"
#: An hour with traffic: what happens less often than every twenty minutes may still be missed.
MIN_EVENTS, MIN_MINUTES = 2_000, 60
#: Where the figures do not decide, people do: after so many days, or so many events.
MAX_DAYS, MAX_EVENTS = 7.0, 50_000
#: A small budget needs more: enough events to expect so many flags.
MAX_EXPECTED_FLAGS = 30
LOOKS = 10
CONFIDENCE = 1 - 0.05 / LOOKS
#: A candidate that flags less than this part of its budget has nearly fallen silent.
SILENT_PART = 0.2
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class LivePair:
    """What candidate (first) and champion (second) flagged of the same live events.

    ``p_counts`` counts events by the candidate's p-value: level -> events at or below it. ``blocks`` are the minutes.
    """

    pair: Paired
    p_counts: Mapping[float, int]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Alerts people decided on since the candidate was trained, by what candidate and champion flag of them.

    An alert stands for its most unusual event, so that a burst is one decision.
    """

    confirmed: Paired = field(default_factory=Paired)
    false_alarms: Paired = field(default_factory=Paired)


@dataclass(frozen=True, slots=True)
class ShadowDecision:
    """What the gate says: ``promote``, ``reject``, ``wait`` or ``undecided``, why, and the figures as JSON values."""

    verdict: str
    reason: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Finding:
    """One check: ``good``, ``bad``, or None where the figures do not say."""

    good: bool | None
    sentence: str


def events_at_most(budget: float) -> int:
    """Return after how many live events an undecided candidate is left to people."""
    return max(MAX_EVENTS, round(MAX_EXPECTED_FLAGS / budget))


def is_over(events: int, *, budget: float, days: float) -> bool:
    """Return whether a candidate has had its time in shadow."""
    return days >= MAX_DAYS or events >= events_at_most(budget)


def judge_shadow(live: LivePair, labelled: LabelledPair, *, budget: float, days: float) -> ShadowDecision:
    """Decide from what was seen in shadow; ``budget`` is the share of events to flag, ``days`` the time in shadow."""
    over = is_over(live.pair.n, budget=budget, days=days)
    figures: dict[str, Any] = {"events": live.pair.n, "minutes": len(live.blocks), "days": round(days, 3)}
    if live.pair.n < MIN_EVENTS or len(live.blocks) < MIN_MINUTES:
        return ShadowDecision(UNDECIDED if over else WAIT, _too_few(live, over), figures)
    effect = design_effect(live.blocks)
    figures |= measured(live, labelled, effect)
    findings = [
        _rates(live.pair, budget, effect),
        _not_silent(live.pair, budget, effect),
        _valid(live, effect),
        _confirmed(labelled.confirmed),
        _false_alarms(labelled.false_alarms),
    ]
    verdict = _verdict([finding.good for finding in findings], over)
    sentences = [_HEADINGS[verdict], *(finding.sentence for finding in findings if finding.sentence), _caveat(labelled)]
    return ShadowDecision(verdict, " ".join(sentence for sentence in sentences if sentence), figures)


_HEADINGS = {
    PROMOTE: "Promoted after running in shadow.",
    REJECT: "Refused after running in shadow.",
    WAIT: "Still in shadow: the figures do not decide yet.",
    UNDECIDED: "Undecided: the figures do not decide, and its time in shadow is over; promote it or leave it, by hand.",
}


def _verdict(found: list[bool | None], over: bool) -> str:
    if False in found:
        return REJECT
    if None in found:
        return UNDECIDED if over else WAIT
    return PROMOTE


def _too_few(live: LivePair, over: bool) -> str:
    seen = (
        f"{live.pair.n:,} live events in {len(live.blocks):,} minutes were scored by both models; "
        f"{MIN_EVENTS:,} events in {MIN_MINUTES} minutes are needed."
    )
    if over:
        return f"Undecided: {seen} Its time in shadow is over; promote it or leave it, by hand."
    return f"In shadow: {seen}"


def measured(live: LivePair, labelled: LabelledPair, effect: float) -> dict[str, Any]:
    """Return the figures with intervals of 95 % for each rate, and of 99.5 % for what decides."""
    pair, z = live.pair, z_for(0.95)
    return {
        "pair": asdict(pair),
        "candidate_rate": asdict(rate_at(pair.first, pair.n, z=z, effect=effect)),
        "champion_rate": asdict(rate_at(pair.second, pair.n, z=z, effect=effect)),
        "difference": asdict(difference(pair, z=z_for(CONFIDENCE), effect=effect)),
        "design_effect": round(effect, 3),
        "p_values": [
            {"p": level, "rate": asdict(rate_at(count, pair.n, z=z))} for level, count in sorted(live.p_counts.items())
        ],
        "confirmed": asdict(labelled.confirmed),
        "false_alarms": asdict(labelled.false_alarms),
    }


def _rates(pair: Paired, budget: float, effect: float) -> _Finding:
    """More alerts than one budget's worth are bad; a whole interval below that is good."""
    z = z_for(0.95)
    ours, theirs = (rate_at(count, pair.n, z=z, effect=effect) for count in (pair.first, pair.second))
    found = difference(pair, z=z_for(CONFIDENCE), effect=effect)
    good = False if found.low > budget else True if found.high <= budget else None
    more = "more" if found.value >= 0 else "fewer"
    bursts = f", counting {effect:.1f} events as one because they come in bursts" if effect >= 1.05 else ""
    sentence = (
        f"Of {pair.n:,} live events the candidate flagged {_percent(ours)}, the champion {_percent(theirs)}: "
        f"{pair.both:,} by both, {pair.only_first:,} only by the candidate, {pair.only_second:,} only by the champion. "
        f"That is {abs(found.value):.3%} {more} ({CONFIDENCE:.1%} interval {found.low:+.3%} to {found.high:+.3%}"
        f"{bursts}); at most {budget:.3%} more, one budget's worth, are accepted."
    )
    return _Finding(good, sentence)


def _not_silent(pair: Paired, budget: float, effect: float) -> _Finding:
    """A candidate that flags almost nothing has learned too much as usual, unless the champion flags as little."""
    z, floor = z_for(CONFIDENCE), budget * SILENT_PART
    ours = rate_at(pair.first, pair.n, z=z, effect=effect)
    if ours.high >= floor or pair.second <= pair.first:
        return _Finding(True, "")
    sentence = f"It has nearly fallen silent: at most {ours.high:.3%}, less than a fifth of its budget of {budget:.3%}."
    return _Finding(False, sentence)


def _valid(live: LivePair, effect: float) -> _Finding:
    """P-values that are far too small on live events are bad."""
    for level, count in sorted(live.p_counts.items()):
        rate = rate_at(count, live.pair.n, z=z_for(CONFIDENCE), effect=effect)
        if level >= MIN_VALIDITY_LEVEL and rate.low > level * MAX_VALIDITY_RATIO:
            return _Finding(
                False, f"Its p-values do not hold: {rate.value:.1%} of live events have p of {level} or less."
            )
    shown = ", ".join(f"{count / live.pair.n:.1%} at {level}" for level, count in sorted(live.p_counts.items()))
    return _Finding(True, f"Its p-values hold on live events (share at or below each level: {shown})." if shown else "")


def _confirmed(pair: Paired) -> _Finding:
    """Missing confirmed events is bad, and where a few are missed but too few to tell, people decide."""
    if not pair.n:
        return _Finding(True, "")
    p = mcnemar_exact(pair.only_first, pair.only_second)
    lost = pair.only_second > pair.only_first
    good = True if not lost else False if p < ALPHA else None
    sentence = (
        f"Of {pair.n:,} alerts that people confirmed since its training the candidate flags {pair.first:,} "
        f"{_between(pair.first, pair.n)} and the champion {pair.second:,} {_between(pair.second, pair.n)}; "
        f"they differ on {pair.only_first + pair.only_second:,} (exact McNemar p = {p:.2g})."
    )
    return _Finding(
        good, sentence + (" A candidate that misses what people confirmed is not promoted by itself." if lost else "")
    )


def _false_alarms(pair: Paired) -> _Finding:
    """Repeating more of the false alarms than the champion does is bad."""
    if not pair.n:
        return _Finding(True, "")
    p = mcnemar_exact(pair.only_first, pair.only_second)
    gone = pair.only_second + pair.neither
    sentence = (
        f"Of {pair.n:,} false alarms it no longer flags {gone:,} {_between(gone, pair.n)}; the champion would "
        f"still flag {pair.second:,} (exact McNemar p = {p:.2g})."
    )
    return _Finding(not (pair.only_first > pair.only_second and p < ALPHA), sentence)


def _caveat(labelled: LabelledPair) -> str:
    if labelled.confirmed.n + labelled.false_alarms.n:
        return "Verdicts exist only for events that a model flagged, so this says nothing of what both models miss."
    return "Nobody has decided on an alert since its training, so what it finds is not compared."


def _percent(rate: Rate) -> str:
    return f"{rate.value:.3%} ({rate.low:.3%} to {rate.high:.3%})"


def _between(count: int, n: int) -> str:
    rate = rate_at(count, n, z=z_for(0.95))
    return f"({rate.low:.0%} to {rate.high:.0%})"
