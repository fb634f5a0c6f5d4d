"""Severity only goes up: the highest of what the pre-filter, the rules and a language model say.

Handed: severity words. Hands on: the highest. There is no function here that returns less than it is given; only a
person lowers a severity, and not through this module.
"""

from triage.ecs import SEVERITIES


def raise_only(prefilter: str, rules: str = "", llm: str = "") -> str:
    """Return the highest of three severities; an empty or unknown word of the rules or the model changes nothing.

    ``ValueError`` when the pre-filter's own is unknown.

    >>> raise_only("medium", "low", "high"), raise_only("high", "low", "low"), raise_only("low", "", "harmless")
    ('high', 'high', 'low')
    """
    ranks = [SEVERITIES.index(prefilter), *(SEVERITIES.index(word) for word in (rules, llm) if word in SEVERITIES)]
    return SEVERITIES[max(ranks)]


def raised(severity: str, steps: int = 1) -> str:
    """Return the severity this many steps up, at most the highest; never down.

    >>> raised("medium"), raised("critical"), raised("high", -2)
    ('high', 'critical', 'high')
    """
    return SEVERITIES[min(SEVERITIES.index(severity) + max(steps, 0), len(SEVERITIES) - 1)]
