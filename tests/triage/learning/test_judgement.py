"""Figures of a judge, worked out by hand."""

import math

import pytest

from triage.contracts import ParsedEvent
from triage.learning import judgement, trivial
from triage.learning.judgement import ABSTAINS, ATTACK, FAILED, HARMLESS, Judgement


def judge(*opinions):
    """Return judgements from ``(truth, opinion, how many[, confidence])``."""
    rows = []
    for truth, opinion, n, *confidence in opinions:
        rows += [Judgement(f"c{len(rows) + i}", truth, opinion, *confidence) for i in range(n)]
    return rows


def test_rates_abstentions_and_failures():
    found = judgement.figures(
        judge((True, ATTACK, 6), (True, HARMLESS, 2), (True, ABSTAINS, 2), (False, ATTACK, 1), (False, HARMLESS, 9),
              (False, FAILED, 5))
    )  # fmt: skip
    assert (found.judged, found.failed) == (20, 5)
    assert (found.recall.value, found.recall.n) == (0.6, 10)
    assert (found.false_positive_rate.value, found.false_positive_rate.n) == (0.1, 10)
    assert (found.abstention.value, found.abstention.n) == (0.1, 20)
    assert (found.balanced_accuracy.value, found.balanced_accuracy.n) == (0.75, 20)
    assert found.kappa == 0.5
    assert round(found.recall.low, 4) == 0.3127
    assert round(found.recall.high, 4) == 0.8318


def test_balanced_accuracys_interval_is_that_of_a_mean_of_two():
    found = judgement.figures(judge((True, ATTACK, 6), (True, HARMLESS, 4), (False, ATTACK, 1), (False, HARMLESS, 9)))
    recall, wrong = found.recall, found.false_positive_rate
    low = 0.75 - math.hypot(recall.value - recall.low, wrong.high - wrong.value) / 2
    high = 0.75 + math.hypot(recall.high - recall.value, wrong.value - wrong.low) / 2
    assert (found.balanced_accuracy.low, found.balanced_accuracy.high) == pytest.approx((low, high))


def test_what_cannot_be_measured_is_none():
    nothing = judgement.figures([])
    assert (nothing.recall, nothing.false_positive_rate, nothing.balanced_accuracy, nothing.kappa) == (None,) * 4
    assert judgement.figures(judge((True, FAILED, 3))).recall is None
    assert judgement.kappa([(True, True)] * 5) is None
    assert judgement.flips([["attack"], ["harmless"]]) is None
    assert judgement.quantile([], 0.5) is None


def test_confidence_is_compared_with_how_often_it_was_right():
    found = judgement.figures(
        judge(
            (True, ATTACK, 3, "high"),
            (False, ATTACK, 1, "high"),
            (True, HARMLESS, 2, "low"),
            (True, ABSTAINS, 4, "low"),
        )
    )
    assert {name: (rate.value, rate.n) for name, rate in found.by_confidence.items()} == {
        "high": (0.75, 4),
        "low": (0.0, 2),
    }


def test_two_judges_are_compared_on_the_cases_that_both_judged():
    first = judge((True, ATTACK, 8), (True, HARMLESS, 1), (False, FAILED, 1), (False, HARMLESS, 2))
    second = judge((True, HARMLESS, 6), (True, ATTACK, 3), (False, ATTACK, 1), (False, HARMLESS, 2))
    found = judgement.compare(first, second)
    assert (found.n, found.only_first, found.only_second) == (11, 6, 1)
    assert found.p_value == pytest.approx(2 * (1 + 7) / 2**7)


def test_flips_are_cases_whose_opinion_was_not_the_same_every_time():
    found = judgement.flips(
        [["attack", "attack"], ["attack", "harmless"], ["abstains"], ["failed", "failed", "attack"]]
    )
    assert (found.value, found.n) == (2 / 3, 3)


def test_verdicts_have_an_opinion_each():
    assert set(judgement.OPINIONS) == {
        "tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate", "undetermined",
    }  # fmt: skip


def test_no_trivial_judge_sees_the_label_that_it_judges():
    truth = [True, False] * 10
    only_here = [f"rule {place}" for place in range(20)]
    assert trivial.by_text(only_here, truth) == [False] * 20  # each text is new, and both labels are as frequent
    assert trivial.by_text(["a", "b"] * 10, truth) == truth
    assert trivial.by_score([1.0, 0.0] * 10, truth) == truth
    assert trivial.by_score([1.0] * 20, truth) == [False] * 20
    assert trivial.majority([True] * 15 + [False] * 5) == [True] * 20


def test_the_regression_learns_from_fields():
    truth = [place % 2 == 0 for place in range(40)]
    events = [
        ParsedEvent(0.0, "event", "json", "", {"rule.name": "scan" if bad else "login", "host.name": f"h{place}"})
        for place, bad in enumerate(truth)
    ]
    assert trivial.by_fields(events, truth) == truth


def test_one_label_alone_is_an_error():
    with pytest.raises(ValueError, match="at least two cases of each label"):
        trivial.majority([True] * 9)
    with pytest.raises(ValueError, match="at least two cases of each label"):
        trivial.majority([True] * 9 + [False])
