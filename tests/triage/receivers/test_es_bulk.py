"""Stored bulk bodies give the documents back, with what their action lines say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import receivers
from triage.contracts import Envelope, Record
from triage.receivers.base import BodyError
from triage.receivers.es_bulk import Action, read_action

BULK = receivers.get("es_bulk")


def test_documents_come_with_index_and_pipeline():
    body = (
        b'{"create":{"_index":"logs-nginx.access-default"}}\n{"message":"a"}\n'
        b'\r\n\n{"index":{"_id":"7","pipeline":"geo"}}\r\n{"host.name":"web","n":{"m":[1]}}\r\n'
        b'{"create":{}}\n{"message":"last"}'
    )
    records = BULK.records(body, {"index": "fallback", "pipeline": "p"})
    assert records == [
        Record({"message": "a"}, Envelope(index="logs-nginx.access-default", fields={"pipeline": "p"})),
        Record({"host.name": "web", "n": {"m": [1]}}, Envelope(index="fallback", fields={"pipeline": "geo"})),
        Record({"message": "last"}, Envelope(index="fallback", fields={"pipeline": "p"})),
    ]
    assert BULK.raw(body, {}, 1) == '{"host.name":"web","n":{"m":[1]}}'
    with pytest.raises(IndexError):
        BULK.raw(body, {}, 3)


@pytest.mark.parametrize(
    ("document", "content"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a":"\xe4"}', {"a": "\ufffd"}),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":"tab\there"}', {"a": "tab\there"}),
        (b"{}", {}),
    ],
)
def test_oddities_are_kept_as_text(document, content):
    body = b'{"create":{"_index":"x"}}\n' + document + b"\n"
    assert [record.content for record in BULK.records(body, {})] == [content]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (b'{"create":{}}', Action("create")),
        (b' {"index":{"_index":"i","_id":5,"_type":"doc","routing":"r","other":[]}}\r', Action("index", "i", "5")),
        (b'{"index":{"_id":null,"_index":"i","op_type":"create"}}', Action("create", "i")),
        (b'{"delete":{"_index":"i","_id":true}}', Action("delete", "i", "true")),
        (b'{"update":{"pipeline":"p"}}', Action("update", "", "", "p")),
    ],
)
def test_action_lines(line, action):
    assert read_action(line, 1) == action


@pytest.mark.parametrize(
    "line",
    [
        b'{"create":{"_index":"x"},}',
        b"{",
        b"[]",
        b'"create"',
        b"{}",
        b'{"create":{},"index":{}}',
        b'{"create":null}',
        b'{"create":"x"}',
        b'{"upsertify":{}}',
        b'{"create":{"_index":["x"]}}',
        b'{"create":{"_id":{}}}',
        b"1 2",
        b"null",
    ],
)
def test_what_is_no_action_line_is_named_by_its_number(line):
    with pytest.raises(BodyError) as caught:
        read_action(line, 3)
    assert caught.value.code == "invalid_format"
    assert str(caught.value).startswith("Malformed action/metadata line [3], ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_data"),
        (b"\r\n \n", "no_data"),
        (b'{"create":{"_index":"x"}}', "invalid_format"),
        (b'{"create":{"_index":"x"}}\n', "invalid_format"),
        (b'{"create":{"_index":"x"}}\n[]\n', "invalid_format"),
        (b'{"create":{"_index":"x"}}\n{"a":1}{"b":2}\n', "invalid_format"),
        (b'{"a":1}\n{"create":{}}\n', "invalid_format"),
    ],
)
def test_a_broken_body_is_refused(body, code):
    with pytest.raises(BodyError) as caught:
        BULK.records(body, {})
    assert caught.value.code == code


@given(
    st.lists(
        st.sampled_from(
            [b'{"create":{"_index":"x"}}', b'{"create":{}}', b'{"a":1}', b'{"a":NaN}', b"", b"\r", b"[", b"{}"]
        ),
        max_size=10,
    )
)
def test_any_lines_give_records_or_a_body_error_and_can_be_joined(lines):
    body = b"\n".join(lines)
    try:
        records = BULK.records(body, {})
    except BodyError:
        return
    assert all(isinstance(record.content, dict) for record in records)
    assert [BULK.raw(body, {}, position) for position in range(len(records))]
    assert BULK.records(body + b"\n" + body, {}) == records * 2
