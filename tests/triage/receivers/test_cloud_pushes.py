"""Pub/Sub pushes and Azure arrays: what they carry, with its time and where it came from."""

import base64
import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import receivers
from triage.contracts import Envelope, Record
from triage.receivers import decoding, pubsub
from triage.receivers.base import BodyError
from triage.receivers.inflating import Budget

PUBSUB, AZURE = receivers.get("pubsub"), receivers.get("azure")
NAME = "projects/p/subscriptions/s"


def push(data, attributes=None, **message):
    encoded = {} if data is None else {"data": base64.b64encode(data).decode()}
    message = (
        encoded | {"attributes": attributes or {}, "messageId": "7", "publishTime": "2026-01-01T00:00:00Z"} | message
    )
    return orjson.dumps({"message": message, "subscription": NAME})


def contents(receiver, body):
    return [record.content for record in receiver.records(body, {})]


def test_a_push_is_its_message_with_attributes_and_time():
    body = push(b'{"logName":"x","severity":"ERROR"}', {"team": "pay"})
    assert PUBSUB.records(body, {"host": "h"}) == [
        Record(
            {"logName": "x", "severity": "ERROR"},
            Envelope(time=1767225600.0, host="h", source=NAME, fields={"team": "pay"}),
        )
    ]
    assert PUBSUB.records(body, {"source": "mine"})[0].envelope.source == "mine"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one line", ["one line"]),
        (b"a trace\n  of two lines", ["a trace\n  of two lines"]),
        (b"caf\xe9\x00", ["caf\ufffd\x00"]),
        (b'{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'{"a":', ['{"a":']),
        (b'{"records":[{"a":1},{"a":2}]}', [{"a": 1}, {"a": 2}]),
        (b"[1,2]", ["[1,2]"]),
    ],
)
def test_a_message_is_one_text_or_its_objects(data, expected):
    assert contents(PUBSUB, push(data)) == expected


def test_a_message_without_data_is_its_attributes():
    for body in (push(None, {"a": "b"}), push(b"", {"a": "b"})):
        assert contents(PUBSUB, body) == [{"a": "b"}]
    assert contents(PUBSUB, b'{"message":{"messageId":"1"}}') == [{}]


def test_either_spelling_of_the_metadata():
    found = pubsub.push_of(b'{"message":{"data":"YQ==","message_id":5,"publish_time":"2026-01-01T00:00:00Z"}}')
    assert found == pubsub.Push(b"a", {}, "5", "2026-01-01T00:00:00Z", "")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_data"),
        (b" \n", "no_data"),
        (b"{", "invalid_format"),
        (b"text", "invalid_format"),
        (b"[]", "invalid_format"),
        (b"{}", "invalid_format"),
        (b'{"message":"text"}', "invalid_format"),
        (b'{"message":{}}', "invalid_format"),
        (b'{"message":{"data":"%%%"}}', "invalid_format"),
        (b'{"message":{"data":5}}', "invalid_format"),
        (b'{"message":{"data":"YQ==","attributes":{}}}{"message":{"data":"YQ=="}}', "invalid_format"),
    ],
)
def test_what_is_no_push_is_refused(body, code):
    with pytest.raises(BodyError) as caught:
        pubsub.push_of(body)
    assert caught.value.code == code


def test_a_compressed_message_is_inflated_within_the_budget():
    found = pubsub.push_of(push(gzip.compress(b'{"a":1}'), {"k": "v"}))
    stored = pubsub.wrapped(pubsub.inflated(found, Budget(100)))
    assert PUBSUB.records(stored, {}) == PUBSUB.records(push(b'{"a":1}', {"k": "v"}), {})
    with pytest.raises(BodyError) as caught:
        pubsub.inflated(pubsub.push_of(push(gzip.compress(bytes(200)))), Budget(100))
    assert caught.value.code == "too_large"


@given(
    st.builds(
        pubsub.Push,
        data=st.none() | st.binary(min_size=1, max_size=40),
        attributes=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
        message_id=st.text(max_size=8),
        published_at=st.sampled_from(["", "2026-01-01T00:00:00Z"]),
        subscription=st.text(max_size=8),
    )
)
def test_a_wrapped_push_reads_back_the_same(found):
    again = pubsub.push_of(pubsub.wrapped(found))
    assert again == found


def test_raw_of_a_push_is_the_message():
    joined = b"\n".join([push(b'{ "a": 1 }{"b":2}'), push(b"x\ny"), push(None, {"k": "v"})])
    assert [PUBSUB.raw(joined, {}, position) for position in range(4)] == ['{ "a": 1 }', '{"b":2}', "x\ny", '{"k":"v"}']


def test_an_azure_array_is_its_elements_with_their_time():
    body = b'[{"TimeGenerated":"2026-01-01T00:00:00Z","RawData":"a"},{"RawData":"b"},"text",17,null]'
    shared = {"source": "dcr-1", "sourcetype": "Custom-T"}
    plain = Envelope(source="dcr-1", sourcetype="Custom-T")
    assert AZURE.records(body, shared) == [
        Record(
            {"TimeGenerated": "2026-01-01T00:00:00Z", "RawData": "a"},
            Envelope(time=1767225600.0, source="dcr-1", sourcetype="Custom-T"),
        ),
        Record({"RawData": "b"}, plain),
        Record("text", plain),
        Record("17", plain),
        Record("null", plain),
    ]
    texts = [AZURE.raw(body, shared, position) for position in (0, 1, 3)]
    assert texts == ['{"TimeGenerated":"2026-01-01T00:00:00Z","RawData":"a"}', '{"RawData":"b"}', "17"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[]", []),
        (b'[{"a":1}]\n[]\n[{"a":2}]', [{"a": 1}, {"a": 2}]),
        (b'[{"a":NaN}]', [{"a": "NaN"}]),
        (b'[{"a":"caf\xe9"}]', [{"a": "caf\ufffd"}]),
        (b'[{"records":[{"a":1},{"a":2}]}]', [{"a": 1}, {"a": 2}]),
    ],
)
def test_azure_arrays(body, expected):
    assert contents(AZURE, body) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_data"),
        (b" ", "no_data"),
        (b"{}", "invalid_format"),
        (b'{"a":1}\n{"a":2}', "invalid_format"),
        (b'[{"a":1}]{}', "invalid_format"),
        (b'[{"a":1}', "invalid_format"),
        (b"17", "invalid_format"),
        (b"[" * 100_000, "invalid_format"),
    ],
)
def test_what_is_no_array_is_refused(body, code):
    with pytest.raises(BodyError) as caught:
        AZURE.records(body, {})
    assert caught.value.code == code


def test_arrays_share_the_cap_of_a_body(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_RECORDS", 3)
    with pytest.raises(BodyError) as caught:
        AZURE.records(b"[1,2]\n[3,4]", {})
    assert caught.value.code == "too_many"
