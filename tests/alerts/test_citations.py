"""Evidence lines know their fields, their claims, and what they mark."""

import pytest

from alerts.selectors.citations import cited_lines, marks_of
from triage.explainers import lines

pytestmark = pytest.mark.once
REASONS = [("backup never logged in before", ["user.name", "host.name"]), ("a new address", ["source.ip"])]
OTHER = "Another event of this alert, at 2026-03-01T14:02:11Z, has source.ip: 198.51.100.9"


def row(number, text, origin=lines.EVENT, event_id=7, **rest):
    return {"number": number, "origin": origin, "text": text, "event_id": event_id} | rest


def refs(line):
    return [(ref.event_id, ref.name, ref.anchor) for ref in line.refs]


def read(rows, claims=()):
    return cited_lines(rows, claims=claims, reasons=REASONS, strongest=7)


def test_a_field_of_the_strongest_event():
    (line,) = read([row(1, "user.name (untrusted text): bob: x")])
    assert refs(line) == [(7, "user.name", "field-7-user.name")]
    assert line.kind == "field"


def test_a_field_of_another_event_of_the_alert():
    (line,) = read([row(1, OTHER, lines.CONTEXT, 8)])
    assert refs(line) == [(8, "source.ip", "field-8-source.ip")]


def test_a_reason_points_at_the_fields_it_is_about():
    (line,) = read([row(1, "a new address (observed: 1.2.3.4; baseline: none)", lines.SCORE, None)])
    assert refs(line) == [(7, "source.ip", "field-7-source.ip")]


@pytest.mark.parametrize(
    "wrong",
    [
        row(1, "user.name: bob", event_id=None),
        row(1, "user.name: bob", event_id="7"),
        row(1, "user.name: bob", event_id=True),
        row(1, "user.name: bob", event_id=-7),
        row(1, "no field at all"),
        row(1, "user.name: bob", lines.RECEIPT),
        row(1, "user.name: bob", lines.CONTEXT),
        row(1, "of no stored reason", lines.SCORE),
        row(1, OTHER + "\nuser.name: x", lines.RECEIPT, 8),
        {"number": 1},
    ],
)
def test_what_names_no_field_points_nowhere(wrong):
    assert [line.refs for line in read([wrong])] == [()]


def test_what_has_no_number_is_no_line():
    assert read([{}, {"number": "1"}, {"number": None, "text": "x"}]) == []


def test_a_line_knows_the_claims_that_cite_it_once_each():
    first, second, third = read([row(n, f"f{n}: x") for n in (1, 2, 3)], claims=[[1, 2, 2], [], [2]])
    assert (first.claims, second.claims, third.claims) == ((1,), (1, 3), ())


def test_marks_are_only_what_claims_cite_and_the_events_own_reasons():
    found = read([row(1, "user.name: bob"), row(2, "host.name: x"), row(3, OTHER, lines.CONTEXT, 8)], claims=[[1, 3]])
    marks = marks_of(7, found, REASONS)
    assert marks.cited == {"user.name": [1]}
    assert marks.reasons == {"user.name": [1], "host.name": [1], "source.ip": [2]}
    assert (marks_of(8, found).cited, marks_of(8, found).reasons) == ({"source.ip": [3]}, {})
