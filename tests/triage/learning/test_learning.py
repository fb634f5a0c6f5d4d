import random
from dataclasses import asdict

import pytest

from triage.contracts import ParsedEvent
from triage.learning import Decision, describe_labels, gate, train, training
from triage.learning.statistics import wilson


def events(n):
    rng = random.Random(0)
    return [
        ParsedEvent(1.7e9 + i, "event", "ecs_json", "", {"user.name": rng.choice("abc"), "bytes": rng.randrange(100)})
        for i in range(n)
    ]


def metrics(*, flagged=10, n=1000, budget=0.01, n_calibration=400, low_p=100):
    return {
        "alert_budget": budget,
        "n_calibration": n_calibration,
        "flag_rate": asdict(wilson(flagged, n)),
        "p_value_validity": [{"p": 0.1, "rate": asdict(wilson(low_p, n))}],
    }


def test_train_measures_on_events_it_has_not_seen():
    candidate = train(events(400), alert_budget=0.05)
    found = candidate.metrics
    assert (found["n_fit"], found["n_holdout"], found["n_calibration"], found["labels"]) == (400, 60, 68, None)
    assert found["flag_rate"]["n"] == 60
    assert [level["p"] for level in found["p_value_validity"]] == [0.01, 0.05, 0.1, 0.5]
    window = candidate.manifest["window"]
    assert (window["first_timestamp"], window["last_timestamp"], window["n_events"]) == (1.7e9, 1.7e9 + 399, 400)
    assert candidate.manifest["detector"] == "baseline_forest"


def test_train_puts_events_in_time_order_and_is_repeatable():
    forward = train(events(300), alert_budget=0.05)
    backward = train(events(300)[::-1], alert_budget=0.05)
    assert forward.metrics == backward.metrics
    assert forward.manifest == backward.manifest


def test_another_window_has_another_hash():
    first, second = (train(part, alert_budget=0.05).manifest["window"] for part in (events(300), events(301)))
    assert first["events_sha256"] != second["events_sha256"]


@pytest.mark.parametrize("budget", [0.0, 1.0, -0.1])
def test_a_budget_that_is_not_a_share_is_refused(budget):
    with pytest.raises(ValueError, match="share between 0 and 1"):
        train(events(100), alert_budget=budget)


def test_the_first_model_within_its_budget_is_promoted():
    assert gate(metrics(), beside=False) == Decision(
        promote=True, reason="first model: 1.00% of 1,000 held-back events flagged (0.54% to 1.83%), budget 1.00%"
    )


def test_a_model_that_flags_far_too_much_is_refused():
    decision = gate(metrics(flagged=200), beside=False)
    assert decision.promote is False
    assert decision.reason.startswith("flags too much: at least 17.64% of 1,000")


INVALID = "p-values do not hold: 50.00% of 1,000 held-back events have p of 0.1 or less"


def test_invalid_p_values_are_refused_while_a_champion_serves():
    assert gate(metrics(low_p=500), beside=True) == Decision(promote=False, reason=INVALID)


def test_a_first_model_with_invalid_p_values_serves_with_a_warning():
    decision = gate(metrics(low_p=500), beside=False)
    assert decision.promote is True
    assert decision.reason.endswith(f"budget 1.00%; {INVALID}: read them as ranks until a later model holds")


def test_too_little_calibration_is_refused():
    assert gate(metrics(n_calibration=19), beside=False) == Decision(
        promote=False, reason="only 19 events to calibrate on; 20 are needed"
    )


def test_a_later_model_within_its_budget_may_run_beside_the_champion():
    decision = gate(metrics(), beside=True)
    assert decision.promote is True
    assert decision.reason.startswith("within its budget on newer events: 1.00% of 1,000")


def test_the_label_set_is_described_by_count_range_and_hash():
    found = describe_labels({7: 1, 3: 0, 9: 0})
    assert (found["n"], found["n_malicious"], found["first_event_id"], found["last_event_id"]) == (3, 1, 3, 9)
    assert found["sha256"] == describe_labels({9: 0, 7: 1, 3: 0})["sha256"]
    assert found["sha256"] != describe_labels({9: 1, 7: 1, 3: 0})["sha256"]


def test_the_code_hash_depends_on_the_code(monkeypatch, tmp_path):
    (tmp_path / "learning").mkdir()
    (tmp_path / "features").mkdir()
    monkeypatch.setattr(training, "__file__", str(tmp_path / "learning" / "training.py"))
    source = tmp_path / "features" / "tokens.py"
    source.write_text("x = 1\n")
    first = training.hash_code(("features",))
    assert training.hash_code(("features",)) == first
    source.write_text("x = 2\n")
    assert training.hash_code(("features",)) != first
