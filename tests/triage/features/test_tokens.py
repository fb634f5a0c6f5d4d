import doctest

import pytest

from triage.contracts import ParsedEvent
from triage.features import tokens


def event(fields, message="", parser="ecs_json"):
    return ParsedEvent(1.7e9, "event", parser, message, fields)


def test_examples_in_the_docstrings_hold():
    result = doctest.testmod(tokens)
    assert (result.failed, result.attempted > 4) == (0, True)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("JSESSIONID=1F767F17239C9B670A39E9B10C3825F4", "jsessionid=#"),
        ("from 192.0.2.7 port 51234", "from #.#.#.# port #"),
        ("0xDEADBEEF", "#"),
        ("cafe", "cafe"),
        ("a\x1fb", "a b"),
    ],
)
def test_mask_replaces_what_identifies(text, masked):
    assert tokens.mask(text) == masked


def test_parameters_of_a_query_become_cells_of_their_own():
    found = tokens.cells(event({"url.query": "id=7&name=bob%27"}))
    assert found == [
        ("url.query[id]", "7"),
        ("url.query[name]", "bob'"),
        ("url.query[]", "?url.query[id]&url.query[name]"),
    ]


def test_ordinary_text_with_an_equals_sign_stays_whole():
    assert tokens.cells(event({"process.args": "run --level=3 now"})) == [("process.args", "run --level=3 now")]


def test_a_url_is_not_counted_twice_beside_its_query():
    found = tokens.cells(event({"url.original": "/a?x=1", "url.query": "x=1"}))
    assert [name for name, _ in found] == ["url.query[x]", "url.query[]"]


def test_times_of_reading_and_originals_are_left_out():
    assert tokens.cells(event({"event.original": "raw", "event.ingested": "now", "user.name": "bob"})) == [
        ("user.name", "bob")
    ]


def test_a_json_message_counts_only_when_there_is_nothing_else():
    assert tokens.cells(event({"a": 1}, message='{"a":1}')) == [("a", 1)]
    assert tokens.cells(event({}, message='{"a":')) == [("message", '{"a":')]


def test_lists_are_spread_and_capped():
    assert len(tokens.cells(event({"process.args": ["x"] * 100}))) == tokens.MAX_LIST


@pytest.mark.parametrize(
    ("value", "number"),
    [("42", 42.0), (7, 7.0), (True, None), ("4e2", None), (float("inf"), None), ("9" * 16, None), (10**400, None)],
)
def test_as_number_reads_plain_digits_only(value, number):
    assert tokens.as_number(value) == number


def test_kind_is_format_data_set_and_code():
    assert (
        tokens.kind_of(event({"event.dataset": "aws.cloudtrail", "event.code": 4625})) == "ecs_json|aws.cloudtrail|4625"
    )
