"""The ranking: too few verdicts give none, the simpler model wins, nothing leaks from later, states hold together."""

import copy
import hashlib
import json

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from tests.triage.learning.ranking_worlds import alert, crossed, world
from triage.contracts import Reason
from triage.learning import ranking, ranking_facts, ranking_models
from triage.learning.ranking import Decided, Ranker
from triage.learning.ranking_facts import Judged
from triage.learning.ranking_measure import Interval, average_precision
from triage.learning.ranking_models import LOGISTIC, TREES, RankingStateError


@pytest.fixture(scope="module")
def learned() -> ranking.Outcome:
    return ranking.fit_ranker(world(200))


@pytest.fixture(scope="module")
def trees() -> ranking.Outcome:
    return ranking.fit_ranker(crossed(300))


def digest(outcome: ranking.Outcome) -> str:
    assert outcome.ranker is not None
    return hashlib.sha256(ranking.dump(outcome.ranker.state())).hexdigest()


def test_49_verdicts_are_not_yet_enough_and_50_are():
    outcome = ranking.fit_ranker(world(49))
    assert outcome.ranker is None
    assert outcome.refusal == "not yet: 49 verdicts that say something, 50 are needed"
    assert outcome.report["words"] == [outcome.refusal]
    assert ranking.fit_ranker(world(50)).ranker is not None


def test_no_verdicts_at_all():
    assert ranking.fit_ranker([]).refusal == "not yet: 0 verdicts that say something, 50 are needed"


@pytest.mark.parametrize("positive", [0, 4, 56, 60])
def test_verdicts_of_one_kind_are_not_enough(positive):
    decided = [Decided(one.facts, int(number < positive), one.decided_at) for number, one in enumerate(world(60))]
    outcome = ranking.fit_ranker(decided)
    assert outcome.ranker is None
    assert outcome.refusal == (
        f"not yet: of 60 verdicts {positive} were worth an analyst's time and {60 - positive} were not; "
        "5 of each are needed"
    )


def test_verdicts_on_one_incident_cannot_be_measured():
    decided = world(60)
    outcome = ranking.fit_ranker(decided, groups=[0] * 60)
    assert outcome.ranker is None
    assert outcome.refusal.startswith("not yet: only 0 verdicts (0 of them worth an analyst's time) are on incidents")


def test_what_nothing_can_tell_is_not_used():
    """Verdicts at random: an order that is no better than the present one is not served."""
    chance = np.random.default_rng(4)
    decided = [Decided(one.facts, int(chance.random() < 0.4), one.decided_at) for one in world(120)]
    outcome = ranking.fit_ranker(decided)
    assert outcome.ranker is None
    assert outcome.refusal.startswith("not used: on later incidents")
    assert outcome.report["words"][-1] == f"{outcome.refusal[0].upper()}{outcome.refusal[1:]}."


def test_what_has_turned_round_is_harmful():
    """What told in the first half tells the opposite in the second, where the score alone tells."""
    chance = np.random.default_rng(5)
    decided = []
    for number in range(200):
        label, turned = int(chance.random() < 0.5), number >= 100
        score = float(label) if turned else float(chance.random())
        facts = alert(number, category="process" if bool(label) != turned else "network", score=score)
        decided.append(Decided(facts, label, facts.arrived_at + 30.0))
    outcome = ranking.fit_ranker(decided)
    assert outcome.ranker is None
    assert outcome.harmful
    assert outcome.refusal == "not used: on later incidents its order was no better than chance"


WORSE = "not used: on later incidents severity and score ordered better, with 95 % confidence"


@pytest.mark.parametrize(
    ("slope", "n", "gain", "says"),
    [
        (0.0, 50, Interval(0.5, 0.4, 0.6), "not used: on later incidents its order was no better than chance"),
        (1.0, 199, Interval(-0.2, -0.3, -0.1), ""),
        (1.0, 200, Interval(-0.2, -0.3, -0.1), WORSE),
        (1.0, 900, Interval(-0.2, -0.5, 0.1), ""),
        (1.0, 900, Interval(-0.2, None, None), ""),
    ],
)  # fmt: skip
def test_a_ranking_is_kept_out_of_use_only_with_confidence(slope, n, gain, says):
    assert ranking.no_better(slope, gain, n) == says


def test_few_verdicts_never_choose_boosted_trees():
    outcome = ranking.fit_ranker(crossed(299))
    assert outcome.report["lead_of_trees"]["low"] > 0
    assert outcome.report["kind"] == LOGISTIC
    assert outcome.report["words"][3].endswith("but so few verdicts do not settle it.")


