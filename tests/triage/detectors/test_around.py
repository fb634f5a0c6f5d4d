"""What happened around an event, beside the event itself: found, explained, stored, and absent when nobody asks."""

import random

import numpy as np
import pytest

from triage.contracts import ParsedEvent
from triage.detectors.baseline_forest import BaselineForest
from triage.features.kind import COLUMNS
from triage.features.windows import Windows

USERS = [f"user{i}" for i in range(20)]


def login(at, user, outcome):
    fields = {"event.dataset": "auth", "user.name": user, "source.ip": f"10.0.0.{USERS.index(user)}"}
    return ParsedEvent(at, "event", "test", "", {**fields, "event.outcome": outcome, "host.name": "web"})


def usual(n, seed, start=0.0):
    chance = random.Random(seed)
    every = [login(start + i * 120.0, chance.choice(USERS), "failure" if i % 6 == 0 else "success") for i in range(n)]
    return sorted(every, key=lambda one: one.timestamp)


@pytest.fixture(scope="module")
def fitted():
    history, stream = usual(1_500, 0), Windows()
    numbers = stream.observe(history)
    detector = BaselineForest().fit(history, alert_budget=0.01, random_state=0, windows=numbers)
    start = history[-1].timestamp + 120.0
    attack = [login(start + i, "user3", "failure") for i in range(60)] + [login(start + 61, "user3", "success")]
    return detector, history, attack, stream.observe(attack)


def test_a_usual_password_is_found_because_it_was_guessed(fitted):
    detector, _, attack, numbers = fitted
    alone, _ = detector.score(attack)
    scores, p_values = detector.score(attack, numbers)
    assert not detector.flag(alone, p_values)[-1]
    assert detector.flag(scores, p_values)[-1]
    assert scores[0] == alone[0]


def test_its_first_reason_says_what_happened_with_the_usual_number(fitted):
    detector, _, attack, numbers = fitted
    first = detector.explain(attack[-1:], numbers[-1:])[0][0]
    assert first.feature == "failures"
    assert first.fields[0] in {"user.name", "source.ip"}
    assert "failed 60 times within twenty minutes; usually at most" in first.text
    alone = {reason.feature for reason in detector.explain(attack[-1:])[0]}
    assert alone.isdisjoint({"burst", "failures", "new_values"})


def test_contributions_are_the_fall_of_the_score_without_each(fitted):
    detector, _, attack, numbers = fitted
    (whole,), _ = detector.score(attack[-1:], numbers[-1:])
    (alone,), _ = detector.score(attack[-1:])
    found = detector.explain(attack[-1:], numbers[-1:])[0]
    shares = [one.contribution for one in found]
    assert shares == sorted(shares, reverse=True)
    own = [one for one in found if one.feature in {"burst", "failures", "new_values"}]
    squares = sum(whole**2 - (whole * (1.0 - one.contribution)) ** 2 for one in own)
    assert squares == pytest.approx(whole**2 - alone**2)


def test_one_event_scores_as_in_its_batch_and_after_storing(fitted):
    detector, _, attack, numbers = fitted
    again = BaselineForest.from_state(detector.state())
    scores, _ = detector.score(attack, numbers)
    single = [again.score([one], numbers[i : i + 1])[0][0] for i, one in enumerate(attack)]
    assert np.array(single).tobytes() == scores.tobytes()


def test_examining_has_columns_for_it_only_when_asked(fitted):
    detector, _, attack, numbers = fitted
    plain, full = detector.examine(attack), detector.examine(attack, numbers)
    assert plain.evidence_names == (*COLUMNS, "forest")
    assert full.evidence_names == (*COLUMNS, "forest", "burst", "failures", "new_values")
    assert full.evidence.shape == (len(attack), len(full.evidence_names))
    assert full.scores.tobytes() == detector.score(attack, numbers)[0].tobytes()
    assert plain.scores.tobytes() == detector.score(attack)[0].tobytes()


def test_learned_without_windows_it_ignores_them(fitted):
    _, history, attack, numbers = fitted
    plain = BaselineForest().fit(history, alert_budget=0.01, random_state=0)
    assert plain.state()["around"] is None
    assert plain.score(attack, numbers)[0].tobytes() == plain.score(attack)[0].tobytes()
    assert plain.explain(attack[-1:], numbers[-1:]) == plain.explain(attack[-1:])


def test_suspects_teach_nothing_about_what_is_usual_around():
    history = usual(1_500, 0)
    burst = [login(history[700].timestamp + i * 0.1, "user3", "failure") for i in range(900)]
    every = sorted([*history, *burst], key=lambda one: one.timestamp)
    planted = set(map(id, burst))
    suspects = [id(one) in planted for one in every]
    numbers = Windows().observe(every)
    limits = [
        BaselineForest()
        .fit(every, alert_budget=0.01, random_state=0, windows=numbers, suspects=marked)
        .around_.usual.limit(burst[0], "user.name")[1]
        for marked in (suspects, None)
    ]
    assert limits[0] < 10 < limits[1]
