"""Counts around an event: exact numbers, any batches, bounded memory, clocks that jump."""

import numpy as np
import pytest

from triage.contracts import ParsedEvent
from triage.features import windows
from triage.features.windows import ABSENT, NUMBERS, Recent, Windows, has_failed


def event(at, user="ida", source="10.0.0.1", origin="event", **fields):
    named = {"user.name": user, "source.ip": source, **fields}
    found = {name.replace("__", "."): value for name, value in named.items() if value is not None}
    return ParsedEvent(at, origin, "test", "", found)


def numbers_of(row):
    return dict(zip(NUMBERS, row.tolist(), strict=True))


def test_an_event_is_told_what_its_entities_did_in_this_slot_and_the_one_before():
    stream = [event(0, event__outcome="failure"), event(599, event__outcome="failure"), event(600), event(1_200)]
    found = Windows().observe(stream)
    assert found[:, NUMBERS.index("user.name events")].tolist() == [1, 2, 3, 2]
    # Only an attempt is told of failures; the third event is none.
    assert found[:, NUMBERS.index("user.name failures")].tolist() == [1, 2, 0, 0]
    assert (found[:, NUMBERS.index("host.name events")] == ABSENT).all()


def test_a_success_after_failures_is_told_of_them():
    stream = [event(i, event__outcome="failure") for i in range(5)] + [event(9, event__outcome="success")]
    last = numbers_of(Windows().observe(stream)[-1])
    assert last["user.name failures"] == last["source.ip failures"] == 5
    assert last["user.name events"] == 6


def test_a_host_is_not_told_of_failures_of_its_users():
    (row,) = Windows().observe([event(0, host__name="web", event__outcome="failure")])
    assert numbers_of(row)["host.name events"] == 1
    assert numbers_of(row)["host.name failures"] == 0


def test_new_values_count_once_however_long_ago_they_came():
    stream = [event(0, user=f"u{i}") for i in range(4)] + [event(5_000, user="u0"), event(5_001, user="u9")]
    found = Windows().observe(stream)[:, NUMBERS.index("source.ip new_values")]
    assert found.tolist() == [1, 2, 3, 4, 0, 1]


def test_the_numbers_do_not_depend_on_the_batches():
    stream = [event(i * 37, user=f"u{i % 7}", source=f"10.0.0.{i % 3}") for i in range(300)]
    whole, parts = Windows(), Windows()
    expected = whole.observe(stream)
    found = np.concatenate([parts.observe(stream[i : i + 11]) for i in range(0, 300, 11)])
    assert found.tolist() == expected.tolist()
    assert expected.dtype == np.int32


def test_an_event_without_a_time_of_its_own_neither_counts_nor_is_counted():
    found = Windows().observe([event(0), event(1, origin="received"), event(2)])
    assert found[1].tolist() == [ABSENT] * len(NUMBERS)
    assert found[2, 0] == 2


@pytest.mark.parametrize("at", [float("nan"), float("inf"), -1e300])
def test_a_time_that_is_none_is_not_counted(at):
    found = Windows().observe([event(at), event(1)])
    assert found[0].tolist() == [ABSENT] * len(NUMBERS)
    assert found[1, 0] == 1


def test_a_late_event_counts_and_a_jump_of_the_clock_starts_anew():
    found = Windows().observe([event(6_000), event(5_999), event(1e11), event(1e11 + 1), event(6_001)])
    assert found[:, 0].tolist() == [1, 2, 1, 2, 1]


@pytest.mark.parametrize("value", [["a", "b"], 7, None, True])
def test_an_entity_that_is_no_text_is_absent(value):
    (row,) = Windows().observe([event(0, user=value)])
    assert row[: len(windows.MEASURES)].tolist() == [ABSENT] * 3
    assert numbers_of(row)["source.ip events"] == 1


def test_memory_is_bounded_and_the_active_are_remembered(monkeypatch):
    monkeypatch.setattr(windows, "MAX_ENTITIES", 50)
    monkeypatch.setattr(windows, "MAX_SEEN", 80)
    stream = Windows()
    for i in range(2_000):
        found = stream.observe([event(0, user="ida"), event(0, user=f"made-up {i}" * 40, source=f"{i}")])
    assert len(stream.entities) <= 100
    assert len(stream.seen) <= 160
    assert found[0, 0] == 2_000


def test_what_was_asked_for_lately_is_kept():
    recent = Recent(2)
    for key in "abcd":
        recent.keep(key, key.upper())
        assert recent.get("a") == "A"
    assert recent.get("b") is None
    assert recent.get("d") == "D"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"event.outcome": "failure"}, True), ({"event.outcome": "success"}, False), ({}, False),
        ({"http.response.status_code": 404}, True), ({"http.response.status_code": 200}, False),
        ({"http.response.status_code": True}, False), ({"zeek.conn_state": "S0"}, True),
        ({"zeek.conn_state": "SF"}, False),
    ],
)  # fmt: skip
def test_what_counts_as_failed(fields, expected):
    assert has_failed(ParsedEvent(0.0, "event", "test", "", fields)) is expected