def test_the_simpler_model_wins_where_a_sum_of_columns_tells(learned):
    assert learned.refusal == ""
    assert learned.ranker.kind == LOGISTIC == learned.report["kind"]
    assert "did not beat the simpler model" in learned.report["words"][3]


def test_boosted_trees_win_only_with_confidence(trees):
    assert trees.ranker.kind == TREES
    lead = trees.report["lead_of_trees"]
    assert 0 < lead["low"] <= lead["value"]
    assert trees.report["words"][3].startswith("Chosen: boosted trees, by +")


def test_the_report_counts_what_it_measured(learned):
    report = learned.report
    assert (report["n"], report["n_incidents"], report["n_tested"], report["n_tested_incidents"]) == (
        200,
        200,
        100,
        100,
    )
    assert report["n_positive"] == sum(one.label for one in world(200))
    assert sum(one["n"] for one in report["reliability"]) == 100
    assert report["gain"]["low"] > 0
    assert report["brier"] < report["brier_of_a_constant"]
    assert json.loads(json.dumps(report)) == report


def test_later_alerts_of_other_incidents_are_ranked_better(learned):
    later = world(300, seed=9, first=1_000)
    labels = np.array([one.label for one in later])
    facts = [one.facts for one in later]
    after = average_precision(labels, learned.ranker.probability(facts))
    before = average_precision(labels, ranking.present_order(facts))
    assert after > before + 0.3


@pytest.mark.parametrize(("world_of", "n"), [(world, 100), (crossed, 300)])
def test_the_same_verdicts_and_seed_give_the_same_state(world_of, n):
    once = digest(ranking.fit_ranker(world_of(n)))
    assert digest(ranking.fit_ranker(world_of(n))) == once
    assert digest(ranking.fit_ranker(world_of(n + 1))) != once


def test_probabilities_survive_the_way_through_json(learned, trees):
    facts = [one.facts for one in world(50, seed=3, first=2_000)]
    for outcome in (learned, trees):
        again = Ranker.from_state(json.loads(ranking.dump(outcome.ranker.state())))
        np.testing.assert_array_equal(again.probability(facts), outcome.ranker.probability(facts))
        chances = again.probability(facts)
        assert ((chances > 0) & (chances < 1)).all()
    assert learned.ranker.probability([]).shape == (0,)


def test_our_walk_through_the_trees_is_scikit_learns():
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(400, 7)).round(1)
    labels = (rows[:, 0] * rows[:, 1] + 0.3 * rows[:, 2] > 0).astype(int)
    model = HistGradientBoostingClassifier(random_state=0, **ranking_models.TREE_SETTINGS).fit(rows, labels)
    state = ranking_models.flatten(model, 7)
    ranking_models.check(state, 7)
    asked = np.vstack([chance.normal(size=(500, 7)).round(1) * 3, rows])
    ours = ranking_models.probabilities(ranking_models.log_odds(state, asked))
    np.testing.assert_allclose(ours, model.predict_proba(asked)[:, 1], rtol=1e-12)
    assert len(state["trees"]) == 80


def test_without_an_opinion_our_logistic_regression_is_scikit_learns():
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(200, 5)) * [1, 10, 0.1, 1, 0] + 3
    labels = (rows[:, 0] + chance.normal(size=200) > 3).astype(int)
    weights, intercept = ranking_models.solve(rows, labels, np.zeros(5), 0.5)
    model = LogisticRegression(C=0.5, max_iter=10_000, tol=1e-10).fit(rows, labels)
    np.testing.assert_allclose(weights, model.coef_[0], atol=1e-5)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-4)


def test_many_verdicts_outweigh_the_opinion_and_few_do_not():
    """Higher scores are worth less: ten verdicts leave the order by score, a thousand turn it round."""
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(1_000, len(ranking_facts.columns([]))))
    labels = (chance.random(1_000) < 1 / (1 + np.exp(0.7 * rows[:, 0]))).astype(int)
    few = ranking_models.fit(LOGISTIC, rows[:10], labels[:10], 0)
    many = ranking_models.fit(LOGISTIC, rows, labels, 0)
    assert few["weights"][0] > 0.05
    assert many["weights"][0] < -0.3


def test_separable_verdicts_have_finite_weights():
    rows = np.array([[-1e6] * 9, [1e6] * 9] * 10)
    state = ranking_models.fit(LOGISTIC, rows, np.array([0, 1] * 10), 0)
    ranking_models.check(state, 9)
    assert np.abs(state["weights"]).max() < 10


