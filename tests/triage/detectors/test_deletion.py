"""A reason counts what it says: without its fields the event scores lower by its share, and lowest for the first."""

import gzip
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from triage import parsers
from triage.contracts import ParsedEvent, Record
from triage.detectors import reasons, subjects
from triage.detectors.baseline_forest import BaselineForest
from triage.detectors.leave_out import LeaveOut, without_fields
from triage.features.baseline import EVERYTHING
from triage.features.kind import KindModel
from triage.features.tokens import cells

pytestmark = pytest.mark.once
PEOPLE = {"alice": "web-1", "bob": "web-2", "carol": "db-1", "backup": "db-1"}


def usual(n: int, seed: int = 0) -> list[ParsedEvent]:
    rng = random.Random(seed)
    made = []
    for i in range(n):
        user = rng.choice(list(PEOPLE))
        page = rng.randrange(40)
        fields = {
            "event.dataset": "shop.access", "event.code": "200", "user.name": user, "host.name": PEOPLE[user],
            "related.user": user, "process.name": rng.choice(["nginx", "gunicorn", "cron"]),
            "url.original": f"/item?page={page}&sort=up", "url.path": "/item", "url.query": f"page={page}&sort=up",
            "tags": ["web", rng.choice(["shop", "api"])], "bytes": rng.randrange(200, 900), "tls": True,
        }  # fmt: skip
        if i % 3:
            fields["http.request.referrer"] = f"https://shop.example/{rng.randrange(9)}"
        made.append(ParsedEvent(1.7e9 + i, "event", "web", f"{user} asked for item {page}", fields))
    return made


def changed(seed: int = 9, message: str | None = None, **values: object) -> ParsedEvent:
    event = usual(1, seed)[0]
    fields = {**event.fields, **{name.replace("__", "."): value for name, value in values.items()}}
    return replace(event, fields=fields, message=event.message if message is None else message)


ODD = {
    "a name nobody had, in two fields": changed(user__name="mallory", related__user="mallory"),
    "a user on another's host": changed(user__name="backup", related__user="backup", host__name="web-1"),
    "a query that is an attack": changed(
        url__query="page=1&sort=' or 1=1--", url__original="/item?page=1&sort=' or 1=1--"
    ),
    "a size out of range": changed(bytes=9_000_000),
    "a field never seen": changed(process__parent__name="word.exe", process__working_directory="C:\\"),
    "a list with a new item": changed(tags=["web", "debug", "root"]),
    "another message": changed(message="segmentation fault at 0x00"),
    "a message that repeats a field": changed(message="intruder", process__name="intruder"),
    "a field's name with a bracket": changed(**{"url__query[page]": "12"}),
    "a kind never seen": changed(event__dataset="kernel"),
}
EVERY = pytest.mark.parametrize("event", ODD.values(), ids=ODD.keys())


@pytest.fixture(scope="module")
def fitted() -> BaselineForest:
    return BaselineForest().fit(usual(2000), alert_budget=0.02, random_state=0)


def score(detector: BaselineForest, event: ParsedEvent) -> float:
    return float(detector.score([event])[0][0])


def test_without_fields_takes_out_what_is_named_and_nothing_else() -> None:
    event = changed()
    left = without_fields(event, ["user.name", "message", "no.such.field"])
    assert left.message == ""
    assert left.fields == {name: value for name, value in event.fields.items() if name != "user.name"}
    assert event.fields["user.name"] in PEOPLE


@EVERY
def test_leaving_fields_out_gives_bit_for_bit_the_columns_of_the_changed_event(
    fitted: BaselineForest, event: ParsedEvent
) -> None:
    whole = LeaveOut(fitted.baseline_, event)
    fields = [*event.fields, "message"]
    removed = [frozenset[str](), *(frozenset({name}) for name in fields), frozenset(fields[2:6]), frozenset(fields)]
    expected = fitted.baseline_.rows([without_fields(event, gone) for gone in removed])
    assert whole.rows_without(removed).tobytes() == expected.tobytes()


@EVERY
def test_deleting_what_a_reason_names_lowers_the_score_by_its_contribution(
    fitted: BaselineForest, event: ParsedEvent
) -> None:
    before = score(fitted, event)
    found = fitted.explain([event])[0]
    falls = [1 - score(fitted, without_fields(event, reason.fields)) / before for reason in found if reason.fields]
    assert [reason.contribution for reason in found if reason.fields] == pytest.approx(falls, abs=1e-12)
    assert [reason.contribution for reason in found] == sorted((r.contribution for r in found), reverse=True)


@pytest.mark.parametrize("event", list(ODD.values())[:-1], ids=list(ODD)[:-1])
def test_no_single_field_lowers_the_score_more_than_the_top_reason(fitted: BaselineForest, event: ParsedEvent) -> None:
    top = fitted.explain([event])[0][0]
    after = score(fitted, without_fields(event, top.fields))
    singles = [score(fitted, without_fields(event, [name])) for name in (*event.fields, "message")]
    assert top.fields
    assert after <= min(singles)


def test_events_explained_together_and_alone_have_the_same_reasons(fitted: BaselineForest) -> None:
    events = list(ODD.values())
    assert fitted.explain(events) == [fitted.explain([event])[0] for event in events]


