import math
import random

import numpy as np
import pytest

from triage.contracts import ParsedEvent
from triage.features.baseline import Baseline
from triage.features.field import FieldModel
from triage.features.kind import COLUMNS, damping
from triage.features.mass import MassTable, pack, unpack


def events(n, seed=0):
    rng = random.Random(seed)
    return [
        ParsedEvent(
            1.7e9 + i, "event", "linux_auth", "",
            {"user.name": rng.choice(["alice", "bob"]), "event.action": rng.choice(["login"] * 9 + ["logout"]),
             "event.id": f"{rng.getrandbits(128):032x}"[:31] + "z", "source.port": rng.randrange(1024, 60000)},
        )
        for i in range(n)
    ]  # fmt: skip


def test_evidence_is_the_mass_of_everything_as_rare():
    table = MassTable.learn({"a": 6, "b": 2, "c": 1, "d": 1}, cap=10)
    assert table.of("a") == -math.log((10 + 0.5) / 11)
    assert table.of("b") == -math.log((4 + 0.5) / 11)
    assert table.of("never") == -math.log((2 + 0.5) / 11)


def test_a_field_whose_values_are_all_different_gives_no_evidence():
    table = MassTable.learn({str(i): 1 for i in range(1000)}, cap=100)
    assert table.of("new") < 0.001


def test_the_cap_keeps_the_most_frequent_and_says_what_it_dropped():
    table = MassTable.learn({"a": 5, "b": 4, "c": 3}, cap=2)
    assert (table.counts, table.dropped, table.total) == ({"a": 5, "b": 4}, 3, 12)


def test_tables_survive_packing_exactly():
    tables = [MassTable.learn({"a": 5, "b\u00e9": 4, "x": 1}, cap=9), MassTable.learn({}, cap=9)]
    again = unpack(pack(tables))
    assert [(t.counts, t.total, t.dropped, t.unseen, t.evidence) for t in again] == [
        (t.counts, t.total, t.dropped, t.unseen, t.evidence) for t in tables
    ]


def test_tables_that_do_not_fit_are_refused():
    state = pack([MassTable.learn({"a": 5, "b": 4}, cap=9)])
    with pytest.raises(ValueError, match="do not fit"):
        unpack({**state, "counts": state["counts"][:1]})


def test_a_quote_in_a_field_of_names_stands_out():
    model = FieldModel.learn({(str, name): 20 for name in ("alice", "bob", "carol")})
    usual, strange = model.raw("alice"), model.raw("x' or 1=1")
    assert usual == (-math.log(60.5 / 61),) * 1 + usual[1:]
    assert strange[0] > 4
    assert strange[1] > 4
    assert strange[3] > 4


def test_the_cache_never_changes_the_evidence():
    model = FieldModel.learn({(str, name): 20 for name in ("alice", "bob", "1")})
    first = [model.evidence(value) for value in ("alice", 1, True, 1.0, "1")]
    again = [model.evidence(value) for value in ("1", 1.0, True, 1, "alice")][::-1]
    assert first == again


def test_damping_brings_the_hundredth_event_down_to_one_percent():
    assert damping(np.array([10.0] * 100)) == pytest.approx(math.log(100) / 10)
    assert damping(np.array([1.0] * 100)) == 1.0
    assert damping(np.array([10.0] * 49)) == 1.0


def test_never_seen_user_scores_above_known_and_identifiers_do_not():
    baseline = Baseline.learn(events(600), events(200, seed=1))
    usual = events(1, seed=2)[0]
    strange = ParsedEvent(1.8e9, "event", "linux_auth", "", {**usual.fields, "user.name": "backdoor"})
    rows = baseline.rows([usual, strange])
    column = COLUMNS.index("value_most")
    assert rows[0, column] < 1.0
    assert rows[1, column] > 5.0


def test_an_unknown_kind_is_compared_with_everything():
    baseline = Baseline.learn(events(600), events(200, seed=1))
    stranger = ParsedEvent(1.8e9, "event", "zeek", "", {"event.dataset": "zeek.dns"})
    assert baseline.model_of(stranger) == (baseline.kinds[""], True)


def test_another_feature_set_is_refused():
    state = Baseline.learn(events(100), events(50, seed=1)).state()
    with pytest.raises(ValueError, match="feature set 'old'"):
        Baseline.from_state({**state, "feature_set": "old"})