def test_the_state_scores_as_it_was_learned():
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(100, 12)) * 7 + 3
    state = ranking_models.fit(LOGISTIC, rows, (rows[:, 3] > 3).astype(int), 0)
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = scaled @ np.array(state["weights"]) + state["intercept"]
    np.testing.assert_allclose(ranking_models.log_odds(state, rows), expected, rtol=1e-9)


def broken(state: dict, *path: object, to: object) -> dict:
    other = copy.deepcopy(state)
    node = other
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return other


@pytest.mark.parametrize(
    ("path", "to", "says"),
    [
        (("model", "trees", 0, "left", 0), 10_000, "tree 0: a child is out of bounds"),
        (("model", "trees", 0, "left", 0), 0, "tree 0: a child is out of bounds"),
        (("model", "trees", 0, "right", 0), -5, "tree 0: a child is out of bounds"),
        (("model", "trees", 3, "column", 0), 10_000, "tree 3: a column is out of bounds"),
        (("model", "trees", 3, "column", 0), -2, "tree 3: a column is out of bounds"),
        (("model", "trees", 1, "column", 0), 1.5, "tree 1: an index is no whole number"),
        (("model", "trees", 1, "threshold", 0), float("inf"), "tree 1: a threshold or value is no number"),
        (("model", "trees", 1, "value"), [0.0], "tree 1: its lists do not belong together"),
        (("model", "trees"), [], "the number of trees"),
        (("model", "columns"), 3, "the trees do not have"),
        (("model", "kind"), "oracle", "unknown kind 'oracle'"),
        (("vocabulary",), [], "the trees do not have"),
        (("slope",), -1.0, "the calibration is no rising line"),
        (("offset",), float("nan"), "the calibration is no rising line"),
        (("format",), 2, "format 2 is not 1"),
        (("judged", "n"), -1, "a count is no whole number"),
        (("judged",), None, "a part is missing or of the wrong type"),
    ],
)
def test_a_state_that_does_not_hold_together_is_refused(trees, path, to, says):
    with pytest.raises(RankingStateError, match=says):
        Ranker.from_state(broken(trees.ranker.state(), *path, to=to))


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("model", "weights"), [1.0]),
        (("model", "mean", 0), "x"),
        (("model", "intercept"), float("nan")),
        (("model", "spread", 2), 0.0),
    ],
)
def test_a_broken_logistic_regression_is_refused(learned, path, to):
    with pytest.raises(RankingStateError):
        Ranker.from_state(broken(learned.ranker.state(), *path, to=to))


@pytest.mark.parametrize("state", [None, [], {}, "x", {"format": 1}])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(RankingStateError):
        Ranker.from_state(state)


def test_a_row_has_a_name_for_every_column():
    vocabulary = ["parser=syslog", "kind=user"]
    facts = alert(
        6 * 60, score=2.5, p_value=float(np.exp(-3.0)), event_count=0, severity_rank=3, techniques=0,
        reasons=(Reason("pair", "", 0.5, ("user.name",)), Reason("unheard of", "", 0.25)),
    )  # fmt: skip
    names = ranking_facts.columns(vocabulary)
    own = dict(zip(names, ranking_facts.own_rows([facts], vocabulary)[0], strict=False))
    assert len(names) == len(set(names)) == 9 + 13 + 16 + 2 + 6
    assert (own["score"], own["scored"], own["severity"], own["events"]) == (2.5, 1.0, 3.0, 0.0)
    assert own["surprise"] == pytest.approx(3.0)
    assert (own["hour_sin"], own["hour_cos"]) == pytest.approx((1.0, 0.0), abs=1e-9)  # six o'clock
    assert (own["reason:pair"], own["reason:other"], own["reason:size"]) == (0.5, 0.25, 0.0)
    assert sum(value for name, value in own.items() if name.startswith("field:")) == 0.5
    assert (own["parser=syslog"], own["kind=user"]) == (1.0, 1.0)


def test_strange_numbers_stay_within_bounds():
    facts = [
        alert(0, score=float("nan"), p_value=0.0, event_count=10**12),
        alert(1, score=float("inf"), p_value=float("nan")),
        alert(2, score=-1e300, p_value=7.0, entity="", reasons=(Reason("pair", "", float("nan"), ("x" * 10**6,)),)),
        alert(3, score=None, p_value=None, seen_at=-1e9, reasons=(Reason("pair", "", 1e9),) * 100),
    ]
    rows = ranking_facts.own_rows(facts, [])
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() == 1e6
    assert rows[:, 2].tolist() == [50.0, 0.0, 0.0, 0.0]


