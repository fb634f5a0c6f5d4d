"""Average precision with ties, bootstrap over groups, Platt's sigmoid: against known values."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from triage.learning import ranking_measure as measure


def test_average_precision_is_scikit_learns_with_ties_and_weights():
    chance = np.random.default_rng(0)
    for _ in range(20):
        labels = chance.integers(0, 2, 60)
        labels[0], order = 1, chance.integers(0, 9, 60).astype(float)
        weights = chance.integers(0, 4, 60).astype(float) + (labels > 0)
        ours = measure.average_precision(labels, order, weights)
        assert ours == pytest.approx(average_precision_score(labels, order, sample_weight=weights), abs=1e-12)


def test_without_a_positive_there_is_no_precision():
    assert math.isnan(measure.average_precision(np.zeros(3), np.arange(3.0)))


def test_groups_are_drawn_whole_and_draws_of_one_class_left_out():
    groups, labels = np.array([7, 7, 8, 9, 9, 9]), np.array([1, 0, 0, 1, 1, 0])
    draws = measure.resampled(groups, labels, 0, resamples=200)
    assert (draws[:, 0] == draws[:, 1]).all()
    assert (draws[:, 3] == draws[:, 5]).all()
    assert set((draws[:, 0] + draws[:, 2] + draws[:, 3]).tolist()) == {3.0}
    assert len(draws) < 200  # three times group 8 has no positive
    assert ((draws @ labels) > 0).all()


def test_a_single_group_gives_a_figure_without_an_interval():
    labels, order = np.array([1, 1]), np.array([2.0, 1.0])
    draws = measure.resampled(np.array([0, 0]), labels, 0)
    found = measure.precision_intervals(labels, {"x": order}, draws)["x"]
    assert found.as_dict() == {"value": 1.0, "low": None, "high": None}


def test_equal_orders_do_not_differ():
    labels, order = np.array([1, 0, 1, 0] * 10), np.arange(40.0)
    draws = measure.resampled(np.arange(40), labels, 0)
    assert measure.precision_difference(labels, order, order, draws).as_dict() == {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
    }


def test_the_sigmoid_finds_the_line_it_was_drawn_from():
    chance = np.random.default_rng(0)
    log_odds = chance.normal(size=20_000) * 2
    labels = (chance.random(20_000) < 1 / (1 + np.exp(-(0.5 * log_odds - 1)))).astype(int)
    slope, offset = measure.fit_sigmoid(log_odds, labels)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1.0, abs=0.05)


def test_separable_labels_never_become_certain():
    log_odds, labels = np.array([-30.0] * 10 + [30.0] * 10), np.array([0] * 10 + [1] * 10)
    slope, offset = measure.fit_sigmoid(log_odds, labels)
    assert 1 / (1 + math.exp(-(slope * 30 + offset))) == pytest.approx(11 / 12, abs=1e-3)
    assert measure.fit_sigmoid(-log_odds, labels)[0] < 0


def test_brier_and_reliability_count():
    chances, labels = np.array([0.1, 0.9, 0.5, 0.5]), np.array([0, 1, 1, 0])
    assert measure.brier(chances, labels) == pytest.approx((0.01 + 0.01 + 0.25 + 0.25) / 4)
    assert measure.reliability(chances, labels, bins=2) == [
        {"n": 2, "said": 0.3, "came": 0.5}, {"n": 2, "said": 0.7, "came": 0.5},
    ]  # fmt: skip
