"""What is usual around events: limits per kind and entity, an entity's own most, and what exceeds them."""

import math

import numpy as np
import pytest

from triage.contracts import ParsedEvent
from triage.features.usual_windows import COLUMNS, MIN_SLOTS, UsualWindows
from triage.features.windows import SLOT, Windows

BURST, FAILURES, NEW = (COLUMNS.index(name) for name in ("burst", "failures", "new_values"))


def event(at, user, dataset="auth", **fields):
    return ParsedEvent(at, "event", "test", "", {"event.dataset": dataset, "user.name": user, **fields})


def quiet(slots, users=4):
    """Each user once a slot, and a backup account nine times."""
    names = [f"u{i}" for i in range(users)] + ["backup"] * 9
    return [event(slot * SLOT + i, name) for slot in range(slots) for i, name in enumerate(names)]


@pytest.fixture(scope="module")
def learned():
    stream, history = Windows(), quiet(MIN_SLOTS + 10, users=200)
    return UsualWindows.learn(history, stream.observe(history)), stream


def test_too_short_a_history_teaches_nothing():
    history = quiet(MIN_SLOTS - 1)
    assert UsualWindows.learn(history, Windows().observe(history)) is None


def test_a_usual_event_exceeds_nothing_and_a_burst_its_limit(learned):
    usual, _ = learned
    stream, start = Windows(), 1e6 * SLOT
    burst = [event(start + i, "u3") for i in range(40)]
    rows = usual.columns(burst, stream.observe(burst))
    limit = usual.limit(burst[0], "user.name")[BURST]
    assert limit == 2
    assert rows[limit - 1].tolist() == [0.0, 0.0, 0.0]
    assert rows[39, BURST] == math.log1p(40) - math.log1p(limit)


def test_an_active_entity_is_compared_with_its_own_most(learned):
    usual, _ = learned
    assert usual.limit(event(0, "backup"), "user.name")[BURST] == 18
    assert usual.limit(event(0, "nobody"), "user.name")[BURST] == 2


def test_an_unknown_kind_is_compared_with_all(learned):
    usual, _ = learned
    assert usual.limit(event(0, "u1", dataset="other"), "user.name") == usual.limits["", "user.name"]


def test_absent_numbers_and_entities_nobody_learned_give_nothing(learned):
    usual, _ = learned
    odd = [ParsedEvent(0.0, "event", "test", "", {"source.ip": "10.0.0.1"}), event(0, "u1")]
    numbers = np.full((2, 9), -1, dtype=np.int32)
    numbers[0, 3:6] = 4_000_000
    assert usual.columns(odd, numbers).tolist() == [[0.0] * 3] * 2


def test_one_event_gives_what_it_gives_among_many(learned):
    usual, _ = learned
    stream = Windows()
    events = [event(i * 9.0, f"u{i % 3}", **{"source.ip": f"10.0.0.{i % 90}"}) for i in range(400)]
    numbers = stream.observe(events)
    whole = usual.columns(events, numbers)
    single = np.concatenate([usual.columns([one], numbers[i : i + 1]) for i, one in enumerate(events)])
    assert whole.tobytes() == single.tobytes()
    assert whole.max() > 0.0


def test_its_state_brings_it_back_with_names_an_attacker_wrote():
    names = ["a\x1fb", "", "\ud800", "x" * 300]
    history = [event(slot * SLOT, name) for slot in range(MIN_SLOTS + 2) for name in names]
    usual = UsualWindows.learn(history, Windows().observe(history))
    again = UsualWindows.from_state(usual.state())
    assert (again.limits, again.own) == (usual.limits, usual.own)
    assert len(again.own) == len(names)
    assert again.limit(event(0, "a\x1fb"), "user.name") == usual.limit(event(0, "a\x1fb"), "user.name")


def test_a_state_that_does_not_fit_is_refused(learned):
    state = learned[0].state()
    with pytest.raises(ValueError, match="shape"):
        UsualWindows.from_state({**state, "limits": np.zeros((2, 2), dtype=np.int64)})
    with pytest.raises(ValueError, match="argument"):
        UsualWindows.from_state({**state, "own": state["own"][:-1]})