def test_only_frequent_values_become_columns():
    facts = [alert(n, parser="often", category="rare" if n < 4 else "", action=f"a{n}") for n in range(12)]
    assert ranking_facts.vocabulary_of(facts) == ["kind=user", "parser=often"]


def test_a_share_of_earlier_verdicts_is_shrunk():
    memory = Judged()
    same = alert(0, fingerprint="f", template="t", entity="")
    assert memory.row(same) == [0.0] * 6
    memory.add(same, 1)
    n_judged, share = memory.row(same)[:2]
    assert n_judged == pytest.approx(np.log(2))
    assert share == pytest.approx((1 - 2 / 3) / 3)
    assert memory.row(same)[4:] == [0.0, 0.0]  # no entity, nothing remembered
    assert memory.row(alert(1, template="other")) == [0.0] * 6


def test_nothing_judged_later_or_at_the_same_moment_is_known():
    one, two, three = (alert(n, fingerprint="same", arrived_at=float(n)) for n in (1, 2, 3))
    judged = [(one, 1, 2.0), (two, 0, 2.5), (three, 1, 99.0)]
    rows = ranking_facts.judged_before([three, two, one], [3.0, 2.0, 1.0], judged)
    assert rows[1].tolist() == rows[2].tolist() == [0.0] * 6
    assert rows[0][0] == pytest.approx(np.log(3))
    flipped = [(one, 1, 2.0), (two, 0, 2.5), (three, 0, 99.0)]
    again = ranking_facts.judged_before([three, two, one], [3.0, 2.0, 1.0], flipped)
    np.testing.assert_array_equal(rows, again)


def test_what_comes_later_never_changes_how_earlier_alerts_were_ranked():
    """Turning the verdicts of the last block round leaves the log-odds of every earlier block as they were."""
    decided = world(160)
    labels = np.array([one.label for one in decided])
    units = np.arange(160)
    places, scores, blocks = ranking.rehearse(decided, labels, units, 0)
    last = set(places[blocks == blocks.max()].tolist())
    turned = [Decided(one.facts, 1 - one.label, one.decided_at) if i in last else one for i, one in enumerate(decided)]
    after = ranking.rehearse(turned, np.array([one.label for one in turned]), units, 0)
    np.testing.assert_array_equal(after[0], places)
    for kind in ranking.KINDS:
        np.testing.assert_array_equal(after[1][kind], scores[kind])


def test_an_incident_is_never_on_both_sides():
    decided = world(160)
    units = np.arange(160) // 4
    chance = np.random.default_rng(0)
    order = chance.permutation(160)
    shuffled = [decided[i] for i in order]
    labels = np.array([one.label for one in shuffled])
    places, _, blocks = ranking.rehearse(shuffled, labels, units[order], 0)
    of_unit: dict[int, set[int]] = {}
    for place, block in zip(places, blocks, strict=True):
        of_unit.setdefault(int(units[order][place]), set()).add(int(block))
    assert {len(found) for found in of_unit.values()} == {1}
    assert len(places) == 80


def test_incidents_join_what_is_close_in_time_about_one_entity():
    hour = 3_600.0
    facts = [
        alert(n, entity=entity, fingerprint=f"f{n}", seen_at=seen * hour)
        for n, (entity, seen) in enumerate(
            [("user:a", 0), ("user:a", 5), ("user:a", 20), ("user:b", 5), ("", 5), ("", 5)]
        )
    ]
    others = [alert(100 + n) for n in range(20)]
    found = ranking.incidents([*facts, *others])
    assert found[0] == found[1]
    assert len(set(found[1:6])) == 5


def test_equal_fingerprints_are_one_incident_however_far_apart():
    facts = [alert(0, fingerprint="same", entity="user:a", seen_at=0.0)]
    facts += [alert(1, fingerprint="same", entity="user:a", seen_at=9e6)] + [alert(100 + n) for n in range(20)]
    found = ranking.incidents(facts)
    assert found[0] == found[1]
    assert len(set(found)) == 21


def test_where_all_alerts_are_about_one_entity_fingerprints_are_the_incidents():
    facts = [alert(n, entity="host:only", fingerprint=f"f{n % 7}") for n in range(30)]
    assert ranking.incidents(facts) == [n % 7 for n in range(30)]


def test_the_present_order_is_severity_then_score():
    facts = [
        alert(number, severity_rank=rank, score=score)
        for number, (rank, score) in enumerate([(1, 9.0), (3, 1.0), (3, 2.0), (1, None), (1, 9.0)])
    ]
    assert ranking.present_order(facts).tolist() == [1.0, 2.0, 3.0, 0.0, 1.0]
