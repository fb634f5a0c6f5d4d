"""Alerts with verdicts that follow a rule, for tests of the ranking."""

import numpy as np

from triage.contracts import Reason
from triage.learning.ranking import Decided
from triage.learning.ranking_facts import AlertFacts

START = 1_893_456_000.0


def alert(number: int, **changes: object) -> AlertFacts:
    """Return one alert of its own fingerprint and entity, arrived ``number`` minutes after the start."""
    moment = START + 60.0 * number
    usual = {"fingerprint": f"f{number}", "arrived_at": moment, "seen_at": moment, "template": "t", "score": 5.0}
    usual |= {"entity": f"user:u{number}", "p_value": 0.001, "parser": "syslog", "category": "process"}
    return AlertFacts(**(usual | changes))


def world(n: int, *, noise: float = 0.1, seed: int = 1, first: int = 0) -> list[Decided]:
    """Return ``n`` decided alerts: those of category ``process`` resting on a pair are mostly worth it.

    Their score says nothing, so that an order by score is as good as chance.
    """
    chance = np.random.default_rng(seed)
    found = []
    for number in range(first, first + n):
        process, pair = chance.random() < 0.5, chance.random() < 0.5
        label = int(process and pair) if chance.random() > noise else int(chance.random() < 0.3)
        facts = alert(
            number,
            category="process" if process else "network",
            score=float(chance.normal()),
            reasons=(Reason("pair" if pair else "size", "", 0.6, ("user.name",)),),
        )
        found.append(Decided(facts, label, facts.arrived_at + 30.0))
    return found


def crossed(n: int, *, seed: int = 1, first: int = 0) -> list[Decided]:
    """Return alerts that are worth it when exactly one of two things holds: no sum of columns can tell."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(first, first + n):
        process, pair = chance.random() < 0.5, chance.random() < 0.5
        facts = alert(
            number,
            category="process" if process else "network",
            score=float(chance.normal()),
            reasons=(Reason("pair" if pair else "size", "", 0.6, ("user.name",)),),
        )
        found.append(Decided(facts, int(process != pair), facts.arrived_at + 30.0))
    return found
