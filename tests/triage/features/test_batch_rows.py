"""The evidence columns of many events at once are, bit for bit, those of each event alone."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from triage.contracts import ParsedEvent
from triage.features import baseline as room
from triage.features import batch, field, kind, pairs
from triage.features.baseline import EVERYTHING, MANY, Baseline
from triage.features.kind import COLUMNS
from triage.features.tokens import cells

USERS = ["alice", "bob", "carol", "dave"]
ODD_VALUES = [
    "", " ", "é" * 40, "\x1f\ud800", "a\x1eb", "\x00", "0x1F", "x' or 1=1", "=", "a=1&b=2", "a=1&a=2&a=3", "a=1&=x&b",
    "?q=1", "A" * 2_000, "deadbeef00", "7", "007", "٣", 7, 7.0, True, False, 0, -0.0, -3, 0.35, 1e12, 10**30, 10**400,
    float("inf"), float("nan"), None, {"a": 1}, [], ["x", "y", "x"], [1, "1", True, None], ["u"] * 30,
]  # fmt: skip
NAMES = [
    "user.name", "host.name", "source.ip", "url.original", "url.query", "url.query[a]", "message", "bytes",
    "event.outcome", "@timestamp", "never.seen", "",
]  # fmt: skip


def usual(n: int, seed: int = 0) -> list[ParsedEvent]:
    rng = random.Random(seed)
    made = []
    for i in range(n):
        user = rng.choice(USERS)
        fields = {
            "event.dataset": "shop", "user.name": user, "host.name": f"web-{USERS.index(user)}",
            "bytes": rng.randrange(200, 900), "source.ip": f"10.0.0.{rng.randrange(9)}", "duration": rng.random() * 20,
            "internal": rng.random() < 0.5,
            "event.outcome": rng.choice(["success", "failure"]), "process.pid": str(rng.randrange(400, 30_000)),
            "url.original": f"/p/{rng.randrange(5)}?a={rng.randrange(9)}&b=x%20{rng.getrandbits(40):x}",
            "url.query": f"a={rng.randrange(9)}&b=x", "tags": ["web", rng.choice(["eu", "us"])],
            "event.id": f"{rng.getrandbits(64):016x}",
        }  # fmt: skip
        made.append(ParsedEvent(1.7e9 + i, "event", "web_access", f"request {i} of {user}", fields))
    return made


def odd(n: int, seed: int = 1) -> list[ParsedEvent]:
    """Events of the usual kind with something strange in each."""
    rng = random.Random(seed)
    made = []
    for event in usual(n, seed):
        fields = dict(event.fields)
        for _ in range(rng.randrange(1, 4)):
            fields[rng.choice(NAMES)] = rng.choice(ODD_VALUES)
        message = rng.choice(["", "{json", "alice", event.message, "m" * 3_000])
        made.append(ParsedEvent(event.timestamp, "event", rng.choice(["web_access", "other"]), message, fields))
    return made


@pytest.fixture(scope="module")
def learned() -> Baseline:
    return Baseline.learn(usual(1_500), usual(400, seed=2))


def one_by_one(learned: Baseline, events: list[ParsedEvent]) -> np.ndarray:
    rows = []
    for event in events:
        model, is_new = learned.model_of(event)
        rows.append(model.row(cells(event), learned.new_kind if is_new else 0.0))
    return np.array(rows) + 0.0


@pytest.fixture
def columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the way for many events even for one."""
    monkeypatch.setattr(room, "MANY", 1)


@pytest.mark.usefixtures("columns_only")
@pytest.mark.parametrize("make", [usual, odd])
def test_rows_of_many_events_are_those_of_each(
    learned: Baseline, make: Callable[[int, int], list[ParsedEvent]]
) -> None:
    events = make(700, 3)
    assert (learned.rows(events) + 0.0).tobytes() == one_by_one(learned, events).tobytes()


