"""What a drift means and what to do about it, in whole sentences.

Handed: the aspect that drifts, the reference and the newest blocks joined, and how long the model has served. Hands on:
a recommendation and a text with the figures behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triage.learning.drift import Block

RELABEL, RETRAIN, ROLL_BACK, CHECK_FEED = "relabel", "retrain", "roll_back", "check_feed"
#: A model that has served for less is itself under suspicion when scores or alerts change (days).
YOUNG_DAYS = 2.0
#: A share of events that is worth a sentence, and what is left of a kind that has gone.
NOTABLE, GONE = 0.05, 0.2
#: Evidence that says that fields are missing, new, or put together in another way.
SHAPE_COLUMNS = frozenset({"new_field", "fields_together", "shape_most", "shape_top3"})
FALLBACK = "fallback|"
MOST = 3


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about an alarm. ``details`` holds the figures, ready for JSON."""

    recommendation: str
    text: str
    details: dict[str, Any]


def advise(aspect: str, before: Block, now: Block, model_days: float) -> Advice:
    """Return the advice for one aspect that has drifted."""
    advice = {"kinds": _kinds, "features": _features, "scores": _scores, "alert_rate": _alert_rate}[aspect]
    found = advice(before, now, model_days)
    sizes = f"Compared are the newest {now.events:,} events with {before.events:,} earlier ones of this source."
    return Advice(found.recommendation, f"{found.text} {sizes}", found.details | _sizes(before, now))


def _sizes(before: Block, now: Block) -> dict[str, Any]:
    return {"events_before": before.events, "events_now": now.events}


def shares(counts: Mapping[str, float], total: int) -> dict[str, float]:
    """Return each count as a share of the total."""
    return {name: count / total for name, count in counts.items()}


def moved(before: Mapping[str, float], now: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Return ``(name, before, now)``, what moved most first."""
    names = sorted({*before, *now}, key=lambda name: (-abs(now.get(name, 0.0) - before.get(name, 0.0)), name))
    return [(name, before.get(name, 0.0), now.get(name, 0.0)) for name in names[:MOST]]


def _kinds(before: Block, now: Block, _: float) -> Advice:
    old, new = shares(before.kinds, before.events), shares(now.kinds, now.events)
    changes = moved(old, new)
    details = {"moved": [list(change) for change in changes]}
    listed = "; ".join(f"{name_of(name)} from {was:.1%} to {now_is:.1%}" for name, was, now_is in changes)
    unread = sum(share for name, share in new.items() if name.startswith(FALLBACK))
    unread_before = sum(share for name, share in old.items() if name.startswith(FALLBACK))
    gone = [name for name, share in old.items() if share >= NOTABLE and new.get(name, 0.0) < share * GONE]
    if unread - unread_before >= NOTABLE:
        why = f"Events that no parser understands rose from {unread_before:.1%} to {unread:.1%}: check the feed."
        return Advice(CHECK_FEED, f"The mix of events has changed: {listed}. {why}", details)
    if gone:
        why = f"{name_of(gone[0])} has all but gone: check whether the feed still sends it."
        return Advice(CHECK_FEED, f"The mix of events has changed: {listed}. {why}", details)
    why = "If that is meant to last, retrain."
    return Advice(RETRAIN, f"The mix of events has changed: {listed}. {why}", details)


def _features(before: Block, now: Block, _: float) -> Advice:
    changes = moved(shares(before.evidence, before.events), shares(now.evidence, now.events))
    details = {"moved": [list(change) for change in changes]}
    listed = "; ".join(f"{label(name)} from {was:.2f} to {now_is:.2f}" for name, was, now_is in changes)
    text = f"What events look like has changed (mean evidence, about 1 is usual): {listed}."
    if changes and changes[0][0] in SHAPE_COLUMNS and changes[0][2] > changes[0][1]:
        return Advice(CHECK_FEED, f"{text} Fields are missing, new or written otherwise: check the feed.", details)
    return Advice(RETRAIN, f"{text} If that is meant to last, retrain.", details)


def _scores(before: Block, now: Block, model_days: float) -> Advice:
    was, now_is = _low_share(before), _low_share(now)
    details = {"p_at_most_0.1_before": was, "p_at_most_0.1_now": now_is, "model_days": model_days}
    text = f"Scores have changed: p-values of 0.1 or less came with {was:.1%} of events, now with {now_is:.1%}."
    if model_days < YOUNG_DAYS:
        return Advice(ROLL_BACK, f"{text} This model serves since {_age(model_days)}: consider rolling back.", details)
    return Advice(RETRAIN, f"{text} The model no longer fits this source: retrain.", details)


def _alert_rate(before: Block, now: Block, model_days: float) -> Advice:
    was, now_is = before.flagged / before.events, now.flagged / now.events
    details = {"flagged_before": was, "flagged_now": now_is, "model_days": model_days}
    text = f"Flagged events went from {was:.2%} ({before.flagged:,}) to {now_is:.2%} ({now.flagged:,})."
    if now_is < was:
        return Advice(CHECK_FEED, f"{text} Check that the feed still sends what was flagged.", details)
    if model_days < YOUNG_DAYS:
        return Advice(ROLL_BACK, f"{text} This model serves since {_age(model_days)}: consider rolling back.", details)
    return Advice(
        RELABEL, f"{text} Look at the newest alerts first: an attack, or something new that is usual?", details
    )


#: The class of p-values of at most 0.1, of :data:`triage.detectors.base.P_EDGES`.
_LOW_CLASSES = 7


def _low_share(block: Block) -> float:
    return sum(block.p_counts[:_LOW_CLASSES]) / block.events


def _age(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"


def name_of(kind: str) -> str:
    """Return a kind of events as a person says it.

    >>> name_of("windows|security|4624"), name_of("fallback||"), name_of("other")
    ('windows security 4624', 'fallback', 'other')
    """
    return " ".join(part for part in kind.split("|") if part) or "unnamed"


def label(column: str) -> str:
    """Return a column of evidence as a person says it.

    >>> label("value_most"), label("order_top3"), label("forest")
    ('value', 'order, three highest', 'forest')
    """
    name, _, form = column.rpartition("_")
    if form in ("most", "top3", "top5") and name:
        return name if form == "most" else f"{name}, {'three' if form == 'top3' else 'five'} highest"
    return column.replace("_", " ")