def test_a_block_boundary_changes_nothing(fitted: BaselineForest, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted.explain(list(ODD.values()))
    monkeypatch.setattr(subjects, "BLOCK", 3)
    assert fitted.explain(list(ODD.values())) == whole


def test_fields_that_hold_one_value_are_one_reason(fitted: BaselineForest) -> None:
    top = fitted.explain([ODD["a name nobody had, in two fields"]])[0][0]
    assert top.fields == ("user.name", "related.user")
    assert top.text == "user mallory was never seen before (0 of 2,000 values); the same in related.user"
    assert top.feature == "value"
    assert top.observed == "mallory"
    carol = sum(event.fields["user.name"] == "carol" for event in usual(2000))
    most = max(sum(event.fields["user.name"] == name for event in usual(2000)) for name in PEOPLE)
    assert carol <= most
    assert top.baseline.endswith(f" ({most:,} of 2,000)")
    assert top.baseline.startswith("0 of 2,000 values; most often ")


def test_a_query_and_the_url_it_is_part_of_go_together(fitted: BaselineForest) -> None:
    top = fitted.explain([ODD["a query that is an attack"]])[0][0]
    assert top.fields == ("url.query", "url.original")
    assert top.text.startswith("query parameter sort ' or 1=1-- was never seen before (0 of 2,000 values)")
    assert "same in" not in top.text


def test_a_pair_says_whom_the_first_half_usually_came_with(fitted: BaselineForest) -> None:
    pair = fitted.explain([ODD["a user on another's host"]])[0][0]
    times = sum(one.fields["user.name"] == "backup" for one in usual(2000))
    assert pair.feature == "pair"
    assert "host.name" in pair.fields
    assert pair.text == "user backup was never seen with host web-1 (0 of 2,000 events)"
    assert pair.baseline == f"0 of 2,000 events; user backup came most often with db-# ({times:,} times)"


def test_a_size_names_the_usual_range(fitted: BaselineForest) -> None:
    event = changed(bytes=9_000_000)
    whole = LeaveOut(fitted.baseline_, event)
    said = reasons._size("bytes", 9_000_000, whole.model.fields["bytes"])
    assert said[0].startswith("bytes = 9,000,000; 99 % are at most 89")
    assert said[2].startswith("usual range 20")


def test_new_fields_are_counted_and_deleted_together(fitted: BaselineForest) -> None:
    new = next(r for r in fitted.explain([ODD["a field never seen"]])[0] if r.feature == "new_field")
    assert new.fields == ("process.parent.name", "process.working_directory")
    assert new.text == "parent process and 1 more were never present before (0 of 2,000 events)"


def test_a_missing_field_is_said_to_be_missing_and_names_nothing_to_delete(fitted: BaselineForest) -> None:
    event = usual(1, 3)[0]
    bare = without_fields(event, ["host.name", "bytes"])
    whole = LeaveOut(fitted.baseline_, bare)
    said = reasons.say(fitted.baseline_, whole, "fields_together", (), None, 0.1)
    assert said.text == "lacks bytes (2,000 of 2,000 events of this kind have it)"
    assert said.fields == ()


def test_an_event_whose_kind_is_new_says_so_by_setting_back_its_column(fitted: BaselineForest) -> None:
    event = ODD["a kind never seen"]
    found = {reason.feature: reason for reason in fitted.explain([event])[0]}
    row = fitted.baseline_.rows([event])
    row[0, fitted._new_kind] = min(row[0, fitted._new_kind], fitted.usual_[fitted._new_kind])
    share = 1 - float(fitted._combine(row)[0]) / score(fitted, event)
    assert found["new_kind"].contribution == pytest.approx(share)
    assert found["new_kind"].fields == ()


def test_every_event_has_a_reason_even_one_without_fields(fitted: BaselineForest) -> None:
    empty = ParsedEvent(0.0, "received", "web", "", {})
    assert [len(found) >= 1 for found in fitted.explain([empty, *usual(30, 4)])] == [True] * 31


def test_hostile_input_neither_raises_nor_makes_a_long_sentence(fitted: BaselineForest) -> None:
    fields = {f"{i}[{'x' * 50}]": "=" * 2_000 for i in range(200)} | {"user.name": "\x1b[31m" + "\ud800" * 5_000}
    found = fitted.explain([ParsedEvent(0.0, "received", "web", "\x00" * 9_000, fields)])[0]
    assert all(len(reason.text) < 600 and reason.text.isprintable() for reason in found)
    assert all(math.isfinite(reason.contribution) for reason in found)


def test_the_columns_are_those_the_room_of_leaving_out_knows(fitted: BaselineForest) -> None:
    event = usual(1, 5)[0]
    model = fitted.baseline_.kinds[EVERYTHING]
    assert isinstance(model, KindModel)
    assert len(model.row(cells(event), 0.0)) == fitted.baseline_.rows([event]).shape[1]


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsl_kdd", "cloud_invictus"])
def test_on_real_logs_the_top_reason_is_the_one_to_delete(shared_data: Path, name: str) -> None:
    with gzip.open(shared_data / name / "events.ndjson.gz") as file:
        lines = [line for line in (file.readline() for _ in range(1_500)) if line.strip()]
    events = parsers.parse([Record(orjson.loads(line)) for line in lines], 1_893_456_000.0, memory={})
    detector = BaselineForest().fit(events[:1_000], alert_budget=0.05, random_state=0)
    scores, _ = detector.score(events[1_000:])
    strange = [events[1_000 + place] for place in np.argsort(-scores)[:15].tolist()]
    tested = 0
    for event, found in zip(strange, detector.explain(strange), strict=True):
        after = [score(detector, without_fields(event, reason.fields)) for reason in found if reason.fields]
        if found[0].fields:
            tested += 1
            assert after[0] == min(after)
    assert tested >= 10
