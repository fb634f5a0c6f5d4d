"""An event's fields as a tree: folding, order, caps, marks, and anchors that links find."""

import datetime as dt
import re

import pytest

from alerts.selectors.fields import MAX_DEPTH, MAX_FIELDS, MAX_ITEMS, MAX_VALUE, Marks, anchor, field_tree
from triage.documents import Document
from triage.models import Event

pytestmark = pytest.mark.once
AT = dt.datetime(2026, 3, 1, 14, 2, 11, tzinfo=dt.UTC)


def event(fields, message="a line", **columns):
    row = Event(id=7, timestamp=AT, message=message[:20], **columns)
    row.__dict__["_document"] = Document(message, fields)
    return row


def outline(nodes):
    return [
        (node.name, outline(node.children)) if node.children else (node.name, *(value.text for value in node.values))
        for node in nodes
    ]


def leaves(nodes):
    for node in nodes:
        yield from leaves(node.children) if node.children else [node]


def test_names_that_share_a_beginning_fold_and_one_alone_stays_whole():
    tree = field_tree(event({"user.name": "bob", "user.id": "7", "url.path": "/x", "process.parent.name": "init"}))
    assert outline(tree.nodes) == [
        ("@timestamp", "2026-03-01T14:02:11Z"),
        ("message", "a line"),
        ("user", [("id", "7"), ("name", "bob")]),
        ("process.parent.name", "init"),
        ("url.path", "/x"),
    ]
    assert (tree.total, tree.left_out, tree.readable) == (6, 0, True)
    assert tree.text.splitlines() == [
        "@timestamp: 2026-03-01T14:02:11Z", "message: a line", "user.id: 7", "user.name: bob",
        "process.parent.name: init", "url.path: /x",
    ]  # fmt: skip


def test_a_name_may_be_both_a_field_and_the_beginning_of_others():
    tree = field_tree(event({"a": "1", "a.b": "2", "a.c": "3"}))
    assert outline(tree.nodes)[2:] == [("a", "1"), ("a", [("b", "2"), ("c", "3")])]


def test_what_only_the_row_says_is_shown_and_the_document_counts_more():
    tree = field_tree(event({"user.name": "from the document"}, user_name="from the row", host_name="db-1"))
    assert [(leaf.path, leaf.values[0].text) for leaf in leaves(tree.nodes)][2:] == [
        ("user.name", "from the document"),
        ("host.name", "db-1"),
    ]


def test_an_event_without_a_document_shows_its_row_and_says_so():
    tree = field_tree(event(None, user_name="bob"))
    assert [leaf.path for leaf in leaves(tree.nodes)] == ["@timestamp", "message", "user.name"]
    assert tree.readable is False


def test_values_of_any_shape_are_text_and_lists_stay_apart():
    shapes = {"a": ["x", 1, None, {"k": "ü"}], "b": True, "c": 1.5, "d": ""}
    found = {leaf.path: [value.text for value in leaf.values] for leaf in leaves(field_tree(event(shapes)).nodes)}
    assert (found["a"], found["b"], found["c"], found["d"]) == (
        ["x", "1", "null", '{"k": "ü"}'],
        ["true"],
        ["1.5"],
        [""],
    )


def test_depth_number_and_length_are_capped_and_what_is_left_out_is_counted():
    deep = ".".join(["n"] * 400)
    many = {f"f{number:04d}": "x" for number in range(MAX_FIELDS + 50)}
    long = {"z.long": "y" * (MAX_VALUE + 9), "z.list": list(range(MAX_ITEMS + 3))}
    tree = field_tree(event(many | long | {deep: "1", deep + ".m": "2"}), Marks(cited={"z.long": [4], "z.list": [5]}))
    assert (len(list(leaves(tree.nodes))), tree.left_out) == (MAX_FIELDS, tree.total - MAX_FIELDS)
    found = {leaf.path: leaf for leaf in leaves(tree.nodes)}
    assert (len(found["z.long"].values[0].text), found["z.long"].values[0].more) == (MAX_VALUE, 9)
    assert (len(found["z.list"].values), found["z.list"].more) == (MAX_ITEMS, 3)

    def depth(nodes):
        return 1 + max((depth(node.children) for node in nodes if node.children), default=0)

    assert depth(field_tree(event({deep: "1", deep + ".m": "2", "n.o": "3"})).nodes) <= MAX_DEPTH


def test_marks_are_where_reasons_and_claims_point():
    marks = Marks(reasons={"user.name": [1]}, cited={"user.name": [3, 5], "gone": [9]})
    tree = field_tree(event({"user.name": "bob", "user.id": "7"}), marks)
    found = {leaf.path: (leaf.reasons, leaf.cited, leaf.marked) for leaf in leaves(tree.nodes)}
    assert found["user.name"] == ((1,), (3, 5), True)
    assert found["user.id"] == ((), (), False)
    assert (tree.marked, [node.marked for node in tree.nodes]) == (1, [False, False, True])


@pytest.mark.parametrize("name", ["user.name", 'a" onclick="x', "ü\u202e <b>", "x" * 5000, ""])
def test_an_anchor_is_one_plain_word(name):
    assert re.fullmatch(r"field-7-[A-Za-z0-9_.@-]{0,200}", anchor(7, name))
