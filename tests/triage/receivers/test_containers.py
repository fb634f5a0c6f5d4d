"""Objects that stand for many records are cut before anybody counts."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import receivers
from triage.contracts import Envelope, Record
from triage.receivers import containers, decoding, ndjson
from triage.receivers.base import BodyError

ENVELOPE = Envelope(host="relay", time=5.0)


def contents(content):
    return [record.content for record in containers.expand(Record(content, ENVELOPE))]


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "beside",
    [
        {"Records": ...},
        {"records": ...},
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": ...},
        {"kind": "admin#reports#activities", "etag": '"x"', "items": ..., "nextPageToken": "A:1"},
        {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#x", "value": ..., "@odata.nextLink": "u"},
        {"entries": ..., "nextPageToken": "t"},
        {"Findings": ...},
        {"Events": ..., "NextToken": "t"},
        {"events": ...},
        {"start": 0, "limit": 50, "length": 2, "total": 2, "logs": ...},
        {"@timestamp": "2026-01-01T00:00:00Z", "@version": "1", "Records": ...},
    ],
    ids="+".join,
)
def test_a_container_stands_for_its_elements(beside):
    elements = [{"a": 1}, {"a": 2, "nested": {"b": [1]}}]
    content = {key: elements if value is ... else value for key, value in beside.items()}
    records = containers.expand(Record(content, ENVELOPE))
    assert [record.content for record in records] == elements
    assert all(record.envelope is ENVELOPE for record in records)
    text = orjson.dumps(content).decode()
    assert contents(text) == elements


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        {},
        {"Records": []},
        {"Records": {"a": 1}},
        {"Records": "x"},
        {"Records": [1, 2]},
        {"Records": [{"a": 1}, "x"]},
        {"Records": [{"a": 1}], "user": "alice"},
        {"items": [{"a": 1}]},
        {"items": [{"a": 1}], "kind": "Order", "customer": "alice"},
        {"value": [{"a": 1}]},
        {"value": [{"a": 1}], "@odata.context": "x", "name": "y"},
        {"logs": [{"a": 1}], "level": "info"},
        {"id": {"time": "t"}, "actor": {}, "events": [{"name": "login"}]},
        {"Records": [{"a": 1}], **{f"k{number}": 1 for number in range(20)}},
        {"subscription": "s"},
        {"subscription": "s", "message": "text"},
        {"subscription": "s", "message": {"data": 5}},
        {"subscription": "s", "message": {"data": "not base64!"}},
        {"subscription": "gold", "message": {"data": "YQ=="}, "customer": "alice"},
        '{"a": 1}',
        '{"Records": [{"a": 1}',
        "Records",
        '[{"Records": [{"a": 1}]}]',
        'x {"Records": [{"a": 1}]}',
    ],
)
def test_anything_else_comes_back_as_the_same_object(content):
    record = Record(content, ENVELOPE)
    (same,) = containers.expand(record)
    assert same is record
    assert containers.texts(record, "as it was sent") == ["as it was sent"]


def test_a_log_subscription_says_its_group_with_every_event():
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/lambda/pay",
        "logStream": "2026/01/01/[$LATEST]ab",
        "subscriptionFilters": ["all"],
        "logEvents": [
            {"id": "1", "timestamp": 1767225600000, "message": "one"},
            {"id": "2", "timestamp": 1767225601000, "message": "two", "owner": "of the event"},
        ],
    }
    context = {"owner": "111122223333", "logGroup": "/aws/lambda/pay", "logStream": "2026/01/01/[$LATEST]ab"}
    assert contents(content) == [
        {**context, "id": "1", "timestamp": 1767225600000, "message": "one"},
        {**context, "id": "2", "timestamp": 1767225601000, "message": "two", "owner": "of the event"},
    ]


def test_a_log_subscription_cannot_blow_its_context_up():
    content = {"logGroup": "x" * 100_000, "owner": {"deep": 1}, "logEvents": [{"message": "a"}]}
    assert contents(content) == [{"logGroup": "x" * 1024, "message": "a"}]


def test_a_pubsub_push_is_the_message_it_carries():
    content = {
        "message": {
            "data": encoded(b'{"logName": "x"}'),
            "attributes": {"team": "pay", "empty": "", "site": "south"},
            "messageId": "1",
            "publishTime": "2026-01-01T00:00:00Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }
    (record,) = containers.expand(Record(content, Envelope(fields={"site": "north"})))
    assert record == Record({"logName": "x"}, Envelope(time=1767225600.0, fields={"site": "north", "team": "pay"}))


def test_pubsub_messages_that_were_pulled_are_each_a_record():
    messages = [{"message": {"data": encoded(data)}} for data in (b"text \xff", b'{"a":1}', b"{broken")]
    content = {"receivedMessages": [*messages, {"ackId": "no message"}]}
    assert contents(content) == ["text \ufffd", {"a": 1}, "{broken", {"ackId": "no message"}]
    assert containers.expand(Record(content, ENVELOPE))[0].envelope == ENVELOPE


def test_past_the_cap_of_a_body_nothing_is_made(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_RECORDS", 3)
    with pytest.raises(BodyError) as caught:
        containers.expand(Record({"Records": [{}] * 4}))
    assert caught.value.code == "too_many"
    with pytest.raises(BodyError) as caught:
        containers.expand_all([Record({"Records": [{}] * 2})] * 2)
    assert caught.value.code == "too_many"
    assert len(containers.expand_all([Record({"Records": [{}] * 3})])) == 3


TWO = b'{"Records":[{"n": 1},{"n": 2}]}'


@pytest.mark.parametrize(
    ("receiver", "body", "raws"),
    [
        (
            "hec_event",
            b'{"event":"a"}{"event":{"Records":[{"n": 1},{"n": 2}]}} {"event": {"Records":[]}}',
            ['{"event":"a"}', '{"n":1}', '{"n":2}', '{"event": {"Records":[]}}'],
        ),
        ("hec_event", b'{"event":"{\\"Records\\": [{\\"n\\": 1},{\\"n\\": 2}]}"}', ['{"n":1}', '{"n":2}']),
        ("hec_event", b'{\n"event":{"Records":[{"n": NaN}]}}', ['{"n":"NaN"}']),
        (
            "json",
            b'{"a": 0}' + TWO + b'[{"records":[{"n": 3}]},"x"]',
            ['{"a": 0}', '{"n":1}', '{"n":2}', '{"n":3}', "x"],
        ),
        ("ndjson", b'{"a": 0}\nbad\n' + TWO + b'\n{"a": 9}', ['{"a": 0}', '{"n":1}', '{"n":2}', '{"a": 9}']),
        ("lines", b"text\n  " + TWO + b"\nlast", ["text", '{"n":1}', '{"n":2}', "last"]),
        ("hec_raw", b"text\n" + TWO + b"\nlast", ["text", '{"n":1}', '{"n":2}', "last"]),
        ("syslog", TWO + b"\n<13>x " + TWO, ['{"n":1}', '{"n":2}', "<13>x " + TWO.decode()]),
    ],
)
def test_records_and_raw_agree_on_positions(receiver, body, raws):
    reader = receivers.get(receiver)
    records = reader.records(body, {"host": "h"})
    assert len(records) == len(raws)
    assert [reader.raw(body, {}, position) for position in range(len(raws))] == raws
    assert [record.content["n"] for record in records if isinstance(record.content, dict) and "n" in record.content]
    with pytest.raises(IndexError):
        reader.raw(body, {}, len(raws))


def test_elements_keep_what_the_protocol_said_of_their_container():
    body = b'{"time": 7, "host": "relay", "fields": {"site": "n"}, "event": {"Records": [{"n": 1}, {"n": 2}]}}'
    envelope = Envelope(time=7.0, host="relay", sourcetype="aws:cloudtrail", fields={"site": "n"})
    assert receivers.get("hec_event").records(body, {"sourcetype": "aws:cloudtrail"}) == [
        Record({"n": 1}, envelope),
        Record({"n": 2}, envelope),
    ]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "", "text/plain"])
def test_what_is_acknowledged_is_what_is_stored(content_type):
    body = TWO + b"\n" + TWO
    reading = ndjson.read(body, content_type, {})
    assert [record.content for record in reading.records] == [{"n": 1}, {"n": 2}] * 2
    assert receivers.get(reading.receiver).records(body, {}) == reading.records
    assert receivers.get(reading.receiver).raw(body, {}, 3) == '{"n":2}'


KEYS = st.sampled_from(
    ["Records", "items", "kind", "logEvents", "message", "subscription", "data", "receivedMessages", "a"]
)
VALUES = st.recursive(
    st.none() | st.integers(-5, 5) | st.sampled_from(["", "YQ==", "eyJhIjoxfQ==", "e30=", "\ud800"]) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(content=st.dictionaries(KEYS, VALUES, max_size=4) | st.text(max_size=20))
def test_anything_stands_for_at_least_one_record(content):
    record = Record(content, ENVELOPE)
    inner = containers.expand(record)
    assert inner
    assert all(isinstance(element.content, str | dict) for element in inner)
    assert len(containers.texts(record, "x")) == len(inner)
    assert record == Record(content, ENVELOPE)
