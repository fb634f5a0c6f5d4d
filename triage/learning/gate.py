"""The first gate: may a candidate serve, or run in shadow? A pure decision with its reason in words.

Handed: what was measured on held-back history, as :mod:`triage.learning.training` writes it. Hands on: a
:class:`Decision`. Whether it is better than the champion shows on live events (:mod:`triage.learning.shadow_gate`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: How far the lower end of the held-back flag rate may lie above the budget before a model is refused. The
#: newest events may hold an attack, which must not keep a first model from serving: hence the floor.
MAX_BUDGET_RATIO, MIN_FLAG_BOUND = 5.0, 0.05
MIN_CALIBRATION = 20
#: A p-value is valid when P(p <= a) is at most a. Levels from this one on are checked, with room for drift:
#: below it, a single attack among the newest events would decide.
MIN_VALIDITY_LEVEL, MAX_VALIDITY_RATIO = 0.1, 3.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says about a candidate."""

    promote: bool
    reason: str


def gate(candidate: Mapping[str, Any], *, beside: bool) -> Decision:
    """Decide from metrics alone: whether to promote a first model, or to let one run ``beside`` a champion."""
    refusal = refuse(candidate)
    if refusal:
        return Decision(promote=False, reason=refusal)
    flagged = candidate["flag_rate"]
    measured = (
        f"{flagged['value']:.2%} of {flagged['n']:,} held-back events flagged "
        f"({flagged['low']:.2%} to {flagged['high']:.2%}), budget {candidate['alert_budget']:.2%}"
    )
    invalid = invalid_p_values(candidate)
    if not beside:
        # Drifting history must not keep everything unscored for ever: a first model serves, with a warning.
        caveat = f"; {invalid}: read them as ranks until a later model holds" if invalid else ""
        return Decision(promote=True, reason=f"first model: {measured}{caveat}")
    if invalid:
        return Decision(promote=False, reason=invalid)
    held = "flags more than its budget" if flagged["low"] > candidate["alert_budget"] else "within its budget"
    return Decision(promote=True, reason=f"{held} on newer events: {measured}")


def refuse(candidate: Mapping[str, Any]) -> str:
    """Return why a candidate may not serve whatever the champion does, or an empty string."""
    flagged, budget = candidate["flag_rate"], candidate["alert_budget"]
    if candidate["n_calibration"] < MIN_CALIBRATION:
        return f"only {candidate['n_calibration']} events to calibrate on; {MIN_CALIBRATION} are needed"
    if flagged["low"] > max(budget * MAX_BUDGET_RATIO, MIN_FLAG_BOUND):
        return (
            f"flags too much: at least {flagged['low']:.2%} of {flagged['n']:,} held-back events, budget {budget:.2%}"
        )
    return ""


def invalid_p_values(candidate: Mapping[str, Any]) -> str:
    """Return which p-values are too small on newer events, or an empty string when they hold."""
    for level in candidate["p_value_validity"]:
        if level["p"] >= MIN_VALIDITY_LEVEL and level["rate"]["low"] > level["p"] * MAX_VALIDITY_RATIO:
            return (
                f"p-values do not hold: {level['rate']['value']:.2%} of {level['rate']['n']:,} held-back events "
                f"have p of {level['p']} or less"
            )
    return ""
