import random
from dataclasses import replace

import numpy as np
import pytest

from triage import detectors, plugins
from triage.contracts import ParsedEvent
from triage.detectors.baseline_forest import BaselineForest, NotEnoughEventsError
from triage.detectors.calibration import Tail, conformal_p_values, threshold_for


def events(n, seed=0):
    rng = random.Random(seed)
    people = {"alice": "web-1", "bob": "web-2", "carol": "db-1", "backup": "db-1"}
    made = []
    for i in range(n):
        user = rng.choice(list(people))
        fields = {
            "event.dataset": "system.auth", "user.name": user, "host.name": people[user],
            "process.name": rng.choice(["sshd", "sudo", "cron"]), "source.ip": f"10.0.0.{rng.randrange(1, 9)}",
            "url.path": f"/item/{rng.randrange(1000)}", "bytes": rng.randrange(200, 900),
        }  # fmt: skip
        made.append(ParsedEvent(1.7e9 + i, "event", "linux_auth", f"session {i} opened for {user}", fields))
    return made


def strange(i=0):
    usual = events(1, seed=99)[0]
    fields = {
        **usual.fields,
        "user.name": "backup",
        "host.name": "web-1",
        "process.name": "powershell.exe",
        "bytes": 900_000 + i,
    }
    return ParsedEvent(1.8e9, "event", "linux_auth", usual.message, fields)


@pytest.fixture(scope="module")
def fitted():
    return BaselineForest().fit(events(2000), alert_budget=0.02, random_state=0)


def test_the_table_names_the_default_and_refuses_others():
    assert detectors.get(detectors.DEFAULT) is BaselineForest
    with pytest.raises(plugins.PluginError, match="no detector 'nothing'"):
        detectors.get("nothing")


def test_p_values_follow_the_formula():
    found = conformal_p_values(np.array([1.0, 2.0, 2.0, 4.0]), np.array([0.5, 2.0, 4.0, 4.1]))
    assert found.tolist() == [1.0, 0.8, 0.4, 0.2]


def test_tail_evidence_keeps_growing_beyond_the_largest():
    tail = Tail.learn(np.array([0.0] * 50 + [1.0] * 50))
    found = tail.evidence(np.array([-1.0, 0.0, 1.0, 2.0, 3.0]))
    assert found[0] == found[1] < found[2] < found[3] < found[4]


def test_the_budget_is_respected_on_calibration_events(fitted):
    flags = fitted.flag(fitted.calibration_, conformal_p_values(fitted.calibration_, fitted.calibration_))
    assert len(fitted.calibration_) == fitted.n_calibration_ == 400
    assert 0 < flags.sum() <= 8


@pytest.mark.parametrize(
    ("n", "budget", "above"), [(99, 0.01, 0), (198, 0.01, 0), (199, 0.01, 1), (1999, 0.01, 19), (100, 0.05, 4)]
)
def test_what_passes_the_threshold_has_a_p_value_within_the_budget(n, budget, above):
    calibration = np.arange(float(n))
    threshold = threshold_for(calibration, budget)
    assert threshold == n - 1 - above
    just_above, at = conformal_p_values(calibration, np.array([threshold + 0.5, threshold]))
    assert just_above == (above + 1) / (n + 1) <= budget < at


def test_with_too_few_held_back_events_for_the_budget_only_the_highest_passes():
    assert threshold_for(np.arange(50.0), 0.01) == 49.0


def test_fit_is_deterministic(fitted):
    again = BaselineForest().fit(events(2000), alert_budget=0.02, random_state=0)
    probe = [*events(50, seed=5), strange()]
    assert again.score(probe)[0].tobytes() == fitted.score(probe)[0].tobytes()
    other = BaselineForest().fit(events(2000), alert_budget=0.02, random_state=1)
    assert other.score(probe)[0].tobytes() != fitted.score(probe)[0].tobytes()


def test_an_event_scores_the_same_alone_in_any_batch_and_any_order(fitted):
    probe = [*events(300, seed=5), strange()]
    whole = fitted.score(probe)
    alone = [fitted.score([event]) for event in probe]
    backwards = fitted.score(probe[::-1])
    assert np.concatenate([one[0] for one in alone]).tobytes() == whole[0].tobytes()
    assert np.concatenate([one[1] for one in alone]).tobytes() == whole[1].tobytes()
    assert backwards[0][::-1].tobytes() == whole[0].tobytes()


def test_state_round_trip_keeps_every_bit(fitted):
    probe = [*events(100, seed=6), strange()]
    again = BaselineForest.from_state(fitted.state())
    assert again.score(probe)[0].tobytes() == fitted.score(probe)[0].tobytes()
    assert again.explain(probe) == fitted.explain(probe)


