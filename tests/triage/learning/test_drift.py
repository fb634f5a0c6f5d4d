"""Blocks of events against earlier ones: how strange, how much evidence, when an alarm."""

import numpy as np
import pytest

from triage.learning import drift
from triage.learning.drift import Block, Reference


def block(*, first: int = 100, flagged: int = 2, evidence: float = 250.0, low: int = 25) -> Block:
    """250 events of two kinds, p-values in two classes, one column of evidence."""
    return Block(250, flagged, (low, 250 - low), {"a": first, "b": 250 - first}, {"value": evidence})


def blocks(n: int, seed: int = 0) -> list[Block]:
    chance = np.random.default_rng(seed)
    return [
        block(
            first=int(chance.binomial(250, 0.4)),
            flagged=int(chance.binomial(250, 0.01)),
            evidence=float(chance.gamma(250)),
            low=int(chance.binomial(250, 0.1)),
        )
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(blocks(400), np.arange(400) / 100)


def test_a_block_like_the_others_is_not_strange(reference: Reference) -> None:
    found = reference.judge(block(), {})
    assert reference.size == drift.MAX_REFERENCE
    assert all(one.p_value > 0.3 for one in found.values())
    assert all(one.evidence == drift.bet(one.p_value) for one in found.values())


@pytest.mark.parametrize(
    ("aspect", "changed"),
    [
        ("kinds", block(first=180)),
        ("features", block(evidence=400.0)),
        ("scores", block(low=90)),
        ("alert_rate", block(flagged=40)),
    ],
)
def test_each_aspect_sees_its_own_change_and_no_other(reference: Reference, aspect: str, changed: Block) -> None:
    found = reference.judge(changed, {})
    assert found[aspect].p_value == 1 / 201
    assert [name for name, one in found.items() if one.p_value < 0.05] == [aspect]


def test_evidence_is_gathered_and_lost_again(reference: Reference) -> None:
    gathered: dict[str, float] = {}
    for _ in range(6):
        gathered = {name: one.evidence for name, one in reference.judge(block(first=200), gathered).items()}
    stake = drift.bet(1 / 201)
    assert gathered["kinds"] == pytest.approx(sum(stake**n for n in range(1, 7)))
    assert gathered["kinds"] > drift.alarm_level(43_200) > gathered["scores"]
    for _ in range(20):
        gathered = {name: one.evidence for name, one in reference.judge(block(), gathered).items()}
    assert gathered["kinds"] < 5


def test_a_kind_never_seen_counts_as_another_one(reference: Reference) -> None:
    changed = Block(250, 2, (25, 225), {"a": 80, "b": 120, "new": 50}, {"value": 250.0})
    assert reference.p_value("kinds", changed) == 1 / 201


def test_too_few_blocks_are_no_reference() -> None:
    with pytest.raises(ValueError, match="29 blocks; a reference needs 30"):
        Reference(blocks(29), np.arange(29) / 10)
    assert Reference(blocks(30), np.arange(30) / 10).size == 30


def test_blocks_apart_in_time_are_compared_so_that_a_slow_wave_is_no_surprise() -> None:
    """Half of the days of one sort, half of another: each is like its own, and both are usual."""
    days = [block(first=100 if day % 2 else 180, evidence=250.0 + n) for day in range(6) for n in range(20)]
    found = Reference(days, np.arange(120) / 20)
    assert found.p_value("kinds", block(first=100)) == found.p_value("kinds", block(first=180)) == 1.0
    assert found.p_value("kinds", block(first=140)) == 1 / 121


def test_a_source_that_changes_by_itself_needs_more_evidence_or_is_not_judged(reference: Reference) -> None:
    assert reference.level("kinds", 1000.0) == max(1000.0, drift.MARGIN * reference.highest["kinds"])
    restless = Reference([block()] * 300 + [block(first=100 + 3 * n) for n in range(45)], np.arange(345) / 10)
    assert restless.highest["kinds"] > drift.RESTLESS
    assert restless.level("kinds", 1000.0) is None
    assert restless.level("alert_rate", 1000.0) == 1000.0


def test_the_level_allows_one_false_alarm_a_month_over_all_aspects() -> None:
    assert drift.alarm_level(43_200) == 4 * 43_200
    assert drift.alarm_level(0) == 100.0


@pytest.mark.parametrize("size", [drift.MIN_REFERENCE, drift.MAX_REFERENCE])
def test_bets_are_fair_on_the_p_values_a_reference_can_give(size: int) -> None:
    mean = np.mean([drift.bet(place / (size + 1)) for place in range(1, size + 2)])
    assert 0.7 < mean <= 1.0


def test_blocks_join() -> None:
    joined = Block.join([block(first=100, flagged=1), block(first=250, flagged=2, evidence=1.5)])
    assert joined == Block(500, 3, (50, 450), {"a": 350, "b": 150}, {"value": 251.5})
