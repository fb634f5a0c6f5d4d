"""What was measured about a ranking, in sentences for people.

Handed: the report of :func:`triage.learning.ranking.fit_ranker`, plain JSON. Hands on: sentences; an interval that
could not be measured is said to be missing, never left out.
"""

from collections.abc import Mapping
from typing import Any

from triage.learning.ranking_models import LOGISTIC, TREES

Report = Mapping[str, Any]


def figure(interval: Mapping[str, float | None], sign: bool = False) -> str:
    """Return a figure with its 95 % interval.

    >>> figure({"value": 0.5, "low": 0.25, "high": None}), figure({"value": 0.5, "low": 0.4, "high": 0.6}, sign=True)
    ('0.500 (no interval: too few incidents)', '+0.500 (+0.400 to +0.600)')
    """
    form = "{:+.3f}" if sign else "{:.3f}"
    low, high = interval["low"], interval["high"]
    if low is None or high is None:
        return f"{form.format(interval['value'])} (no interval: too few incidents)"
    return f"{form.format(interval['value'])} ({form.format(low)} to {form.format(high)})"


def words(report: Report, refusal: str = "") -> list[str]:
    """Return the sentences about a measured ranking; ``refusal`` is why it is not used."""
    precision, kind = report["average_precision"], report["kind"]
    learned = f"{report['n']:,} verdicts of people, {report['n_positive']:,} of them worth an analyst's time"
    tested = f"{report['n_tested']:,} alerts ({report['n_tested_positive']:,} worth it)"
    later = f"{report['n_tested_incidents']:,} incidents that began after everything learned"
    chances = f"Brier score {report['brier']:.3f}, of a constant {report['brier_of_a_constant']:.3f}"
    bins = (f"said {one['said']:.0%} came {one['came']:.0%} (n={one['n']})" for one in report["reliability"])
    before, gain = figure(precision["present order"]), figure(report["gain"], sign=True)
    found = [
        f"{learned}, on {report['n_incidents']:,} incidents.",
        f"Measured on {tested} of {later}.",
        f"Average precision {figure(precision[kind])}; by severity and score {before}; difference {gain}.",
        choice(report),
        f"Probabilities: {chances}; {', '.join(bins)}.",
    ]
    return [*found, f"{refusal[0].upper()}{refusal[1:]}."] if refusal else found


def choice(report: Report) -> str:
    """Return which of the two models serves and why."""
    precision, lead = report["average_precision"], report["lead_of_trees"]
    both = f"{LOGISTIC} {figure(precision[LOGISTIC])}, {TREES} {figure(precision[TREES])}"
    if report["kind"] == TREES:
        return f"Chosen: {TREES}, by {figure(lead, sign=True)} better than the simpler model ({both})."
    if lead["low"] is not None and lead["low"] > 0:
        return f"Chosen: {LOGISTIC}; {TREES} were better ({both}), but so few verdicts do not settle it."
    return f"Chosen: {LOGISTIC}; {TREES} did not beat the simpler model with 95 % confidence ({both})."