def test_a_strange_event_outranks_every_usual_one_and_is_flagged(fitted):
    scores, p_values = fitted.score([*events(500, seed=7), strange()])
    assert scores[-1] > scores[:-1].max()
    assert p_values[-1] == 1 / 401
    assert fitted.flag(scores, p_values)[-1]


def test_scores_beyond_calibration_are_still_ranked(fitted):
    scores, p_values = fitted.score([strange(0), strange(9_000_000)])
    assert p_values[0] == p_values[1] == 1 / 401
    assert scores[0] < scores[1]


def test_reasons_say_what_was_never_seen(fitted):
    texts = [reason.text for reason in fitted.explain([strange()])[0]]
    assert "process powershell.exe was never seen before (0 of 2,000 values)" in texts


def test_reasons_say_what_never_came_together(fitted):
    usual = events(1, seed=99)[0]
    odd = replace(usual, fields={**usual.fields, "user.name": "backup", "host.name": "web-1"})
    pair = fitted.explain([odd])[0][0]
    assert pair.text == "user backup was never seen with host web-1 (0 of 2,000 events)"
    assert pair.feature == "pair"


def test_first_event_of_a_kind_is_said_to_be_one(fitted):
    stranger = ParsedEvent(1.8e9, "event", "windows", "", {"event.provider": "Kernel", "event.code": 15})
    texts = [reason.text for reason in fitted.explain([stranger])[0]]
    assert "first events of this kind (Kernel 15); too few among 2,000 events to know it" in texts


def test_odd_input_neither_raises_nor_gives_nan(fitted):
    odd = [
        ParsedEvent(0.0, "received", "fallback", "", {}),
        ParsedEvent(
            0.0, "received", "fallback", "\x1f\ud800" * 9000, {"a" * 300: "=" * 9000, "b": [], "c": [1, "x", True]}
        ),
        ParsedEvent(
            0.0, "received", "linux_auth", "", {"user.name": "&=&=" * 4000, "bytes": 10**400, "url.query": "%%%=%00"}
        ),
    ]
    scores, p_values = fitted.score(odd)
    assert np.isfinite(scores).all()
    assert np.isfinite(p_values).all()
    assert len(fitted.explain(odd)) == 3


def test_nothing_in_nothing_out(fitted):
    scores, p_values = fitted.score([])
    assert (scores.shape, p_values.shape, fitted.explain([])) == ((0,), (0,), [])


def test_too_few_events_are_refused():
    with pytest.raises(NotEnoughEventsError, match="19 events; at least 20"):
        BaselineForest().fit(events(19), alert_budget=0.01, random_state=0)


def test_the_flat_forest_agrees_with_scikit_learn(fitted):
    rows = fitted._lifted(fitted.baseline_.rows([*events(200, seed=4), strange()]))
    ours = 2.0 ** -(fitted._flat.path_lengths(rows) / np.asarray(fitted.forest_._average_path_length_per_tree[0]).max())
    theirs = -fitted.forest_.score_samples(rows)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999


def test_what_is_suspected_is_not_learned_and_stays_unusual():
    history = events(2000)
    attack = [replace(strange(), timestamp=history[n].timestamp) for n in range(0, 2000, 8)]
    mixed = [event for n, event in enumerate(history) for event in ([event, attack[n // 8]] if n % 8 == 0 else [event])]
    suspects = [event in attack for event in mixed]

    def score(suspects):
        detector = BaselineForest().fit(mixed, alert_budget=0.02, random_state=0, suspects=suspects)
        scores, p_values = detector.score([strange()])
        return detector.flag(scores, p_values).tolist(), detector.n_fit_

    assert score(None) == ([False], 2250)
    assert score(suspects) == ([True], 2000)


def test_a_history_whose_newer_part_is_all_suspect_is_refused():
    with pytest.raises(NotEnoughEventsError, match="all newer events are suspects"):
        BaselineForest().fit(events(200), alert_budget=0.02, random_state=0, suspects=[n > 100 for n in range(200)])


def test_usual_events_that_share_one_score_do_not_pass_the_threshold_all_at_once():
    history = [
        replace(event, fields=event.fields | {"event.outcome": "failure" if n % 6 == 0 else "success"})
        for n, event in enumerate(events(1500))
    ]
    detector = BaselineForest().fit(history, alert_budget=0.02, random_state=0)
    scores, p_values = detector.score(history)
    assert detector.flag(scores, p_values).mean() <= 0.02
    assert (p_values <= 0.01).mean() <= 0.01