def test_the_usual_way_takes_columns_for_many_alike_and_single_events_else(
    learned: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = batch.kind_rows
    monkeypatch.setattr(
        room,
        "kind_rows",
        lambda model, parts, new: sizes.append(sum(len(p) for _, p in parts)) or real(model, parts, new),
    )
    events = [*usual(MANY, 5), *usual(MANY - 1, 6)]
    others = [ParsedEvent(0.0, "event", "zeek", "", {"uid": f"C{number}"}) for number in range(MANY - 1)]
    rows = learned.rows([*events, *others])
    assert sizes == [2 * MANY - 1]
    assert (rows + 0.0).tobytes() == one_by_one(learned, [*events, *others]).tobytes()


@pytest.mark.usefixtures("columns_only")
def test_neither_order_nor_company_nor_memory_changes_a_row(learned: Baseline) -> None:
    events = [*usual(200, 7), *odd(200, 8)]
    field.forget()
    cold = learned.rows(events)
    warm = learned.rows(events)
    order = list(range(len(events)))
    random.Random(0).shuffle(order)
    shuffled = learned.rows([events[place] for place in order])
    halves = np.concatenate([learned.rows(events[:77]), learned.rows(events[77:])])
    assert cold.tobytes() == warm.tobytes() == halves.tobytes()
    assert shuffled.tobytes() == cold[order].tobytes()


@pytest.mark.usefixtures("columns_only")
def test_searched_and_laid_out_pair_tables_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = Baseline.learn(usual(1_500), usual(400, seed=2))
    (model,) = [model for name, model in learned.kinds.items() if name != EVERYTHING]
    assert len(model.pairs) > 3
    events = odd(300, 9)
    monkeypatch.setattr(pairs, "SMALL_TABLE", 10**6)
    laid_out = learned.rows(events)
    assert model.pair_tables._searched == []
    monkeypatch.setattr(pairs, "SMALL_TABLE", 0)
    monkeypatch.setattr(pairs, "CELLS_PER_ENTRY", 0)
    model.rescale_pairs(model.pair_scale)
    assert len(model.pair_tables._searched) == len(model.pairs)
    assert learned.rows(events).tobytes() == laid_out.tobytes()
    assert laid_out[:, COLUMNS.index("pair_most")].max() > 1.0


@pytest.mark.usefixtures("columns_only")
def test_a_pair_token_that_holds_the_separator_is_looked_up_as_one_text() -> None:
    events = [
        replace(event, fields={**event.fields, "user.name": "al\x1eice"}) if place % 3 == 0 else event
        for place, event in enumerate(usual(900))
    ]
    learned = Baseline.learn(events[:600], events[600:])
    rows = learned.rows(events[600:])
    assert (rows + 0.0).tobytes() == one_by_one(learned, events[600:]).tobytes()


@pytest.mark.usefixtures("columns_only")
def test_events_whose_sum_may_not_be_exact_are_summed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = Baseline.learn(usual(1_500), usual(400, seed=2))
    (model,) = [model for name, model in learned.kinds.items() if name != EVERYTHING]
    events = usual(60, 12)
    alone: list[float] = []
    real = kind.KindModel.row
    monkeypatch.setattr(kind.KindModel, "row", lambda *given: alone.append(given[2]) or real(*given))
    learned.rows(events)
    assert alone == []
    model.fields["user.name"].rescale(np.full(len(field.TYPES), 1e-12))
    rows = learned.rows(events)
    assert alone == [0.0] * len(events)
    assert (rows + 0.0).tobytes() == one_by_one(learned, events).tobytes()


def test_single_events_score_the_same_cold_and_warm(learned: Baseline) -> None:
    events = [*usual(MANY - 1, 10), *odd(MANY - 1, 11)]
    field.forget()
    kind._pairs.forget()
    cold = [learned.rows([event]).tobytes() for event in events]
    assert 0 < kind._pairs.held <= kind.PAIR_BYTES
    assert [learned.rows([event]).tobytes() for event in events] == cold


def test_no_events_no_rows(learned: Baseline) -> None:
    assert learned.rows([]).shape == (0, len(COLUMNS))
