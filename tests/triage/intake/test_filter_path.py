"""``filter_path`` keeps what was asked for, and takes away what was not wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.intake import filter_path

REPLY = {
    "took": 3,
    "errors": True,
    "items": [
        {"create": {"_index": "a", "_id": "1", "status": 201}},
        {"index": {"_index": "a", "_id": "2", "status": 400, "error": {"type": "t", "reason": "r"}}},
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", REPLY),
        (" , .,-", REPLY),
        ("took", {"took": 3}),
        ("took,errors", {"took": 3, "errors": True}),
        (
            "errors,items.*.error,items.*.status",
            {
                "errors": True,
                "items": [
                    {"create": {"status": 201}},
                    {"index": {"status": 400, "error": {"type": "t", "reason": "r"}}},
                ],
            },
        ),
        ("items.*.error", {"items": [{"index": {"error": {"type": "t", "reason": "r"}}}]}),
        ("items.create._id", {"items": [{"create": {"_id": "1"}}]}),
        ("items.index.err*.ty*", {"items": [{"index": {"error": {"type": "t"}}}]}),
        ("**.reason", {"items": [{"index": {"error": {"reason": "r"}}}]}),
        ("items.**.type", {"items": [{"index": {"error": {"type": "t"}}}]}),
        ("items.**", {"items": REPLY["items"]}),
        ("*", REPLY),
        ("t*k,e*", {"took": 3, "errors": True}),
        ("took.deeper", {}),
        ("nothing", {}),
        ("-items", {"took": 3, "errors": True}),
        (
            "-took,-items.*._id,-items.*.error,-items.*.status,-errors",
            {"items": [{"create": {"_index": "a"}}, {"index": {"_index": "a"}}]},
        ),
        ("-**.reason,items.index.error", {"items": [{"index": {"error": {"type": "t"}}}]}),
        ("-*", {}),
        ("took,-took", {}),
    ],
)
def test_what_is_left_of_a_reply(text, expected):
    wanted = filter_path.parse(text)
    assert wanted.apply(REPLY) == expected
    assert bool(wanted) == (text not in ("", " , .,-"))


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a*b", "ab", True),
        ("a*b", "a", False),
        ("ab*ba", "aba", False),
        ("*a*a*", "banana", True),
        ("*x*", "banana", False),
        ("a*b*c", "a1b2c", True),
        ("a*c*b*c", "a1b2c", False),
    ],
)
def test_a_star_stands_for_any_part_of_a_name(pattern, name, fits):
    assert (filter_path.parse(pattern).apply({name: 1}) == {name: 1}) is fits


def test_what_is_beyond_the_caps_is_not_looked_at():
    many = ",".join(f"n{number}" for number in range(1_000))
    assert len(filter_path.parse(many).include) == filter_path.MAX_PATTERNS
    assert filter_path.parse(".".join("a" * 100)).include == (("a",) * filter_path.MAX_DEPTH,)


@given(st.lists(st.sampled_from(["items", "*", "**", "_id", "status", ".", ",", "-", "create", "e*"]), max_size=12))
def test_any_filter_gives_a_part_of_the_reply(parts):
    def is_part(part, whole):
        if isinstance(part, dict):
            return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
        if isinstance(part, list):
            return all(any(is_part(element, other) for other in whole) for element in part)
        return part == whole

    assert is_part(filter_path.parse("".join(parts)).apply(REPLY), REPLY)
